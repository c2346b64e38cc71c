"""`NAME=VALUE` after `--data`: a folder, pattern, list, table or Python data set for an input of the graph."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from composer.data.decode import shown
from composer.data.layout_words import check_folder
from composer.data.layouts import Chosen, Layout, domain_root, own_folder, short_names
from composer.data.origins import LISTS, TEST, TRAIN, form_of, is_pattern
from composer.data.python_data import python_name
from composer.data.spec import Item
from composer.data.tables import ARRAYS, TABLES
from composer.errors import ComposeError, Problem
from composer.fields import FROM_TABLES, KINDS, SPATIAL, Field, Stream, fields_of, find_field


@dataclass(frozen=True)
class Named:
    """Where the inputs are. `python`: names of streams with the Python data set that gives their rows.

    `partition`: a table of which rows are for training and which for tests. `notes` are for the user.
    """

    layout: Layout
    test: Layout | None = None
    python: tuple[tuple[str, str], ...] = ()
    partition: Path | None = None
    notes: tuple[str, ...] = ()


def read_named(items: Sequence[Item], streams: Sequence[Stream]) -> Named:
    """Folders and tables by the names of the inputs; every problem of the names is said at once."""
    problems: list[Problem] = []
    given: dict[str, Field] = {}
    folders: dict[str, Path] = {}
    tests: dict[str, Path] = {}
    tables: dict[str, Chosen] = {}
    python: dict[str, str] = {}
    pairs: list[tuple[Item, Field]] = []
    for item in items:
        try:
            pairs += _with_fields([item], streams)
        except ComposeError as error:
            problems.extend(error.problems)
    tabled = {c.name for item, c in pairs if c.kind in FROM_TABLES and not _is_folder(item.value)}
    for item, column in pairs:
        try:
            if column.name in given:
                raise ComposeError(f"the folder of '{item.name}' is given twice", remedy="name each picture input once")
            given[column.name] = column
            if not item.value:
                raise ComposeError(f"'{item}' names no folder", remedy=f"write {item}DIR")
            stream = next(one for one in streams if column in one.fields)
            if python_name(item.value):
                python[stream.name] = item.value
            elif column.kind in FROM_TABLES and not _is_folder(item.value):
                tables[column.name] = _chosen(item, column)
            else:
                target = _pictures_of(column, stream)
                by_domain = bool([c for c in fields_of([stream], "label") if c.name not in tabled])
                _add_files(target, Path(os.path.expanduser(item.value)), folders, tests, by_domain=by_domain)
        except ComposeError as error:
            problems.extend(error.problems)
    left = [stream for stream in streams if stream.name not in python]
    missing = [column for column in fields_of(left, *SPATIAL) if column.name not in {**folders, **given}]
    lacking = [column for column in fields_of(left, "attributes", "code") if column.name not in given]
    if not problems:
        problems += _missing(missing, lacking)
    if problems:
        raise ComposeError.together(problems)
    whole = bool(folders) and len(tests) == len(folders)
    return Named(Layout(folders, tables=tables), Layout(tests, tables=tables) if whole else None, tuple(python.items()))


def read_columns(items: Sequence[Item], streams: Sequence[Stream]) -> dict[str, list[str]]:
    """Columns of the table in a folder, by field: what `NAME=COLUMN,...` beside one DIR means."""
    asked: dict[str, list[str]] = {}
    for item, column in _with_fields(items, streams):
        if column.kind not in FROM_TABLES:
            raise ComposeError(
                f"'{item}' stands beside one folder, and {column.name} is a picture",
                remedy="beside DIR stand columns of its table; or name a folder for each input",
            )
        asked[column.name] = _names(item.value)
    return asked


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _fields(name: str, streams: Sequence[Stream]) -> list[Field]:
    """The field of that name, or all labels, attributes or codes where the name is one of these kinds."""
    try:
        return [find_field(name, streams)]
    except ComposeError:
        found = fields_of(streams, name) if name in KINDS else []
        if found and (name in FROM_TABLES or len(found) == 1):
            return found
        raise


def _with_fields(items: Sequence[Item], streams: Sequence[Stream]) -> list[tuple[Item, Field]]:
    """Each item with each field that it names."""
    return [(item, column) for item in items for column in _fields(item.name, streams)]


def _is_folder(value: str) -> bool:
    try:
        return os.path.isdir(os.path.expanduser(value))
    except ValueError:  # a path with a zero byte
        return False


def _chosen(item: Item, column: Field) -> Chosen:
    """`TABLE` or `TABLE:COLUMN,COLUMN`."""
    for text, columns in ((item.value, ""), item.value.rsplit(":", 1) if ":" in item.value else ("", "")):
        path = Path(os.path.expanduser(text))
        if text and os.path.isfile(path):
            if path.suffix.lower() not in (*TABLES, *ARRAYS):
                raise ComposeError(
                    f"'{shown(path)}' is no table", remedy=f"tables are files named {' '.join([*TABLES, *ARRAYS])}"
                )
            return Chosen(path, tuple(_names(columns)))
    raise ComposeError(
        f"there is no table '{shown(item.value)}' for {column.name}",
        remedy=f"write {item.name}=TABLE.csv, or {item.name}=TABLE.csv:COLUMN,... to choose columns",
    )


def _pictures_of(column: Field, stream: Stream) -> Field:
    """The field whose files a folder given for a label holds: the pictures of its stream, in a folder a domain."""
    if column.kind not in FROM_TABLES:
        return column
    sheets = fields_of([stream], *SPATIAL)
    if column.kind == "label" and len(sheets) == 1:
        return sheets[0]
    raise ComposeError(
        f"{column.name} is {column.kind}, and a folder cannot give that",
        column.place,
        f"write {column.name}=TABLE.csv",
    )


def _add_files(
    column: Field, origin: Path, folders: dict[str, Path], tests: dict[str, Path], *, by_domain: bool
) -> None:
    if column.name in folders and folders[column.name] != origin:
        raise ComposeError(f"the folder of '{column.name}' is given twice", remedy="name each picture input once")
    if is_pattern(str(origin)) or (form_of(origin) == "list" and os.path.isfile(origin)):
        folders[column.name] = origin
        return
    if origin.suffix.lower() in LISTS and not os.path.isdir(origin):
        raise ComposeError(f"there is no list '{shown(origin)}'", remedy="it has a path a line, relative to itself")
    check_folder(origin)
    find = domain_root if by_domain else own_folder
    # A folder without pictures is kept as it is: reading its rows says what it holds instead.
    folders[column.name] = find(origin, TRAIN) or origin
    test = find(origin, TEST)
    if test:
        tests[column.name] = test


def _missing(missing: Sequence[Field], lacking: Sequence[Field]) -> list[Problem]:
    problems = []
    if missing:
        names = short_names(missing)
        wanted = " ".join(f"{name}=DIR" for name in names)
        problems.append(Problem(f"no folder for {' and '.join(names)}", remedy=f"add {wanted}"))
    if lacking:
        names = short_names(lacking)
        wanted = " ".join(f"{name}=TABLE.csv" for name in names)
        problems.append(Problem(f"no table for {' and '.join(names)}", remedy=f"add {wanted}"))
    return problems
