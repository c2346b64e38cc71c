"""A document while it is being changed: dotted paths that name whole keys.

Keys hold dots, brackets, commas and blanks (`values.mu[d], logvar[d]`), so a path is matched against the keys that
are there, the longest first; blanks around commas and brackets do not matter.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import NamedTuple

from composer.errors import Place, nearest
from composer.tree import Leaf, Mapping, Node

_BLANKS = re.compile(r"\s*([,\[\]])\s*")
_MANY_PATHS = 1000
_LONGEST_PATH = 300
_LIKELY = 0.75


def normal(path: str) -> str:
    """A path or key as it is compared: `mu[ d ] , logvar[d]` is `mu[d],logvar[d]`."""
    return _BLANKS.sub(r"\1", path.strip())


class Found(NamedTuple):
    """Where a path leads: the mapping that holds its last part, the keys on the way there, and that part.

    For a path that does not exist, `owner` is as deep as it goes and `rest` what is not there.
    """

    owner: Draft
    above: tuple[str, ...]
    rest: str


class Draft:
    """A mapping that can be changed; mappings below it become drafts when they are walked into."""

    def __init__(self, mapping: Mapping, is_root: bool = False) -> None:
        self.place, self.is_root = mapping.place, is_root
        self._entries: dict[str, tuple[Leaf, Node | Draft]] = {normal(k.text): (k, node) for k, node in mapping}

    def __contains__(self, key: str) -> bool:
        return normal(key) in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter([leaf.text for leaf, _ in self._entries.values()])

    def below(self, key: str) -> Draft | Node | None:
        """What stands under `key`; a mapping as a draft of its own, which changes this one."""
        leaf, node = self._entries.get(normal(key), (None, None))
        if leaf is None:
            return None
        if self.is_root and isinstance(node, Leaf) and node.value is None:
            node = Mapping((), node.place)  # a section with nothing in it yet
        if isinstance(node, Mapping):
            node = Draft(node)
            self._entries[normal(key)] = (leaf, node)
        return node

    def place_of(self, key: str) -> Place:
        return self._entries[normal(key)][0].place

    def put(self, key: Leaf, node: Node) -> None:
        """Set `key`, in its place when it is there, last when it is new."""
        old = self._entries.get(normal(key.text))
        self._entries[normal(key.text)] = (old[0] if old else key, node)

    def remove(self, key: str) -> None:
        del self._entries[normal(key)]

    def freeze(self) -> Mapping:
        pairs = [(key, node.freeze() if isinstance(node, Draft) else node) for key, node in self._entries.values()]
        return Mapping(tuple(pairs), self.place)

    def find(self, path: str) -> Found | None:
        """Where an existing `path` leads; None when there is no such path."""
        path = normal(path)
        if len(path) > _LONGEST_PATH:
            return None
        if path in self._entries:
            return Found(self, (), path)
        for head, inner, rest in self._steps(path):
            found = inner.find(rest)
            if found:
                return Found(found.owner, (head, *found.above), found.rest)
        return None

    def deepest(self, path: str) -> Found:
        """How far a `path` that does not exist goes."""
        path = normal(path)[:_LONGEST_PATH]
        for head, inner, rest in self._steps(path):
            found = inner.deepest(rest)
            return Found(found.owner, (head, *found.above), found.rest)
        return Found(self, (), path)

    def _steps(self, path: str) -> Iterator[tuple[str, Draft, str]]:
        """The ways to cut `path` into the key of a mapping here and the rest, longest key first."""
        for cut in range(len(path) - 1, 0, -1):
            if path[cut] == ".":
                inner = self.below(path[:cut])
                if isinstance(inner, Draft):
                    yield path[:cut], inner, path[cut + 1 :]

    def paths(self, before: str = "") -> Iterator[tuple[str, str]]:
        """All paths, each with its last key, those of a level before those below it."""
        entries = list(self._entries.values())
        yield from ((before + key.text, key.text) for key, _ in entries)
        for key, node in entries:
            inner = Draft(node) if isinstance(node, Mapping) else node
            if isinstance(inner, Draft):
                yield from inner.paths(f"{before}{key.text}.")

    def nearest(self, path: str) -> str:
        """A remedy that names the existing path closest to `path`: a neighbour, the same name elsewhere, or the
        likeliest of all."""
        path, end = normal(path)[:_LONGEST_PATH], self.deepest(path)
        head, tail = first_part(end.rest)
        beside = nearest(head, itertools.islice(end.owner, _MANY_PATHS))
        if beside.startswith("did you mean '") and not tail:
            return beside.replace("'", "'" + "".join(f"{key}." for key in end.above), 1)
        best, likeness = "", _LIKELY
        matcher = SequenceMatcher(b=path)
        for known, last in itertools.islice(self.paths(), _MANY_PATHS):
            matcher.set_seq1(normal(known))
            bonus = 0.25 if path.endswith("." + normal(last)) else 0  # the name is right, the way there is not
            if matcher.quick_ratio() + bonus > likeness and matcher.ratio() + bonus > likeness:
                best, likeness = known, matcher.ratio() + bonus
        return f"did you mean '{best}'?" if best else beside


def first_part(path: str) -> tuple[str, str]:
    """`path` cut at its first dot outside brackets: the first key, and the rest."""
    depth = 0
    for i, character in enumerate(path):
        depth += (character in "[(") - (character in ")]")
        if character == "." and depth <= 0 and i:
            return path[:i], path[i + 1 :]
    return path, ""
