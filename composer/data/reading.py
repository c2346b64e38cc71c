"""What a field asks of its files, what a file was, and why one cannot be read; shared by all readers of pictures."""

from __future__ import annotations

import contextlib
import os
import threading
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from composer.data.source import Array
from composer.fields import BACKGROUNDS

PathLike: TypeAlias = str | os.PathLike[str]

MOST_PIXELS = 178_956_970  # the number from which Pillow takes a picture for a trap: twice 1 GiB / 4 / 3


class Unreadable(Exception):
    """A file that is no readable picture. The text says why, without the name of the file."""


@dataclass(frozen=True)
class Reading:
    """How files become pixels. `background` is what shows through transparent pictures, red, green and blue in 0..255.

    `levels` are the numbers of black and white in files deeper than 8 bits; None: what their bit depth says.
    """

    background: tuple[int, int, int] = BACKGROUNDS["white"]
    levels: tuple[float, float] | None = None

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Reading:
        """The options of an image field that concern its files."""
        colour, levels = options.get("background", "white"), options.get("levels")
        red, green, blue = BACKGROUNDS[colour] if isinstance(colour, str) else map(int, colour)
        return cls((red, green, blue), (float(levels[0]), float(levels[1])) if levels is not None else None)


AS_IT_IS = Reading()


@dataclass(frozen=True)
class ImageInfo:
    """What a file held before it became numbers.

    Sizes in pixels, upright; `depth` in bits a channel; `numbers` is the type of numpy that holds its values, in which
    `black` and `white` are the ends of the range. `form` is `npy`, `tiff` or `picture`; `axes` are those of an array.
    """

    width: int
    height: int
    mode: str
    depth: int
    numbers: str = "uint8"
    black: float = 0.0
    white: float = 255.0
    form: str = "picture"
    axes: str = "hwc"

    @property
    def fractions(self) -> bool:
        """Whether its numbers are fractions."""
        return self.numbers.startswith("float")


@dataclass(frozen=True)
class Raster:
    """The numbers of a file as they are, [h, w, channels], upright. `alpha`: the last channel is the opacity.

    `white` is the number of white where the file says it, as files of 12 bits do.
    """

    values: Array
    alpha: bool = False
    white: float | None = None

    @property
    def channels(self) -> int:
        return int(self.values.shape[2])


def ends(kind: np.dtype[Any], reading: Reading, white: float | None = None) -> tuple[float, float]:
    """The numbers of black and white in values of that type: the ends of its bits, or what the field says."""
    if kind.itemsize == 1 and kind.kind in "bu":
        return 0.0, 1.0 if kind.kind == "b" else 255.0
    if reading.levels is not None:
        return reading.levels
    if kind.kind == "f":
        return 0.0, 1.0
    # Whole numbers of other widths are those of 16 bits in most files; others need the levels.
    return 0.0, white or 65535.0


def info_of(kind: np.dtype[Any], size: tuple[int, int], mode: str, reading: Reading, **more: Any) -> ImageInfo:
    """What is known of a file from the type of its numbers and its size (height, width)."""
    black, white = ends(kind, reading, more.pop("white", None))
    depth = 8 if kind.kind == "b" else 8 * kind.itemsize
    numbers = "uint8" if kind.kind == "b" else kind.newbyteorder("=").name
    return ImageInfo(size[1], size[0], mode, depth, numbers, black, max(white, 255.0) if depth == 8 else white, **more)


def check_size(height: int, width: int) -> None:
    """Raises Unreadable when a file promises more than memory should be asked for, or nothing."""
    if height < 1 or width < 1:
        raise Unreadable(f"a picture of {width} x {height} has no pixels")
    if height * width > MOST_PIXELS:
        most = f"more than {MOST_PIXELS // 10**6} million"
        raise Unreadable(f"it says it has {width} x {height} pixels, and {most} are not opened: cut it into pieces")


_lock = threading.Lock()
_readers = 0
_filters: warnings.catch_warnings[None] | None = None


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without the warnings of readers, whose text means nothing to who trains. Several threads may read at once."""
    global _readers, _filters
    with _lock:
        if _readers == 0:
            _filters = warnings.catch_warnings()
            _filters.__enter__()
            warnings.simplefilter("ignore")
        _readers += 1
    try:
        yield
    finally:
        with _lock:
            _readers -= 1
            if _readers == 0 and _filters is not None:
                _filters.__exit__(None, None, None)


def shown(path: PathLike) -> str:
    """A path as text that any terminal and file can take, odd bytes escaped."""
    return os.fspath(path).encode("utf-8", "backslashreplace").decode("utf-8")


def listed(names: Iterable[str], most: int = 8) -> str:
    """`a, b, c and 4 more`."""
    names = list(names)
    rest = len(names) - most
    return ", ".join(map(shown, names[:most])) + (f" and {rest} more" if rest > 0 else "")
