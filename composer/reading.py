"""Reading sections that are written over indices: expansion of names, expressions inside scalars."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from composer.document import Leaf, plain
from composer.document import Mapping as Tree
from composer.document import Node as Item
from composer.document import Sequence as Items
from composer.errors import ComposeError, Place, Problem
from composer.expression import Call as CallTree
from composer.expression import Expression, Name, parse_expression, parse_targets, show
from composer.index import Binding, IndexSet, Indices


@dataclass(frozen=True)
class Definition:
    """One expanded line of a section: a full name, what stands on its right, and the binding of its indices."""

    name: str
    pattern: str  # the name as written
    item: Item
    bound: Binding
    place: Place
    part: int | None = None  # which of several names on the left, None when there is one


def leaf_text(item: Item) -> str:
    """The text of a scalar that holds an expression or a name."""
    if isinstance(item, Leaf):
        return item.value if isinstance(item.value, str) else item.text
    raise ComposeError("expected one line of text", item.place, "write it as name: expression")


def expression_of(item: Item) -> Expression:
    """The expression in a scalar, with or without a leading '='."""
    text, place = leaf_text(item), item.place
    if text.startswith("="):
        text, place = text[1:], place.within(1, place.length - 1)
    stripped = text.lstrip()
    return parse_expression(stripped, place.within(len(text) - len(stripped), place.length))


def is_expression(item: Item) -> bool:
    return isinstance(item, Leaf) and isinstance(item.value, str) and item.value.startswith("=")


def entries(section: Item | None) -> Iterator[tuple[Leaf, Item]]:
    """Keys and values of a mapping; nothing where the section is missing."""
    if isinstance(section, Tree):
        yield from section.items


def read_indices(section: Item | None, constant: Callable[[Expression], Any]) -> Indices:
    """`d: [a, b]`, `s,t: [[a, b], [b, a]]`, `l: =taps`."""
    sets: list[IndexSet] = []
    for key, item in entries(section):
        variables = tuple(v.strip() for v in str(key.value).split(","))
        for variable in variables:
            if not variable.isidentifier():
                raise ComposeError(f"'{variable}' is no name of an index", key.place, "write d: [a, b]")
            if any(variable in s.variables for s in sets):
                raise ComposeError(f"index '{variable}' is declared twice", key.place)
        sets.append(IndexSet(variables, _rows(item, len(variables), constant)))
    found = Indices(sets)
    for key, _ in entries(section):
        for variable in str(key.value).split(","):
            if variable.strip() in found.literals:
                fact = f"'{variable.strip()}' is an index and a value of an index"
                raise ComposeError(fact, key.place, "rename one of them")
    return found


def _rows(item: Item, width: int, constant: Callable[[Expression], Any]) -> tuple[tuple[str | int, ...], ...]:
    raw = constant(expression_of(item)) if is_expression(item) else plain(item)
    if not isinstance(raw, list) or not raw:
        raise ComposeError("an index has a list of values", item.place, "write d: [a, b]")
    rows: list[tuple[str | int, ...]] = []
    for row in raw:
        values = tuple(row) if isinstance(row, list) else (row,)
        if len(values) != width:
            wanted = f"rows of {width} values" if width > 1 else "single values"
            remedy = "write s,t: [[a, b], [b, a]]" if width > 1 else "write d: [a, b]"
            shown = ", ".join(map(str, values))
            raise ComposeError(f"this index has {wanted}, found {shown}", item.place, remedy)
        for value in values:
            text = isinstance(value, str) and re.fullmatch(r"\w[\w .-]*", value)
            if isinstance(value, bool) or not (text or isinstance(value, int)):
                raise ComposeError(f"'{value}' is no value of an index", item.place, "use names or whole numbers")
        rows.append(values)
    if len(set(rows)) != len(rows):
        raise ComposeError("a value of an index stands twice", item.place, "name it once")
    return tuple(rows)


def expand_section(
    section: Item | None, indices: Indices, problems: list[Problem], bound: Binding | None = None
) -> list[Definition]:
    """Every line of a section for every value of the indices on its left."""
    found: list[Definition] = []
    for key, item in entries(section):
        try:
            targets = parse_targets(str(key.value), key.place)
            for binding in indices.expand(indices.free(targets, bound or {}), bound, key.place):
                for number, target in enumerate(targets):
                    part = number if len(targets) > 1 else None
                    name = indices.full_name(target, binding)
                    found.append(Definition(name, str(key.value), item, binding, key.place, part))
        except ComposeError as error:
            problems.extend(error.problems)
    return found


def families(names: Sequence[str]) -> dict[str, list[str]]:
    """Indexed names by their base: {'fake': ['fake[a,b]', 'fake[b,a]']}."""
    found: dict[str, list[str]] = {}
    for name in names:
        base, bracket, _ = name.partition("[")
        if bracket:
            found.setdefault(base, []).append(name)
    return found


def read_call(
    text: str, place: Place, constant: Callable[[Expression], Any]
) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
    """`normal(0.02, bias="default")` or a bare name, with constant arguments."""
    tree = parse_expression(text, place)
    if isinstance(tree, Name):
        return tree.id, (), {}
    if isinstance(tree, CallTree) and isinstance(tree.function, Name):
        args = tuple(constant(a) for a in tree.arguments)
        return tree.function.id, args, {k: constant(v) for k, v in tree.keywords}
    raise ComposeError(f"'{show(tree)}' is no rule", place, "write a name, or name(number)")


def split_names(item: Item) -> list[tuple[Expression, Place]]:
    """`G, F[l]` as one scalar, or a list of such names."""
    if isinstance(item, Items):
        return [pair for child in item.items for pair in split_names(child)]
    if not isinstance(item, Leaf):
        raise ComposeError("expected names", item.place, "write update: G, F[l]")
    return [(t, t.at) for t in parse_targets(leaf_text(item), item.place)]
