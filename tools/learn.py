"""Does every graph learn? `python tools/learn.py [NAME ...] [--json FILE]` trains the demo of each and scores it.

What is trained, and which translations are scored, stands in tools/learn.yaml; how, in tools/learn_score.py. A run is
what a user gets with `composer run NAME` and no data. Each has to beat, on domain accuracy x content IoU, the same
networks untrained and what needs none: the picture as it is, a random picture of the target, the best map of colours;
where classes are given, each in its mean colour; where images are made of noise, real ones mixed, and their mean.
"""

from __future__ import annotations

import argparse
import itertools
import json
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import learn_cases
import learn_score
import numpy as np
import torch
import yaml
from learn_score import Score

import composer
from composer.samples import grid

HERE = Path(__file__).parent
SCENES = 64
PICTURED = 4
LEAST_DIVERSITY = 0.5


def experiments() -> dict[str, dict[str, Any]]:
    """What is trained, by name: `cases`, `seeds`, and `run`, the arguments where the name is not all of them."""
    found: dict[str, dict[str, Any]] = yaml.safe_load((HERE / "learn.yaml").read_text(encoding="utf-8"))
    return found


def pictured(program: Any, cases: Sequence[Mapping[str, Any]]) -> bytes:
    """A PNG: a row a scene; of each case the source, its translations and, where there is one, the truth."""
    scenes = learn_score.test_scenes(PICTURED)
    columns: dict[str, Any] = {}
    for number, case in enumerate(cases):
        size = learn_cases.size_of(program, case)
        shown: dict[str, Any] = dict(learn_cases.maps(case, size, scenes))
        if "input" in case and not case.get("made_up"):
            shown[" or ".join(case["from"])] = learn_cases.sources(case, size, scenes)
        made = learn_cases.translations(program, case, scenes)
        shown |= {f"{case['as']} {index + 1 if len(made) > 1 else ''}": one for index, one in enumerate(made)}
        if len(case["to"]) == 1:
            shown[f"true {case['to'][0]}"] = learn_score.pictures(scenes, size, case["to"][0])
        # Columns of different cases may be called the same: spaces tell them apart.
        columns |= {title + " " * number: torch.from_numpy(rows) for title, rows in shown.items()}
    return grid({title: enlarged(rows) for title, rows in columns.items()})


def enlarged(rows: torch.Tensor) -> torch.Tensor:
    """Small pictures as large as the others, each pixel a square."""
    times = max(1, 64 // rows.shape[-1])
    return rows.repeat_interleave(times, -2).repeat_interleave(times, -1)


def mean(scores: Sequence[Score]) -> dict[str, float]:
    """Of each case its product first, then the mean: a case that failed is not made up for by another."""
    found = {
        "accuracy": np.mean([one.accuracy for one in scores]),
        "iou": np.mean([one.iou for one in scores]),
        "product": np.mean([one.product for one in scores]),
    }
    for name in ("diversity", "error"):
        if any(getattr(one, name) is not None for one in scores):
            found[name] = np.mean([value for one in scores if (value := getattr(one, name)) is not None])
    return {name: round(float(value), 3) for name, value in found.items()}


def trained(run: str, seed: int, folder: Path) -> tuple[Any, list[str], float]:
    """The program after `composer run` with these arguments, the command, and its seconds of wall time."""
    command = ["composer", "run", *shlex.split(run), "--seed", str(seed)]
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", *command, "--out", str(folder)], check=True, stdout=subprocess.DEVNULL)
    return composer.load(folder), command, time.perf_counter() - start


def learn(
    name: str, experiment: Mapping[str, Any], seed: int, keep: Path | None = None, pictures: Path | None = None
) -> dict[str, Any]:
    """Train and score: one row of the table, as plain data. A picture of the run goes to `pictures`."""
    cases = list(learn_cases.cases_of(experiment))
    scenes = learn_score.test_scenes(SCENES)
    checked_out = commit()  # before it is trained: a working tree may move on meanwhile
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "run" if keep is None else keep / f"{name}-{seed}"
        shutil.rmtree(folder, ignore_errors=True)
        program, command, seconds = trained(experiment.get("run", name), seed, folder)
        untrained = composer.compile(folder / "graph.yaml", seed=seed)
    rows = {"method": [learn_cases.scored(program, case, scenes) for case in cases]}
    rows["untrained"] = [learn_cases.scored(untrained, case, scenes) for case in cases]
    for case in cases:
        for control, found in learn_cases.controls(program, case, scenes).items():
            rows.setdefault(control, []).append(found)
    if pictures is not None:
        pictures.mkdir(parents=True, exist_ok=True)
        (pictures / f"{name}.png").write_bytes(pictured(program, cases))
    table = {row: mean(scores) for row, scores in rows.items()}
    return {
        "name": name,
        "seed": seed,
        "command": shlex.join(command),
        "commit": checked_out,
        "iterations": program.iteration,
        "seconds": round(seconds),
        "weights": sum(weight.numel() for net in program.networks.values() for weight in net.parameters()),
        "learned": learned(table),
        **table,
    }


def commit() -> str:
    """What was checked out, with a plus where files differ from it."""
    asked = ["git", "describe", "--always", "--abbrev=10", "--exclude=*", "--dirty=+"]
    return subprocess.run(asked, cwd=HERE, check=True, capture_output=True, text=True).stdout.strip()


def learned(table: Mapping[str, Any]) -> bool:
    """Whether the method beats every score but the truth's, and shows at least half of the true diversity if any."""
    method = table["method"]
    others = [found for row, found in table.items() if isinstance(found, Mapping) and row not in ("method", "truth")]
    beats = all(method["product"] > found["product"] for found in others)
    return beats and method.get("diversity", 1.0) >= LEAST_DIVERSITY


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="of tools/learn.yaml; all of them without")
    parser.add_argument("--seed", type=int, action="append", help="instead of the seeds of tools/learn.yaml")
    parser.add_argument("--json", type=Path, help="write the rows here, in place of those of the same name and seed")
    parser.add_argument("--pictures", type=Path, help="write a picture of the first seed of each here")
    parser.add_argument("--keep", type=Path, help="keep the run folders here")
    arguments = parser.parse_args()
    known = experiments()
    for name in arguments.names:
        if name not in known:
            parser.error(f"'{name}' is not in tools/learn.yaml, which has {', '.join(known)}")
    failed = []
    chosen = arguments.names or list(known)
    for name, seed in itertools.chain.from_iterable(
        [(one, seed) for seed in arguments.seed or known[one].get("seeds", [0])] for one in chosen
    ):
        first = seed == known[name].get("seeds", [0])[0]
        row = learn(name, known[name], seed, arguments.keep, arguments.pictures if first else None)
        print(json.dumps(row), flush=True)
        if not row["learned"]:
            failed.append(f"{name} (seed {seed})")
        if arguments.json:
            write(arguments.json, row, list(known))
    if failed:
        sys.exit(f"not learned: {', '.join(failed)}")


def write(path: Path, row: Mapping[str, Any], order: Sequence[str]) -> None:
    """Put a row into a JSON list, in the order of these names and of seeds."""
    rows = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    rows = [one for one in rows if (one["name"], one["seed"]) != (row["name"], row["seed"])] + [row]
    rows.sort(key=lambda one: (order.index(one["name"]), one["seed"]))
    path.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
