"""Kinds of things a document may hold: here those of scalars, in `composer.records` those made of others.

One table of them (`composer.sections`) gives both the checks and the schema.

Each kind says what it expects in words (`expects`), checks a node (`check`) and writes itself as JSON Schema
(`schema`, draft 7). A text that starts with `=` is an expression; what it gives is checked after it was evaluated.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from composer.errors import nearest
from composer.scalars import read_scalar
from composer.tree import Leaf, Node, Problems, found, found_value, shortened

COMPUTED = {"type": "string", "pattern": "^="}
_LISTS = ("a list", "list of values", "list of paths", "list of texts", "list of names", "list of layers")


def is_computed(value: Any) -> bool:
    """Whether `value` is an expression, to be checked when it has been evaluated."""
    return isinstance(value, str) and value.startswith("=")


def wrong(path: str, kind: Kind, node: Node, problems: Problems) -> None:
    """Report that `node` is not what `kind` expects."""
    value, remedy = node.value if isinstance(node, Leaf) else None, ""
    if isinstance(kind, (Text, Choice, Rule)) and value is not None and not isinstance(value, str):
        remedy = f'write it as text: "{shortened(str(value) if isinstance(value, bool) else _written(node))}"'
    elif isinstance(kind, (Number, Flag)) and isinstance(value, str):
        plain = read_scalar(value) if value else ""
        if isinstance(plain, (int, float)):
            remedy = f"write it without quotes: {value}"
        elif isinstance(kind, Flag):
            word = {"yes": "true", "on": "true", "no": "false", "off": "false"}.get(value.lower(), "true or false")
            remedy = f"write {word}"
        elif isinstance(kind, Number):
            remedy = "write it like 3, 0.5 or 2e-4, or a formula after '='"
    elif isinstance(value, str) and value and not isinstance(kind, Text) and kind.expects.endswith(_LISTS):
        remedy = f"write a list: [{shortened(value)}]"
    problems.add(said(path, f"expected {kind.expects}, found {found(node)}"), node.place, remedy)


@dataclass(frozen=True)
class Kind:
    """What one entry of a document may be."""

    @property
    def expects(self) -> str:
        raise AssertionError("each kind has words of its own")

    def check(self, node: Node, path: str, problems: Problems) -> None:
        raise AssertionError("each kind has a check of its own")

    def schema(self) -> dict[str, Any]:
        raise AssertionError("each kind has a schema of its own")

    def child(self, key: str) -> Kind | None:
        """The kind of the entry `key` of a mapping of this kind; None when it cannot have one."""
        return None


@dataclass(frozen=True)
class Anything(Kind):
    """Checked elsewhere."""

    expects = "anything"

    def check(self, node: Node, path: str, problems: Problems) -> None:
        pass

    def schema(self) -> dict[str, Any]:
        return {}

    def child(self, key: str) -> Kind | None:
        return self


@dataclass(frozen=True)
class Text(Kind):
    """A text, of which `pattern` is the form and `what` the word."""

    what: str = "a text"
    pattern: str = ""
    may_be_empty: bool = False

    @property
    def expects(self) -> str:
        return self.what

    def check(self, node: Node, path: str, problems: Problems) -> None:
        value = node.value if isinstance(node, Leaf) else None
        if not isinstance(node, Leaf) or not isinstance(value, str) or not (value.strip() or self.may_be_empty):
            wrong(path, self, node, problems)
        elif self.pattern and not re.search(self.pattern, value):
            problems.add(said(path, f"'{shortened(value)}' is not {self.what}"), node.place)

    def schema(self) -> dict[str, Any]:
        pattern = self.pattern or ("" if self.may_be_empty else r"\S")
        return {"type": "string"} | ({"pattern": pattern} if pattern else {})


@dataclass(frozen=True)
class Rule(Kind):
    """A name, or a call of it with numbers, out of a few: `relu`, `leaky_relu(0.2)`. Or an expression."""

    names: tuple[str, ...]

    @property
    def expects(self) -> str:
        return f"a text such as {self.names[0]}"

    def check(self, node: Node, path: str, problems: Problems) -> None:
        value = node.value if isinstance(node, Leaf) else None
        if not isinstance(value, str) or not value.strip():
            wrong(path, self, node, problems)
        elif not is_computed(value) and not re.search(self._pattern, value):
            name = re.split(r"\W", value.strip(), maxsplit=1)[0]
            fact = f"expected {listed(self.names, quote='')}, found {found(node)}"
            remedy = f"write {name} or {name}(number)" if name in self.names else nearest(name, self.names)
            problems.add(said(path, fact), node.place, remedy if not remedy.startswith("known") else "")

    @property
    def _pattern(self) -> str:
        return rf"^\s*({'|'.join(self.names)})\s*(\([^()]*\))?\s*$"

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [{"type": "string", "pattern": self._pattern}, COMPUTED]}


@dataclass(frozen=True)
class Number(Kind):
    """A number in a range, or an expression that gives one."""

    low: float | None = None
    high: float | None = None
    whole: bool = False
    computed: bool = True

    @property
    def expects(self) -> str:
        return ("a whole number" if self.whole else "a number") + in_range(self.low, self.high)

    def check(self, node: Node, path: str, problems: Problems) -> None:
        value: Any = node.value if isinstance(node, Leaf) else None
        if self.computed and is_computed(value):
            return
        if not is_number(value, self.whole):
            wrong(path, self, node, problems)
        elif outside(value, self.low, self.high) or not math.isfinite(value):
            problems.add(said(path, f"expected {self.expects}, found {value}"), node.place)

    def schema(self) -> dict[str, Any]:
        number: dict[str, Any] = {"type": "integer" if self.whole else "number"}
        if self.low is not None:
            number["minimum"] = self.low
        if self.high is not None:
            number["maximum"] = self.high
        return {"anyOf": [number, COMPUTED]} if self.computed else number


@dataclass(frozen=True)
class Flag(Kind):
    """True or false, or an expression that gives one."""

    expects = "true or false"

    def check(self, node: Node, path: str, problems: Problems) -> None:
        value = node.value if isinstance(node, Leaf) else None
        if not isinstance(value, bool) and not is_computed(value):
            wrong(path, self, node, problems)

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [{"type": "boolean"}, COMPUTED]}


@dataclass(frozen=True)
class Choice(Kind):
    """One of a few texts or numbers."""

    values: tuple[Any, ...]
    computed: bool = False

    @property
    def expects(self) -> str:
        return listed(self.values)

    def check(self, node: Node, path: str, problems: Problems) -> None:
        value = node.value if isinstance(node, Leaf) else None
        if self.computed and is_computed(value):
            return
        if not isinstance(node, Leaf) or not any(same(value, one) for one in self.values):
            remedy = nearest(str(value), [str(v) for v in self.values]) if isinstance(value, str) else ""
            remedy = remedy if remedy.startswith("did") else ""
            problems.add(said(path, f"expected {self.expects}, found {found(node)}"), node.place, remedy)

    def schema(self) -> dict[str, Any]:
        choice = {"enum": list(self.values)}
        return {"anyOf": [choice, COMPUTED]} if self.computed else choice


@dataclass(frozen=True)
class Expression(Kind):
    """Wiring: a call string, or a plain number or truth value. It is parsed later."""

    what: str = "an expression such as G(a)"

    @property
    def expects(self) -> str:
        return self.what

    def check(self, node: Node, path: str, problems: Problems) -> None:
        if not isinstance(node, Leaf) or node.value is None or not str(node.value).strip():
            wrong(path, self, node, problems)

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [{"type": "string", "pattern": r"\S"}, {"type": ["number", "boolean"]}]}


@dataclass(frozen=True)
class Scalar(Kind):
    """Any scalar but nothing."""

    expects = "a number, a text, true or false"

    def check(self, node: Node, path: str, problems: Problems) -> None:
        if not isinstance(node, Leaf) or node.value is None:
            wrong(path, self, node, problems)

    def schema(self) -> dict[str, Any]:
        return {"type": ["string", "number", "boolean"]}


# Words and tests that kinds and block settings share.


def _written(node: Node) -> str:
    return node.text if isinstance(node, Leaf) else ""


def is_number(value: Any, whole: bool) -> bool:
    return isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)


def outside(value: float, low: float | None, high: float | None) -> bool:
    return (low is not None and not value >= low) or (high is not None and not value <= high)


def same(value: Any, other: Any) -> bool:
    """Equal, and of one type: 1 is not true."""
    return type(value) is type(other) and bool(value == other)


def in_range(low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f" from {low:g} to {high:g}"
    if low is not None:
        return f" of at least {low:g}"
    return f" of at most {high:g}" if high is not None else ""


def listed(values: tuple[Any, ...], quote: str = "'") -> str:
    """ "'a', 'b' or 'c'" """
    words = [f"{quote}{value}{quote}" if isinstance(value, str) else found_value(value) for value in values]
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " or " + words[-1] if words else "nothing"


def join(path: str, key: str) -> str:
    return f"{path}.{shortened(key)}" if path else shortened(key)


def said(path: str, fact: str) -> str:
    """A fact, with the path of what it is about in front."""
    return f"{path}: {fact}" if path else fact
