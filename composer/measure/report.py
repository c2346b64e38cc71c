"""What `composer eval` leaves: a JSON file with every number and its protocol, and the same as a table."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from composer.errors import ComposeError
from composer.files import explain, write_atomically

FORMAT = 1


def to_json(report: Mapping[str, Any]) -> str:
    """The same report gives the same bytes; it holds no time and no folder of this machine but what the user typed."""
    return json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def write(path: Path, report: Mapping[str, Any]) -> None:
    """Write a report, whole or not at all."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, to_json(report))
    except OSError as error:
        raise explain(error) from None


def read(path: Path) -> dict[str, Any]:
    """A report that was written before. Raises ComposeError when the file is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ComposeError(f"'{path}' cannot be read: {error}") from None
    wanted = ("run", "translation", "data", "protocol", "values")
    if not isinstance(found, dict) or found.get("format") != FORMAT or any(key not in found for key in wanted):
        raise ComposeError(f"'{path}' is no file of numbers", remedy="delete it, and measure again with composer eval")
    return found


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values by name as plain data."""
    return {name: {**dataclasses.asdict(value), "count": list(value.count)} for name, value in values.items()}


def table(report: Mapping[str, Any]) -> list[str]:
    """The lines that `composer eval` prints: what was measured, the numbers, and what they rest on."""
    run, data, protocol = report["run"], report["data"], report["protocol"]
    pairs = f"{data['pairs']} pairs by {data['paired_by']}" if data["pairs"] else "no pairs"
    sizes = " x ".join(map(str, protocol["size"][1:]))
    lines = [
        f"{report['translation']} of {run['graph']} at iteration {run['iteration']}{_chosen(run)}",
        f"data: {data['words']} ({data['identity']}), {data['sources']} pictures to translate, {data['targets']} to "
        f"resemble, {pairs}, {sizes}",
    ]
    rows = [("", "mean", "deviation", "n", "")]
    for name, value in report["values"].items():
        count = " / ".join(map(str, value["count"]))
        about = "; ".join(text for text in (value["meaning"], value["said"]) if text)
        rows.append((name, number(value["mean"], value), number(value["deviation"]), count, about))
    if len(rows) > 1:
        lines += aligned(rows)
    lines += [f"{name}: not computed: {why}" for name, why in report["missing"].items()]
    lines += [f"{key}: {text}" for key, text in said(protocol)]
    return lines + [f"note: {note}" for note in report["notes"]]


def said(protocol: Mapping[str, Any]) -> list[tuple[str, str]]:
    """A protocol in words, for a reader who wants to repeat it."""
    lines = [
        ("protocol", f"{protocol['pictures']}; {protocol['numbers']}; seed {protocol['seed']}; {protocol['draws']}"),
        ("versions", f"composer {protocol['composer']}, torch {protocol['torch']}, {protocol['device']}"),
    ]
    for name, one in protocol["weights"].items():
        known = {True: ", the published file", False: ", not the published file", None: ""}[one["standard"]]
        lines.append((name, f"{one['file']}, SHA-256 {one['sha256']}{known}; {one['about']}"))
    return lines


def _chosen(run: Mapping[str, Any]) -> str:
    return f" (best by {run['best_by']})" if run.get("best_by") else ""


def number(value: float | None, about: Mapping[str, Any] | None = None) -> str:
    """Four digits; `inf` for what has no finite mean, a dash for what there is none of."""
    if value is not None:
        return f"{value:#.4g}" if abs(value) < 1000 else f"{value:.1f}"
    return "inf" if about is not None and "infinite" in about["said"] else "-"


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines: the first and last column to the left, numbers to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    last = len(widths) - 1
    lines = []
    for row in rows:
        cells = [c.ljust(w) if i in (0, last) else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))]
        lines.append("  ".join(cells).rstrip())
    return lines
