"""Running an edited graph through the whole chain, and judging what came out."""

from __future__ import annotations

import re
import resource
import time
from dataclasses import dataclass
from typing import Any

from edits import NAME, Edit

import composer
from composer.errors import ComposeError, Place, source_line

SECONDS, MEGABYTES = 2.0, 500.0
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")
_LEFT = re.compile(r"([\w., ]+):(?: |$)")


@dataclass(frozen=True)
class Outcome:
    """What became of an edit: valid, or the problems that were said; how long it took and how much memory."""

    edit: Edit
    problems: tuple[Any, ...]
    crash: str
    seconds: float
    megabytes: float
    well_placed: bool  # the first problem stands on the edited line, or on one that uses what that line named

    @property
    def fine(self) -> bool:
        return not self.crash and self.seconds <= SECONDS and self.megabytes <= MEGABYTES

    def __str__(self) -> str:
        said = "; ".join(str(p).splitlines()[0] for p in self.problems[:3]) or "valid"
        return (
            f"edit {self.edit.seed} ({self.edit.graph}, {self.edit.kind}, line {self.edit.line}: "
            f"{self.edit.before.strip()!r} -> {self.edit.after.strip()!r}, {self.edit.options}): "
            f"{self.crash or said} [{self.seconds:.2f} s, {self.megabytes:.0f} MB]"
        )


def run(edit: Edit, confirm: bool = False) -> Outcome:
    """Check the edited graph (and with `confirm` run its blocks without data); nothing is raised."""
    problems: tuple[Any, ...] = ()
    crash = ""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    try:
        shaped = composer.check(f"{edit.graph}.yaml", text=edit.text, **edit.options)
        if confirm:
            from composer.confirm import confirm as confirmed

            confirmed(shaped)
    except ComposeError as error:
        problems = tuple(error.problems)
        if not problems or not all(p.fact for p in problems) or not str(error):
            crash = "an error without words"
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        crash = f"{type(error).__name__}: {error}"
    seconds = time.process_time() - started
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    placed = any(_stands(edit, problem.place) for problem in problems[:1])  # now: the next edit has lines of its own
    return Outcome(edit, problems, crash, seconds, grown, placed)


def _stands(edit: Edit, place: Place | None) -> bool:
    if place is None:
        return False
    if place.file == f"{edit.graph}.yaml" and place.line == edit.line:
        return True
    shown = source_line(place.file, place.line) or ""
    return bool(named(edit) & set(NAME.findall(shown)))


def named(edit: Edit) -> set[str]:
    """What the edited line defines, before and after: the names on the left of its colons, indices aside."""
    found: set[str] = set()
    for line in (edit.before, edit.after):
        bare = re.sub(r"\[[^\]]*\]", "", _QUOTED.sub("", line.partition(" #")[0]))
        for left in _LEFT.findall(bare):
            found |= set(NAME.findall(left.rpartition(".")[2]))
    return found
