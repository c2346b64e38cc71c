"""Reading `params` and `index`: numbers known before the run, and the indices that may depend on them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from composer.document import Mapping as Tree
from composer.document import plain
from composer.elaborate import Elaborator
from composer.errors import ComposeError, Problem
from composer.expression import Expression
from composer.index import Indices
from composer.ordering import circle_text, in_order, names_in
from composer.reading import Definition, entries, expand_section, expression_of, families, is_expression, read_indices

if TYPE_CHECKING:
    from composer.graph import Builder


def read_params(builder: Builder) -> None:
    section = builder.root.get("params")
    no_indices = Indices(())
    index = builder.root.get("index")
    if index is None or "=" not in str(plain(index)):
        no_indices = _read_indices(builder, no_indices)
        _define_params(builder, expand_section(section, no_indices, builder.problems), no_indices)
        builder.indices = no_indices
        return
    # An index may take its values from a param, and a param may have an index: plain params come first.
    plain_params = [(k, v) for k, v in entries(section) if "[" not in str(k.value)]
    bare = Tree(tuple(plain_params), section.place) if section is not None else None
    _define_params(builder, expand_section(bare, no_indices, builder.problems), no_indices)
    builder.indices = _read_indices(builder, no_indices)
    rest = Tree(tuple((k, v) for k, v in entries(section) if "[" in str(k.value)), builder.root.place)
    _define_params(builder, expand_section(rest, builder.indices, builder.problems), builder.indices)


def _read_indices(builder: Builder, fallback: Indices) -> Indices:
    elaborator = _constant_reader(builder, fallback)
    try:
        return read_indices(builder.root.get("index"), lambda tree: elaborator.constant(tree, {}))
    except ComposeError as error:
        builder.problems.extend(error.problems)
        raise ComposeError.together(builder.problems) from None


def _constant_reader(builder: Builder, indices: Indices, others: Iterable[str] = ()) -> Elaborator:
    names = [*builder.constants, *others]
    reader = Elaborator(
        builder.table, indices, lambda name, at: builder.constant_named(name), lambda: names, families(names), {}
    )
    reader.remedy = "a param is made of numbers, texts and other params"
    return reader


def _define_params(builder: Builder, found: list[Definition], indices: Indices) -> None:
    """Work out the params in the order in which they need each other."""
    waiting = {d.name: d for d in found}
    trees: dict[str, Expression | None] = {}
    for name, definition in waiting.items():
        try:
            trees[name] = expression_of(definition.item) if is_expression(definition.item) else None
        except ComposeError as error:
            builder.problems.extend(error.problems)
            builder.broken.add(name)
    needs = {
        name: [] if tree is None else list(names_in(tree, waiting[name].bound, indices)) for name, tree in trees.items()
    }
    order, circles = in_order(needs)
    for circle in circles:
        builder.broken.update(circle)
        at = min((waiting[n].item.place for n in circle), key=lambda place: (place.line, place.column))
        fact = f"params need each other in a circle: {circle_text(circle)}"
        builder.problems.append(Problem(fact, at, "give one of them a number"))
    reader = _constant_reader(builder, indices, waiting)
    for name in order:
        definition, tree = waiting[name], trees[name]
        try:
            if name in builder.broken:
                continue
            value = plain(definition.item) if tree is None else reader.constant(tree, definition.bound)
            if value is None:
                raise ComposeError(f"param '{name}' has no value", definition.place, f"write {name}: 1")
            builder.constants[name] = value
        except ComposeError as error:
            builder.problems.extend(error.problems)
            builder.broken.add(name)
    # As they were written, whatever the order in which they were worked out.
    written = [*(n for n in builder.constants if n not in waiting), *(n for n in waiting if n in builder.constants)]
    builder.constants = {name: builder.constants[name] for name in written}
