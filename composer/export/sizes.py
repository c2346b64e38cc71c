"""Sizes that a translation takes, and padding and cropping as arithmetic on sizes.

A picture is padded inside an exported model, so the padding is written for sizes that are symbols: no branch looks at
them. It gives what `composer.data.pictures.pad_to` and `crop_back` give, pixel for pixel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor

from composer.errors import ComposeError
from composer.nodes import Node, reachable
from composer.shapes import Inference
from composer.signature import Rows, Type
from composer.signature import Tensor as TensorType

FARTHEST = 1024  # pixels; how far apart sizes that fit may be
Size = tuple[int | None, int | None]  # height and width, None: as the graph is trained


@dataclass(frozen=True)
class Steps:
    """The sizes that fit, along one side of a picture: `start`, `start + step`, `start + 2 step`, ...; pixels."""

    start: int
    step: int

    def padded(self, size: Any) -> Any:
        """The smallest that fits from `size` on; `size` may be a symbol."""
        steps = (size - self.start + self.step - 1) // self.step
        return self.start + torch.sym_max(steps, 0) * self.step  # type: ignore[no-untyped-call]

    def __str__(self) -> str:
        if self.step == 1:
            return "any" if self.start == 1 else f"at least {self.start}"
        if self.start % self.step:
            return f"{self.start} and a multiple of {self.step} more"
        return f"a multiple of {self.step}" + ("" if self.start == self.step else f", at least {self.start}")


def result_type(program: Any, node: Node, sizes: Mapping[str, Size]) -> Type | None:
    """What `node` is when inputs have other sizes than in training; None where these do not fit."""
    inference = Inference(program.graph, program.shaped.bound)
    for one in reachable([node]):
        if one.op != "input":
            inference.add(one)
            if inference.problems:
                return None
            continue
        own = program.shaped.types.get(one)
        inference.types[one] = own or TensorType("value", None)
        if one.target in sizes and isinstance(own, TensorType) and own.dims is not None:
            height, width = sizes[one.target]
            inference.types[one] = TensorType(
                own.kind, (Rows(), *own.dims[1:-2], height or own.dims[-2], width or own.dims[-1])
            )
    return inference.types[node]


def find_steps(program: Any, node: Node, names: tuple[str, ...], out: tuple[Fraction, Fraction] | None) -> Any:
    """The `Steps` of heights and of widths of the inputs `names`; None when only the size of training fits.

    `out`: by how much the result is higher and wider than they are; None where its size does not depend on them.
    """
    trained = result_type(program, node, {})
    found = []
    for axis in (0, 1):

        def fits(size: int, axis: int = axis) -> bool:
            asked: Size = (size, None) if axis == 0 else (None, size)
            given = result_type(program, node, dict.fromkeys(names, asked))
            if not isinstance(given, TensorType) or given.dims is None:
                return False
            if out is None:
                return given == trained
            return given.dims[axis - 2] == out[axis] * size

        start = _next(fits, 1)
        second = _next(fits, start + 1) if start else None
        if not start or not second or not fits(2 * second - start) or not fits(3 * second - 2 * start):
            return None
        found.append(Steps(start, second - start))
    return found[0], found[1]


def _next(fits: Any, first: int) -> int | None:
    return next((size for size in range(first, first + FARTHEST + 1) if fits(size)), None)


def pad(picture: Tensor, height: Any, width: Any) -> Tensor:
    """`picture` [... h w] in the middle of one of `height` x `width`, mirrored outwards."""
    rows, columns = picture.dim() - 2, picture.dim() - 1
    picture = picture.index_select(rows, _border(picture.shape[rows], height))
    return picture.index_select(columns, _border(picture.shape[columns], width))


def _border(size: Any, padded: Any) -> Tensor:
    """For each padded row the one of the picture that it repeats.

    Mirrored where there is more picture than border, otherwise edges repeat; both are computed and one is chosen.
    """
    before = (padded - size) // 2
    index = torch.arange(padded) - before
    away = index.abs()
    mirrored = torch.where(away >= size, 2 * (size - 1) - away, away)
    first = index.clamp(min=0)
    repeated = torch.where(first >= size, size - 1, first)
    enough = torch.full_like(index, size) > padded - size - before
    return torch.where(enough, mirrored, repeated)


def crop(result: Tensor, padded: tuple[Any, Any], size: tuple[Any, Any], out: tuple[Fraction, Fraction]) -> Tensor:
    """The part of a result [n c h w] that belongs to the picture before it was padded.

    Taken by number, not cut: a cut compares sizes, which must stay open.
    """
    for axis in (0, 1):
        first = rounded((padded[axis] - size[axis]) // 2, out[axis])
        count = rounded(size[axis], out[axis])
        result = result.index_select(axis - 2, torch.arange(count) + first)
    return result


def rounded(size: Any, factor: Fraction) -> Any:
    """`round(size * factor)`, a half to the even number, for sizes that may be symbols."""
    if factor.denominator == 1:
        return size * factor.numerator
    scaled, whole = size * factor.numerator, factor.denominator
    low = scaled // whole
    return low + (2 * (scaled - low * whole) + low % 2 + whole - 1) // (2 * whole)


def spatial(kind: TensorType | Any) -> bool:
    """Whether an input has a height and a width."""
    return isinstance(kind, TensorType) and kind.dims is not None and len(kind.dims) >= 3


def enlargement(own: tuple[Any, ...], result: tuple[Any, ...], name: str) -> tuple[Fraction, Fraction]:
    """By how much a result is higher and wider than the picture, as the graph is trained."""
    if any(not isinstance(size, int) for size in (*own[-2:], *result[-2:])):
        raise ComposeError(
            f"the size of what '{name}' gives is not known before it runs",
            remedy="call it from Python: program.translate",
        )
    return Fraction(result[-2], own[-2]), Fraction(result[-1], own[-1])
