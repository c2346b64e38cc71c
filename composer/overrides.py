"""What comes last: a preset sets params, `--set path=value` sets anything."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from composer.draft import Draft, first_part
from composer.errors import ComposeError, Place, nearest, remember_source
from composer.kinds import Kind
from composer.records import Either, MapOf
from composer.scalars import LARGEST, forbidden_character
from composer.sections import SECTIONS
from composer.tree import Leaf, Mapping, Node, Problems, as_node, found_value, shortened
from composer.yaml_reader import DEEPEST, read_yaml

SET = "--set"  # the file that places of settings name
LISTED = "`composer show GRAPH --stage document` lists what can be set"


def apply_preset(draft: Draft, name: str, presets: dict[str, Mapping], problems: Problems) -> None:
    """Set the params that the preset names; a dotted path in it changes what it names."""
    if name not in presets:
        remedy = nearest(name, presets) if presets else "this graph has no presets"
        problems.add(f"unknown preset '{shortened(name)}'", remedy=remedy)
        return
    params = draft.below("params")
    for key, node in presets[name]:
        there = draft.find(key.text) if "." in key.text else None
        if isinstance(params, Draft) and key.text in params:
            params.put(key, node)
        elif there is not None:
            there.owner.put(Leaf(there.rest, key.place, there.rest), node)
        elif "." in key.text:
            problems.add(f"preset {name}: there is no '{shortened(key.text)}'", key.place, draft.nearest(key.text))
        else:
            remedy = nearest(key.text, params if isinstance(params, Draft) else ())
            problems.add(f"preset {name}: there is no param '{shortened(key.text)}'", key.place, remedy)


def apply_settings(draft: Draft, settings: Iterable[tuple[str, Any]], problems: Problems) -> list[str]:
    """Apply `--set` in order and say what was set. A text is read as YAML, other data is taken as it is."""
    pairs = [(str(path).strip(), value) for path, value in settings]
    remember_source(SET, "\n".join(" ".join(f"{path}={value}".split()) for path, value in pairs))
    for line, (path, value) in enumerate(pairs):
        try:
            node = _value_node(path, value, line)
            _set(draft, path, node, Place(SET, line + 1, 1, len(path)), problems)
        except ComposeError as error:
            if error.problems is problems:
                raise
            problems.extend(error.problems)
    return [f"set {path} = {shortened(str(value))}" for path, value in pairs]


def _value_node(path: str, value: Any, line: int) -> Node:
    place = Place(SET, line + 1, len(path) + 2, len(str(value)))
    if not isinstance(value, str):
        _check_data(path, value, place, 0)
        return as_node(value, place)
    if not value.strip():
        raise ComposeError(f"'{path}' is set to nothing", Place(SET, line + 1), f"give a value: {path}=1; or null")
    return read_yaml(value, SET, line, len(path) + 1, empty=f"'{path}' is set to a comment")


def _check_data(path: str, value: Any, place: Place, depth: int) -> None:
    """Refuse Python data that no file can say."""
    if isinstance(value, (list, tuple, dict)) and depth < DEEPEST:
        for item in value.values() if isinstance(value, dict) else value:
            _check_data(path, item, place, depth + 1)
    elif isinstance(value, str):
        if forbidden_character(value):
            raise ComposeError(f"'{path}' is set to a text with control characters", place)
    elif value is not None and not isinstance(value, (bool, int, float)):
        raise ComposeError(
            f"'{path}' is set to {found_value(value)}", place, "give a number, a text, a list or a mapping"
        )
    elif isinstance(value, (int, float)) and not (math.isfinite(value) and abs(value) <= LARGEST):
        raise ComposeError(f"'{path}' is set to a number that cannot be used", place, "use a finite one below 1e18")


def _set(draft: Draft, path: str, node: Node, place: Place, problems: Problems) -> None:
    there = draft.find(path) or draft.find(f"params.{path}")
    if there is not None:
        there.owner.put(Leaf(there.rest, place, there.rest), node)
        return
    end = draft.deepest(path)
    head, tail = first_part(end.rest)
    section = SECTIONS.get(head if not end.above else end.above[0])
    if section is not None and not end.above and tail and head not in draft and not _names(section.kind):
        draft.put(Leaf(head, place, head), Mapping((), place))  # a section of options nobody wrote
        end = draft.deepest(path)
        head, tail = first_part(end.rest)
    if section is not None and head and not tail and head not in end.owner and _takes_options(section.kind, end.above):
        end.owner.put(Leaf(head, place, head), node)
        return
    params = draft.below("params")
    remedy = draft.nearest(path)
    if "." not in path and isinstance(params, Draft):
        remedy = nearest(path, [*params, *(key for key in draft if not remedy.startswith("known"))])
    what = "param or path" if "." not in path else "path"
    problems.add(f"there is no {what} '{shortened(path)}'", place, remedy or LISTED)


def _takes_options(kind: Kind | None, above: tuple[str, ...]) -> bool:
    """Whether what `above` leads to has a fixed set of options, of which one may be set that was not written."""
    for key in above[1:]:
        kind = kind.child(key) if kind else None
    return kind is not None and (not above or not _names(kind))


def _names(kind: Kind) -> bool:
    """Whether the keys of a kind are names that the author chose."""
    return isinstance(kind, MapOf) or (isinstance(kind, Either) and isinstance(kind.mapping, MapOf))
