"""What is said of a folder that does not fit a graph: what the graph reads, what is there, what is nearest to it."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from string import ascii_uppercase

from composer.data.decode import shown
from composer.data.files import list_folders, list_images
from composer.data.layouts import ROLES, Layout, by_role, lettered, recognise, short_names
from composer.data.origins import TRAIN, contents
from composer.errors import ComposeError
from composer.fields import FROM_TABLES, SPATIAL, Field, Stream, fields_of


def find_layout(folder: Path, streams: Sequence[Stream], asked: Mapping[str, Sequence[str]] | None = None) -> Layout:
    """The layout of the training part. Raises ComposeError: what was expected, what is there, the nearest fix."""
    check_folder(folder)
    layout = recognise(folder, streams, TRAIN, asked)
    if layout is not None:
        return layout
    raise ComposeError(
        f"'{shown(folder)}' does not hold data for this graph, which reads {describe_streams(streams)}: "
        f"it holds {contents(folder)}",
        remedy=f"expected {_expected(streams)}{_nearest_fix(folder, streams)}",
    )


def check_folder(folder: Path) -> None:
    """Raises ComposeError when there is no such folder, with the nearest name beside it."""
    if os.path.isdir(folder):
        return
    if os.path.exists(folder):
        raise ComposeError(f"'{shown(folder)}' is a file", remedy="name the folder with the pictures")
    existing = next((parent for parent in folder.parents if os.path.isdir(parent)), Path())
    below = folder.relative_to(existing).parts[0] if folder.is_relative_to(existing) else folder.name
    close = difflib.get_close_matches(below, [path.name for path in list_folders(existing)], n=1, cutoff=0.6)
    near = f"did you mean '{shown(existing / close[0])}'?" if close else "give the path of a folder with pictures"
    raise ComposeError(f"there is no folder '{shown(folder)}'", remedy=near)


def describe_streams(streams: Sequence[Stream]) -> str:
    """What a graph reads, in words: `pairs of a and b`, `unpaired pictures x[a], x[b]`."""
    sheets, valued = fields_of(streams, *SPATIAL), fields_of(streams, *FROM_TABLES)
    names = [column.name for column in sheets]
    if valued and all(column.kind == "label" for column in valued) and len(sheets) == len(streams):
        return " and ".join(f"{name} with the label of its domain" for name in names)
    more = f" with {_and(_told(column) for column in valued)}" if valued else ""
    if any(column.kind != "image" for column in sheets):
        return f"rows of {_and(_told(column) for column in sheets)}{more}"
    if len(names) == 1:
        return f"pictures {names[0]}{more}"
    if len(streams) == 1:
        return f"{'pairs' if len(names) == 2 else 'rows'} of {' and '.join(names)}{more}"
    return f"unpaired pictures {' and '.join(names)}{more}"


def _told(column: Field) -> str:
    words = {"image": "picture", "label_map": "label map", "ids": "instance map"}
    number = f"{column.args[0]} " if column.kind == "attributes" else ""
    return f"{column.name} ({number}{words.get(column.kind, column.kind)})"


def _and(words: Iterable[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def _expected(streams: Sequence[Stream]) -> str:
    sheets, valued = fields_of(streams, *SPATIAL), fields_of(streams, *FROM_TABLES)
    named = " ".join(f"{short}=DIR" for short in short_names(sheets))
    if valued:
        tables = " ".join(f"{short}=TABLE" for short in short_names(valued))
        by_folder = all(column.kind == "label" for column in valued)
        first = "a folder of pictures for each domain, in it or in train/, or " if by_folder else ""
        return f"{first}pictures and one table (.csv, or list_attr*.txt) in it, or {named} {tables}"
    if any(column.kind != "image" for column in sheets):
        folders = _and(f"train_{ROLES[column.kind][0]}/" for column in sheets)
        return f"{folders} with equal file names, or {named}"
    if len(sheets) == 1:
        return "pictures in it or in train/"
    folders = " and ".join(f"train{letter}/" for letter in ascii_uppercase[: len(sheets)])
    if len(streams) == 1:
        return f"{folders} with equal file names, or wide pictures side by side in train/, or {named}"
    return f"{folders}, or {named}"


def _nearest_fix(folder: Path, streams: Sequence[Stream]) -> str:
    """A folder nearby that fits, or the folders of this one named for the fields."""
    sheets, valued = fields_of(streams, *SPATIAL), fields_of(streams, *FROM_TABLES)
    find = by_role if any(column.kind != "image" for column in sheets) else lettered
    if folder.name and not valued and find(folder.parent, sheets, TRAIN, bare=False):
        return f"; did you mean '{shown(folder.parent)}'?"
    # Folders for training first, tests last.
    inner = sorted(list_folders(folder)[:50], key=lambda path: "train" not in path.name.casefold())
    fitting = [f"'{shown(path)}'" for path in inner if _surely_fits(path, streams)]
    if fitting:
        return f"; did you mean {' or '.join(fitting[:3])}?"
    with_pictures = [path for path in _two_levels(inner) if list_images(path)]
    if valued or any(c.kind != "image" for c in sheets) or len(with_pictures) < len(sheets):
        return ""
    pairs = zip(short_names(sheets), with_pictures, strict=False)
    return "; for example " + " ".join(f"{short}={shown(path)}" for short, path in pairs)


def _surely_fits(folder: Path, streams: Sequence[Stream]) -> bool:
    """Any folder of wide pictures could be pictures side by side, so those must lie in train/ to be suggested."""
    layout = recognise(folder, streams)
    return layout is not None and not (layout.joined and folder in layout.folders.values())


def _two_levels(folders: Sequence[Path]) -> Iterator[Path]:
    yield from folders
    for path in folders:
        yield from list_folders(path)[:50]
