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

from composer.data.decode import SUFFIXES, listed, shown
from composer.errors import ComposeError, Place

TABLES = (".csv", ".tsv", ".txt")
ARRAYS = (".npy",)


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
