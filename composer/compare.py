"""`composer compare`: a table over runs, from what they left in their folders.

Runs of the same settled graph and the same data that differ in their seed are repetitions: they are one row, with mean
and deviation. A number stands beside another one only when both were found in the same way; where they were not, the
cell has a footnote that says what differs, and no best value is marked in that column.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from composer.compare_table import Cell, Column, Row, Table, written
from composer.compared_numbers import NEITHER, Wanted, measured, resources, usual_data, validated
from composer.compared_run import ComparedRun, read_run
from composer.errors import ComposeError, nearest

TOLD_PARAMS = 3  # that tell graphs of one name apart


def compare(
    paths: Sequence[Path], *, style: str = "text", metrics: Sequence[str] = (), by: str = "graph", at: str = "last"
) -> str:
    """The table of the runs in these folders, as text, csv or latex. Raises ComposeError for what is no run."""
    real = [path.resolve() for path in paths]
    twice = [str(path) for path, times in zip(paths, map(real.count, real), strict=True) if times > 1]
    if twice:
        raise ComposeError(f"'{twice[0]}' is named twice", remedy="name each run once")
    runs = [read_run(path) for path in paths]
    return written(make_table(runs, metrics=metrics, by=by, at=at), style)


def make_table(
    runs: Sequence[ComparedRun], *, metrics: Sequence[str] = (), by: str = "graph", at: str = "last"
) -> Table:
    """Groups as rows and numbers as columns. ComposeError when a metric was asked for that no run has."""
    groups = _groups(runs, by)
    columns = [*measured(runs, at, usual_data(runs)), *validated(runs)]
    chosen = _chosen(columns, metrics)
    notes: list[str] = []
    rows = [Row(label, len(group), _span(group), tuple(run.label for run in group)) for label, group in groups]
    filled = []
    for one in [*chosen, *resources()]:
        cells, comparable = _cells(one, [group for _, group in groups], notes)
        if any(cell.mean is not None for cell in cells):
            filled.append(Column(one.title, one.better if comparable else NEITHER, tuple(cells), one.whole))
    hints = [] if columns else ["no numbers of pictures yet: measure runs with composer eval RUN"]
    return Table(tuple(rows), tuple(filled), tuple([*notes, *_group_notes(groups)]), tuple(hints))


def _groups(runs: Sequence[ComparedRun], by: str) -> list[tuple[str, list[ComparedRun]]]:
    """Runs that repeat each other, in the order they were named, and what each group is called."""
    found: dict[Any, list[ComparedRun]] = {}
    for run in runs:
        found.setdefault((run.graph, run.data) if by == "graph" else run.label, []).append(run)
    if by != "graph":
        return [(group[0].label, group) for group in found.values()]
    firsts = [group[0] for group in found.values()]
    labels = [_label(run, [one for one in firsts if one.name == run.name]) for run in firsts]
    told = [
        f"{label} ({run.label})" if labels.count(label) > 1 else label
        for run, label in zip(firsts, labels, strict=True)
    ]
    return list(zip(told, found.values(), strict=True))


def _label(run: ComparedRun, namesakes: Sequence[ComparedRun]) -> str:
    """The name of the graph, and the few params in which it differs from others of that name."""
    unlike = [name for name, value in run.params.items() if any(one.params.get(name) != value for one in namesakes)]
    if not 0 < len(unlike) <= TOLD_PARAMS:
        return run.name
    return f"{run.name}, " + ", ".join(f"{name} {run.params[name]}" for name in unlike)


def _group_notes(groups: Sequence[tuple[str, Sequence[ComparedRun]]]) -> list[str]:
    notes = []
    for label, group in groups:
        seeds = Counter(run.seed for run in group)
        again = [str(seed) for seed, times in seeds.items() if times > 1]
        if again:
            notes.append(f"{label}: several runs of seed {', '.join(again)}, which are no independent repetitions")
        if len({run.iterations for run in group}) > 1:
            notes.append(f"{label}: the runs are of unlike length, {_span(group)} iterations")
    return notes


def _span(group: Sequence[ComparedRun]) -> str:
    low, high = min(run.iterations for run in group), max(run.iterations for run in group)
    return str(low) if low == high else f"{low} to {high}"


def _chosen(columns: Sequence[Wanted], metrics: Sequence[str]) -> list[Wanted]:
    if not metrics:
        return list(columns)
    known = list(dict.fromkeys(name for one in columns for name in (one.metric, one.title)))
    for name in metrics:
        if name not in known:
            remedy = nearest(name, known) or "measure it with composer eval"
            raise ComposeError(f"no run has a number '{name}'", remedy=remedy)
    return [one for name in metrics for one in columns if name in (one.metric, one.title)]


def _cells(wanted: Wanted, groups: Sequence[Sequence[ComparedRun]], notes: list[str]) -> tuple[list[Cell], bool]:
    """A cell for each group, and whether all numbers of the column were found in the same way."""
    found = [[one for run in group if (one := wanted.look_up(run)) is not None] for group in groups]
    everything = [one for group in found for one in group]
    usual = {
        key: Counter(str(one.protocol[key]) for one in everything).most_common(1)[0][0]
        for key in (everything[0].protocol if everything else ())
    }
    cells, comparable = [], True
    for group, numbers in zip(groups, found, strict=True):
        texts = list(dict.fromkeys(note for one in numbers for note in one.notes))
        for key, common in usual.items():
            others = dict.fromkeys(str(one.protocol[key]) for one in numbers if str(one.protocol[key]) != common)
            if others:
                comparable = False
                texts.append(f"{key}: {' and '.join(others)}; elsewhere in this column {common}")
        if 0 < len(numbers) < len(group):
            texts.append(f"of {len(numbers)} of the {len(group)} runs")
        values = [one.value for one in numbers]
        mean = math.fsum(values) / len(values) if values else None
        deviation = statistics.stdev(values) if len(values) > 1 else None
        cells.append(Cell(mean, deviation, tuple(_number(text, notes) for text in texts)))
    return cells, comparable


def _number(text: str, notes: list[str]) -> int:
    """The number of a footnote, from 1; equal ones are one."""
    if text not in notes:
        notes.append(text)
    return notes.index(text) + 1
