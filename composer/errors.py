"""The one family of errors: place, fact, remedy.

Every failure that a user can cause is a `ComposeError`. It holds one or more `Problem`s, because all
problems of a file are reported together, and it knows the exit status of the command line.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

_SOURCES: dict[str, list[str]] = {}


def remember_source(file: str, text: str) -> None:
    """Keep the text of a file that was read, so that messages can show the line at fault."""
    _SOURCES[file] = text.splitlines()


def source_line(file: str, line: int) -> str | None:
    """Line `line` (counted from 1) of a remembered file, or None."""
    lines = _SOURCES.get(file, [])
    return lines[line - 1] if 0 < line <= len(lines) else None


@dataclass(frozen=True)
class Place:
    """Where something stands: file, line and column counted from 1, and how many characters it takes."""

    file: str
    line: int = 1
    column: int = 1
    length: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"

    def within(self, offset: int, length: int) -> Place:
        """The place `offset` characters further on the same line."""
        return Place(self.file, self.line, self.column + offset, max(1, length))


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: `fact` is what was found, `remedy` what to do about it."""

    fact: str
    place: Place | None = None
    remedy: str = ""

    def __str__(self) -> str:
        text = f"{self.place}: {self.fact}" if self.place else self.fact
        if self.remedy:
            text += f"; {self.remedy}"
        shown = source_line(self.place.file, self.place.line) if self.place else None
        if self.place is None or shown is None:
            return text
        # A long line is cut around the caret, so that a message stays readable in a terminal.
        start = max(0, self.place.column - 1 - 60)
        cut = shown[start : start + 120].replace("\t", " ")
        caret = " " * (self.place.column - 1 - start) + "^" * min(self.place.length, 60)
        return f"{text}\n    {cut}\n    {caret}"


@dataclass
class ComposeError(Exception):
    """A failure that a user can cause. `exit_status` is what the command line ends with."""

    fact: str
    place: Place | None = None
    remedy: str = ""
    problems: Sequence[Problem] = field(default=())
    exit_status: int = 2

    def __post_init__(self) -> None:
        if not self.problems:
            self.problems = (Problem(self.fact, self.place, self.remedy),)
        super().__init__(str(self))

    @classmethod
    def together(cls, problems: Iterable[Problem]) -> ComposeError:
        """One error for all of `problems`, in the order of their places, each said once."""
        unique = list(dict.fromkeys(problems))
        unique.sort(key=lambda p: (p.place.file, p.place.line, p.place.column) if p.place else ("", 0, 0))
        first = unique[0] if unique else Problem("something is wrong that was not said")
        return cls(first.fact, first.place, first.remedy, tuple(unique))

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


class Diverged(ComposeError):
    """Training left the finite numbers."""

    def __init__(self, fact: str, remedy: str = "") -> None:
        super().__init__(fact, remedy=remedy, exit_status=3)


def closest(name: str, names: Iterable[str]) -> str:
    """The one of `names` that is most like `name`, "" when none is."""
    close = difflib.get_close_matches(name, [str(n) for n in names], n=1, cutoff=0.6)
    return close[0] if close else ""


def nearest(name: str, names: Iterable[str]) -> str:
    """A remedy that names the closest of `names`: "did you mean 'width'?", or the choice when it is short."""
    choice = [str(n) for n in names]
    close = closest(name, choice)
    if close:
        return f"did you mean '{close}'?"
    if 0 < len(choice) <= 12:
        return "known here: " + ", ".join(sorted(choice))
    return ""
