"""Options that are computed (`batch: =n * 2`) have the form that the table asks for too, once they are worked out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from composer.errors import ComposeError
from composer.index import Binding
from composer.kinds import Choice, Flag, Kind, Number, Rule, is_computed, join
from composer.network_form import COMMON
from composer.reading import entries, expand_section, expression_of
from composer.records import Either, ListOf, MapOf, OrNull, Record
from composer.sections import SECTIONS
from composer.tree import Leaf, Mapping, Node, Problems, Sequence, as_node

if TYPE_CHECKING:
    from composer.graph import Builder

# Sections with options; in the others, `=` stands for values and settings, which are checked where they are read.
_OPTIONS = ("phases", "optimizers", "averages", "passes", "translate")


def check_computed(builder: Builder) -> None:
    """Note every option whose value is not of its kind, and end reading when there is one."""
    problems = Problems()
    _check(builder, builder.root.get("training"), SECTIONS["training"].kind, "training", {}, problems)
    for name in _OPTIONS:
        kind = SECTIONS[name].kind
        assert isinstance(kind, MapOf)
        for definition in expand_section(builder.root.get(name), builder.indices, builder.problems):
            path = join(name, definition.pattern)
            _check(builder, definition.item, kind.item, path, definition.bound, problems)
    for definition in builder.network_definitions:
        for key, item in entries(definition.item):
            if key.text in COMMON:
                path = f"networks.{definition.pattern}.{key.text}"
                _check(builder, item, COMMON[key.text].kind, path, definition.bound, problems)
    builder.problems.extend(problems)
    if problems:
        raise ComposeError.together(builder.problems)


def _check(builder: Builder, node: Node | None, kind: Kind, path: str, bound: Binding, problems: Problems) -> None:
    for leaf, inner, where in _computed(node, kind, path):
        try:
            found = builder.constant(expression_of(leaf), bound)
        except ComposeError:
            continue  # said where it is read
        inner.check(as_node(found, leaf.place), where, problems)


def _computed(node: Node | None, kind: Kind | None, path: str) -> Iterator[tuple[Leaf, Kind, str]]:
    """Scalars below `node` that are expressions, with the kind each has to be of."""
    if isinstance(kind, OrNull):
        kind = kind.kind
    if isinstance(kind, Either):
        kind = kind.leaf if isinstance(node, Leaf) else kind.sequence if isinstance(node, Sequence) else kind.mapping
    if isinstance(node, Leaf) and isinstance(kind, (Number, Flag, Choice, Rule)) and is_computed(node.value):
        yield node, kind, path
    elif isinstance(node, Sequence) and isinstance(kind, ListOf):
        for number, item in enumerate(node):
            yield from _computed(item, kind.item, f"{path}[{number}]")
    elif isinstance(node, Mapping) and isinstance(kind, (Record, MapOf)):
        for key, item in node:
            yield from _computed(item, kind.child(key.text), join(path, key.text))
