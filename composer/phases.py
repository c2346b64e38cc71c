"""Reading `phases`: what each updates, its terms in order, and when it runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from composer.clock import probe
from composer.document import Leaf
from composer.document import Mapping as Tree
from composer.document import Node as Item
from composer.document import Sequence as Items
from composer.elaborate import Broken
from composer.errors import ComposeError, Problem, nearest
from composer.expression import Expression, ListOf, Operation, kind_of, parse_expression, show
from composer.index import Binding
from composer.nodes import Node, Phase, Term
from composer.reading import Definition, expand_section, expression_of, leaf_text, split_names
from composer.unknown import unknown_network

if TYPE_CHECKING:
    from composer.graph import Builder


def read_phases(builder: Builder) -> tuple[Phase, ...]:
    """Every phase, expanded over its indices, in the order in which they run."""
    found: dict[str, Phase] = {}
    for definition in expand_section(builder.root.get("phases"), builder.indices, builder.problems):
        try:
            found[definition.name] = _read_phase(builder, definition)
        except ComposeError as error:
            builder.problems.extend(error.problems)
        except Broken:
            pass  # reported where it stands
        builder.patterns.setdefault(definition.name, definition.pattern)  # a value of that name goes first
    if not found and not builder.problems:
        builder.problems.append(
            Problem("a graph needs phases", builder.root.place, "phases: {NAME: {update: G, minimize: {...}}}")
        )
    return _ordered(builder, found)


def _ordered(builder: Builder, found: dict[str, Phase]) -> tuple[Phase, ...]:
    order = builder.root.get("order")
    if order is None:
        return tuple(found.values())
    names: list[str] = []
    items = order.items if not isinstance(order, (Leaf, Tree)) else [order]
    for group in items:
        try:
            trees = [tree for tree, _ in split_names(group)]
            for binding in builder.indices.expand(builder.indices.free(trees, {}), None, group.place):
                names += [builder.indices.full_name(tree, binding) for tree in trees]
        except ComposeError as error:
            builder.problems.extend(error.problems)
            return tuple(found.values())
    for name in names:
        if name not in found:
            builder.problems.append(Problem(f"unknown phase '{name}'", order.place, nearest(name, found)))
    missing = [n for n in found if n not in names] if all(n in found for n in names) else []
    doubled = sorted({n for n in names if names.count(n) > 1})
    if missing or doubled:
        fact = f"order leaves out {', '.join(missing)}" if missing else f"order names {', '.join(doubled)} twice"
        builder.problems.append(Problem(fact, order.place, "name every phase once"))
    return tuple(found[n] for n in names if n in found)


def _read_phase(builder: Builder, definition: Definition) -> Phase:
    body, bound = definition.item, definition.bound
    if not isinstance(body, Tree):
        raise ComposeError("a phase has update and minimize", definition.place, "{update: G, minimize: {...}}")
    if body.get("update") is None or body.get("minimize") is None:
        missing = "update" if body.get("update") is None else "minimize"
        raise ComposeError(f"phase '{definition.name}' has no '{missing}'", definition.place, "it needs both")
    update = _updated(builder, body.need("update"), definition)
    terms: list[Term] = []
    written: dict[str, str] = {}  # names of terms as they stand in the file
    for entry in expand_section(body.get("minimize"), builder.indices, builder.problems, bound):
        try:
            found = _read_term(builder, entry, update)
            terms += found
            written |= {term.name: entry.pattern.replace(" ", "") for term in found}
        except ComposeError as error:
            builder.problems.extend(error.problems)
        except Broken:
            pass  # reported where it stands
    terms = _term_order(body.get("order"), terms, written)
    repeat = builder.evaluated(body.get("repeat"), bound) if body.get("repeat") is not None else 1
    if isinstance(repeat, bool) or not isinstance(repeat, int) or not 1 <= repeat <= 1000:
        raise ComposeError(f"cannot repeat {repeat!r} times", body.need("repeat").place, "use a whole number from 1")
    batch = str(builder.evaluated(body.get("batch"), bound)) if body.get("batch") is not None else "same"
    condition = _condition(builder, body, bound)
    _check_weights(builder, terms, condition)
    return Phase(
        definition.name,
        update,
        tuple(terms),
        _first(builder, body.get("first"), bound),
        condition,
        _clock(builder, body.get("step"), bound),
        repeat,
        batch,
        definition.place,
    )


def _check_weights(builder: Builder, terms: list[Term], condition: str) -> None:
    """Refuse weights that have no value in an iteration in which the phase runs."""
    for term in terms:
        if term.weight.op == "clock":
            text = f"({term.weight.target}) if ({condition or True}) else 0"
            wrong = probe(text, builder.elaborator.last)
            if wrong:
                fact = f"the weight of term '{term.name}' has no value: {wrong}"
                builder.problems.append(Problem(fact, term.weight.place, "all counts start at 0"))
                break  # of the other values of an index it is the same


def _updated(builder: Builder, item: Item, definition: Definition) -> tuple[str, ...]:
    if isinstance(item, Tree):
        values = [str(v) for v in definition.bound.values()]
        keys = [str(k.value) for k, _ in item.items]
        if len(definition.bound) != 1:
            raise ComposeError("update by index value needs a phase with one index", item.place, "name: judge[m]")
        one = builder.indices.of[next(iter(definition.bound))]
        wanted = [str(row[0]) for row in one.rows]
        if sorted(keys) != sorted(wanted):
            raise ComposeError(f"update has {', '.join(keys)}", item.place, f"its keys are {', '.join(wanted)}")
        item = item.need(values[0])
    names: list[str] = []
    for tree, place in split_names(item):
        for binding in builder.indices.expand(builder.indices.free([tree], definition.bound), definition.bound, place):
            name = builder.indices.full_name(tree, binding)
            if name not in builder.network_names.get(name.partition("[")[0], ()):
                raise unknown_network(tree, place, builder.network_names, builder.network_patterns)
            if name in names:
                raise ComposeError(f"network '{name}' is named twice", place, "name it once")
            names.append(name)
    return tuple(names)


def _read_term(builder: Builder, entry: Definition, update: tuple[str, ...]) -> list[Term]:
    item, into = entry.item, update
    if isinstance(item, Tree):
        if item.get("loss") is None:
            raise ComposeError(f"term '{entry.name}' has no 'loss'", entry.place, "{loss: ..., into: G}")
        if item.get("into") is not None:
            into = _updated(builder, item.need("into"), entry)
            for name in into:
                if name not in update:
                    raise ComposeError(
                        f"'{name}' is not updated by this phase", item.need("into").place, f"it has {', '.join(update)}"
                    )
        item = item.need("loss")
    tree = expression_of(item)
    sets = builder.indices.free([tree], entry.bound)
    found: list[Term] = []
    for binding in builder.indices.expand(sets, entry.bound, entry.place):
        label = [str(binding[v]) for s in sets for v in s.variables]
        name = entry.name
        if label:
            base, _, inner = name.partition("[")
            name = f"{base}[{','.join([*(inner.rstrip(']').split(',') if inner else []), *label])}]"
        weight, loss = split_term(builder, tree, binding)
        narrowed = () if set(into) == set(update) else into
        found.append(Term(name, weight, loss, narrowed, leaf_text(item), entry.place))
    return found


def split_term(builder: Builder, tree: Expression, bound: Binding) -> tuple[Node, Node]:
    """W and L of a term W * L: the product of its scalar factors, and the rest."""
    weights: list[tuple[Any, bool, Expression]] = []
    losses: list[Expression] = []
    elaborator = builder.elaborator
    for factor, inverse in _factors(tree, False):
        found = elaborator.value(factor, bound)
        if isinstance(found, (str, list)):
            raise ComposeError(f"'{show(factor)}' is {kind_of(found)}, no number", factor.at, "a term is weight * loss")
        if not isinstance(found, Node) or found.scalar or found.op == "stop":
            weights.append((found, inverse, factor))
        elif inverse:
            losses.append(Operation(factor.at, "/", (_one(factor), factor)))
        else:
            losses.append(factor)
    if not losses:
        stopped = [w for w in weights if isinstance(w[0], Node) and not w[0].scalar]
        hint = "nothing of it can be trained" if stopped else "it is a plain number"
        raise ComposeError(f"the term '{show(tree)}' has no loss: {hint}", tree.at, "write weight * loss(...)")
    loss_tree = losses[0]
    for other in losses[1:]:
        loss_tree = Operation(other.at, "*", (loss_tree, other))
    return _weight(builder, weights, tree, bound), elaborator.node(loss_tree, bound)


def _one(factor: Expression) -> Expression:
    return parse_expression("1", factor.at)


def _factors(tree: Expression, inverse: bool) -> list[tuple[Expression, bool]]:
    if isinstance(tree, Operation) and tree.operator == "*":
        return _factors(tree.operands[0], inverse) + _factors(tree.operands[1], inverse)
    if isinstance(tree, Operation) and tree.operator == "/":
        return _factors(tree.operands[0], inverse) + _factors(tree.operands[1], not inverse)
    if isinstance(tree, Operation) and tree.operator == "neg":
        return [(parse_expression("-1", tree.at), False), *_factors(tree.operands[0], inverse)]
    return [(tree, inverse)]


def _weight(builder: Builder, weights: list[tuple[Any, bool, Expression]], tree: Expression, bound: Binding) -> Node:
    number: float = 1
    texts: list[str] = []
    nodes: list[tuple[Node, bool]] = []
    for found, inverse, factor in weights:
        if not isinstance(found, Node):
            if inverse and found == 0:
                raise ComposeError(f"'{show(tree)}' divides by zero", factor.at, "change what it divides by")
            number = number / found if inverse else number * found
        elif found.op == "clock":
            texts.append(f"1 / ({found.target})" if inverse else found.target)
        else:
            nodes.append((found, inverse))
    table = builder.table
    if not texts and not nodes:
        if not abs(float(number)) < 1e30:
            raise ComposeError(f"a weight of {number}", tree.at, "use a finite one")
        return table.node("number", repr(number), tree.at, f"{number:g}", settings={"value": number})
    whole = " * ".join([repr(number), *texts] if number != 1 else texts)
    result = table.node("clock", whole, tree.at, whole) if texts else None
    if result is None and number != 1:
        result = table.node("number", repr(number), tree.at, f"{number:g}", settings={"value": number})
    for node, inverse in nodes:
        if result is None:
            if not inverse:
                result = node
                continue
            result = table.node("number", "1", tree.at, "1", settings={"value": 1})
        symbol = "/" if inverse else "*"
        result = table.node("arith", symbol, tree.at, f"{result.text} {symbol} {node.text}", [result, node])
    assert result is not None
    return result


def _first(builder: Builder, item: Item | None, bound: Binding) -> tuple[Node, ...]:
    if item is None:
        return ()
    text = ", ".join(leaf_text(i) for i in item.items) if isinstance(item, Items) else leaf_text(item)
    found: list[Node] = []
    trees = parse_expression(f"[{text}]", item.place.within(-1, len(text) + 1))
    assert isinstance(trees, ListOf)
    for tree in trees.items:
        for binding in builder.indices.expand(builder.indices.free([tree], bound), bound, item.place):
            node = builder.attempt(tree, binding)
            if node is not None:
                found.append(node)
    return tuple(found)


def _clock(builder: Builder, item: Item | None, bound: Binding) -> str:
    if item is None:
        return ""
    return builder.elaborator.clock_text(expression_of(item), bound)


def _condition(builder: Builder, body: Tree, bound: Binding) -> str:
    parts: list[str] = []
    every = body.get("every")
    if every is not None:
        number = builder.evaluated(every, bound)
        if isinstance(number, bool) or not isinstance(number, int) or number < 1:
            raise ComposeError(f"every {number!r} iterations", every.place, "use a whole number from 1")
        if number > 1:
            parts.append(f"((clock.iteration + 1) % {number} == 0)")
    for key, text in (("from", "(clock.iteration >= {})"), ("until", "(clock.iteration < {})")):
        if body.get(key) is not None:
            parts.append(text.format(repr(builder.evaluated(body.get(key), bound))))
    if body.get("when") is not None:
        parts.append(_clock(builder, body.get("when"), bound))
    return " and ".join(parts)


def _term_order(order: Item | None, terms: list[Term], written: Mapping[str, str]) -> list[Term]:
    if order is None:
        return terms
    names = [show(tree) for tree, _ in split_names(order)]
    for name in names:
        if name not in written.values():
            raise ComposeError(f"unknown term '{name}' in order", order.place, nearest(name, set(written.values())))
    rank = {name: i for i, name in enumerate(names)}
    return sorted(terms, key=lambda t: rank.get(written[t.name], len(rank)))
