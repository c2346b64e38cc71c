"""Batches of tensors from any position of a run."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from types import TracebackType

import torch

from composer.data.batch import BatchMaker
from composer.data.pool import WorkerPool
from composer.data.source import Array
from composer.errors import ComposeError


class Loader:
    """Gives batch 0, 1, 2, ... of a run, endlessly. The same for any number of workers and any place to start.

    `waited` is how many seconds the caller has waited for data in all. Close it, or use it as a context, to end the
    worker processes before the program does.
    """

    def __init__(self, maker: BatchMaker, *, workers: int = 0, prefetch: int = 2) -> None:
        if workers < 0 or prefetch < 1:
            raise ComposeError(f"{workers} workers with {prefetch} batches ahead", remedy="at least 0 and 1")
        self.waited = 0.0
        self._maker = maker
        self._workers = workers
        self._prefetch = prefetch
        self._pools: list[WorkerPool] = []

    @property
    def epoch_length(self) -> int:
        """Batches in an epoch."""
        return self._maker.order.epoch_length

    @property
    def notes(self) -> list[str]:
        """What a user should know of the batches."""
        order = self._maker.order
        small = [f"'{name}' has {rows}" for name, rows in order.rows.items() if rows < order.batch]
        return [f"a batch of {order.batch} rows holds rows twice: {', '.join(small)}"] if small else []

    @property
    def process_ids(self) -> list[int]:
        """The worker processes that run now."""
        return [number for pool in self._pools for number in pool.process_ids]

    def batch(self, number: int) -> dict[str, torch.Tensor]:
        """One batch, made here: fields by name, images float32 [b, c, h, w], labels int64 [b]."""
        before = time.perf_counter()
        made = self._maker.make(number)
        self.waited += time.perf_counter() - before
        return _tensors(made)

    def batches(self, start_batch: int = 0) -> Generator[dict[str, torch.Tensor], None, None]:
        """Batches from `start_batch` on, without an end. Closing the generator ends its workers."""
        if self._workers == 0:
            number = start_batch
            while True:
                yield self.batch(number)
                number += 1
        pool = WorkerPool(self._maker, self._workers, start_batch, self._prefetch)
        self._pools.append(pool)
        try:
            while True:
                before = pool.waited
                made = pool.next()
                self.waited += pool.waited - before
                yield _tensors(made)
        finally:
            self._pools.remove(pool)
            pool.close()

    def sweep(self, streams: Sequence[str], count: int = 0) -> Generator[dict[str, torch.Tensor], None, None]:
        """The first `count` batches of the run; 0: so many that every row of `streams` is shown, save an odd rest."""
        order = self._maker.order
        whole = max(order.rows[name] for name in streams) // order.batch
        for number in range(count or max(1, whole)):
            yield self.batch(number)

    def close(self) -> None:
        """End all worker processes."""
        for pool in self._pools:
            pool.close()

    def __enter__(self) -> Loader:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _tensors(batch: dict[str, Array]) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(values) for name, values in batch.items()}
