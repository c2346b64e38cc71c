"""Hybrids: `extends`, variants, `change` / `add` / `drop`, presets and `--set`, in this order.

A file that extends another says exactly what differs. Variants that the base offers are taken before its changes,
variants that it declares itself after them. In one set of edits, drops come first, then changes, then additions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from composer.draft import Draft, first_part, normal
from composer.errors import ComposeError, Place, closest, nearest
from composer.option_edits import edit_options
from composer.overrides import apply_preset, apply_settings
from composer.sections import HYBRID, KEPT, OPTIONS, SECTIONS
from composer.sources import Source, read_base
from composer.tree import Leaf, Mapping, Node, Problems, found, shortened
from composer.tree import Sequence as ListNode
from composer.yaml_reader import read_yaml

LONGEST_CHAIN = 16


@dataclass
class Merged:
    """A document of which everything was merged."""

    draft: Draft
    variants: dict[str, Mapping] = field(default_factory=dict)  # offered
    presets: dict[str, Mapping] = field(default_factory=dict)
    used: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    problems: Problems = field(default_factory=Problems)


@dataclass(frozen=True)
class Level:
    """One file of a chain of extensions."""

    source: Source
    root: Mapping


def read_chain(source: Source) -> list[Level]:
    """The file, the one it extends, and so on; the last one stands on its own."""
    levels: list[Level] = []
    while True:
        root = read_yaml(source.text, source.file)
        if not isinstance(root, Mapping):
            raise ComposeError(
                f"a graph is a mapping of sections, found {found(root)}", root.place, "it starts with: composer: 1"
            )
        _check_level(root)
        levels.append(Level(source, root))
        base = root.get("extends")
        if not isinstance(base, Leaf):
            return levels
        source = read_base(str(base.value), source, base.place)
        files = [level.source for level in levels]
        if any(source.path.resolve() == file.path.resolve() for file in files):
            chain = " -> ".join([*(file.file for file in files), source.file])
            raise ComposeError(f"a graph that extends itself: {chain}", base.place, "extend another graph")
        if len(levels) >= LONGEST_CHAIN:
            raise ComposeError(f"more than {LONGEST_CHAIN} graphs extend each other", base.place)


def merge(
    levels: Sequence[Level],
    variants: Iterable[str] = (),
    preset: str | None = None,
    settings: Iterable[tuple[str, Any]] = (),
) -> Merged:
    """One document out of a chain of files, variants, a preset and settings; all problems in one `ComposeError`."""
    base = levels[-1].root
    sections = tuple((key, node) for key, node in base if key.text not in OPTIONS)
    merged = Merged(Draft(Mapping(sections, base.place), is_root=True))
    for level in reversed(levels):
        chosen: list[tuple[str, Place | None]] = _texts(level.root.get("with"))
        if level is levels[0]:
            chosen += [(name, None) for name in variants]
        _take_level(merged, level, chosen)
    if preset is not None:
        apply_preset(merged.draft, preset, merged.presets, merged.problems)
        merged.notes.append(f"preset {preset}")
    merged.notes += apply_settings(merged.draft, settings, merged.problems)
    merged.problems.raise_any()
    return merged


def _check_level(root: Mapping) -> None:
    """The form of what disappears in merging; the sections are checked when all is merged."""
    problems = Problems()
    hybrid = "extends" in root
    for key, node in root:
        entry = (OPTIONS | HYBRID).get(key.text)
        if entry is not None and (hybrid or key.text in OPTIONS):
            entry.kind.check(node, key.text, problems)
        elif hybrid and key.text in SECTIONS and key.text not in KEPT:
            remedy = f"write what differs under change: or add:, as `{key.text}.NAME: ...`"
            problems.add(f"'{key.text}' beside 'extends'", key.place, remedy)
        elif hybrid and key.text not in KEPT:
            known = [*HYBRID, *OPTIONS, *KEPT]
            problems.add(f"unknown section '{shortened(key.text)}'", key.place, nearest(key.text, known))
    if not hybrid:
        _check_no_hybrid(root, problems)
    problems.raise_any()


def _check_no_hybrid(root: Mapping, problems: Problems) -> None:
    """A graph that extends no other has nothing to change; nor are its variants and presets misspelt."""
    edits = [key for key, _ in root if key.text in HYBRID]
    unknown = [key for key, node in root if key.text not in SECTIONS | OPTIONS | HYBRID]
    for key in unknown:
        is_name = edits and isinstance(root.get(key.text), Leaf)
        meant = "extends" if is_name else closest(key.text, [*SECTIONS, *OPTIONS])
        if meant == "extends" or (meant in ("params", *OPTIONS) and meant not in root):
            problems.add(f"unknown section '{shortened(key.text)}'", key.place, f"did you mean '{meant}'?")
            return
    if edits:
        names = ", ".join(f"'{key.text}'" for key in edits)
        remedy = "name the graph to change: `extends: FILE`; options of this graph itself are variants"
        problems.add(f"{names} without 'extends'", edits[0].place, remedy)


def _take_level(merged: Merged, level: Level, chosen: list[tuple[str, Place | None]]) -> None:
    root, hybrid = level.root, "extends" in level.root
    own = _options(root.get("variants"))
    for name, place in chosen:
        if name not in merged.variants and name not in own:
            offered = [*merged.variants, *own]
            remedy = nearest(name, offered) if offered else "this graph has no variants"
            merged.problems.add(f"unknown variant '{shortened(name)}'", place, remedy)
    if hybrid:
        merged.notes.append(f"extends {_name_of(merged.draft)}")
        _take_variants(merged, merged.variants, [name for name, _ in chosen if name not in own])
        edits = edit_options(merged.variants, merged.presets, root, merged.problems)
        _edit(merged.draft, edits, merged.problems)
        for name in KEPT:
            node = root.get(name)
            if node is not None:
                merged.draft.put(root.key(name), node)
        if "name" not in root:
            place = root.place
            merged.draft.put(Leaf("name", place, "name"), Leaf(level.source.path.stem, place, level.source.path.stem))
    _take_variants(merged, own, [name for name, _ in chosen])
    merged.variants |= own
    merged.presets |= _options(root.get("presets"))


def _take_variants(merged: Merged, offered: dict[str, Mapping], names: list[str]) -> None:
    for name in names:
        if name in offered and name not in merged.used:
            _edit(merged.draft, offered[name], merged.problems)
            merged.used.append(name)
            merged.notes.append(f"with {name}")


def _edit(draft: Draft, edits: Mapping, problems: Problems) -> None:
    """Apply `drop`, `change` and `add` of a hybrid or a variant."""
    dropped = edits.get("drop")
    for item in dropped.items if isinstance(dropped, ListNode) else ():
        if isinstance(item, Leaf):
            _drop(draft, item, problems)
    for key, node in _pairs(edits.get("change")):
        _change(draft, key, node, problems)
    for key, node in _pairs(edits.get("add")):
        _add(draft, key, node, problems)


def _change(draft: Draft, key: Leaf, node: Node, problems: Problems) -> None:
    there = draft.find(key.text)
    if there is None:
        problems.add(f"change: there is no '{shortened(key.text)}'", key.place, draft.nearest(key.text))
    else:
        there.owner.put(Leaf(there.rest, key.place, there.rest), node)


def _drop(draft: Draft, path: Leaf, problems: Problems) -> None:
    there = draft.find(path.text)
    if there is None:
        problems.add(f"drop: there is no '{shortened(path.text)}'", path.place, draft.nearest(path.text))
    else:
        there.owner.remove(there.rest)


def _add(draft: Draft, key: Leaf, node: Node, problems: Problems) -> None:
    path = shortened(key.text)
    there = draft.find(key.text)
    if there is not None:
        at = there.owner.place_of(there.rest)
        remedy = f"write it under change: (it stands on line {at.line} of {at.file})"
        problems.add(f"add: '{path}' is there already", key.place, remedy)
        return
    end = draft.deepest(key.text)
    head, tail = first_part(end.rest)
    if tail and not end.above and head in SECTIONS and head not in draft:
        draft.put(Leaf(head, key.place, head), Mapping((), key.place))  # a section nothing was in yet
        end = draft.deepest(key.text)
        head, tail = first_part(end.rest)
    parent = ".".join((*end.above, head))
    if not head or key.text.strip().endswith("."):
        problems.add(f"add: '{path}' is no path", key.place, "write section.NAME: value")
    elif not tail:
        end.owner.put(_last_part(key, end.rest), node)
    elif head in end.owner:
        problems.add(f"add: '{parent}' is no mapping that '{path}' could be added to", key.place, f"change: {parent}")
    else:
        problems.add(f"add: there is no '{parent}' that '{path}' could be added to", key.place, draft.nearest(parent))


def _last_part(key: Leaf, rest: str) -> Leaf:
    """The end of a path as it was written, with its place."""
    for i in range(len(key.text) - 1, -1, -1):
        if normal(key.text[i:]) == rest and (i == 0 or key.text[i - 1] == "."):
            text = key.text[i:].strip()
            return Leaf(text, key.place.within(i, len(text)), text)
    return Leaf(rest, key.place, rest)


def _pairs(node: Node | None) -> tuple[tuple[Leaf, Node], ...]:
    return node.items if isinstance(node, Mapping) else ()


def _options(node: Node | None) -> dict[str, Mapping]:
    """Variants or presets by name; an empty one is a mapping too."""
    empty = Mapping((), Place(""))
    return {key.text: value if isinstance(value, Mapping) else empty for key, value in _pairs(node)}


def _texts(node: Node | None) -> list[tuple[str, Place | None]]:
    items = node.items if isinstance(node, ListNode) else ()
    return [(str(item.value), item.place) for item in items if isinstance(item, Leaf)]


def _name_of(draft: Draft) -> str:
    name = draft.below("name")
    return str(name.value) if isinstance(name, Leaf) else "a graph without name"
