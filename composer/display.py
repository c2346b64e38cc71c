"""What a run shows while it works: a live panel on a terminal, plain lines anywhere else.

Plain lines hold no escape codes. They come at the first iteration, then every ten seconds and ever more rarely, so
that the file that a cluster keeps of them stays readable. Times are in seconds, rates in iterations a second.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.console import ConsoleRenderable

PLAIN_SECONDS = (10.0, 300.0)  # between two plain lines, at least and at most
PLAIN_SHARE = 1 / 20  # and this part of the time since the first one
LIVE_SECONDS = 0.25  # between two pictures of the live panel
WINDOW_SECONDS = 30.0  # the speed is that of the last half minute


@dataclass(frozen=True)
class Progress:
    """The state of a run. `iteration`: how many are done, of `total`. `terms`: name -> (loss, weight)."""

    iteration: int
    total: int
    epoch: int = 0
    speed: float | None = None  # iterations a second
    data_share: float | None = None  # of the time, spent waiting for data, 0 to 1
    seconds_left: float | None = None
    terms: Mapping[str, tuple[float, float]] = field(default_factory=dict)


class Pace:
    """Speed and share of time spent on data, over the last half minute."""

    def __init__(self) -> None:
        self._marks: deque[tuple[float, int, float]] = deque()

    def mark(self, iteration: int, waited: float, now: float | None = None) -> None:
        """Note that `iteration` iterations are done and `waited` seconds in all went into waiting for data."""
        now = time.perf_counter() if now is None else now
        self._marks.append((now, iteration, waited))
        while len(self._marks) > 2 and now - self._marks[0][0] > WINDOW_SECONDS:
            self._marks.popleft()

    def progress(self, total: int, epoch: int, terms: Mapping[str, tuple[float, float]]) -> Progress:
        if not self._marks:
            return Progress(0, total, epoch, terms=terms)
        (then, first, waited_then), (now, last, waited) = self._marks[0], self._marks[-1]
        if now <= then or last <= first:
            return Progress(last, total, epoch, terms=terms)
        speed = (last - first) / (now - then)
        share = min(1.0, max(0.0, (waited - waited_then) / (now - then)))
        return Progress(last, total, epoch, speed, share, (total - last) / speed, terms)


class Display(Protocol):
    """Where a run tells what it does."""

    def note(self, text: str) -> None:
        """Say one thing, once."""

    def update(self, progress: Progress, *, last: bool = False) -> None:
        """Show how far the run is; most calls show nothing because the last picture is fresh enough."""

    def stop(self) -> None:
        """Leave the terminal as it was."""


class Silent:
    """Shows nothing."""

    def note(self, text: str) -> None: ...

    def update(self, progress: Progress, *, last: bool = False) -> None: ...

    def stop(self) -> None: ...


class Plain:
    """Lines of text."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._first: float | None = None
        self._shown = 0.0
        self._iteration = -1

    def note(self, text: str) -> None:
        print(text, file=self._stream, flush=True)

    def update(self, progress: Progress, *, last: bool = False) -> None:
        now = time.perf_counter()
        if self._first is not None and not last:
            least, most = PLAIN_SECONDS
            if now - self._shown < min(most, max(least, PLAIN_SHARE * (now - self._first))):
                return
        if progress.iteration != self._iteration:
            self._first = self._first or now
            self._shown, self._iteration = now, progress.iteration
            self.note(plain_line(progress))

    def stop(self) -> None: ...


class Live:
    """A panel that is redrawn in place: a bar, the speed, and a table of terms."""

    def __init__(self, stream: IO[str]) -> None:
        from rich.console import Console
        from rich.live import Live as RichLive

        self._console = Console(file=stream, highlight=False)
        # No thread of its own: a picture is drawn between two iterations, so it never shows half of one.
        self._live = RichLive(console=self._console, auto_refresh=False)
        self._started = False
        self._shown = 0.0

    def note(self, text: str) -> None:
        self._console.print(text, markup=False, soft_wrap=True)

    def update(self, progress: Progress, *, last: bool = False) -> None:
        now = time.perf_counter()
        if now - self._shown < LIVE_SECONDS and not last:
            return
        self._shown = now
        if not self._started:
            self._live.start()
            self._started = True
        self._live.update(_panel(progress), refresh=True)

    def stop(self) -> None:
        if self._started:
            self._live.stop()
            self._started = False


def open_display(stream: IO[str] | None = None) -> Display:
    """The live panel when `stream` (standard output) is a terminal that can move its cursor, else plain lines."""
    stream = stream or sys.stdout
    if not stream.isatty():
        return Plain(stream)
    from rich.console import Console

    console = Console(file=stream)
    return Plain(stream) if console.is_dumb_terminal or not console.is_terminal else Live(stream)


def count_up(what: str, stream: IO[str] | None = None) -> Callable[[int, int], None]:
    """Says `measured 120 of 500` in place, on a terminal; nothing anywhere else."""
    to = stream or sys.stderr
    shown = 0.0

    def say(done: int, of: int) -> None:
        nonlocal shown
        now = time.perf_counter()
        if to.isatty() and (now - shown > LIVE_SECONDS or done == of):
            shown = now
            print(f"\r{what} {done} of {of}", end="\n" if done == of else "", file=to, flush=True)

    return say


def plain_line(progress: Progress) -> str:
    """`iteration 130 of 2600  epoch 1  9.4 it/s  data 1 %  4:22 left  judge/fake 0.231 ...`"""
    parts = [f"iteration {progress.iteration} of {progress.total}", f"epoch {progress.epoch}", *speed_words(progress)]
    parts += [f"{name} {number(loss)}" for name, (loss, _) in progress.terms.items()]
    return "  ".join(parts)


def speed_words(progress: Progress) -> list[str]:
    words = []
    if progress.speed is not None:
        words.append(speed(progress.speed))
    if progress.data_share is not None:
        words.append(f"data {100 * progress.data_share:.0f} %")
    if progress.seconds_left is not None:
        words.append(f"{duration(progress.seconds_left)} left")
    return words


def speed(per_second: float) -> str:
    """`9.41 it/s`, `412 it/s`, or `14.2 s/it` for the slow."""
    if per_second < 0.5:
        return f"{1 / per_second:.1f} s/it"
    return f"{per_second:.0f} it/s" if per_second >= 100 else f"{per_second:.3g} it/s"


def duration(seconds: float) -> str:
    """`4:22`, `1:03:07` or `2 d 4 h`."""
    whole = round(seconds)
    if whole >= 86400:
        return f"{whole // 86400} d {whole % 86400 // 3600} h"
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def number(value: float) -> str:
    """A loss in at most four digits: `0.2314`, `12.3`, `1.5e-05`."""
    return f"{value:.4g}"


def _panel(progress: Progress) -> ConsoleRenderable:
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    facts = [f"iteration {progress.iteration}/{progress.total}", f"epoch {progress.epoch}", *speed_words(progress)]
    head = Table.grid()
    head.add_row(ProgressBar(total=max(1, progress.total), completed=progress.iteration, width=60))
    head.add_row(Text("  ".join(facts), no_wrap=True, overflow="ellipsis"))
    if not progress.terms:
        return head
    table = Table(box=None, padding=(0, 2), header_style="dim")
    for title in ("phase", "term"):
        table.add_column(title)
    for title in ("loss", "weight", "weighted"):
        table.add_column(title, justify="right")
    previous = None
    for name, (loss, weight) in progress.terms.items():
        phase, _, term = name.partition("/")
        shown = Text("" if phase == previous else phase, style="bold")
        table.add_row(shown, Text(term), number(loss), number(weight), number(loss * weight))
        previous = phase
    return Group(head, table)
