"""The curves of a run, read from `log.jsonl` as it grows.

Reading goes on where it stopped, so that what a refresh costs depends on the new lines and not on the length of the
run. All curves have buckets of one width, which doubles when the run outgrows them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from composer.report.buckets import LIMIT, Buckets, Reals

AT_ONCE = 2000  # lines
PARTS = ("terms", "totals", "rates")  # of a line
OF_TERMS = ("loss", "weight")
DIGITS = 5  # of a number on the page

Key = tuple[str, ...]


class Curves:
    """The curves of the log at `path`. Keys: ("loss", TERM), ("weight", TERM), ("weighted", TERM), ("total", PHASE),
    ("rate", GROUP) and ("seconds",), in the order in which they turned up."""

    def __init__(self, path: Path, limit: int = LIMIT) -> None:
        self.path, self.limit = path, limit
        self.width = 1
        self.last = -1  # the newest iteration
        self.seconds = 0.0  # of all iterations together
        self.of: dict[Key, Buckets] = {}
        self._read = 0  # bytes

    def update(self) -> None:
        """Take the lines that were added since the last time, up to the first that is not whole."""
        if not self.path.exists():
            return
        with open(self.path, "rb") as file:
            file.seek(self._read)
            records: list[Mapping[str, Any]] = []
            for line in file:
                record = _record(line)
                if record is None:
                    break
                self._read += len(line)
                records.append(record)
                if len(records) == AT_ONCE:
                    self._take(records)
                    records = []
            self._take(records)

    def _take(self, records: Iterable[Mapping[str, Any]]) -> None:
        # Lines of one form together: their numbers are then columns, which is ten times as fast as one by one.
        forms: dict[tuple[tuple[str, ...], ...], list[Mapping[str, Any]]] = {}
        for record in records:
            if record["iteration"] <= self.last:
                continue  # it was there already: each iteration is told once
            self.last = record["iteration"]
            forms.setdefault(tuple(tuple(record[part]) for part in PARTS), []).append(record)
        self._fit()
        for (terms, totals, rates), lines in forms.items():
            where = np.array([line["iteration"] for line in lines], dtype=np.int64)
            losses, weights = (_columns([[t[n] for t in line["terms"].values()] for line in lines]) for n in OF_TERMS)
            for name, loss, weight in zip(terms, losses, weights, strict=True):
                self._curve(("loss", name)).add(where, loss)
                self._curve(("weight", name)).add(where, weight)
                with np.errstate(invalid="ignore", over="ignore"):
                    self._curve(("weighted", name)).add(where, loss * weight)
            for part, kind, names in (("totals", "total", totals), ("rates", "rate", rates)):
                for name, values in zip(names, _columns([list(line[part].values()) for line in lines]), strict=True):
                    self._curve((kind, name)).add(where, values)
            (seconds,) = _columns([[line.get("seconds")] for line in lines])
            self._curve(("seconds",)).add(where, seconds)
            self.seconds += float(np.nansum(seconds))

    def _fit(self) -> None:
        while self.last // self.width >= self.limit:
            self.width *= 2
        for curve in self.of.values():
            while curve.width < self.width:
                curve.widen()

    def _curve(self, key: Key) -> Buckets:
        if key not in self.of:
            self.of[key] = Buckets(self.width, self.limit)
        return self.of[key]

    def content(self) -> dict[str, Any]:
        """What the page is told: see `_series`; `step` is the width of a bucket, `last` the newest iteration."""
        number = self.last // self.width + 1
        terms = []
        for key, curve in self.of.items():
            if key[0] == "loss":
                weight = self.of["weight", key[1]]
                one = {"term": key[1], **_series(curve, number)}
                one["weight"] = [_short(weight.smallest), _short(weight.largest)]
                if weight.smallest != weight.largest:
                    one["weights"] = _numbers(weight.mean()[:number])
                    one["weighted"] = _series(self.of["weighted", key[1]], number)
                terms.append(one)
        return {
            "step": self.width,
            "last": self.last,
            "terms": terms,
            "totals": [{"phase": key[1], **_series(c, number)} for key, c in self.of.items() if key[0] == "total"],
            "rates": [{"group": key[1], **_series(c, number)} for key, c in self.of.items() if key[0] == "rate"],
            "seconds": _series(self.of[("seconds",)], number) if ("seconds",) in self.of else None,
        }


def _columns(rows: list[list[Any]]) -> Reals:
    """Rows of numbers as columns; nan for null."""
    return np.array(rows, dtype=np.float64).T


def _series(curve: Buckets, number: int) -> dict[str, Any]:
    """A curve for the page: `mean`, and `low` and `high` where they differ from it; null where a bucket is empty."""
    found: dict[str, Any] = {"mean": _numbers(curve.mean()[:number])}
    filled = curve.count > 0
    if not np.array_equal(curve.low[filled], curve.high[filled]):
        found["low"], found["high"] = _numbers(curve.low[:number]), _numbers(curve.high[:number])
    if curve.bad:
        found["bad"] = curve.bad
    return found


def _numbers(values: Reals) -> list[float | None]:
    return [_short(value) for value in values.tolist()]


def _short(value: float) -> float | None:
    """A number as the page shows it; null for what is not finite. Whole numbers are kept as they are."""
    if not np.isfinite(value):
        return None
    if value == int(value) and abs(value) < 1e6:
        return int(value)
    return float(f"{value:.{DIGITS}g}")


def _record(line: bytes) -> dict[str, Any] | None:
    """A whole line of the log; None for one that is still being written, or is no record."""
    if not line.endswith(b"\n"):
        return None
    try:
        record = json.loads(line)
    except ValueError:
        return None
    if not isinstance(record, dict) or not isinstance(record.get("iteration"), int):
        return None
    return record if all(isinstance(record.get(part), dict) for part in PARTS) else None
