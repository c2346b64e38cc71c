"""Calls of functions of the clock (`linear(1, 0, over=1000)`) and of plain numbers (`floor(size / 2)`)."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from composer import clock
from composer.block import catalogue
from composer.errors import ComposeError
from composer.expression import Call, kind_of, show
from composer.index import Binding
from composer.nodes import Node

if TYPE_CHECKING:
    from composer.elaborate import Elaborator

# How functions of numbers are called.
_FORMS = {
    "min": "min(a, b)",
    "max": "max(a, b)",
    "floor": "floor(a)",
    "ceil": "ceil(a)",
    "sqrt": "sqrt(a)",
    "log": "log(a)",
    "power": "power(a, b)",
    "count": "count(list)",
}


def number_call(elaborator: Elaborator, tree: Call, name: str, bound: Binding) -> Any:
    """What a call of `name` gives: a number, a node over the clock, or None where a block of that name is meant."""
    found = [elaborator.value(argument, bound) for argument in tree.arguments]
    named = {key: elaborator.value(value, bound) for key, value in tree.keywords}
    pairs = [*zip(found, tree.arguments, strict=True), *zip(named.values(), (v for _, v in tree.keywords), strict=True)]
    for value, argument in pairs:
        if isinstance(value, Node) and value.op != "clock":
            if name in catalogue() and found and value is found[0]:
                return None  # a block of the same name, called with a value: log(x), linear(code, 8)
            fact = f"'{show(argument)}' is a value, and {name} is for numbers and the clock"
            raise ComposeError(fact, argument.at, "use numbers, params and functions of the clock")
    if name in clock.NUMBERS:
        return _of_numbers(elaborator, tree, name, found, named, bound)
    for value, argument in pairs:
        if isinstance(value, (str, list)):
            raise ComposeError(f"'{show(argument)}' is {kind_of(value)}, no number", argument.at, _form(name))
    signature = inspect.signature(getattr(clock.Clock(0), name))
    try:
        signature.bind(*found, **named)
    except TypeError as error:
        raise ComposeError(_words(name, str(error)), tree.at, _form(name)) from None
    texts = [_source(value) for value in found] + [f"{key}={_source(value)}" for key, value in named.items()]
    return elaborator.table.node("clock", f"clock.{name}({', '.join(texts)})", tree.at, elaborator.text(tree, bound))


def _of_numbers(
    elaborator: Elaborator, tree: Call, name: str, found: list[Any], named: dict[str, Any], bound: Binding
) -> Any:
    remedy = f"write {_FORMS[name]}"
    if named:
        raise ComposeError(f"{name} has no '{next(iter(named))}'", tree.at, remedy)
    if any(isinstance(value, Node) for value in found):
        for value, argument in zip(found, tree.arguments, strict=True):
            if isinstance(value, (str, list)):
                raise ComposeError(f"'{show(argument)}' is {kind_of(value)}, no number", argument.at, remedy)
        text = f"{name}({', '.join(map(_source, found))})"
        return elaborator.table.node("clock", text, tree.at, elaborator.text(tree, bound))
    try:
        return clock.NUMBERS[name](*found)
    except (TypeError, ValueError, OverflowError):
        raise ComposeError(f"'{show(tree)}' has no value", tree.at, remedy) from None


def _words(name: str, text: str) -> str:
    """The complaint of Python about arguments, in plain words."""
    quoted = text.split("'")[1] if "'" in text else ""
    if text.startswith("missing"):
        return f"{name} needs '{quoted}'"
    if text.startswith("multiple"):
        return f"'{quoted}' of {name} is given twice"
    return f"{name} has no '{quoted}'" if quoted else f"too many numbers for {name}"


def _form(name: str) -> str:
    parameters = list(inspect.signature(getattr(clock.Clock, name)).parameters.values())[1:]
    words = [p.name if p.default is inspect.Parameter.empty else f"{p.name}={p.default}" for p in parameters]
    return f"write {name}({', '.join(words)})"


def _source(value: Any) -> str:
    return value.target if isinstance(value, Node) else repr(value)
