"""Rows that are files: what a folder holds, one stream read from it, and a look at all files before training."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias, TypeVar, cast

import numpy as np
import numpy.typing as npt

from composer.data.decode import SUFFIXES, decode, is_complete, probe
from composer.data.maps import read_ids
from composer.data.reading import AS_IT_IS, Reading, Unreadable, listed, quiet, shown
from composer.data.source import Array, Source
from composer.errors import ComposeError, Problem
from composer.fields import Stream

DECODE_BELOW = 32 * 2**20  # bytes of files that are decoded wholly before training; of more only the two ends are read
PROBE_AT_MOST = 100_000  # files whose ends are read before training; of more, as many evenly spread ones
_LEFTOVERS = ("__MACOSX", "System Volume Information", "$RECYCLE.BIN")  # folders that systems put beside pictures


def list_images(folder: Path, recursive: bool = False, skip: Collection[str] = ()) -> list[Path]:
    """The picture files in a folder, sorted by name; with `recursive` also those in its folders, sorted by path.

    Hidden files and folders are passed over, and what systems leave beside pictures. Links are followed; a folder that
    links lead to a second time is entered once. `skip`: names of folders right in this one that are not entered.
    """
    found = [folder / name for name in _names(folder, folders=False) if Path(name).suffix.lower() in SUFFIXES]
    if recursive:
        entered = {_identity(folder)}
        skipped = {name.casefold() for name in skip}
        for inner in list_folders(folder):
            if inner.name.casefold() not in skipped:
                found += _images_below(inner, entered)
    return found


def _images_below(folder: Path, entered: set[tuple[int, int]]) -> list[Path]:
    identity = _identity(folder)
    if identity in entered:
        return []
    entered.add(identity)
    found = list_images(folder)
    for inner in list_folders(folder):
        found += _images_below(inner, entered)
    return found


def _identity(folder: Path) -> tuple[int, int]:
    """The same for all paths that lead to a folder."""
    try:
        status = os.stat(folder)
    except OSError as error:
        raise _closed(folder, error) from None
    return status.st_dev, status.st_ino


def list_folders(folder: Path) -> list[Path]:
    """The folders in a folder, sorted by name, without hidden ones."""
    return [folder / name for name in _names(folder, folders=True) if name not in _LEFTOVERS]


def _names(folder: Path, *, folders: bool) -> list[str]:
    """The sorted names of the files or the folders in a folder, without hidden ones."""
    try:
        with os.scandir(folder) as entries:
            return sorted(e.name for e in entries if not e.name.startswith(".") and _is_dir(e) == folders)
    except OSError as error:
        raise _closed(folder, error) from None


def _closed(folder: Path, error: OSError) -> ComposeError:
    return ComposeError(
        f"cannot look into '{shown(folder)}': {error.strerror}", remedy="open it to you or move it away"
    )


def _is_dir(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False  # a link that cannot be followed; reading it says why


Kept = TypeVar("Kept", bound=Source)
Use: TypeAlias = tuple[int, Reading, int]  # channels, options and strips that a file is read with


@dataclass(frozen=True)
class Column:
    """Where one field's pictures or maps are: a file a row, or one of `parts` equal strips of it, from the left."""

    channels: int  # 0 for maps
    paths: tuple[str, ...]
    part: int = 0
    parts: int = 1
    reading: Reading = AS_IT_IS


@dataclass(frozen=True)
class FileSource:
    """The rows of one stream, read from files.

    `values`: float32 [rows, count] of attributes and codes. `names`: the words that the numbers of a label, or
    of these, stand for.
    """

    columns: Mapping[str, Column]
    labels: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    text: str = ""
    values: Mapping[str, npt.NDArray[np.float32]] = field(default_factory=dict, compare=False)
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())).paths)

    def row(self, index: int) -> dict[str, Array]:
        """Raises ComposeError when a file cannot be read."""
        opened: dict[tuple[str, int, Reading], Array] = {}
        row: dict[str, Array] = {}
        for name, column in self.columns.items():
            key = column.paths[index], column.channels, column.reading
            if key not in opened:
                try:
                    opened[key] = decode(*key)[0] if column.channels else read_ids(key[0])
                except Unreadable as error:
                    raise unreadable([(key[0], str(error))], 1) from None
            row[name] = _strip(opened[key], column, key[0]) if column.channels else opened[key]
        row.update({name: np.asarray(values[index], dtype=np.int64) for name, values in self.labels.items()})
        row.update({name: values[index] for name, values in self.values.items()})
        return row

    def labels_of(self, name: str) -> tuple[int, ...]:
        """The label of every row."""
        return self.labels[name]

    def keys(self) -> list[str]:
        """A name for each row: that of its file, with its folder where names repeat."""
        paths = [Path(path) for path in next(iter(self.columns.values())).paths]
        stems = [path.stem for path in paths]
        if len(set(stems)) == len(stems):
            return stems
        return [f"{path.parent.name}/{path.stem}" for path in paths]

    def part(self, rows: Sequence[int], text: str) -> FileSource:
        """The same with these rows only."""
        return FileSource(
            {n: replace(c, paths=tuple(c.paths[i] for i in rows)) for n, c in self.columns.items()},
            {n: tuple(labels[i] for i in rows) for n, labels in self.labels.items()},
            text,
            {n: values[list(rows)] for n, values in self.values.items()},
            self.names,
        )

    def files(self, index: int) -> str:
        """The files of a row, for messages."""
        return " and ".join(f"'{shown(path)}'" for path in dict.fromkeys(c.paths[index] for c in self.columns.values()))

    def describe(self) -> str:
        return self.text

    def identity(self) -> str:
        """A short digest of the names and sizes of the files and the labels: another digest means other rows."""
        columns = {
            name: ([(os.path.basename(path), _size(path)) for path in column.paths], column.part, column.parts)
            for name, column in self.columns.items()
        }
        text = repr((sorted(columns.items()), sorted(self.labels.items())))
        text += "".join(repr((n, hashlib.sha256(v.tobytes()).hexdigest())) for n, v in sorted(self.values.items()))
        return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()


def _strip(pixels: Array, column: Column, path: str) -> Array:
    width = pixels.shape[1] // column.parts
    if width == 0:
        raise unreadable([(path, _too_narrow(column.parts))], 1)
    return pixels[:, column.part * width : (column.part + 1) * width]


def _too_narrow(parts: int) -> str:
    return f"too narrow for {parts} pictures side by side"


def with_options(sources: Mapping[str, Kept], streams: Iterable[Stream]) -> dict[str, Kept]:
    """The sources with files read as the options of their fields say."""
    asked = {column.name: Reading.of(column.options) for stream in streams for column in stream.fields}
    made: dict[str, Kept] = {}
    for stream, source in sources.items():
        if isinstance(source, FileSource):
            columns = {
                name: replace(column, reading=asked.get(name, column.reading))
                for name, column in source.columns.items()
            }
            made[stream] = cast("Kept", replace(source, columns=columns))
        else:
            made[stream] = source
    return made


def examine(sources: Iterable[FileSource]) -> list[Problem]:
    """Read every picture once, wholly when they are few, and say in one Problem which ones cannot be read."""
    uses: dict[str, set[Use]] = {}
    for source in sources:
        for column in source.columns.values():
            if not column.channels:
                continue  # maps are read by `composer.data.maps`
            use = column.channels, column.reading, column.parts
            for path in column.paths:
                uses.setdefault(path, set()).add(use)
    paths = sorted(uses)
    whole = sum(map(_size, paths)) <= DECODE_BELOW
    if not whole and len(paths) > PROBE_AT_MOST:
        paths = paths[:: -(-len(paths) // PROBE_AT_MOST)]
    with quiet(), ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        reasons = pool.map(lambda path: why_unreadable(path, uses[path], whole=whole), paths)
        broken = [(path, reason) for path, reason in zip(paths, reasons, strict=True) if reason]
    return list(unreadable(broken, len(paths)).problems) if broken else []


def why_unreadable(path: str, uses: Iterable[Use], *, whole: bool) -> str:
    """Why a file cannot be used, or an empty text. Without `whole` only its two ends are read."""
    try:
        for channels, reading, parts in uses:
            # A file whose end is missing may still be one that its reader takes.
            probed = not whole and is_complete(path)
            info = probe(path, channels, reading) if probed else decode(path, channels, reading)[1]
            if info.width < parts:
                return _too_narrow(parts)
    except Unreadable as error:
        return str(error)
    return ""


def unreadable(broken: Sequence[tuple[str, str]], total: int) -> ComposeError:
    """One message for files with their reasons, of how many in all."""
    names = listed((f"'{path}' ({reason})" for path, reason in broken), 10)
    fact = f"{len(broken)} of {total} picture files cannot be read: {names}" if total > 1 else f"cannot read {names}"
    return ComposeError(fact, remedy="replace or delete " + ("them" if len(broken) > 1 else "it"))


def _size(path: str) -> int:
    try:
        return os.path.getsize(path)
    except OSError:
        return 0  # a broken link: reading it says so
