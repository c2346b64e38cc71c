"""The training loop: batches in, steps, log lines, sample grids and checkpoints out.

Nothing here is random and nothing depends on when it was started: iteration k takes the batches that all
iterations before it left, so a run that was stopped and continued sees what an uninterrupted one sees.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from composer import checkpoint
from composer.display import Pace, Progress
from composer.events import Events
from composer.finite import Weights, refuse_non_finite_state
from composer.interrupt import Interrupts
from composer.log import Log
from composer.patient import Patient
from composer.recorder import Recorder
from composer.run_folder import RunFolder
from composer.wall_time import TIME_IS_UP, Deadline

if TYPE_CHECKING:
    from composer.measure.validation import Validation

Batch = Mapping[str, torch.Tensor]


@dataclass(frozen=True)
class Schedule:
    """How far to train and what to leave behind on the way; all numbers are iterations, 0 means never."""

    total: int
    checkpoint_every: int
    sample_every: int
    keep: int = 3
    keep_every: int = 0


@dataclass(frozen=True)
class Start:
    """Where one start of a run begins and when it has to end. `batches`: how many were used before; `save`: make a
    checkpoint before the first iteration."""

    batches: int = 0
    deadline: Deadline = field(default_factory=lambda: Deadline(None))
    save: bool = False


class Loop:
    """One start of a run. `loader` gives batches from a number on."""

    def __init__(
        self,
        program: Any,
        loader: Any,
        folder: RunFolder,
        schedule: Schedule,
        display: Patient,
        make_samples: Callable[[int], None],
        start: Start | None = None,
        validation: Validation | None = None,
        make_report: Callable[[], None] = lambda: None,
    ) -> None:
        self.program = program
        self.loader = loader
        self.folder = folder
        self.schedule = schedule
        self.display = display
        self._start = start or Start()
        self.batches = self._start.batches
        self._make_samples = make_samples
        self._validation = validation
        self._make_report = make_report  # when there are new samples or a checkpoint
        self._saved = program.iteration if checkpoint.saved(folder.checkpoints) else -1
        self._pace = Pace()
        self._weights = Weights(program.networks)

    def train(self) -> int:
        """Train to the end or until asked to stop; returns the exit status, 0 when all iterations are done, 75 when
        the time was up before.

        Raises Diverged when a loss or the state is no longer finite.
        """
        phases = {phase.name: phase.update for phase in self.program.graph.phases}
        recorder = Recorder(Log(self.folder.log), Events(self.folder.events, self.program.iteration), phases)
        try:
            status = self._train(recorder)
        except BaseException:
            with contextlib.suppress(OSError):  # what is said is the first thing that went wrong
                recorder.close()
            raise
        recorder.close()
        return status

    def _train(self, recorder: Recorder) -> int:
        with Interrupts() as asked:
            if self._start.save:
                self._save(recorder)
            self._run_passes()
            self._sample(first=True)
            self._make_report()
            stream = iter(self.loader.batches(self.batches))
            try:
                self._pace.mark(self.program.iteration, self.loader.waited)
                while not self._finished() and not self._asked(asked) and not self._start.deadline.reached():
                    before = time.perf_counter()
                    self._iterate(stream, recorder)
                    self._start.deadline.iterated(time.perf_counter() - before)
            finally:
                _close(stream)
            if asked.status or not self._finished():
                self.display.note(f"{asked.name or 'time is nearly up'}: saving a checkpoint, then leaving")
            self._save(recorder)
            self.display.update(self._progress(recorder), last=True)
            return self._asked(asked) or (0 if self._finished() else TIME_IS_UP)

    def _asked(self, asked: Interrupts) -> int | None:
        """The status to end with when somebody asked to stop, or when nobody reads what is said any more."""
        return asked.status or self.display.status

    def _finished(self) -> bool:
        return bool(self.program.iteration >= self.schedule.total)

    def _iterate(self, stream: Iterator[Batch], recorder: Recorder) -> None:
        program, iteration = self.program, self.program.iteration
        started = time.perf_counter()
        wanted = program.batches(iteration)
        batches = [next(stream) for _ in range(wanted)]
        result = program.step(batches[0] if wanted == 1 else batches)
        self.batches += wanted
        seconds = time.perf_counter() - started
        recorder.add(iteration, iteration // program.epoch_length, seconds, result, self._weights.norms())
        self._pace.mark(program.iteration, self.loader.waited)
        self._run_passes()
        self._sample()
        self._validate(recorder)
        saves = _due(program.iteration, self.schedule.checkpoint_every)
        if saves:
            self._save(recorder)
        if saves or self._samples_due():
            self._make_report()
        self.display.update(self._progress(recorder))

    def _run_passes(self) -> None:
        """The passes whose time has come: before the next iteration, and after the last one."""
        program = self.program
        for one in program.due_passes(ended=self._finished()):
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

    def _validate(self, recorder: Recorder) -> None:
        """Measure when it is time; the checkpoint of the best iteration is made before anything says it is the best."""
        if self._validation is None or not self._validation.due(self.program.iteration):
            return
        recorder.flush()
        better, words = self._validation.measure(recorder.scalars)
        self.display.note(words)
        if better:
            self._save(recorder)
            self._validation.keep_best()

    def _samples_due(self) -> bool:
        done, every = self.program.iteration, self.schedule.sample_every
        return every > 0 and (done == self.schedule.total or _due(done, every))

    def _save(self, recorder: Recorder) -> None:
        iteration = self.program.iteration
        folder, keep, keep_every = self.folder.checkpoints, self.schedule.keep, self.schedule.keep_every
        protected = checkpoint.protected(self.folder.path)
        recorder.sync()
        if iteration == self._saved:
            # It may be the work of a start that was killed before it could tidy up.
            checkpoint.prune(folder, keep, keep_every, protected)
            return
        before = time.perf_counter()
        tensors, meta = self.program.state()
        refuse_non_finite_state(tensors, iteration)
        checkpoint.save(
            folder,
            iteration,
            tensors,
            {"program": meta, "batches": self.batches, "epoch_length": self.program.epoch_length},
            keep=keep,
            keep_every=keep_every,
            protected=protected,
        )
        self._saved = iteration
        self._start.deadline.saved(time.perf_counter() - before)


def _due(done: int, every: int) -> bool:
    return every > 0 and done % every == 0


def _close(stream: Iterator[Any]) -> None:
    """End the worker processes behind an iterator, when it has any."""
    close = getattr(stream, "close", None)
    if close is not None:
        close()
