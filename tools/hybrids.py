"""Hybrids beside their parents: `python tools/hybrids.py [NAME ...]` trains them and writes docs/hybrids.json.

What is trained stands in tools/hybrids.yaml: of each hybrid the rows of its table, which see the same demo data for
equally many iterations. Scores are those of tools/learn.py. `--table` writes them into docs/hybrids.md.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import learn
import yaml

ROOT = Path(__file__).resolve().parent.parent
ROWS = ROOT / "docs" / "hybrids.json"
PAGE = ROOT / "docs" / "hybrids.md"
PICTURES = ROOT / "docs" / "pictures" / "hybrids"
SEEDS = (0, 1, 2)
COLUMNS = ("accuracy", "iou", "product", "diversity", "error")
BEGIN, END = "<!-- tools/hybrids.py {} -->", "<!-- end -->"


def experiments() -> dict[str, dict[str, Any]]:
    """By hybrid, by name of a row: what tools/learn.py wants to know of an experiment."""
    found: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "tools" / "hybrids.yaml").read_text(encoding="utf-8"))
    return found


def table(names: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    """Means over the seeds, the product of each, and that of the true pictures."""
    head = [
        "",
        *(name if name != "iou" else "IoU" for name in COLUMNS),
        "product by seed",
        "truth",
        "weights",
        "seconds",
    ]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for name in names:
        own = [row for row in rows if row["name"] == name]
        cells = [name]
        for column in COLUMNS:
            found = [row["method"][column] for row in own if column in row["method"]]
            cells.append(f"{mean(found):.2f}" if found else "")
        cells.append(", ".join(f"{row['method']['product']:.2f}" for row in own))
        cells.append(f"{own[0]['truth']['product']:.2f}")
        cells += [f"{own[0]['weights'] / 1e3:,.0f} k", f"{mean(row['seconds'] for row in own):.0f}"]
        lines.append(f"| {' | '.join(cells)} |")
    commands = [own[0]["command"] for name in names if (own := [row for row in rows if row["name"] == name])]
    return "\n".join([*lines, "", "```text", *commands, "```"])


def page(text: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """The page with its tables between their marks renewed."""
    for hybrid, members in experiments().items():
        begin = BEGIN.format(hybrid)
        before, _, rest = text.partition(begin)
        after = rest.partition(END)[2]
        text = f"{before}{begin}\n{table(list(members), rows)}\n{END}{after}"
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="rows of tools/hybrids.yaml; all of them without")
    parser.add_argument("--seed", type=int, action="append", help=f"instead of {SEEDS}")
    parser.add_argument("--json", type=Path, default=ROWS, help="where the rows go")
    parser.add_argument("--table", action="store_true", help="train nothing, write the tables")
    arguments = parser.parse_args()
    if arguments.table:
        rows = json.loads(ROWS.read_text(encoding="utf-8"))
        PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), rows), encoding="utf-8")
        return
    known = {name: one for members in experiments().values() for name, one in members.items()}
    for name in arguments.names:
        if name not in known:
            parser.error(f"'{name}' is not in tools/hybrids.yaml, which has {', '.join(known)}")
    for name in arguments.names or known:
        for seed in arguments.seed or SEEDS:
            row = learn.learn(name, known[name], seed, pictures=PICTURES if seed == SEEDS[0] else None)
            print(json.dumps(row), flush=True)
            learn.write(arguments.json, row, list(known))


if __name__ == "__main__":
    main()
