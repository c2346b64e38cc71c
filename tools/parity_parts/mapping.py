"""A mapping: how a recorded case of a method is said in our words. docs/parity.md describes the language.

graph          the bundled graph
extends        another mapping, whose sections hold where this one has none; `config` is taken key by key
config         every key a case may have, with the value that is meant where a case leaves it out
unused         further keys, each with the reason why nothing depends on it
tables, names  tables of choices; names for expressions over the configuration
settings       path in the graph -> expression                 variants      variant -> when it is chosen
weights        their state_dict keys -> ours                   epoch_length  iterations of an epoch
batch          their stream -> our input                       draws         their draw -> ours
losses, values, gradients, rates, translate                    their array -> what it is here
apart          an array that blocks make of other arrays, beside the training: expression and arrays by name
not_compared   pattern of array names -> reason                absent    networks of ours that no trace has -> reason
missing        array that an iteration may lack though the first has it -> reason

A section is one mapping or a list of them; in each `for:` repeats it over the values of names and `when:` says whether
it holds. `{...}` in a text is an expression.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from composer.errors import ComposeError, nearest, remember_source
from composer.tree import Leaf, Node, Sequence, plain
from composer.tree import Mapping as MappingNode
from composer.yaml_reader import read_yaml

from .apart import Apart, read_apart
from .entries import (
    EMPTY,
    Draw,
    Reading,
    Use,
    as_mapping,
    as_text,
    loops,
    read_draw,
    read_reading,
    read_use,
    worked_out,
)
from .formula import Scope, fill
from .keys import KeyRule, Keys

SECTIONS = (
    "extends", "graph", "about", "config", "unused", "tables", "names", "settings", "variants", "epoch_length",
    "weights", "batch", "draws", "losses", "values", "gradients", "rates", "translate", "not_compared",
    "absent", "apart", "missing",
)  # fmt: skip


@dataclass(frozen=True)
class Resolved:
    """A mapping for one case: nothing is left to be chosen."""

    graph: str
    settings: Mapping[str, Any]
    variants: tuple[str, ...]
    epoch_length: int
    keys: Keys
    batch: Mapping[str, str]
    draws: Mapping[str, Draw]
    losses: Mapping[str, Reading]
    values: Mapping[str, Reading]
    gradients: Mapping[str, Reading]
    rates: Mapping[str, str]
    translate: Mapping[str, Use]
    not_compared: Mapping[str, str] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)
    apart: Mapping[str, Apart] = field(default_factory=dict)

    def reason(self, array: str) -> str | None:
        """Why an array is not compared, or None."""
        for pattern, reason in self.not_compared.items():
            if pattern.count("/") == array.count("/") and fnmatchcase(array, pattern):
                return reason
        return None


class MethodMapping:
    """The file of a method's mapping."""

    def __init__(self, path: Path) -> None:
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise ComposeError(f"cannot read {path}: {error.strerror}") from None
        remember_source(path.name, text)
        root = read_yaml(text, path.name)
        if not isinstance(root, MappingNode):
            raise ComposeError(f"{path.name} is no mapping")
        for key, _ in root:
            if key.text not in SECTIONS:
                raise ComposeError(f"unknown section '{key.text}'", key.place, nearest(key.text, SECTIONS))
        base = root.get("extends")
        if base is not None:
            root = _merged(MethodMapping(path.with_name(f"{as_text(base)}.yaml")).root, root)
        self.path, self.root = path, root

    def configured(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """A case's configuration with the defaults; a `ComposeError` for a key that the mapping does not know."""
        defaults = flat(plain(self.root.get("config", EMPTY)))
        known = {**defaults, **dict.fromkeys(flat(plain(self.root.get("unused", EMPTY))))}
        given = flat(config)
        for key in given:
            if key not in known:
                raise ComposeError(f"{self.path.name} does not know the config key '{key}'", remedy=nearest(key, known))
        return nested({**defaults, **given})

    def resolve(self, config: Mapping[str, Any], iterations: int, shapes: Mapping[str, tuple[int, ...]]) -> Resolved:
        """The mapping for a configuration. `shapes` are those of the recorded streams, as far as they are known."""

        def shape(stream: str, axis: int, otherwise: Any) -> Any:
            return shapes[stream][axis] if stream in shapes else otherwise

        scope: dict[str, Any] = {
            "none": None, "iterations": iterations, "last": iterations - 1,
            **plain(self.root.get("tables", EMPTY)), **self.configured(config),
        }  # fmt: skip
        more = {"shape": shape}
        for key, node in self.pairs("names"):
            scope[key.text] = worked_out(node, scope, more)

        def readings(section: str) -> dict[str, Reading]:
            return {name: read_reading(node, inner) for name, node, inner in self.entries(section, scope)}

        def texts(section: str) -> dict[str, str]:
            return {n: fill(as_text(node), inner, node.place) for n, node, inner in self.entries(section, scope)}

        length = self.root.get("epoch_length")
        return Resolved(
            graph=fill(as_text(self.section("graph")), scope, self.section("graph").place),
            settings={name: worked_out(node, inner, more) for name, node, inner in self.entries("settings", scope)},
            variants=tuple(key.text for key, node in self.pairs("variants") if worked_out(node, scope, more)),
            epoch_length=1 if length is None else int(worked_out(length, scope, more)),
            keys=Keys(self.key_rules(scope)),
            batch=texts("batch"),
            draws={name: read_draw(node, inner) for name, node, inner in self.entries("draws", scope)},
            losses=readings("losses"),
            values=readings("values"),
            gradients=readings("gradients"),
            rates=texts("rates"),
            translate={name: read_use(node, inner) for name, node, inner in self.entries("translate", scope)},
            not_compared=texts("not_compared"),
            absent=texts("absent"),
            missing=texts("missing"),
            apart={name: read_apart(node, inner) for name, node, inner in self.entries("apart", scope)},
        )

    def section(self, name: str) -> Node:
        found = self.root.get(name)
        if found is None:
            raise ComposeError(f"{self.path.name} has no section '{name}'")
        return found

    def pairs(self, section: str) -> Iterator[tuple[Leaf, Node]]:
        """The entries of a section that is one plain mapping."""
        yield from as_mapping(self.root.get(section, EMPTY))

    def groups(self, section: str, scope: Scope) -> Iterator[tuple[MappingNode, dict[str, Any]]]:
        """The mappings of a section that hold, with the names that their `for:` gives."""
        found = self.root.get(section, EMPTY)
        for node in found if isinstance(found, Sequence) else [found]:
            group = as_mapping(node)
            condition = group.get("when")
            for inner in loops(group.get("for"), dict(scope)):
                if condition is None or worked_out(condition, inner):
                    yield group, inner

    def entries(self, section: str, scope: Scope) -> Iterator[tuple[str, Node, dict[str, Any]]]:
        """The filled-in names of a section's entries with what they are."""
        for group, inner in self.groups(section, scope):
            for key, node in group:
                if key.text not in ("for", "when"):
                    yield fill(key.text, inner, key.place), node, inner

    def key_rules(self, scope: Scope) -> Iterator[KeyRule]:
        for group, inner in self.groups("weights", scope):
            as_mapping(group, ("theirs", "ours", "keys", "for", "when"))
            networks = {}
            for side in ("theirs", "ours"):
                node = group.get(side)
                if node is None:
                    raise ComposeError(f"'{side}' is missing", group.place, "a group has theirs, ours and keys")
                networks[side] = fill(as_text(node), inner, node.place)
            for key, node in as_mapping(group.get("keys", EMPTY)):
                yield KeyRule(
                    networks["theirs"],
                    fill(key.text, inner, key.place),
                    networks["ours"],
                    fill(as_text(node), inner, node.place),
                    key.place,
                )


def _merged(base: MappingNode, own: MappingNode) -> MappingNode:
    """The sections of `own`, and those of `base` that it has not; the configurations of both, key by key."""
    found = {key.text: (key, node) for key, node in base} | {key.text: (key, node) for key, node in own}
    both = [section.get("config") for section in (base, own)]
    if all(both):
        keys = {key.text: (key, node) for section in both for key, node in as_mapping(section)}
        found["config"] = (found["config"][0], MappingNode(tuple(keys.values()), own.place))
    return MappingNode(tuple(found.values()), own.place)


def flat(config: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Nested keys as dotted ones."""
    found: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            found.update(flat(value, f"{above}{key}."))
        else:
            found[f"{above}{key}"] = value
    return found


def nested(config: Mapping[str, Any]) -> dict[str, Any]:
    """Dotted keys as nested ones: the other direction of `flat`."""
    found: dict[str, Any] = {}
    for key, value in config.items():
        *above, last = key.split(".")
        below = found
        for part in above:
            below = below.setdefault(part, {})
        below[last] = value
    return found
