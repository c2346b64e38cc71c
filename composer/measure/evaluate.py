"""`composer eval`: the numbers of a trained run, in a table and in a JSON file beside the run."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

import composer
from composer.data import Dataset, open_data
from composer.errors import ComposeError, nearest
from composer.measure import report, validation
from composer.measure.extractors import open_extractor
from composer.measure.measuring import Instruments, measure, unfit, unfit_for_perceptual
from composer.measure.pairs import PAIR_METRICS
from composer.measure.perceptual import open_perceptual
from composer.measure.subject import Subject, content_identity, make_subject
from composer.measure.weights import ADVICE, WeightFile
from composer.run_data import prepare_data
from composer.run_folder import RunFolder, open_existing
from composer.run_settings import RunSettings
from composer.translate_files import load_program

WEIGHTS = ("inception", "lpips", "lpips-heads")
FOLDER = "eval"  # in the folder of a run


@dataclass(frozen=True)
class EvalSettings:
    """What the command line says. `data`: as for a run; none means the test part of the run's own data."""

    run: Path
    data: tuple[str, ...] = ()
    direction: str | None = None
    translation: str | None = None
    target: str | None = None
    pairs: bool = True
    checkpoint: str = "latest"
    weights: tuple[str, ...] = ()  # inception=PATH, lpips=PATH, lpips-heads=PATH
    seed: int = 0
    device: torch.device | str = "cpu"
    out: Path | None = None


def evaluate(
    settings: EvalSettings,
    said: Callable[[str], None] = lambda text: None,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> dict[str, Any]:
    """Measure, write the JSON file and tell the table line by line; returns what the file holds.

    Every problem that can be known before is raised before the first picture is translated.
    """
    folder = open_existing(settings.run)
    weights = _weights(settings.weights)
    device = torch.device(settings.device)
    program, iteration = load_program(folder, device, settings.checkpoint)
    dataset, words = _data(settings, folder, program)
    subject = make_subject(
        program, dataset, words, name=settings.translation, target=settings.target, pairs=settings.pairs
    )
    target = settings.out or _default_path(folder, subject, iteration, own=not settings.data)
    if target.exists() and not target.is_file():  # a device would be replaced too
        raise ComposeError(f"'{target}' is no file that can be replaced", remedy="name a file with --out")
    instruments, files = _instruments(weights, device)
    missing = _missing(subject, weights)
    values = measure(program, subject, seed=settings.seed, instruments=instruments, progress=progress)
    run = {
        "graph": program.graph.name,
        "graph_sha256": hashlib.sha256(folder.graph.read_bytes()).hexdigest(),
        "seed": program.seed,
        "iteration": iteration,
        "checkpoint": settings.checkpoint,
        "best_by": validation.best_by(folder, iteration) if settings.checkpoint == "best" else "",
    }
    found = {
        "format": report.FORMAT,
        "run": run,
        "translation": subject.translation,
        "target": subject.target.name,
        "data": {
            "words": words,
            "identity": subject.identity,
            "sources": subject.sources,
            "targets": subject.targets,
            "pairs": len(subject.pairs),
            "paired_by": subject.paired_by,
        },
        "protocol": _protocol(program, subject, settings.seed, files),
        "values": report.plain(values),
        "missing": missing,
        "notes": _warnings(folder, subject, run),
    }
    for line in report.table(found):
        said(line)  # before the file: a full disk does not take the numbers away
    report.write(target, found)
    said(f"wrote {target}")
    return found


def _data(settings: EvalSettings, folder: RunFolder, program: Any) -> tuple[Dataset, str]:
    """The pictures to measure on, and what they are called."""
    before = folder.read_environment().get("settings", {})
    streams = program.graph.streams
    direction = settings.direction or before.get("direction") or "a2b"
    if settings.data:
        dataset = open_data(settings.data, streams, direction=direction)
        words = " ".join(settings.data)
        if dataset.held_out is not None:
            return dataset.held_out, f"the test part of {words}"
        return dataset, words
    own = _run_settings(before)
    if not own.data:
        own = dataclasses.replace(own, seed=0)  # the same scenes for the runs of all seeds
    try:
        prepared = prepare_data(own, program.graph)
    except ComposeError as error:
        remedy = f"{error.remedy}; " if error.remedy else ""
        remedy += "the run's own data is looked for where it was when the run was started, from this folder; or --data"
        raise ComposeError(error.fact, error.place, remedy) from None
    if prepared.test is None:
        raise ComposeError(
            f"the data of this run, {prepared.words}, has no test part: numbers on what it was trained on say little",
            remedy="give pictures it has not seen with --data DIR",
        )
    if own.test_data:
        return prepared.test, " ".join(own.test_data)
    part = "unseen scenes of the" if prepared.demo else "the test part of"
    return prepared.test, f"{part} {prepared.words}"


def _run_settings(before: Mapping[str, Any]) -> RunSettings:
    """The settings that a run was started with, from its environment.json."""
    known = {one.name for one in dataclasses.fields(RunSettings)} - {"out"}
    kept = {name: value for name, value in before.items() if name in known}
    tuples = {name: tuple(value) for name, value in kept.items() if isinstance(value, list)}
    return RunSettings(**{"graph": "graph.yaml", **kept, **tuples})


def _weights(given: Sequence[str]) -> dict[str, Path]:
    """`inception=PATH` and so on by name."""
    found: dict[str, Path] = {}
    for text in given:
        name, equals, path = text.partition("=")
        if name not in WEIGHTS:
            raise ComposeError(f"unknown weights '{name}'", remedy=nearest(name, WEIGHTS))
        if not equals or not path:
            raise ComposeError(f"--weights {text} names no file", remedy=f"write {name}=PATH")
        found[name] = Path(path).expanduser()
        if not found[name].is_file():
            raise ComposeError(f"there is no file '{path}'", remedy=ADVICE.get(name, ""))
    if "lpips-heads" in found and "lpips" not in found:
        raise ComposeError("lpips-heads are of no use without lpips", remedy=ADVICE["lpips"])
    return found


def _instruments(weights: Mapping[str, Path], device: torch.device) -> tuple[Instruments, dict[str, Any]]:
    """The networks that measure, and what the protocol says of them."""
    extractor = open_extractor(weights["inception"], device) if "inception" in weights else None
    files: dict[str, Any] = {}
    if extractor is not None:
        files["inception"] = _told(extractor.file, f"{extractor.network}; resized: {extractor.resize}")
    if "lpips" not in weights:
        return Instruments(extractor), files
    perceptual, file, heads = open_perceptual(weights["lpips"], weights.get("lpips-heads"), device)
    files["lpips"] = _told(file, f"LPIPS 0.1, {perceptual.network}; pictures in their own size")
    files["lpips-heads"] = _told(heads, "learned weights of the layers")
    return Instruments(extractor, perceptual), files


def _told(file: WeightFile, about: str) -> dict[str, Any]:
    return {"file": file.file, "sha256": file.sha256, "standard": file.standard, "about": about}


def _missing(subject: Subject, weights: Mapping[str, Path]) -> dict[str, str]:
    """Why a number is not there, by its name."""
    found: dict[str, str] = {}
    no_truth = "" if subject.pairs else f"it needs the truth of each picture ({subject.paired_by})"
    for name in PAIR_METRICS:
        why = no_truth or unfit(subject, name)
        if why:
            found[name] = why
    why = no_truth or unfit_for_perceptual(subject) or ("" if "lpips" in weights else ADVICE["lpips"])
    if why:
        found["lpips"] = why
    if "inception" not in weights:
        found["fid, kid"] = ADVICE["inception"]
    return found


def _protocol(program: Any, subject: Subject, seed: int, files: Mapping[str, Any]) -> dict[str, Any]:
    filters = subject.target.options.get("filter", "bicubic")
    resize = subject.target.options.get("resize", "stretch")
    return {
        "size": list(subject.target.args),
        "pictures": f"resized ({resize}) by Pillow, {filters} with antialiasing, whole, not mirrored",
        "numbers": "clipped to [-1, 1]; pairs in float64, not rounded; sets rounded to 8 bits",
        "seed": seed,
        "draws": "each picture alone, its draws from the seed and its name",
        "mode": program.translations[subject.translation].mode,
        "weights": dict(files),
        "composer": composer.__version__,
        "torch": torch.__version__,
        "device": program.device.type,
    }


def _warnings(folder: RunFolder, subject: Subject, run: Mapping[str, Any]) -> list[str]:
    notes = []
    if folder.read_environment().get("settings", {}).get("data_content") == content_identity(subject.rows.dataset):
        notes.append("these are the pictures the run was trained on")
    if run["checkpoint"] == "best" and validation.best_data(folder, run["iteration"]) == subject.identity:
        notes.append("the checkpoint was chosen on these same pictures: the numbers are a little too good")
    if not subject.pairs and subject.paired_by:
        notes.append(f"no pairs: {subject.paired_by}")
    return notes


def _default_path(folder: RunFolder, subject: Subject, iteration: int, *, own: bool) -> Path:
    """`eval/NAME-ITERATION.json`; numbers on other data than the run's own have that data's identity in their name."""
    name = f"{subject.translation}-{iteration}{'' if own else f'-{subject.identity[:8]}'}.json"
    return folder.path / FOLDER / name
