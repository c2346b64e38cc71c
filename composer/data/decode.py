"""Files to pixels: any mode, bit depth, number of channels and orientation.

Pixels are [h, w, channels], uint8 in 0..255, or float32 in 0..1 for files deeper than 8 bits, so that nothing of
their range is lost. What a file is, its first bytes say, not its name. Pillow reads what it can read whole;
`tiff`, `deep_png` and `arrays` read the rest. Transparent pictures are laid on the background, unless transparency is
asked for (2 or 4 channels).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
from PIL import Image, UnidentifiedImageError

from composer.data import arrays, deep_png, tiff
from composer.data.numbers import MODES, of_bytes, to_pixels
from composer.data.reading import (
    AS_IT_IS,
    MOST_PIXELS,
    ImageInfo,
    PathLike,
    Raster,
    Reading,
    Unreadable,
    check_size,
    info_of,
    listed,
    quiet,
    shown,
)
from composer.data.source import Pixels

__all__ = ["MODES", "SUFFIXES", "ImageInfo", "PathLike", "Unreadable", "decode", "listed", "probe", "shown"]

SUFFIXES = frozenset(".bmp .gif .jfif .jp2 .jpe .jpeg .jpg .npy .pbm .pgm .png .pnm .ppm .tga .tif .tiff .webp".split())

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
_ENDS = {b"\xff\xd8": b"\xff\xd9", b"\x89PNG": b"IEND"}  # first bytes -> among the last bytes
_DEEP = ("I", "F")  # with I;16, I;16B, I;16L, I;16N: more than 8 bits a pixel


def probe(path: PathLike, channels: int = 3, reading: Reading = AS_IT_IS) -> ImageInfo:
    """Read only the head of a file. Raises Unreadable."""
    with _guarded(path) as (file, mark):
        if mark.startswith(arrays.MARK):
            return arrays.probe(path, channels, reading)
        page = next(tiff.pages(file), None) if mark[:4] in tiff.MARKS else None
        if page is not None and (page.is_ours() or _is_stack(file, page, channels)):
            return _tiff_info(page, channels, reading)
        with _opened(file) as picture:
            return _info(picture, reading, page)


def decode(path: PathLike, channels: int, reading: Reading = AS_IT_IS) -> tuple[Pixels, ImageInfo]:
    """Pixels [h, w, channels] of a file, upright, and what the file was. Raises Unreadable."""
    with _guarded(path) as (file, mark):
        if mark.startswith(arrays.MARK):
            raster, info = arrays.read(path, channels, reading)
            return to_pixels(raster, channels, reading), info
        page = next(tiff.pages(file), None) if mark[:4] in tiff.MARKS else None
        if page is not None and (page.is_ours() or _is_stack(file, page, channels)):
            return to_pixels(tiff.read(file, channels), channels, reading), _tiff_info(page, channels, reading)
        return _with_pillow(file, channels, reading, page)


def is_complete(path: PathLike) -> bool:
    """Whether a file ends as files of its format do; False where only reading it would tell."""
    try:
        with open(path, "rb") as file:
            head = file.read(12)
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 64))
            tail = file.read()
            if head[:4] in tiff.MARKS:
                with quiet():
                    return all(page.end <= size for page in tiff.pages(file))
    except Exception:
        return False  # reading it says why
    if head.startswith(arrays.MARK):
        return True  # opening it compares the sizes
    if head[:4] == b"RIFF" and head[8:] == b"WEBP":
        return size >= 8 + int.from_bytes(head[4:8], "little")
    if head.startswith(b"GIF8"):
        return tail.rstrip(b"\0").endswith(b";")
    return any(head.startswith(mark) and end in tail for mark, end in _ENDS.items())


@contextlib.contextmanager
def _guarded(path: PathLike) -> Iterator[tuple[BinaryIO, bytes]]:
    """An open file and its first bytes; whatever goes wrong with it becomes Unreadable."""
    try:
        with quiet(), open(path, "rb") as file:
            mark = file.read(8)
            file.seek(0)
            yield file, mark
    except Unreadable:
        raise
    except MemoryError:
        raise Unreadable("too large for the memory") from None
    except Image.DecompressionBombError:
        most = f"more than {MOST_PIXELS // 10**6} million"
        raise Unreadable(f"it says it has {most} pixels, which are not opened: cut it into pieces") from None
    except FileNotFoundError:
        raise Unreadable("no such file, or a broken link") from None
    except PermissionError:
        raise Unreadable("no permission to read it") from None
    except UnidentifiedImageError:
        raise Unreadable(_unknown(path)) from None
    except Exception as error:
        # Readers of a damaged file raise whatever they stumble over: OSError, SyntaxError, struct.error, KeyError...
        said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        text = said if isinstance(error, OSError | ValueError | SyntaxError) else f"damaged ({error!r})"
        raise Unreadable(text.strip().splitlines()[0] if text.strip() else "damaged") from None


def _unknown(path: PathLike) -> str:
    """Why Pillow knows no format for a file."""
    with open(path, "rb") as file:
        mark = file.read(4)
    if not mark:
        return "empty"
    return "a kind of TIFF that is not read" if mark in tiff.MARKS else "no image format that Pillow knows"


def _is_stack(file: BinaryIO, page: tiff.Page, channels: int) -> bool:
    """Whether the pages of a TIFF are the channels asked for, as microscopes write them."""
    return channels > 4 and page.samples == 1 and page.colours <= 1 and tiff.count_pages(file) == channels


def _tiff_info(page: tiff.Page, channels: int, reading: Reading) -> ImageInfo:
    count = channels if page.samples == 1 and channels > 4 else page.samples
    return info_of(page.number, page.upright, f"{page.number.name} x {count}", reading, form="tiff")


@contextlib.contextmanager
def _opened(file: BinaryIO) -> Iterator[Image.Image]:
    file.seek(0)
    with Image.open(file) as picture:
        check_size(picture.height, picture.width)
        yield picture


def _with_pillow(file: BinaryIO, channels: int, reading: Reading, page: tiff.Page | None) -> tuple[Pixels, ImageInfo]:
    with _opened(file) as picture:
        if deep_png.is_deep(picture):
            raster, loaded = deep_png.read(file)
            turn = _turn(loaded)
            info = _info(picture, reading, page, turn)
            return to_pixels(Raster(tiff.upright(raster.values, turn), raster.alpha), channels, reading), info
        picture.load()
        turn = _turn(picture)
        info = _info(picture, reading, page, turn)
        if channels not in MODES:
            count = len(picture.getbands())
            raise Unreadable(f"it has {count} channel{'s' if count > 1 else ''}, and {channels} are asked for")
        try:
            if turn in _TURNS:
                key = picture.info.get("transparency")
                picture = picture.transpose(_TURNS[turn])
                if key is not None:
                    picture.info["transparency"] = key
            if not _is_deep(picture):
                return of_bytes(picture, channels, reading), info
            return to_pixels(_deep(picture, info), channels, reading), info
        except (ValueError, OSError) as error:
            raise Unreadable(f"mode {info.mode}: {error}") from None


def _is_deep(picture: Image.Image) -> bool:
    return picture.mode in _DEEP or picture.mode.startswith("I;16")


def _info(picture: Image.Image, reading: Reading, page: tiff.Page | None, turn: int | None = None) -> ImageInfo:
    """What a picture is that Pillow opened; `turn` is known when it was loaded."""
    deep = deep_png.is_deep(picture) or _is_deep(picture)  # before Pillow loads it to look for a turn
    if page is not None:  # its size in Pillow depends on the version, and on whether it is loaded
        height, width = page.upright
    else:
        # Pillow would decode all of a PNG to look for a turn behind the pixels.
        looks = turn is None and (picture.format != "PNG" or "exif" in picture.info)
        turn = _turn(picture) if looks else turn
        width, height = picture.size[::-1] if turn in (5, 6, 7, 8) else picture.size
    kind = np.dtype(np.float32 if picture.mode == "F" else np.uint16 if deep else np.uint8)
    white = 2.0 ** page.bits[0] - 1 if page is not None and deep and 8 < page.bits[0] < 16 else None
    form = "tiff" if page is not None else "picture"
    return info_of(kind, (height, width), picture.mode, reading, form=form, white=white)


def _turn(picture: Image.Image) -> int:
    try:
        return int(picture.getexif().get(_ORIENTATION, 1))
    except Exception:
        return 1  # damaged EXIF data say nothing of the pixels, which are then taken as stored


def _deep(picture: Image.Image, info: ImageInfo) -> Raster:
    """Grey numbers of a file with more than 8 bits."""
    values = np.asarray(picture)
    values = values.astype(values.dtype.newbyteorder("="))[..., None]
    key = picture.info.get("transparency")
    if isinstance(key, int):  # one grey is transparent
        opaque = np.where(values == key, 0, 65535).astype(values.dtype)
        return Raster(np.concatenate([values, opaque], axis=2), alpha=True)
    return Raster(values, white=info.white if info.white != 65535 else None)
