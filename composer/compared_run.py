"""What `composer compare` knows of one run: read from its folder, without torch and without rebuilding the model."""

from __future__ import annotations

import hashlib
import json
import re
import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from composer.run_folder import RunFolder, open_existing

_SECONDS = re.compile(rb'"seconds": ([0-9.eE+-]+)')
_ITERATION = re.compile(rb'\{"iteration": (\d+)')


@dataclass(frozen=True)
class Speed:
    """Iterations a second, and on what and how it was measured."""

    value: float
    machine: str
    how: str


@dataclass(frozen=True)
class ComparedRun:
    """`graph`: a digest of the settled graph, `params`: its params as written, `data`: a digest of the rows.

    `iterations`: how many are done. `memory` in bytes. `evaluations`: the files of `composer eval`, `validations`: the
    lines of validation.jsonl, `best`: what best.json says, or nothing.
    """

    label: str
    name: str
    graph: str
    params: Mapping[str, str]
    data: str
    seed: int
    iterations: int
    speed: Speed | None
    memory: float | None
    memory_of: str
    parameters: float | None
    evaluations: tuple[Mapping[str, Any], ...]
    validations: tuple[Mapping[str, Any], ...]
    best: Mapping[str, Any]


def read_run(path: Path) -> ComparedRun:
    """Raises ComposeError when there is no run, or one of its files cannot be read."""
    from composer import log
    from composer.measure import report

    folder = open_existing(path)
    environment = folder.read_environment()
    settings, starts = environment.get("settings", {}), environment.get("starts", [])
    ended = [start["ended"] for start in starts if "ended" in start]
    iterations, seconds = _log(folder)
    peaks = [(end["peak_memory"], end["memory_of"]) for end in ended if "peak_memory" in end]
    found = folder.path / "eval"
    return ComparedRun(
        label=str(path),
        name=_name(folder),
        params=_params(folder),
        graph=hashlib.sha256(folder.graph.read_bytes()).hexdigest(),
        data=str(settings.get("data_content") or settings.get("data_identity")),
        seed=int(settings.get("seed", 0)),
        iterations=iterations,
        speed=_speed(starts, ended, seconds),
        memory=max(peaks)[0] if peaks else None,
        memory_of=max(peaks)[1] if peaks else "",
        parameters=next((float(s["parameters"]) for s in reversed(starts) if "parameters" in s), None),
        evaluations=tuple(report.read(file) for file in sorted(found.glob("*.json"))) if found.is_dir() else (),
        validations=tuple(log.read(folder.path / "validation.jsonl")),
        best=_best(folder),
    )


def _log(folder: RunFolder) -> tuple[int, list[float]]:
    """How many iterations are done and the time that each took. Lines are not parsed: a log may have millions."""
    done, seconds = 0, []
    for line in _lines(folder.log):
        number, took = _ITERATION.match(line), _SECONDS.search(line, max(0, len(line) - 200))
        if number is None:
            break
        done = int(number[1]) + 1
        if took is not None:
            seconds.append(float(took[1]))
    return done, seconds


def _lines(path: Path) -> Iterator[bytes]:
    if path.is_file():
        with open(path, "rb") as file:
            yield from (line for line in file if line.endswith(b"\n"))


def _speed(starts: list[dict[str, Any]], ended: list[dict[str, Any]], seconds: list[float]) -> Speed | None:
    """The median iteration; on a GPU, which computes on while Python goes ahead, the whole time of training."""
    machine = starts[-1] if starts else {}
    device = str(machine.get("device_name") or machine.get("device", ""))
    where = f"{device}, {machine.get('processors')} processors, {machine.get('threads')} threads"
    if device in ("", "cpu"):
        middle = statistics.median(seconds) if seconds else 0.0
        return Speed(1 / middle, where, "the median iteration") if middle > 0 else None
    whole = [(end["trained"], end["seconds"]) for end in ended if end.get("seconds")]
    total = sum(took for _, took in whole)
    return Speed(sum(n for n, _ in whole) / total, where, "the whole time, with samples") if total > 0 else None


def _name(folder: RunFolder) -> str:
    found = re.search(r"^name: *(\S+)", folder.graph.read_text(encoding="utf-8"), re.M)
    return found[1].strip("\"'") if found else folder.path.name


def _params(folder: RunFolder) -> dict[str, str]:
    """The lines of the section `params` of a settled graph, which is always written in the same way."""
    section = re.search(r"^params:\n((?:  .*\n)+)", folder.graph.read_text(encoding="utf-8"), re.M)
    lines = section[1].splitlines() if section else []
    return {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _best(folder: RunFolder) -> dict[str, Any]:
    try:
        found = json.loads((folder.path / "best.json").read_text(encoding="utf-8"))
        return found if isinstance(found, dict) and isinstance(found.get("iteration"), int) else {}
    except (OSError, ValueError):
        return {}  # nothing was validated
