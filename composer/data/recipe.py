"""How a row of a stream is prepared: the options of its fields, settled once, as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from composer.fields import SPATIAL, Field, Stream, fields_of, label_of, load_size, others_of, shared_option, shown_by


@dataclass(frozen=True)
class Picture:
    """How one image field is prepared. Sizes in pixels; `load` is the size before the crop."""

    name: str
    channels: int
    height: int
    width: int
    load: tuple[int, int]
    filter: str
    unit: bool


@dataclass(frozen=True)
class Map:
    """How one field of whole numbers a pixel is prepared: `ignore` become `classes`; 0 classes: any numbers."""

    name: str
    height: int
    width: int
    load: tuple[int, int]
    classes: int = 0
    ignore: tuple[int, ...] = ()


@dataclass(frozen=True)
class Another:
    """A picture that comes from another row, one with the same `label`; `of` is the picture of that row it is."""

    picture: Picture
    label: str
    of: str


@dataclass(frozen=True)
class Recipe:
    """How a row of one stream is prepared; plain data, so that it can be sent to another process."""

    stream: str
    pictures: tuple[Picture, ...]
    labels: tuple[tuple[str, int], ...]  # name and number of classes
    resize: str
    random_crop: bool
    flip: float
    maps: tuple[Map, ...] = ()
    vectors: tuple[tuple[str, int], ...] = ()  # name and how many numbers
    others: tuple[Another, ...] = ()

    @property
    def sheets(self) -> tuple[Picture | Map, ...]:
        """What is resized, cropped and mirrored together."""
        return *self.pictures, *self.maps


def make_recipe(stream: Stream) -> Recipe:
    """Settle the options of a stream that `check_streams` found right. `load` of one field serves the others too."""
    sheets = [column for column in stream.fields if column.kind in SPATIAL]
    loads = [(column, size) for column in sheets if (size := load_size(column)) is not None]
    maps = []
    for column in fields_of([stream], "label_map", "ids"):
        ignore = column.options.get("ignore", ())
        classes = column.args[0] if column.kind == "label_map" else 0
        ignored = tuple(ignore) if isinstance(ignore, list | tuple) else (ignore,)
        maps.append(Map(column.name, column.args[-2], column.args[-1], _load(column, loads), classes, ignored))
    others = []
    for column in others_of(stream):
        label, of = label_of(column, stream), shown_by(column, stream)
        if label and of:
            others.append(Another(_picture(column, loads), label.name, of.name))
    return Recipe(
        stream.name,
        tuple(_picture(column, loads) for column in fields_of([stream], "image")),
        tuple((column.name, column.args[0]) for column in fields_of([stream], "label")),
        shared_option(stream, "resize", "stretch"),
        shared_option(stream, "crop", "random") == "random",
        float(shared_option(stream, "flip", 0.5)),
        tuple(maps),
        tuple((column.name, column.args[0]) for column in fields_of([stream], "attributes", "code")),
        tuple(others),
    )


def _picture(column: Field, loads: Sequence[tuple[Field, tuple[int, int]]]) -> Picture:
    channels, height, width = column.args
    return Picture(
        column.name,
        channels,
        height,
        width,
        _load(column, loads),
        column.options.get("filter", "bicubic"),
        column.options.get("range", "signed") == "unit",
    )


def _load(column: Field, loads: Sequence[tuple[Field, tuple[int, int]]]) -> tuple[int, int]:
    """The size before the crop: the field's own, in proportion to that of another field of the row, or the crop's."""
    height, width = column.args[-2:]
    size = load_size(column)
    if size is None and loads:
        other, (load_height, load_width) = loads[0]
        size = (round(height * load_height / other.args[-2]), round(width * load_width / other.args[-1]))
    return size or (height, width)
