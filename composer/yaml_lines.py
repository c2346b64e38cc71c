"""Which line is to blame when the lines of a file do not fit together: YAML often finds out on the next one."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

_INDENT_IT = "indent it like its neighbours"
_UNLIKE = "this line is indented unlike those around it"


class Blame(NamedTuple):
    """A line (from 0), the column of its text (from 0), its length, what is wrong with it and what to do."""

    line: int
    column: int
    length: int
    fact: str
    remedy: str


def blame(lines: Sequence[str], at: int) -> Blame | None:
    """The line to blame when YAML gives up at line `at` (from 0) because of how lines are indented, or None.

    Looked at are indentation and colons, as a reader does; a guess that tells nothing better is not made.
    """
    codes = [_code(line) for line in lines[: at + 40]]
    if at >= len(codes) or not codes[at].strip():
        return None
    first = _neighbour(codes, -1, 1)
    if first is not None and _indent(codes[first]):
        return _say(codes, first, "the first line is indented", "start it at the left edge")
    before = _neighbour(codes, at, -1)
    if before is None:
        return None
    above = codes[before].strip()
    if not _has_colon(above) and not above.startswith("- "):
        remedy = "a line reads `name: value`, or `name:` above others"
        return _say(codes, before, f"'{_short(above)}' has no ':'", remedy)
    mine, theirs = _indent(codes[at]), _indent(codes[before])
    if mine > theirs:
        return _deeper(codes, before, at)
    return _shallower(codes, at)


def _deeper(codes: Sequence[str], before: int, at: int) -> Blame | None:
    """Line `at` stands deeper than the one above, which has no room for it."""
    above = codes[before].strip()
    if not _has_colon(above):
        return None  # an item of a list
    shifted = _shifted(codes, before + 1)
    if shifted is not None:
        return _say(codes, shifted, _UNLIKE, _INDENT_IT)
    after = _neighbour(codes, at, 1)
    if after is None or _indent(codes[after]) < _indent(codes[at]):
        return _say(codes, at, "this line is indented deeper than the one above, which has a value", _INDENT_IT)
    name = _short(above.removeprefix("- ").partition(":")[0])
    fact = f"'{name}' has a value, and lines below it"
    return _say(codes, before, fact, "leave one of them out, or check the indentation")


def _shallower(codes: Sequence[str], at: int) -> Blame | None:
    """Line `at` stands less deep than the one above and like none before: one of them is shifted."""
    shifted = _shifted(codes, at) if _indent(codes[at]) else None
    return None if shifted is None else _say(codes, shifted, _UNLIKE, _INDENT_IT)


def _shifted(codes: Sequence[str], end: int) -> int | None:
    """The first line of the section before line `end` that stands neither like the one above nor a step deeper."""
    step, head = _step(codes), end - 1
    while head > 0 and not (codes[head].strip() and not _indent(codes[head])):
        head -= 1
    levels = [0]
    for line in range(head + 1, end):
        if not codes[line].strip():
            continue
        indent = _indent(codes[line])
        while len(levels) > 1 and levels[-1] >= indent:
            levels.pop()
        in_place = (levels[-1] + step, levels[-1]) if codes[line].lstrip().startswith("- ") else (levels[-1] + step,)
        if indent not in in_place:
            return line
        levels.append(indent)
    return None


def _say(codes: Sequence[str], line: int, fact: str, remedy: str) -> Blame:
    return Blame(line, _indent(codes[line]), len(codes[line].strip()), fact, remedy)


def _code(line: str) -> str:
    return re.sub(r"(^|\s)#.*$", "", line).rstrip()


def _indent(code: str) -> int:
    return len(code) - len(code.lstrip())


def _neighbour(codes: Sequence[str], at: int, step: int) -> int | None:
    """The next line with something on it, up (-1) or down (1)."""
    line = at + step
    while 0 <= line < len(codes):
        if codes[line].strip():
            return line
        line += step
    return None


def _has_colon(text: str) -> bool:
    return re.search(r":(\s|$)", re.sub(r"\"[^\"]*\"|'[^']*'", "", text)) is not None


def _step(codes: Sequence[str]) -> int:
    """By how much this file indents."""
    indents = [_indent(code) for code in codes if code.strip()]
    steps = Counter(b - a for a, b in itertools.pairwise(indents) if b > a)
    return steps.most_common(1)[0][0] if steps else 2


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "..."
