"""The folder of a run: what it holds, and which folder a run may use.

    graph.yaml         the method with everything settled: enough to rebuild the model
    plan.txt           what an iteration does
    log.jsonl          every term of every iteration
    validation.jsonl   numbers on the test part, where they were asked for, and best.json: where they were best
    eval/              numbers of `composer eval`
    events/            the same for TensorBoard
    samples/           grids of pictures, named by iteration
    checkpoints/       see `composer.checkpoint`
    best.json          which of them validation found best
    run.lock           while a process trains it, see `composer.run_lock`
    environment.json   the settings, and for each start the command line and the versions it ran with
    index.html         all of this on one page, see `composer.report`
    scores.json        how good it became, for runs on the demo data
    blocks/            copies of the Python files that the graph names, in folders named by their SHA-256

`environment.json` is written first: a folder that holds it belongs to a run, even if that was killed a moment later.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import importlib.metadata
import itertools
import json
import os
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from composer import run_lock
from composer.errors import ComposeError
from composer.files import DISK_FULL, TEMPORARY, remove_leftovers, write_atomically

PACKAGES = ("torch", "torchvision", "numpy", "pillow", "safetensors", "PyYAML")


@dataclass(frozen=True)
class RunFolder:
    """Paths inside a run's folder."""

    path: Path

    @property
    def graph(self) -> Path:
        return self.path / "graph.yaml"

    @property
    def plan(self) -> Path:
        return self.path / "plan.txt"

    @property
    def log(self) -> Path:
        return self.path / "log.jsonl"

    @property
    def events(self) -> Path:
        return self.path / "events"

    @property
    def samples(self) -> Path:
        return self.path / "samples"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def environment(self) -> Path:
        return self.path / "environment.json"

    @property
    def scores(self) -> Path:
        return self.path / "scores.json"

    @property
    def page(self) -> Path:
        return self.path / "index.html"

    @property
    def blocks(self) -> Path:
        return self.path / "blocks"

    @property
    def holds_run(self) -> bool:
        return self.environment.is_file()

    def sample(self, iteration: int) -> Path:
        return self.samples / f"{iteration:07d}.png"

    def remove_leftovers(self) -> None:
        copies = self.blocks.iterdir() if self.blocks.is_dir() else ()
        for folder in (self.path, self.samples, *copies):
            remove_leftovers(folder)

    def read_environment(self) -> dict[str, Any]:
        try:
            found = json.loads(self.environment.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ComposeError(f"'{self.environment}' cannot be read: {error}") from error
        if not isinstance(found, dict):
            raise ComposeError(f"'{self.environment}' does not describe a run")
        return found


def open_existing(path: Path) -> RunFolder:
    """The run in `path`, for commands that only read it."""
    folder = RunFolder(path)
    if not path.is_dir():
        raise ComposeError(f"there is no folder '{path}'", remedy="name the folder of a run, e.g. runs/first")
    if not folder.holds_run or not folder.graph.is_file():
        raise ComposeError(f"'{path}' holds no run: no graph.yaml and environment.json in it")
    return folder


def existing(name: str, out: Path | None, root: Path = Path("runs")) -> RunFolder | None:
    """The folder that `claim` would continue with `resume`, None where it would start a run."""
    if out is not None:
        return RunFolder(out) if RunFolder(out).holds_run else None
    made = [path for path in itertools.takewhile(Path.exists, _candidates(name, root)) if RunFolder(path).holds_run]
    return RunFolder(made[-1]) if made else None


def _candidates(name: str, root: Path) -> Iterator[Path]:
    return (root / (name if n == 1 else f"{name}-{n}") for n in itertools.count(1))


def claim(name: str, out: Path | None, resume: bool, root: Path = Path("runs")) -> RunFolder:
    """The folder for a run of the graph `name`; it exists afterwards.

    Without `out`: `runs/NAME`, then `runs/NAME-2`, ...; with `resume` the newest of these that holds a run.
    With `out`: that folder; if it holds a run already, only with `resume`. Nothing is ever overwritten.
    """
    if out is not None:
        return _claim_named(RunFolder(out), resume)
    found = existing(name, None, root) if resume else None
    if found is not None:
        return found
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_be_made(root, error) from error
    for path in _candidates(name, root):
        try:
            path.mkdir()  # one call that tests and takes, so two runs started together never share a folder
        except FileExistsError:
            continue
        except OSError as error:
            raise _cannot_be_made(path, error) from error
        return RunFolder(path)
    raise AssertionError("the names never end")


def _claim_named(folder: RunFolder, resume: bool) -> RunFolder:
    path = folder.path
    if path.exists() and not path.is_dir():
        raise ComposeError(f"'{path}' is a file", remedy="name a folder with --out")
    _refuse_second_start(folder, resume)
    if not folder.holds_run and path.is_dir():
        # Another process may have taken the folder a moment ago: its first files are no reason, its lock will be one.
        if any(not p.name.startswith(TEMPORARY) and p.name != run_lock.NAME for p in path.iterdir()):
            raise ComposeError(f"'{path}' holds other files", remedy="name an empty or new folder with --out")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_be_made(path, error) from error
    return folder


def _cannot_be_made(path: Path, error: OSError) -> ComposeError:
    where = "another folder" if error.errno in DISK_FULL else "a folder you may write to"
    return ComposeError(f"the run folder '{path}' cannot be made: {error.strerror}", remedy=f"name {where} with --out")


@contextlib.contextmanager
def held(folder: RunFolder, resume: bool) -> Iterator[str]:
    """Keep every other process out of a claimed folder; gives what the user should know of the lock, mostly ""."""
    with run_lock.held(folder.path) as note:
        _refuse_second_start(folder, resume)  # somebody may have started and ended a run there in between
        yield note


def _refuse_second_start(folder: RunFolder, resume: bool) -> None:
    if folder.holds_run and not resume:
        raise ComposeError(
            f"'{folder.path}' holds a run", remedy="continue it with --resume, or name another folder with --out"
        )


def describe(folder: RunFolder, settings: Mapping[str, Any], start: Mapping[str, Any]) -> None:
    """Note in `environment.json` that the run was started (again). `settings` are those of its first start."""
    starts: list[Any] = []
    if folder.holds_run:
        before = folder.read_environment()
        settings, starts = before.get("settings", settings), before.get("starts", [])
    starts = [*starts, {**start, **_surroundings()}]
    content = json.dumps({"composer": 1, "settings": settings, "starts": starts}, indent=1, default=str)
    write_atomically(folder.environment, content + "\n")


def note_end(folder: RunFolder, end: Mapping[str, Any]) -> None:
    """Note in `environment.json` how the newest start of the run ended."""
    content = folder.read_environment()
    content["starts"][-1]["ended"] = dict(end)
    write_atomically(folder.environment, json.dumps(content, indent=1, default=str) + "\n")


def write_once(path: Path, content: str, what: str) -> None:
    """Write `path` at the first start; at a later one it must still say the same."""
    if not path.exists():
        write_atomically(path, content)
        return
    before = path.read_text(encoding="utf-8")
    if before != content:
        pairs = itertools.zip_longest(before.splitlines(), content.splitlines(), fillvalue="(nothing)")
        old, new = next(((o, n) for o, n in pairs if o != n), ("", ""))
        raise ComposeError(
            f"{what} is not the one this run was started with: '{path}' has '{old.strip()}', now it is '{new.strip()}'",
            remedy="start another run in another folder (without --resume), or use the settings of the first start",
        )


def copy_blocks(folder: RunFolder, files: Sequence[Path]) -> list[str]:
    """Copy Python files of the user's blocks; returns the names of the copies, relative to the run's folder."""
    copies = []
    for file in files:
        content = file.read_bytes()
        # The file keeps its name, so that original and copy are one module to whoever loads both.
        copy = folder.blocks / hashlib.sha256(content).hexdigest()[:12] / file.name
        copy.parent.mkdir(parents=True, exist_ok=True)
        if not copy.exists():
            write_atomically(copy, content)
        copies.append(copy.relative_to(folder.path).as_posix())
    return copies


def _surroundings() -> dict[str, Any]:
    return {
        "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": list(sys.argv),
        "python": platform.python_version(),
        "system": platform.platform(),
        "processors": os.cpu_count(),
        "packages": {name: version for name in PACKAGES if (version := _version(name))},
    }


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""
