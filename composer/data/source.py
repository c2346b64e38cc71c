"""What gives the rows of one stream: a folder of files, or pictures made up on the spot.

A source is handed to the worker processes by pickle, so it holds names and numbers and opens files only in `row`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

# A source may also have, where it can tell them without reading its rows:
#   labels_of(name) -> int64 [rows]; files(index) -> the files of a row in words; identity() -> a short digest of all
#   rows; part(rows) -> a source of these rows only; keys() -> a name for each row that does not change when others go.

Array: TypeAlias = npt.NDArray[Any]
Pixels: TypeAlias = npt.NDArray[np.uint8] | npt.NDArray[np.float32]


class Source(Protocol):
    """The rows of one stream, counted from 0. The same index gives the same row, in any process, at any time."""

    def __len__(self) -> int:
        """How many rows there are, at least 1."""
        ...

    def row(self, index: int) -> Mapping[str, Array]:
        """The fields of one row by name, as they are before resizing, cropping and mirroring.

        image: [h, w, channels], uint8 in 0..255 or float32 in 0..1, of any size, with the field's channel count.
        label: int64 of shape [], from 0.
        label_map, ids: whole numbers [h, w], of any size; a label map as the file has it, before `ignore`.
        attributes, code: float32 [count].
        A field that shows another row of the stream is not asked for.
        Raises ComposeError when the row cannot be read.
        """
        ...

    def describe(self) -> str:
        """Where the rows come from, in a few words for the listing: `12 files of photos/trainA`."""
        ...


def labels_of(source: Source, name: str) -> npt.NDArray[np.int64]:
    """The label of every row, [rows]; a source that cannot tell is read through."""
    tell = getattr(source, "labels_of", None)
    if tell is not None:
        return np.asarray(tell(name), np.int64)
    return np.array([int(source.row(index)[name]) for index in range(len(source))], np.int64)


def place_of(source: Source, stream: str, index: int) -> str:
    """Where a row comes from, for messages: its files, or its number."""
    tell = getattr(source, "files", None)
    return str(tell(index)) if tell is not None else f"row {index} of '{stream}'"
