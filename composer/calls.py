"""Calls inside expressions: networks, blocks, functions of the clock, special forms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from composer import clock
from composer.block import Block, catalogue, find_block
from composer.clock_calls import number_call
from composer.errors import ComposeError, Place, Problem, nearest
from composer.expression import HOLE, Attribute, Call, Expression, Index, Name, Operation, parse_expression, show
from composer.filling import fill, takes_number
from composer.index import Binding, base_name
from composer.nodes import Layer, Node
from composer.signature import parse_signature
from composer.unknown import call_form, meant_as_text, no_entry, unknown_call, unknown_network

if TYPE_CHECKING:
    from composer.elaborate import Elaborator

Value = Any  # a constant of Python, or a Node

# Calls that stand for an expression over others, by their parameters and meaning.
COMPOSITES: dict[str, tuple[tuple[str, ...], str]] = {
    "r1": (("score", "x"), "0.5 * square_norm(grad(score, x))"),
    "gradient_penalty": (("score", "mix"), "unit_gradient(grad(score, mix))"),
}
MOST_REPEATS = 1000
SPECIAL = ("stop", "again", "grad", "average", "repeat")


def read_call(elaborator: Elaborator, tree: Call, bound: Binding) -> Value:
    function: Expression = tree.function
    entry, average = "", False
    if isinstance(function, Attribute):
        entry = function.name
        function = function.base
    if isinstance(function, Call) and isinstance(function.function, Name) and function.function.id == "average":
        if len(function.arguments) != 1 or function.keywords:
            raise ComposeError("average(...) takes one network", function.at, "write average(G)(x)")
        function, average = function.arguments[0], True
    name = base_name(function)
    if isinstance(function, (Name, Index)) and name in elaborator.networks:
        return _network_call(elaborator, tree, function, entry, average, bound)
    if isinstance(tree.function, Attribute):
        raise no_entry(tree.function)
    if not isinstance(function, (Name, Index)):
        raise ComposeError(f"'{show(function)}' cannot be called", tree.at, "call a network or a block by its name")
    if average:
        raise unknown_network(function, function.at, elaborator.networks, elaborator.written)
    if isinstance(function, Index):
        raise unknown_call(function, name, function.at, elaborator.networks, elaborator.all_names(), ())
    if name in SPECIAL:
        return _special(elaborator, tree, name, bound)
    if name in clock.FUNCTIONS or name in clock.NUMBERS:
        found = number_call(elaborator, tree, name, bound)
        if found is not None:
            return found
    if name in COMPOSITES:
        return _composite(elaborator, tree, name, bound)
    block = find_block(name)
    if block is None:
        known = [*elaborator.networks, *catalogue(), *COMPOSITES, *clock.FUNCTIONS, *clock.NUMBERS, *SPECIAL]
        raise unknown_call(function, name, function.at, elaborator.networks, elaborator.all_names(), known)
    return _block_call(elaborator, tree, block, bound)


def _network_call(
    elaborator: Elaborator, tree: Call, function: Expression, entry: str, average: bool, bound: Binding
) -> Node:
    name = base_name(function)
    full = elaborator.indices.full_name(function, bound)
    if full not in elaborator.networks[name]:
        raise unknown_network(function, function.at, elaborator.networks, elaborator.written)
    args, settings = _arguments(elaborator, tree, None, bound)
    if settings and not entry:
        extra = next(iter(settings))
        place = tree.arguments[len(args)].at if extra == "*" else dict(tree.keywords)[extra].at
        raise ComposeError(f"'{full}' is called with values only", place, "its settings stand where it is declared")
    text = elaborator.text(tree, bound)
    return elaborator.table.node("call", full, tree.at, text, args, settings, entry=entry, average=average)


def _block_call(elaborator: Elaborator, tree: Call, block: Block, bound: Binding) -> Node:
    text = elaborator.text(tree, bound)
    if block.role == "module":
        if elaborator.layers is None:
            raise ComposeError(
                f"block '{block.name}' owns weights and needs a name",
                tree.at,
                f"declare a network, NAME: {{block: {block.name}}}, and call that",
            )
        args, settings = _arguments(elaborator, tree, block, bound)
        name = _layer_name(elaborator, block.name)
        elaborator.layers[name] = Layer(
            name, block.name, settings, elaborator.line or elaborator.naming or name, tree.at
        )
        return elaborator.table.node("layer", name, tree.at, text, args, {}, unique=True)
    args, settings = _arguments(elaborator, tree, block, bound)
    if block.role == "collect":
        if not elaborator.collects:
            raise ComposeError(
                f"'{block.name}' gathers over a pass", tree.at, f"write it there: passes: NAME: collect: {{x: {text}}}"
            )
        return elaborator.table.node("collect", block.name, tree.at, text, args, settings, name=elaborator.naming)
    if block.role in ("draw", "state"):
        if not elaborator.naming:
            raise ComposeError(
                f"'{block.name}' needs a name of its own", tree.at, f"write it on a line: NAME: {block.name}(...)"
            )
        made = elaborator.table.node(block.role, block.name, tree.at, text, args, settings, name=elaborator.naming)
        if block.role == "state" and elaborator.table.states.setdefault(made.name, made) is not made:
            raise ComposeError(
                f"'{made.name}' keeps two states", tree.at, f"give each a line of its own: NAME: {block.name}(...)"
            )
        return made
    return elaborator.table.node("apply", block.name, tree.at, text, args, settings)


def _layer_name(elaborator: Elaborator, name: str) -> str:
    assert elaborator.layers is not None
    wanted = elaborator.naming or name
    if wanted not in elaborator.layers:
        return wanted
    number = 2
    while f"{wanted}_{number}" in elaborator.layers:
        number += 1
    return f"{wanted}_{number}"


def _arguments(
    elaborator: Elaborator, tree: Call, block: Block | None, bound: Binding
) -> tuple[list[Node], dict[str, Any]]:
    """Tensors in order, and settings by name, checked against the block."""
    signature = parse_signature(block.signature) if block else None
    limit = None if signature is None or signature.variadic else len(signature.inputs)
    args: list[Node] = []
    settings: dict[str, Any] = {}
    positional: list[tuple[Expression, Value]] = []
    for argument in tree.arguments:
        found = _argument(elaborator, argument, block, bound)
        is_tensor = isinstance(found, Node) and not found.scalar
        if limit is None:
            wants_tensor = is_tensor or (block is None and isinstance(found, Node))
        else:
            wants_tensor = len(args) < limit and not isinstance(found, (str, list, bool)) and not positional
            if not is_tensor and wants_tensor and block is not None and not takes_number(block, len(args)):
                wants_tensor = False
        if wants_tensor:
            args.append(elaborator.as_node(found, argument))
        elif is_tensor and positional:
            raise ComposeError(f"'{show(argument)}' stands after a setting", argument.at, "values come first")
        else:
            positional.append((argument, found))
    names = [s.name for s in block.settings] if block else []
    if block is None and positional:
        # A network's entry point may take plain settings after its values (`G.features(a, taps)`).
        settings["*"] = [_plain(elaborator, f, t) for t, f in positional]
    else:
        for (argument, found), name in zip(positional, names, strict=False):
            settings[name] = _plain(elaborator, found, argument)
        if len(positional) > len(names):
            extra = positional[len(names)][0]
            remedy = f"write {call_form(block)}" if block else ""
            raise ComposeError(f"too many arguments for '{base_name(tree.function)}'", extra.at, remedy)
    for name, expression in tree.keywords:
        if name in settings:
            raise ComposeError(f"'{name}' is given twice", expression.at, "give it once")
        found = _argument(elaborator, expression, block, bound)
        if signature is not None and name not in names:
            kinds = ["rows"] if block is not None and block.role == "draw" else [p.kind for p in signature.inputs]
            if name in kinds:
                if kinds.index(name) != len(args):
                    raise ComposeError(f"'{name}' is given twice or too early", expression.at, "values go in order")
                args.append(elaborator.as_node(found, expression))
                continue
        if block is not None and name not in names:
            raise ComposeError(
                f"no setting of {block.name} named '{name}'", expression.at, nearest(name, names) or _takes(block)
            )
        settings[name] = _plain(elaborator, found, expression)
    if block is not None:
        _check(elaborator, tree, block, args, settings)
        if limit is not None:
            args = fill(elaborator, block, args)
    return args, settings


def _argument(elaborator: Elaborator, tree: Expression, block: Block | None, bound: Binding) -> Value:
    try:
        return elaborator.value(tree, bound)
    except ComposeError as error:
        raise meant_as_text(tree, block) or error from None


def _plain(elaborator: Elaborator, found: Value, tree: Expression) -> Any:
    if isinstance(found, Node) and not found.scalar:
        raise ComposeError(f"'{show(tree)}' is a value where a setting is needed", tree.at, "use a number or a param")
    if isinstance(found, Node) and found.op == "number":
        return found.setting("value")
    return found


def _check(elaborator: Elaborator, tree: Call, block: Block, args: list[Node], settings: Mapping[str, Any]) -> None:
    from composer.schema import check_setting

    places = {name: value.at for name, value in tree.keywords}
    given = iter(tree.arguments[len(args) :])
    for setting in block.settings:
        if setting.name in settings and setting.name not in places:
            places[setting.name] = next(given, tree).at
    problems = []
    for name, value in settings.items():
        if not isinstance(value, Node):
            problem = check_setting(block, name, value, places.get(name, tree.at))
            if problem:
                problems.append(problem)
    signature = parse_signature(block.signature)
    missing = [f"'{s.name}'" for s in block.settings if s.required and s.name not in settings]
    if not signature.variadic and len(args) < signature.required:
        count = signature.required
        fact = f"{block.name} needs {count} value{'s' if count > 1 else ''}, got {len(args)}"
        problems.append(Problem(fact, tree.at, f"write {call_form(block)}"))
    elif missing:
        problems.append(Problem(f"{block.name} needs {' and '.join(missing)}", tree.at, f"write {call_form(block)}"))
    if problems:
        raise ComposeError.together(problems)


def _special(elaborator: Elaborator, tree: Call, name: str, bound: Binding) -> Value:
    if name == "repeat" and elaborator.layers is not None:
        return _repeat(elaborator, tree, bound)
    count = {"stop": 1, "again": 1, "grad": 2}.get(name)
    if count is None:
        remedy = "repeat(9, residual()) is an item of chain:" if name == "repeat" else "write average(G)(x)"
        raise ComposeError(f"'{name}' cannot stand here", tree.at, remedy)
    if len(tree.arguments) != count or tree.keywords:
        form = "grad(score, x)" if name == "grad" else f"{name}(x)"
        raise ComposeError(f"{name} takes {count} value{'s' if count > 1 else ''}", tree.at, f"write {form}")
    args = [elaborator.node(a, bound) for a in tree.arguments]
    text = elaborator.text(tree, bound)
    if name == "again":
        (one,) = args
        return elaborator.table.node(
            one.op,
            one.target,
            tree.at,
            text,
            one.args,
            dict(one.settings),
            entry=one.entry,
            average=one.average,
            name=one.name,
            unique=True,
        )
    return elaborator.table.node(name, "", tree.at, text, args)


def times_of(elaborator: Elaborator, tree: Call, bound: Binding) -> int:
    """How often a `repeat(n, ...)` repeats."""
    count = tree.arguments[0]
    if isinstance(count, Call) and isinstance(count.function, Name) and count.function.id in catalogue():
        raise ComposeError(f"'{show(count)}' is no number", count.at, "the number is first: repeat(9, residual())")
    times = elaborator.constant(count, bound)
    if isinstance(times, bool) or not isinstance(times, int) or not 0 <= times <= MOST_REPEATS:
        raise ComposeError(f"cannot repeat {times!r} times", count.at, f"use a whole number from 0 to {MOST_REPEATS}")
    return times


def _repeat(elaborator: Elaborator, tree: Call, bound: Binding) -> Node:
    """`repeat(3, conv(x, widen=2))` in a wired network: a layer on x, one on what that gives, and so on."""
    inner = tree.arguments[1] if len(tree.arguments) == 2 else None
    nested = isinstance(inner, Call) and isinstance(inner.function, Name) and inner.function.id == "repeat"
    if not isinstance(inner, Call) or not inner.arguments or tree.keywords or nested:
        fact = "inside a network repeat takes a number and a layer with its input"
        raise ComposeError(fact, tree.at, "repeat(3, conv(x, widen=2))")
    node = elaborator.node(inner.arguments[0], bound)
    layer = Call(inner.at, inner.function, (Name(inner.at, HOLE), *inner.arguments[1:]), inner.keywords)
    kept = elaborator.lookup, elaborator.naming, elaborator.line
    lookup, naming, line = kept
    elaborator.line = line or naming
    try:
        for number in range(times_of(elaborator, tree, bound)):
            elaborator.naming = f"{naming or 'repeat'}_{number}"
            elaborator.lookup = lambda name, at, before=node: before if name == HOLE else lookup(name, at)  # type: ignore[misc]
            node = elaborator.node(layer, bound)
    finally:
        elaborator.lookup, elaborator.naming, elaborator.line = kept
    return node


def _composite(elaborator: Elaborator, tree: Call, name: str, bound: Binding) -> Value:
    parameters, meaning = COMPOSITES[name]
    if len(tree.arguments) != len(parameters) or tree.keywords:
        fact = f"{name} takes {len(parameters)} values, got {len(tree.arguments) + len(tree.keywords)}"
        raise ComposeError(fact, tree.at, f"write {name}({', '.join(parameters)})")
    given = dict(zip(parameters, tree.arguments, strict=True))
    template = parse_expression(meaning, tree.at)
    return elaborator.value(_substitute(template, given, tree.at), bound)


def _takes(block: Block | None) -> str:
    if block is None:
        return ""
    return f"settings of {block.name}: " + (", ".join(s.name for s in block.settings) or "none")


def _substitute(tree: Expression, given: Mapping[str, Expression], at: Place) -> Expression:
    match tree:
        case Name() if tree.id in given:
            return given[tree.id]
        case Call():
            return Call(at, tree.function, tuple(_substitute(a, given, at) for a in tree.arguments), tree.keywords)
        case Operation():
            return Operation(at, tree.operator, tuple(_substitute(o, given, at) for o in tree.operands))
    return tree
