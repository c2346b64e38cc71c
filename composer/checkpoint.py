"""Checkpoints: everything a run needs to go on bit for bit, whole or not there.

A checkpoint of iteration N (N iterations are done) is two files, `iteration-000N.safetensors` for tensors and
`iteration-000N.json` for the rest. The JSON file is written last and holds size and SHA-256 of the tensor file:
a checkpoint exists when its JSON does and both agree.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from composer.errors import ComposeError
from composer.files import remove_leftovers, replacing, write_atomically

FORMAT = 1
BEST = "best.json"  # in the folder of the run, beside the folder of checkpoints
FOLDER = "checkpoints"
_NAME = re.compile(r"iteration-(\d+)\.(safetensors|json)")
_OS_ERROR = re.compile(r"\(os error (\d+)\)")


@dataclass(frozen=True)
class Checkpoint:
    """A whole checkpoint on the disk. `iteration`: how many iterations were done when it was made."""

    iteration: int
    description: Path

    @property
    def tensors(self) -> Path:
        return self.description.with_suffix(".safetensors")

    def load(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """The tensors, on the CPU, and the rest, as they were given to `save`."""
        meta: dict[str, Any] = json.loads(self.description.read_text(encoding="utf-8"))["meta"]
        return load_file(self.tensors), meta


def save(
    folder: Path,
    iteration: int,
    tensors: Mapping[str, torch.Tensor],
    meta: Mapping[str, Any],
    *,
    keep: int = 3,
    keep_every: int = 0,
    protected: Collection[int] = (),
) -> Checkpoint:
    """Write a checkpoint, then remove what `prune` says.

    `tensors`: by name; none may share memory with another. `meta`: anything JSON can hold.
    Raises OSError when the disk is full; earlier checkpoints are left as they were.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made = Checkpoint(iteration, folder / f"iteration-{iteration:07d}.json")
    with replacing(made.tensors) as temporary:
        _write_tensors({name: tensor.detach().contiguous() for name, tensor in tensors.items()}, temporary)
        description = {
            "format": FORMAT,
            "iteration": iteration,
            "bytes": temporary.stat().st_size,
            "sha256": _digest(temporary),
            "meta": dict(meta),
        }
    write_atomically(made.description, json.dumps(description, indent=1, allow_nan=False))
    prune(folder, keep, keep_every, protected)
    return made


def saved(folder: Path) -> list[Checkpoint]:
    """Every checkpoint that has its JSON file, oldest first; whether it is whole is not looked at."""
    found = (_NAME.fullmatch(path.name) for path in folder.glob("iteration-*.json"))
    return sorted((Checkpoint(int(m[1]), folder / m[0]) for m in found if m), key=lambda c: c.iteration)


def latest(folder: Path) -> Checkpoint | None:
    """The newest whole checkpoint of a folder, or None. Reads each file it considers once, to check it."""
    return next((c for c in reversed(saved(folder)) if is_whole(c)), None)


def best(run: Path) -> int | None:
    """The iteration whose checkpoint validation found best, from `best.json` in the folder of a run."""
    try:
        return int(json.loads((run / BEST).read_text(encoding="utf-8"))["iteration"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ComposeError(
            f"'{run / BEST}' cannot be read: {error}", remedy="remove it, or choose N or latest"
        ) from None


def protected(run: Path) -> frozenset[int]:
    """Iterations whose checkpoints are kept however old they are: the best one."""
    found = best(run)
    return frozenset() if found is None else frozenset({found})


def chosen(run: Path, which: str = "latest") -> Checkpoint:
    """The checkpoint of the run in folder `run` that is meant by `latest`, `best` or a number of iterations."""
    folder = run / FOLDER
    there = ", ".join(str(one.iteration) for one in saved(folder)) or "none"
    if which == "latest":
        newest = latest(folder)
        if newest is None:
            raise ComposeError(f"'{run}' has no whole checkpoint yet", remedy="let it train to its first one")
        return newest
    number = best(run) if which == "best" else int(which) if which.isascii() and which.isdigit() else -1
    if number is None:
        raise ComposeError(f"'{run}' has no best checkpoint: nothing was validated", remedy=f"there are: {there}")
    found = next((one for one in saved(folder) if one.iteration == number), None)
    if found is None or not is_whole(found):
        raise ComposeError(f"'{run}' has no whole checkpoint '{which}'", remedy=f"best, latest, or one of: {there}")
    return found


def is_whole(checkpoint: Checkpoint) -> bool:
    """Whether size and SHA-256 of the tensor file are those its JSON file promises."""
    try:
        said = json.loads(checkpoint.description.read_text(encoding="utf-8"))
        return bool(
            said["format"] == FORMAT
            and said["iteration"] == checkpoint.iteration
            and said["bytes"] == checkpoint.tensors.stat().st_size
            and said["sha256"] == _digest(checkpoint.tensors)
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False  # unreadable, cut short or not ours: not a checkpoint to continue from


def prune(folder: Path, keep: int, keep_every: int = 0, protected: Collection[int] = ()) -> None:
    """Remove all but the last `keep` checkpoints, at least one, those at multiples of `keep_every` iterations, and
    those of the `protected` iterations."""
    for old in saved(folder)[: -max(1, keep)]:
        if not (keep_every and old.iteration % keep_every == 0) and old.iteration not in protected:
            old.description.unlink(missing_ok=True)  # first, so that a kill in between leaves no half checkpoint
            old.tensors.unlink(missing_ok=True)


def clear(folder: Path, after: int = -1) -> None:
    """Remove leftovers of a killed process, and every file of a checkpoint later than iteration `after`."""
    remove_leftovers(folder)
    whole = {c.iteration for c in saved(folder)}
    for path in folder.glob("iteration-*"):
        match = _NAME.fullmatch(path.name)
        if match and (int(match[1]) > after or int(match[1]) not in whole):
            path.unlink(missing_ok=True)


def _write_tensors(tensors: dict[str, torch.Tensor], path: Path) -> None:
    try:
        save_file(tensors, path)
    except SafetensorError as error:
        # The library hides the system's error in its text; the caller needs to tell a full disk from a mistake.
        found = _OS_ERROR.search(str(error))
        if found is None:
            raise ComposeError(f"the state of the program cannot be saved: {error}") from error
        number = int(found[1])
        raise OSError(number, str(error), str(path)) from error


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
