"""What a contract gives: the type of what comes out, worked out from settings and bound axes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from composer.arithmetic import ArithmeticProblem, evaluate_arithmetic
from composer.limits import MOST_ITEMS
from composer.signature import UNKNOWN, Axis, Dim, Mismatch, Port, Rows, Series, Several, Signature, Tensor, Type

Names = Mapping[str, Any]
OPEN = object()  # the number of an item, or of a list, of which nobody knows how many there are
# Items of a list that are alike: their output, how many they are (None: not known), and what its axes are made of.
Run = tuple[Port, int | None, Names]


@dataclass(frozen=True)
class Promise:
    """The right side of a contract, with what its left side bound."""

    signature: Signature
    names: Names  # settings and axes
    bound: Mapping[str, Any]  # axes alone
    kinds: Mapping[str, str]  # what a kind of the contract is here

    def output(self) -> Type:
        """The type of what comes out; a `Mismatch` for sizes and layers that cannot be."""
        if self.signature.picked:
            return self._picked()
        outputs = tuple(self._given(port) for port in self.signature.outputs)
        return outputs[0] if len(outputs) == 1 else Several(outputs)

    def layers(self) -> int | None:
        """How many items there are to pick from; None where that is not known."""
        return _length(self._runs(self.signature.outputs[0], self.names))

    def _picked(self) -> Series:
        runs = self._runs(self.signature.outputs[0], self.names)
        found: list[Type] = []
        for tap in wanted_layers(self.signature.picked, self.names, _length(runs)):
            before = 0
            for port, count, names in runs:
                if count is None:
                    found.append(UNKNOWN)
                    break
                if tap < before + count:
                    found.append(self._item(port, {**names, "item": tap - before}))
                    break
                before += count
        return Series(tuple(found))

    def _given(self, port: Port) -> Type:
        if not port.parts and not port.listed:
            return self._item(port, self.names)
        if not port.parts or not port.listed:
            return self._list(port, self.names)
        count = self._count(port, self.names)
        if count is None:
            return Series(None, self._list(replace(port, listed=False), {**self.names, "group": OPEN}))
        one = replace(port, listed=False)
        return Series(tuple(self._list(one, {**self.names, "group": n}) for n in range(count)))

    def _list(self, port: Port, names: Names) -> Series:
        runs = self._runs(port, names)
        if _length(runs) is None:
            each = UNKNOWN if port.parts else self._item(port, {**names, "item": OPEN})
            return Series(None, each)
        limited(_length(runs))
        return Series(
            tuple(self._item(one, {**inner, "item": n}) for one, count, inner in runs for n in range(count or 0))
        )

    def _runs(self, port: Port, names: Names) -> list[Run]:
        """What a list is made of, in order."""
        found = list(islice(self._run_after_run(port, names), MOST_ITEMS + 1))
        limited(len(found))
        return found

    def _run_after_run(self, port: Port, names: Names) -> Iterator[Run]:
        count = self._count(port, names) if port.listed else 1
        if not port.parts or count is None:
            yield port, count, names
            return
        for number in range(count):
            for part in port.parts:
                yield from self._run_after_run(part, {**names, "group": number} if port.listed else names)

    def _count(self, port: Port, names: Names) -> int | None:
        """How many items a list has; None where that is not known."""
        if not port.count or _is_open(port.count, names):
            return None
        try:
            count = evaluate_arithmetic(port.count, names)
        except ArithmeticProblem as problem:
            raise no_size(problem, self.signature) from None
        return None if count is None else limited(count)

    def _item(self, port: Port, names: Names) -> Tensor:
        kind = self.kinds.get(port.kind, port.kind)
        if kind == "number":
            kind = port.kind
        if port.axes is None:
            return Tensor(kind, None)
        rest = self.bound.get("...")
        if rest is None and any(axis.form == "rest" for axis in port.axes):
            return Tensor(kind, None)
        dims: list[Dim] = []
        for axis in port.axes:
            dims += rest or () if axis.form == "rest" else [self._size(axis, names)]
        return Tensor(kind, tuple(dims))

    def _size(self, axis: Axis, names: Names) -> Dim:
        if axis.form == "unknown":
            return None
        if axis.form == "number":
            return int(axis.text)
        if _is_open(axis.amount, names):
            return None  # of a list whose length is not known
        try:
            if axis.form == "expression":
                size = evaluate_arithmetic(axis.amount, names)
            elif axis.change:
                size = changed(axis, names)
            else:
                size = names.get(axis.text)
        except ArithmeticProblem as problem:
            raise no_size(problem, self.signature) from None
        if isinstance(size, float):
            if not size.is_integer():
                raise Mismatch(f"gives {axis.text} = {size:g}, which is not a whole size")
            size = int(size)
        if isinstance(size, bool) or (isinstance(size, int) and size < 1):
            raise Mismatch(
                f"an output size would be {size}, from {axis.text}", remedy="use larger inputs, or halve less"
            )
        return size  # type: ignore[no-any-return]


def _length(runs: Sequence[Run]) -> int | None:
    counts = [count for _, count, _ in runs]
    return None if None in counts else sum(count or 0 for count in counts)


def limited(count: Any) -> int:
    """The number of items of a list, or a `Mismatch`."""
    if isinstance(count, Rows) or not 0 <= count <= MOST_ITEMS:
        raise Mismatch(f"would give a list of {count} items", remedy=f"at most {MOST_ITEMS} are offered")
    return int(count)


def _is_open(amount: str, names: Names) -> bool:
    """Whether arithmetic asks for the number of an item or a list that has none."""
    return any(names.get(word) is OPEN and re.search(rf"\b{word}\b", amount) for word in ("item", "group"))


def wanted_layers(setting: str, names: Names, count: int | None) -> Sequence[int]:
    """The numbers of layers that the setting lists; a `Mismatch` for what is no list of layers that there are."""
    remedy = f"write numbers of layers: {setting}=[0, 2]"
    if setting not in names:
        raise Mismatch(f"needs '{setting}', the numbers of the layers to give", remedy=remedy)
    taps = names[setting]
    if not isinstance(taps, (list, tuple)):
        raise Mismatch(f"'{setting}' is {shown(taps)}, not a list of numbers of layers", remedy=remedy)
    if not taps:
        raise Mismatch(f"'{setting}' names no layer", remedy=remedy)
    for tap in taps:
        if not isinstance(tap, int) or isinstance(tap, bool):
            raise Mismatch(f"'{setting}' has {shown(tap)}, which is no whole number", remedy=remedy)
        if tap < 0 or (count is not None and tap >= count):
            numbered = "from 0" if count is None else f"from 0 to {count - 1}"
            raise Mismatch(f"there is no layer {tap}", remedy=f"layers are numbered {numbered}")
    return taps


def shown(value: Any) -> str:
    """A plain value as a user writes it."""
    if isinstance(value, (bool, int, float, str)):
        return str(value).lower() if isinstance(value, bool) else repr(value)
    return "a value of the run" if value is not None else "a number that changes in the run"


def changed(axis: Axis, names: Names) -> Any:
    """The size that an axis such as `h*2` or `h/4` asks for, or None."""
    size, amount = names.get(axis.text), evaluate_arithmetic(axis.amount, names)
    if size is None or amount is None:
        return None
    if axis.change == "*":
        return size * amount
    if isinstance(size, int) and size % amount:
        raise Mismatch(f"needs {axis.text} divisible by {amount}, got {size}")
    return size / amount if isinstance(size, Rows) else size // amount


def no_size(problem: ArithmeticProblem, signature: Signature, number: int | None = None) -> Mismatch:
    """Arithmetic of a contract that has no value, as what is wrong with a call."""
    return Mismatch(f"a size cannot be worked out: {problem}", number, f"its contract is {signature}")
