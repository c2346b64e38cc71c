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

import torch

from composer import checkpoint, files, out_of_memory, run_folder, samples
from composer.devices import be_repeatable, pick_device
from composer.display import Display, open_display
from composer.dry_run import warn_of_memory
from composer.errors import ComposeError, Diverged
from composer.interrupt import LeaveAtOnce
from composer.loop import Loop, Start
from composer.measure import validation
from composer.measure.validation import Validation
from composer.patient import Patient
from composer.peak_memory import peak_memory, start_watching
from composer.program import Program
from composer.report import Report
from composer.run_data import SAMPLE_ROWS, prepare_data, score_demo
from composer.run_folder import RunFolder, claim, note_end
from composer.run_lock import refuse_several_processes
from composer.run_settings import RunSettings, read_graph, schedule_of
from composer.run_start import prepare_folder, read_warm_start, restore
from composer.wall_time import Deadline


@dataclass(frozen=True)
class Outcome:
    """How a run ended. `status`: 0 all iterations are done, 75 the time was up, 128 and more stopped by a signal."""

    folder: Path
    iteration: int
    status: int = 0


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
    warm = read_warm_start(settings, program)  # before there is a folder: a wrong name leaves none
    plan = validation.plan_for(settings, program, data)
    folder = claim(program.graph.name, settings.out, settings.resume)
    with run_folder.held(folder, settings.resume) as note:
        if note:
            display.note(note)
        prepare_folder(folder, program, settings, data, warm)
        found = restore(folder, program)
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


def _state_bytes(program: Program) -> int:
    """About how large a checkpoint is: weights, two moments of each, and an average."""
    return 4 * sum(p.numel() * p.element_size() for module in program.networks.values() for p in module.parameters())


def _out_of_memory(settings: RunSettings, device: torch.device) -> ComposeError:
    return out_of_memory.explain(read_graph(settings).graph, device.type)
