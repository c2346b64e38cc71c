"""What is measured: which pictures a translation is given, what is the truth of each, and which set it should resemble.

The truth is known where the target is a field of the same stream (pairs), where the folders of two streams have files
of the same names, and for the built-in demo data, whose test part shows the same scenes in all streams.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from composer.data import Dataset
from composer.data.decode import listed
from composer.data.demo import DemoSource
from composer.data.files import FileSource
from composer.errors import ComposeError, nearest
from composer.fields import Field, Stream, fields_of, short_name


@dataclass(frozen=True)
class Subject:
    """A translation and its pictures. `pairs`: for each source row the target row that is its truth, or none.

    `names`: of the source rows, which seed their draws. `paired_by`: how the truth was found, or why there is none.
    `words` name the data, `identity` changes when the pictures do, and not with the graph that is measured on them.
    """

    translation: str
    inputs: tuple[str, ...]
    target: Field
    source_stream: str
    target_stream: str
    rows: Rows
    pairs: tuple[int, ...]
    paired_by: str
    names: tuple[str, ...]
    words: str
    identity: str

    @property
    def sources(self) -> int:
        return len(self.names)

    @property
    def targets(self) -> int:
        return self.rows.count(self.target_stream)

    def batch(self, row: int) -> dict[str, Tensor]:
        """What the translation needs for one source row, as batches of one."""
        found: dict[str, Tensor] = {}
        for stream in self.rows.holding(self.inputs):
            values = self.rows.row(stream, row if stream == self.source_stream else row % self.rows.count(stream))
            found.update({name: value for name, value in values.items() if name in self.inputs})
        return found

    def truth(self, row: int) -> Tensor:
        """The picture [c, h, w] in [-1, 1] that the target row shows."""
        return self.signed(self.rows.row(self.target_stream, row)[self.target.name][0])

    def signed(self, picture: Tensor) -> Tensor:
        """A picture of the target's kind with black at -1 and white at 1."""
        return picture * 2 - 1 if self.target.options.get("range") == "unit" else picture


class Rows:
    """Single rows of a dataset by stream, whole and never mirrored, at the size that the graph trains with."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self._loaders = {
            stream.name: Dataset((stream,), {stream.name: dataset.sources[stream.name]}, dataset.seed).loader(
                1, train=False, cache_bytes=0
            )
            for stream in dataset.streams
        }

    def row(self, stream: str, index: int) -> Mapping[str, Tensor]:
        """The fields of a row as batches of one."""
        return self._loaders[stream].batch(index)

    def count(self, stream: str) -> int:
        return len(self.dataset.sources[stream])

    def holding(self, fields: Sequence[str]) -> list[str]:
        """The streams that have these fields."""
        return [stream.name for stream in self.dataset.streams if any(f.name in fields for f in stream.fields)]

    def names(self, stream: str, field: str) -> tuple[str, ...]:
        """A name for each row: of its file without suffix where it has one, else its number."""
        source = self.dataset.sources[stream]
        column = source.columns.get(field) if isinstance(source, FileSource) else None
        if column is None:
            return tuple(str(number) for number in range(len(source)))
        return tuple(Path(path).stem for path in column.paths)


def make_subject(
    program: Any,
    dataset: Dataset,
    words: str,
    *,
    name: str | None = None,
    target: str | None = None,
    pairs: bool = True,
) -> Subject:
    """What measuring a translation of `program` on `dataset` means. `pairs=False`: equal names are no pairs.

    Raises ComposeError when it gives no picture, or when it is not clear which input it should look like.
    """
    chosen = program.translator.chosen(name)
    needed = tuple(program.translator.needs(chosen.name))
    missing = [one for one in needed if not any(f.name == one for s in dataset.streams for f in s.fields)]
    if missing:
        raise ComposeError(f"translation '{chosen.name}' needs {listed(missing)}, which the data does not hold")
    wanted = _target(program, chosen.name, needed, dataset.streams, target)
    start = _first_picture(needed, dataset.streams)
    source_stream = _stream_of(start, dataset.streams)
    target_stream = _stream_of(wanted.name, dataset.streams)
    rows = Rows(dataset)
    names = rows.names(source_stream, start)
    truths = rows.names(target_stream, wanted.name)
    found, how = _pairs(dataset, source_stream, target_stream, names, truths) if pairs else ((), "not asked for")
    return Subject(
        chosen.name,
        needed,
        wanted,
        source_stream,
        target_stream,
        rows,
        found,
        how,
        names,
        words,
        _digest([_pictures(dataset, source_stream, start), _pictures(dataset, target_stream, wanted.name), found]),
    )


def content_identity(dataset: Dataset) -> str:
    """A short name for exactly these rows, whatever the seed of the run that uses them.

    The demo's training scenes are others for each seed, and yet the same data: runs that differ in nothing but their
    seed are repetitions of one experiment. Of scenes to measure on the seed counts.
    """
    found = {name: value for name, value in dataset.identity().items() if name != "seed"}
    demo = {name: source for name, source in dataset.sources.items() if isinstance(source, DemoSource)}
    scenes = {name: (one.split, -1 if one.split.startswith("train") else one.seed) for name, one in demo.items()}
    return _digest({**found, "scenes": scenes})


def _pictures(dataset: Dataset, stream: str, field: str) -> list[Any]:
    """What tells pictures from others, whatever a graph calls its inputs: methods meet on the same pictures."""
    source: Any = dataset.sources[stream]
    if isinstance(source, DemoSource):
        styles = source.styles_of(field)
        own = styles[0] if len(styles) == 1 else [*styles] or None
        return ["demo", source.split, source.seed, len(source), own]
    column = source.columns.get(field) if isinstance(source, FileSource) else None
    if column is None:
        told = getattr(source, "identity", None)
        return ["rows", len(source), field, told() if told is not None else source.describe()]
    return ["files", [(Path(path).name, _size(path)) for path in column.paths], column.part, column.parts]


def _size(path: str) -> int:
    try:
        return os.path.getsize(path)
    except OSError:
        return 0  # reading it says why


def _digest(content: Any) -> str:
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _pairs(
    dataset: Dataset, source: str, target: str, names: Sequence[str], truths: Sequence[str]
) -> tuple[tuple[int, ...], str]:
    if source == target:
        return tuple(range(len(names))), "the same row"
    both = [dataset.sources[source], dataset.sources[target]]
    if all(isinstance(one, DemoSource) for one in both):
        one, other = both
        if any(len(column.styles) > 1 for column in other.columns):  # type: ignore[attr-defined]
            return (), "the target has several styles, and any of them is right"
        if (one.split, one.seed) == (other.split, other.seed):  # type: ignore[attr-defined]
            return tuple(range(len(names))), "the same scene"
        return (), "the scenes of the two streams are not the same"
    if not all(isinstance(one, FileSource) for one in both):
        return (), "rows without file names cannot be paired"
    places = {name: number for number, name in enumerate(truths)}
    if len(places) == len(truths) and all(name in places for name in names):
        return tuple(places[name] for name in names), "equal file names"
    met = sum(name in places for name in names)
    return (), f"{met} of {len(names)} files have one of the same name in the target's folder; pairs need all"


def _target(program: Any, name: str, needed: Sequence[str], streams: Sequence[Stream], asked: str | None) -> Field:
    """The picture input that a translation should look like."""
    images = fields_of(streams, "image")
    if asked is not None:
        known = {key: one for one in images for key in (one.name, short_name(one.name))}
        if asked not in known:
            raise ComposeError(f"this graph has no picture input '{asked}'", remedy=nearest(asked, known))
        return known[asked]
    made = getattr(program.shaped.types[program.translations[name].node], "dims", None)
    if made is None or len(made) != 4:
        raise ComposeError(f"translation '{name}' gives no picture", remedy="choose another one with --as")
    alike = [one for one in images if one.name not in needed and tuple(one.args) == tuple(made[1:])]
    if len(alike) == 1:
        return alike[0]
    ending = [one for one in alike if name.replace("_", "2").split("2")[1:2] == [short_name(one.name)]]
    if len(ending) == 1:
        return ending[0]
    what = f"it could be {listed(one.name for one in alike)}" if alike else "no other picture input has its size"
    raise ComposeError(
        f"what translation '{name}' should look like is not clear: {what}", remedy="name the input with --target"
    )


def _first_picture(needed: Sequence[str], streams: Sequence[Stream]) -> str:
    """The picture that a translation starts from, or the map where there is none."""
    for kinds in (("image",), ("label_map", "ids")):
        sheets = [one.name for one in fields_of(streams, *kinds) if one.name in needed]
        if sheets:
            return next(name for name in needed if name in sheets)
    raise ComposeError("the translation starts from no picture or map", remedy="choose another one with --as")


def _stream_of(field: str, streams: Sequence[Stream]) -> str:
    return next(stream.name for stream in streams if any(one.name == field for one in stream.fields))
