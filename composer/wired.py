"""Networks written in YAML, as modules: a chain or a graph of layers, each call site with its own weights."""

from __future__ import annotations

import linecache
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from composer.block import look_up
from composer.building import build_block
from composer.emit import identifier, printable
from composer.errors import ComposeError
from composer.nodes import Node, Wiring, reachable, tapped
from composer.runtime import block_function


class Wired(nn.Module):
    """The wiring of one network, run by generated functions.

    `layers` holds the modules under the names that the YAML gives them (a chain: their numbers).
    """

    def __init__(self, name: str, wiring: Wiring, axes: Mapping[str, Mapping[str, Any]]) -> None:
        super().__init__()
        self.name, self.wiring = name, wiring
        self.layers = nn.ModuleDict()
        for layer in wiring.layers.values():
            block = look_up(layer.block)
            who = f"layer {layer.name} of network '{name}'"
            self.layers[module_name(layer.name)] = build_block(
                block, axes[layer.name], layer.settings, who, layer.place
            )
        self._functions: dict[tuple[str, torch.dtype], Callable[..., tuple[Any, ...]]] = {}

    def forward(self, *inputs: Any) -> Any:
        return self._compute("", self.wiring.outputs, inputs)

    def enter(self, entry: str, *inputs: Any) -> Any:
        """Call one of the entry points that the YAML declares: only what it needs is run."""
        return self._compute(entry, self.wiring.entries[entry], inputs)

    def features(self, *given: Any, taps: Sequence[int | str] | None = None) -> list[Tensor]:
        """What the layers `taps` give: numbers from 0 in the order of the chain, or names of values.

        Only what they need is run. The taps stand behind the network's values, or are named.
        """
        *inputs, chosen = given if taps is None else (*given, taps)
        found = self._compute(f"features {chosen}", tapped(self.wiring, chosen), tuple(inputs))
        return list(found) if isinstance(found, tuple) else [found]

    def part(self, name: str) -> list[nn.Parameter]:
        """The parameters of the layers on the line `name` of the network (in a chain: of the link with this number)."""
        own = [module_name(layer.name) for layer in self.wiring.layers.values() if layer.part == name]
        return [p for key in own for p in self.layers[key].parameters()]

    def _compute(self, name: str, outputs: Sequence[Node], inputs: tuple[Any, ...]) -> Any:
        first = next(iter(self.parameters()), None)
        dtype = torch.get_default_dtype() if first is None else first.dtype
        function = self._functions.get((name, dtype))
        if function is None:
            function = self._functions[name, dtype] = _compiled(f"<network {self.name} {name}>", self, outputs, dtype)
        return function(self.layers, *inputs)


def module_name(layer: str) -> str:
    """The name of a layer as a module; one that modules use themselves (`half`, `type`) gets a `_`."""
    return f"{layer}_" if hasattr(_NO_LAYERS, layer) else layer


_NO_LAYERS = nn.ModuleDict()


def entry_point(network: nn.Module, entry: str) -> Callable[..., Any]:
    """What a call of `network`, or of one of its entry points, calls."""
    if isinstance(network, Wired) and entry in network.wiring.entries:
        return lambda *inputs: network.enter(entry, *inputs)
    return getattr(network, entry) if entry else network


class Entry(nn.Module):
    """A network as a call sees it, by one of its entry points, as a module whose weights can be replaced."""

    def __init__(self, network: nn.Module, entry: str) -> None:
        super().__init__()
        self.network, self.entry = network, entry

    def forward(self, *inputs: Any, **settings: Any) -> Any:
        return entry_point(self.network, self.entry)(*inputs, **settings)


def _compiled(file: str, network: Wired, outputs: Sequence[Node], dtype: torch.dtype) -> Callable[..., Any]:
    text, functions = _source(network.wiring, outputs)
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    scope: dict[str, Any] = {key: block_function(block, dtype) for key, block in functions.items()}
    exec(compile(text, file, "exec"), scope)  # the text is our own, made from checked nodes
    return scope["forward"]  # type: ignore[no-any-return]


def _source(wiring: Wiring, outputs: Sequence[Node]) -> tuple[str, dict[str, str]]:
    names: dict[Node, str] = {}
    functions: dict[str, str] = {}
    lines: list[str] = []
    for number, node in enumerate(wiring.inputs):
        names[node] = f"x{number}"
    for number, node in enumerate(reachable(list(outputs))):
        if node in names:
            continue
        args = [names[a] for a in node.args]
        names[node] = f"v{number}"
        match node.op:
            case "layer":
                text = f"layers[{module_name(node.target)!r}]({', '.join(args)})"
            case "number":
                text = repr(node.setting("value"))
            case "item":
                text = f"{args[0]}[{node.setting('number')}]"
            case "list":
                text = f"[{', '.join(args)}]"
            case "arith":
                text = f"-{args[0]}" if node.target == "neg" else f"{args[0]} {node.target} {args[1]}"
            case "apply":
                word = identifier(node.target)
                functions[word] = node.target
                text = f"{word}({', '.join([*args, *(f'{k}={v!r}' for k, v in node.settings)])})"
            case _:
                raise ComposeError(
                    f"'{node.text}' has no place inside a network",
                    node.place,
                    "networks are made of layers and functions",
                )
        lines.append(f"    {names[node]} = {text}  # {printable(node.place.file)}:{node.place.line}")
    given = ", ".join(names[n] for n in outputs)
    head = f"def forward(layers, {', '.join(f'x{i}' for i in range(len(wiring.inputs)))}):"
    return "\n".join([head, *lines, f"    return {given}", ""]), functions
