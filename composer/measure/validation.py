"""Numbers during training, and the checkpoint where they were best.

`validation.jsonl` has a line each time: `{"iteration": 200, "translation": "a2b", "values": {"l1": 0.11}, "count": 64,
"data": "8f0c..."}`; here `iteration` counts those that are done, as the names of checkpoints do. `best.json` says which
of them was the best by the first metric; its checkpoint is kept. Both are functions of the run alone: a run that was
killed and continued has the same lines, and training does not notice that it is watched.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from composer import checkpoint, files, log
from composer.data import Dataset
from composer.data.demo import DemoSource
from composer.errors import ComposeError, nearest
from composer.measure.measuring import measure, unfit
from composer.measure.pairs import PAIR_METRICS
from composer.measure.report import number
from composer.measure.subject import Subject, make_subject
from composer.run_folder import RunFolder

if TYPE_CHECKING:
    from composer.run_data import RunData
    from composer.run_settings import RunSettings

FILE = "validation.jsonl"  # in the folder of a run
DEMO_SPLIT = "validation"  # scenes that are neither trained on nor in the final test


@dataclass(frozen=True)
class Best:
    """The best line so far. `value` of `metric` after `iteration` iterations."""

    iteration: int
    metric: str
    value: float


@dataclass(frozen=True)
class Plan:
    """What to measure of which pictures, and how often; settled before a run has a folder."""

    subject: Subject
    metrics: tuple[str, ...]
    every: int


class Validation:
    """Measures a program every so often during its training, and remembers where it was best."""

    def __init__(self, program: Any, plan: Plan, folder: RunFolder) -> None:
        self.program = program
        self.subject = plan.subject
        self.folder = folder
        self.metrics = plan.metrics
        self.every = plan.every
        self.best = find_best(folder, self.metrics[0], plan.subject.identity)
        _write_best(folder, self.best)

    def due(self, done: int) -> bool:
        """Whether to measure after `done` iterations. Only their number decides, so that a stop changes nothing."""
        return done % self.every == 0

    def measure(self, scalars: Callable[[int, Mapping[str, float]], None]) -> tuple[bool, str]:
        """Measure now, write the line and give TensorBoard its `scalars`.

        Returns whether it is the best so far, and the line in words.
        """
        done = self.program.iteration
        found = measure(self.program, self.subject, metrics=self.metrics)
        values = {name: value.mean for name, value in found.items()}
        record = {
            "iteration": done,
            "translation": self.subject.translation,
            "values": values,
            "count": len(self.subject.pairs),
            "data": self.subject.identity,
        }
        _append(self.folder.path / FILE, record)
        name = self.subject.translation
        # Under the last iteration that was trained, so that a continued run drops what it will measure again.
        scalars(done - 1, {f"validation/{name}/{key}": v for key, v in values.items() if v is not None})
        first = values.get(self.metrics[0])
        better = first is not None and (self.best is None or _better(self.metrics[0], first, self.best.value))
        if better and first is not None:
            self.best = Best(done, self.metrics[0], first)
        words = "  ".join(f"{key} {number(value)}" for key, value in values.items())
        return better, f"validation after {done} iterations: {name}  {words}{'  (best so far)' if better else ''}"

    def keep_best(self) -> None:
        """Say in `best.json` which checkpoint is the best; called when that checkpoint is whole on the disk."""
        _write_best(self.folder, self.best)


def make_plan(
    program: Any,
    dataset: Dataset,
    words: str,
    *,
    every: int,
    metrics: Sequence[str] = (),
    translation: str | None = None,
) -> Plan:
    """Validation of one translation (the graph's first one) on a dataset. ComposeError where it is impossible."""
    names = tuple(dict.fromkeys(metrics)) or tuple(PAIR_METRICS)
    unknown = [name for name in names if name not in PAIR_METRICS]
    if unknown:
        remedy = nearest(unknown[0], PAIR_METRICS)
        if unknown[0] in ("fid", "kid", "lpips"):
            remedy = "it needs weights: measure checkpoints with composer eval --weights"
        raise ComposeError(f"'{unknown[0]}' cannot be measured during training", remedy=remedy)
    subject = make_subject(program, dataset, words, name=translation)
    if not subject.pairs:
        raise ComposeError(
            f"validation needs the truth of each test picture, and '{words}' has none ({subject.paired_by})",
            remedy="leave --validate-every out, keep checkpoints with --keep-every, and compare them by FID: "
            "composer eval RUN --checkpoint N --weights inception=PATH",
        )
    asked = [name for name in names if metrics or not unfit(subject, name)]
    too_small = [why for name in asked if (why := unfit(subject, name))]
    if too_small:
        raise ComposeError(too_small[0], remedy="leave it out of --validate")
    return Plan(subject, tuple(asked), every)


def plan_for(settings: RunSettings, program: Any, data: RunData) -> Plan | None:
    """What is measured while a run trains, where its settings ask for it."""
    if not settings.validate_every:
        if settings.validate or settings.validate_as:
            raise ComposeError("it is not said how often to validate", remedy="add --validate-every N")
        return None
    if data.test is None:
        raise ComposeError(
            f"validation needs pictures that are not trained on, and '{data.words}' has no test part",
            remedy="name some with --test-data DIR",
        )
    every, metrics, name = settings.validate_every, settings.validate, settings.validate_as
    test = validation_part(data.test)
    return make_plan(program, test, data.words, every=every, metrics=metrics, translation=name)


def validation_part(dataset: Dataset) -> Dataset:
    """Scenes of the demo for validation, the same for runs of all seeds; other data as it is."""
    demo = {name: one for name, one in dataset.sources.items() if isinstance(one, DemoSource)}
    scenes = {name: replace(one, split=DEMO_SPLIT, seed=0) for name, one in demo.items()}
    return replace(dataset, sources={**dataset.sources, **scenes})


def cut(folder: RunFolder, done: int) -> None:
    """Drop the lines that a run which continues after `done` iterations will write again."""
    log.cut(folder.path / FILE, done + 1)
    found = checkpoint.best(folder.path)
    if found is not None and found > done:
        (folder.path / checkpoint.BEST).unlink()


def lines(folder: RunFolder) -> list[dict[str, Any]]:
    """The lines of a run, oldest first."""
    return list(log.read(folder.path / FILE))


def find_best(folder: RunFolder, metric: str, data: str) -> Best | None:
    """The best line whose checkpoint is there; of equal ones the first."""
    kept = {one.iteration for one in checkpoint.saved(folder.checkpoints)}
    best: Best | None = None
    for line in lines(folder):
        value = line.get("values", {}).get(metric)
        if value is None or line.get("data") != data or line["iteration"] not in kept:
            continue
        if best is None or _better(metric, value, best.value):
            best = Best(line["iteration"], metric, value)
    return best


def best_by(folder: RunFolder, iteration: int) -> str:
    """`validation l1 0.1102` when that iteration is the best of a run, else an empty text."""
    try:
        found = json.loads((folder.path / checkpoint.BEST).read_text(encoding="utf-8"))
        return f"validation {found['metric']} {number(found['value'])}" if found["iteration"] == iteration else ""
    except (OSError, ValueError, KeyError, TypeError):
        return ""  # chosen by hand, or by something else than validation


def best_data(folder: RunFolder, iteration: int) -> str:
    """The identity of the pictures on which an iteration was validated."""
    return next((str(line.get("data", "")) for line in lines(folder) if line["iteration"] == iteration), "")


def _better(metric: str, value: float, than: float) -> bool:
    return value < than if PAIR_METRICS[metric].less else value > than


def _write_best(folder: RunFolder, best: Best | None) -> None:
    path = folder.path / checkpoint.BEST
    if best is None:
        path.unlink(missing_ok=True)
        return
    said = {"iteration": best.iteration, "metric": best.metric, "value": best.value}
    files.write_atomically(path, json.dumps(said) + "\n")


def _append(path: Path, record: dict[str, Any]) -> None:
    """A whole line, on the disk before the checkpoint that it may choose."""
    with open(path, "ab") as file:
        file.write(json.dumps(record, separators=(", ", ": "), allow_nan=False).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
