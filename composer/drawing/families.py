"""Index notation folded again: the full names of a graph, and the one name under which a picture shows them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from composer.errors import ComposeError, Place
from composer.expression import Index, Name, parse_targets, show

Key = tuple[str, ...]  # the index values of a full name: ("a", "b") of fake[a,b]


@dataclass(frozen=True)
class Family:
    """Names that a picture shows as one: `fake[a,b]` and `fake[b,a]` as `fake[s,t]`.

    `variables` is empty where nothing was folded: a name without index, or one that stays as it is.
    """

    label: str
    base: str
    variables: Key
    members: tuple[str, ...]


def split_name(name: str) -> tuple[str, Key]:
    """`fake[a,b]` to `fake` and its index values."""
    base, bracket, inner = name.partition("[")
    return (base, tuple(inner.removesuffix("]").split(","))) if bracket else (name, ())


def joined(base: str, key: Iterable[str]) -> str:
    inner = ",".join(key)
    return f"{base}[{inner}]" if inner else base


class Families:
    """The families of one namespace; `known` says which variables stand for which sets of index values."""

    def __init__(
        self,
        names: Iterable[str],
        patterns: Mapping[str, str],
        known: Mapping[frozenset[Key], Key],
        *,
        apart: frozenset[str] = frozenset(),
    ) -> None:
        """`apart` has the base names that must not be folded."""
        self.of: dict[str, Family] = {}
        bases: dict[str, list[str]] = {}
        for name in names:
            bases.setdefault(split_name(name)[0], []).append(name)
        for base, members in bases.items():
            for family in _families(base, members, patterns, known, base in apart):
                for name in family.members:
                    self.of[name] = family

    def __getitem__(self, name: str) -> Family:
        found = self.of.get(name)
        return found if found is not None else Family(name, split_name(name)[0], (), (name,))

    def label(self, name: str) -> str:
        return self[name].label


def known_indices(names: Iterable[str], patterns: Mapping[str, str]) -> dict[frozenset[Key], Key]:
    """Which variables stand for which sets of index values, as the names of the graph show."""
    rows: dict[Key, dict[Key, None]] = {}
    for name in names:
        variables = _variables(name, patterns)
        if variables:
            rows.setdefault(variables, {})[split_name(name)[1]] = None
    found: dict[frozenset[Key], Key] = {}
    for variables, keys in rows.items():
        found.setdefault(frozenset(keys), variables)
    return found


def _variables(name: str, patterns: Mapping[str, str]) -> Key:
    """The variables with which `name` was written: (s, t) of `fake[a,b]`; empty for a literal index."""
    base, key = split_name(name)
    if not key or name not in patterns:
        return ()
    try:
        targets = parse_targets(patterns[name], Place("pattern"))
    except ComposeError:
        return ()  # a name that is no left side, such as that of a term
    for target in targets:
        if isinstance(target, Index) and isinstance(target.base, Name) and target.base.id == base:
            written = tuple(show(item) for item in target.items)
            if len(written) == len(key) and not any(w == k for w, k in zip(written, key, strict=True)):
                return written
    return ()


def _families(
    base: str, members: Sequence[str], patterns: Mapping[str, str], known: Mapping[frozenset[Key], Key], apart: bool
) -> list[Family]:
    if apart or len(members) == 1:
        return [Family(name, base, (), (name,)) for name in members]
    keys = frozenset(split_name(name)[1] for name in members)
    if keys in known:
        variables = next((v for v in (_variables(n, patterns) for n in members) if v), known[keys])
        return [Family(joined(base, variables), base, variables, tuple(members))]
    groups: dict[Key, list[str]] = {}
    for name in members:
        groups.setdefault(_variables(name, patterns) or split_name(name)[1], []).append(name)
    return [
        Family(joined(base, key), base, key if len(names) > 1 else (), tuple(names)) for key, names in groups.items()
    ]
