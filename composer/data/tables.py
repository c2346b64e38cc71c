"""Tables that give each picture a label, attributes or numbers: CSV, or as CelebA's, the file name first.

image,Black_Hair,Smiling          202599
000001.jpg,1,0                    Black_Hair Smiling
                                  000001.jpg -1  1
"""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt

from composer.data.decode import SUFFIXES, listed, shown
from composer.errors import ComposeError, Place, nearest
from composer.fields import Field, short_name

TABLES = (".csv", ".tsv", ".txt")
ARRAYS = (".npy",)
Values = npt.NDArray[np.int64] | npt.NDArray[np.float32]
_YES = {"1", "1.0", "+1", "true", "yes"}
_NO = {"0", "0.0", "-1", "-1.0", "false", "no"}


@dataclass(frozen=True)
class Table:
    """A table as text. `rows`: the cells after the file name, by that name as written; `lines`: where it stands."""

    path: Path
    columns: tuple[str, ...]
    rows: Mapping[str, tuple[str, ...]]
    lines: Mapping[str, int]

    def find(self, path: Path) -> str | None:
        """The name under which a picture stands in the table: with its folders, its file name, or its stem."""
        parts = unicodedata.normalize("NFC", path.as_posix()).split("/")
        for count in range(min(4, len(parts)), 0, -1):
            name = "/".join(parts[-count:])
            if name in self.rows:
                return name
        stem = PurePosixPath(parts[-1]).stem
        if stem in self.rows:
            return stem
        # A data set may have been converted to another format after its table was written.
        return self._stems.get(stem)

    @cached_property
    def _stems(self) -> dict[str, str]:
        return {PurePosixPath(name).stem: name for name in reversed(list(self.rows))}

    def place(self, name: str) -> Place:
        return Place(shown(self.path), self.lines[name])


def read_table(path: Path) -> Table:
    """Read a table. Raises ComposeError with the line at fault."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ComposeError(f"cannot read the table '{shown(path)}': {error.strerror}") from None
    except UnicodeDecodeError:
        raise ComposeError(f"'{shown(path)}' is no text in UTF-8", remedy="save it as UTF-8") from None
    raw = text.splitlines()
    numbered = [(number, line) for number, line in enumerate(raw, start=1) if line.strip()]
    if not numbered:
        raise ComposeError(f"the table '{shown(path)}' is empty", remedy="it has a header, then a line a picture")
    if numbered[0][1].strip().isdigit() and len(numbered) > 1:  # CelebA: first how many
        numbered = numbered[1:]
    separator = max(",;\t", key=numbered[0][1].count)
    if separator in numbered[0][1]:
        read = csv.reader((line for _, line in numbered), delimiter=separator)
        cells = [(numbered[read.line_num - 1][0], [cell.strip() for cell in row]) for row in read]
    else:
        cells = [(n, line.split()) for n, line in numbered]
    return _table(path, cells)


def _table(path: Path, cells: Sequence[tuple[int, list[str]]]) -> Table:
    width = max(len(row) for _, row in cells[:50])
    header = cells[0][1]
    if Path(header[0]).suffix.lower() in SUFFIXES:  # no header at all
        columns, body = [str(number) for number in range(1, width)], cells
    else:
        # The header may leave out the column of the file names.
        columns, body = (header if len(header) == width - 1 else header[1:]), cells[1:]
    repeated = sorted({name for name in columns if columns.count(name) > 1})
    if repeated:
        raise ComposeError(f"two columns are named {listed(repeated)}", Place(shown(path), cells[0][0]), "rename one")
    if not columns or not body:
        raise ComposeError(
            f"the table '{shown(path)}' has no {'lines after its header' if columns else 'columns beside the first'}",
            remedy="its first column is the file name, the others are what to learn",
        )
    rows: dict[str, tuple[str, ...]] = {}
    lines: dict[str, int] = {}
    for number, row in body:
        if len(row) != len(columns) + 1:
            raise ComposeError(
                f"{len(row)} cells, and the header names {len(columns) + 1}",
                Place(shown(path), number),
                "give each line a cell for each column",
            )
        name = row[0] if row[0].isascii() else unicodedata.normalize("NFC", row[0])
        name = name.replace("\\", "/").removeprefix("./")
        if name in rows:
            raise ComposeError(f"'{name}' stands twice", Place(shown(path), number), f"see line {lines[name]} too")
        rows[name], lines[name] = tuple(row[1:]), number
    return Table(path, tuple(columns), rows, lines)


def choose_columns(table: Table, column: Field, asked: Sequence[str]) -> list[int]:
    """Which columns of the table a field reads. Raises ComposeError with the columns there are."""
    count = 1 if column.kind == "label" else column.args[0]
    option = column.options.get("columns", ())
    wanted = list(asked) or ([option] if isinstance(option, str) else list(option)) or _named_like(table, column, count)
    folded = {name.casefold(): number for number, name in reversed(list(enumerate(table.columns)))}
    for name in wanted:
        if name not in table.columns and name.casefold() not in folded:
            raise ComposeError(f"'{shown(table.path)}' has no column '{name}'", remedy=_columns(table, name))
    if len(wanted) != count:
        raise _wrong_count(table, column, wanted, count)
    return [
        table.columns.index(name) if name in table.columns else folded[name.casefold()] for name in map(str, wanted)
    ]


def _named_like(table: Table, column: Field, count: int) -> list[str]:
    """Columns that are meant though nobody named them: all there are, or those of the field's name."""
    if len(table.columns) == count:
        return list(table.columns)
    names = dict.fromkeys([column.name, short_name(column.name)])
    words = [*names, *(("label", "class", "domain", "category") if column.kind == "label" else ())]
    if count == 1:
        return next(([one] for word in words for one in table.columns if one.casefold() == word.casefold()), [])
    for word in words:
        own = [one for one in table.columns if one.casefold().rstrip("0123456789[]_-.") == word.casefold()]
        if len(own) == count:
            return own
    return []


def _wrong_count(table: Table, column: Field, wanted: Sequence[str], count: int) -> ComposeError:
    name = short_name(column.name)
    if not wanted:
        fact = f"'{shown(table.path)}' has {len(table.columns)} columns, and {column.name} reads {count}"
        example = ",".join(table.columns[:count]) if count <= len(table.columns) else "COLUMN,..."
        remedy = f"choose them: --data ... {name}={example}; it has {listed(table.columns, 40)}"
        if count > len(table.columns):
            wanted = table.columns
            remedy = f"set its number to {len(wanted)}{column.to_set(len(wanted))}"
        return ComposeError(fact, column.place, remedy)
    fact = f"{column.name} is {column.kind}({count}), and {len(wanted)} columns are chosen: {listed(wanted, 40)}"
    if column.kind == "label":
        return ComposeError(fact, column.place, "a label is one column; attributes(n) are several")
    return ComposeError(fact, column.place, f"set its number to {len(wanted)}{column.to_set(len(wanted))}")


def _columns(table: Table, name: str) -> str:
    close = nearest(name, table.columns)
    return close or f"it has {listed(table.columns, 40)}"


@dataclass(frozen=True)
class Found:
    """What a table has for a field. label: int64 [rows]; attributes (0 and 1), code: float32 [rows, count].

    `words` are what the numbers of a label stand for; `note` says which columns, or which words, became what.
    """

    values: Values
    note: str = ""
    words: tuple[str, ...] = ()


def table_values(
    table: Table, column: Field, asked: Sequence[str], names: Sequence[str], known: Sequence[str] = ()
) -> Found:
    """The values of a field for the pictures that stand under `names` in the table.

    `known`: the words of a label whose numbers are settled already.
    """
    chosen = choose_columns(table, column, asked)
    if column.kind == "label":
        return _labels(table, column, chosen[0], names, known)
    read = _flag if column.kind == "attributes" else _number
    values = [[read(table, name, table.columns[k], table.rows[name][k]) for k in chosen] for name in names]
    words = ", ".join(table.columns[k] for k in chosen)
    return Found(np.array(values, np.float32).reshape(len(names), len(chosen)), f"{column.name} is {words}")


def _flag(table: Table, name: str, column: str, cell: str) -> float:
    folded = cell.casefold()
    if folded in _YES or folded in _NO:
        return float(folded in _YES)
    raise ComposeError(f"{column} of '{name}' is '{cell}'", table.place(name), "attributes are 1 and -1, or 1 and 0")


def _number(table: Table, name: str, column: str, cell: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = float("nan")
    if not np.isfinite(value):
        raise ComposeError(f"{column} of '{name}' is '{cell}'", table.place(name), "a code is finite numbers")
    return value


def _labels(table: Table, column: Field, chosen: int, names: Sequence[str], known: Sequence[str]) -> Found:
    """Numbers as they are; words get numbers in their order."""
    classes, title = column.args[0], table.columns[chosen]
    cells = {name: table.rows[name][chosen] for name in names}
    if not known and all(cell.removeprefix("-").isdecimal() and cell.isascii() for cell in cells.values()):
        for name, cell in cells.items():
            if not 0 <= int(cell) < classes:
                top = max(map(int, cells.values()))
                remedy = f"labels go from 0 to {classes - 1}"
                if top >= classes and min(map(int, cells.values())) >= 0:
                    remedy += f", or set the number of classes to {top + 1}{column.to_set(top + 1)}"
                fact = f"{title} of '{name}' is {cell}, and {column.name} is label({classes})"
                raise ComposeError(fact, table.place(name), remedy)
        return Found(np.array([int(cells[name]) for name in names], np.int64))
    words = list(known) or sorted({row[chosen] for row in table.rows.values()})
    if "" in words:
        name = next(name for name, row in table.rows.items() if not row[chosen])
        raise ComposeError(f"{title} of '{name}' is empty", table.place(name), "give each picture a label")
    if len(words) != classes:
        raise ComposeError(
            f"'{column.name}' is label({classes}), and {title} of '{shown(table.path)}' has {len(words)} words: "
            f"{listed(words, 12)}",
            column.place,
            f"set the number of domains of the graph to {len(words)}{column.to_set(len(words))}",
        )
    numbers = {word: number for number, word in enumerate(words)}
    for name, cell in cells.items():
        if cell not in numbers:
            fact = f"{title} of '{name}' is '{cell}', which training does not know"
            raise ComposeError(fact, table.place(name), nearest(cell, words))
    note = f"{column.name} is {title}: {', '.join(f'{word} {number}' for word, number in numbers.items())}"
    return Found(np.array([numbers[cells[name]] for name in names], np.int64), note, tuple(words))


def array_values(path: Path, column: Field, count: int) -> Values:
    """The values of a field from a `.npy` file: row i belongs to the i-th picture of `count`."""
    try:
        values = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ComposeError(f"cannot read '{shown(path)}': {error}", remedy="write it with numpy.save") from None
    width = () if column.kind == "label" else (column.args[0],)
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "biuf":
        raise ComposeError(f"'{shown(path)}' holds no array of numbers", remedy="write it with numpy.save")
    if values.ndim == 1 and width == (1,):
        values = values[:, None]
    if values.shape != (count, *width):
        raise ComposeError(
            f"'{shown(path)}' is {list(values.shape)}, and {column.name} of {count} pictures is {[count, *width]}",
            column.place,
            "row i belongs to the i-th picture, in the order of the file names",
        )
    if not np.isfinite(values).all():
        raise ComposeError(f"'{shown(path)}' has numbers that are not finite")
    if column.kind == "attributes":
        return np.asarray(values > 0, np.float32)
    if column.kind == "code":
        return np.asarray(values, np.float32)
    if (values != np.rint(values)).any() or values.min() < 0 or values.max() >= column.args[0]:
        raise ComposeError(
            f"'{shown(path)}' has labels from {values.min()} to {values.max()}, and {column.name} is "
            f"label({column.args[0]})",
            column.place,
            f"labels are whole numbers from 0 to {column.args[0] - 1}",
        )
    return np.asarray(values, np.int64)
