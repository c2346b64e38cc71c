"""`composer verify-resume`: is a run that was stopped and continued the same, bit for bit, as one that was not?

Trains a graph N + M iterations at once, and N, then M more from the checkpoint with another number of processes for
the data, in temporary folders; then compares every tensor of the state, the rest of the state, and every log line.
"""

from __future__ import annotations

import dataclasses
import random
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from composer import checkpoint, log
from composer.display import Silent
from composer.errors import ComposeError
from composer.run import run
from composer.run_folder import RunFolder
from composer.run_settings import RunSettings


@dataclass(frozen=True)
class Comparison:
    """One thing that was compared: a group of tensors, the rest of the state, or the log."""

    what: str
    count: int
    different: tuple[str, ...]


def verify_resume(settings: RunSettings, before: int = 3, after: int = 3) -> list[Comparison]:
    """Compare `before + after` iterations at once with the same in two starts; see `Comparison`.

    `settings` are those of a run; its folder, iterations, workers and samples are set here.
    """
    if before < 1 or after < 1:
        raise ComposeError(f"{before} and {after} iterations", remedy="both must be at least 1")
    with tempfile.TemporaryDirectory(prefix="composer-verify-") as temporary:
        whole, parts = Path(temporary) / "whole", Path(temporary) / "parts"
        common = dataclasses.replace(settings, sample_every=0, checkpoint_every=0, score=False, resume=False)
        # A program that used a global generator would be found out: each start finds it in another state.
        _start(dataclasses.replace(common, out=whole, iterations=before + after, workers=0), 1)
        _start(dataclasses.replace(common, out=parts, iterations=before, workers=0), 2)
        # Nor may it matter who loads the data.
        _start(dataclasses.replace(common, out=parts, iterations=before + after, workers=1, resume=True), 3)
        return compare(whole, parts)


def _start(settings: RunSettings, disturbance: int) -> None:
    torch.manual_seed(disturbance)
    np.random.seed(disturbance)
    random.seed(disturbance)
    run(settings, Silent())


def compare(one: Path, other: Path) -> list[Comparison]:
    """The newest checkpoints and the logs of two runs, compared bit for bit."""
    first, second = (checkpoint.latest(RunFolder(path).checkpoints) for path in (one, other))
    if first is None or second is None:
        raise ComposeError(f"no whole checkpoint in '{one if first is None else other}'")
    (tensors_1, meta_1), (tensors_2, meta_2) = first.load(), second.load()
    found = [*_compare_tensors(tensors_1, tensors_2)]
    found.append(_compare_keys("rest of the state", meta_1, meta_2))
    lines_1, lines_2 = _lines(one), _lines(other)
    found.append(_compare_keys("log lines", lines_1, lines_2))
    return found


def table(comparisons: list[Comparison]) -> str:
    """A line for each comparison, with the first names that differ."""
    lines = []
    for one in comparisons:
        verdict = "same" if not one.different else f"{len(one.different)} DIFFERENT: {', '.join(one.different[:5])}"
        lines.append(f"{one.what:<24} {one.count:>6}  {verdict}")
    return "\n".join(lines)


def same_bits(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Equal in type, shape and every bit; nan equals nan and 0 differs from -0."""
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    raw_1, raw_2 = (t.detach().cpu().contiguous().reshape(-1).view(torch.uint8) for t in (one, other))
    return torch.equal(raw_1, raw_2)


def _compare_tensors(one: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> list[Comparison]:
    names = sorted({*one, *other})
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(name.partition(".")[0].partition("/")[0], []).append(name)
    result = []
    for group, members in groups.items():
        different = [n for n in members if n not in one or n not in other or not same_bits(one[n], other[n])]
        result.append(Comparison(f"tensors of {group}", len(members), tuple(different)))
    return result


def _compare_keys(what: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> Comparison:
    names = sorted({*one, *other})
    missing = object()
    different = tuple(n for n in names if one.get(n, missing) != other.get(n, missing))
    return Comparison(what, len(names), different)


def _lines(run_folder: Path) -> dict[str, Any]:
    """The log by line number, without the wall time, which is the one thing that may differ."""
    records = log.read(RunFolder(run_folder).log)
    return {f"line {n}": {k: v for k, v in record.items() if k != "seconds"} for n, record in enumerate(records, 1)}
