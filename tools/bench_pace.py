"""What `composer run --dry-run` says of time against what a run and a translation take:
`python tools/bench.py pace [GRAPH ...] [--set NAME=VALUE] [--threads 1] [--clock cpu] [--json FILE]`.

Each side is a process of its own, and the two take turns, who goes first alternates: the dry run, and a run on the
same demo data followed by translations with its checkpoint. The seconds of a run are those of its log, without its
first iteration; the seconds of a dry run are read from what it says. `--clock cpu`: of the processor, which a busy
machine changes less; meant for one thread.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

NUMBER = r"([\d.e+]+) (ms|s)"
SLOW, REPEATS = 10.0, 20  # seconds of a translation that is not repeated, and how often others are
COLUMNS = ("expected", "taken", "expected / taken", "lowest, highest")


def pace(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Every graph, `arguments.pairs` times each."""
    from composer.document import bundled_graphs

    rows: list[dict[str, Any]] = []
    for graph in arguments.graphs or bundled_graphs():
        given = {"graph": graph, "settings": [text.split("=", 1) for text in arguments.set]}
        how = {"clock": arguments.clock, "threads": arguments.threads, "iterations": arguments.iterations}
        found = [pair({**given, **how}, number) for number in range(arguments.pairs)]
        for what in found[0]:
            rows.append({**given, "what": what, **summary([one[what] for one in found if what in one])})
            print(rows[-1], flush=True)
    print(table(rows))
    return rows


def pair(task: Mapping[str, Any], number: int) -> dict[str, tuple[float, float]]:
    """Seconds expected and taken, of `iteration` and of each translation."""
    with tempfile.TemporaryDirectory() as folder:
        sides: dict[str, dict[str, float]] = {}
        for side in ("expected", "taken") if number % 2 == 0 else ("taken", "expected"):
            sides[side] = in_process({**task, "side": side, "folder": folder})
            if side == "taken":
                sides[side].update(in_process({**task, "side": "translated", "folder": folder}))
    return {what: (sides["expected"][what], sides["taken"][what]) for what in sides["expected"]}


def summary(pairs: Sequence[tuple[float, float]]) -> dict[str, Any]:
    ratios = [expected / taken for expected, taken in pairs]
    return {
        "expected": statistics.median(expected for expected, _ in pairs),
        "taken": statistics.median(taken for _, taken in pairs),
        "ratio": round(statistics.median(ratios), 3),
        "low": round(min(ratios), 3),
        "high": round(max(ratios), 3),
    }


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    lines = [f"| graph | what | {' | '.join(COLUMNS)} |", "|---" * (2 + len(COLUMNS)) + "|"]
    for row in rows:
        times = " | ".join(f"{row[side]:.3g} s" for side in ("expected", "taken"))
        lines.append(f"| {row['graph']} | {row['what']} | {times} | {row['ratio']} | {row['low']}, {row['high']} |")
    return "\n".join(lines)


def in_process(task: Mapping[str, Any]) -> dict[str, float]:
    threads = {"OMP_NUM_THREADS": str(task["threads"])} if task["threads"] else {}
    words = [sys.executable, __file__, json.dumps(task)]
    done = subprocess.run(words, capture_output=True, text=True, env={**os.environ, **threads})
    if done.returncode:
        raise SystemExit(f"{task}: {done.stderr[-2000:]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def said(lines: Sequence[str]) -> dict[str, float]:
    """Seconds of an iteration and of translations in what a dry run says."""
    text = "\n".join(lines)
    words = re.search(rf"^time: {NUMBER} an iteration", text, re.MULTILINE)
    assert words, text
    found = {"iteration": seconds(words[1], words[2])}
    made = re.search(r"^  a picture translated .*?: (.*)$", text, re.MULTILINE)
    for name, value, unit in re.findall(rf"(\S+) {NUMBER}", made[1] if made else ""):
        found[f"translation {name}"] = seconds(value, unit)
    return found


def seconds(value: str, unit: str) -> float:
    return float(value) / (1000 if unit == "ms" else 1)


def one(task: Mapping[str, Any]) -> dict[str, float]:
    """One side, in this process."""
    import torch

    from composer import dry_run, look, loop, timing
    from composer.display import Silent
    from composer.log import read
    from composer.run import run
    from composer.run_settings import RunSettings

    if task["threads"]:
        torch.set_num_threads(task["threads"])
    clock = time.process_time if task["clock"] == "cpu" else time.perf_counter
    folder, count = Path(task["folder"]), task["iterations"]
    if task["side"] == "translated":
        return translated(folder / "run", clock)
    settings = RunSettings(
        task["graph"],
        settings=tuple((name, value) for name, value in task["settings"]),
        iterations=count + (task["side"] == "taken"),
        out=folder / "run",
        device="cpu",
        checkpoint_every=0,
        sample_every=0,
        score=False,
    )
    if task["side"] == "expected":
        timing.clock = clock
        look.look_at = lambda *given, **more: None  # every row read once is not about time
        lines: list[str] = []
        dry_run.dry_run(settings, folder / "batch.png", lines.append)
        return said(lines)
    loop.time = types.SimpleNamespace(perf_counter=clock)
    run(settings, Silent())
    times = [record["seconds"] for record in read(folder / "run" / "log.jsonl")]
    return {"iteration": statistics.fmean(times[1:])}


def translated(run: Path, clock: Any) -> dict[str, float]:
    """Seconds of each translation with the checkpoint of a run, of one picture."""
    from composer.estimate import empty_batch
    from composer.run_folder import open_existing
    from composer.testing.batches import batch_for
    from composer.translate_files import load_program

    program, _ = load_program(open_existing(run))
    given = {**empty_batch(program), **batch_for(program)}
    found = {}
    for name in program.translations:
        times: list[float] = []
        while len(times) < REPEATS + 1 and not (times and times[0] > SLOW):
            start = clock()
            program.translate({field: given[field][:1] for field in program.translator.needs(name)}, name)
            times.append(clock() - start)
        found[f"translation {name}"] = statistics.fmean(times[1:] or times)
    return found


if __name__ == "__main__":
    print(json.dumps(one(json.loads(sys.argv[1]))))
