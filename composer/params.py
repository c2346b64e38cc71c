"""Reading `params` and `index`: numbers known before the run, and the indices that may depend on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from composer.document import Mapping as Tree
from composer.document import plain
from composer.elaborate import Elaborator
from composer.errors import ComposeError, Place
from composer.index import Indices
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


def _constant_reader(builder: Builder, indices: Indices) -> Elaborator:
    return Elaborator(
        builder.table,
        indices,
        lambda name, at: builder.constants.get(name),
        lambda: list(builder.constants),
        families(list(builder.constants)),
        {},
    )


def _define_params(builder: Builder, found: list[Definition], indices: Indices) -> None:
    waiting = {d.name: d for d in found}
    active: list[str] = []

    def lookup(name: str, at: Place) -> Any:
        if name in builder.constants:
            return builder.constants[name]
        if name in waiting:
            return resolve(name, at)
        return None

    def resolve(name: str, at: Place) -> Any:
        if name in active:
            raise ComposeError(f"params need each other: {' -> '.join([*active, name])}", at)
        definition = waiting[name]
        active.append(name)
        try:
            if is_expression(definition.item):
                names = families([*builder.constants, *waiting])
                reader = Elaborator(builder.table, indices, lookup, lambda: list(waiting), names, {})
                builder.constants[name] = reader.constant(expression_of(definition.item), definition.bound)
            elif isinstance(definition.item, Tree):
                raise ComposeError("a param is a number, a text or a list", definition.item.place)
            else:
                value = plain(definition.item)
                if value is None:
                    raise ComposeError(f"param '{name}' has no value", definition.place)
                builder.constants[name] = value
        finally:
            active.pop()
        return builder.constants[name]

    for name, definition in waiting.items():
        try:
            if name not in builder.constants:
                resolve(name, definition.place)
        except ComposeError as error:
            builder.problems.extend(error.problems)
            builder.constants.setdefault(name, 1)
