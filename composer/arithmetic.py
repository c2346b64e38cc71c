"""Numbers worked out from text: the `{...}` of signatures. Python's `ast` reads it; nothing is executed."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

_BINARY: dict[type[ast.operator], Any] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_COMPARE: dict[type[ast.cmpop], Any] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}
_FUNCTIONS: dict[str, Any] = {
    "min": min,
    "max": max,
    "len": len,
    "abs": abs,
    "sum": sum,
    "int": int,
    "round": round,
    "isqrt": math.isqrt,  # the whole part of a square root
}
LARGEST = 10**12


class ArithmeticProblem(ValueError):
    """The text is not arithmetic, or has no value."""


@lru_cache(maxsize=4096)
def parse_arithmetic(text: str) -> ast.expr:
    """The tree of `text`, or an `ArithmeticProblem`."""
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ArithmeticProblem(f"'{text}' is not arithmetic: {error}") from None


def evaluate_arithmetic(text: str, names: Mapping[str, Any]) -> Any:
    """The value of `text` with `names`; `None` where an unknown size (`None`) takes part in a sum or product."""
    try:
        return _value(parse_arithmetic(text), names)
    except (TypeError, ValueError, LookupError, ArithmeticError, AttributeError) as error:
        if isinstance(error, ArithmeticProblem):
            raise
        raise ArithmeticProblem(f"'{text}' has no value: {error}") from None


def _value(tree: ast.expr, names: Mapping[str, Any]) -> Any:
    if isinstance(tree, ast.Constant):
        return tree.value
    if isinstance(tree, ast.Name):
        if tree.id not in names:
            raise ArithmeticProblem(f"unknown name '{tree.id}'")
        return names[tree.id]
    if isinstance(tree, ast.BinOp):
        left, right = _value(tree.left, names), _value(tree.right, names)
        if left is None or right is None:
            return None
        if isinstance(tree.op, ast.Pow):
            if not (isinstance(left, int) and isinstance(right, int) and 0 <= right <= 64 and abs(left) <= 64):
                raise ArithmeticProblem(f"{left} ** {right} is too large")
            return left**right
        if type(tree.op) not in _BINARY:
            raise ArithmeticProblem(f"operator {type(tree.op).__name__} is not offered")
        try:
            result = _BINARY[type(tree.op)](left, right)
        except (ZeroDivisionError, TypeError, OverflowError) as error:
            raise ArithmeticProblem(str(error)) from None
        if isinstance(result, (int, float)) and abs(result) > LARGEST:
            raise ArithmeticProblem(f"{result:.3g} is too large")
        return result
    if isinstance(tree, ast.UnaryOp):
        inner = _value(tree.operand, names)
        if isinstance(tree.op, ast.Not):
            return not inner
        return None if inner is None else (-inner if isinstance(tree.op, ast.USub) else inner)
    if isinstance(tree, ast.Compare):
        left = _value(tree.left, names)
        for op, right_tree in zip(tree.ops, tree.comparators, strict=True):
            right = _value(right_tree, names)
            if not _COMPARE[type(op)](left, right):
                return False
            left = right
        return True
    if isinstance(tree, ast.BoolOp):
        values = [_value(v, names) for v in tree.values]
        return all(values) if isinstance(tree.op, ast.And) else any(values)
    if isinstance(tree, ast.IfExp):
        return _value(tree.body if _value(tree.test, names) else tree.orelse, names)
    if isinstance(tree, (ast.List, ast.Tuple)):
        return [_value(v, names) for v in tree.elts]
    if isinstance(tree, ast.Subscript):
        return _value(tree.value, names)[_value(tree.slice, names)]
    if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name) and tree.func.id in _FUNCTIONS:
        args = [_value(a, names) for a in tree.args]
        return None if any(a is None for a in args) else _FUNCTIONS[tree.func.id](*args)
    raise ArithmeticProblem(f"'{ast.unparse(tree)}' is not arithmetic")
