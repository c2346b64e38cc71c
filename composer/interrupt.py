"""Signals that ask a run to stop: it makes a checkpoint, then leaves with the status shells expect.

Ctrl-C (SIGINT) gives 130, SIGTERM 143, a closed terminal (SIGHUP) 129. The first signal is only noted, so that
an iteration is never cut in two; a second Ctrl-C raises KeyboardInterrupt at once.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")


class Interrupts:
    """`with Interrupts() as asked: ...`: `asked.status` is None until a signal came, then the exit status."""

    def __init__(self) -> None:
        self.status: int | None = None
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is not threading.main_thread():
            return self  # Python lets only the main thread listen; a run inside a thread is stopped by its owner
        for number in (getattr(signal, name, None) for name in _SIGNALS):
            if number is None:
                continue
            if number.name == "SIGHUP" and signal.getsignal(number) is signal.SIG_IGN:
                continue  # `nohup` asked to outlive the terminal
            self._previous[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        for number, previous in self._previous.items():
            signal.signal(number, previous)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT and self.status is not None:
            raise KeyboardInterrupt
        self.status = 128 + number
