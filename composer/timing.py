"""How long a program takes, found by running it: iterations of training, translations, sample grids.

What is fast runs many times, what is slow once: large graphs have iterations of minutes.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import IO, Any

import torch

from composer.display import duration
from composer.estimate import MOST_SETS, empty_batch
from composer.finite import Weights
from composer.program import Program

LOOKED_AT = 1000  # iterations whose phases are counted
TIMED_SECONDS, MOST_TIMED = 3.0, 20  # after these nothing is repeated once more
SLOW_SECONDS = 10.0  # what takes longer runs once, without warming up, as soon as one iteration has run

clock = time.perf_counter  # tools measure by processor time
Batch = Mapping[str, torch.Tensor]


@dataclass(frozen=True)
class Pace:
    """Seconds of an iteration on average, of them waiting for data, and how many were timed.

    `later`: seconds of waiting after the first epoch of `epoch` iterations, when rows are kept; None where not known.
    """

    iteration: float
    waiting: float
    timed: int
    later: float | None = None
    epoch: int = 0

    def seconds(self, iterations: int) -> float:
        """Of so many iterations from the start."""
        saved = 0.0 if self.later is None else max(0.0, self.waiting - self.later)
        return iterations * self.iteration - max(0, iterations - self.epoch) * saved


class Doing:
    """Says what is being timed: in place on a terminal; elsewhere a line for what is slow."""

    def __init__(self, stream: IO[str] | None = None) -> None:
        self._stream = stream or sys.stderr
        self._in_place = self._stream.isatty()
        self._width = 0

    def __call__(self, what: str, seconds: float = 0.0) -> None:
        """`seconds`: how long it will take, where that is known."""
        text = f"timing {what}, about {duration(seconds)}" if seconds >= 1 else f"timing {what}"
        if self._in_place:
            print(f"\r{text:<{self._width}}", end="", file=self._stream, flush=True)
            self._width = max(self._width, len(text))
        elif seconds > SLOW_SECONDS:
            print(text, file=self._stream, flush=True)

    def close(self) -> None:
        """Leave the line empty."""
        if self._width:
            print(f"\r{'':<{self._width}}\r", end="", file=self._stream, flush=True)
            self._width = 0


def _silent(what: str, seconds: float = 0.0) -> None: ...


def time_iterations(
    program: Program, loader: Any, total: int, keeps: bool = False, tell: Callable[..., None] = _silent
) -> Pace:
    """Run each set of phases that run together a few times, the first time for warming up, and average over them.

    `keeps`: rows are kept once they were read, and waiting for those is measured too. `tell`: see `Doing`. The program
    is used up by it.
    """
    often: Counter[Any] = Counter()
    first: dict[Any, int] = {}
    for number in looked_at(total):
        active = program.active(number)
        often[active] += 1
        first.setdefault(active, number)
    sets = often.most_common(MOST_SETS)
    share = sum(count for _, count in sets)
    seconds = waited = batches = slowest = 0.0
    timed = 0
    with contextlib.closing(_Stream(loader)) as stream:
        weights = Weights(program.networks)
        for place, (active, count) in enumerate(sets):
            number = first[active]
            if slowest <= SLOW_SECONDS:
                tell("a first iteration")
                slowest = max(slowest, _one(program, stream, number, weights))
            tell(f"an iteration, {place + 1} of {len(sets)}" if len(sets) > 1 else "an iteration", slowest)
            repeats, took = 0, 0.0
            before = loader.waited
            least = 1 if slowest > SLOW_SECONDS else 2
            while repeats < least or (took < TIMED_SECONDS and repeats < MOST_TIMED):
                one = _one(program, stream, number, weights)
                took, slowest, repeats = took + one, max(slowest, one), repeats + 1
            seconds += count * took / repeats
            waited += count * (loader.waited - before) / repeats
            batches += count * program.batches(number)
            timed += repeats
        later = batches / share * _waiting_again(loader, stream.taken) if keeps else None
    return Pace(seconds / share, waited / share, timed, later, program.epoch_length)


class _Stream:
    """The batches of a loader, counted."""

    def __init__(self, loader: Any) -> None:
        self._batches = loader.batches(0)
        self.taken = 0

    def next(self, count: int) -> list[Batch]:
        self.taken += count
        return [next(self._batches) for _ in range(count)]

    def close(self) -> None:
        self._batches.close()


def _waiting_again(loader: Any, count: int) -> float:
    """Seconds of waiting for one of the first `count` batches when all of them were read before."""
    before = loader.waited
    for number in range(count):
        loader.batch(number)
    return float(loader.waited - before) / count


def looked_at(total: int) -> Sequence[int]:
    """Iterations whose phases stand for those of a run of `total`: all of a short one, parts of a long one in a row."""
    if total <= LOOKED_AT:
        return range(max(1, total))
    part = LOOKED_AT // 4
    starts = (0, total // 4, total // 2, total - part)
    return list(chain.from_iterable(range(start, start + part) for start in starts))


def _one(program: Program, stream: _Stream, number: int, weights: Weights) -> float:
    """One real iteration as number `number`; gives its seconds, data and the numbers of its log line included."""
    program.iteration = number
    for one in program.due_passes():
        program.run_pass(one.name, stream.next(1))  # enough to go on
    started = clock()
    result = program.step(stream.next(program.batches(number)))
    numbers = [*(term.loss for term in result.terms.values()), *weights.norms().values()]
    torch.stack([one.double() for one in numbers]).tolist()
    _wait(program)
    return clock() - started


def time_translations(
    program: Program, batch: Batch, limit: float, tell: Callable[..., None] = _silent
) -> dict[str, float]:
    """Seconds of each translation of one picture, as `composer translate` makes it; no further one after `limit`.

    The program has trained an iteration.
    """
    given = {**empty_batch(program), **batch}
    for one in program.due_passes(ended=True):  # what it gathers is part of what a translation starts from
        program.run_pass(one.name, [given])
    found: dict[str, float] = {}
    spent = clock()
    for name in program.translations:
        if found and clock() - spent > limit:
            break
        tell(f"translation {name}", min(found.values(), default=0.0))
        picture = {field: given[field][:1] for field in program.translator.needs(name)}
        found[name] = _repeated(program, lambda p=picture, n=name: program.translate(p, n))  # type: ignore[misc]
    return found


def time_grid(program: Program, batch: Batch) -> float:
    """Seconds of what a sample grid shows of one batch."""
    return _repeated(program, lambda: program.evaluate(program.show, batch)) if program.show else 0.0


def _repeated(program: Program, act: Callable[[], Any]) -> float:
    """Seconds of `act` on average, without the first time unless it is slow."""
    seconds, repeats = _timed(program, act), 1
    if seconds <= SLOW_SECONDS:
        seconds, repeats = 0.0, 0
        while not repeats or (seconds < TIMED_SECONDS / 4 and repeats < MOST_TIMED):
            seconds += _timed(program, act)
            repeats += 1
    return seconds / repeats


def _timed(program: Program, act: Callable[[], Any]) -> float:
    started = clock()
    act()
    _wait(program)
    return clock() - started


def _wait(program: Program) -> None:
    """Until a GPU has done what it was asked to."""
    if program.device.type == "cuda":
        torch.cuda.synchronize(program.device)


def time_words(pace: Pace, total: int, workers: int) -> str:
    """`time: 70.5 ms an iteration (8 % of it waiting for data), 1:11 for 1,000 iterations, ...`"""
    waiting = f"{100 * pace.waiting / pace.iteration:.0f} % of it waiting for data" if pace.iteration else ""
    with_workers = f" with {workers} process{'' if workers == 1 else 'es'}" if workers else ""
    fewer = pace.later is not None and pace.later < pace.waiting - pace.iteration / 200
    later = f", {100 * (pace.later or 0) / pace.iteration:.0f} % after the first epoch" if fewer else ""
    whole = f", {duration(pace.seconds(total))} for all {total:,}" if total != 1000 else ""
    return (
        f"time: {seconds_words(pace.iteration)} an iteration ({waiting}{with_workers}{later}), "
        f"{duration(pace.seconds(1000))} for 1,000 iterations{whole}; timed over {pace.timed}"
    )


def seconds_words(value: float) -> str:
    """`70.5 ms`, `2.35 s` or `312 s`."""
    if value < 0.1:
        return f"{1000 * value:.3g} ms"
    return f"{value:.3g} s" if value < 100 else f"{value:.0f} s"
