"""The built-in demo data: landscapes made up on the spot, for graphs that are run without `--data`.

The first domain of a graph gets the first style, day; the second gets night, then winter and dusk. The option
`demo_styles=2` of a picture gives its domain that many, row by row in turn. A label or attributes choose the style of
their row; label maps and instance maps show what is truly there. Streams that a graph
keeps apart show different scenes, so nothing in them is paired; the fields of one stream show the same scene. In the
test part all streams show the same scenes, row by row, so the truth of every translation is known.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from composer.data.dataset import Dataset, bind
from composer.data.demo_domains import demo_styles, styles_asked
from composer.data.demo_maps import ATTRIBUTES, attributes, class_map, instance_map
from composer.data.demo_paint import STYLES, Bytes, paint
from composer.data.demo_scenes import Scene, make_scene
from composer.data.source import Array
from composer.errors import ComposeError
from composer.fields import SPATIAL, Field, Stream, fields_of, short_name
from composer.files import explain

TRAIN_ROWS = 512
TEST_ROWS = 64
TEST = "test"


@dataclass(frozen=True)
class Column:
    """A picture of a row, in its styles in turn. Without styles of its own it takes that of the row's label."""

    name: str
    channels: int
    size: int
    styles: tuple[str, ...]

    def style(self, index: int) -> str | None:
        """The style of row `index`, or none."""
        return self.styles[index % len(self.styles)] if self.styles else None


@dataclass(frozen=True)
class Truth:
    """What else of a scene a field asks for: its kind, and how many classes or numbers (0: any)."""

    name: str
    kind: str
    count: int
    size: int


@dataclass(frozen=True)
class DemoSource:
    """The rows of one stream (see `composer.data.source.Source`). Row i shows scene i of `split`."""

    columns: tuple[Column, ...]
    labels: tuple[tuple[str, int], ...]  # name and number of classes; row i has class i modulo that number
    split: str
    rows: int
    seed: int
    truths: tuple[Truth, ...] = ()
    label_styles: int = 0  # the first so many styles, in turn, for pictures whose row has a label

    def __len__(self) -> int:
        return self.rows

    def row(self, index: int) -> Mapping[str, Array]:
        """Pictures uint8 `[size, size, channels]`, labels int64 `[]`, maps int64 `[size, size]`, float32 `[count]`."""
        scene = make_scene(self.seed, self.split, index)
        result: dict[str, Array] = {name: np.array(index % classes, np.int64) for name, classes in self.labels}
        styles = self._own_styles()
        own = styles[index % len(styles)]
        for truth in self.truths:
            result[truth.name] = _truth(truth, scene, own)
        for column in self.columns:
            result[column.name] = with_channels(paint(scene, column.size, column.style(index) or own), column.channels)
        return result

    def describe(self) -> str:
        """`512 made-up landscapes (day, night)`."""
        styles = [style for column in self.columns for style in column.styles]
        own = self._own_styles() if not all(column.styles for column in self.columns) else []
        return f"{self.rows} made-up landscapes ({', '.join(dict.fromkeys([*styles, *own]))})"

    @property
    def names(self) -> dict[str, tuple[str, ...]]:
        """What the numbers of labels, attributes and codes stand for."""
        styles = self._own_styles()
        found = {
            name: tuple(" or ".join(styles[number::classes]) for number in range(classes))
            for name, classes in self.labels
        }
        vectors = [truth for truth in self.truths if truth.kind in ("attributes", "code")]
        return found | {truth.name: ATTRIBUTES[: truth.count] for truth in vectors}

    def styles_of(self, name: str) -> tuple[str, ...]:
        """The styles of a picture by name; none of a map, nor where a label chooses one of as many as it has."""
        own = next((column.styles for column in self.columns if column.name == name), ())
        return own or tuple(self._own_styles()[: self.label_styles])

    def labels_of(self, name: str) -> npt.NDArray[np.int64]:
        """The label of every row."""
        return np.arange(self.rows) % dict(self.labels)[name]

    def _own_styles(self) -> list[str]:
        """The styles that rows with a label, or with attributes, take in turn."""
        if self.labels:
            return list(STYLES)[: max(self.label_styles, self.labels[0][1])]
        counts = [truth.count for truth in self.truths if truth.kind in ("attributes", "code")]
        return list(STYLES)[: counts[0] + 1 if counts else 1]


def demo_dataset(streams: Sequence[Stream], *, seed: int = 0) -> Dataset:
    """Demo data for the streams of a graph, with its test part in `held_out`.

    Pictures are painted at the size that the graph trains at: `load`, `crop` and `flip` of the fields are set aside.
    Raises ComposeError where a graph asks for more than there is.
    """
    styles = demo_styles(streams)
    kept = [_as_painted(stream) for stream in streams]
    train = {stream.name: _source(stream, styles, f"train {stream.name}", TRAIN_ROWS, seed) for stream in kept}
    test = {stream.name: _source(stream, styles, TEST, TEST_ROWS, seed) for stream in kept}
    return bind(kept, train, seed=seed, held_out=test)


def with_channels(pixels: Bytes, channels: int) -> Bytes:
    """RGB pixels `[h, w, 3]` as 1 (luminance), 2 (and opacity), 3 or 4 (RGB and opacity) channels."""
    if channels == 3:
        return pixels
    picture = Image.fromarray(pixels).convert({1: "L", 2: "LA", 4: "RGBA"}[channels])
    return np.asarray(picture, np.uint8).reshape(*pixels.shape[:2], channels)


def write_demo(folder: str | os.PathLike[str], *, size: int = 64, seed: int = 0) -> dict[str, int]:
    """Write the demo data as PNG files and return how many each folder holds.

    `trainA` and `trainB` are the unpaired training pictures of a graph with the streams `domain[a]` and `domain[b]`;
    pictures of the same name in `testA` and `testB` show the same scene. Raises ComposeError.
    """
    streams = [Stream(f"domain[{d}]", (Field(f"x[{d}]", "image", (3, size, size)),)) for d in "ab"]
    train = demo_dataset(streams, seed=seed)
    test = train.held_out or train
    counts = {}
    try:
        root = Path(folder)
        root.mkdir(parents=True, exist_ok=True)
        if any(root.iterdir()):
            raise ComposeError(f"'{root}' is not empty", remedy="name a new folder")
        for part, data in (("train", train), ("test", test)):
            for stream in streams:
                source = data.sources[stream.name]
                place = root / (part + short_name(stream.name).upper())
                place.mkdir()
                for index in range(len(source)):
                    pixels = source.row(index)[stream.fields[0].name]
                    Image.fromarray(pixels).save(place / f"{index:03d}.png")
                counts[place.name] = len(source)
    except OSError as error:
        raise explain(error) from None
    return counts


def _as_painted(stream: Stream) -> Stream:
    """The stream without what changes pictures on their way: they are painted as they are wanted."""
    fields = []
    for column in stream.fields:
        options = {name: value for name, value in column.options.items() if name not in ("load", "resize", "crop")}
        fields.append(replace(column, options={**options, "flip": 0.0} if column.kind in SPATIAL else options))
    return replace(stream, fields=tuple(fields))


def _source(stream: Stream, styles: Mapping[str, tuple[str, ...]], split: str, rows: int, seed: int) -> DemoSource:
    columns = tuple(
        Column(column.name, column.args[0], max(column.args[1:]), styles.get(column.name, ()))
        for column in fields_of([stream], "image")
    )
    truths = tuple(
        Truth(column.name, column.kind, 0 if column.kind == "ids" else column.args[0], max(column.args[-2:]))
        for column in fields_of([stream], "label_map", "ids", "attributes", "code")
    )
    labels = tuple((column.name, column.args[0]) for column in stream.fields if column.kind == "label")
    asked = max((styles_asked(column) for column in fields_of([stream], "image")), default=0)
    return DemoSource(columns, labels, split, rows, seed, truths, asked)


def _truth(truth: Truth, scene: Scene, style: str) -> Array:
    if truth.kind == "label_map":
        return class_map(scene, truth.size, truth.count)
    return instance_map(scene, truth.size) if truth.kind == "ids" else attributes(scene, style, truth.count)
