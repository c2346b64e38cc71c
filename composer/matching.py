"""A contract meets its arguments: axes are bound, demands are checked, and what comes out is worked out.

One way, along the data flow: sizes are numbers, or functions of the batch size, or not known.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from composer.arithmetic import ArithmeticProblem, evaluate_arithmetic, parse_arithmetic
from composer.limits import MOST_ITEMS
from composer.signature import (
    INTEGER_KINDS,
    REAL_KINDS,
    Axis,
    Dim,
    Mismatch,
    Port,
    Rows,
    Series,
    Several,
    Signature,
    Tensor,
    Type,
)


@dataclass(frozen=True)
class Match:
    """A contract met by arguments: what comes out, and the axes bound on the way."""

    output: Type
    axes: Mapping[str, Any]


def match(signature: Signature, arguments: Sequence[Type | None], settings: Mapping[str, Any]) -> Match:
    """Bind the axes of `signature` to `arguments` (None: an optional one left out) and work out what it gives.

    Raises `Mismatch` in the words of the user: which argument, what was needed, what it is.
    """
    bound: dict[str, Any] = {}
    kinds: dict[str, str] = {}
    sums: dict[str, Any] = {}
    ports = _assign(signature, len(arguments))
    for number, (port, argument) in enumerate(zip(ports, arguments, strict=True)):
        if argument is None:
            continue
        try:
            _bind(port, argument, bound, sums, kinds, settings, number, number == 0 or ports[number - 1] is not port)
        except ArithmeticProblem as problem:
            raise _no_size(problem, signature, number) from None
    names = {**settings, **bound, **sums}
    check_conditions(signature, names, {**bound, **sums})
    outputs = tuple(_output(port, names, bound, kinds, signature) for port in signature.outputs)
    return Match(outputs[0] if len(outputs) == 1 else Several(outputs), {**bound, **sums})


def check_conditions(signature: Signature, names: Mapping[str, Any], axes: Mapping[str, Any]) -> None:
    """Raise `Mismatch` for the first condition that does not hold; one about a size that is not known is let pass."""
    for condition in signature.conditions:
        used = sorted(
            {n.id for n in ast.walk(parse_arithmetic(condition)) if isinstance(n, ast.Name) and n.id in names}
        )
        if any(isinstance(names[n], Rows) or (n in axes and names[n] is None) for n in used):
            continue
        try:
            holds = evaluate_arithmetic(condition, names)
        except ArithmeticProblem as problem:
            raise _no_size(problem, signature) from None
        if not holds:
            raise Mismatch(f"needs {condition}, and {', '.join(f'{n} is {names[n]}' for n in used)}")


def _no_size(problem: ArithmeticProblem, signature: Signature, number: int | None = None) -> Mismatch:
    return Mismatch(f"a size cannot be worked out: {problem}", number, f"its contract is {signature.text}")


def _assign(signature: Signature, count: int) -> list[Port]:
    """Which port each of `count` arguments goes to."""
    ports = list(signature.inputs)
    if signature.variadic:
        spot = next(i for i, p in enumerate(ports) if p.variadic)
        extra = count - (len(ports) - 1)
        if extra < 1:
            remedy = f"its contract is {signature.text}"
            raise Mismatch(f"takes at least {len(ports)} values, got {count}", remedy=remedy)
        ports[spot : spot + 1] = [ports[spot]] * extra
        return ports
    if not signature.required <= count <= len(ports):
        wanted = ", ".join(str(p) for p in ports) or "nothing"
        fact = f"takes {_count(signature.required, len(ports))} ({wanted}), got {count}"
        raise Mismatch(fact, remedy=f"its contract is {signature.text}")
    return ports[:count]


def _count(low: int, high: int) -> str:
    return f"{low} value{'s' if low != 1 else ''}" if low == high else f"{low} to {high} values"


def _bind(
    port: Port,
    argument: Type,
    bound: dict[str, Any],
    sums: dict[str, Any],
    kinds: dict[str, str],
    settings: Mapping[str, Any],
    number: int,
    first: bool,
) -> None:
    if port.listed:
        items = argument.items if isinstance(argument, (Series, Several)) else (argument,)
        for item in items or ():
            if isinstance(item, Tensor):
                _bind(replace(port, listed=False), item, bound, sums, kinds, settings, number, first)
        return
    if isinstance(argument, Several):
        raise Mismatch(
            f"is given {len(argument.items)} values at once ({argument})",
            number,
            "name the parts on a line of their own: u, v: ...",
        )
    if isinstance(argument, Series):
        raise Mismatch(f"needs {port}, got a list", number, "take an item of it: f[0]")
    _check_kind(port, argument, number)
    kinds.setdefault(port.kind, argument.kind)
    if port.axes is None or argument.dims is None:
        for axis in port.axes or ():
            if axis.form == "name":
                bound.setdefault(axis.text, None)
            elif axis.form == "rest":
                bound.setdefault("...", None)
            elif axis.form == "sum":
                sums[axis.text] = None
        return
    dims = list(argument.dims)
    fixed = len([a for a in port.axes if a.form != "rest"])
    has_rest = fixed != len(port.axes)
    if len(dims) < fixed or (len(dims) > fixed and not has_rest):
        raise Mismatch(
            f"needs {port}: {'at least ' if has_rest else ''}{fixed} axes, got {argument} with {len(dims)}", number
        )
    position = 0
    for axis in port.axes:
        if axis.form == "rest":
            rest = tuple(dims[position : position + len(dims) - fixed])
            known = bound.get("...")
            if known is None:
                bound["..."] = rest
            elif len(known) != len(rest) or any(_differ(k, r) for k, r in zip(known, rest, strict=False)):
                fact = f"is given values of unlike sizes, {_sizes(known)} and {argument}"
                raise Mismatch(fact, number, "make them agree: resize(...), or another number of channels")
            position += len(rest)
            continue
        _bind_axis(axis, dims[position], port, argument, bound, sums, settings, number, first)
        position += 1


def _bind_axis(
    axis: Axis,
    size: Dim,
    port: Port,
    argument: Tensor,
    bound: dict[str, Any],
    sums: dict[str, Any],
    settings: Mapping[str, Any],
    number: int,
    first: bool,
) -> None:
    if axis.form == "unknown":
        return
    if axis.form == "sum":
        known = sums.get(axis.text, 0)
        sums[axis.text] = size if axis.text not in sums else (None if size is None or known is None else known + size)
        return
    if axis.form == "name" and axis.change in ("", ":"):
        if axis.change and isinstance(size, int):
            multiple = evaluate_arithmetic(axis.amount, {**settings, **bound})
            if multiple and size % multiple:
                low, high = size - size % multiple, size - size % multiple + multiple
                raise Mismatch(
                    f"needs {axis.text} to be a multiple of {multiple}, got {size} ({argument})",
                    number,
                    f"use {low} or {high}" if low else f"use {high}",
                )
        known = bound.get(axis.text)
        if known is None:
            bound[axis.text] = size
        elif _differ(known, size):
            fact = f"is given values with {axis.text} = {known} and with {axis.text} = {size} ({argument})"
            raise Mismatch(fact, number, "make them agree: resize(...), or another number of channels")
        return
    if axis.form == "number":
        wanted: Any = int(axis.text)
    else:
        names = {**settings, **bound}
        if axis.form == "expression":
            wanted = evaluate_arithmetic(axis.amount, names)
        else:
            wanted = _changed(axis, names)
    if wanted is not None and _differ(wanted, size):
        raise Mismatch(f"needs {port} with {axis.text}{axis.change}{axis.amount} = {wanted}, got {argument}", number)


def _changed(axis: Axis, names: Mapping[str, Any]) -> Any:
    size, amount = names.get(axis.text), evaluate_arithmetic(axis.amount, names)
    if size is None or amount is None:
        return None
    if axis.change == "*":
        return size * amount
    if isinstance(size, int) and size % amount:
        raise Mismatch(f"needs {axis.text} divisible by {amount}, got {size}")
    result = size / amount if isinstance(size, Rows) else size // amount
    return result


def _differ(a: Any, b: Any) -> bool:
    return a is not None and b is not None and a != b


def _sizes(dims: Sequence[Dim]) -> str:
    return "[" + " ".join("?" if d is None else str(d) for d in dims) + "]"


def _check_kind(port: Port, argument: Tensor, number: int) -> None:
    if port.kind in INTEGER_KINDS and argument.kind in REAL_KINDS:
        raise Mismatch(f"needs whole numbers ({port}), got {argument}", number, "give it labels or ids")
    if port.kind in REAL_KINDS and argument.kind in INTEGER_KINDS:
        raise Mismatch(f"needs {port}, got whole numbers ({argument})", number, "encode them: one_hot(labels, classes)")
    if argument.kind == "number" and port.axes:
        raise Mismatch(f"needs {port}, got a number", number)


def _output(
    port: Port, names: Mapping[str, Any], bound: Mapping[str, Any], kinds: Mapping[str, str], signature: Signature
) -> Type:
    kind = kinds.get(port.kind, port.kind)
    if kind == "number":
        kind = port.kind
    if not port.listed:
        return _item(port, kind, names, bound, signature)
    count = _items(port.count, names, signature)
    if count is None:
        return Series(None, _item(port, kind, {**names, "item": None, "inner": None}, bound, signature))

    def item(number: int) -> Type:
        own = {**names, "item": number}
        if not port.inner:
            return _item(port, kind, own, bound, signature)
        within = range(_items(port.inner, own, signature) or 0)
        return Series(tuple(_item(port, kind, {**own, "inner": n}, bound, signature) for n in within))

    return Series(tuple(map(item, range(count))))


def _items(text: str, names: Mapping[str, Any], signature: Signature) -> int | None:
    """How many items a list has; None where the contract does not say."""
    try:
        count = evaluate_arithmetic(text, names) if text else None
    except ArithmeticProblem as problem:
        raise _no_size(problem, signature) from None
    if count is not None and (isinstance(count, Rows) or not 0 <= count <= MOST_ITEMS):
        raise Mismatch(f"would give a list of {count} items", remedy=f"at most {MOST_ITEMS} are offered")
    return None if count is None else int(count)


def _item(port: Port, kind: str, names: Mapping[str, Any], bound: Mapping[str, Any], signature: Signature) -> Tensor:
    if port.axes is None:
        return Tensor(kind, None)
    known = bound.get("...") is not None or all(axis.form != "rest" for axis in port.axes)
    dims: list[Dim] = []
    for axis in port.axes if known else ():
        dims += bound["..."] if axis.form == "rest" else [_output_size(axis, names, signature)]
    return Tensor(kind, tuple(dims) if known else None)


def _output_size(axis: Axis, names: Mapping[str, Any], signature: Signature) -> Dim:
    if axis.form == "unknown":
        return None
    if axis.form == "number":
        return int(axis.text)
    if names.get("item", 0) is None and re.search(r"\b(item|inner)\b", axis.amount):
        return None  # of a list whose length is not known
    try:
        if axis.form == "expression":
            size = evaluate_arithmetic(axis.amount, names)
        elif axis.change:
            size = _changed(axis, names)
        else:
            size = names.get(axis.text)
    except ArithmeticProblem as problem:
        raise _no_size(problem, signature) from None
    if isinstance(size, float):
        if not size.is_integer():
            raise Mismatch(f"gives {axis.text} = {size:g}, which is not a whole size")
        size = int(size)
    if isinstance(size, bool) or (isinstance(size, int) and size < 1):
        raise Mismatch(f"an output size would be {size}, from {axis.text}", remedy="use larger inputs, or halve less")
    return size  # type: ignore[no-any-return]
