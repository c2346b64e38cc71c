"""What a picture shows: boxes, and arrows between them. Plain values, in a fixed order; no layout yet."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


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
