"""Does every graph learn? `python tools/learn.py [NAME ...] [--json FILE]` trains the demo of each and scores it.

What is trained, and which translations are scored, stands in tools/learn.yaml; how, in tools/learn_score.py. A run is
what a user gets with `composer run NAME` and no data. Each has to beat, on domain accuracy x content IoU, the picture
as it is, a random picture of the target, the best map of colours, and the same networks untrained.
"""

from __future__ import annotations

import argparse
import itertools
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import learn_score
import numpy as np
import torch
import yaml
from learn_score import Floats, Score

import composer
from composer.samples import grid

HERE = Path(__file__).parent
SCENES = 64
PICTURED = 4
BEATEN = ("identity", "random", "colour_map", "untrained")
LEAST_DIVERSITY = 0.5


def experiments() -> dict[str, dict[str, Any]]:
    """What is trained, by name, without the graphs that are not yet."""
    with open(HERE / "learn.yaml", encoding="utf-8") as file:
        found: dict[str, Any] = yaml.safe_load(file)
    del found["not_yet"]
    return found


def cases_of(experiment: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The cases of an experiment; one with `each` stands for several, with what each of them gives."""
    for case in experiment["cases"]:
        for own in case.get("each", [{}]):
            yield {**{name: value for name, value in case.items() if name != "each"}, **own}


def translations(program: Any, case: Mapping[str, Any], size: int, scenes: Sequence[Any]) -> list[Floats]:
    """Samples `[n, 3, size, size]` of the case's sources, one by one as `composer translate` does it."""
    given = sources(case, size, scenes)
    others = {
        name: np.roll(learn_score.pictures(scenes, size, style), 5, axis=0)
        for name, style in case.get("reference", {}).items()
    }
    samples = []
    for number in range(case.get("samples", 1)):
        made = []
        for index, picture in enumerate(given):
            batch = {case["input"]: torch.from_numpy(picture)[None]}
            batch |= {name: torch.from_numpy(rows[index])[None] for name, rows in others.items()}
            for name, value in case.get("give", {}).items():
                batch[name] = torch.tensor([value], dtype=torch.int64 if isinstance(value, int) else torch.float32)
            seed = number * len(given) + index
            made.append(program.translate(batch, as_=case["as"], seed=seed)[0].float().numpy())
        samples.append(np.stack(made).clip(-1, 1))
    return samples


def sources(case: Mapping[str, Any], size: int, scenes: Sequence[Any]) -> Floats:
    """The scenes in the source styles, in turn."""
    styles = [learn_score.pictures(scenes, size, style) for style in case["from"]]
    return np.stack([styles[number % len(styles)][number] for number in range(len(scenes))])


def size_of(program: Any, case: Mapping[str, Any]) -> int:
    fields = (field for stream in program.inputs.values() for field in stream.fields)
    return int(next(field for field in fields if field.name == case["input"]).args[1])


def scored(program: Any, case: Mapping[str, Any], scenes: Sequence[Any]) -> Score:
    made = translations(program, case, size_of(program, case), scenes)
    return learn_score.score(made, scenes, case["to"])


def pictured(program: Any, cases: Sequence[Mapping[str, Any]]) -> bytes:
    """A PNG: a row a scene; of each case the source, its translations and, where there is one, the truth."""
    scenes = learn_score.test_scenes(PICTURED)
    columns: dict[str, Any] = {}
    for number, case in enumerate(cases):
        size = size_of(program, case)
        shown = {" or ".join(case["from"]): sources(case, size, scenes)}
        made = translations(program, case, size, scenes)
        shown |= {f"{case['as']} {index + 1 if len(made) > 1 else ''}": one for index, one in enumerate(made)}
        if len(case["to"]) == 1:
            shown[f"true {case['to'][0]}"] = learn_score.pictures(scenes, size, case["to"][0])
        # Columns of different cases may be called the same: spaces tell them apart.
        columns |= {title + " " * number: torch.from_numpy(rows) for title, rows in shown.items()}
    return grid({title: enlarged(rows) for title, rows in columns.items()})


def enlarged(rows: torch.Tensor) -> torch.Tensor:
    """Small pictures as large as the others, each pixel a square."""
    return rows.repeat_interleave(max(1, 64 // rows.shape[-1]), 2).repeat_interleave(max(1, 64 // rows.shape[-1]), 3)


def mean(scores: Sequence[Score]) -> dict[str, float]:
    """Of each case its product first, then the mean: a case that failed is not made up for by another."""
    found = {
        "accuracy": np.mean([one.accuracy for one in scores]),
        "iou": np.mean([one.iou for one in scores]),
        "product": np.mean([one.product for one in scores]),
    }
    spreads = [one.diversity for one in scores if one.diversity is not None]
    if spreads:
        found["diversity"] = np.mean(spreads)
    return {name: round(float(value), 3) for name, value in found.items()}


def trained(name: str, seed: int, folder: Path) -> tuple[Any, list[str], float]:
    """The program after its demo run, the command, and its seconds of wall time."""
    command = ["composer", "run", name, "--seed", str(seed)]
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", *command, "--out", str(folder)], check=True, stdout=subprocess.DEVNULL)
    return composer.load(folder), command, time.perf_counter() - start


def learn(
    name: str, experiment: Mapping[str, Any], seed: int, keep: Path | None = None, pictures: Path | None = None
) -> dict[str, Any]:
    """Train and score: one row of the table, as plain data. A picture of the run goes to `pictures`."""
    cases = list(cases_of(experiment))
    scenes = learn_score.test_scenes(SCENES)
    checked_out = commit()  # before it is trained: a working tree may move on meanwhile
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "run" if keep is None else keep / f"{name}-{seed}"
        shutil.rmtree(folder, ignore_errors=True)
        program, command, seconds = trained(name, seed, folder)
        untrained = composer.compile(folder / "graph.yaml", seed=seed)
    rows = {"method": [scored(program, case, scenes) for case in cases]}
    rows["untrained"] = [scored(untrained, case, scenes) for case in cases]
    for case in cases:
        given = sources(case, size_of(program, case), scenes)
        for control, found in learn_score.controls(given, scenes, case["to"]).items():
            rows.setdefault(control, []).append(found)
    if pictures is not None:
        pictures.mkdir(parents=True, exist_ok=True)
        (pictures / f"{name}.png").write_bytes(pictured(program, cases))
    table = {row: mean(scores) for row, scores in rows.items()}
    return {
        "name": name,
        "seed": seed,
        "command": " ".join(command),
        "commit": checked_out,
        "iterations": program.iteration,
        "seconds": round(seconds),
        "learned": learned(table),
        **table,
    }


def commit() -> str:
    """What was checked out, with a plus where files differ from it."""
    asked = ["git", "describe", "--always", "--abbrev=10", "--exclude=*", "--dirty=+"]
    return subprocess.run(asked, cwd=HERE, check=True, capture_output=True, text=True).stdout.strip()


def learned(table: Mapping[str, Mapping[str, float]]) -> bool:
    """Whether the method beats every control, and shows at least half of the true diversity where it has any."""
    method = table["method"]
    beats = all(method["product"] > table[control]["product"] for control in BEATEN)
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
            write(arguments.json, row)
    if failed:
        sys.exit(f"not learned: {', '.join(failed)}")


def write(path: Path, row: Mapping[str, Any]) -> None:
    """Put a row into a JSON list, in the order of tools/learn.yaml."""
    rows = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    rows = [one for one in rows if (one["name"], one["seed"]) != (row["name"], row["seed"])] + [row]
    order = list(experiments())
    rows.sort(key=lambda one: (order.index(one["name"]), one["seed"]))
    path.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
