"""Signals that ask a run to stop: it makes a checkpoint, then leaves with the status shells expect, 128 + the number.

Ctrl-C (SIGINT) gives 130, SIGTERM 143, a closed terminal (SIGHUP) 129, and what clusters send before a limit:
SIGUSR1 138, SIGUSR2 140, SIGXCPU 152. The first signal is only noted, so that an iteration is never cut in two; a
second Ctrl-C raises KeyboardInterrupt at once. Outside of training, where nothing could be lost, each leaves at once.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGXCPU")
_ALWAYS = ("SIGINT", "SIGTERM")  # also where they came ignored: a job script starts its programs in the background


class Stopped(BaseException):
    """A signal came while nothing could be lost. `status`: what the program ends with."""

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.status = 128 + number


class _Handling:
    """Listens to signals within a `with`; what listened before listens again afterwards."""

    def __init__(self) -> None:
        self._previous: dict[int, Any] = {}

    def _listen(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return  # Python lets only the main thread listen; a run inside a thread is stopped by its owner
        for name in SIGNALS:
            number = getattr(signal, name, None)
            if number is None or (name not in _ALWAYS and signal.getsignal(number) is signal.SIG_IGN):
                continue  # `nohup` asked to outlive the terminal
            self._previous[number] = signal.signal(number, self._came)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        for number, previous in self._previous.items():
            signal.signal(number, previous)

    def _came(self, number: int, frame: FrameType | None) -> None:
        raise AssertionError("each kind has an answer of its own")


@contextlib.contextmanager
def importing() -> Iterator[None]:
    """Within it Ctrl-C ends the program on the spot. An exception in the middle of importing a library may come out as
    another one, or as a library that is half there."""
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield  # somebody else listens, or this is not the program's own thread
        return
    try:
        signal.signal(signal.SIGINT, _leave)
    except ValueError:
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _leave(number: int, frame: FrameType | None) -> None:
    os.write(2, b"interrupted\n")
    os._exit(128 + number)


class LeaveAtOnce(_Handling):
    """Within it a signal raises `Stopped`, Ctrl-C KeyboardInterrupt: files being written are cleaned up on the way."""

    def __enter__(self) -> LeaveAtOnce:
        self._listen()
        return self

    def _came(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise Stopped(number)


class Interrupts(_Handling):
    """`with Interrupts() as asked: ...`: `asked.status` is None until a signal came, then the exit status."""

    def __init__(self) -> None:
        super().__init__()
        self.status: int | None = None

    def __enter__(self) -> Interrupts:
        self._listen()
        return self

    @property
    def name(self) -> str:
        """The signal that came first, "" when none did."""
        return signal.Signals(self.status - 128).name if self.status else ""

    def _came(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT and self.status is not None:
            raise KeyboardInterrupt
        self.status = self.status or 128 + number


def continuing(words: Sequence[str], folder: Path) -> str:
    """The command line `words` (`sys.argv`) as one to type again, so that it continues the run in `folder`.

    "" where `words` are not those of our command line: a run may be started from Python.
    """
    programs = {"composer": ["composer"], "__main__.py": ["python", "-m", "composer"]}
    program = programs.get(Path(words[0]).name) if words else None
    if program is None or words[1:2] != ["run"]:
        return ""
    command = [*program, *words[1:]]
    if not any(word == "--out" or word.startswith("--out=") for word in command):
        command += ["--out", str(folder)]
    if "--resume" not in command:
        command.append("--resume")
    return shlex.join(command)
