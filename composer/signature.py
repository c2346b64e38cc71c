"""Contracts of blocks: one string with named axes, parsed once, matched with arguments in `composer.matching`.

    image[b c h:8 w:8], style[b s] -> image[b {out} h*2 w*2]

An axis is a name, a number, `?` (promises nothing), `...` (any further axes), `c+` (summed over the arguments
of a variadic input), a name with `*n`, `/n` or (inputs) `:n` "a multiple of n", or `{arithmetic}` over
settings and bound axes. After a kind's brackets: `?` an optional input, `+` one or more of it, `*` a list,
`*{n}` a list of n, in whose axes `item` is the number of an item, from 0; `*{n}*{m}` a list of n lists of m, where
`item` counts the lists and `inner` what is in each.

Behind the outputs, `where` and a condition over settings and axes: `... -> image[b c h w] where kernel % 2 == 1`.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from typing import Any

from composer.arithmetic import parse_arithmetic


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
SHOWN = 32  # items of a list that a text names


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
        shown = [str(i) for i in self.items[:SHOWN]] + [f"... {len(self.items)} in all"] * (len(self.items) > SHOWN)
        return "(" + ", ".join(shown) + ")"


@dataclass(frozen=True)
class Several:
    """What a block gives that returns more than one value."""

    items: tuple[Type, ...]

    def __str__(self) -> str:
        return str(Series(self.items))[1:-1]


Type = Tensor | Series | Several
UNKNOWN = Tensor("value", None)
INTEGER_KINDS = frozenset({"label", "label_map", "ids", "index"})
REAL_KINDS = frozenset({"image", "features", "style", "code", "latent", "attributes"})


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
    inner: str = ""  # and how many each of them has, where they are lists

    def __str__(self) -> str:
        inner = "" if self.axes is None else "[" + " ".join(a.text for a in self.axes) + "]"
        return self.kind + inner


@dataclass(frozen=True)
class Signature:
    """A parsed contract."""

    text: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    conditions: tuple[str, ...] = ()  # arithmetic that must be true

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
_INSIDE = re.compile(r"\[((?:[^\]{}]|\{[^{}]*\})*)\]")  # arithmetic may have brackets of its own
_AXIS = re.compile(r"\.\.\.|\?|\{[^{}]*\}|\d+|[A-Za-z_]\w*\+?(?:[*/:](?:\d+|[A-Za-z_]\w*|\{[^{}]*\}))?")


@lru_cache(maxsize=1024)
def parse_signature(text: str) -> Signature:
    """Parse a contract; a `ValueError` says what is wrong with it."""
    left, arrow, right = text.partition("->")
    if not arrow:
        raise ValueError(f"signature '{text}' has no '->'")
    right, _, condition = right.partition(" where ")
    return Signature(text, _ports(left, text), _ports(right, text), _conditions(condition))


def _conditions(text: str) -> tuple[str, ...]:
    """The parts of `a and b`, each to be said on its own when it does not hold."""
    if not text.strip():
        return ()
    tree = parse_arithmetic(text)
    joined = isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.And)
    return tuple(ast.unparse(part) for part in (tree.values if joined else [tree]))  # type: ignore[attr-defined]


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
            inside = _INSIDE.match(text, position)
            if not inside:
                raise ValueError(f"signature '{whole}': no ']' ends '{text[position:].strip()}'")
            axes = _axes(inside.group(1), whole)
            position = inside.end()
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
                    amount = text[position + 1 : end]
                    port = replace(port, inner=amount) if port.count else replace(port, count=amount)
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
