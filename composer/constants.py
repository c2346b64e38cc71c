"""Operators on what is known before the run: numbers, truth values, and texts that are compared."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

from composer.errors import ComposeError
from composer.expression import Operation, kind_of, show
from composer.limits import LARGEST_NUMBER

_NUMBERS: dict[str, Callable[..., Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "%": operator.mod,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "neg": operator.neg,
}
_ANYTHING: dict[str, Callable[..., Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "not": operator.not_,
    "and": lambda *values: all(values),
    "or": lambda *values: any(values),
}


def operate(tree: Operation, values: Sequence[Any]) -> Any:
    """The value of an operator on constants. Raises a `ComposeError` for texts in sums and numbers without end."""
    if tree.operator in _ANYTHING:
        return _ANYTHING[tree.operator](*values)
    for value, operand in zip(values, tree.operands, strict=True):
        if not isinstance(value, (int, float)):
            raise ComposeError(
                f"'{show(operand)}' is {kind_of(value)}, no number", operand.at, f"'{_symbol(tree)}' is for numbers"
            )
    try:
        found = _NUMBERS[tree.operator](*values)
    except ZeroDivisionError:
        raise ComposeError(f"'{show(tree)}' divides by zero", tree.at, "change what it divides by") from None
    return bounded(found, tree)


def bounded(found: Any, tree: Operation) -> Any:
    """`found`, when it is a number that can be used."""
    if not isinstance(found, bool) and isinstance(found, (int, float)):
        if not math.isfinite(found) or abs(found) > LARGEST_NUMBER:
            raise ComposeError(f"'{show(tree)}' is too large", tree.at, f"use numbers below {LARGEST_NUMBER:g}")
    return found


def _symbol(tree: Operation) -> str:
    return "-" if tree.operator == "neg" else tree.operator
