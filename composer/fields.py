"""What a graph asks of the data: streams of rows, and the fields of a row.

`image(3, 64, 64, load=72)` under the stream `pair` becomes `Stream("pair", (Field("a", "image", (3, 64, 64),
{"load": 72}), ...))`. Fields of one stream come from one row; streams are independent of each other.
`KINDS` is the table of what a field can be. A new kind is a new entry here and in `composer.data.prepare`; what is
wrong with a field is said by `composer.field_checks`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from composer.errors import ComposeError, Place, nearest


@dataclass(frozen=True)
class Field:
    """One column of a stream. `args` are the numbers of its kind: channels, height, width of an image.

    `written` has the numbers as the graph writes them (`classes + 1`), so that a message can say what to set.
    """

    name: str
    kind: str
    args: tuple[Any, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    place: Place | None = field(default=None, repr=False, compare=False)
    written: tuple[str, ...] = field(default=(), repr=False, compare=False)

    def to_set(self, first: int) -> str:
        """` (--set params.classes=35)` where the first number is a param of the graph, for messages; else nothing."""
        name = self.written[0] if self.written else ""
        return f" (--set params.{name}={first})" if name.isidentifier() else ""


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


def _is_number(value: Any, low: float, high: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def _is_load(value: Any) -> bool:
    sizes = value if isinstance(value, list | tuple) else [value]
    return len(sizes) in (1, 2) and all(_is_number(size, 1, 65536) for size in sizes)


def _one_of(meaning: str, *names: str) -> Option:
    return Option(meaning, "one of " + ", ".join(names), lambda value: isinstance(value, str) and value in names)


def _are_ids(value: Any) -> bool:
    ids = value if isinstance(value, list | tuple) else [value]
    return all(isinstance(one, int) and not isinstance(one, bool) for one in ids)


def _are_names(value: Any) -> bool:
    names = value if isinstance(value, list | tuple) else [value]
    return bool(names) and all(isinstance(one, str) and one for one in names)


BACKGROUNDS: Mapping[str, tuple[int, int, int]] = {
    "white": (255, 255, 255),
    "grey": (128, 128, 128),
    "black": (0, 0, 0),
}


def _is_background(value: Any) -> bool:
    if isinstance(value, str):
        return value in BACKGROUNDS
    return isinstance(value, list | tuple) and len(value) == 3 and all(_is_number(part, 0, 255) for part in value)


def _are_levels(value: Any) -> bool:
    is_pair = isinstance(value, list | tuple) and len(value) == 2 and all(_is_number(v, -1e30, 1e30) for v in value)
    return is_pair and value[0] != value[1]


FILTERS = ("nearest", "box", "bilinear", "hamming", "bicubic", "lanczos")
_PAIRING = _one_of("how the rows of this stream meet those of the others", "shuffled", "uniform")

# How a picture or map is brought to its size; the same for all of a row.
_GEOMETRY: Mapping[str, Option] = {
    "load": Option(
        "size before the crop: of the shorter side, or [height, width]",
        "a number of pixels or [height, width]",
        _is_load,
    ),
    "resize": _one_of("how a picture is brought to its load size", "stretch", "shortest", "none"),
    "crop": _one_of("where the crop is taken in training", "random", "center"),
    "flip": Option("chance of a mirrored row in training", "a number from 0 to 1", lambda v: _is_number(v, 0, 1)),
    "pairing": _PAIRING,
}
_COLUMNS = Option(
    "columns of the table that it is read from, in this order", "a name or a list of names of columns", _are_names
)

KINDS: Mapping[str, Kind] = {
    "image": Kind(
        ("channels", "height", "width"),
        {
            **_GEOMETRY,
            "filter": _one_of("how pixels are interpolated", *FILTERS),
            "range": _one_of("numbers of black and white: -1 and 1, or 0 and 1", "signed", "unit"),
            "background": Option(
                "colour behind transparent pictures",
                "one of " + ", ".join(BACKGROUNDS) + ", or [red, green, blue] from 0 to 255",
                _is_background,
            ),
            "levels": Option(
                "numbers of black and white in files deeper than 8 bits",
                "two different numbers, [black, white]",
                _are_levels,
            ),
            "demo_styles": Option(
                "how many styles of the built-in demo data it shows, row by row in turn; other data are as they are",
                "a whole number from 1",
                lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= 1,
            ),
            "another": Option(
                "the picture of another row with the same label: the name of that label",
                "the name of a label of the same stream",
                lambda value: isinstance(value, str),
            ),
        },
        "a picture, float32 [b channels height width]",
    ),
    "label": Kind(
        ("classes",), {"columns": _COLUMNS, "pairing": _PAIRING}, "the number of a domain, int64 [b], from 0"
    ),
    "label_map": Kind(
        ("classes", "height", "width"),
        {
            **_GEOMETRY,
            "ignore": Option(
                "ids in the files that mean no class; they become the number `classes`, one past the last class",
                "an id or a list of ids",
                _are_ids,
            ),
        },
        "the class of each pixel, int64 [b height width], from 0",
    ),
    "ids": Kind(
        ("height", "width"), _GEOMETRY, "the number of the thing each pixel belongs to, int64 [b height width], any"
    ),
    "attributes": Kind(
        ("count",), {"columns": _COLUMNS, "pairing": _PAIRING}, "which of them a row has, float32 [b count] of 0 and 1"
    ),
    "code": Kind(("count",), {"columns": _COLUMNS, "pairing": _PAIRING}, "numbers of a row, float32 [b count]"),
}
SPATIAL = ("image", "label_map", "ids")  # what lies in a file of its own for each row
FROM_TABLES = ("label", "attributes", "code")  # what a table has a line of for each row

# These belong to the row: said on one field of a stream they hold for all of them.
SHARED_OPTIONS = ("resize", "crop", "flip", "pairing")


def fields_of(streams: Iterable[Stream], *kinds: str) -> list[Field]:
    """The fields of these kinds that the data must bring, in order: those that show another row are not among them."""
    fields = (column for stream in streams for column in stream.fields)
    return [column for column in fields if column.kind in kinds and "another" not in column.options]


def others_of(stream: Stream) -> list[Field]:
    """The fields that show another row of the stream."""
    return [column for column in stream.fields if "another" in column.options]


def label_of(column: Field, stream: Stream) -> Field | None:
    """The label that `another` names: by its whole name, or without the index that both names end with."""
    wanted = column.options.get("another")
    ending = column.name[column.name.index("[") :] if "[" in column.name else ""
    labels = {one.name: one for one in stream.fields if one.kind == "label"}
    return labels.get(str(wanted)) or labels.get(f"{wanted}{ending}")


def shared_option(stream: Stream, name: str, default: str | float) -> Any:
    """The value of an option that all fields of a row have in common."""
    said = [column.options[name] for column in stream.fields if name in column.options]
    return said[0] if said else default


def shown_by(column: Field, stream: Stream) -> Field | None:
    """The picture that a field with `another` shows another of: the first one of the row with as many channels."""
    return next((one for one in fields_of([stream], "image") if one.args[:1] == column.args[:1]), None)


def load_size(column: Field) -> tuple[int, int] | None:
    """Height and width that `load` asks for. One number is the shorter side; the other keeps the crop's proportions."""
    load = column.options.get("load")
    if load is None:
        return None
    height, width = column.args[-2:]
    if isinstance(load, list | tuple) and len(load) == 2:
        return _rounded(load[0]), _rounded(load[1])
    side = load[0] if isinstance(load, list | tuple) else load
    return _rounded(height * side / min(height, width)), _rounded(width * side / min(height, width))


def _rounded(size: float) -> int:
    return math.floor(size + 0.5)


def short_name(name: str) -> str:
    """What stands in the brackets of an indexed name (`x[a]` gives `a`), else the name itself."""
    indexed = re.fullmatch(r"[^\[\]]+\[(.+)\]", name)
    return indexed.group(1) if indexed else name


def find_field(name: str, streams: Iterable[Stream], kinds: Sequence[str] = tuple(KINDS)) -> Field:
    """The field that a user means by `a` or `x[a]`. Raises ComposeError with the names there are."""
    fields = fields_of(streams, *kinds)
    found = [column for column in fields if column.name == name]
    found = found or [column for column in fields if short_name(column.name) == name]
    if len(found) == 1:
        return found[0]
    if found:
        both = " or ".join(f"'{column.name}'" for column in found)
        raise ComposeError(f"'{name}' could be {both}", remedy="write the whole name")
    names = [column.name for column in fields]
    remedy = nearest(name, dict.fromkeys([*names, *map(short_name, names)]))
    raise ComposeError(f"this graph has no input '{name}'", remedy=remedy)
