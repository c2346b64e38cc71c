"""Kinds made of other kinds: lists, names with things of one kind, records with fixed keys."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, field
from typing import Any

from composer.errors import closest, nearest
from composer.kinds import COMPUTED, Kind, Text, is_computed, join, listed, said, wrong
from composer.tree import Leaf, Mapping, Node, Problems, Sequence, shortened


@dataclass(frozen=True)
class ListOf(Kind):
    """A list of things of one kind."""

    item: Kind
    what: str = "a list"
    at_least: int = 1
    computed: bool = False  # `=param` may stand for all of it

    @property
    def expects(self) -> str:
        return self.what

    def check(self, node: Node, path: str, problems: Problems) -> None:
        if self.computed and isinstance(node, Leaf) and is_computed(node.value):
            return
        if not isinstance(node, Sequence) or len(node) < self.at_least:
            wrong(path, self, node, problems)
            return
        for i, item in enumerate(node):
            self.item.check(item, f"{path}[{i}]", problems)

    def schema(self) -> dict[str, Any]:
        schema: dict[str, Any] = {"type": "array", "items": self.item.schema()}
        schema |= {"minItems": self.at_least} if self.at_least else {}
        return {"anyOf": [schema, COMPUTED]} if self.computed else schema


@dataclass(frozen=True)
class MapOf(Kind):
    """Names chosen by the author, each with a thing of one kind."""

    item: Kind
    what: str = "a mapping"
    key: str = ""  # form of a name
    key_what: str = "a name"
    at_least: int = 0

    @property
    def expects(self) -> str:
        return self.what

    def check(self, node: Node, path: str, problems: Problems) -> None:
        if isinstance(node, Leaf) and node.value is None and not self.at_least:
            return  # a heading with nothing below it yet
        if not isinstance(node, Mapping) or len(node) < self.at_least:
            wrong(path, self, node, problems)
            return
        for key, value in node:
            if self.key and not re.search(self.key, key.text):
                problems.add(said(path, f"'{shortened(key.text)}' is not {self.key_what}"), key.place, "rename it")
            self.item.check(value, join(path, key.text), problems)

    def schema(self) -> dict[str, Any]:
        schema: dict[str, Any] = {"additionalProperties": self.item.schema()}
        schema["type"] = "object" if self.at_least else ["object", "null"]
        if self.at_least:
            schema["minProperties"] = self.at_least
        return schema | ({"propertyNames": {"pattern": self.key}} if self.key else {})

    def child(self, key: str) -> Kind | None:
        return self.item


@dataclass(frozen=True)
class Field:
    """An entry of a record: its kind, what it means, whether it must be there."""

    kind: Kind
    about: str
    required: bool = False

    def schema(self) -> dict[str, Any]:
        return self.kind.schema() | {"description": self.about}


@dataclass(frozen=True)
class Record(Kind):
    """A mapping whose keys are fixed. Of `one_of` exactly one must be there, of `any_of` at least one, of `not_both`
    one at most."""

    fields: AnyMapping[str, Field] = field(hash=False)
    what: str = "a mapping"
    noun: str = "key"
    one_of: tuple[str, ...] = ()
    any_of: tuple[str, ...] = ()
    not_both: tuple[str, ...] = ()

    @property
    def expects(self) -> str:
        return f"{self.what} ({', '.join(self.fields)})" if len(self.fields) <= 6 else self.what

    def check(self, node: Node, path: str, problems: Problems) -> None:
        if not isinstance(node, Mapping):
            wrong(path, self, node, problems)
            return
        missing = [name for name, entry in self.fields.items() if entry.required and name not in node]
        inside = {name: found for name in missing if (found := _inside(name, node))}
        for key, value in node:
            entry = self.fields.get(key.text)
            astray = [name for name, (above, _) in inside.items() if above is key]
            if astray and isinstance(value, Mapping):
                value = Mapping(tuple(pair for pair in value if pair[0].text not in astray), value.place)
            if entry is None:
                meant = self._meant(key.text, missing)
                missing = [name for name in missing if name != meant]  # one mistake is said once
                unlike = meant and not closest(key.text, [meant])
                fact = f"unknown {self.noun} '{shortened(key.text)}'" + (f", and no '{meant}'" if unlike else "")
                remedy = f"did you mean '{meant}'?" if meant else self._belongs(key.text)
                problems.add(said(path, fact), key.place, remedy)
            else:
                entry.kind.check(value, join(path, key.text), problems)
        for name in missing:
            if name not in inside:
                problems.add(said(path, f"'{name}' is missing"), node.place, f"{name}: {self.fields[name].about}")
            else:
                above, key = inside[name]
                fact = f"'{name}' is missing: it stands inside '{shortened(above.text)}'"
                problems.add(said(path, fact), key.place, f"indent it like '{shortened(above.text)}'")
        if all(key.text in self.fields for key, _ in node):
            self.check_exclusive(node, path, problems)

    def _belongs(self, written: str) -> str:
        """Where an unknown key belongs: one level deeper, or under a name that it is like."""
        inner = [n for n, f in self.fields.items() if isinstance(f.kind, Record) and written in f.kind.fields]
        if inner and not closest(written, self.fields):
            return f"it stands inside another: {inner[0]}: {{{written}: ...}}"
        return nearest(written, self.fields)

    def _meant(self, written: str, missing: list[str]) -> str:
        """Which missing key an unknown one stands for: the one it is like; the only one, when it is like no other."""
        meant = closest(written, self.fields)
        if not meant and len(missing) == 1:
            return missing[0]
        return meant if meant in missing else ""

    def check_exclusive(self, node: Mapping, path: str, problems: Problems) -> None:
        given = [name for name in self.one_of + self.not_both if name in node]
        if len(given) > 1:
            problems.add(
                said(path, f"'{given[0]}' and '{given[1]}' exclude each other"),
                node.key(given[1]).place,
                "keep one of them",
            )
        missing = self.any_of and not any(name in node for name in self.any_of)
        if missing or (self.one_of and not given):  # at least one is needed
            names = self.one_of or self.any_of
            remedy = "add one of them"
            problems.add(said(path, f"needs {listed(names, quote='')}"), node.place, remedy)

    def schema(self) -> dict[str, Any]:
        schema: dict[str, Any] = {
            "type": "object",
            "properties": {name: entry.schema() for name, entry in self.fields.items()},
            "additionalProperties": False,
        }
        required = [name for name, entry in self.fields.items() if entry.required]
        if required:
            schema["required"] = required
        if self.one_of or self.any_of:
            key = "oneOf" if self.one_of else "anyOf"
            schema[key] = [{"required": [name]} for name in self.one_of or self.any_of]
        if self.not_both:
            pairs = itertools.combinations(self.not_both, 2)
            schema["not"] = {"anyOf": [{"required": list(pair)} for pair in pairs]}
        return schema

    def child(self, key: str) -> Kind | None:
        entry = self.fields.get(key)
        return entry.kind if entry else None


def _inside(name: str, node: Mapping) -> tuple[Leaf, Leaf] | None:
    """Where a missing key stands instead: the key above it and itself, one level too deep."""
    for key, value in node:
        if isinstance(value, Mapping) and name in value:
            return key, value.key(name)
    return None


@dataclass(frozen=True)
class Either(Kind):
    """A scalar, a list or a mapping: the form that was written says which."""

    leaf: Kind | None = None
    sequence: Kind | None = None
    mapping: Kind | None = None

    @property
    def _kinds(self) -> list[Kind]:
        return [kind for kind in (self.leaf, self.sequence, self.mapping) if kind is not None]

    @property
    def expects(self) -> str:
        return " or ".join(kind.expects for kind in self._kinds)

    def check(self, node: Node, path: str, problems: Problems) -> None:
        kind = self.leaf if isinstance(node, Leaf) else self.sequence if isinstance(node, Sequence) else self.mapping
        if kind is None or (isinstance(node, Leaf) and node.value is None) or self._is_unlisted(node):
            wrong(path, self, node, problems)
        else:
            kind.check(node, path, problems)

    def _is_unlisted(self, node: Node) -> bool:
        """Whether a text of the wrong form stands where a list could."""
        if not isinstance(node, Leaf) or not isinstance(self.leaf, Text) or self.sequence is None:
            return False
        value = node.value
        return bool(self.leaf.pattern and isinstance(value, str) and not re.search(self.leaf.pattern, value))

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [kind.schema() for kind in self._kinds]}

    def child(self, key: str) -> Kind | None:
        return self.mapping.child(key) if self.mapping else None


@dataclass(frozen=True)
class OrNull(Kind):
    """A thing of one kind, or nothing."""

    kind: Kind

    @property
    def expects(self) -> str:
        return f"{self.kind.expects}, or null"

    def check(self, node: Node, path: str, problems: Problems) -> None:
        if not isinstance(node, Leaf) or node.value is not None:
            self.kind.check(node, path, problems)

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [self.kind.schema(), {"type": "null"}]}
