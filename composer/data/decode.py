"""Files to pixels: any mode, bit depth and orientation that Pillow reads.

Pixels are [h, w, channels], uint8 in 0..255, or float32 in 0..1 for files deeper than 8 bits, so that nothing of
their range is lost. Transparent pictures are laid on white, unless transparency is asked for (2 or 4 channels).
Pillow itself reads colour files of 16 bits a channel as 8 bits.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from composer.data.source import Pixels

SUFFIXES = frozenset(".bmp .gif .jfif .jp2 .jpeg .jpg .pbm .pgm .png .pnm .ppm .tga .tif .tiff .webp".split())
MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}

_ORIENTATION = 0x0112  # the EXIF tag: how to turn the stored picture so that it stands upright
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_DEEP = ("I", "F")  # with I;16, I;16B, I;16L, I;16N: more than 8 bits a pixel

PathLike: TypeAlias = str | os.PathLike[str]


class Unreadable(Exception):
    """A file that is no readable picture. The text says why, without the name of the file."""


@dataclass(frozen=True)
class ImageInfo:
    """What a file held before it became numbers. Sizes in pixels, after the EXIF turn; depth in bits a channel."""

    width: int
    height: int
    mode: str
    depth: int


def probe(path: PathLike) -> ImageInfo:
    """Read only the head of a file. Raises Unreadable."""
    return _guarded(path, whole=False)[1]


def decode(path: PathLike, channels: int) -> tuple[Pixels, ImageInfo]:
    """Pixels [h, w, channels] of a file, upright, and what the file was. Raises Unreadable."""
    picture, info = _guarded(path, whole=True)
    try:
        return _to_pixels(picture, channels), info
    except (ValueError, OSError) as error:
        raise Unreadable(f"mode {info.mode}: {error}") from None


def _guarded(path: PathLike, *, whole: bool) -> tuple[Image.Image, ImageInfo]:
    try:
        with Image.open(path) as picture:
            if whole:
                picture.load()
            # Pillow would decode all of a PNG to look for a turn behind the pixels.
            turn = _turn(picture) if whole or picture.format != "PNG" or "exif" in picture.info else None
            width, height = picture.size
            if turn is not None and turn.value >= Image.Transpose.ROTATE_90.value and turn != _TURNS[3]:
                width, height = height, width
            deep = picture.mode in _DEEP or picture.mode.startswith("I;16")
            info = ImageInfo(width, height, picture.mode, 16 if deep else 8)
            return (picture.transpose(turn) if whole and turn is not None else picture), info
    except Unreadable:
        raise
    except MemoryError:
        raise Unreadable("too large for the memory") from None
    except Image.DecompressionBombError:
        raise Unreadable("says it has more pixels than Pillow takes for safe") from None
    except FileNotFoundError:
        raise Unreadable("no such file, or a broken link") from None
    except UnidentifiedImageError:
        raise Unreadable("empty" if _is_empty(path) else "no image format that Pillow knows") from None
    except Exception as error:
        # Readers of a damaged file raise whatever they stumble over: OSError, SyntaxError, struct.error, KeyError...
        text = str(error) if isinstance(error, OSError | ValueError | SyntaxError) else f"damaged ({error!r})"
        raise Unreadable(text.strip().splitlines()[0] if text.strip() else "damaged") from None


def _is_empty(path: PathLike) -> bool:
    return os.path.getsize(path) == 0


def _turn(picture: Image.Image) -> Image.Transpose | None:
    try:
        return _TURNS.get(picture.getexif().get(_ORIENTATION, 1))
    except Exception:
        return None  # damaged EXIF data say nothing of the pixels, which are then taken as stored


def _to_pixels(picture: Image.Image, channels: int) -> Pixels:
    mode = MODES[channels]
    if picture.mode in _DEEP or picture.mode.startswith("I;16"):
        return _spread(_deep(picture), channels)
    if picture.mode == "1":
        picture = picture.convert("L")
    if picture.has_transparency_data or picture.mode in ("LA", "La", "PA", "RGBA", "RGBa"):
        picture = picture.convert("RGBA")
        if channels in (1, 3):
            white = Image.new("RGBA", picture.size, "white")
            picture = Image.alpha_composite(white, picture).convert("RGB")
    pixels = np.array(picture.convert(mode), dtype=np.uint8)
    return pixels.reshape(*pixels.shape[:2], channels)


def _deep(picture: Image.Image) -> npt.NDArray[np.float32]:
    """Grey pixels [h, w, 1] in 0..1 of a file with more than 8 bits: 65535 is white, or 1.0 in a file of fractions."""
    values = np.asarray(picture)
    if picture.mode == "F":
        if not (np.isfinite(values).all() and values.min() >= 0 and values.max() <= 1):
            raise Unreadable("fractions outside 0..1: which of them is white cannot be known")
        return values.astype(np.float32)[..., None]
    if values.min() < 0 or values.max() > 65535:
        raise Unreadable("whole numbers outside 0..65535: which of them is white cannot be known")
    return values.astype(np.float32)[..., None] / np.float32(65535)


def _spread(grey: npt.NDArray[np.float32], channels: int) -> Pixels:
    """Grey to more channels: the same in each colour, and opaque."""
    opaque = [np.ones_like(grey)] if channels in (2, 4) else []
    spread: Pixels = np.concatenate([grey] * (3 if channels >= 3 else 1) + opaque, axis=2)
    return spread


def shown(path: PathLike) -> str:
    """A path as text that any terminal and file can take, odd bytes escaped."""
    return os.fspath(path).encode("utf-8", "backslashreplace").decode("utf-8")


def listed(names: Iterable[str], most: int = 8) -> str:
    """`a, b, c and 4 more`."""
    names = list(names)
    rest = len(names) - most
    return ", ".join(map(shown, names[:most])) + (f" and {rest} more" if rest > 0 else "")
