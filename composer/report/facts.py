"""What a run's folder says of its graph, settings and starts, as plain data for the page.

Everything here may be missing or broken without harm: a page about a run that went wrong is the one that is needed.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from composer.document import plain
from composer.drawing.style import ink_on, phase_colour
from composer.nodes import Graph
from composer.report.words import word
from composer.run_folder import RunFolder

_FIRST = re.compile(r"events\.out\.tfevents\.(\d+)\.from-(\d+)")
LONGEST_TEXT = 200_000  # characters of a listing


def about_graph(graph: Graph) -> dict[str, Any]:
    """Name, paper, parameters and phases of a graph."""
    written = plain(graph.document.root)
    paper = written.get("paper", [])
    return {
        "name": graph.name,
        "about": graph.about,
        "papers": [_words(one) for one in (paper if isinstance(paper, list) else [paper]) if isinstance(one, dict)],
        "params": {name: word(value) for name, value in graph.params.items()},
        "phases": _phases(graph),
        "networks": list(graph.networks),
    }


def _phases(graph: Graph) -> list[dict[str, Any]]:
    """The phases with the colours they have in the drawing; the texts of terms under the names without index."""
    labels = list(dict.fromkeys(graph.patterns.get(phase.name, phase.name) for phase in graph.phases))
    found = []
    for phase in graph.phases:
        colour = phase_colour(labels.index(graph.patterns.get(phase.name, phase.name)))
        terms = {term.name.partition("[")[0]: term.text for term in reversed(phase.terms)}
        updates = list(dict.fromkeys(graph.patterns.get(name, name) for name in phase.update))
        one = {"name": phase.name, "update": updates, "terms": terms, "colour": colour, "ink": ink_on(colour)}
        found.append(one)
    return found


def starts(folder: RunFolder, environment: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every start of the run: time, command line, versions, and `first`, the iteration it went on from.

    That is in the name of the events that a start opened, which is the first after its own time; a start that ended
    before that, or whose iterations were all cut away, has none.
    """
    found = [dict(one) for one in environment.get("starts", []) if isinstance(one, dict)]
    names = sorted(path.name for path in folder.events.iterdir()) if folder.events.is_dir() else []
    opened = [(int(match[1]) / 1e9, int(match[2])) for name in names if (match := _FIRST.fullmatch(name))]
    ends = [*(_began(one) + 1 for one in found[1:]), float("inf")]  # starts are noted in whole seconds
    for one, end in zip(found, ends, strict=True):
        at = next((at for at, (when, _) in enumerate(opened) if _began(one) <= when < end), None)
        one["first"] = opened.pop(at)[1] if at is not None else None
    return found


def _began(start: Mapping[str, Any]) -> float:
    """When a start was noted, in seconds since 1970; long ago where it does not say."""
    try:
        return datetime.datetime.fromisoformat(str(start.get("time"))).timestamp()
    except ValueError:
        return 0.0


def text(path: Path) -> str:
    """A text file for a fold of the page; cut where it is huge."""
    try:
        content = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return content if len(content) <= LONGEST_TEXT else content[:LONGEST_TEXT] + "\n(cut here)\n"


def settings(environment: Mapping[str, Any]) -> dict[str, str]:
    """What the command line said, defaults included, as words."""
    found = environment.get("settings")
    return {name: word(value) for name, value in found.items()} if isinstance(found, dict) else {}


def _words(mapping: Mapping[str, Any]) -> dict[str, str]:
    return {str(name): word(value) for name, value in mapping.items()}
