"""What a picture shows: boxes, and arrows between them. Plain values, in a fixed order; no layout yet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from composer.drawing.style import TIMES
from composer.signature import Rows, Series, Several, Tensor, Type


@dataclass(frozen=True)
class Box:
    """One thing in the picture.

    `kind` is input, copy (an input drawn once more), network, function, draw, term; inside a network input, output,
    layer, function; or a text on an arrow: value, shape (of a result without a name), note (the name under
    which a value is used). `phases` numbers the phases that train a network, or the phase of a term.
    """

    key: str
    kind: str
    title: str
    detail: str = ""  # a shape, a number of parameters, the formula of a term; lines of it
    phases: tuple[int, ...] = ()
    marks: frozenset[str] = frozenset()  # again: same weights as an earlier box; frozen; average
    tip: str = ""


@dataclass(frozen=True)
class Arrow:
    """`tail` is used by `head`; `phases` are those whose gradients flow back along it."""

    tail: str
    head: str
    phases: tuple[int, ...] = ()


@dataclass(frozen=True)
class PhaseKey:
    """A line of the legend: a phase, what it trains, and when it runs."""

    label: str
    update: str
    terms: str
    when: str = ""


@dataclass(frozen=True)
class Scene:
    """A picture before its layout. `groups` are boxes that one frame holds, by its title."""

    title: str
    about: str
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    phases: tuple[PhaseKey, ...] = ()
    notes: tuple[str, ...] = ()


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
    for limit, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        number = float(f"{count / limit:.3g}")
        if number >= 1:
            return f"{number:g} {unit}"
    return str(count)


def counts_text(networks: list[str], counts: Mapping[str, int]) -> str:
    """Parameters of the networks of one box: `1.2 M each` where several have as many."""
    known = [counts[name] for name in networks if name in counts]
    if not known:
        return ""
    if len(set(known)) == 1:
        return count_text(known[0]) + (" each" if len(known) > 1 else "")
    return ", ".join(count_text(number) for number in known)


def ranks(boxes: Iterable[Any], arrows: Iterable[tuple[Any, Any]]) -> dict[Any, int]:
    """How many arrows, given as (tail, head), lead to a box at most."""
    found = dict.fromkeys(boxes, 0)
    waiting = dict.fromkeys(found, 0)
    heads: dict[Any, list[Any]] = {}
    for tail, head in arrows:
        heads.setdefault(tail, []).append(head)
        waiting[head] += 1
    ready = [key for key, count in waiting.items() if count == 0]
    while ready:
        key = ready.pop()
        for head in heads.get(key, ()):
            found[head] = max(found[head], found[key] + 1)
            waiting[head] -= 1
            if waiting[head] == 0:
                ready.append(head)
    return found
