"""Expressions -> nodes: names are looked up, indices bound, equal expressions become one node."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from composer import clock
from composer.block import Block, catalogue, find_block
from composer.errors import ComposeError, Place, Problem, nearest
from composer.expression import (
    Attribute,
    Call,
    Constant,
    Expression,
    Index,
    ListOf,
    Name,
    Operation,
    parse_expression,
    show,
)
from composer.index import Binding, Indices, base_name
from composer.nodes import Layer, Node
from composer.signature import parse_signature

Constant_ = int | float | bool | str | list
Value = Any  # a constant of Python, or a Node

# Calls that stand for an expression over others, by their parameters and meaning.
COMPOSITES: dict[str, tuple[tuple[str, ...], str]] = {
    "r1": (("score", "x"), "0.5 * square_norm(grad(score, x))"),
    "gradient_penalty": (("score", "mix"), "unit_gradient(grad(score, mix))"),
}
SPECIAL = ("stop", "again", "grad", "average", "repeat")
_ARITHMETIC: dict[str, Callable[..., Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "%": operator.mod,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "neg": operator.neg,
    "not": operator.not_,
    "and": lambda *v: all(v),
    "or": lambda *v: any(v),
}


class Broken(Exception):
    """A definition that was reported already; what depends on it is left alone."""


class Table:
    """Nodes by content, so that equal expressions are one node."""

    def __init__(self) -> None:
        self._known: dict[Any, Node] = {}
        self.serial = 0

    def node(
        self,
        op: str,
        target: str,
        place: Place,
        text: str,
        args: Sequence[Node] = (),
        settings: Mapping[str, Any] | None = None,
        *,
        entry: str = "",
        average: bool = False,
        name: str = "",
        unique: bool = False,
    ) -> Node:
        items = tuple(sorted((settings or {}).items()))
        key: Any = (op, target, tuple(a.number for a in args), _frozen(items), entry, average, name)
        if unique:
            self.serial += 1
            key = (key, self.serial)
        found = self._known.get(key)
        if found is None:
            found = Node(op, target, tuple(args), items, entry, average, name, text, place, len(self._known))
            self._known[key] = found
        return found


def _frozen(value: Any) -> Any:
    if isinstance(value, Node):
        return ("node", value.number)
    if isinstance(value, (list, tuple)):
        return (type(value).__name__, *(_frozen(v) for v in value))
    if isinstance(value, dict):
        return tuple(sorted((k, _frozen(v)) for k, v in value.items()))
    return (type(value).__name__, value)


class Elaborator:
    """Turns expressions into nodes within one scope.

    `lookup(full name)` gives a value or a constant, or None; `families` are names that exist only with an index;
    `networks` says which networks there are (and is empty inside a wired network, where module blocks are layers).
    """

    def __init__(
        self,
        table: Table,
        indices: Indices,
        lookup: Callable[[str, Place], Value | None],
        names: Callable[[], Sequence[str]],
        families: Mapping[str, Sequence[str]],
        networks: Mapping[str, Sequence[str]],
        *,
        layers: dict[str, Layer] | None = None,
    ) -> None:
        self.table, self.indices, self.lookup, self.names = table, indices, lookup, names
        self.families, self.networks, self.layers = families, networks, layers
        self.naming: str = ""  # the name on the left of the line being read
        self.warnings: list[Problem] = []

    # -- values -------------------------------------------------------------------------------------------------

    def value(self, tree: Expression, bound: Binding) -> Value:
        """The constant or node that `tree` stands for under `bound`."""
        match tree:
            case Constant():
                return tree.value
            case Name() | Index(base=Name()):
                return self._named(tree, bound)
            case Index():
                base = self.node(tree.base, bound)
                return self._items(base, tree, bound)
            case ListOf():
                items = [self.value(i, bound) for i in tree.items]
                if any(isinstance(i, Node) for i in items):
                    nodes = [self._as_node(i, t) for i, t in zip(items, tree.items, strict=True)]
                    return self.table.node("list", "", tree.at, self._text(tree, bound), nodes)
                return items
            case Operation():
                return self._operation(tree, bound)
            case Call():
                return self._call(tree, bound)
            case Attribute():
                raise ComposeError(
                    f"'{show(tree)}' is not called", tree.at, f"write {show(tree)}(...), or name parts: u, v: E(x)"
                )
        raise AssertionError(f"no meaning for {type(tree).__name__}")

    def node(self, tree: Expression, bound: Binding) -> Node:
        """Like `value`, but numbers become nodes and texts are refused."""
        return self._as_node(self.value(tree, bound), tree)

    def constant(self, tree: Expression, bound: Binding) -> Any:
        """The constant that `tree` is known to be before the run."""
        found = self.value(tree, bound)
        if isinstance(found, Node):
            raise ComposeError(
                f"'{show(tree)}' must be known before the run", tree.at, "use numbers, texts and params here"
            )
        return found

    def clock_text(self, tree: Expression, bound: Binding) -> str:
        """Python text over `clock` for a scalar function of it."""
        found = self.value(tree, bound)
        if isinstance(found, Node) and found.op == "clock":
            return found.target
        if isinstance(found, (int, float, bool)):
            return repr(found)
        raise ComposeError(
            f"'{show(tree)}' is no function of the clock",
            tree.at,
            f"use numbers, params, {', '.join(clock.NAMES)} and {', '.join(clock.FUNCTIONS)}",
        )

    def _as_node(self, found: Value, tree: Expression) -> Node:
        if isinstance(found, Node):
            return found
        if isinstance(found, (int, float)):
            return self.table.node("number", repr(found), tree.at, f"{found:g}", settings={"value": found})
        raise ComposeError(f"'{show(tree)}' is no value: it is {_kind(found)}", tree.at, "a tensor or a number is needed")

    def _text(self, tree: Expression, bound: Binding) -> str:
        """The canonical text with its indices bound."""
        return show(_bind_names(tree, bound, self.indices))

    # -- names --------------------------------------------------------------------------------------------------

    def _named(self, tree: Expression, bound: Binding) -> Value:
        if isinstance(tree, Name):
            if tree.id in bound:
                raise ComposeError(f"index '{tree.id}' outside of brackets", tree.at, "an index stands in [ ] only")
            found = self.lookup(tree.id, tree.at)
            if found is not None:
                return found
            if tree.id in clock.NAMES:
                return self.table.node("clock", f"clock.{tree.id}", tree.at, tree.id)
            raise self._unknown(tree.id, tree.at)
        assert isinstance(tree, Index) and isinstance(tree.base, Name)
        name = tree.base.id
        if name in self.families:
            full = self.indices.full_name(tree, bound)
            found = self.lookup(full, tree.at)
            if found is None:
                raise ComposeError(f"unknown value '{full}'", tree.at, nearest(full, self.families[name]))
            return found
        plain = self.lookup(name, tree.base.at)
        if plain is None:
            raise self._unknown(name, tree.base.at)
        if isinstance(plain, list):
            position = self._position(tree.items[0], bound)
            if len(tree.items) != 1 or not 0 <= position < len(plain):
                raise ComposeError(f"'{name}' has {len(plain)} items, numbered from 0", tree.at)
            return plain[position]
        if not isinstance(plain, Node):
            raise ComposeError(f"'{name}' has no index: it is {_kind(plain)}", tree.at, f"write {name}")
        return self._items(plain, tree, bound)

    def _items(self, base: Node, tree: Index, bound: Binding) -> Node:
        found = base
        for item in tree.items:
            position = self._position(item, bound)
            found = self.table.node(
                "item", "", tree.at, f"{found.text}[{position}]", [found], {"number": position}
            )
        return found

    def _position(self, item: Expression, bound: Binding) -> int:
        """Which item of a list an index means: a number itself, or the position of an index's value."""
        if isinstance(item, Name) and item.id in bound:
            one = self.indices.of[item.id]
            column = one.variables.index(item.id)
            values = list(dict.fromkeys(row[column] for row in one.rows))
            return values.index(bound[item.id])
        literal = self.indices.literal(item, bound)
        if isinstance(literal, int):
            return literal
        raise ComposeError(f"'{literal}' is no item of a list", item.at, "items are numbered from 0")

    def _unknown(self, name: str, at: Place) -> ComposeError:
        if name in self.families:
            known = sorted(self.families[name])
            return ComposeError(f"'{name}' has an index", at, f"write {known[0]}" if known else "")
        if name in self.networks or name in catalogue():
            return ComposeError(f"'{name}' is to be called", at, f"write {name}(...)")
        if name in ("s", "t", "d") or name in self.indices.of:
            return ComposeError(f"index '{name}' outside of brackets", at, "an index stands in [ ] only")
        return ComposeError(
            f"unknown value '{name}'", at, nearest(name, [*self.names(), *self.families, *clock.NAMES])
        )

    # -- operators ----------------------------------------------------------------------------------------------

    def _operation(self, tree: Operation, bound: Binding) -> Value:
        found = [self.value(o, bound) for o in tree.operands]
        if not any(isinstance(f, Node) for f in found):
            try:
                return _ARITHMETIC[tree.operator](*found)
            except (TypeError, ZeroDivisionError, OverflowError, ValueError) as error:
                raise ComposeError(f"'{show(tree)}' has no value: {error}", tree.at) from None
        if all(not isinstance(f, Node) or f.op == "clock" for f in found):
            for f, o in zip(found, tree.operands, strict=True):
                if isinstance(f, (str, list)):
                    raise ComposeError(f"'{show(o)}' is {_kind(f)}, no number", o.at)
            texts = [f.target if isinstance(f, Node) else repr(f) for f in found]
            return self.table.node("clock", _join(tree.operator, texts), tree.at, self._text(tree, bound))
        if tree.operator in ("and", "or", "not", "==", "!="):
            raise ComposeError(
                f"'{tree.operator}' is for numbers and the clock, not for tensors", tree.at, "use where(condition, a, b)"
            )
        nodes = [self._as_node(f, o) for f, o in zip(found, tree.operands, strict=True)]
        return self.table.node("arith", tree.operator, tree.at, self._text(tree, bound), nodes)

    # -- calls --------------------------------------------------------------------------------------------------

    def _call(self, tree: Call, bound: Binding) -> Value:
        function, entry, average = tree.function, "", False
        if isinstance(function, Attribute):
            function, entry = function.base, function.name
        if isinstance(function, Call) and isinstance(function.function, Name) and function.function.id == "average":
            if len(function.arguments) != 1 or function.keywords:
                raise ComposeError("average(...) takes one network", function.at, "write average(G)(x)")
            function, average = function.arguments[0], True
        name = base_name(function)
        if not isinstance(function, (Name, Index)):
            raise ComposeError(f"'{show(function)}' cannot be called", tree.at, "call a network or a block by its name")
        if name in self.networks:
            return self._network_call(tree, function, entry, average, bound)
        if average:
            raise ComposeError(f"unknown network '{name}'", function.at, nearest(name, self.networks))
        if entry or isinstance(function, Index):
            raise ComposeError(f"unknown network '{name}'", function.at, nearest(name, self.networks))
        if name in SPECIAL:
            return self._special(tree, name, bound)
        if name in clock.FUNCTIONS or name in clock.NUMBERS:
            found = self._number_call(tree, name, bound)
            if found is not None:
                return found
        if name in COMPOSITES:
            return self._composite(tree, name, bound)
        block = find_block(name)
        if block is None:
            known = [*self.networks, *catalogue(), *COMPOSITES, *clock.FUNCTIONS, *SPECIAL]
            raise ComposeError(f"unknown block or network '{name}'", function.at, nearest(name, known))
        return self._block_call(tree, block, bound)

    def _network_call(
        self, tree: Call, function: Expression, entry: str, average: bool, bound: Binding
    ) -> Node:
        name = base_name(function)
        full = self.indices.full_name(function, bound)
        if full not in self.networks[name]:
            known = self.networks[name]
            remedy = nearest(full, known) if isinstance(function, Index) else f"write {known[0]}(...)"
            raise ComposeError(f"unknown network '{full}'", function.at, remedy)
        args, settings = self._arguments(tree, None, bound)
        text = self._text(tree, bound)
        return self.table.node("call", full, tree.at, text, args, settings, entry=entry, average=average)

    def _block_call(self, tree: Call, block: Block, bound: Binding) -> Node:
        text = self._text(tree, bound)
        if block.role == "module":
            if self.layers is None:
                raise ComposeError(
                    f"block '{block.name}' owns weights and needs a name", tree.at,
                    f"declare a network, NAME: {{block: {block.name}}}, and call that",
                )
            args, settings = self._arguments(tree, block, bound)
            name = self._layer_name(block.name)
            self.layers[name] = Layer(name, block.name, settings, tree.at)
            return self.table.node("layer", name, tree.at, text, args, {}, unique=True)
        args, settings = self._arguments(tree, block, bound)
        if block.role in ("draw", "state"):
            if not self.naming:
                raise ComposeError(
                    f"'{block.name}' needs a name of its own", tree.at, f"write it on a line: NAME: {block.name}(...)"
                )
            return self.table.node(block.role, block.name, tree.at, text, args, settings, name=self.naming)
        return self.table.node("apply", block.name, tree.at, text, args, settings)

    def _layer_name(self, name: str) -> str:
        assert self.layers is not None
        wanted = self.naming or name
        if wanted not in self.layers:
            return wanted
        number = 2
        while f"{wanted}_{number}" in self.layers:
            number += 1
        return f"{wanted}_{number}"

    def _arguments(self, tree: Call, block: Block | None, bound: Binding) -> tuple[list[Node], dict[str, Any]]:
        """Tensors in order, and settings by name, checked against the block."""
        signature = parse_signature(block.signature) if block else None
        limit = None if signature is None or signature.variadic else len(signature.inputs)
        args: list[Node] = []
        settings: dict[str, Any] = {}
        positional: list[tuple[Expression, Value]] = []
        for argument in tree.arguments:
            found = self.value(argument, bound)
            is_tensor = isinstance(found, Node) and not found.scalar
            if limit is None:
                wants_tensor = is_tensor or (block is None and isinstance(found, Node))
            else:
                wants_tensor = len(args) < limit and not isinstance(found, (str, list, bool)) and not positional
                if not is_tensor and wants_tensor and not _takes_number(block, len(args)):
                    wants_tensor = False
            if wants_tensor:
                args.append(self._as_node(found, argument))
            elif is_tensor and positional:
                raise ComposeError(f"'{show(argument)}' stands after a setting", argument.at, "values come first")
            else:
                positional.append((argument, found))
        names = [s.name for s in block.settings] if block else []
        if block is None and positional:
            # A network's entry point may take plain settings after its values (`G.features(a, taps)`).
            settings["*"] = [self._plain(f, t) for t, f in positional]
        else:
            for (argument, found), name in zip(positional, names, strict=False):
                settings[name] = self._plain(found, argument)
            if len(positional) > len(names):
                extra = positional[len(names)][0]
                raise ComposeError(f"too many arguments for '{base_name(tree.function)}'", extra.at, _takes(block))
        for name, expression in tree.keywords:
            if name in settings:
                raise ComposeError(f"'{name}' is given twice", expression.at)
            found = self.value(expression, bound)
            if signature is not None and name not in names:
                kinds = ["rows"] if block is not None and block.role == "draw" else [p.kind for p in signature.inputs]
                if name in kinds:
                    if kinds.index(name) != len(args):
                        raise ComposeError(f"'{name}' is given twice or too early", expression.at, "values go in order")
                    args.append(self._as_node(found, expression))
                    continue
            if block is not None and name not in names:
                raise ComposeError(
                    f"no setting of {block.name} named '{name}'", expression.at, nearest(name, names) or _takes(block)
                )
            settings[name] = self._plain(found, expression)
        if block is not None:
            self._check(tree, block, args, settings)
        return args, settings

    def _plain(self, found: Value, tree: Expression) -> Any:
        if isinstance(found, Node) and not found.scalar:
            raise ComposeError(f"'{show(tree)}' is a value where a setting is needed", tree.at, "use a number or a param")
        if isinstance(found, Node) and found.op == "number":
            return found.setting("value")
        return found

    def _check(self, tree: Call, block: Block, args: list[Node], settings: Mapping[str, Any]) -> None:
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
        for setting in block.settings:
            if setting.required and setting.name not in settings:
                problems.append(Problem(f"{block.name} needs '{setting.name}'", tree.at, _takes(block)))
        signature = parse_signature(block.signature)
        if not signature.variadic and len(args) < signature.required:
            kinds = ", ".join(str(p) for p in signature.inputs if not p.optional)
            fact = f"{block.name} needs {signature.required} values, got {len(args)}"
            problems.append(Problem(fact, tree.at, f"it takes {kinds}"))
        if problems:
            raise ComposeError.together(problems)

    def _special(self, tree: Call, name: str, bound: Binding) -> Value:
        count = {"stop": 1, "again": 1, "grad": 2}.get(name)
        if count is None:
            where = "in a chain" if name == "repeat" else "before the network's values: average(G)(x)"
            raise ComposeError(f"'{name}' stands {where}", tree.at)
        if len(tree.arguments) != count or tree.keywords:
            raise ComposeError(f"{name} takes {count} value{'s' if count > 1 else ''}", tree.at)
        args = [self.node(a, bound) for a in tree.arguments]
        text = self._text(tree, bound)
        if name == "again":
            (one,) = args
            return self.table.node(
                one.op, one.target, tree.at, text, one.args, dict(one.settings),
                entry=one.entry, average=one.average, name=one.name, unique=True,
            )
        return self.table.node(name, "", tree.at, text, args)

    def _composite(self, tree: Call, name: str, bound: Binding) -> Value:
        parameters, meaning = COMPOSITES[name]
        if len(tree.arguments) != len(parameters) or tree.keywords:
            raise ComposeError(f"{name} takes ({', '.join(parameters)})", tree.at)
        given = dict(zip(parameters, tree.arguments, strict=True))
        template = parse_expression(meaning, tree.at)
        return self.value(_substitute(template, given, tree.at), bound)

    def _number_call(self, tree: Call, name: str, bound: Binding) -> Value:
        found = [self.value(a, bound) for a in tree.arguments]
        named = {k: self.value(v, bound) for k, v in tree.keywords}
        everything = [*found, *named.values()]
        if any(isinstance(f, Node) and f.op != "clock" for f in everything):
            if name in clock.NUMBERS and name in catalogue():
                return None
            raise ComposeError(f"{name} is for numbers and the clock, not for tensors", tree.at)
        if name in clock.NUMBERS:
            if any(isinstance(f, Node) for f in everything):
                texts = [f.target if isinstance(f, Node) else repr(f) for f in found]
                return self.table.node("clock", f"{name}({', '.join(texts)})", tree.at, self._text(tree, bound))
            try:
                return clock.NUMBERS[name](*found, **named)
            except (TypeError, ValueError, OverflowError) as error:
                raise ComposeError(f"'{show(tree)}' has no value: {error}", tree.at) from None
        for key, value in [*((None, f) for f in found), *named.items()]:
            if isinstance(value, (str, list)):
                raise ComposeError(f"{name}: {key or 'an argument'} is {_kind(value)}, no number", tree.at)
        try:
            probe = clock.Clock(0, 1)
            plain = [1 if isinstance(f, Node) else f for f in found]
            getattr(probe, name)(*plain, **{k: 1 if isinstance(v, Node) else v for k, v in named.items()})
        except TypeError as error:
            raise ComposeError(f"{name}: {str(error).split(') ')[-1]}", tree.at, _usage(name)) from None
        except (ValueError, OverflowError, ZeroDivisionError) as error:
            raise ComposeError(f"'{show(tree)}' has no value: {error}", tree.at) from None
        texts = [_source(f) for f in found] + [f"{k}={_source(v)}" for k, v in named.items()]
        return self.table.node("clock", f"clock.{name}({', '.join(texts)})", tree.at, self._text(tree, bound))


def _usage(name: str) -> str:
    import inspect

    parameters = list(inspect.signature(getattr(clock.Clock, name)).parameters.values())[1:]
    words = [p.name if p.default is inspect.Parameter.empty else f"{p.name}={p.default}" for p in parameters]
    return f"write {name}({', '.join(words)})"


def _source(value: Value) -> str:
    return value.target if isinstance(value, Node) else repr(value)


def _join(symbol: str, texts: list[str]) -> str:
    if symbol == "neg":
        return f"(-{texts[0]})"
    if symbol == "not":
        return f"(not {texts[0]})"
    return "(" + f" {symbol} ".join(texts) + ")"


def _kind(value: Any) -> str:
    names = {str: "a text", list: "a list", bool: "a truth value", int: "a number", float: "a number"}
    return names.get(type(value), "a value")


def _takes(block: Block | None) -> str:
    if block is None:
        return ""
    return f"settings of {block.name}: " + (", ".join(s.name for s in block.settings) or "none")


def _takes_number(block: Block | None, position: int) -> bool:
    """Whether a number may stand for the tensor at `position`: arithmetic-like inputs without sizes."""
    if block is None:
        return True
    port = parse_signature(block.signature).inputs[position]
    return port.axes is None


def _bind_names(tree: Expression, bound: Binding, indices: Indices) -> Expression:
    match tree:
        case Index():
            items = tuple(
                Name(i.at, str(bound[i.id])) if isinstance(i, Name) and i.id in bound else i for i in tree.items
            )
            return Index(tree.at, _bind_names(tree.base, bound, indices), items)
        case Call():
            return Call(
                tree.at,
                _bind_names(tree.function, bound, indices),
                tuple(_bind_names(a, bound, indices) for a in tree.arguments),
                tuple((k, _bind_names(v, bound, indices)) for k, v in tree.keywords),
            )
        case Operation():
            return Operation(tree.at, tree.operator, tuple(_bind_names(o, bound, indices) for o in tree.operands))
        case ListOf():
            return ListOf(tree.at, tuple(_bind_names(i, bound, indices) for i in tree.items))
        case Attribute():
            return Attribute(tree.at, _bind_names(tree.base, bound, indices), tree.name)
    return tree


def _substitute(tree: Expression, given: Mapping[str, Expression], at: Place) -> Expression:
    match tree:
        case Name() if tree.id in given:
            return given[tree.id]
        case Call():
            return Call(at, tree.function, tuple(_substitute(a, given, at) for a in tree.arguments), tree.keywords)
        case Operation():
            return Operation(at, tree.operator, tuple(_substitute(o, given, at) for o in tree.operands))
    return tree
