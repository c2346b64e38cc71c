"""Reading the sections about training and use: averages, training, translate, show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from composer.document import Leaf
from composer.document import Mapping as Tree
from composer.document import Sequence as Items
from composer.elaborate import Broken
from composer.errors import ComposeError
from composer.expression import ListOf, parse_expression, parse_targets
from composer.fields import Field
from composer.inputs import read_field
from composer.nodes import Average, Node, Training, Translation
from composer.reading import Definition, entries, expand_section, expression_of, leaf_text
from composer.unknown import unknown_network

if TYPE_CHECKING:
    from composer.graph import Builder


def read_averages(builder: Builder) -> dict[str, Average]:
    """`averages: {G: 0.999}` or a mapping with decay, from, mode, buffers."""
    found: dict[str, Average] = {}
    known = [n for names in builder.network_names.values() for n in names]
    for definition in expand_section(builder.root.get("averages"), builder.indices, builder.problems):
        try:
            if definition.name not in known:
                (tree,) = parse_targets(definition.pattern, definition.place)
                raise unknown_network(tree, definition.place, builder.network_names, builder.network_patterns)
            raw = builder.evaluated(definition.item, definition.bound)
            options = raw if isinstance(raw, dict) else {"decay": raw}
            found[definition.name] = Average(
                definition.name,
                float(options["decay"]),
                int(options.get("from", 0)),
                str(options.get("mode", "")),
                str(options.get("buffers", "own")),
                definition.place,
            )
        except ComposeError as error:
            builder.problems.extend(error.problems)
    return found


def read_training(builder: Builder) -> Training:
    """Length and batch of a run."""
    section = builder.root.get("training")
    values: dict[str, Any] = {}
    for key, item in entries(section):
        name = str(key.value)
        if name == "learning_rate":
            continue
        try:
            values[name] = builder.evaluated(item, {})
        except ComposeError as error:
            builder.problems.extend(error.problems)
    return Training(
        values.get("epochs"), values.get("iterations"), values.get("batch") or 1, values.get("epoch_iterations")
    )


def read_translations(builder: Builder) -> dict[str, Translation]:
    """What the trained model offers."""
    found: dict[str, Translation] = {}
    for definition in expand_section(builder.root.get("translate"), builder.indices, builder.problems):
        body = definition.item
        try:
            if isinstance(body, Leaf):
                body = Tree(((Leaf("value", body.place, "value"), body),), body.place)
            if not isinstance(body, Tree):
                raise ComposeError(f"translation '{definition.name}' is no mapping", definition.place, "{value: fake}")
            value = body.get("value")
            if value is None:
                raise ComposeError(f"translation '{definition.name}' has no 'value'", definition.place, "{value: fake}")
            fields = [
                _own_input(builder, entry, found)
                for entry in expand_section(body.get("inputs"), builder.indices, builder.problems, definition.bound)
            ]
            mode = str(builder.evaluated(body.need("mode"), definition.bound)) if "mode" in body else "eval"
            samples = builder.evaluated(body.need("samples"), definition.bound) if "samples" in body else 1
            naming = f"translate.{definition.name}"
            # Within its translation such an input hides a value of the same name.
            builder.hiding = {f.name: builder.table.node("input", f.name, definition.place, f.name) for f in fields}
            node = builder.attempt(expression_of(value), definition.bound, naming)
            builder.hiding = {}
            if node is not None:
                found[definition.name] = Translation(
                    definition.name, node, mode, int(samples), tuple(fields), definition.place
                )
        except ComposeError as error:
            builder.problems.extend(error.problems)
        except Broken:
            pass  # reported where it stands
    return found


def _own_input(builder: Builder, entry: Definition, others: dict[str, Translation]) -> Field:
    """An input that only translation has. One name is one input, in training and in other translations too."""
    own = read_field(builder, entry.name, expression_of(entry.item), entry.bound, entry.place)
    for other in [f for s in builder.streams.values() for f in s.values()] + [
        f for t in others.values() for f in t.fields
    ]:
        if other.name == own.name and (other.kind, other.args) != (own.kind, own.args):
            raise ComposeError(f"'{own.name}' is another input elsewhere", entry.place, "give it another name")
    return own


def read_show(builder: Builder) -> tuple[tuple[str, Node], ...]:
    """Columns of the sample grid: `a, fake, b` as one text, or a list."""
    item = builder.root.get("show")
    if item is None:
        return ()
    leaves = item.items if isinstance(item, Items) else (item,)
    found: list[tuple[str, Node]] = []
    for leaf in leaves:
        try:
            text = leaf_text(leaf)
            trees = parse_expression(f"[{text}]", leaf.place.within(-1, len(text) + 1))
            assert isinstance(trees, ListOf)
            for tree in trees.items:
                for binding in builder.indices.expand(builder.indices.free([tree], {}), None, leaf.place):
                    node = builder.attempt(tree, binding, "show")
                    if node is not None:
                        found.append((node.text, node))
        except ComposeError as error:
            builder.problems.extend(error.problems)
    return tuple(found)
