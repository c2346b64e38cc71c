"""`composer run`: from a graph and data to a run folder, started or continued."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

import composer
from composer import checkpoint, events, files, log, out_of_memory, run_folder, samples, warm_start
from composer.display import Display, open_display
from composer.document import load, to_yaml
from composer.dry_run import warn_of_memory
from composer.errors import ComposeError, Diverged
from composer.interrupt import LeaveAtOnce
from composer.loop import Loop, Schedule, Start
from composer.measure import validation
from composer.measure.validation import Validation
from composer.patient import Patient
from composer.peak_memory import peak_memory, start_watching
from composer.program import Program
from composer.report import Report
from composer.run_data import SAMPLE_ROWS, RunData, prepare_data, score_demo
from composer.run_folder import RunFolder, claim, copy_blocks, describe, note_end, write_once
from composer.run_lock import refuse_several_processes
from composer.shapes import Shaped
from composer.wall_time import Deadline

CHECKPOINT_EVERY = 500  # iterations


@dataclass(frozen=True)
class RunSettings:
    """What the command line says of a run. Numbers are iterations unless they say otherwise."""

    graph: str
    data: tuple[str, ...] = ()  # DIR, or a=DIR b=DIR ...; none: the built-in demo data
    direction: str | None = None
    test_data: tuple[str, ...] = ()
    split: str | None = None  # share or number of rows held out where there is no test part
    variants: tuple[str, ...] = ()
    preset: str | None = None
    settings: tuple[tuple[str, Any], ...] = ()  # dotted path and value, in order
    iterations: int | None = None  # in all, from the start
    out: Path | None = None
    resume: bool = False
    seed: int = 0
    device: str = "auto"
    workers: int | None = None
    checkpoint_every: int = CHECKPOINT_EVERY
    keep: int = 3  # checkpoints
    keep_every: int = 0
    sample_every: int | None = None
    validate_every: int = 0
    validate: tuple[str, ...] = ()  # metrics, the first one chooses the best checkpoint; none: all that are possible
    validate_as: str | None = None  # which translation is validated; None: the first one
    score: bool = True  # say how good a run on the demo data has become
    stop_after: float | None = None  # seconds of wall time
    source: Path | None = None  # a run whose weights this one starts with
    only: tuple[str, ...] = ()  # networks that it takes from there; none: all that both have
    anew: tuple[str, ...] = ()  # networks, or parts of them, that start anew all the same


@dataclass(frozen=True)
class Outcome:
    """How a run ended. `status`: 0 all iterations are done, 75 the time was up, 128 and more stopped by a signal."""

    folder: Path
    iteration: int
    status: int = 0


def pick_device(name: str) -> torch.device:
    """`auto` is a GPU when there is one. ComposeError when the asked one is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ComposeError(f"unknown device '{name}'", remedy="use auto, cpu or cuda") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ComposeError("there is no CUDA device here", remedy="use --device cpu or auto")
    return device


def run(settings: RunSettings, display: Display | None = None, started: float | None = None) -> Outcome:
    """Start or continue a run and train it to its end. Raises ComposeError, Diverged among them.

    `settings.stop_after` counts from `started`, a time of `time.monotonic` (None: now).
    """
    started = time.monotonic() if started is None else started
    refuse_several_processes(os.environ)
    device = pick_device(settings.device)
    be_repeatable(device)
    display = Patient(display or open_display(), None if display else sys.stdout)
    try:
        with LeaveAtOnce():
            return _run(settings, device, display, started)
    except torch.OutOfMemoryError as error:
        raise _out_of_memory(settings, device) from error
    except RuntimeError as error:
        if "can't allocate memory" not in str(error):  # how the allocator of the CPU says it
            raise
        raise _out_of_memory(settings, device) from error
    finally:
        display.stop()


def _run(settings: RunSettings, device: torch.device, display: Patient, started: float) -> Outcome:
    shaped = read_graph(settings)
    preset = shaped.graph.document.preset
    data = prepare_data(settings, shaped.graph)  # before any network is made: a wrong folder is said at once
    display.note(first_line(data.words, preset, device))
    for note in data.notes:
        display.note(note)
    warn_of_memory(shaped, device, display.note)
    program = Program(shaped, device=device, seed=settings.seed)
    program.epoch_length = data.epoch_length
    schedule = schedule_of(settings, program)
    warm = _warm_start(settings, program)  # before there is a folder: a wrong name leaves none
    plan = validation.plan_for(settings, program, data)
    folder = claim(program.graph.name, settings.out, settings.resume)
    with run_folder.held(folder, settings.resume) as note:
        if note:
            display.note(note)
        _prepare_folder(folder, program, settings, data, warm)
        found = _restore(folder, program)
        if found:
            warm = None
        for line in warm.lines() if warm else ():
            display.note(line)
        verb = "continued" if program.iteration else "started"
        display.note(f"run folder {folder.path}, {verb} at iteration {program.iteration} of {schedule.total}")
        deadline = Deadline(settings.stop_after, started, _state_bytes(program))
        begin = Start(found.get("batches", 0), deadline, bool(warm))
        report = Report(folder, program.shaped, program.parameter_counts(), schedule.total)
        make_samples = functools.partial(write_samples, folder, program, data.samples)
        watch = Validation(program, plan, folder) if plan else None
        loop = Loop(program, data.loader, folder, schedule, display, make_samples, begin, watch, report.refresh)
        try:
            status = _train(loop, program, folder, report)
        finally:
            display.stop()
        display.note(f"samples and curves: {report.write()}")
        if status:
            display.note(f"stopped at iteration {program.iteration}; continue with --resume --out {folder.path}")
        else:
            display.note(f"done: {program.iteration} iterations in {folder.path}")
            if data.demo and settings.score:
                _score(folder, program, display)
                report.write()
        return Outcome(folder.path, program.iteration, status)


def _train(loop: Loop, program: Program, folder: RunFolder, report: Report) -> int:
    """Train and note what it took; a run that diverges says which checkpoint is kept."""
    first, began = program.iteration, time.perf_counter()
    start_watching(program.device)
    try:
        status = loop.train()
        spent = {"trained": program.iteration - first, "seconds": round(time.perf_counter() - began, 3)}
        note_end(folder, {"iteration": program.iteration, **spent, **peak_memory(program.device)})
        return status
    except Diverged as error:
        with contextlib.suppress(OSError):  # what is said is the first thing that went wrong
            report.write()
        kept = checkpoint.latest(folder.checkpoints)
        where = f"the checkpoint of iteration {kept.iteration} is kept" if kept else "there is no checkpoint yet"
        raise Diverged(error.fact, remedy=f"{error.remedy}; {where}") from error


def _warm_start(settings: RunSettings, program: Program) -> warm_start.Report | None:
    """Give a new run the weights of another one; None without `--from`, and where a run is continued."""
    if settings.source is None:
        if settings.only or settings.anew:
            raise ComposeError("--only and --except choose among the networks of --from, and there is none")
        return None
    before = run_folder.existing(program.graph.name, settings.out) if settings.resume else None
    if before is not None and checkpoint.latest(before.checkpoints) is not None:
        return None
    return warm_start.start(program, warm_start.read(settings.source), settings.only, settings.anew)


def _state_bytes(program: Program) -> int:
    """About how large a checkpoint is: weights, two moments of each, and an average."""
    return 4 * sum(p.numel() * p.element_size() for module in program.networks.values() for p in module.parameters())


def read_graph(settings: RunSettings) -> Shaped:
    """The graph with its shapes, under the preset `demo` for demo data unless another one was asked for."""
    preset = settings.preset
    if preset is None and not settings.data and "demo" in load(settings.graph).presets:
        preset = "demo"
    return composer.check(settings.graph, preset=preset, variants=settings.variants, settings=settings.settings)


def _score(folder: RunFolder, program: Program, display: Display) -> None:
    """Say how good a run on the demo data has become, and keep it in the run's folder."""
    scores = score_demo(program)
    if scores is None:
        return
    for line in scores.lines():
        display.note(line)
    said = {**dataclasses.asdict(scores), "share": scores.share, "passed": scores.passed}
    files.write_atomically(folder.scores, json.dumps({"iteration": program.iteration, **said}, indent=1) + "\n")


def first_line(data: str, preset: str | None, device: torch.device) -> str:
    """`data: built-in demo; preset: demo; device: cpu`, the first line of every run."""
    name = f"{device.type} ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else device.type
    return f"data: {data}; preset: {preset or 'none'}; device: {name}"


def write_samples(
    folder: RunFolder, program: Program, batches: Sequence[Mapping[str, torch.Tensor]], done: int
) -> None:
    """A sample grid of what the graph shows, of the same rows each time."""
    rows = sum(_rows(batch) for batch in batches)
    titles = {text: program.graph.name_of(node) for text, node in program.graph.show}
    parts = [program.evaluate(tuple(titles), batch) for batch in batches]
    columns = samples.join_rows(parts, min(rows, SAMPLE_ROWS))
    samples.write_grid(folder.sample(done), {titles[text]: column for text, column in columns.items()})


def _rows(batch: Mapping[str, torch.Tensor]) -> int:
    return max((len(value) for value in batch.values()), default=0)


def _prepare_folder(
    folder: RunFolder, program: Program, settings: RunSettings, data: RunData, warm: warm_start.Report | None
) -> None:
    """Write what describes the run; when it is continued, check that it is the same run."""
    folder.remove_leftovers()
    same = {"seed": settings.seed, "data_identity": data.identity, "epoch_length": data.epoch_length}
    if folder.holds_run:
        before = folder.read_environment().get("settings", {})
        for name, value in same.items():
            if before.get(name, value) != value:
                what = "other data" if name == "data_identity" else f"{name} {before[name]}, now it is {value}"
                raise ComposeError(
                    f"'{folder.path}' was started with {what}",
                    remedy="use what it was started with, or start another run in another folder",
                )
        _refuse_other_source(folder, settings, before.get("source"))
    shown = {**dataclasses.asdict(settings), **same, "data_content": data.content}
    shown["preset"] = program.graph.document.preset
    start: dict[str, Any] = {
        "device": str(program.device),
        "threads": torch.get_num_threads(),
        "workers": data.workers,
    }
    if warm:
        start["warm_start"] = warm.record()
    if program.device.type == "cuda":
        start["device_name"] = torch.cuda.get_device_name(program.device)
    start["parameters"] = sum(program.parameter_counts().values())
    describe(folder, shown, start)
    copies = copy_blocks(folder, [Path(file) for file in program.graph.block_files])
    write_once(folder.graph, _with_blocks(program.resolved_yaml(), copies), "the graph with its settings")
    if not folder.plan.exists():
        files.write_atomically(folder.plan, program.printed("plan").rstrip("\n") + "\n")


def _refuse_other_source(folder: RunFolder, settings: RunSettings, before: str | None) -> None:
    """A run that is continued does not start from somewhere else; the same `--from` again is no mistake."""
    if settings.source is None or (before and Path(before).resolve() == settings.source.resolve()):
        return
    raise ComposeError(
        f"'{folder.path}' was started {f'from {before}' if before else 'without --from'}",
        remedy="continue it without --from, or start another run in another folder",
    )


def _with_blocks(graph: str, copies: Sequence[str]) -> str:
    """The text of a graph that runs the copies of the user's files instead of the files themselves."""
    if not copies:
        return graph
    return to_yaml(load("graph.yaml", text=graph, settings={"blocks": list(copies)}))


def _restore(folder: RunFolder, program: Program) -> dict[str, Any]:
    """Put the program where the newest whole checkpoint left it, and cut the logs back to there."""
    newest = checkpoint.latest(folder.checkpoints)
    found: dict[str, Any] = {}
    if newest is not None:
        tensors, found = newest.load()
        program.load_state(tensors, found["program"])
    checkpoint.clear(folder.checkpoints, after=program.iteration if newest else -1)
    log.cut(folder.log, program.iteration)
    validation.cut(folder, program.iteration)
    events.cut(folder.events, program.iteration)
    return found


def schedule_of(settings: RunSettings, program: Program) -> Schedule:
    """How long to train, and when samples are drawn."""
    training = program.training
    total = settings.iterations
    if total is None:
        total = training.iterations
    if total is None and training.epochs is not None:
        total = training.epochs * program.epoch_length
    if total is None:
        raise ComposeError("the graph does not say how long to train", remedy="give --iterations N")
    every = settings.sample_every
    if every is None:
        every = min(1000, max(10, total // 20))
    return Schedule(total, settings.checkpoint_every, every, settings.keep, settings.keep_every)


def be_repeatable(device: torch.device) -> None:
    """Ask for the algorithms that give the same bits each time; a GPU has faster ones that do not."""
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.deterministic = True
        torch.use_deterministic_algorithms(True, warn_only=True)


def _out_of_memory(settings: RunSettings, device: torch.device) -> ComposeError:
    return out_of_memory.explain(read_graph(settings).graph, device.type)
