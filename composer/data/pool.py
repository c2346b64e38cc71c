"""Worker processes that make batches ahead, handed out in order.

Batch k goes to worker k mod N, so the order does not depend on which one is faster, and every batch is a function of
its number, so it does not depend on how many there are.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from typing import IO, Any, cast

import numpy as np

from composer.data.batch import BatchMaker
from composer.data.keeping import OwnKeeper, SharedKeeper
from composer.data.source import Array
from composer.data.worker import HEAD, REQUEST
from composer.errors import ComposeError, Problem

_START = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from composer.data.worker import main; main()"
_PIPE_BYTES = 2**20
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

Answer = dict[str, Array] | ComposeError | RuntimeError


class WorkerPool:
    """`workers` processes that make batches from `start` on, `prefetch` ahead for each worker."""

    def __init__(self, maker: BatchMaker, workers: int, start: int, prefetch: int) -> None:
        self.waited = 0.0  # seconds spent in `next` without an answer
        self._next = start
        self._asked = start
        self._ahead = workers * prefetch
        shared = SharedKeeper.make(maker.order.rows, maker.cache_bytes)
        self._processes = [_start_worker(shared) for _ in range(workers)]
        self._answers: list[queue.SimpleQueue[Answer]] = [queue.SimpleQueue() for _ in range(workers)]
        threads = [
            threading.Thread(target=_receive, args=(process, answers), daemon=True)
            for process, answers in zip(self._processes, self._answers, strict=True)
        ]
        # Also runs when the program ends without closing the pool.
        self._stop = weakref.finalize(self, _stop, self._processes, threads, shared)
        for number, (process, thread) in enumerate(zip(self._processes, threads, strict=True)):
            thread.start()
            keeper = shared.part(number, workers) if shared else OwnKeeper(maker.cache_bytes // workers)
            with contextlib.suppress(BrokenPipeError):  # the answer that never comes says it better
                _pipe(process.stdin).write(pickle.dumps(maker.with_keeper(keeper)))
                _pipe(process.stdin).flush()

    def next(self) -> dict[str, Array]:
        """The next batch. Raises the ComposeError of the worker that met one."""
        while self._asked < self._next + self._ahead:
            process = self._processes[self._asked % len(self._processes)]
            with contextlib.suppress(BrokenPipeError):
                _pipe(process.stdin).write(REQUEST.pack(self._asked))
                _pipe(process.stdin).flush()
            self._asked += 1
        answers = self._answers[self._next % len(self._answers)]
        before = time.perf_counter()
        answer = answers.get()
        self.waited += time.perf_counter() - before
        self._next += 1
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        """End the workers. They hold nothing that could be lost."""
        self._stop()

    @property
    def process_ids(self) -> list[int]:
        return [process.pid for process in self._processes]


def _start_worker(shared: SharedKeeper | None) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", _START, json.dumps(sys.path)]
    # A session of its own: Ctrl-C in the terminal reaches the parent alone, which decides when to stop.
    with _signals_held():
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            env={**os.environ, **_ONE_THREAD},
            pass_fds=[shared.file] if shared else [],
        )
    with contextlib.suppress(ImportError, AttributeError, OSError):  # a larger pipe is faster, where there is one
        import fcntl

        fcntl.fcntl(_pipe(process.stdout), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    return process


@contextlib.contextmanager
def _signals_held() -> Iterator[None]:
    """A child inherits which signals are held back, so it is deaf to these two from its first moment on."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _stop(
    processes: Sequence[subprocess.Popen[bytes]], threads: Sequence[threading.Thread], shared: SharedKeeper | None
) -> None:
    for process in processes:
        process.kill()
    for process, thread in zip(processes, threads, strict=True):
        process.wait()
        if thread.is_alive():
            thread.join()
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(BrokenPipeError):  # a request that the worker did not live to read
                _pipe(pipe).close()
    if shared:
        shared.close()


def _receive(process: subprocess.Popen[bytes], answers: queue.SimpleQueue[Answer]) -> None:
    """Read the answers of one worker until it ends."""
    pipe = _pipe(process.stdout)
    try:
        while True:
            answers.put(_read_answer(pipe))
    except EOFError:
        status = process.wait()
        ended = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        answers.put(ComposeError(f"a process that loads data {ended}", remedy="use fewer workers if memory ran out"))


def _read_answer(pipe: IO[bytes]) -> Answer:
    head: Any = pickle.loads(_read(pipe, HEAD.unpack(_read(pipe, HEAD.size))[0]))
    if isinstance(head, str):
        return RuntimeError(f"a process that loads data failed:\n{head}")
    if isinstance(head, tuple):
        return ComposeError.together(cast("tuple[Problem, ...]", head))
    batch = {}
    for name, kind, shape in head:
        values = np.empty(shape, dtype=np.dtype(kind))
        if values.size:
            _fill(pipe, values.data.cast("B"))
        batch[name] = values
    return batch


def _read(pipe: IO[bytes], count: int) -> bytes:
    data = bytearray(count)
    _fill(pipe, memoryview(data))
    return bytes(data)


def _fill(pipe: IO[bytes], view: memoryview) -> None:
    while view:
        count = cast("Any", pipe).readinto(view)
        if not count:
            raise EOFError
        view = view[count:]


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None  # both ends were asked for at the start
    return pipe
