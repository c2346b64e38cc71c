"""The order in which lines that need each other are read: their own order means nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from composer.errors import ComposeError
from composer.expression import Attribute, Call, Expression, Index, ListOf, Name, Operation
from composer.index import Binding, Indices


def names_in(tree: Expression, bound: Binding, indices: Indices) -> Iterator[str]:
    """The full names of values that `tree` mentions; what is called is no value."""
    match tree:
        case Name():
            yield tree.id
        case Index():
            yield from names_in(tree.base, bound, indices)
            try:
                yield indices.full_name(tree, bound)
            except ComposeError:
                pass  # it is said when the line is read
        case Call():
            for argument in tree.arguments:
                yield from names_in(argument, bound, indices)
            for _, value in tree.keywords:
                yield from names_in(value, bound, indices)
        case Operation():
            for operand in tree.operands:
                yield from names_in(operand, bound, indices)
        case ListOf():
            for item in tree.items:
                yield from names_in(item, bound, indices)
        case Attribute():
            yield from names_in(tree.base, bound, indices)


def in_order(needs: Mapping[str, Sequence[str]]) -> tuple[list[str], list[list[str]]]:
    """Names so that each comes after those it needs, and the circles among them, which are left out.

    >>> in_order({"a": ["b"], "b": [], "c": ["d"], "d": ["c"]})
    (['b', 'a'], [['c', 'd', 'c']])
    """
    order: list[str] = []
    circles: list[list[str]] = []
    state: dict[str, str] = {}  # open: on the way down, done, circle
    for start in needs:
        if start in state:
            continue
        way: list[tuple[str, Iterator[str]]] = [(start, iter(needs[start]))]
        state[start] = "open"
        while way:
            name, rest = way[-1]
            inner = next((n for n in rest if n in needs and state.get(n) not in ("done", "circle")), None)
            if inner is None:
                way.pop()
                if state[name] == "open":
                    state[name] = "done"
                    order.append(name)
            elif state.get(inner) == "open":
                members = [one for one, _ in way]
                circle = members[members.index(inner) :]
                circles.append([*circle, inner])
                state.update(dict.fromkeys(circle, "circle"))
            else:
                state[inner] = "open"
                way.append((inner, iter(needs[inner])))
    return order, circles


def circle_text(circle: Sequence[str]) -> str:
    """`a -> b -> a`; of a long one the ends."""
    shown = list(circle) if len(circle) <= 8 else [*circle[:4], "...", *circle[-3:]]
    return " -> ".join(shown)
