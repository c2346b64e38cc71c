"""Resized rows that are kept, so that a file is decoded once: by one process, or once for all that load data.

Several processes share a file that lies in memory alone and has no name; it is gone when the last of them ends. A
table at its start says where each row lies. Each process writes into a part of its own, so none waits for another;
two that make the same row at the same time write it twice, with the same bytes.
"""

from __future__ import annotations

import contextlib
import os
import pickle
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from composer.data.source import Array

Row = dict[str, Array]
_ENTRY = np.dtype([("start", "<i8"), ("size", "<i8")])  # of the table; a size of 0: not kept


class Keeper(Protocol):
    """Rows by (stream, index)."""

    def get(self, key: tuple[str, int]) -> Row | None:
        """A row that was kept."""
        ...

    def put(self, key: tuple[str, int], row: Row) -> Row:
        """Keep a row where there is room; gives a row with the same numbers."""
        ...


class OwnKeeper:
    """Rows kept by one process, until `most` bytes are full. It travels to another process empty."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._rows: dict[tuple[str, int], Row] = {}
        self._bytes = 0

    def __reduce__(self) -> tuple[Any, ...]:
        return OwnKeeper, (self.most,)

    def get(self, key: tuple[str, int]) -> Row | None:
        return self._rows.get(key)

    def put(self, key: tuple[str, int], row: Row) -> Row:
        size = sum(values.nbytes for values in row.values())
        if self._bytes + size <= self.most:
            # A view into a larger picture would keep all of it alive.
            self._rows[key] = row = {name: np.array(values, order="C") for name, values in row.items()}
            self._bytes += size
        return row


class SharedKeeper:
    """Rows kept for several processes. Each of them gets a `part`; numbers are those of an open file."""

    def __init__(self, file: int, first: Mapping[str, int], start: int, end: int) -> None:
        self.file = file
        self._first = dict(first)  # the place of each stream's row 0 in the table
        self._start, self._end = start, end

    @classmethod
    def make(cls, rows: Mapping[str, int], most: int) -> SharedKeeper | None:
        """Room for `most` bytes of rows, how many each stream has; None where the system has no such files."""
        if not hasattr(os, "memfd_create") or most <= 0:
            return None
        first, total = {}, 0
        for stream, count in rows.items():
            first[stream] = total
            total += count
        table = total * _ENTRY.itemsize
        try:
            file = os.memfd_create("composer-rows")
            os.ftruncate(file, table + most)  # pages are taken as they are written
        except OSError:
            return None
        return cls(file, first, table, table + most)

    def part(self, number: int, parts: int) -> SharedKeeper:
        """What one of `parts` processes may write to; it reads all of it."""
        room = (self._end - self._start) // parts
        return SharedKeeper(self.file, self._first, self._start + number * room, self._start + (number + 1) * room)

    def get(self, key: tuple[str, int]) -> Row | None:
        entry = np.frombuffer(os.pread(self.file, _ENTRY.itemsize, self._place(key)), _ENTRY)[0]
        if not entry["size"]:
            return None
        row: Row = pickle.loads(os.pread(self.file, int(entry["size"]), int(entry["start"])))
        return row

    def put(self, key: tuple[str, int], row: Row) -> Row:
        data = pickle.dumps({name: np.asarray(values, order="C") for name, values in row.items()}, protocol=5)
        if self._start + len(data) <= self._end:
            try:
                # The row lies there whole before the table says so.
                written = os.pwrite(self.file, data, self._start)
                if written == len(data):
                    entry = np.array([(self._start, written)], _ENTRY)
                    os.pwrite(self.file, entry.tobytes(), self._place(key))
                    self._start += written
            except OSError:
                self._end = self._start  # no memory left for it: rows are then made each time
        return row

    def close(self) -> None:
        """Give the memory back once the other processes have ended."""
        with contextlib.suppress(OSError):
            os.close(self.file)

    def _place(self, key: tuple[str, int]) -> int:
        stream, index = key
        return (self._first[stream] + index) * _ENTRY.itemsize
