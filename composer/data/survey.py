"""What the data of a run hold, from reading every row once; and every row that cannot be read.

Needs no torch. A row is read as training reads it (`Source.row`), so what passes here is not refused later.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from composer.data.dataset import Dataset
from composer.data.decode import Unreadable, listed, probe, shown
from composer.data.field_survey import FieldSurvey
from composer.data.files import FileSource
from composer.data.source import Array, Source
from composer.errors import ComposeError, Problem

Progress = Callable[[int, int], None]


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
        problems += [problem for one in fields.values() for problem in one.problems()]
        found.append(StreamSurvey(f"{part}{stream.name}: {source.describe()}", fields, uneven))
    if problems:
        raise _all_unreadable(problems, total)
    return found


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
