"""`log.jsonl`: one line an iteration, with every term's unweighted loss and its weight.

A line is `{"iteration": 12, "epoch": 0, "terms": {"judge/fake": {"loss": 0.69, "weight": 0.5}}, "totals":
{"judge": 0.71}, "rates": {"default": 0.0002}, "seconds": 0.1}`. Iterations are counted from 0. Losses are
the exact values (a float is written so that reading gives the same float). Everything but `seconds`, the
wall time of that iteration, is the same in a run that was interrupted and one that was not.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from composer.files import naming

Record = dict[str, Any]


class Log:
    """The open log of a run; each record is handed to the system at once, so `tail -f` follows it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = open(path, "ab", buffering=0)

    def write(self, record: Mapping[str, Any]) -> None:
        line = json.dumps(record, separators=(", ", ": "), allow_nan=False).encode() + b"\n"
        with naming(self.path):
            while line:  # a disk that is nearly full takes a part of it, and refuses the next
                line = line[self._file.write(line) :]

    def sync(self) -> None:
        """Flush to the disk; called before a checkpoint, which promises the lines before it."""
        with naming(self.path):
            os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()


def read(path: Path) -> Iterator[Record]:
    """The records of a log, up to the first line that is not whole."""
    if path.exists():
        with open(path, "rb") as file:
            for line in file:
                record = _parse(line)
                if record is None:
                    return
                yield record


def cut(path: Path, iteration: int) -> None:
    """Drop the lines of `iteration` and later, and whatever follows a line that is not whole."""
    if not path.exists():
        return
    kept = 0
    with open(path, "rb+") as file:
        for line in file:
            record = _parse(line)
            if record is None or record["iteration"] >= iteration:
                break
            kept += len(line)
        file.truncate(kept)
        os.fsync(file.fileno())


def _parse(line: bytes) -> Record | None:
    if not line.endswith(b"\n"):
        return None
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) and isinstance(record.get("iteration"), int) else None
