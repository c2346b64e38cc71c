"""Writing the page of a run: again and again while it goes on, or once for a run that is there."""

from __future__ import annotations

import datetime
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import composer
from composer.errors import ComposeError
from composer.files import write_atomically
from composer.report import facts, measured
from composer.report.curves import Curves
from composer.report.page import page
from composer.report.sheets import Sheets
from composer.run_folder import RunFolder, open_existing
from composer.shapes import Shaped

SHARE = 50  # a page is written again when this many times of what the last one took have passed


class Report:
    """The page of one run. What does not change is computed once; of the log only new lines are read.

    `shaped` is None when the graph cannot be read any more, and `problem` says why.
    """

    def __init__(
        self,
        folder: RunFolder,
        shaped: Shaped | None,
        counts: Mapping[str, int] | None = None,
        total: int | None = None,
        problem: str = "",
    ) -> None:
        self.folder, self.total = folder, total
        self._curves = Curves(folder.log)
        self._sheets = Sheets(folder.samples)
        self._graph = facts.about_graph(shaped.graph) if shaped else {}
        self._counts = dict(counts or {})
        self._drawing, self._problem = _drawn(shaped, counts) if shaped else ("", problem)
        self._written, self._took = 0.0, 0.0

    def refresh(self) -> None:
        """Write the page, unless the last one was written so short a time ago that it would slow the run down."""
        if time.perf_counter() - self._written >= SHARE * self._took:
            self.write()

    def write(self, out: Path | None = None) -> Path:
        """Write the page: into the run's folder, or with the pictures inside to the file `out`."""
        started = time.perf_counter()
        path = out or self.folder.page
        write_atomically(path, page(self.content(embed=out is not None), self._drawing))
        self._written = time.perf_counter()
        self._took = self._written - started
        return path

    def content(self, embed: bool = False) -> dict[str, Any]:
        """Everything that the page shows, as plain data."""
        self._curves.update()
        environment = self.folder.read_environment()
        settings = facts.settings(environment)
        return {
            "composer": composer.__version__,
            "written": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "folder": self.folder.path.resolve().name,
            "done": self._curves.last + 1,
            "total": self.total,
            "epoch": _whole(settings.get("epoch_length")),
            "seconds": round(self._curves.seconds, 3),
            "graph": {"name": "", "about": "", "papers": [], "params": {}, "phases": [], "networks": [], **self._graph},
            "counts": self._counts,
            "drawing": self._problem,
            "settings": settings,
            "starts": facts.starts(self.folder, environment),
            "samples": self._sheets.content(embed),
            "kept": len(self._sheets.paths()),
            "curves": self._curves.content(),
            "validation": measured.validation(self.folder.path / "validation.jsonl"),
            "numbers": measured.numbers(self.folder),
            "texts": {path.name: facts.text(path) for path in (self.folder.graph, self.folder.plan) if path.is_file()},
        }


def write_report(run: Path, out: Path | None = None) -> Path:
    """Write the page of an existing run; with `out` one file that holds its pictures too. Raises ComposeError."""
    folder = open_existing(run)
    if out is not None:
        _check_out(out)
    try:
        shaped, problem = composer.check(str(folder.graph)), ""
    except ComposeError as error:
        shaped, problem = None, f"the graph cannot be read: {error}"
    counts, total = None, None
    if shaped is not None:
        from composer.drawing.counts import parameter_counts

        counts, total = parameter_counts(shaped), _length(folder, shaped)
    return Report(folder, shaped, counts, total, problem).write(out)


def _check_out(out: Path) -> None:
    if out.suffix.lower() not in (".html", ".htm"):
        raise ComposeError(f"'{out}' is no name of a page", remedy="end it in .html")
    if out.is_dir() or not out.parent.is_dir():
        fact = f"'{out}' is a folder" if out.is_dir() else f"there is no folder '{out.parent}'"
        raise ComposeError(fact, remedy="name a file in a folder that exists")


def _drawn(shaped: Shaped, counts: Mapping[str, int] | None) -> tuple[str, str]:
    """The drawing as SVG, or why there is none."""
    from composer.draw import draw_dot
    from composer.drawing.render import render

    try:
        return render(draw_dot(shaped, counts=counts), "svg").decode(), ""
    except Exception as error:  # of whatever kind: a drawing that fails must not stop a training
        return "", str(error) if isinstance(error, ComposeError) else f"the graph could not be drawn: {error!r}"


def _length(folder: RunFolder, shaped: Shaped) -> int | None:
    """How many iterations the run was started for, where its folder says so."""
    settings = folder.read_environment().get("settings", {})
    training = shaped.graph.training
    if isinstance(settings.get("iterations"), int):
        return int(settings["iterations"])
    if training.iterations is not None:
        return training.iterations
    length = settings.get("epoch_length")
    return training.epochs * length if training.epochs is not None and isinstance(length, int) else None


def _whole(text: str | None) -> int | None:
    return int(text) if text and text.isdigit() else None
