"""What a random graph is made of: values with their kinds, references to them, expressions over them.

A graph that is being built is a `World`. Every choice is a whole number that `World.number` gives; the smaller the
simpler, so that hypothesis can shrink a graph by its choices.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")
PAIRS = (("a", "b"), ("b", "a"))


@dataclass(frozen=True)
class Kind:
    """What a value is: numbers of `sizes` for each row, classes, ids, a list of such, or several values at once.

    `rows` are (times, plus): times * batch + plus of them. What is `whole` has no rows: a mean, or a table of means.
    """

    sizes: tuple[int, ...]
    rows: tuple[int, int] = (1, 0)
    word: str = "real"  # real | label | ids | whole | index | coin | share | parts
    items: tuple[Kind, ...] = ()
    top: int = 0  # of a label: how many classes there are

    @property
    def is_list(self) -> bool:
        return bool(self.items)

    @property
    def is_map(self) -> bool:
        """Features [c h w] of every row."""
        return self.word == "real" and not self.items and len(self.sizes) == 3

    @property
    def is_code(self) -> bool:
        return self.word == "real" and not self.items and len(self.sizes) == 1 and self.is_known

    @property
    def is_real(self) -> bool:
        return self.word == "real" and not self.items

    @property
    def is_label_map(self) -> bool:
        return self.word == "label" and len(self.sizes) == 2

    @property
    def is_id_map(self) -> bool:
        """Whole numbers at every pixel, whatever they mean."""
        return self.word in ("label", "ids") and len(self.sizes) == 2

    def in_rows(self, rows: tuple[int, int]) -> Kind:
        """The same of other rows, and so are the items of a list."""
        return Kind(self.sizes, rows, self.word, tuple(item.in_rows(rows) for item in self.items), self.top)

    @property
    def is_known(self) -> bool:
        """Of known size; what layers inside a network give has the sizes (0,)."""
        return self.sizes != (0,)


@dataclass(frozen=True)
class Value:
    """A named value. `index` is "", "d" or "s,t"; `paths` are the values from which a derivative can be taken to it."""

    name: str
    index: str
    kind: Kind
    op: str  # input | draw | state | call | other
    paths: frozenset[tuple[str, tuple[str, ...]]] = frozenset()
    networks: frozenset[str] = frozenset()  # those that a gradient of it reaches, as written: N1[d]

    @property
    def pattern(self) -> str:
        return f"{self.name}[{self.index}]" if self.index else self.name


@dataclass(frozen=True)
class Net:
    """A network: what it takes and gives."""

    name: str
    index: str
    takes: tuple[tuple[int, ...], ...]
    gives: Kind
    taps: int = 0  # how many layers its entry point `features` knows
    trained: bool = True

    @property
    def pattern(self) -> str:
        return f"{self.name}[{self.index}]" if self.index else self.name


@dataclass(frozen=True)
class Formed:
    """An expression, within the indices of its line."""

    text: str
    kind: Kind
    paths: frozenset[tuple[str, tuple[str, ...]]] = frozenset()
    networks: frozenset[str] = frozenset()

    def over(self, text: str, kind: Kind | None = None, *others: Formed) -> Formed:
        """A function of this expression and others."""
        paths, networks = self.paths, self.networks
        for one in others:
            paths, networks = paths | one.paths, networks | one.networks
        return Formed(text, kind or self.kind, paths, networks)

    def constant(self, text: str, kind: Kind | None = None) -> Formed:
        return Formed(text, kind or self.kind)


@dataclass
class World:
    """A graph in the making."""

    number: Callable[[int, int], int]  # a choice: from the first to the second, both included
    indexed: bool
    batch: int
    size: int
    values: list[Value] = field(default_factory=list)
    networks: list[Net] = field(default_factory=list)
    value_lines: dict[str, str] = field(default_factory=dict)
    network_lines: dict[str, Any] = field(default_factory=dict)
    lifetime: dict[str, str] = field(default_factory=dict)
    averages: dict[str, Any] = field(default_factory=dict)
    collected: list[tuple[str, str]] = field(default_factory=list)  # what passes gather: name with index, expression

    def choose(self, options: Sequence[T]) -> T:
        return options[self.number(0, len(options) - 1)]

    def maybe(self, one_in: int = 2) -> bool:
        """Rarely true; false is the simpler one."""
        return self.number(0, one_in - 1) == one_in - 1

    def context(self) -> str:
        """The indices of a new line."""
        return self.choose(["d", "s,t", ""]) if self.indexed else ""

    def symbols(self, index: str, context: str) -> tuple[str, ...]:
        """What stands in the brackets of a name with `index` on a line with `context`."""
        if not index:
            return ()
        if index == "d":
            return {"d": ("d",), "s,t": (self.choose(["s", "t"]),)}.get(context) or (self.choose(["a", "b"]),)
        if context == "s,t":
            return self.choose([("s", "t"), ("t", "s")])
        return self.choose(PAIRS)

    def refer(self, value: Value, context: str) -> Formed:
        """The value as it is written on a line with `context`."""
        at = self.symbols(value.index, context)
        meaning = dict(zip(value.index.split(","), at, strict=True)) if value.index else {}
        paths = {(name, tuple(meaning.get(x, x) for x in inner)) for name, inner in value.paths}
        return Formed(named(value.name, at), value.kind, frozenset(paths | {(value.name, at)}), value.networks)

    def some(self, context: str, fits: Callable[[Value], bool]) -> Formed | None:
        """A reference to a value that fits, or None where there is none."""
        found = self.late([v for v in self.values if fits(v)])
        return self.refer(self.choose(found), context) if found else None

    def late(self, values: list[Value]) -> list[Value]:
        """All of them, or those that were made last, which depend on most of the rest."""
        return values[-3:] if self.maybe(2) else values

    def define(self, name: str, context: str, formed: Formed, op: str = "other") -> Value:
        """Give an expression a line and a name."""
        value = Value(name, context, formed.kind, op, formed.paths, formed.networks)
        self.value_lines[value.pattern] = formed.text
        self.values.append(value)
        return value

    def collect(self, context: str, formed: Formed) -> Formed:
        """Let a pass gather an expression; gives its name as it is written on a line with the same indices."""
        value = Value(f"c{len(self.collected) + 1}", context, formed.kind, "collected")
        self.collected.append((value.pattern, formed.text))
        self.values.append(value)
        return Formed(here(value.name, context), formed.kind)

    def new_name(self, letter: str = "v") -> str:
        return f"{letter}{len(self.value_lines) + 1}"


def named(name: str, symbols: Sequence[str]) -> str:
    return f"{name}[{','.join(symbols)}]" if symbols else name


def here(name: str, context: str) -> str:
    """A name as it is written on a line that has the same indices."""
    return named(name, tuple(context.split(","))) if context else name
