"""The values of a field from a table or an array: which columns they are, and what is written in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from composer.data.decode import listed, shown
from composer.data.tables import Table
from composer.errors import ComposeError, nearest
from composer.fields import Field, short_name

Values = npt.NDArray[np.int64] | npt.NDArray[np.float32]
_YES = {"1", "1.0", "+1", "true", "yes"}
_NO = {"0", "0.0", "-1", "-1.0", "false", "no"}


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

    `words` are what its numbers stand for; `note` says which columns, or which words, became what.
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
    words = tuple(table.columns[k] for k in chosen)
    said = f"{column.name} is {', '.join(words)}"
    return Found(np.array(values, np.float32).reshape(len(names), len(chosen)), said, words)


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
