"""A look at data before training: every row read once, and a picture of what training gets. Needs no torch."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from composer import preview
from composer.data import Dataset, open_data
from composer.data.demo import demo_dataset
from composer.data.folders import wrong_ids
from composer.data.split import read_share
from composer.data.survey import survey
from composer.errors import ComposeError
from composer.files import write_atomically
from composer.nodes import Graph

SECONDS = 10.0  # between two lines of progress where lines cannot be overwritten
TICK = 0.2  # seconds between two where they can
Said = Callable[[str], None]


@dataclass(frozen=True)
class Asked:
    """What a command says of data. `data`: DIR, or NAME=DIR ...; empty: the built-in demo data."""

    data: Sequence[str] = ()
    direction: str | None = None
    test_data: Sequence[str] = ()
    seed: int = 0
    split: str | None = None


@dataclass(frozen=True)
class Opened:
    """Data bound to the inputs of a graph. `words` name it; `shown` is what sample grids show."""

    words: str
    dataset: Dataset
    shown: Dataset

    @property
    def parts(self) -> Mapping[str, Dataset]:
        return {"": self.dataset} if self.shown is self.dataset else {"": self.dataset, "test ": self.shown}


def open_parts(asked: Asked, graph: Graph, look: bool = False) -> Opened:
    """Bind data to a graph; files are looked at with `look`. Raises ComposeError for what does not fit."""
    direction = asked.direction or "a2b"
    if asked.split is not None:
        read_share(asked.split)  # what is wrong with it is said before files are looked at
        if not asked.data or asked.test_data:
            other = "and --test-data names them" if asked.test_data else "and the demo data has some already"
            raise ComposeError(f"--split holds out rows of --data to show, {other}", remedy="leave --split out")
    if asked.data:
        found = open_data(asked.data, graph.streams, direction=direction, seed=asked.seed, split=asked.split, look=look)
    elif asked.direction:
        raise ComposeError("--direction swaps the pictures of --data, and there is none", remedy="give --data DIR")
    else:
        found = demo_dataset(graph.streams, seed=asked.seed)
    shown = found.held_out or found
    if asked.test_data:
        shown = open_data(asked.test_data, graph.streams, direction=direction, seed=asked.seed, look=look, like=found)
    return Opened(" ".join(asked.data) or "built-in demo", found, shown)


def check_data(graphs: Sequence[Graph], asked: Asked, grid: Path | None) -> int:
    """`composer check GRAPH --data DIR`: what the data of each graph hold. At least one of these things was given.

    Returns 0 or raises ComposeError.
    """
    if not asked.data:
        given = {"--direction": asked.direction, "--test-data": asked.test_data, "--split": asked.split, "--grid": grid}
        alone = next(name for name, value in given.items() if value)
        raise ComposeError(f"{alone} is about data, and none is named", remedy="add --data DIR")
    if grid is not None:
        check_grid(grid)
        if len(graphs) > 1:
            raise ComposeError(f"one grid for {len(graphs)} graphs", remedy="check one graph at a time with --grid")
    for graph in graphs:
        print(f"{graph.name}: data: {' '.join(asked.data)}")
        look_at(open_parts(asked, graph), graph, print, grid)
    return 0


def look_at(opened: Opened, graph: Graph, said: Said, grid: Path | None, optional: bool = False) -> None:
    """Read every row once and say what there is; write a grid of augmented rows to `grid`.

    With `optional` a place where nothing can be written is said, and is no failure. Raises ComposeError with every
    file that cannot be read.
    """
    counter = Counter("rows read")
    try:
        streams = survey(opened.parts, counter)
    finally:
        counter.close()
    for stream in streams:
        for line in stream.lines():
            said(line)
    for note in opened.dataset.notes:
        said(f"note: {note}")
    problems = wrong_ids(graph.streams, *(part.sources for part in opened.parts.values()))
    if problems:
        raise ComposeError.together(problems)
    batch = graph.training.batch
    rows = preview.first_rows(opened.dataset, batch)
    said(f"a batch of {batch} as training gets it, resized, cropped and mirrored:")
    for line in preview.describe(rows, batch):
        said(line)
    if grid is None:
        return
    content = preview.draw(rows, f"{graph.name}: the first rows as training gets them")
    try:
        write_atomically(grid, content)
    except OSError as error:
        if not optional:
            raise
        said(f"no picture of it: '{grid}' cannot be written ({error.strerror}); name another place with --grid")
    else:
        said(f"wrote {grid}")


def check_grid(path: Path) -> None:
    """Refuse a place for the grid before any work is done."""
    if path.suffix.lower() != ".png":
        raise ComposeError(f"'{path}' is no name for the grid", remedy="it is a PNG: --grid FILE.png")
    if not path.parent.is_dir():
        raise ComposeError(f"there is no folder '{path.parent}' for the grid", remedy="make it, or name another place")
    if path.is_dir():
        raise ComposeError(f"'{path}' is a folder", remedy="name a file: --grid FILE.png")


class Counter:
    """`rows read: 1,200 of 30,000, 2:10 left`, overwritten in place on a terminal, now and then a line elsewhere."""

    def __init__(self, what: str, stream: IO[str] | None = None) -> None:
        self.what = what
        self.stream = stream or sys.stderr
        self.in_place = self.stream.isatty()
        self.started = self.shown = time.perf_counter()
        self.width = 0

    def __call__(self, done: int, total: int) -> None:
        now = time.perf_counter()
        if now - self.shown < (TICK if self.in_place else SECONDS) or done == total:
            return
        self.shown = now
        left = (now - self.started) / done * (total - done)
        text = f"{self.what}: {done:,} of {total:,}, {int(left // 60)}:{int(left % 60):02} left"
        if self.in_place:
            print(f"\r{text:<{self.width}}", end="", file=self.stream, flush=True)
            self.width = len(text)
        else:
            print(text, file=self.stream, flush=True)

    def close(self) -> None:
        """Leave the line empty."""
        if self.width:
            print(f"\r{'':<{self.width}}\r", end="", file=self.stream, flush=True)
            self.width = 0
