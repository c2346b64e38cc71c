"""A network that a block makes, down to its layers: the parts of its module, each within what holds it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from composer.drawing.counts import bare_module, size
from composer.drawing.style import TIMES
from composer.nodes import Network
from composer.shapes import Shaped

if TYPE_CHECKING:
    from torch import nn

_CONTAINERS = ("Sequential", "ModuleList", "ModuleDict")


@dataclass(frozen=True)
class Part:
    """A part of a module. `path` is its name in the state dict (of the first, where several are one); a part that
    holds others has `parts`, one that is said in its own words has `lines`."""

    path: str
    kind: str
    lines: tuple[str, ...]
    count: int  # parameters
    parts: tuple[Part, ...] = ()
    number: int = 1  # equal neighbours that are drawn as one
    last: str = ""  # the path of the last of them

    def like(self, other: Part) -> bool:
        """Equal but for the place."""
        same = (self.kind, self.lines, self.count) == (other.kind, other.lines, other.count)
        pairs = zip(self.parts, other.parts, strict=False)
        return same and len(self.parts) == len(other.parts) and all(one.like(two) for one, two in pairs)


def module_part(shaped: Shaped, network: Network, *, expand: bool = False) -> Part:
    """The parts of a network's module; equal neighbours are one part with their number, unless expanded."""
    module = bare_module(shaped, network.name)
    return replace(_part(network.name, module, expand), kind=network.block)


def _part(path: str, module: nn.Module, expand: bool, inside: str = "") -> Part:
    opened = list(_opened(module, inside))
    if all(_is_leaf(child) for _, child in opened):
        return Part(path, type(module).__name__, tuple(_said(c) for _, c in opened), size(module))
    return Part(path, type(module).__name__, (), size(module), tuple(_merged(_grouped(opened, expand), expand)))


def _opened(module: nn.Module, inside: str) -> Iterator[tuple[str, nn.Module]]:
    """Children that do something, with their paths; containers are opened."""
    for name, child in module.named_children():
        if type(child).__name__ in _CONTAINERS:
            yield from _opened(child, f"{inside}{name}.")
        elif not _is_idle(child):
            yield f"{inside}{name}", child


def _grouped(opened: list[tuple[str, nn.Module]], expand: bool) -> Iterator[Part]:
    """Layers with the norms, activations and pads around them as one part each; other modules as they are."""
    waiting: list[tuple[str, nn.Module]] = []

    def flush() -> Iterator[Part]:
        if waiting:
            path = next((path for path, one in waiting if size(one)), waiting[0][0])
            said = tuple(_said(m) for _, m in waiting)
            yield Part(path, "", said, sum(size(m) for _, m in waiting))
            waiting.clear()

    for path, child in opened:
        if not _is_leaf(child):
            yield from flush()
            yield _part(path, child, expand, f"{path}.")
            continue
        if _has_matrix(child) and any(_has_matrix(m) for _, m in waiting):
            yield from flush()
        waiting.append((path, child))
    yield from flush()


def _merged(parts: Iterator[Part], expand: bool) -> Iterator[Part]:
    before: Part | None = None
    for part in parts:
        if before is not None and not expand and part.like(before):
            before = replace(before, number=before.number + 1, last=part.path)
            continue
        if before is not None:
            yield before
        before = part
    if before is not None:
        yield before


def _is_leaf(module: nn.Module) -> bool:
    return not any(True for _ in module.children())


def _has_matrix(module: nn.Module) -> bool:
    return any(parameter.dim() > 1 for parameter in module.parameters(recurse=False))


def _is_idle(module: nn.Module) -> bool:
    """A module that does nothing: an identity, or a dropout of probability 0."""
    return type(module).__name__ == "Identity" or getattr(module, "p", None) == 0.0


def _said(module: nn.Module) -> str:
    """A layer in a few words: Conv2d 3→64, its kernel, its stride."""
    kind, sides = type(module).__name__, ("in_channels", "out_channels", "in_features", "out_features")
    numbers = [getattr(module, side) for side in sides if isinstance(getattr(module, side, None), int)]
    if len(numbers) != 2:
        return kind
    text = f"{kind} {numbers[0]}→{numbers[1]}"
    kernel: Any = getattr(module, "kernel_size", None)
    if isinstance(kernel, tuple):
        text += ", " + TIMES.join(map(str, kernel))
        stride: Any = getattr(module, "stride", (1,))
        text += f", stride {stride[0]}" if isinstance(stride, tuple) and set(stride) != {1} else ""
    return text
