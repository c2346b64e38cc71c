"""Values of the expressions in a mapping: `2 * ngf`, `gan[gan_mode]`, `translate.recon[a] + translate.recon[b]`.

The text is read by `composer.expression` (and so never executed) and worked out here. `{...}` inside a text is such
an expression too: `down.{j}.conv`.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

from composer.errors import ComposeError, Place, nearest
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
    walk,
)

Scope = Mapping[str, Any]
Refer = Callable[[str, Place], Any]  # the full name of a term or value -> what it is

_OPERATORS: dict[str, Callable[..., Any]] = {
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
}


def lowered(value: float, step: float, times: int) -> float:
    """`value` less `step`, that many times as long as it is above 0, with the rounding of a loop that does it.

    >>> lowered(1.0, 0.5, 9), lowered(1.0, 0.25, 2), lowered(1.0, 1 / 3, 9) < 0
    (0.0, 0.5, True)
    """
    for _ in range(min(times, 10**6)):
        if value <= 0:
            break
        value -= step
    return value


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "min": min,
    "max": max,
    "len": len,
    "floor": lambda x: int(x // 1),
    "power": lambda base, n: base**n,
    "range": lambda *ends: list(range(*ends)),
    "number": int,
    "after": lambda text, start: text[len(start) :] if text.startswith(start) else None,
    "starts": lambda text, start: text.startswith(start),
    "times": lambda text, n: text * n,
    "joined": lambda values, text, between: between.join(text.replace("_", str(value)) for value in values),
    "halvings": lambda size, end: (size // end).bit_length() - 1,
    "lowered": lowered,
    "filled": lambda text, value: text.replace("?", str(value)),
    "numbers": lambda text: [int(word) for word in text.split(",")],
    "items": lambda values, n: values[:n],
    "without": lambda values, left_out: [value for value in values if value != left_out],
    "upper": str.upper,
    "default": lambda value, otherwise: otherwise if value is None else value,
}


def value_of(tree: Expression, scope: Scope, refer: Refer | None = None, more: Scope | None = None) -> Any:
    """The value of `tree`. Names come from `scope`; with `refer`, dotted names (`judge.fake[a,b]`) are asked from it
    as `judge/fake[a,b]`. `more` are functions beside the usual ones."""

    def find(tree: Expression) -> Any:
        name = reference(tree) if refer else None
        if name is not None and refer is not None:
            return refer(name, tree.at)
        match tree:
            case Constant():
                return tree.value
            case Name():
                if tree.id not in scope:
                    raise ComposeError(f"unknown name '{tree.id}'", tree.at, nearest(tree.id, scope))
                return scope[tree.id]
            case Attribute():
                return _entry(find(tree.base), tree.name, tree)
            case Index():
                found = find(tree.base)
                for item in tree.items:
                    found = _entry(found, find(item), tree)
                return found
            case ListOf():
                return [find(item) for item in tree.items]
            case Operation(operator="and"):
                return all(find(o) for o in tree.operands)
            case Operation(operator="or"):
                return any(find(o) for o in tree.operands)
            case Operation():
                return _OPERATORS[tree.operator](*(find(o) for o in tree.operands))
            case Call(function=Name(id="where"), arguments=(condition, yes, no)):
                return find(yes if find(condition) else no)
            case Call(function=Name(), keywords=()):
                offered = {**_FUNCTIONS, **(more or {})}
                if tree.function.id not in offered:
                    raise ComposeError(f"no function '{tree.function.id}'", tree.at, nearest(tree.function.id, offered))
                return offered[tree.function.id](*(find(a) for a in tree.arguments))
        raise ComposeError(f"'{show(tree)}' has no value in a mapping", tree.at)

    try:
        return find(tree)
    except (TypeError, ValueError, ZeroDivisionError, AttributeError) as error:
        raise ComposeError(f"'{show(tree)}' cannot be worked out: {error}", tree.at) from None


def _entry(table: Any, key: Any, tree: Expression) -> Any:
    """An entry of a table or a list."""
    if isinstance(table, Mapping):
        if key not in table:
            raise ComposeError(f"'{show(tree)}': there is no '{key}'", tree.at, nearest(str(key), map(str, table)))
        return table[key]
    if isinstance(table, list) and isinstance(key, int) and -len(table) <= key < len(table):
        return table[key]
    raise ComposeError(f"'{show(tree)}': there is no '{key}'", tree.at)


def reference(tree: Expression) -> str | None:
    """`judge.fake[a,b]` -> "judge/fake[a,b]"; a text with a slash is such a name too; None for anything else."""
    if isinstance(tree, Constant) and isinstance(tree.value, str) and "/" in tree.value:
        return tree.value
    dotted = tree.base if isinstance(tree, Index) else tree
    if not isinstance(dotted, Attribute):
        return None
    items = f"[{','.join(show(i) for i in tree.items)}]" if isinstance(tree, Index) else ""
    return f"{show(dotted.base)}/{dotted.name}{items}"


def references(tree: Expression) -> list[str]:
    """Every name of a term or value in `tree`."""
    found = []
    inside: set[int] = set()  # the dotted name within `judge.fake[a,b]` is no name of its own
    for node in walk(tree):
        name = reference(node)
        if name is not None and id(node) not in inside:
            found.append(name)
            inside |= {id(part) for part in walk(node)}
    return found


def parse(value: Any, at: Place) -> Expression:
    """The tree of a scalar of the mapping: a number or truth value is itself, a text is an expression."""
    if isinstance(value, str):
        return parse_expression(value, at)
    return Constant(at, value)


def fill(template: str, scope: Scope, at: Place) -> str:
    """`template` with the value of every `{expression}`.

    >>> fill("down.{j + 1}.conv", {"j": 2}, Place("example"))
    'down.3.conv'
    """

    def one(match: re.Match[str]) -> str:
        return str(value_of(parse_expression(match[1], at.within(match.start(1), len(match[1]))), scope))

    return re.sub(r"\{([^{}]*)\}", one, template)
