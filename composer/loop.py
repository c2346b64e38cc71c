"""The training loop: batches in, steps, log lines, sample grids and checkpoints out.

Nothing here is random and nothing depends on when it was started: iteration k takes the batches that all
iterations before it left, so a run that was stopped and continued sees what an uninterrupted one sees.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from composer import checkpoint
from composer.display import Display, Pace, Progress
from composer.events import Events
from composer.interrupt import Interrupts
from composer.log import Log
from composer.recorder import Recorder, refuse_non_finite_state
from composer.run_folder import RunFolder

Batch = Mapping[str, torch.Tensor]


@dataclass(frozen=True)
class Schedule:
    """How far to train and what to leave behind on the way; all numbers are iterations, 0 means never."""

    total: int
    checkpoint_every: int
    sample_every: int
    keep: int = 3
    keep_every: int = 0


class Loop:
    """One start of a run. `loader` gives batches from a number on; `batches`: how many were used before."""

    def __init__(
        self,
        program: Any,
        loader: Any,
        folder: RunFolder,
        schedule: Schedule,
        display: Display,
        make_samples: Callable[[int], None],
        batches: int = 0,
        make_report: Callable[[], None] = lambda: None,
    ) -> None:
        self.program = program
        self.loader = loader
        self.folder = folder
        self.schedule = schedule
        self.display = display
        self.batches = batches
        self._make_samples = make_samples
        self._make_report = make_report  # when there are new samples or a checkpoint
        self._saved = program.iteration if checkpoint.saved(folder.checkpoints) else -1
        self._pace = Pace()

    def train(self) -> int:
        """Train to the end or until asked to stop; returns the exit status, 0 when all iterations are done.

        Raises Diverged when a loss or the state is no longer finite.
        """
        phases = [phase.name for phase in self.program.graph.phases]
        recorder = Recorder(Log(self.folder.log), Events(self.folder.events, self.program.iteration), phases)
        try:
            with Interrupts() as asked:
                self._run_passes()
                self._sample(first=True)
                self._make_report()
                stream = iter(self.loader.batches(self.batches))
                try:
                    self._pace.mark(self.program.iteration, self.loader.waited)
                    while self.program.iteration < self.schedule.total and asked.status is None:
                        self._iterate(stream, recorder)
                finally:
                    _close(stream)
                self._save(recorder)
                self.display.update(self._progress(recorder), last=True)
                return asked.status or 0
        finally:
            recorder.close()

    def _iterate(self, stream: Iterator[Batch], recorder: Recorder) -> None:
        program, iteration = self.program, self.program.iteration
        started = time.perf_counter()
        wanted = program.batches(iteration)
        batches = [next(stream) for _ in range(wanted)]
        result = program.step(batches[0] if wanted == 1 else batches)
        self.batches += wanted
        recorder.add(iteration, iteration // program.epoch_length, time.perf_counter() - started, result)
        self._pace.mark(program.iteration, self.loader.waited)
        self._run_passes()
        self._sample()
        saves = _due(program.iteration, self.schedule.checkpoint_every)
        if saves:
            self._save(recorder)
        if saves or self._samples_due():
            self._make_report()
        self.display.update(self._progress(recorder))

    def _run_passes(self) -> None:
        """The passes whose time has come: before the next iteration, and after the last one."""
        program = self.program
        for one in program.due_passes(ended=program.iteration >= self.schedule.total):
            program.run_pass(one.name, self.loader.sweep(one.streams, one.batches))
            self._saved = -1

    def _progress(self, recorder: Recorder) -> Progress:
        epoch = max(0, self.program.iteration - 1) // self.program.epoch_length
        return self._pace.progress(self.schedule.total, epoch, recorder.latest)

    def _sample(self, first: bool = False) -> None:
        """A grid when one is due: at the start, every so often, and at the end."""
        if not self.schedule.sample_every:
            return
        done = self.program.iteration
        if (first or self._samples_due()) and not (first and self.folder.sample(done).exists()):
            self._make_samples(done)

    def _samples_due(self) -> bool:
        done, every = self.program.iteration, self.schedule.sample_every
        return every > 0 and (done == self.schedule.total or _due(done, every))

    def _save(self, recorder: Recorder) -> None:
        iteration = self.program.iteration
        recorder.sync()
        if iteration == self._saved:
            # It may be the work of a start that was killed before it could tidy up.
            checkpoint.prune(self.folder.checkpoints, self.schedule.keep, self.schedule.keep_every)
            return
        tensors, meta = self.program.state()
        refuse_non_finite_state(tensors, iteration)
        checkpoint.save(
            self.folder.checkpoints,
            iteration,
            tensors,
            {"program": meta, "batches": self.batches, "epoch_length": self.program.epoch_length},
            keep=self.schedule.keep,
            keep_every=self.schedule.keep_every,
        )
        self._saved = iteration


def _due(done: int, every: int) -> bool:
    return every > 0 and done % every == 0


def _close(stream: Iterator[Any]) -> None:
    """End the worker processes behind an iterator, when it has any."""
    close = getattr(stream, "close", None)
    if close is not None:
        close()
