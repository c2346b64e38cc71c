"""`--stop-after`: a run that ends by itself, with a checkpoint, before the time it was given is over."""

from __future__ import annotations

import re
import time

STARTED = time.monotonic()  # of the program, nearly: the command line imports this before anything slow
TIME_IS_UP = 75  # EX_TEMPFAIL of sysexits.h: not done, try again

_UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}
_DURATION = re.compile("".join(rf"(?:(\d+(?:\.\d+)?){unit})?" for unit in _UNITS))
_CLOSING = 5.0  # seconds to end worker processes, to flush files and to leave
_SPARE = 1.5  # times the slowest so far
_SLOWEST_DISK = 20e6  # bytes a second, until a checkpoint was timed


def seconds(text: str) -> float:
    """`23h`, `90m`, `1h30m`, `3600s` or `2d` in seconds; ValueError for anything else, and for nothing."""
    match = _DURATION.fullmatch(text)
    parts = zip(match.groups(), _UNITS.values(), strict=True) if match else ()
    total = sum(float(part) * unit for part, unit in parts if part)
    if not total:
        raise ValueError(f"'{text}' is no duration such as 23h, 90m, 1h30m, 3600s or 2d")
    return total


class Deadline:
    """When a run has to end: `after` seconds (None: never) from `started`, a time of `time.monotonic`.

    It is told how long things took, and says to stop while one more iteration and a checkpoint still fit.
    """

    def __init__(self, after: float | None, started: float | None = None, state_bytes: int = 0) -> None:
        self.after = after
        self._end = None if after is None else (time.monotonic() if started is None else started) + after
        self._iterations: list[float] = []  # the first one, and the slowest of the others
        self._saving: float | None = None
        self._guess = state_bytes / _SLOWEST_DISK

    def iterated(self, took: float) -> None:
        """An iteration with all that belongs to it (samples, a checkpoint) took so many seconds."""
        if len(self._iterations) < 2:
            self._iterations.append(took)
        elif took > self._iterations[1]:
            self._iterations[1] = took

    def saved(self, took: float) -> None:
        self._saving = max(took, self._saving or 0.0)

    @property
    def needed(self) -> float:
        """Seconds for one more iteration and a checkpoint. The first iteration of a start is not like the others."""
        saving = self._guess if self._saving is None else _SPARE * self._saving
        return _CLOSING + saving + _SPARE * (self._iterations[-1] if self._iterations else 0.0)

    def reached(self) -> bool:
        """Whether to stop now; never before the first iteration, so that every start gets on."""
        if self._end is None or not self._iterations:
            return False
        return time.monotonic() + self.needed >= self._end
