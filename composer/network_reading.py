"""Reading `networks`: blocks with settings, chains of layers, graphs of layers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from composer.block import Block, catalogue, look_up
from composer.calls import times_of
from composer.document import Leaf
from composer.document import Mapping as Tree
from composer.document import Node as Item
from composer.document import Sequence as Items
from composer.elaborate import Broken, Elaborator, Value
from composer.errors import ComposeError, Place, Problem
from composer.expression import HOLE, Expression, ListOf, Name, parse_expression, show
from composer.expression import Call as CallTree
from composer.index import Binding
from composer.nodes import Call, Layer, Network, Node, Wiring, reachable
from composer.ordering import circle_text, in_order, names_in
from composer.reading import (
    Definition,
    entries,
    expand_section,
    expression_of,
    families,
    leaf_text,
    read_call,
    split_names,
)

if TYPE_CHECKING:
    from composer.graph import Builder

NETWORK_KEYS = ("block", "chain", "inputs", "values", "output", "entries", "init", "frozen", "weights", "mode")


def read_networks(builder: Builder) -> None:
    builder.network_definitions = expand_section(builder.root.get("networks"), builder.indices, builder.problems)
    conflict = False
    for definition in builder.network_definitions:
        base = definition.name.partition("[")[0]
        builder.network_names.setdefault(base, []).append(definition.name)
        builder.network_patterns.setdefault(base, definition.pattern)
        if base in catalogue():
            problem = Problem(f"network '{base}' has the name of a block", definition.place, "choose another name")
            builder.problems.append(problem)
            conflict = True
    if conflict:
        raise ComposeError.together(builder.problems)  # what is called would be guessed


def read_network_bodies(builder: Builder) -> None:
    for definition in builder.network_definitions:
        try:
            builder.networks[definition.name] = read_network(builder, definition)
        except ComposeError as error:
            builder.problems.extend(error.problems)
        except Broken:
            pass  # reported where it stands
        builder.patterns[definition.name] = definition.pattern


def read_network(builder: Builder, definition: Definition) -> Network:
    body, bound = definition.item, definition.bound
    if not isinstance(body, Tree):
        raise ComposeError(f"network '{definition.name}' needs a mapping", definition.place, "{block: NAME, ...}")
    init_item = body.get("init")
    init = Call("default")
    if isinstance(init_item, Leaf):
        text = builder.evaluated(init_item, bound)
        name, args, settings = read_call(str(text), init_item.place, lambda tree: builder.constant(tree, bound))
        init = Call(name, args, settings)
        for value in args:
            if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
                fact = f"'{init}' starts weights with {value!r}"
                raise ComposeError(fact, init_item.place, "write a number from 0, as in normal(0.02)")
    block, settings, wiring = "", {}, None
    if body.get("block") is not None:
        block = str(builder.evaluated(body.get("block"), bound))
        settings = block_settings(builder, look_up_at(block, body.need("block").place), body, bound)
    elif body.get("chain") is not None:
        wiring = read_chain(builder, body, bound)
    else:
        wiring = read_wiring(builder, body, bound)
    frozen = body.get("frozen")
    mode = body.get("mode")
    weights = body.get("weights")
    return Network(
        definition.name,
        block,
        settings,
        wiring,
        init,
        bool(builder.evaluated(frozen, bound)) if frozen is not None else False,
        str(builder.evaluated(mode, bound)) if mode is not None else "",
        str(builder.document.beside(str(builder.evaluated(weights, bound)), weights.place)) if weights else "",
        definition.place,
    )


def block_settings(builder: Builder, block: Block, body: Tree, bound: Binding) -> dict[str, Any]:
    from composer.schema import check_setting

    settings: dict[str, Any] = {}
    problems: list[Problem] = []
    for key, item in body.items:
        name = str(key.value)
        if (name in NETWORK_KEYS and block.setting(name) is None) or name == "block":
            continue
        if name == "init":
            continue
        try:
            value = builder.evaluated(item, bound)
        except ComposeError as error:
            problems.extend(error.problems)
            continue
        problem = check_setting(block, name, value, item.place)
        if problem:
            problems.append(problem)
        settings[name] = value
    for setting in block.settings:
        if setting.required and setting.name not in settings:
            problems.append(Problem(f"block '{block.name}' needs '{setting.name}'", body.place))
    if problems:
        raise ComposeError.together(problems)
    return settings


def read_chain(builder: Builder, body: Tree, bound: Binding) -> Wiring:
    layers: dict[str, Layer] = {}
    reader = Elaborator(
        builder.table,
        builder.indices,
        lambda n, at: builder.constant_named(n),
        lambda: list(builder.constants),
        families(list(builder.constants)),
        {},
        layers=layers,
    )
    reader.remedy = "a layer takes settings only, of numbers and params; its value is what the one before gives"
    chain = body.get("chain")
    if not isinstance(chain, Items) or not chain.items:
        raise ComposeError("a chain is a list of layers", body.place, "chain: [conv(64), ...] on lines of their own")
    first = builder.table.node("input", "x", body.place, "x", unique=True)
    node = first
    problems: list[Problem] = []
    for number, item in enumerate(chain.items):
        reader.line = str(number)
        try:
            node = read_link(builder, reader, expression_of(item), node, bound, str(number))
        except ComposeError as error:
            problems.extend(error.problems)
    if problems:
        raise ComposeError.together(problems)
    return Wiring((first,), layers, (node,))


def read_link(builder: Builder, reader: Elaborator, tree: Expression, node: Node, bound: Binding, naming: str) -> Node:
    builder.table.budget.step(tree.at)
    if not isinstance(tree, CallTree) or not isinstance(tree.function, Name):
        form = f"{tree.id}()" if isinstance(tree, Name) else "conv(64, kernel=3)"
        raise ComposeError(f"'{show(tree)}' is no layer", tree.at, f"write {form}")
    if tree.function.id == "repeat":
        if len(tree.arguments) < 2:
            raise ComposeError("repeat takes a number and layers", tree.at, "repeat(9, residual())")
        for round_number in range(times_of(reader, tree, bound)):
            for position, inner in enumerate(tree.arguments[1:]):
                name = f"{naming}_{round_number}" + (f"_{position}" if len(tree.arguments) > 2 else "")
                node = read_link(builder, reader, inner, node, bound, name)
        return node
    reader.naming = naming
    hole = Name(tree.at, HOLE)
    outer, inner_lookup = reader.lookup, node
    reader.lookup = lambda n, at: inner_lookup if n == HOLE else outer(n, at)
    try:
        return reader.node(CallTree(tree.at, tree.function, (hole, *tree.arguments), tree.keywords), bound)
    finally:
        reader.lookup = outer


def read_wiring(builder: Builder, body: Tree, bound: Binding) -> Wiring:
    layers: dict[str, Layer] = {}
    local: dict[str, Node] = {}
    names = body.get("inputs")
    if names is None or body.get("values") is None or body.get("output") is None:
        raise ComposeError(
            "a network has a block, a chain, or inputs, values and output", body.place, "{block: NAME, ...}"
        )
    lost: set[str] = set()
    problems: list[Problem] = []
    for tree, place in split_names(names):
        name = builder.indices.full_name(tree, bound)
        if name in local:
            problems.append(Problem(f"input '{name}' is named twice", place, "rename one of them"))
        local[name] = builder.table.node("input", name, place, name, unique=True)
    inputs = tuple(local.values())
    definitions: dict[str, Definition] = {}
    for definition in expand_section(body.get("values"), builder.indices, builder.problems, bound):
        name = definition.name
        if name != "_" and (name in definitions or name in local):
            problems.append(Problem(f"'{name}' is defined twice", definition.place, "rename one of them"))
        elif name != "_":
            definitions[name] = definition

    def lookup(name: str, at: Place) -> Value | None:
        if name in lost:
            raise Broken(name)
        return local[name] if name in local else builder.constant_named(name)

    def resolve(name: str) -> None:
        definition = definitions[name]
        reader.naming = name.replace("[", "_").replace("]", "").replace(",", "_")
        try:
            tree = trees[name]
            if definition.part is not None:
                whole = f"{definition.pattern}|{sorted(definition.bound.items())}"
                if whole not in local:
                    local[whole] = reader.node(tree, definition.bound)
                one = local[whole]
                text = f"{one.text}[{definition.part}]"
                node = builder.table.node("item", "", definition.place, text, [one], {"number": definition.part})
            else:
                node = reader.node(tree, definition.bound)
            local[name] = node
        except ComposeError as error:
            problems.extend(error.problems)
            lost.add(name)
        finally:
            reader.naming = ""

    trees: dict[str, Expression] = {}
    for name, definition in definitions.items():
        try:
            trees[name] = expression_of(definition.item)
        except ComposeError as error:
            problems.extend(error.problems)
            lost.add(name)
    order, circles = in_order(
        {n: list(names_in(tree, definitions[n].bound, builder.indices)) for n, tree in trees.items()}
    )
    for circle in circles:
        lost.update(circle)
        at = min((definitions[n].item.place for n in circle), key=lambda place: (place.line, place.column))
        fact = f"values need each other in a circle: {circle_text(circle)}"
        problems.append(Problem(fact, at, "one of these must not need the others"))
    everything = [*local, *definitions, *builder.constants]
    reader = Elaborator(
        builder.table, builder.indices, lookup, lambda: everything, families(everything), {}, layers=layers
    )
    reader.remedy = "inside a network there are its inputs, its values and params"
    for name in order:
        if name not in local and name not in lost:
            resolve(name)
    if problems:
        raise ComposeError.together(problems)
    outputs = read_outputs(reader, body.need("output"), bound)
    given = {str(key.value): read_outputs(reader, item, bound) for key, item in entries(body.get("entries"))}
    if "features" in given:
        raise ComposeError("every wired network has an entry 'features'", body.need("entries").place, "rename it")
    values = {n: v for n, v in local.items() if n in definitions}
    wiring = Wiring(inputs, layers, outputs, values, given)
    used = set(reachable(wiring.roots))
    kept = {n.target for n in used if n.op == "layer"}
    for name, value in values.items():
        if value not in used:
            fact = f"value '{name}' of the network is not used"
            builder.warnings.append(Problem(fact, definitions[name].place, "use it or drop it"))
    return replace(wiring, layers={n: layer for n, layer in layers.items() if n in kept})


def read_outputs(reader: Elaborator, item: Item, bound: Binding) -> tuple[Node, ...]:
    """What a call gives: one expression, or several behind each other."""
    text = leaf_text(item)
    trees = parse_expression(f"[{text}]", item.place.within(-1, len(text) + 1))
    assert isinstance(trees, ListOf)
    return tuple(reader.node(tree, bound) for tree in trees.items)


def look_up_at(name: str, place: Place) -> Block:
    try:
        return look_up(name)
    except ComposeError as error:
        raise ComposeError(error.fact, place, error.remedy) from None
