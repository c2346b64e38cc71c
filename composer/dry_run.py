"""`composer run --dry-run`: everything that can be known of a run before it is started, and nothing left behind.

Data are read once, a batch is drawn, memory and disk are computed; then, where it fits, a few real iterations say how
long the run will take. No run folder is made.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from composer import look
from composer.data.keeping import OwnKeeper
from composer.display import duration
from composer.estimate import MOST_SETS, Memory, Unknown, empty_batch, estimate, with_batch
from composer.machine import free_disk, free_memory, size
from composer.program import Program
from composer.shapes import Shaped

if TYPE_CHECKING:
    from composer.run_settings import RunSettings

CACHE = 512 * 2**20  # bytes of resized pictures that are kept, see `Dataset.loader`
WORKER = 40 * 10**6  # bytes of a process that loads data, before it has read anything
PREFETCH = 2  # batches that each of them has ahead
LOOKED_AT = 1000  # iterations whose phases are counted
# More bytes than any graph needs for a number of a batch and for a weight, by far: below, nothing is computed.
SURELY_NUMBER, SURELY_WEIGHT = 40_000, 40
TIMED_SECONDS, MOST_TIMED = 3.0, 20
Said = Callable[[str], None]


@dataclass(frozen=True)
class Pace:
    """Seconds of an iteration on average, of them waiting for data, and how many were timed."""

    iteration: float
    waiting: float
    timed: int


def dry_run(settings: RunSettings, grid: Path | None = None, said: Said = print) -> int:
    """Say what a run will read, need and take. Returns 0, or 1 when it does not fit into memory or onto the disk.

    `grid`: where the picture of a batch goes; without it `NAME-dry-run.png` in the current folder.
    """
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
    total = schedule_of(settings, planned).total
    try:
        memory = estimate(planned, device)
    except Unknown as error:
        said(f"memory: not known before it is run: {error}")
        fits = True
    else:
        fits = _say_memory(shaped, memory, device, said)
        said(_loading(opened, batch, workers))
        fits = _say_disk(memory.saved, total, settings, said) and fits
    if not fits:
        said("it does not fit, so no iteration was tried; nothing was trained, no run folder was made")
        return 1
    try:
        program = Program(shaped, device=device, seed=settings.seed)
        program.epoch_length = planned.epoch_length
        with loader:
            pace = time_iterations(program, loader, total)
    except RuntimeError as error:
        # On a GPU it is a kind of its own, the allocator of the CPU has only words for it.
        if not isinstance(error, torch.OutOfMemoryError) and "can't allocate memory" not in str(error):
            raise
        said(f"does not fit: memory ran out in a real iteration; {_lower(shaped)}")
        return 1
    said(_time_words(pace, total, workers))
    if device.type == "cuda":
        said(f"memory measured in these iterations: {size(torch.cuda.max_memory_allocated(device))}")
    said("this was a dry run: nothing was trained, no run folder was made")
    return 0


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
    keeper = OwnKeeper(CACHE)
    maker = opened.dataset.maker(batch).with_keeper(keeper)
    ahead = sum(values.nbytes for values in maker.make(0).values()) * PREFETCH * workers
    rows = max(opened.dataset.rows().values())
    kept = min(CACHE, keeper.bytes * -(-rows // batch))
    own = f"{workers} process{'' if workers == 1 else 'es'} of about {size(WORKER)}, " if workers else ""
    batches = f", batches ahead {size(ahead)}" if workers else ""
    return f"loading data: {own}resized pictures kept, about {size(kept)}{batches}"


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


def time_iterations(program: Program, loader: Any, total: int) -> Pace:
    """Run each set of phases that run together a few times, the first time for warming up, and average over them.

    The program is used up by it.
    """
    often: Counter[Any] = Counter()
    first: dict[Any, int] = {}
    for number in range(max(1, min(total, LOOKED_AT))):
        active = program.active(number)
        often[active] += 1
        first.setdefault(active, number)
    stream = loader.batches(0)
    seconds = waited = share = 0.0
    timed = 0
    with contextlib.closing(stream):
        for active, count in often.most_common(MOST_SETS):
            _one(program, stream, first[active])
            repeats, took = 0, 0.0
            before = loader.waited
            while not repeats or (took < TIMED_SECONDS and repeats < MOST_TIMED):
                took += _one(program, stream, first[active])
                repeats += 1
            seconds += count * took / repeats
            waited += count * (loader.waited - before) / repeats
            share += count
            timed += repeats
    return Pace(seconds / share, waited / share, timed)


def _one(program: Program, stream: Iterator[Mapping[str, torch.Tensor]], number: int) -> float:
    """One real iteration as number `number`; gives its seconds, data included."""
    program.iteration = number
    started = time.perf_counter()
    batches = [next(stream) for _ in range(program.batches(number))]
    for one in program.due_passes():  # one batch is enough to go on
        program.run_pass(one.name, batches[:1])
    program.step(batches)
    if program.device.type == "cuda":
        torch.cuda.synchronize(program.device)
    return time.perf_counter() - started


def _time_words(pace: Pace, total: int, workers: int) -> str:
    waiting = f"{100 * pace.waiting / pace.iteration:.0f} % of it waiting for data" if pace.iteration else ""
    with_workers = f" with {workers} process{'' if workers == 1 else 'es'}" if workers else ""
    whole = f", {duration(total * pace.iteration)} for all {total:,}" if total != 1000 else ""
    return (
        f"time: {_seconds(pace.iteration)} an iteration ({waiting}{with_workers}), "
        f"{duration(1000 * pace.iteration)} for 1,000 iterations{whole}, without sample grids and checkpoints; "
        f"timed over {pace.timed}"
    )


def _seconds(value: float) -> str:
    return f"{value:.3g} s" if value >= 0.1 else f"{1000 * value:.3g} ms"
