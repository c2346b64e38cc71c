"""What was measured of a run, as plain data for the page: validation, the demo's scores, and `composer eval`.

The files are read as they are: what of them is known gets a form of its own, the rest is shown as names and values.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from composer.report.words import word
from composer.run_folder import RunFolder

MOST_POINTS = 1000  # of a validation curve
DEEPEST = 4  # levels of a table of numbers


def validation(path: Path) -> list[dict[str, Any]]:
    """The curves of `validation.jsonl`: a metric's name, what it is `of`, and its iterations and values.

    A line is `{"iteration": 200, "translation": "a2b", "values": {"l1": 0.1}}`; `metrics` means the same as `values`.
    """
    found: dict[tuple[str, str], tuple[list[int], list[float]]] = {}
    for record in _lines(path):
        values = record.get("values", record.get("metrics"))
        if isinstance(record.get("iteration"), int) and isinstance(values, dict):
            for name, value in values.items():
                if _finite(value):
                    key = (word(name), word(record.get("translation", "")))
                    iterations, numbers = found.setdefault(key, ([], []))
                    iterations.append(record["iteration"])
                    numbers.append(float(f"{value:.6g}"))
    return [
        {"metric": name, "of": of, "x": x[-MOST_POINTS:], "y": y[-MOST_POINTS:]} for (name, of), (x, y) in found.items()
    ]


def numbers(folder: RunFolder) -> list[dict[str, Any]]:
    """Tables of what was measured: scores.json, best.json and eval/*.json, those that there are.

    `rows` are names and values. A file of `composer eval` also has `title`, `iteration`, `measures` (name, mean,
    deviation, number and meaning of each) and `notes`.
    """
    found = []
    measured = sorted((folder.path / "eval").glob("*.json")) if (folder.path / "eval").is_dir() else []
    for path in (folder.scores, folder.path / "best.json", *measured):
        content = _json(path)
        if isinstance(content, dict):
            table = {"name": path.relative_to(folder.path).as_posix(), **_evaluation(content)}
            found.append({**table, "rows": list(_rows(content))})
    return found


def _evaluation(content: dict[str, Any]) -> dict[str, Any]:
    """The part of a file of `composer eval` that is no protocol, taken out of `content`; nothing for other files."""
    values, run = content.get("values"), content.get("run")
    if (
        not isinstance(values, dict)
        or not isinstance(run, dict)
        or not all(isinstance(v, dict) for v in values.values())
    ):
        return {}
    measures = [
        {
            "name": name,
            "mean": value["mean"] if _finite(value.get("mean")) else None,
            "deviation": value["deviation"] if _finite(value.get("deviation")) else None,
            "count": word(value.get("count", "")),
            "meaning": word(value.get("meaning", "")),
            "said": word(value.get("said", "")),
        }
        for name, value in values.items()
    ]
    notes = content.pop("notes", [])
    del content["values"]
    return {
        "title": word(content.get("translation", "")),
        "iteration": run.get("iteration") if isinstance(run.get("iteration"), int) else None,
        "measures": measures,
        "notes": [word(note) for note in notes] if isinstance(notes, list) else [],
    }


def _finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and value == value and abs(value) != float("inf")


def _rows(content: Mapping[str, Any], before: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Nested numbers as rows: a dotted name, and a number or words."""
    for name, value in content.items():
        if isinstance(value, Mapping) and depth < DEEPEST:
            yield from _rows(value, f"{before}{name}.", depth + 1)
        elif isinstance(value, bool) or _finite(value):
            yield f"{before}{name}", value
        else:
            yield f"{before}{name}", word(value)


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    if not path.is_file():
        return
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if isinstance(record, dict):
                yield record
