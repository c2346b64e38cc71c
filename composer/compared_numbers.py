"""The columns of `composer compare`: where each run has its number, and how that was found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from composer.compared_run import ComparedRun

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


def measured(runs: Sequence[ComparedRun], at: str, usual: str) -> list[Wanted]:
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


def usual_data(runs: Sequence[ComparedRun]) -> str:
    seen = Counter(identity for run in runs for identity in {one["data"]["identity"] for one in run.evaluations})
    return seen.most_common(1)[0][0] if seen else ""


def validated(runs: Sequence[ComparedRun]) -> list[Wanted]:
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


def resources() -> list[Wanted]:
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
