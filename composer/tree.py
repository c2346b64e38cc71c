"""The nodes of a document: scalars, mappings and lists that remember where they were written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar, overload

from composer.errors import ComposeError, Place, Problem
from composer.limits import MOST_PROBLEMS

Scalar = str | int | float | bool | None
Default = TypeVar("Default")


@dataclass(frozen=True)
class Leaf:
    """A scalar. `text` is what was written (without quotes), `value` what it means; keys are always text."""

    value: Scalar
    place: Place = field(repr=False, compare=False)
    text: str = field(repr=False, compare=False)


@dataclass(frozen=True)
class Mapping:
    """Keys and values in the order they were written.

    >>> at = Place("example")
    >>> pairs = Mapping(((Leaf("width", at, "width"), Leaf(64, at, "64")),), at)
    >>> "width" in pairs, pairs.keys(), plain(pairs)
    (True, ('width',), {'width': 64})
    """

    items: tuple[tuple[Leaf, Node], ...]
    place: Place = field(repr=False, compare=False)

    def _pairs(self) -> dict[str, tuple[Leaf, Node]]:
        found: dict[str, tuple[Leaf, Node]] | None = self.__dict__.get("_cache")
        if found is None:
            found = {key.text: (key, node) for key, node in self.items}
            self.__dict__["_cache"] = found  # a cache beside the fields: the mapping itself stays as it is
        return found

    @overload
    def get(self, key: str) -> Node | None: ...
    @overload
    def get(self, key: str, default: Default) -> Node | Default: ...
    def get(self, key: str, default: Any = None) -> Any:
        found = self._pairs().get(key)
        return default if found is None else found[1]

    def need(self, key: str) -> Node:
        """The value of `key`; a `ComposeError` when there is none."""
        found = self.get(key)
        if found is None:
            raise ComposeError(f"'{key}' is missing", self.place)
        return found

    def key(self, name: str) -> Leaf:
        """The key `name` with its place; a `KeyError` when there is none."""
        return self._pairs()[name][0]

    def keys(self) -> tuple[str, ...]:
        return tuple(key.text for key, _ in self.items)

    def __contains__(self, key: object) -> bool:
        return key in self._pairs()

    def __iter__(self) -> Iterator[tuple[Leaf, Node]]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


@dataclass(frozen=True)
class Sequence:
    """A list."""

    items: tuple[Node, ...]
    place: Place = field(repr=False, compare=False)

    def __iter__(self) -> Iterator[Node]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


Node = Leaf | Mapping | Sequence


def plain(node: Node) -> Any:
    """`node` as Python data: dictionaries, lists and scalars."""
    if isinstance(node, Leaf):
        return node.value
    if isinstance(node, Sequence):
        return [plain(item) for item in node]
    return {key.text: plain(value) for key, value in node}


def as_node(value: Any, place: Place) -> Node:
    """Python data as a node; what no document can hold becomes a leaf that no kind accepts."""
    if isinstance(value, dict):
        pairs = [(Leaf(str(key), place, str(key)), as_node(item, place)) for key, item in value.items()]
        return Mapping(tuple(pairs), place)
    if isinstance(value, (list, tuple)):
        return Sequence(tuple(as_node(item, place) for item in value), place)
    text = "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    return Leaf(value, place, text)


def found(node: Node) -> str:
    """What `node` is, in the words of a message: "the text 'a'", "the number 3", "a list", "nothing"."""
    if isinstance(node, Mapping):
        return "a mapping"
    if isinstance(node, Sequence):
        return "a list"
    return found_value(node.value)


def found_value(value: Any) -> str:
    """`found` for Python data."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"the text '{shortened(value)}'"
    if isinstance(value, (int, float)):
        return f"the number {value}"
    if isinstance(value, (list, tuple)):
        return "a list"
    return "a mapping" if isinstance(value, dict) else "something else"


def shortened(text: str, longest: int = 60) -> str:
    """`text` on one line, cut where it is too long for a message."""
    line = " ".join(text.split())
    return line if len(line) <= longest else line[: longest - 3] + "..."


class Problems(list[Problem]):
    """Problems collected so far. Too many of them end the reading at once: nobody reads the hundredth."""

    def add(self, fact: str, place: Place | None = None, remedy: str = "") -> None:
        self.append(Problem(fact, place, remedy))
        if len(self) >= MOST_PROBLEMS:
            self.raise_any()

    def raise_any(self) -> None:
        """Raise one `ComposeError` with all problems, if there are any."""
        if self:
            raise ComposeError.together(self)
