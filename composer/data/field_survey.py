"""What one field of the data holds over all rows: sizes, depths, values, ids."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from composer.data.decode import listed
from composer.data.source import Array
from composer.errors import Problem
from composer.fields import Field

MOST_IDS = 40  # of a label map, that a line names


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
    first: dict[int, str] = field(default_factory=dict)  # id -> the name of the first file or row that has it
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
                self.first.setdefault(number, name)
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
        ignored = sorted(self.ignored & set(self.ids))
        if ignored:
            yield f"{self.column.name}: of no class: {listed(runs(ignored), MOST_IDS)} ({self._share(ignored)} of all)"
        unseen = [number for number in range(classes) if number not in self.ids]
        if unseen:
            told = listed(runs(unseen), MOST_IDS)
            yield f"{self.column.name}: {'class' if len(unseen) == 1 else 'classes'} that no row has: {told}"

    def problems(self) -> Iterator[Problem]:
        """What training would refuse: numbers that are no class."""
        classes = self.classes
        wrong = sorted(n for n in set(self.ids) - self.ignored if classes is not None and not 0 <= n < classes)
        if not wrong:
            return
        declared = f"{self.column.kind}({classes}{', ...' if self.sizes else ''})"
        seen = f"{listed(runs(wrong), MOST_IDS)} ({self._share(wrong)} of all, first in {self.first[wrong[0]]})"
        fact, place = f"{self.column.name} is {declared}, and has {seen}", self.column.place
        say = "; or say which mean no class, with ignore=" if self.column.kind == "label_map" else ""
        yield Problem(fact, place, f"classes go from 0 to {(classes or 1) - 1}: set their number{say}")

    @property
    def ignored(self) -> set[int]:
        """The numbers that the graph takes for no class."""
        option = self.column.options.get("ignore", ())
        return set(option if isinstance(option, list | tuple) else [option])

    @property
    def classes(self) -> int | None:
        """How many classes the graph declares for this field."""
        return int(self.column.args[0]) if self.column.kind in ("label", "label_map") else None

    def _share(self, numbers: Sequence[int]) -> str:
        """How much of all pixels, or rows of a label, have one of these numbers."""
        return f"{100 * sum(self.ids[n] for n in numbers) / max(1, sum(self.ids.values())):.2g} %"

    def _ids(self) -> str:
        if self.column.kind == "label":
            counts = [f"{number} ({self.rows_with[number]})" for number in sorted(self.ids)]
            return f"rows of class {listed(counts, MOST_IDS)}"
        if self.classes is None:  # numbers of things: which they are says little, how many a row has does
            return f"{len(self.ids)} ids from {min(self.ids)} to {max(self.ids)}"
        return f"ids {listed(runs(sorted(self.ids)), MOST_IDS)}"


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


def runs(numbers: Sequence[int]) -> list[str]:
    """`0-18`, `255` for 0, 1, ..., 18, 255."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return [str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs]
