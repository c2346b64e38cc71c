"""Tables for the command line: the blocks a graph can use, and the graphs that come with Composer."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from composer.block import Block, Setting, catalogue, look_up
from composer.errors import ComposeError

ROLES = {
    "module": "networks and layers",
    "function": "functions",
    "loss": "losses",
    "draw": "draws",
    "state": "state",
    "collect": "what passes collect",
}


def block_table() -> str:
    """Every block with its contract, sorted by what it is for."""
    parts = []
    known = catalogue()
    for role, title in ROLES.items():
        names = sorted(name for name, block in known.items() if block.role == role)
        if names:
            parts.append(f"{title}\n{_table([(name, known[name].signature) for name in names], indent='  ')}")
    return "\n\n".join([*parts, "composer blocks NAME explains one"])


def block_page(name: str) -> str:
    """One block: contract, settings with their defaults and ranges, and what it does."""
    block = look_up(name)
    parts = [f"{block.name}: {block.signature}"]
    parts += [f"  .{entry}: {signature}" for entry, signature in block.entries.items()]
    if block.settings:
        parts += ["", "settings", _table([(s.name, values_of(s)) for s in block.settings], indent="  ")]
    facts = list(facts_about(block))
    if facts:
        parts += ["", "; ".join(facts)]
    if block.doc:
        parts += ["", block.doc]
    return "\n".join(parts)


def graph_table() -> str:
    """Bundled graphs: name, paper, what it is; below them the hybrids, with what they extend."""
    from composer.sources import bundled_graphs

    rows, hybrids = [], []
    for name, path in bundled_graphs().items():
        says = _says(path)
        paper = says.get("paper")
        venue = str(paper.get("venue", "")) if isinstance(paper, dict) else ""
        about = str(says.get("about") or "")
        if path.parent.name == "hybrids":
            hybrids.append((name, str(says.get("extends") or "").removesuffix(".yaml"), about))
        else:
            rows.append((name, venue, about))
    tables = [_table([("graph", "paper", "what it is"), *sorted(rows)])]
    if hybrids:
        tables.append(_table([("hybrid", "extends", "what it is"), *sorted(hybrids)]))
    return "\n\n".join(tables)


def _says(path: Path) -> Mapping[str, Any]:
    from composer.tree import plain
    from composer.yaml_reader import read_yaml

    try:
        found = plain(read_yaml(path.read_text(encoding="utf-8"), str(path)))
    except ComposeError:
        return {"about": "(cannot be read: composer check says why)"}
    return found if isinstance(found, dict) else {}


def values_of(setting: Setting) -> str:
    """What a setting may be and what it is when left out: `int, 1.., default 64`."""
    words = [setting.type]
    if setting.choices:
        words = [" | ".join(str(choice) for choice in setting.choices)]
    elif setting.low is not None or setting.high is not None:
        low = "" if setting.low is None else f"{setting.low:g}"
        high = "" if setting.high is None else f"{setting.high:g}"
        words.append(f"{low}..{high}")
    words.append("required" if setting.required else f"default {_yaml(setting.default)}")
    return ", ".join(words)


def _yaml(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


def facts_about(block: Block) -> list[str]:
    """What holds for a block beside its contract, a phrase each."""
    facts = []
    if block.axes:
        facts.append(f"its first call binds {', '.join(block.axes)}")
    if isinstance(block.per_sample, str):
        facts.append(f"rows of a batch do not influence each other where {block.per_sample}")
    elif not block.per_sample:
        facts.append("rows of a batch influence each other")
    if block.draws:
        facts.append("draws random numbers inside")
    if block.maps:
        facts.append("maps over lists")
    if block.parts:
        facts.append(f"parts: {', '.join(block.parts)}")
    if block.laws:
        facts.append(f"laws: {', '.join(block.laws)}")
    return facts


def _table(rows: Sequence[Sequence[str]], indent: str = "") -> str:
    """Columns as wide as their longest entry; the last one is wrapped to the width of the terminal."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]) - 1)]
    margin = len(indent) + sum(widths) + 2 * len(widths)
    room = max(30, shutil.get_terminal_size((100, 24)).columns - margin)
    lines = []
    for row in rows:
        left = indent + "".join(f"{cell:<{width + 2}}" for cell, width in zip(row[:-1], widths, strict=True))
        wrapped = textwrap.wrap(row[-1], room, break_long_words=False, break_on_hyphens=False) or [""]
        lines += [(left + wrapped[0]).rstrip(), *(" " * margin + rest for rest in wrapped[1:])]
    return "\n".join(lines)
