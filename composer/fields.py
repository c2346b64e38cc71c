"""What a graph asks of the data: streams of rows, and the fields of a row.

`image(3, 64, 64, load=72)` under the stream `pair` becomes `Stream("pair", (Field("a", "image", (3, 64, 64),
{"load": 72}), ...))`. Fields of one stream come from one row; streams are independent of each other.
`KINDS` is the table of what a field can be. A new kind is a new entry here and in `composer.data.prepare`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from composer.errors import ComposeError, Place, Problem, nearest


@dataclass(frozen=True)
class Field:
    """One column of a stream. `args` are the numbers of its kind: channels, height, width of an image."""

    name: str
    kind: str
    args: tuple[Any, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    place: Place | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class Stream:
    """Rows that are drawn together: `pair` with the fields a and b, or `domain[a]` with the one field `x[a]`."""

    name: str
    fields: tuple[Field, ...]


@dataclass(frozen=True)
class Option:
    """An option of a field: what it means and which values it takes."""

    meaning: str
    allowed: str
    accepts: Callable[[Any], bool]


@dataclass(frozen=True)
class Kind:
    """A kind of field. `args` names its numbers, all of them whole and at least 1."""

    args: tuple[str, ...]
    options: Mapping[str, Option]
    meaning: str


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_number(value: Any, low: float, high: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def _is_load(value: Any) -> bool:
    sizes = value if isinstance(value, list | tuple) else [value]
    return len(sizes) in (1, 2) and all(_is_number(size, 1, 65536) for size in sizes)


def _one_of(meaning: str, *names: str) -> Option:
    return Option(meaning, "one of " + ", ".join(names), lambda value: isinstance(value, str) and value in names)


FILTERS = ("nearest", "box", "bilinear", "hamming", "bicubic", "lanczos")
_PAIRING = _one_of("how the rows of this stream meet those of the others", "shuffled", "uniform")

KINDS: Mapping[str, Kind] = {
    "image": Kind(
        ("channels", "height", "width"),
        {
            "load": Option(
                "size before the crop: of the shorter side, or [height, width]",
                "a number of pixels or [height, width]",
                _is_load,
            ),
            "resize": _one_of("how a picture is brought to its load size", "stretch", "shortest", "none"),
            "crop": _one_of("where the crop is taken in training", "random", "center"),
            "flip": Option(
                "chance of a mirrored row in training", "a number from 0 to 1", lambda v: _is_number(v, 0, 1)
            ),
            "filter": _one_of("how pixels are interpolated", *FILTERS),
            "range": _one_of("numbers of black and white: -1 and 1, or 0 and 1", "signed", "unit"),
            "pairing": _PAIRING,
            "another": Option(
                "a picture of another row that has the same value in this field",
                "the name of a label of the same stream",
                lambda value: isinstance(value, str),
            ),
        },
        "a picture, float32 [b channels height width]",
    ),
    "label": Kind(("classes",), {"pairing": _PAIRING}, "the number of a domain, int64 [b], from 0"),
}

# These belong to the row: said on one field of a stream they hold for all of them.
SHARED_OPTIONS = ("resize", "crop", "flip", "pairing")


def fields_of(streams: Iterable[Stream], kind: str) -> list[Field]:
    """The fields of that kind in all streams, in order."""
    return [column for stream in streams for column in stream.fields if column.kind == kind]


def shared_option(stream: Stream, name: str, default: str | float) -> Any:
    """The value of an option that all fields of a row have in common."""
    said = [column.options[name] for column in stream.fields if name in column.options]
    return said[0] if said else default


def load_size(column: Field) -> tuple[int, int] | None:
    """Height and width that `load` asks for. One number is the shorter side; the other keeps the crop's proportions."""
    load = column.options.get("load")
    if load is None:
        return None
    height, width = column.args[1:]
    if isinstance(load, list | tuple) and len(load) == 2:
        return _rounded(load[0]), _rounded(load[1])
    side = load[0] if isinstance(load, list | tuple) else load
    return _rounded(height * side / min(height, width)), _rounded(width * side / min(height, width))


def _rounded(size: float) -> int:
    return math.floor(size + 0.5)


def field_problems(column: Field) -> list[Problem]:
    """What is wrong with one field: kind, numbers, options and their values."""
    kind = KINDS.get(column.kind)
    if kind is None:
        fact = f"input '{column.name}' is of the kind '{column.kind}', which cannot be read from files"
        return [Problem(fact, column.place, nearest(column.kind, KINDS))]
    found = []
    if len(column.args) != len(kind.args) or not all(map(_is_count, column.args)):
        given = ", ".join(map(str, column.args))
        wanted = f"{column.kind}({', '.join(kind.args)})"
        found.append(
            Problem(
                f"input '{column.name}' is {column.kind}({given})",
                column.place,
                f"write {wanted} with whole numbers from 1",
            )
        )
    elif column.kind == "image" and column.args[0] > 4:
        fact = f"input '{column.name}' has {column.args[0]} channels"
        found.append(Problem(fact, column.place, "image files have 1 to 4"))
    for name, value in column.options.items():
        option = kind.options.get(name)
        if option is None:
            fact = f"unknown option '{name}' of input '{column.name}'"
            found.append(Problem(fact, column.place, nearest(name, kind.options)))
        elif not option.accepts(value):
            fact = f"option {name} of input '{column.name}' is {value!r}"
            found.append(Problem(fact, column.place, f"it is {option.allowed}"))
    size = None if found else load_size(column)
    if size is not None and (size[0] < column.args[1] or size[1] < column.args[2]):
        fact = f"input '{column.name}' is loaded at {size[0]} x {size[1]}, too small for its crop"
        found.append(Problem(fact, column.place, f"load must be at least {column.args[1]} x {column.args[2]}"))
    return found


def stream_problems(stream: Stream) -> list[Problem]:
    """What is wrong with a stream: its fields, and options on which the fields of a row disagree."""
    found = [problem for column in stream.fields for problem in field_problems(column)]
    for name in SHARED_OPTIONS:
        said = [(column, column.options[name]) for column in stream.fields if name in column.options]
        for column, value in said[1:]:
            if value != said[0][1]:
                fact = f"'{said[0][0].name}' has {name}={said[0][1]!r} and '{column.name}' {name}={value!r}"
                remedy = f"the fields of '{stream.name}' are one row: say it once"
                found.append(Problem(fact, column.place, remedy))
    return found or _scale_problems(stream)


def _scale_problems(stream: Stream) -> list[Problem]:
    """Pictures of one row are cropped at the same place, so `load` must enlarge them by the same factor."""
    loads = [(column, size) for column in fields_of([stream], "image") if (size := load_size(column))]
    found = []
    for column, size in loads[1:]:
        first, wanted = loads[0]
        for axis in (0, 1):
            if abs(size[axis] - wanted[axis] * column.args[axis + 1] / first.args[axis + 1]) > 1:
                sizes = f"{wanted[0]} x {wanted[1]} and '{column.name}' at {size[0]} x {size[1]}"
                remedy = f"the fields of '{stream.name}' are cropped together: say load once"
                found.append(Problem(f"'{first.name}' is loaded at {sizes}", column.place, remedy))
                break
    return found


def check_streams(streams: Iterable[Stream]) -> None:
    """Raise one ComposeError with every problem of the streams, or return."""
    problems = [problem for stream in streams for problem in stream_problems(stream)]
    if problems:
        raise ComposeError.together(problems)


def short_name(name: str) -> str:
    """What stands in the brackets of an indexed name (`x[a]` gives `a`), else the name itself."""
    indexed = re.fullmatch(r"[^\[\]]+\[(.+)\]", name)
    return indexed.group(1) if indexed else name


def find_image(name: str, streams: Iterable[Stream]) -> Field:
    """The image field that a user means by `a` or `x[a]`. Raises ComposeError with the names there are."""
    images = fields_of(streams, "image")
    found = [column for column in images if column.name == name]
    found = found or [column for column in images if short_name(column.name) == name]
    if len(found) == 1:
        return found[0]
    if found:
        both = " or ".join(f"'{column.name}'" for column in found)
        raise ComposeError(f"'{name}' could be {both}", remedy="write the whole name")
    names = [column.name for column in images]
    remedy = nearest(name, dict.fromkeys([*names, *map(short_name, names)]))
    raise ComposeError(f"this graph has no picture input '{name}'", remedy=remedy)
