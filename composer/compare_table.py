"""A table of numbers as text, CSV or LaTeX."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

from composer.errors import ComposeError

SIGNIFICANT = 4  # digits of a number without a deviation
OF_DEVIATION = 2  # digits of the smallest deviation of a column
MOST_DECIMALS = 8


@dataclass(frozen=True)
class Row:
    """A group of runs: what it is called, how many there are, how long they trained."""

    label: str
    runs: int
    iterations: str
    folders: tuple[str, ...]


@dataclass(frozen=True)
class Cell:
    """A number with its deviation over runs, where there are several; `notes` are numbers of footnotes from 1."""

    mean: float | None
    deviation: float | None = None
    notes: tuple[int, ...] = ()


@dataclass(frozen=True)
class Column:
    """`better`: 1 when more is better, -1 when less is, 0 when nothing is to be marked. `whole`: numbers are counts."""

    title: str
    better: int
    cells: tuple[Cell, ...]
    whole: bool = False

    @property
    def decimals(self) -> int:
        """Digits after the point: two of the smallest deviation, else four of the largest number."""
        deviations = [cell.deviation for cell in self.cells if cell.deviation]
        numbers = [abs(cell.mean) for cell in self.cells if cell.mean]
        if self.whole and not deviations:
            return 0
        size = min(deviations) if deviations else max(numbers, default=1.0)
        digits = OF_DEVIATION if deviations else SIGNIFICANT
        return max(0, digits - 1 - math.floor(math.log10(size)))

    @property
    def best(self) -> str | None:
        """How the best mean is shown; None when nothing is to be marked."""
        numbers = [cell.mean for cell in self.cells if cell.mean is not None]
        if not self.better or len({self.shown(number) for number in numbers}) < 2:
            return None
        return self.shown(max(numbers) if self.better > 0 else min(numbers))

    def shown(self, number: float) -> str:
        if self.decimals > MOST_DECIMALS:
            return f"{number:.{SIGNIFICANT - 1}e}"
        return f"{number:.{self.decimals}f}"

    def is_best(self, cell: Cell) -> bool:
        """Whether a cell shows the best mean; numbers that look the same are equally good."""
        return cell.mean is not None and self.shown(cell.mean) == self.best


@dataclass(frozen=True)
class Table:
    """Rows and columns of equal length; `notes` are footnotes, `hints` concern the reader of the text only."""

    rows: tuple[Row, ...]
    columns: tuple[Column, ...]
    notes: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()


def written(table: Table, style: str) -> str:
    """The table in a style: text, csv or latex; it ends with a line break."""
    styles = {"text": _text, "csv": _csv, "latex": _latex}
    if style not in styles:
        raise ComposeError(f"unknown format '{style}'", remedy=f"it is one of {', '.join(styles)}")
    return styles[style](table)


def _text(table: Table) -> str:
    head = ["", "runs", "iterations", *(column.title for column in table.columns)]
    body = []
    for number, row in enumerate(table.rows):
        cells = [row.label, str(row.runs), row.iterations]
        for column in table.columns:
            cell = column.cells[number]
            mark = "*" if column.is_best(cell) else " "
            cells.append(f"{_plain(column, cell, ' +- ')}{mark}" + "".join(f"({note})" for note in cell.notes))
        body.append(cells)
    lines = _in_columns([head, *body])
    if any(column.best for column in table.columns):
        lines.append("* best of its column")
    lines += [f"({number}) {note}" for number, note in enumerate(table.notes, 1)]
    return "\n".join([*lines, *table.hints]) + "\n"


def _in_columns(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _plain(column: Column, cell: Cell, plus_minus: str) -> str:
    if cell.mean is None:
        return "-"
    mean = column.shown(cell.mean)
    return mean if cell.deviation is None else f"{mean}{plus_minus}{column.shown(cell.deviation)}"


def _csv(table: Table) -> str:
    """Every digit, a column for each deviation, and the footnotes of a row in its last column."""
    written_to = io.StringIO()
    writer = csv.writer(written_to, lineterminator="\n")
    titles = [name for column in table.columns for name in (column.title, f"{column.title} deviation")]
    writer.writerow(["name", "runs", "folders", "iterations", *titles, "footnotes"])
    for number, row in enumerate(table.rows):
        cells = [column.cells[number] for column in table.columns]
        values = [value for cell in cells for value in (cell.mean, cell.deviation)]
        notes = [
            f"{column.title}: {table.notes[note - 1]}"
            for column, cell in zip(table.columns, cells, strict=True)
            for note in cell.notes
        ]
        shown = ["" if value is None else repr(value) for value in values]
        writer.writerow([row.label, row.runs, " ".join(row.folders), row.iterations, *shown, "; ".join(notes)])
    return written_to.getvalue()


def _latex(table: Table) -> str:
    arrows = {1: r" $\uparrow$", -1: r" $\downarrow$", 0: ""}
    titles = [_escaped(column.title) + arrows[column.better] for column in table.columns]
    lines = [
        "% needs \\usepackage{booktabs}",
        "\\begin{tabular}{lr" + "r" * (1 + len(table.columns)) + "}",
        "\\toprule",
        " & ".join(["method", "runs", "iterations", *titles]) + r" \\",
        "\\midrule",
    ]
    for number, row in enumerate(table.rows):
        cells = [_escaped(row.label), str(row.runs), row.iterations]
        for column in table.columns:
            cell = column.cells[number]
            text = "--" if cell.mean is None else _plain(column, cell, r" \pm ")
            if cell.mean is not None:
                text = f"$\\mathbf{{{text}}}$" if column.is_best(cell) else f"${text}$"
            marks = ",".join(map(str, cell.notes))
            cells.append(text + (f"\\textsuperscript{{{marks}}}" if marks else ""))
        lines.append(" & ".join(cells) + r" \\")
    lines += ["\\bottomrule", "\\end{tabular}"]
    if table.notes:
        notes = (f"\\textsuperscript{{{number}}} {_escaped(note)}" for number, note in enumerate(table.notes, 1))
        lines += ["", "\\smallskip", "{\\footnotesize", *(f"{note}.\\\\" for note in notes), "}"]
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    special = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    special |= {character: "\\" + character for character in "&%$#_{}"}
    return "".join(special.get(character, character) for character in text)
