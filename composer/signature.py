"""Contracts of blocks: one string with named axes, parsed once, matched one way along the data flow.

    image[b c h:8 w:8], style[b s] -> image[b {out} h*2 w*2]

An axis is a name, a number, `?` (promises nothing), `...` (any further axes), `c+` (summed over the arguments
of a variadic input), a name with `*n`, `/n` or (inputs) `:n` "a multiple of n", or `{arithmetic}` over
settings and bound axes. After a kind's brackets: `?` an optional input, `+` one or more of it, `*` a list,
`*{n}` a list of n.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from typing import Any

from composer.arithmetic import ArithmeticProblem, evaluate_arithmetic


@dataclass(frozen=True)
class Rows:
    """How many rows a batch axis has, as a function of the batch size b: `times * b + plus`."""

    times: Fraction = Fraction(1)
    plus: int = 0

    def at(self, batch: int) -> Fraction:
        return self.times * batch + self.plus

    def _combine(self, other: Any, sign: int) -> Any:
        if isinstance(other, Rows):
            result = Rows(self.times + sign * other.times, self.plus + sign * other.plus)
        else:
            result = Rows(self.times, self.plus + sign * int(other))
        return result.plus if result.times == 0 else result

    def __add__(self, other: Any) -> Any:
        return self._combine(other, 1)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        return self._combine(other, -1)

    def __mul__(self, other: Any) -> Any:
        if isinstance(other, Rows):
            return None
        return Rows(self.times * other, self.plus * other)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Any:
        if not isinstance(other, int) or other == 0 or self.plus % other:
            return None
        return Rows(self.times / other, self.plus // other)

    __floordiv__ = __truediv__

    def __str__(self) -> str:
        top = "" if self.times.numerator == 1 else str(self.times.numerator)
        text = f"{top}b" + (f"/{self.times.denominator}" if self.times.denominator != 1 else "")
        return text + (f"{self.plus:+d}" if self.plus else "")


Dim = int | Rows | None


@dataclass(frozen=True)
class Tensor:
    """Kind and sizes of a value; `dims` is None where nothing is promised, an unknown size is None."""

    kind: str
    dims: tuple[Dim, ...] | None

    def __str__(self) -> str:
        if self.dims is None:
            return f"{self.kind}[...]"
        if not self.dims:
            return self.kind
        return f"{self.kind}[" + " ".join("?" if d is None else str(d) for d in self.dims) + "]"


@dataclass(frozen=True)
class Series:
    """A list of values: its items where their number is known, otherwise what each is like."""

    items: tuple[Type, ...] | None
    each: Type | None = None

    def __str__(self) -> str:
        if self.items is None:
            return f"list of {self.each}"
        return "(" + ", ".join(str(i) for i in self.items) + ")"


@dataclass(frozen=True)
class Several:
    """What a block gives that returns more than one value."""

    items: tuple[Type, ...]

    def __str__(self) -> str:
        return ", ".join(str(i) for i in self.items)


Type = Tensor | Series | Several
UNKNOWN = Tensor("value", None)
INTEGER_KINDS = frozenset({"label", "label_map", "ids", "index"})
REAL_KINDS = frozenset({"image", "features", "style", "code", "latent"})


@dataclass(frozen=True)
class Axis:
    """One axis of a contract: `form` is name | number | unknown | rest | sum | expression."""

    form: str
    text: str
    change: str = ""  # "", "*", "/" or ":"
    amount: str = ""  # arithmetic

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Port:
    """One input or output of a contract."""

    kind: str
    axes: tuple[Axis, ...] | None  # None: nothing said
    optional: bool = False
    variadic: bool = False
    listed: bool = False
    count: str = ""  # arithmetic: how many items the list has

    def __str__(self) -> str:
        inner = "" if self.axes is None else "[" + " ".join(a.text for a in self.axes) + "]"
        return self.kind + inner


@dataclass(frozen=True)
class Signature:
    """A parsed contract."""

    text: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]

    @property
    def variadic(self) -> bool:
        return any(p.variadic for p in self.inputs)

    @property
    def required(self) -> int:
        return sum(not p.optional for p in self.inputs)


class Mismatch(ValueError):
    """Arguments that do not fit a contract; `argument` is the number of the one at fault, from 0."""

    def __init__(self, fact: str, argument: int | None = None, remedy: str = "") -> None:
        super().__init__(fact)
        self.fact, self.argument, self.remedy = fact, argument, remedy


_PORT = re.compile(r"\s*([A-Za-z_]\w*)\s*")
_AXIS = re.compile(r"\.\.\.|\?|\{[^{}]*\}|\d+|[A-Za-z_]\w*\+?(?:[*/:](?:\d+|[A-Za-z_]\w*|\{[^{}]*\}))?")


@lru_cache(maxsize=1024)
def parse_signature(text: str) -> Signature:
    """Parse a contract; a `ValueError` says what is wrong with it."""
    left, arrow, right = text.partition("->")
    if not arrow:
        raise ValueError(f"signature '{text}' has no '->'")
    return Signature(text, _ports(left, text), _ports(right, text))


def _ports(text: str, whole: str) -> tuple[Port, ...]:
    ports: list[Port] = []
    position = 0
    while position < len(text.rstrip()):
        found = _PORT.match(text, position)
        if not found:
            raise ValueError(f"signature '{whole}': a kind is expected at '{text[position:].strip()}'")
        kind, position = found.group(1), found.end()
        axes: tuple[Axis, ...] | None = None
        if text[position : position + 1] == "[":
            end = text.index("]", position)
            axes = _axes(text[position + 1 : end], whole)
            position = end + 1
        port = Port(kind, axes)
        while position < len(text) and text[position] in "?+*":
            mark = text[position]
            position += 1
            if mark == "?":
                port = replace(port, optional=True)
            elif mark == "+":
                port = replace(port, variadic=True)
            else:
                port = replace(port, listed=True)
                if text[position : position + 1] == "{":
                    end = text.index("}", position)
                    port = replace(port, count=text[position + 1 : end])
                    position = end + 1
        ports.append(port)
        rest = text[position:].lstrip()
        if rest and not rest.startswith(","):
            raise ValueError(f"signature '{whole}': ',' expected at '{rest}'")
        position = len(text) - len(rest) + 1 if rest else len(text)
    return tuple(ports)


def _axes(text: str, whole: str) -> tuple[Axis, ...]:
    axes: list[Axis] = []
    position = 0
    while position < len(text):
        if text[position].isspace():
            position += 1
            continue
        found = _AXIS.match(text, position)
        if not found:
            raise ValueError(f"signature '{whole}': '{text[position:]}' is no axis")
        axes.append(_axis(found.group()))
        position = found.end()
    return tuple(axes)


def _axis(word: str) -> Axis:
    if word == "...":
        return Axis("rest", word)
    if word == "?":
        return Axis("unknown", word)
    if word.isdigit():
        return Axis("number", word)
    if word.startswith("{"):
        return Axis("expression", word, amount=word[1:-1])
    if word.endswith("+"):
        return Axis("sum", word[:-1])
    name, change, amount = re.match(r"(\w+)([*/:]?)(.*)", word).groups()  # type: ignore[union-attr]
    return Axis("name", name, change, amount.strip("{}"))


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
            raise Mismatch(f"{signature.text}: {problem}", number) from None
    names = {**settings, **bound, **sums}
    outputs = tuple(_output(port, names, bound, kinds, signature) for port in signature.outputs)
    return Match(outputs[0] if len(outputs) == 1 else Several(outputs), {**bound, **sums})


def _assign(signature: Signature, count: int) -> list[Port]:
    """Which port each of `count` arguments goes to."""
    ports = list(signature.inputs)
    if signature.variadic:
        spot = next(i for i, p in enumerate(ports) if p.variadic)
        extra = count - (len(ports) - 1)
        if extra < 1:
            raise Mismatch(f"takes at least {len(ports)} values, got {count}")
        ports[spot : spot + 1] = [ports[spot]] * extra
        return ports
    if not signature.required <= count <= len(ports):
        wanted = ", ".join(str(p) for p in ports) or "nothing"
        raise Mismatch(f"takes {_count(signature.required, len(ports))} ({wanted}), got {count}")
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
                raise Mismatch(f"needs the same further sizes everywhere, got {_sizes(known)} and {argument}", number)
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
            raise Mismatch(f"needs {axis.text}={known} as before, got {size} ({argument})", number)
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
        raise Mismatch(f"needs whole numbers ({port}), got {argument}", number)
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
    if port.axes is None:
        item: Type = Tensor(kind, None)
    else:
        known = bound.get("...") is not None or all(axis.form != "rest" for axis in port.axes)
        dims: list[Dim] = []
        for axis in port.axes if known else ():
            dims += bound["..."] if axis.form == "rest" else [_output_size(axis, names, signature)]
        item = Tensor(kind, tuple(dims) if known else None)
    if not port.listed:
        return item
    if not port.count:
        return Series(None, item)
    try:
        count = evaluate_arithmetic(port.count, names)
    except ArithmeticProblem as problem:
        raise Mismatch(f"{signature.text}: {problem}") from None
    return Series((item,) * int(count)) if count is not None else Series(None, item)


def _output_size(axis: Axis, names: Mapping[str, Any], signature: Signature) -> Dim:
    if axis.form == "unknown":
        return None
    if axis.form == "number":
        return int(axis.text)
    try:
        if axis.form == "expression":
            size = evaluate_arithmetic(axis.amount, names)
        elif axis.change:
            size = _changed(axis, names)
        else:
            size = names.get(axis.text)
    except ArithmeticProblem as problem:
        raise Mismatch(f"{signature.text}: {problem}") from None
    if isinstance(size, float):
        if not size.is_integer():
            raise Mismatch(f"gives {axis.text} = {size:g}, which is not a whole size")
        size = int(size)
    if isinstance(size, bool) or (isinstance(size, int) and size < 1):
        raise Mismatch(f"gives nothing: {axis.text or axis.amount} would be {size}", remedy="the image is too small")
    return size  # type: ignore[no-any-return]
