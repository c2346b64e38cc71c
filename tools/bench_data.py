"""How fast data comes, and how much of the time of a run is computing: `python tools/bench.py data`.

Pictures are the demo's scenes, painted at the size that is measured and saved as JPEG, so files have the detail and the
size of photographs. Batches are asked for as `composer.loop` asks for them.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

import composer
from composer.data import Field, Stream, open_data
from composer.data.demo import demo_dataset

PICTURES = 48  # in each of the two folders
SIZE, LOAD = 256, 286


def paint(folder: Path) -> None:
    """Two folders of JPEG files, `trainA` and `trainB`, somewhat larger than what is trained on."""
    streams = [Stream(f"domain[{d}]", (Field(f"x[{d}]", "image", (3, 320, 320)),)) for d in "ab"]
    source = demo_dataset(streams, seed=0).sources
    for letter, stream in zip("AB", streams, strict=True):
        (folder / f"train{letter}").mkdir()
        for number in range(PICTURES):
            pixels = source[stream.name].row(number)[stream.fields[0].name]
            Image.fromarray(pixels).save(folder / f"train{letter}" / f"{number}.jpg", quality=95)


def supply(folder: Path, workers: int) -> dict[str, object]:
    """Pictures a second without anybody who computes: first from the files, then from what was kept."""
    options = {"load": LOAD}
    streams = [Stream(f"domain[{d}]", (Field(f"x[{d}]", "image", (3, SIZE, SIZE), options),)) for d in "ab"]
    data = open_data([str(folder)], streams)
    row: dict[str, object] = {"what": "supply", "workers": workers}
    with data.loader(1, workers=workers) as loader:
        batches = loader.batches()
        next(batches)  # the workers have started
        for name, count in (("from_files", PICTURES - 1), ("kept", 4 * PICTURES)):
            start = time.perf_counter()
            for _ in itertools.islice(batches, count):
                pass
            row[name] = round(2 * count / (time.perf_counter() - start))
        batches.close()
    return row


def share(graph: str, settings: dict[str, Any], spec: Sequence[str], workers: int, steps: int) -> dict[str, object]:
    """The part of the time of an iteration that is not waiting for data, over `steps` from the very first on.

    `computing` is that of a first epoch, in which each file is decoded or painted; `computing_kept` of later ones.
    """
    program = composer.compile(graph, preset="demo", settings=settings)
    streams = list(program.inputs.values())
    data = open_data(spec, streams) if spec else demo_dataset(streams)
    program.step(data.loader(program.training.batch).batch(0))  # the first one reserves memory
    with data.loader(program.training.batch, workers=workers) as loader:
        stream = loader.batches()
        start = time.perf_counter()
        first = 0.0
        for number in range(steps):
            wanted = program.batches(program.iteration)
            batches = [next(stream) for _ in range(wanted)]
            first = first if number else loader.waited
            program.step(batches[0] if wanted == 1 else batches)
        seconds = time.perf_counter() - start
        waited = loader.waited
        stream.close()
        for _ in itertools.islice(loader.batches(), 0 if workers else steps):
            pass  # the same rows again, none of them new
        again = loader.waited - waited
    step = (seconds - waited) / steps
    return {
        "what": "share",
        "graph": graph,
        "data": f"folders, {SIZE}" if spec else f"demo, {program.graph.params['size']}",
        "workers": workers,
        "step_ms": round(1000 * step, 1),
        "wait_ms": round(1000 * (waited - first) / max(1, steps - 1), 2),
        "first_wait_ms": round(1000 * first),
        "computing": round(1 - (waited - first) / (seconds - first), 4),
        **({} if workers else {"computing_kept": round(step / (step + again / steps), 4)}),
    }


def data(arguments: argparse.Namespace, graphs: Sequence[str]) -> list[dict[str, object]]:
    """Supply alone, then the share of computing for each graph, on its demo data and on folders of pictures."""
    rows = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        paint(folder)
        for workers in (0, 1, 2):
            rows.append(supply(folder, workers))
            print(rows[-1], flush=True)
        for graph in graphs:
            depth = composer.check(graph, preset="demo").graph.params.get("depth")
            large: dict[str, Any] = {"params.size": SIZE, "params.load": LOAD} | ({"params.depth": 8} if depth else {})
            rows.append(share(graph, {}, [], 0, arguments.pairs))
            print(rows[-1], flush=True)
            for workers in (0, 1):
                rows.append(share(graph, large, [str(folder)], workers, min(arguments.pairs, PICTURES)))
                print(rows[-1], flush=True)
    return rows
