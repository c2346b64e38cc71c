"""The page of costs: tables of counts and of times, and the words of docs/cost.yaml between them."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import yaml
from call_counter import Work

from composer.machine import size

DATA = Path(__file__).parents[1] / "docs" / "cost.yaml"
COLUMNS = {  # of the table of counts
    "calls": "calls",
    "rows": "rows",
    "weights": "gradients of weights",
    "thrown": "of them thrown away",
    "inputs": "of inputs alone",
    "slopes": "slopes",
    "no_graph": "without a graph",
    "unused": "graph not used",
}


def read_data(path: Path = DATA) -> dict[str, Any]:
    return dict(yaml.safe_load(path.read_text(encoding="utf-8")))


def theirs(entry: Mapping[str, Any]) -> dict[str, Work]:
    """The authors' numbers of one graph; rows are as many as calls where nothing is said."""
    names = {f.name for f in fields(Work)}
    found = {}
    for network, given in entry["theirs"].items():
        numbers = {key: value for key, value in given.items() if key != "why"}
        if not set(numbers) <= names:
            raise SystemExit(f"{DATA.name}: unknown numbers of {network}: {sorted(set(numbers) - names)}")
        found[network] = Work(**{"rows": numbers["calls"], **numbers})
    return found


def number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def cell(ours: float, authors: float | None) -> str:
    """`3` where both are alike or nobody else is there, otherwise `ours / theirs`; nothing where both are 0."""
    if authors is None or abs(ours - authors) < 1e-9:
        return number(ours) if ours else ""
    return f"{number(ours)} / {number(authors)}"


def row(label: str, ours: Work, authors: Work | None, skipped: str = "") -> str:
    cells = []
    for key in COLUMNS:
        of_authors = None if authors is None else float(getattr(authors, key))
        cells.append("" if key == skipped else cell(getattr(ours, key), of_authors))
    return f"| {label} | {' | '.join(cells)} |"


def graph_text(graph: str, ours: Mapping[str, tuple[int, Work]], entry: Mapping[str, Any]) -> tuple[str, str]:
    """The lines of a graph in the table, and what is saved in words and where the authors' numbers come from."""
    authors = theirs(entry) if "theirs" in entry else None
    unknown = sorted(set(authors or {}) - set(ours))
    if unknown:
        raise SystemExit(f"{DATA.name}: {graph} has no network {', '.join(unknown)}; it has {', '.join(ours)}")
    total = sum((work for _, work in ours.values()), Work())
    other = sum(authors.values(), Work()) if authors is not None else None
    lines = [row(f"**{graph}**", total, other, "rows")]
    for family, (many, work) in ours.items():
        label = f"`{family}`" + (f" x {many}" if many > 1 else "")
        lines.append(row(label, work, authors.get(family, Work()) if authors is not None else None))
    words = [f"**{graph}.** {' '.join(entry.get('words', 'No code of authors to compare with.').split())}"]
    if "source" in entry:
        words.append(f"The authors' numbers ({entry['source']}):")
        words += ["", *(f"- `{name}`: {given['why']}" for name, given in entry["theirs"].items())]
    return "\n".join(lines), "\n".join(words)


def counts_text(data: Mapping[str, Any], counted: Mapping[str, Mapping[str, tuple[int, Work]]]) -> str:
    """All of it, from what was counted by graph and family of networks."""
    head = [f"| graph, network | {' | '.join(COLUMNS.values())} |", "|---" * (len(COLUMNS) + 1) + "|"]
    both = [graph_text(graph, ours, data["graphs"].get(graph, {})) for graph, ours in counted.items()]
    return "\n".join([*head, *(lines for lines, _ in both), "", "\n\n".join(words for _, words in both)])


def times_text(rows: list[dict[str, Any]], rounds: int) -> str:
    import torch

    said = (
        f"{rounds} round{'s' * (rounds > 1)}, one thread, torch {torch.__version__.split('+')[0]}, {platform.machine()}"
    )
    lines = [f"`python tools/bench.py cost`, {said}:", ""]
    lines += ["| graph | settings | batch | seconds an iteration | lowest, highest round | tensors | process |"]
    lines.append("|---" * 7 + "|")
    for one_row in rows:
        many, side = one_row["batch"]
        low, high = (f"{one_row[key]:.3g}" for key in ("fastest", "slowest"))
        figures = [f"{many} of {side} px", f"{one_row['seconds']:.3g}", f"{low}, {high}" if low != high else ""]
        figures += [size(one_row["tensors"]), size(one_row["process"])]
        lines.append(f"| {one_row['graph']} | {one_row['name']} | {' | '.join(figures)} |")
    return "\n".join(lines)


def placed(page: str, place: str, text: str) -> str:
    """The page with `text` between `<!-- PLACE -->` and the next `<!-- end -->`."""
    start, found, rest = page.partition(f"<!-- {place} -->\n")
    _, ended, after = rest.partition("<!-- end -->")
    if not (found and ended):
        raise SystemExit(f"the page has no place '<!-- {place} -->' with an '<!-- end -->' behind it")
    return f"{start}{found}{text}\n{ended}{after}"
