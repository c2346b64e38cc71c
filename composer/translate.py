"""Using a trained program: one translation at any size, without changing anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from composer.errors import ComposeError, nearest
from composer.nodes import Translation, reachable
from composer.shapes import Inference
from composer.signature import INTEGER_KINDS, Rows, Series, Type
from composer.signature import Tensor as TensorType

if TYPE_CHECKING:
    from composer.program import Program

FARTHEST = 1024  # how far a size may be padded


class Translator:
    """What a program offers under `translate`."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.sizes: dict[tuple[str, int, int, str | None], tuple[int, int]] = {}
        self.least: dict[tuple[str, str | None], tuple[int, int]] = {}

    def chosen(self, as_: str | None) -> Translation:
        """The translation called `as_`, or the first one."""
        offered = self.program.graph.translations
        if not offered:
            raise ComposeError(
                f"graph '{self.program.graph.name}' offers no translation", remedy="add translate: to it"
            )
        if as_ is None:
            return next(iter(offered.values()))
        if as_ not in offered:
            raise ComposeError(f"no translation '{as_}'", remedy=nearest(as_, offered))
        return offered[as_]

    def needs(self, as_: str | None) -> list[str]:
        """Names of the inputs that a translation needs, the first is what is translated."""
        return [n.target for n in reachable([self.chosen(as_).node]) if n.op == "input"]

    def translate(
        self, images: Any, as_: str | None, seed: int, draws: Mapping[str, Any] | None = None, mode: str | None = None
    ) -> Tensor:
        """Images [n c h w] in [-1, 1], or a mapping of input names to them; gives what the translation's value is."""
        chosen = self.chosen(as_)
        needed = self.needs(as_)
        batch = dict(images) if isinstance(images, Mapping) else {}
        if not isinstance(images, Mapping):
            if len(needed) != 1:
                raise ComposeError(f"translation '{chosen.name}' needs {' and '.join(needed)}", remedy="give a mapping")
            batch = {needed[0]: images}
        missing = [n for n in needed if n not in batch]
        if missing:
            raise ComposeError(f"translation '{chosen.name}' needs '{missing[0]}'")
        self.program.passing.check_collected(chosen, draws or ())
        (found,) = self.program.evaluator.compute(
            [chosen.node], batch, draws, ("translate", seed), mode or chosen.mode, use_averages=True
        )
        return found  # type: ignore[no-any-return]

    def padded_size(self, height: int, width: int, as_: str | None, source: str | None = None) -> tuple[int, int]:
        """The smallest (h, w), each at least as asked for, that the shapes of the graph allow.

        It is the size of the input `source`, others have that of training; None: of all of them.
        Not smaller than what its networks can run on: some mirror edges, which takes more than one pixel.
        """
        chosen = self.chosen(as_)
        key = (chosen.name, height, width, source)
        if key not in self.sizes:
            found = self._fitting(chosen, height, width, source)
            if (chosen.name, source) not in self.least and self._is_small(chosen, found, source):
                self.least[chosen.name, source] = self._smallest(chosen, source)
            least = self.least.get((chosen.name, source), (1, 1))
            self.sizes[key] = max(found[0], least[0]), max(found[1], least[1])
        return self.sizes[key]

    def _fitting(self, chosen: Translation, height: int, width: int, source: str | None) -> tuple[int, int]:
        tall = next((h for h in range(height, height + FARTHEST) if self._fits(chosen, h, None, source)), None)
        wide = next((w for w in range(width, width + FARTHEST) if self._fits(chosen, None, w, source)), None)
        if tall is None or wide is None or not self._fits(chosen, tall, wide, source):
            raise ComposeError(f"no size from {height}x{width} on fits translation '{chosen.name}'")
        return tall, wide

    def _is_small(self, chosen: Translation, size: tuple[int, int], source: str | None) -> bool:
        """Whether a side is below that of training, at which everything is known to run."""
        trained = [t for name, t in self._inputs(chosen, None).items() if source in (None, name)]
        return any(t.shape[-2] > size[0] or t.shape[-1] > size[1] for t in trained if t.dim() >= 3)

    def _smallest(self, chosen: Translation, source: str | None) -> tuple[int, int]:
        """The smallest size that runs; sides grow together, up to those of training."""
        size = self._fitting(chosen, 1, 1, source)
        while self._is_small(chosen, size, source):
            try:
                self.translate(self._inputs(chosen, size, source), chosen.name, 0)
            except (RuntimeError, ValueError, IndexError):
                size = self._fitting(chosen, size[0] + 1, size[1] + 1, source)
            else:
                break
        return size

    def _inputs(
        self, chosen: Translation, size: tuple[int, int] | None, source: str | None = None
    ) -> dict[str, Tensor]:
        """Zeros for every input of a translation, one row; None stands for the size that the graph was trained at."""
        found = {}
        for node in reachable([chosen.node]):
            own = self.program.shaped.types.get(node)
            if node.op == "input" and isinstance(own, TensorType) and own.dims is not None:
                dims = [1 if isinstance(d, Rows) else d or 1 for d in own.dims]
                if size is not None and len(dims) >= 3 and source in (None, node.target):
                    dims[-2:] = size
                whole = own.kind in INTEGER_KINDS
                found[node.target] = torch.zeros(dims, dtype=torch.int64 if whole else self.program.dtype)
        return found

    def _fits(self, chosen: Translation, height: int | None, width: int | None, source: str | None) -> bool:
        """Whether a size passes the contracts; None stands for the size that the graph was trained at."""
        inference = Inference(self.program.graph, self.program.shaped.bound)
        for node in reachable([chosen.node]):
            if node.op == "input":
                own = self.program.shaped.types.get(node)
                fixed = source not in (None, node.target)
                if fixed or not isinstance(own, TensorType) or own.dims is None or len(own.dims) < 3:
                    inference.types[node] = own or TensorType("value", None)
                    continue
                size = (height or own.dims[-2], width or own.dims[-1])
                inference.types[node] = TensorType(own.kind, (Rows(), *own.dims[1:-2], *size))
            elif node.op == "collected":  # by a pass over the data, at the size that they had
                inference.types[node] = self.program.shaped.types[node]
            else:
                inference.add(node)
                if inference.problems:
                    return False
        return self._keeps_proportion(chosen, inference.types[chosen.node], height, width, source)

    def _keeps_proportion(
        self, chosen: Translation, found: Type, height: int | None, width: int | None, source: str | None
    ) -> bool:
        """Whether what comes out is as much larger or smaller than what goes in as it is at the training size."""
        trained = self.program.shaped.types[chosen.node]
        inputs = [n for n in reachable([chosen.node]) if n.op == "input"]
        lead = next((n for n in inputs if n.target == source), inputs[0])
        given = self.program.shaped.types[lead]
        for axis, asked in ((-2, height), (-1, width)):
            sizes = [_size(t, axis) for t in (trained, given, found)]
            if asked is None or None in sizes:
                continue
            out, into, now = sizes
            if now * into != asked * out:  # type: ignore[operator]
                return False
        return not isinstance(found, Series)


def _size(found: Type, axis: int) -> int | None:
    if not isinstance(found, TensorType) or found.dims is None or len(found.dims) < 4:
        return None
    size = found.dims[axis]
    return size if isinstance(size, int) else None
