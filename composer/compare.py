"""`composer compare`: a table over runs, from what they left in their folders.

Runs of the same settled graph and the same data that differ in their seed are repetitions: they are one row, with mean
and deviation. A number stands beside another one only when both were found in the same way; where they were not, the
cell has a footnote that says what differs, and no best value is marked in that column.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from composer.compare_table import Cell, Column, Row, Table, written
from composer.compared_run import ComparedRun, read_run
from composer.errors import ComposeError, nearest

MORE, LESS, NEITHER = 1, -1, 0
_LESS_IS_BETTER = {"l1": LESS, "psnr": MORE, "ssim": MORE, "lpips": LESS, "fid": LESS, "kid": LESS}
GIGABYTE, MILLION = 1e9, 1e6


@dataclass(frozen=True)
class Found:
    """One run's number for a column. `protocol`: what must be equal for it to stand beside others, by name."""

    value: float
    protocol: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Wanted:
    """A column before it is filled."""

    title: str
    metric: str
    better: int
    look_up: Callable[[ComparedRun], Found | None]
    whole: bool = False


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
    usual = _usual_data(runs)
    columns = [*_measured(runs, at, usual), *_validated(runs)]
    chosen = _chosen(columns, metrics)
    notes: list[str] = []
    rows = [Row(label, len(group), _span(group), tuple(run.label for run in group)) for label, group in groups]
    filled = []
    for one in [*chosen, *_resources()]:
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
    names = Counter(group[0].name for group in found.values())
    return [
        (group[0].name if names[group[0].name] == 1 else f"{group[0].name} ({group[0].label})", group)
        for group in found.values()
    ]


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


def _measured(runs: Sequence[ComparedRun], at: str, usual: str) -> list[Wanted]:
    """A column for each metric of each translation that was measured."""
    names: dict[tuple[str, str], None] = {}
    for run in runs:
        for one in run.evaluations:
            names.update({(one["translation"], metric): None for metric in one["values"]})

    def look_up(translation: str, metric: str) -> Callable[[ComparedRun], Found | None]:
        return lambda run: _from_evaluation(run, translation, metric, at, usual)

    return [
        Wanted(f"{translation} {metric}", metric, _LESS_IS_BETTER.get(metric, NEITHER), look_up(translation, metric))
        for translation, metric in names
    ]


def _from_evaluation(run: ComparedRun, translation: str, metric: str, at: str, usual: str) -> Found | None:
    candidates = [one for one in run.evaluations if one["translation"] == translation and metric in one["values"]]
    if at == "best":
        candidates = [one for one in candidates if one["run"]["iteration"] == run.best.get("iteration")]
    if not candidates:
        return None
    # Of several at the same iteration the one on the data that most runs were measured on.
    chosen = max(candidates, key=lambda one: (one["run"]["iteration"], one["data"]["identity"] == usual))
    value = chosen["values"][metric]
    if value["mean"] is None:
        return None
    protocol, done = chosen["protocol"], chosen["run"]["iteration"]
    kinds = {"lpips": ("lpips", "lpips-heads"), "fid": ("inception",), "kid": ("inception",)}.get(metric, ())
    how = {
        "data": f"{chosen['data']['words']} ({chosen['data']['identity']})",
        "size": "x".join(map(str, protocol["size"])),
        "pictures": protocol["pictures"],
        "numbers": protocol["numbers"],
        "seed of the measurement": protocol["seed"],
        "n": "/".join(map(str, value["count"])),
        "weights": ", ".join(protocol["weights"][kind]["sha256"][:16] for kind in kinds),
    }
    notes = [note for note in chosen["notes"] if not note.startswith("no pairs")]
    if at == "last" and done != run.iterations:
        notes.append(f"measured at iteration {done} of {run.iterations}")
    return Found(value["mean"], how, tuple(notes))


def _usual_data(runs: Sequence[ComparedRun]) -> str:
    seen = Counter(identity for run in runs for identity in {one["data"]["identity"] for one in run.evaluations})
    return seen.most_common(1)[0][0] if seen else ""


def _validated(runs: Sequence[ComparedRun]) -> list[Wanted]:
    """For each metric of validation a column of its value where the run was best, and one of its last value."""
    names: dict[tuple[str, str], None] = {}
    for run in runs:
        for line in run.validations:
            names.update({(line["translation"], metric): None for metric in line["values"]})

    def look_up(translation: str, metric: str, best: bool) -> Callable[[ComparedRun], Found | None]:
        return lambda run: _from_validation(run, translation, metric, best)

    return [
        Wanted(
            f"{translation} {metric} validation {which}",
            metric,
            _LESS_IS_BETTER.get(metric, NEITHER),
            look_up(translation, metric, which == "best"),
        )
        for translation, metric in names
        for which in ("best", "last")
    ]


def _from_validation(run: ComparedRun, translation: str, metric: str, best: bool) -> Found | None:
    lines = [one for one in run.validations if one["translation"] == translation]
    if best:
        lines = [one for one in lines if one["iteration"] == run.best.get("iteration")]
    value = lines[-1]["values"].get(metric) if lines else None
    if value is None:
        return None
    return Found(value, {"data": lines[-1]["data"], "n": lines[-1]["count"]})


def _resources() -> list[Wanted]:
    def speed(run: ComparedRun) -> Found | None:
        found = run.speed
        return Found(found.value, {"machine": found.machine, "time": found.how}) if found else None

    def memory(run: ComparedRun) -> Found | None:
        return None if run.memory is None else Found(run.memory / GIGABYTE, {"memory": f"of the {run.memory_of}"})

    def parameters(run: ComparedRun) -> Found | None:
        return None if run.parameters is None else Found(run.parameters / MILLION)

    def best_at(run: ComparedRun) -> Found | None:
        return Found(float(run.best["iteration"])) if run.best else None

    return [
        Wanted("best at", "best at", NEITHER, best_at, whole=True),
        Wanted("it/s", "it/s", MORE, speed),
        Wanted("memory (GB)", "memory", LESS, memory),
        Wanted("parameters (M)", "parameters", NEITHER, parameters),
    ]


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
