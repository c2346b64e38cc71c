"""What gives the rows of one stream: a folder of files, or pictures made up on the spot.

A source is handed to the worker processes by pickle, so it holds names and numbers and opens files only in `row`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

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
        Raises ComposeError when the row cannot be read.
        """
        ...

    def describe(self) -> str:
        """Where the rows come from, in a few words for the listing: `12 files of photos/trainA`."""
        ...
