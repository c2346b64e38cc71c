"""What the data of a run are, from reading every row once: sizes, depths, values, ids; and every row that fails.

Needs no torch. A row is read as training reads it (`Source.row`), so what passes here is not refused later.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from composer.data.dataset import Dataset
from composer.data.decode import Unreadable, listed, probe, shown
from composer.data.files import FileSource
from composer.data.source import Array, Source
from composer.errors import ComposeError, Problem
from composer.fields import Field

MOST_IDS = 40  # of a label map, that a line names
Progress = Callable[[int, int], None]


@dataclass
class FieldSurvey:
    """What one field holds over all rows. Sizes in pixels as they lie in the files; values as they lie there too."""

    column: Field
    rows: int = 0
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)  # (width, height) -> rows
    files: Counter[str] = field(default_factory=Counter)  # "RGB 8 bit" -> rows
    low: float = float("inf")
    high: float = float("-inf")
    ids: Counter[int] = field(default_factory=Counter)  # id -> pixels, or rows of a label
    rows_with: Counter[int] = field(default_factory=Counter)  # id -> rows
    flat: list[str] = field(default_factory=list)  # the names of pictures that are of one colour

    def add(self, values: Array, kind: str, name: str) -> None:
        """Take in the field of one row. `kind` says what its file is, "" where there is none."""
        self.rows += 1
        if kind:
            self.files[kind] += 1
        if values.ndim >= 2:
            self.sizes[values.shape[1], values.shape[0]] += 1
        if _is_number(self.column, values):
            ids, counts = np.unique(values, return_counts=True)
            for number, count in zip(ids.tolist(), counts.tolist(), strict=True):
                self.ids[number] += count
                self.rows_with[number] += 1
            return
        low, high = float(values.min()), float(values.max())
        if values.ndim >= 2 and low == high:
            self.flat.append(name)
        scale = 65535 if values.dtype != np.uint8 and "16 bit" in kind else 1
        self.low, self.high = min(self.low, low * scale), max(self.high, high * scale)

    def text(self) -> str:
        """`32 pictures, 256 wide, 256 high, RGB 8 bit, values 0 to 255`."""
        words = [f"{self.rows} {_things(self.column, self.rows)}"]
        if self.sizes:
            words += [f"{_span(w for w, _ in self.sizes)} wide", f"{_span(h for _, h in self.sizes)} high"]
        if self.files:
            words.append(", ".join(name if len(self.files) == 1 else f"{n} {name}" for name, n in self.files.items()))
        if self.ids:
            words.append(self._ids())
        elif self.high >= self.low:
            words.append(f"values {_number(self.low)} to {_number(self.high)}")
        return ", ".join(words)

    def remarks(self) -> Iterator[str]:
        """What a user may not have meant."""
        if self.flat:
            count = "1 picture has" if len(self.flat) == 1 else f"{len(self.flat)} pictures have"
            yield f"{self.column.name}: {count} one colour only: {listed(self.flat, 5)}"
        classes = self.classes
        if classes is None:
            return
        outside = sorted(number for number in self.ids if not 0 <= number < classes)
        if outside:
            share = sum(self.ids[n] for n in outside) / max(1, sum(self.ids.values()))
            told = listed(_runs(outside), MOST_IDS)
            yield f"{self.column.name}: ids beyond 0 to {classes - 1}: {told} ({_percent(share)} of all)"
        unseen = [number for number in range(classes) if number not in self.ids]
        if unseen:
            told = listed(_runs(unseen), MOST_IDS)
            yield f"{self.column.name}: {'class' if len(unseen) == 1 else 'classes'} that no row has: {told}"

    @property
    def classes(self) -> int | None:
        """How many classes the graph declares for this field."""
        return int(self.column.args[0]) if self.column.kind in ("label", "label_map") else None

    def _ids(self) -> str:
        if self.column.kind == "label":
            counts = [f"{number} ({self.rows_with[number]})" for number in sorted(self.ids)]
            return f"rows of class {listed(counts, MOST_IDS)}"
        if self.classes is None:  # numbers of things: which they are says little, how many a row has does
            return f"{len(self.ids)} ids from {min(self.ids)} to {max(self.ids)}"
        return f"ids {listed(_runs(sorted(self.ids)), MOST_IDS)}"


@dataclass(frozen=True)
class StreamSurvey:
    """One stream. `title` says where its rows come from; `uneven` are rows whose pictures differ in proportions."""

    title: str
    fields: Mapping[str, FieldSurvey]
    uneven: Sequence[str]

    def lines(self) -> list[str]:
        """Where it is, a line for every field, and what is worth a look."""
        seen = {name: one for name, one in self.fields.items() if one.rows}
        width = max(map(len, seen), default=0)
        lines = [self.title, *(f"  {name:<{width}}  {one.text()}" for name, one in seen.items())]
        if self.uneven:
            count = "1 row has" if len(self.uneven) == 1 else f"{len(self.uneven)} rows have"
            lines.append(f"  note: {count} pictures of unlike proportions: {listed(self.uneven, 5)}")
        return [*lines, *(f"  note: {text}" for one in seen.values() for text in one.remarks())]


def survey(parts: Mapping[str, Dataset], progress: Progress = lambda done, total: None) -> list[StreamSurvey]:
    """Read every row of every stream, and tell `progress` how many of how many are done.

    `parts`: data sets by what comes before the names of their streams (`""`, `"test "`). Raises one ComposeError that
    names every row or file that cannot be read.
    """
    streams = [(part, data, stream) for part, data in parts.items() for stream in data.streams]
    total = sum(len(data.sources[stream.name]) for _, data, stream in streams)
    found: list[StreamSurvey] = []
    problems: list[Problem] = []
    done = 0
    for part, data, stream in streams:
        source = data.sources[stream.name]
        uneven: list[str] = []
        fields = {one.name: FieldSurvey(one) for one in stream.fields}
        for index, row in _rows(source):
            done += 1
            progress(done, total)
            if isinstance(row, ComposeError):
                problems += row.problems
            elif not _take_in(row, fields, source, index):
                uneven.append(row_name(source, index))
        problems += [problem for one in fields.values() for problem in _wrong_labels(one)]
        found.append(StreamSurvey(f"{part}{stream.name}: {source.describe()}", fields, uneven))
    if problems:
        raise _all_unreadable(problems, total)
    return found


def _wrong_labels(one: FieldSurvey) -> Iterator[Problem]:
    outside = sorted(n for n in one.ids if one.column.kind == "label" and not 0 <= n < (one.classes or 0))
    if outside:
        count = sum(one.rows_with[number] for number in outside)
        fact = f"{count} rows have {one.column.name} = {listed(_runs(outside))}, and it is label({one.classes})"
        yield Problem(fact, one.column.place, f"labels go from 0 to {(one.classes or 0) - 1}")


def _take_in(row: Mapping[str, Array], fields: Mapping[str, FieldSurvey], source: Source, index: int) -> bool:
    """Add a row to what is known of its fields; gives whether its pictures have the same proportions."""
    shapes = set()
    for name, values in row.items():
        if name in fields:
            file = file_of(source, name, index)
            called = shown(os.path.basename(file)) if file else row_name(source, index)
            fields[name].add(values, _file_kind(file) if file else "", called)
            if values.ndim >= 2:
                shapes.add(values.shape[:2])
    return len({round(100 * height / width) for height, width in shapes}) < 2


def file_of(source: Source, name: str, index: int) -> str | None:
    """The file that holds a field of a row, where it has one."""
    column = source.columns.get(name) if isinstance(source, FileSource) else None
    return column.paths[index] if column is not None else None


def row_name(source: Source, index: int) -> str:
    return source.files(index) if isinstance(source, FileSource) else f"row {index}"


def _rows(source: Source) -> Iterator[tuple[int, Mapping[str, Array] | ComposeError]]:
    """All rows in order, or what was wrong with them; files are decoded by as many threads as there are processors."""

    def read(index: int) -> Mapping[str, Array] | ComposeError:
        try:
            return source.row(index)
        except ComposeError as error:
            return error

    if not isinstance(source, FileSource):  # a source of the user need not bear threads
        for index in range(len(source)):
            yield index, read(index)
        return
    at_once = min(8, os.cpu_count() or 1)
    with ThreadPoolExecutor(max_workers=at_once) as pool:
        for first in range(0, len(source), 4 * at_once):  # a few at a time, so that few are held in memory
            numbers = range(first, min(first + 4 * at_once, len(source)))
            yield from zip(numbers, pool.map(read, numbers), strict=True)


def _all_unreadable(problems: Sequence[Problem], total: int) -> ComposeError:
    unique = list(dict.fromkeys(problems))
    if len(unique) == 1:
        return ComposeError.together(unique)
    names = "".join(f"\n  {one.fact.removeprefix('cannot read ')}" for one in unique)
    remedies = list(dict.fromkeys(one.remedy for one in unique if one.remedy))
    remedy = "replace or delete them" if remedies == ["replace or delete it"] else "; ".join(remedies)
    # The remedy comes first: behind a long list nobody would see it.
    return ComposeError(f"{len(unique)} of {total} rows cannot be read{'; ' if remedy else ''}{remedy}:{names}")


def _file_kind(file: str) -> str:
    """`RGB 8 bit` from the head of a file; "" for a kind of file that has no such head."""
    try:
        info = probe(file)
    except Unreadable:
        return ""
    return f"{info.mode} {info.depth} bit"


def _is_number(one: Field, values: Array) -> bool:
    """Whether these are numbers of classes and things, and not amounts of something."""
    return one.kind in ("label", "label_map", "ids") or (one.kind != "image" and values.dtype.kind in "iu")


def _things(one: Field, count: int) -> str:
    words = {"image": ("picture", "pictures"), "label_map": ("map", "maps"), "ids": ("map", "maps")}
    single, several = words.get(one.kind, ("row", "rows"))
    return single if count == 1 else several


def _span(sizes: Iterator[int]) -> str:
    found = sorted(set(sizes))
    return str(found[0]) if len(found) == 1 else f"{found[0]} to {found[-1]}"


def _number(value: float) -> str:
    return f"{value:.0f}" if value == round(value) else f"{value:.3g}"


def _runs(numbers: Sequence[int]) -> list[str]:
    """`0-18`, `255` for 0, 1, ..., 18, 255."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return [str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs]


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %"
