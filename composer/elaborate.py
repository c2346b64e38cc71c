"""Expressions -> nodes: names are looked up, indices bound, equal expressions become one node."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from composer import clock
from composer.block import catalogue
from composer.constants import operate
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
    kind_of,
    show,
)
from composer.index import Binding, Indices
from composer.limits import Budget, check_clock
from composer.nodes import Layer, Node
from composer.unknown import call_form, unknown_value

Value = Any  # a constant of Python, or a Node


class Broken(ComposeError):
    """A definition that was reported already; what depends on it has nothing to add."""

    def __init__(self, name: str) -> None:
        super().__init__(f"'{name}' was reported where it stands")
        self.problems = ()


class Table:
    """Nodes by content, so that equal expressions are one node."""

    def __init__(self) -> None:
        self._known: dict[Any, Node] = {}
        self.states: dict[str, Node] = {}  # by the name under which they are kept
        self.serial = 0
        self.budget = Budget()

    def nodes(self) -> list[Node]:
        """Every node that was made."""
        return list(self._known.values())

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
            self.budget.node(place)
            if op == "clock":
                check_clock(target, place)
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
        self.written: Mapping[str, str] = {}  # networks as the file has them, by base name: G -> G[s,t]
        self.remedy = "define it under params: or values:"  # for a name nobody knows
        self.naming: str = ""  # the name on the left of the line being read
        self.line = ""  # of a chain: the number of the link being read
        self.collects = False  # whether that line is one of a pass
        self.last: int | None = None  # the last iteration of a run, where it is known
        self.warnings: list[Problem] = []

    # -- values -------------------------------------------------------------------------------------------------

    def value(self, tree: Expression, bound: Binding) -> Value:
        """The constant or node that `tree` stands for under `bound`."""
        from composer.calls import read_call  # calls read expressions, and expressions calls

        self.table.budget.step(tree.at)
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
                    nodes = [self.as_node(i, t) for i, t in zip(items, tree.items, strict=True)]
                    return self.table.node("list", "", tree.at, self.text(tree, bound), nodes)
                return items
            case Operation():
                return self._operation(tree, bound)
            case Call():
                return read_call(self, tree, bound)
            case Attribute():
                raise ComposeError(
                    f"'{show(tree)}' is not called", tree.at, f"write {show(tree)}(...), or name parts: u, v: E(x)"
                )
        raise AssertionError(f"no meaning for {type(tree).__name__}")

    def node(self, tree: Expression, bound: Binding) -> Node:
        """Like `value`, but numbers become nodes and texts are refused."""
        return self.as_node(self.value(tree, bound), tree)

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
            self.check_clock(found.target, tree)
            return found.target
        if isinstance(found, (int, float, bool)):
            return repr(found)
        raise ComposeError(
            f"'{show(tree)}' is no function of the clock",
            tree.at,
            f"use numbers, params, {', '.join(clock.NAMES)} and {', '.join(clock.FUNCTIONS)}",
        )

    def check_clock(self, text: str, tree: Expression) -> None:
        """Refuse a function of the clock that has no value at some moment of a run."""
        wrong = clock.probe(text, self.last)
        if wrong:
            raise ComposeError(f"'{show(tree)}' has no value: {wrong}", tree.at, "all counts start at 0")

    def as_node(self, found: Value, tree: Expression) -> Node:
        if isinstance(found, Node):
            return found
        if isinstance(found, (int, float)):
            return self.table.node("number", repr(found), tree.at, f"{found:g}", settings={"value": found})
        raise ComposeError(
            f"'{show(tree)}' is no value: it is {kind_of(found)}", tree.at, "a tensor or a number is needed"
        )

    def text(self, tree: Expression, bound: Binding) -> str:
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
            raise self._unknown(tree.id, tree, bound)
        assert isinstance(tree, Index) and isinstance(tree.base, Name)
        name = tree.base.id
        if name in self.families:
            full = self.indices.full_name(tree, bound)
            found = self.lookup(full, tree.at)
            if found is None:
                known = self.families[name]
                remedy = f"there is {', '.join(known)}" if len(known) <= 8 else nearest(full, known)
                raise ComposeError(f"there is no '{full}'", tree.at, remedy)
            return found
        plain = self.lookup(name, tree.base.at)
        if plain is None:
            raise self._unknown(name, tree, bound)
        if isinstance(plain, list):
            position = self._position(tree.items[0], bound, name)
            if len(tree.items) != 1 or not 0 <= position < len(plain):
                raise ComposeError(
                    f"there is no {show(tree)}: '{name}' has {len(plain)} items", tree.at, "items are numbered from 0"
                )
            return plain[position]
        if not isinstance(plain, Node):
            raise ComposeError(f"'{name}' has no index, it is {kind_of(plain)}", tree.at, f"write {name}")
        return self._items(plain, tree, bound)

    def _items(self, base: Node, tree: Index, bound: Binding) -> Node:
        found = base
        for item in tree.items:
            position = self._position(item, bound, found.text)
            found = self.table.node("item", "", tree.at, f"{found.text}[{position}]", [found], {"number": position})
        return found

    def _position(self, item: Expression, bound: Binding, owner: str) -> int:
        """Which item of a list an index means: a number itself, or the position of an index's value."""
        if isinstance(item, Name) and item.id in bound:
            one = self.indices.of[item.id]
            column = one.variables.index(item.id)
            values = list(dict.fromkeys(row[column] for row in one.rows))
            return values.index(bound[item.id])
        literal = self.indices.literal(item, bound)
        if isinstance(literal, int):
            return literal
        raise ComposeError(f"'{owner}' has no index '{literal}'", item.at, "items of a list are numbered from 0")

    def all_names(self) -> list[str]:
        """Every value that could be meant."""
        return [*self.names(), *self.families, *clock.NAMES]

    def _unknown(self, name: str, tree: Expression, bound: Binding) -> ComposeError:
        at = tree.at
        if name in self.families:
            return ComposeError(f"'{name}' has an index", at, f"write {self._indexed(name, bound)}")
        if name in self.networks:
            form = self.written.get(name, name)
            return ComposeError(f"'{name}' is a network, which is called", at, f"write {form}(...)")
        if name in catalogue():
            return ComposeError(f"'{name}' is a block, which is called", at, f"write {call_form(catalogue()[name])}")
        if name in self.indices.of:
            return ComposeError(f"index '{name}' outside of brackets", at, "an index stands in [ ] only")
        return unknown_value(name, show(tree), at, self.all_names(), self.remedy)

    def _indexed(self, name: str, bound: Binding) -> str:
        """`x` with the indices of this line: `x[s]`, or a value of it: `x[a]`."""
        known = self.families[name]
        for count in (1, 2):
            for names in itertools.permutations(bound, count):
                if f"{name}[{','.join(str(bound[n]) for n in names)}]" in known:
                    return f"{name}[{','.join(names)}]"
        return known[0]

    # -- operators ----------------------------------------------------------------------------------------------

    def _operation(self, tree: Operation, bound: Binding) -> Value:
        found = [self.value(o, bound) for o in tree.operands]
        if not any(isinstance(f, Node) for f in found):
            return operate(tree, found)
        if all(not isinstance(f, Node) or f.op == "clock" for f in found):
            for f, o in zip(found, tree.operands, strict=True):
                if isinstance(f, (str, list)):
                    fact = f"'{show(o)}' is {kind_of(f)}, no number"
                    raise ComposeError(fact, o.at, f"'{tree.operator}' is for numbers")
            texts = [f.target if isinstance(f, Node) else repr(f) for f in found]
            return self.table.node("clock", _join(tree.operator, texts), tree.at, self.text(tree, bound))
        if tree.operator in ("and", "or", "not", "==", "!="):
            raise ComposeError(
                f"'{tree.operator}' is for numbers and the clock, not for tensors",
                tree.at,
                "use where(condition, a, b)",
            )
        nodes = [self.as_node(f, o) for f, o in zip(found, tree.operands, strict=True)]
        return self.table.node("arith", tree.operator, tree.at, self.text(tree, bound), nodes)


def _join(symbol: str, texts: list[str]) -> str:
    if symbol == "neg":
        return f"(-{texts[0]})"
    if symbol == "not":
        return f"(not {texts[0]})"
    return "(" + f" {symbol} ".join(texts) + ")"


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
