"""A display that outlives its reader: nobody listening is no reason to lose what was trained.

Ctrl-C reaches every program of `composer run ... | tee log` at once, and a closed terminal cannot be written to: both
come just when a run is about to say that it saves a checkpoint.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from typing import IO

from composer.display import Display, Progress, Silent

READER_GONE = 141  # 128 + SIGPIPE, as for any program whose pipe is closed


class Patient:
    """Shows what `display` shows, and nothing more once that failed. `status`: READER_GONE when a pipe was closed,
    which asks the run to end with a checkpoint; None otherwise: without a terminal, or with the disk of its log full,
    a run trains on. `stream`: where it goes, to be given up then."""

    def __init__(self, display: Display, stream: IO[str] | None = None) -> None:
        self.status: int | None = None
        self._display = display
        self._stream = stream

    def note(self, text: str) -> None:
        with self._trying():
            self._display.note(text)

    def update(self, progress: Progress, *, last: bool = False) -> None:
        with self._trying():
            self._display.update(progress, last=last)

    def stop(self) -> None:
        with self._trying():
            self._display.stop()

    @contextlib.contextmanager
    def _trying(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self._display = Silent()
            if error.errno == errno.EPIPE:
                self.status = READER_GONE
            with contextlib.suppress(OSError, ValueError, AttributeError):
                # What is left in the buffer would fail once more when the program ends.
                if self._stream is not None:
                    os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
