"""Running a translation at small sizes, to see what no contract of a block says: draws, and whether rows stay apart."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from composer.emit import identifier
from composer.errors import ComposeError
from composer.export.sizes import Steps
from composer.export.wrapped import Recorder, Wrapped, first_line
from composer.signature import INTEGER_KINDS
from composer.signature import Tensor as TensorType

ALIKE = 1e-3  # of the largest number: two ways to compute one picture that differ by less are rounding
Dims = tuple[int | str, ...]


@dataclass(frozen=True)
class Port:
    """A tensor of the file. `dims`: numbers, or names of sizes that are open."""

    name: str
    source: str
    kind: str
    dtype: str
    dims: Dims
    meaning: str
    classes: int = 0  # whole numbers are below this


class Trial:
    """A module run at small sizes, to see what its contract leaves open."""

    def __init__(
        self, wrapped: Wrapped, types: Mapping[str, TensorType], *, dynamic: bool, trained: Sequence[tuple[int, int]]
    ) -> None:
        self.wrapped, self.types, self.dynamic, self.trained = wrapped, types, dynamic, trained
        self.generator = torch.Generator().manual_seed(0)
        self.apart = True  # rows of a batch do not influence each other

    def find_least(self, name: str) -> None:
        """Start the steps of each picture at the smallest size that runs: mirroring needs something to mirror."""
        form = self.wrapped.form
        assert form is not None
        if not self.dynamic:
            self._try(name)
            return
        wanted = zip(form.steps, self.trained, strict=True)
        trained = [(_from(r, h), _from(c, w)) for (r, c), (h, w) in wanted]
        found = list(form.steps)
        for number, (rows, columns) in enumerate(form.steps):
            for more in itertools.count():
                found[number] = _later(rows, more), _later(columns, more)
                tried = [found[number] if at == number else steps for at, steps in enumerate(trained)]
                self.wrapped.form = replace(form, steps=tuple(tried))
                if all(s.start >= t.start for s, t in zip(found[number], trained[number], strict=True)):
                    self._try(name)
                    break
                with contextlib.suppress(ComposeError):
                    self._try(name)
                    break
        self.wrapped.form = replace(form, steps=tuple(found))
        self._try(name)

    def _try(self, name: str) -> None:
        try:
            self.run(1)
        except Exception as error:  # blocks are foreign code and may raise anything
            raise ComposeError(f"'{name}' does not run on one picture: {first_line(error)}") from None

    def run(self, rows: int, more: int = 0) -> tuple[Tensor, dict[str, Tensor], Recorder]:
        """What it gives for random inputs, these, and the random numbers drawn."""
        assert self.wrapped.form is not None
        batch: dict[str, Tensor] = {}
        for given in self.wrapped.givens:
            own = self.types[given.source]
            dims = [rows, *own.dims[1:]]  # type: ignore[index]
            if given.group >= 0:
                high, wide = self.wrapped.form.steps[given.group]
                dims[-2:] = [high.start + more * high.step, wide.start + more * wide.step]
            if own.kind in INTEGER_KINDS:
                batch[given.source] = torch.zeros(dims, dtype=torch.int64)
            else:
                batch[given.source] = torch.rand(dims, generator=self.generator) * 2 - 1
        recorder = Recorder()
        with torch.no_grad():
            return self.wrapped.compute(batch, recorder), batch, recorder

    def draws(self, name: str, masks: bool, taken: set[str]) -> list[Port]:
        """A port for each draw; a `ComposeError` where its size depends on the picture's and that is open."""
        _, _, one = self.run(1)
        larger = self.run(1, more=1)[2] if self.dynamic else one
        two = self._two_rows(one)
        if self.dynamic and [tuple(t.shape) for *_, t in one.drawn] != [tuple(t.shape) for *_, t in larger.drawn]:
            raise _open_draws(name, masks, one, larger)
        found = []
        for number, (source, law, tensor) in enumerate(one.drawn):
            dims: Dims = tuple(tensor.shape)
            if two is not None:
                dims = tuple("n" if b == 2 * a else a for a, b in zip(dims, two.drawn[number][2].shape, strict=True))
            word = free(identifier(source), taken)
            taken.add(word)
            dtype = "int64" if tensor.dtype == torch.int64 else "float32"
            found.append(Port(word, source, "draw", dtype, dims, law))
        return found

    def _two_rows(self, one: Recorder) -> Recorder | None:
        """The draws of a batch of two; None when its rows do not stay apart."""
        try:
            both, batch, two = self.run(2)
        except Exception:  # of a block that takes one row only
            self.apart = False
            return None
        shapes = [(tuple(a.shape), tuple(b.shape)) for (*_, a), (*_, b) in zip(one.drawn, two.drawn, strict=True)]
        self.apart = all(b in (a, (2, *a[1:])) and (a == b or a[0] == 1) for a, b in shapes) and len(both) == 2
        for row in (0, 1):
            fed: dict[str, list[Tensor]] = {}
            for (name, _, tensor), (a, b) in zip(two.drawn, shapes, strict=True):
                fed.setdefault(name, []).append(tensor if a == b else tensor[row : row + 1])
            if self.apart:
                with torch.no_grad():
                    alone = self.wrapped.compute({k: v[row : row + 1] for k, v in batch.items()}, Recorder(fed))
                self.apart = bool((alone[0] - both[row]).abs().max() <= ALIKE * max(1.0, float(both.abs().max())))
        return two if self.apart else None


def _from(steps: Steps, size: int) -> Steps:
    return Steps(steps.padded(size), steps.step)


def _later(steps: Steps, more: int) -> Steps:
    return Steps(steps.start + more * steps.step, steps.step)


def free(word: str, taken: set[str]) -> str:
    return next(w for w in itertools.chain([word], (f"{word}_{n}" for n in itertools.count(2))) if w not in taken)


def _open_draws(name: str, masks: bool, one: Recorder, larger: Recorder) -> ComposeError:
    pairs = zip(one.drawn, larger.drawn, strict=False)
    source = next((a[0] for a, b in pairs if a[2].shape != b[2].shape), one.drawn[0][0] if one.drawn else "")
    if masks:
        fact = f"'{name}' translates with dropout ('{source}'), and its masks are as large as the picture"
        ways = (
            "leave dropout out with --no-dropout or --mode eval, or fix the size with --size HxW: masks become inputs"
        )
        return ComposeError(fact, remedy=ways)
    fact = f"'{name}' draws '{source}', which is as large as the picture"
    return ComposeError(fact, remedy="fix the size (--size HxW) and feed it")
