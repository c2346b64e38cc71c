"""What goes into an exported model and what comes out: names, types, sizes and ranges, found by trying it out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import torch

from composer.emit import identifier
from composer.errors import ComposeError
from composer.export.settle import masking
from composer.export.sizes import Steps, enlargement, find_steps, result_type, rounded, spatial
from composer.export.trial import Dims, Port, Trial, free
from composer.export.wrapped import Form, Given, Wrapped
from composer.nodes import Node, Translation
from composer.signature import INTEGER_KINDS

CHANNELS = {1: "gray", 2: "gray and opacity", 3: "RGB", 4: "RGB and opacity"}
OUTPUT = "translated"


@dataclass(frozen=True)
class Contract:
    """Everything a user of the file must know. `size`: of the only pictures it takes; None takes any."""

    inputs: tuple[Port, ...]
    output: Port
    steps: tuple[Steps, Steps]
    size: tuple[int, int] | None
    batch: int  # 0: any


def make_contract(
    program: Any, chosen: Translation, mode: str, *, unit: bool, size: tuple[int, int] | None
) -> tuple[Wrapped, Contract]:
    """The module that is to be exported and its contract; a `ComposeError` says what cannot be exported, and why."""
    inputs = _inputs(chosen)
    types = {node.target: program.shaped.types[node] for node in inputs.values()}
    main = next((name for name in types if spatial(types[name])), None)
    if main is None:
        raise ComposeError(f"'{chosen.name}' starts from no picture", remedy="call it from Python: program.translate")
    result = program.shaped.types[chosen.node]
    _check_result(chosen.name, result)
    wrapped = Wrapped(program, chosen, mode)
    wrapped.blank = _blank(program, chosen)
    groups = _groups(program, chosen.node, main, types)
    out = enlargement(types[main].dims, result.dims, chosen.name)
    steps = []
    for number in range(max(groups.values()) + 1):
        names = tuple(name for name, group in groups.items() if group == number)
        steps.append(find_steps(program, chosen.node, names, out if number == 0 else None))
    trained = [(types[n].dims[-2], types[n].dims[-1]) for n in groups if n == main or groups[n] > 0]
    if size is None and None in steps:
        size = trained[0]
    if size is not None:
        padded = [_fixed(chosen.name, size, own, sizes) for own, sizes in zip(trained, steps, strict=True)]
        wrapped.form = Form(unit, tuple(padded), out)
    else:
        wrapped.form = Form(unit, tuple(steps), out)
    givens = [Given(n, n, types[n].kind, groups.get(n, -1)) for n in types]
    wrapped.givens = tuple(replace(g, name=w) for g, w in zip(givens, _names(givens, main), strict=True))
    trial = Trial(wrapped, types, dynamic=size is None, trained=trained)
    trial.find_least(chosen.name)
    ports = [_port(g, types[g.source], program, chosen, unit, size) for g in wrapped.givens]
    ports += trial.draws(chosen.name, masking(list(wrapped.networks.values())), {p.name for p in ports})
    wrapped.givens += tuple(Given(p.name, p.source, "draw") for p in ports if p.kind == "draw")
    batch = 0 if trial.apart else 1
    if batch:
        ports = [replace(p, dims=tuple(1 if d == "n" else d for d in p.dims)) for p in ports]
    assert wrapped.form is not None
    return wrapped, Contract(tuple(ports), _output(ports[0], result, out, unit), wrapped.form.steps[0], size, batch)


def _inputs(chosen: Translation) -> dict[str, Node]:
    """The inputs that a translation computes with, in the order of their use; what only draws count is not one."""
    for node in _before(chosen.node, through_draws=False):
        if node.op == "grad":
            raise ComposeError(
                f"'{chosen.name}' takes a derivative ({node.text})", chosen.place, "it cannot be exported"
            )
        if node.op == "state":
            fact = f"'{chosen.name}' depends on the state '{node.name}'"
            raise ComposeError(fact, chosen.place, "an exported model remembers nothing between calls")
    return {n.target: n for n in _before(chosen.node, through_draws=False) if n.op == "input"}


def _before(node: Node, *, through_draws: bool) -> list[Node]:
    order: dict[Node, None] = {}
    stack = [node]
    found: list[Node] = []
    while stack:
        one = stack.pop()
        if one in order:
            continue
        order[one] = None
        found.append(one)
        if one.op != "draw" or through_draws:
            children = [*one.args, *(v for _, v in one.settings if isinstance(v, Node))]
            stack.extend(reversed(children))
    return found


def _blank(program: Any, chosen: Translation) -> dict[str, tuple[tuple[int, ...], torch.dtype]]:
    """Sizes after the rows, and types, of all inputs: those that only draws count are given as zeros."""
    found = {}
    for node in _before(chosen.node, through_draws=True):
        own = program.shaped.types[node]
        if node.op == "input" and own.dims is not None:
            dtype = torch.int64 if own.kind in INTEGER_KINDS else torch.float32
            found[node.target] = (tuple(own.dims[1:]), dtype)
    return found


def _check_result(name: str, result: Any) -> None:
    dims = getattr(result, "dims", None)
    if dims is None or len(dims) != 4 or result.kind in INTEGER_KINDS:
        raise ComposeError(f"'{name}' gives no picture", remedy="call it from Python: program.translate")
    if dims[1] not in CHANNELS:
        fact = f"'{name}' gives {dims[1]} channels"
        raise ComposeError(fact, remedy="a picture has 1 to 4; call it from Python: program.translate")


def _groups(program: Any, node: Node, main: str, types: Mapping[str, Any]) -> dict[str, int]:
    """Inputs with a height and a width: 0 where they must be as large as `main`, else a number of their own."""
    found = {main: 0}
    trained = result_type(program, node, {})
    for name, own in types.items():
        if name == main or not spatial(own):
            continue
        double = result_type(program, node, {name: (2 * own.dims[-2], 2 * own.dims[-1])})
        found[name] = max(found.values()) + 1 if double == trained else 0
    return found


def _fixed(name: str, size: tuple[int, int], trained: tuple[int, int], steps: Any) -> tuple[Steps, Steps]:
    if steps is None and size != trained:
        fact = f"'{name}' takes pictures of {trained[0]} x {trained[1]} only"
        raise ComposeError(fact, remedy=f"leave out --size, or say --size {trained[0]}x{trained[1]}")
    high, wide = size if steps is None else (steps[0].padded(size[0]), steps[1].padded(size[1]))
    return Steps(high, 1), Steps(wide, 1)


def _names(givens: Sequence[Given], main: str) -> list[str]:
    found: list[str] = []
    for given in givens:
        wanted = "image" if given.source == main and given.kind == "image" else identifier(given.source)
        found.append(free(wanted, {*found, OUTPUT}))
    return found


def _port(given: Given, own: Any, program: Any, chosen: Translation, unit: bool, size: tuple[int, int] | None) -> Port:
    mark = "" if given.group <= 0 else str(given.group + 1)
    high, wide = (f"h{mark}", f"w{mark}") if size is None else size
    whole = given.kind in INTEGER_KINDS
    if given.kind == "image":
        colours = CHANNELS.get(own.dims[1], f"{own.dims[1]} channels")
        dims: Dims = ("n", own.dims[1], high, wide) if unit else ("n", high, wide, own.dims[1])
        meaning = f"{colours}, {'0 to 1' if unit else '0 to 255'}"
        return Port(given.name, given.source, "image", "float32" if unit else "uint8", dims, meaning)
    dims = ("n", *own.dims[1:-2], high, wide) if given.group >= 0 else ("n", *own.dims[1:])
    classes = _classes(program, chosen, given.source) if whole else 0
    meaning = given.kind + (f", whole numbers 0 to {classes - 1}" if classes else "")
    return Port(given.name, given.source, given.kind, "int64" if whole else "float32", dims, meaning, classes)


def _classes(program: Any, chosen: Translation, name: str) -> int:
    fields = [f for s in program.graph.streams for f in s.fields] + list(chosen.fields)
    return next((int(f.args[0]) for f in fields if f.name == name and f.kind in ("label", "label_map")), 0)


def _output(picture: Port, result: Any, out: tuple[Fraction, Fraction], unit: bool) -> Port:
    inside = picture.dims[1:3] if picture.dtype == "uint8" else picture.dims[-2:]
    high, wide = (_times(size, factor) for size, factor in zip(inside, out, strict=True))
    rows, channels = picture.dims[0], result.dims[1]
    dims: Dims = (rows, channels, high, wide) if unit else (rows, high, wide, channels)
    meaning = f"{CHANNELS[channels]}, {'0 to 1' if unit else '0 to 255'}"
    return Port(OUTPUT, "", "image", "float32" if unit else "uint8", dims, meaning)


def _times(size: int | str, factor: Fraction) -> int | str:
    if isinstance(size, int):
        return int(rounded(size, factor))
    return size if factor == 1 else f"{factor}*{size}"
