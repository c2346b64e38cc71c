"""The law of refusals: what a contract forbids is said before anything is allocated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

from composer.arithmetic import evaluate_arithmetic
from composer.errors import ComposeError, Place
from composer.matching import match
from composer.nodes import Graph
from composer.setting import check_setting
from composer.shapes import Inference
from composer.signature import INTEGER_KINDS, REAL_KINDS, Mismatch, Port, Tensor, Type
from composer.testing.contracts.cases import Case, arguments, types_of
from composer.testing.contracts.trials import SCALES, Broken


def refuses_what_it_forbids(case: Case) -> None:
    """Wrong numbers of values and axes, sizes that do not fit, kinds, settings out of range, another size later."""
    signature = case.signature
    for scale in SCALES:
        values = arguments(case, scale)
        types = types_of(values, signature)
        try:
            axes = match(signature, types, case.settings).axes
        except Mismatch:
            continue
        break
    else:
        return
    ports = [p for p in signature.inputs if not p.optional or case.optional]
    if not signature.variadic:
        _refused(case, [*types, *([types[0]] if types else [Tensor("x", (2,))] * 1), *[Tensor("x", (2,))] * 3])
        if signature.required:
            _refused(case, types[: signature.required - 1])
        for number, (port, found) in enumerate(zip(ports, types, strict=True)):
            if isinstance(found, Tensor) and found.dims is not None and port.axes is not None:
                for wrong in _wrong(port, found, case.settings, axes):
                    _refused(case, [*types[:number], wrong, *types[number + 1 :]])
        _another_size(case, ports, types)
    if case.block.role == "module":
        _another_size_later(case, axes)
    _settings_out_of_range(case)


def _refused(case: Case, types: Sequence[Type]) -> None:
    try:
        match(case.signature, types, case.settings)
    except Mismatch:
        return
    raise Broken(f"its contract lets {', '.join(map(str, types))} pass\n  {case}")


def _wrong(port: Port, found: Tensor, settings: Mapping[str, Any], axes: Mapping[str, Any]) -> list[Tensor]:
    """Types that do not fit: an axis less or more, not a multiple, another number, whole numbers for real ones."""
    assert port.axes is not None and found.dims is not None
    wrong = []
    open_ended = any(a.form == "rest" for a in port.axes)
    if len(port.axes) - open_ended > 0 and len(found.dims) == len(port.axes) - open_ended:
        wrong.append(replace(found, dims=found.dims[:-1]))
    if not open_ended:
        wrong.append(replace(found, dims=(*found.dims, 1)))
        for place, (axis, size) in enumerate(zip(port.axes, found.dims, strict=True)):
            if not isinstance(size, int):
                continue
            multiple = evaluate_arithmetic(axis.amount, {**settings, **axes}) if axis.change == ":" else 1
            if axis.form in ("number", "expression") or axis.change in ("*", "/") or multiple > 1:
                wrong.append(replace(found, dims=(*found.dims[:place], size + 1, *found.dims[place + 1 :])))
    if port.kind in REAL_KINDS:
        wrong.append(replace(found, kind=min(INTEGER_KINDS)))
    if port.kind in INTEGER_KINDS:
        wrong.append(replace(found, kind=min(REAL_KINDS)))
    return wrong


def _another_size(case: Case, ports: Sequence[Port], types: Sequence[Type]) -> None:
    """An axis that two inputs have in common is the same in both."""
    seen: dict[str, int] = {}
    for number, (port, found) in enumerate(zip(ports, types, strict=True)):
        if port.axes is None or not isinstance(found, Tensor) or found.dims is None:
            continue
        if any(a.form == "rest" for a in port.axes[:-1]):
            continue
        for place, axis in enumerate(port.axes):
            if axis.form != "name" or axis.change:
                continue
            if axis.text in seen:
                size = cast(int, found.dims[place]) + 1
                wrong = replace(found, dims=(*found.dims[:place], size, *found.dims[place + 1 :]))
                _refused(case, [*types[:number], wrong, *types[number + 1 :]])
            seen[axis.text] = number


def _another_size_later(case: Case, axes: Mapping[str, Any]) -> None:
    """A network is built at its first call, and refuses a later one with other sizes of what it was built for."""
    empty = cast(Graph, SimpleNamespace(streams=(), translations={}))
    for axis in case.block.axes:
        inference = Inference(empty)
        inference.bind("N", case.block, axes, Place("laws.yaml"), "N(x)")
        inference.bind("N", case.block, axes, Place("laws.yaml"), "N(x)")
        try:
            inference.bind("N", case.block, {**axes, axis: axes[axis] + 1}, Place("laws.yaml"), "N(y)")
        except ComposeError:
            continue
        raise Broken(f"a second call with another {axis} is let pass")


def _settings_out_of_range(case: Case) -> None:
    for setting in case.block.settings:
        wrong: list[Any] = [
            v
            for v, bound in (((setting.low or 0) - 1, setting.low), ((setting.high or 0) + 1, setting.high))
            if bound is not None
        ]
        if setting.choices:
            wrong.append("none of these")
        if setting.type in ("int", "float", "bool"):
            wrong.append([1])
        for value in wrong:
            if check_setting(case.block, setting.name, value, Place("laws.yaml")) is None:
                raise Broken(f"its setting {setting.name} takes {value!r}")
