"""The entries of a mapping's sections: what one recorded array is in our words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from composer.errors import ComposeError, Place, nearest
from composer.expression import Expression
from composer.tree import Leaf, Node, plain
from composer.tree import Mapping as MappingNode

from .formula import Scope, fill, parse, references, value_of

FORMS = ("numbers", "rows", "flat", "table")  # what `as:` of a draw may be


@dataclass(frozen=True)
class Draw:
    """A recorded draw is our draw `to`: as it is, each of its rows as one axis (`rows`), all of it as one (`flat`), or
    with `numbers` a list of single draws, of which `drop` are none."""

    to: str
    form: str = ""
    drop: Any = None

    @property
    def numbers(self) -> bool:
        return self.form == "numbers"


@dataclass(frozen=True)
class Given:
    """A draw of a translation is a recorded array, or one row of it, in the form that `Draw` says.

    A `table` has the arrays that are called `array` and a number, each as the entry of that number, filled up with its
    own rows; `only` names an array with the numbers that count, classes or classes * 1000 and more.
    """

    array: str
    row: int | None = None
    form: str = ""
    only: str = ""


@dataclass(frozen=True)
class Reading:
    """A recorded array is what `tree` says. `reason`: why the graph does not have it in this case."""

    tree: Expression
    reason: str = ""

    @property
    def names(self) -> list[str]:
        return references(self.tree)


@dataclass(frozen=True)
class Use:
    """A recorded array is what the trained model's translation `name` makes of recorded arrays."""

    name: str
    inputs: Mapping[str, str]  # our input ("" = the only one) -> array
    rows: int | None = None  # how many rows of them
    draws: str = ""  # arrays that start so are its draws
    given: Mapping[str, Given] = field(default_factory=dict)  # our draw -> what it is


EMPTY = MappingNode((), Place("mapping"))


def as_mapping(node: Node | None, known: tuple[str, ...] = ()) -> MappingNode:
    """`node` as a mapping, whose keys are among `known`, if any are named."""
    if not isinstance(node, MappingNode):
        raise ComposeError("a mapping is needed here", node.place if node else None)
    for key, _ in node:
        if known and key.text not in known:
            raise ComposeError(f"unknown key '{key.text}'", key.place, nearest(key.text, known))
    return node


def as_text(node: Node) -> str:
    if not isinstance(node, Leaf) or node.value is None:
        raise ComposeError("a text is needed here", node.place)
    return node.text


def worked_out(node: Node, scope: Scope, more: Mapping[str, Any] | None = None) -> Any:
    """A list or a mapping as it is written, a text as the expression it is."""
    if not isinstance(node, Leaf):
        return plain(node)
    return value_of(parse(node.value, node.place), scope, more=more)


def loops(node: Node | None, scope: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """`scope` with each combination of the values of a `for:`, the first name slowest."""
    pairs = list(as_mapping(node)) if node is not None else []

    def bind(number: int, scope: dict[str, Any]) -> Iterator[dict[str, Any]]:
        if number == len(pairs):
            yield scope
            return
        key, values = pairs[number]
        names = [name.strip() for name in key.text.split(",")]
        for item in worked_out(values, scope):
            items = item if len(names) > 1 else [item]
            if not isinstance(items, list) or len(items) != len(names):
                raise ComposeError(f"'{key.text}' are {len(names)} names, and {item} is not as many", key.place)
            yield from bind(number + 1, {**scope, **dict(zip(names, items, strict=True))})

    yield from bind(0, scope)


def read_reading(node: Node, scope: Scope) -> Reading:
    """`EXPRESSION`, or `{is: EXPRESSION, weight: EXPRESSION, otherwise: EXPRESSION}`: with a weight of 0 the graph
    leaves the term out; the array is then what `otherwise` says, or not compared."""
    if isinstance(node, Leaf):
        return Reading(_expression(node, scope))
    group = as_mapping(node, ("is", "weight", "otherwise"))
    weight, otherwise, chosen = group.get("weight"), group.get("otherwise"), group.get("is")
    if chosen is None:
        raise ComposeError("'is' is missing", group.place)
    if weight is not None and value_of(_expression(weight, scope), scope) == 0:
        if otherwise is None:
            return Reading(_expression(chosen, scope), "its weight is 0 and the graph leaves it out")
        chosen = otherwise
    return Reading(_expression(chosen, scope))


def _expression(node: Node, scope: Scope) -> Expression:
    if isinstance(node, Leaf) and isinstance(node.value, str):
        return parse(fill(node.value, scope, node.place), node.place)
    return parse(plain(node), node.place)


def read_draw(node: Node, scope: Scope) -> Draw:
    """`OUR NAME`, or `{to: OUR NAME, as: numbers | rows | flat, drop: -1}`."""
    if isinstance(node, Leaf):
        return Draw(fill(as_text(node), scope, node.place))
    group = as_mapping(node, ("to", "as", "drop"))
    to, drop = group.get("to"), group.get("drop")
    if to is None:
        raise ComposeError("'to' is missing", group.place)
    return Draw(fill(as_text(to), scope, to.place), _form(group), None if drop is None else plain(drop))


def _form(group: MappingNode) -> str:
    node = group.get("as")
    if node is None:
        return ""
    if as_text(node) not in FORMS:
        raise ComposeError(f"'{as_text(node)}' is no form of a draw", node.place, f"one of {', '.join(FORMS)}")
    return as_text(node)


def read_given(node: Node, scope: Scope) -> Given:
    """`ARRAY`, or `{of: ARRAY, row: EXPRESSION, as: rows | flat}`, or `{of: START, as: table, only: ARRAY}`."""
    if isinstance(node, Leaf):
        return Given(fill(as_text(node), scope, node.place))
    group = as_mapping(node, ("of", "row", "as", "only"))
    of, row, only = group.get("of"), group.get("row"), group.get("only")
    if of is None:
        raise ComposeError("'of' is missing", group.place)
    number = None if row is None else int(worked_out(row, scope))
    chosen = "" if only is None else fill(as_text(only), scope, only.place)
    return Given(fill(as_text(of), scope, of.place), number, _form(group), chosen)


def read_use(node: Node, scope: Scope) -> Use:
    """`{as: TRANSLATION, of: ARRAY or {INPUT: ARRAY}, rows: N, draws: START OF NAMES or {OUR NAME: ARRAY}}`."""
    group = as_mapping(node, ("as", "of", "rows", "draws"))
    name, of, rows, draws = (group.get(key) for key in ("as", "of", "rows", "draws"))
    if name is None or of is None:
        raise ComposeError("a translation needs 'as' and 'of'", group.place)
    inputs = {"": of}
    if not isinstance(of, Leaf):
        inputs = {fill(key.text, scope, key.place): node for key, node in as_mapping(of)}
    begins = isinstance(draws, Leaf)
    pairs = () if draws is None or begins else as_mapping(draws)
    given = {fill(key.text, scope, key.place): read_given(node, scope) for key, node in pairs}
    return Use(
        fill(as_text(name), scope, name.place),
        {key: fill(as_text(node), scope, node.place) for key, node in inputs.items()},
        None if rows is None else int(worked_out(rows, scope)),
        fill(as_text(draws), scope, draws.place) if draws is not None and begins else "",
        given,
    )
