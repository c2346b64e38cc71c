"""`composer run --dry-run`: everything that can be known of a run before it is started, and nothing left behind.

Data are read once, a batch is drawn, memory and disk are computed; then, where it fits, a few real iterations say how
long the run will take. No run folder is made.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from composer import look
from composer.data.keeping import OwnKeeper
from composer.display import duration
from composer.estimate import Memory, Unknown, empty_batch, estimate, with_batch
from composer.interrupt import LeaveAtOnce
from composer.machine import free_disk, free_memory, size
from composer.program import Program
from composer.shapes import Shaped
from composer.timing import (
    TIMED_SECONDS,
    Doing,
    seconds_words,
    time_grid,
    time_iterations,
    time_translations,
    time_words,
)

if TYPE_CHECKING:
    from composer.loop import Schedule
    from composer.run_settings import RunSettings

CACHE = 512 * 2**20  # bytes of resized pictures that are kept, see `Dataset.loader`
WORKER = 40 * 10**6  # bytes of a process that loads data, before it has read anything
PREFETCH = 2  # batches that each of them has ahead
# More bytes than any graph needs for a number of a batch and for a weight, by far: below, nothing is computed.
SURELY_NUMBER, SURELY_WEIGHT = 40_000, 40
Said = Callable[[str], None]
_print = functools.partial(print, flush=True)  # some of it comes minutes after the rest


def dry_run(settings: RunSettings, grid: Path | None = None, said: Said = _print) -> int:
    """Say what a run will read, need and take. Returns 0, or 1 when it does not fit into memory or onto the disk.

    `grid`: where the picture of a batch goes; without it `NAME-dry-run.png` in the current folder.
    """
    with LeaveAtOnce():
        return _dry_run(settings, grid, said)


def _dry_run(settings: RunSettings, grid: Path | None, said: Said) -> int:
    from composer.devices import be_repeatable, pick_device
    from composer.run import first_line
    from composer.run_data import usual_workers
    from composer.run_settings import read_graph, schedule_of

    if grid is not None:
        look.check_grid(grid)
    device = pick_device(settings.device)
    be_repeatable(device)
    shaped = read_graph(settings)
    graph, batch = shaped.graph, shaped.graph.training.batch
    asked = look.Asked(settings.data, settings.direction, settings.test_data, settings.seed, settings.split)
    opened = look.open_parts(asked, graph)
    said(first_line(opened.words, graph.document.preset, device))
    look.look_at(opened, graph, said, grid or Path(f"{graph.name}-dry-run.png"), optional=grid is None)
    planned = Program(shaped, device="meta")
    workers = settings.workers if settings.workers is not None else usual_workers() if asked.data else 0
    loader = opened.dataset.loader(batch, workers=workers)
    planned.epoch_length = graph.training.epoch_iterations or loader.epoch_length
    schedule = schedule_of(settings, planned)
    try:
        memory = estimate(planned, device)
    except Unknown as error:
        said(f"memory: not known before it is run: {error}")
        fits = True
    else:
        fits = _say_memory(shaped, memory, device, said)
        said(_loading(opened, batch, workers))
        fits = _say_disk(memory.saved, schedule.total, settings, said) and fits
    if not fits:
        said("it does not fit, so no iteration was tried; nothing was trained, no run folder was made")
        return 1
    try:
        program = Program(shaped, device=device, seed=settings.seed)
        program.epoch_length = planned.epoch_length
        with loader:
            _say_time(program, loader, opened, schedule, workers, said)
    except RuntimeError as error:
        # On a GPU it is a kind of its own, the allocator of the CPU has only words for it.
        if not isinstance(error, torch.OutOfMemoryError) and "can't allocate memory" not in str(error):
            raise
        said(f"does not fit: memory ran out in a real iteration; {_lower(shaped)}")
        return 1
    if device.type == "cuda":
        said(f"memory measured in these iterations: {size(torch.cuda.max_memory_allocated(device))}")
    said("this was a dry run: nothing was trained, no run folder was made")
    return 0


def _say_time(program: Program, loader: Any, opened: look.Opened, schedule: Schedule, workers: int, said: Said) -> None:
    """Say how long iterations, translations and sample grids take, by running them."""
    batch, doing = program.training.batch, Doing()
    keeps = not workers and _rows(opened, batch) <= CACHE
    try:
        pace = time_iterations(program, loader, schedule.total, keeps, doing)
        doing.close()
        said(time_words(pace, schedule.total, workers))
        values = loader.batch(0)
        found = time_translations(program, values, max(TIMED_SECONDS, pace.iteration), doing)
        doing("a sample grid", max(found.values(), default=0.0))
        grid = time_grid(program, values) * _sample_batches(opened, batch) if schedule.sample_every else 0.0
    finally:
        doing.close()
    if grid:
        count = 1 + -(-schedule.total // schedule.sample_every)  # the first and the last one among them
        said(f"  on top {duration(count * grid)} for {count:,} sample grids, and checkpoints, which were not timed")
    if found:
        made = ", ".join(f"{name} {seconds_words(seconds)}" for name, seconds in found.items())
        said(f"  a picture translated at the size of training: {made}")


def warn_of_memory(shaped: Shaped, device: torch.device, said: Said) -> None:
    """A line before a real run that will not fit. No refusal, because the estimate may be wrong."""
    free = free_memory(str(device))
    if free is None:
        return
    planned = Program(shaped, device="meta")
    numbers = sum(value.numel() for value in empty_batch(planned).values())
    if SURELY_NUMBER * numbers + SURELY_WEIGHT * sum(planned.parameter_counts().values()) < free:
        return
    with contextlib.suppress(Unknown):
        memory = estimate(planned, device)
        if memory.peak > free:
            said(f"warning: {_too_much(memory.peak, free)}; {advice(shaped, device, free)}")


def _say_memory(shaped: Shaped, memory: Memory, device: torch.device, said: Said) -> bool:
    """Say how much memory training needs and of what it is made; False when it is more than there is."""
    free = free_memory(str(device))
    left = "" if free is None else f", {size(free)} free"
    said(f"memory: {size(memory.peak)} expected on {device.type}, {size(memory.tensors)} of it in tensors{left}")
    moments = {**memory.moments}
    largest = sorted(memory.parts.items(), key=lambda item: -item[1])
    made_of = ", ".join(
        f"{name} {size(count)}" for name, count in largest if count >= memory.moments["iteration"] / 1000
    )
    said(f"  iteration: {size(moments.pop('iteration'))} at its highest: {made_of}")
    said("  " + ", ".join(f"{name} {size(count)}" for name, count in moments.items()))
    if free is None or memory.peak <= free:
        return True
    said(f"  does not fit: {_too_much(memory.peak, free)}; {advice(shaped, device, free)}")
    return False


def advice(shaped: Shaped, device: torch.device, free: int) -> str:
    """What to lower so that it fits."""
    batch = shaped.graph.training.batch
    smaller = batch // 2
    while smaller:
        needed = estimate(Program(with_batch(shaped, smaller), device="meta"), device).peak
        if needed <= free:
            return f"with --set training.batch={smaller} it needs {size(needed)}"
        smaller //= 2
    return ("" if batch == 1 else "a batch of 1 is not enough: ") + _lower(shaped)


def _lower(shaped: Shaped) -> str:
    known = [f"params.{name}" for name in ("size", "load", "width", "depth") if name in shaped.graph.params]
    return f"lower {', '.join(known) or 'the size of the pictures or the width of the networks'} with --set"


def _too_much(needed: int, free: int) -> str:
    return f"{size(needed)} of memory are expected and {size(free)} are free"


def _loading(opened: look.Opened, batch: int, workers: int) -> str:
    """What loading data takes of the main memory."""
    ahead = sum(values.nbytes for values in opened.dataset.maker(batch).make(0).values()) * PREFETCH * workers
    own = f"{workers} process{'' if workers == 1 else 'es'} of about {size(WORKER)}, " if workers else ""
    batches = f", batches ahead {size(ahead)}" if workers else ""
    return f"loading data: {own}resized pictures kept, about {size(min(CACHE, _rows(opened, batch)))}{batches}"


def _rows(opened: look.Opened, batch: int) -> int:
    """Bytes of all rows as they are kept once they are resized, about."""
    keeper = OwnKeeper(CACHE)
    opened.dataset.maker(batch).with_keeper(keeper).make(0)
    return keeper.bytes * -(-max(opened.dataset.rows().values()) // batch)


def _sample_batches(opened: look.Opened, batch: int) -> int:
    """How many batches a sample grid shows, see `composer.run_data`."""
    from composer.run_data import SAMPLE_ROWS

    return max(1, min(SAMPLE_ROWS // batch, opened.shown.loader(batch, train=False, cache_bytes=0).epoch_length))


def _say_disk(saved: int, total: int, settings: RunSettings, said: Said) -> bool:
    """Say what checkpoints take; False when there is less free."""
    made = 1 + (total // settings.checkpoint_every if settings.checkpoint_every else 0)
    at_once = min(made, settings.keep + 1)  # the next one is whole before the oldest goes
    apart = total // settings.keep_every if settings.keep_every else 0
    needed, free = saved * (at_once + apart), free_disk(settings.out or Path("runs"))
    left = "" if free is None else f" of {size(free)} free"
    kept = f" and {apart} that stay" if apart else ""
    said(f"disk: {size(saved)} a checkpoint, at most {at_once} at a time{kept}: {size(needed)}{left}")
    if free is not None and needed > free:
        said("  does not fit: keep fewer (--keep, --keep-every), or name another disk with --out")
        return False
    return True
