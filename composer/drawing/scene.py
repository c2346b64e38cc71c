"""What a picture shows: boxes, and arrows between them. Plain values, in a fixed order; no layout yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from composer.signature import Rows, Series, Several, Tensor, Type


@dataclass(frozen=True)
class Box:
    """One thing in the picture.

    `kind` is input, copy (an input drawn once more), network, function, draw, term; or a text on an arrow: value,
    shape (of a result without a name), note (the name under which a value is used).
    `phases` numbers the phases that train a network, or the phase of a term.
    """

    key: str
    kind: str
    title: str
    detail: str = ""  # a shape, a number of parameters, the formula of a term
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
    """Sizes of one row of a batch: `3×64×64`; `2b×3×64×64` where the rows are not those of the batch."""
    if isinstance(found, Tensor):
        if not found.dims:
            return ""
        first, *rest = found.dims
        plain = isinstance(first, Rows) and first == Rows(Fraction(1))
        sizes = rest if plain else [first, *rest]
        return "×".join("?" if size is None else str(size) for size in sizes)
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


def row_shape(found: Type | None) -> str:
    """The shape without the number of rows."""
    if isinstance(found, Tensor):
        return "×".join(map(str, (found.dims or ())[1:]))
    return shape_text(found)


def shapes_text(found: list[Type | None]) -> str:
    """The shapes of the members of a family: one where they agree."""
    texts = list(dict.fromkeys(shape_text(one) for one in found))
    return " | ".join(text for text in texts if text)


def count_text(count: int) -> str:
    """`1.2 M` of 1,204,224."""
    for limit, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if count >= limit:
            return f"{count / limit:.3g} {unit}" if count / limit < 1000 else f"{count / limit:.0f} {unit}"
    return str(count)


def counts_text(networks: list[str], counts: Mapping[str, int]) -> str:
    """Parameters of the networks of one box: `1.2 M each` where several have as many."""
    known = [counts[name] for name in networks if name in counts]
    if not known:
        return ""
    if len(set(known)) == 1:
        return count_text(known[0]) + (" each" if len(known) > 1 else "")
    return ", ".join(count_text(number) for number in known)
