"""Reading `passes`: runs over the data without gradients whose results become state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from composer.document import Leaf
from composer.document import Mapping as Tree
from composer.elaborate import Broken
from composer.errors import ComposeError, Problem, nearest
from composer.index import Binding
from composer.nodes import Node, Pass, reachable
from composer.reading import Definition, expand_section, expression_of, split_names

if TYPE_CHECKING:
    from composer.graph import Builder


def declare_collected(builder: Builder) -> None:
    """Give every name that a pass collects a value, so that values can use it before the pass itself is read."""
    for definition in expand_section(builder.root.get("passes"), builder.indices, builder.problems):
        for entry in _collected(builder, definition):
            if entry.name in builder.known or entry.name in builder.constants:
                builder.problems.append(Problem(f"'{entry.name}' is defined twice", entry.place, "rename one of them"))
                continue
            builder.known[entry.name] = builder.table.node("collected", entry.name, entry.place, entry.name)
            builder.patterns[entry.name] = entry.pattern


def read_passes(builder: Builder) -> dict[str, Pass]:
    """Every pass, expanded over its indices."""
    found: dict[str, Pass] = {}
    for definition in expand_section(builder.root.get("passes"), builder.indices, []):
        try:
            found[definition.name] = _read_pass(builder, definition)
        except ComposeError as error:
            builder.problems.extend(error.problems)
        except Broken:
            pass  # reported where it stands
    return found


def _collected(builder: Builder, definition: Definition) -> list[Definition]:
    body = definition.item
    section = body.get("collect") if isinstance(body, Tree) else None
    return expand_section(section, builder.indices, builder.problems, definition.bound)


def _read_pass(builder: Builder, definition: Definition) -> Pass:
    body, bound = definition.item, definition.bound
    if not isinstance(body, Tree):
        raise ComposeError("a pass says when, over what, and what it gathers", definition.place, "{at: start, ...}")
    collect = {entry.name: _collector(builder, entry) for entry in _collected(builder, definition)}
    fill = _filled(builder, body, bound)
    batches = builder.evaluated(body.need("batches"), bound) if "batches" in body else 0
    if isinstance(batches, bool) or not isinstance(batches, int) or batches < 0:
        raise ComposeError(f"batches is {batches!r}", body.need("batches").place, "use a whole number from 1")
    streams = _streams(builder, body, bound)
    offered = {name for stream in streams for name in builder.streams[stream]}
    for node in reachable([*collect.values(), *fill]):
        if node.op == "input" and node.target not in offered:
            raise ComposeError(
                f"pass '{definition.name}' needs '{node.target}', which does not come with {', '.join(streams)}",
                body.need("over").place,
                f"add its stream: over: {', '.join(streams)}, ...",
            )
    mode = str(builder.evaluated(body.need("mode"), bound)) if "mode" in body else ""
    at = _time(builder, body, bound)
    if fill and at == "end":
        raise ComposeError("nothing asks a state after the end", body.need("fill").place, "fill it at: start")
    return Pass(definition.name, at, streams, batches, collect, fill, mode, definition.place)


def _collector(builder: Builder, entry: Definition) -> Node:
    elaborator = builder.elaborator
    naming, elaborator.naming, elaborator.collects = elaborator.naming, entry.name, True
    try:
        node = elaborator.node(expression_of(entry.item), entry.bound)
    finally:
        elaborator.naming, elaborator.collects = naming, False
    below = [n for n in reachable([node]) if n.op == "collect"]
    if node.op != "collect" or below != [node]:
        raise ComposeError(
            f"'{entry.name}' is not gathered by one collecting block",
            entry.item.place,
            "its outermost call is one: mean_over(x), class_mean(x, y, classes=3)",
        )
    return node


def _filled(builder: Builder, body: Tree, bound: Binding) -> tuple[Node, ...]:
    found: list[Node] = []
    item = body.get("fill")
    for tree, place in split_names(item) if item is not None else []:
        for binding in builder.indices.expand(builder.indices.free([tree], bound), bound):
            name = builder.indices.full_name(tree, binding)
            if name in builder.broken:
                raise Broken(name)
            node = builder.known.get(name)
            if node is None or node.op != "state":
                states = [n for n, v in builder.known.items() if v.op == "state"]
                raise ComposeError(f"'{name}' is no state that can be filled", place, nearest(name, states))
            found.append(node)
    return tuple(found)


def _streams(builder: Builder, body: Tree, bound: Binding) -> tuple[str, ...]:
    found: list[str] = []
    for tree, place in split_names(body.need("over")):
        for binding in builder.indices.expand(builder.indices.free([tree], bound), bound):
            name = builder.indices.full_name(tree, binding)
            if name not in builder.streams:
                raise ComposeError(f"unknown stream '{name}'", place, nearest(name, builder.streams))
            found.append(name)
    return tuple(found)


def _time(builder: Builder, body: Tree, bound: Binding) -> str | int:
    item = body.need("at")
    value = builder.evaluated(item, bound) if isinstance(item, Leaf) else None
    if value in ("start", "end") and isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ComposeError(f"a pass at {value!r}", item.place, "write start, end, or an iteration: =classify_for")
    return value
