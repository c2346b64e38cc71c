"""Shapes and numbers of parameters in words."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from composer.drawing.style import TIMES
from composer.signature import Rows, Series, Several, Tensor, Type


def shape_text(found: Type | None) -> str:
    """Sizes of one row of a batch: 3 x 64 x 64; 2b x 3 x 64 x 64 where the rows are not those of the batch."""
    if isinstance(found, Tensor):
        if not found.dims:
            return ""
        first, *rest = found.dims
        plain = isinstance(first, Rows) and first == Rows(Fraction(1))
        sizes = rest if plain else [first, *rest]
        return TIMES.join("?" if size is None else str(size) for size in sizes)
    if isinstance(found, (Series, Several)):
        if found.items is None:
            return "list"
        texts = [shape_text(item) for item in found.items]
        if len(texts) > 1 and len(set(texts)) == 1:
            return f"{len(texts)} of {texts[0]}" if texts[0] else ""
        if len(texts) > 2:
            return f"{texts[0]} … {texts[-1]} ({len(texts)})"
        return ", ".join(texts)
    return ""


def kind_text(found: Type | None) -> str:
    """`label` of a label: what stands for a shape that has no sizes."""
    return found.kind if isinstance(found, Tensor) else ""


def row_shape(found: Type | None) -> str:
    """The shape without the number of rows."""
    if isinstance(found, Tensor):
        return TIMES.join(map(str, (found.dims or ())[1:]))
    return shape_text(found)


def shapes_text(found: list[Type | None]) -> str:
    """The shapes of the members of a family: one where they agree."""
    texts = list(dict.fromkeys(shape_text(one) for one in found))
    return " | ".join(text for text in texts if text)


def rows_note(shapes: list[str]) -> tuple[str, ...]:
    """What a legend says about shapes."""
    if any(f"b{TIMES}" in shape for shape in shapes):
        return ("shapes are those of one row, or of as many rows as they say, b being the rows of the batch",)
    return ("shapes are those of one row",) if shapes else ()


def count_text(count: int) -> str:
    """`1.2 M` of 1,204,224."""
    for limit, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        number = float(f"{count / limit:.3g}")
        if number >= 1:
            return f"{number:g} {letter}"
    return str(count)


def counts_text(networks: list[str], counts: Mapping[str, int]) -> str:
    """Parameters of the networks of one box: `1.2 M each` where several have as many."""
    known = [counts[name] for name in networks if name in counts]
    if not known:
        return ""
    if len(set(known)) == 1:
        return count_text(known[0]) + (" each" if len(known) > 1 else "")
    return ", ".join(count_text(number) for number in known)
