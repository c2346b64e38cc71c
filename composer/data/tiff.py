"""TIFF files that Pillow has no mode for: deep colours, fractions in colour, more than four channels.

The libtiff in Pillow unpacks strips of any compression, told that they are rows of grey bytes; the rest is done here.
Source: TIFF 6.0 (Adobe, 1992) and its Technical Note 3 (prediction of fractions).
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal

import numpy as np
from PIL import Image

from composer.data.reading import Raster, Unreadable, check_size
from composer.data.source import Array
from composer.data.tiff_writing import DEFLATE, one_strip

MARKS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_MOST_PAGES = 4096
_MOST_STRIPS = 2**22
_TAGS = frozenset((256, 257, 258, 259, 262, 273, 274, 277, 278, 279, 284, 317, 322, 323, 324, 325, 338, 339))
_FORMS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q"}  # types of numbers in a directory
_DEFLATE = (DEFLATE, 32946)
_JPEG = (6, 7, 33003, 33005, 34712)
_KINDS = {1: "u", 2: "i", 3: "f"}  # SampleFormat


@dataclass(frozen=True)
class Page:
    """One picture of a file, as its directory tells of it. `piece`: height and width of a strip or tile."""

    width: int
    height: int
    samples: int
    bits: tuple[int, ...]
    kind: str  # u, i, f: whole numbers without sign, with one, fractions
    colours: int  # PhotometricInterpretation: 0 white is low, 1 grey, 2 red green blue, others
    compression: int
    predictor: int
    separate: bool  # each channel lies in strips of its own
    extra: tuple[int, ...]
    turn: int
    tiled: bool
    piece: tuple[int, int]
    offsets: tuple[int, ...]
    counts: tuple[int, ...]
    order: Literal["<", ">"]
    big: bool = False

    @property
    def alpha(self) -> bool:
        """Whether the last channel is the opacity; where the file does not say, the second or fourth one is."""
        plain = 3 if self.colours == 2 else 1
        return self.samples == plain + 1 and (self.extra[0] in (1, 2) if self.extra else True)

    @property
    def upright(self) -> tuple[int, int]:
        """Height and width after the turn."""
        return (self.width, self.height) if 5 <= self.turn <= 8 else (self.height, self.width)

    @property
    def end(self) -> int:
        """Where the last byte of its strips should lie."""
        return max((start + count for start, count in zip(self.offsets, self.counts, strict=False)), default=0)

    @property
    def number(self) -> np.dtype[Any]:
        return np.dtype(f"{self.kind}{max(self.bits) // 8}")

    def is_ours(self) -> bool:
        """Whether Pillow cannot read it, or only a part of it: the low bytes of deep colours, the fifth channel."""
        if self.colours > 2 or self.compression in _JPEG:
            return False
        whole = len(set(self.bits)) == 1 and self.bits[0] in (8, 16, 32, 64) and self.kind != ""
        known = self.samples == 1 and (self.kind, self.bits[0]) in (("u", 8), ("u", 16), ("f", 32))
        known |= self.samples in (3, 4) and (self.kind, self.bits[0]) == ("u", 8) and not self.separate
        known &= self.colours != 0 or self.bits[0] == 8  # Pillow turns low whites around in bytes only
        # Pillow takes large files for small ones when their order of bytes is that of network protocols.
        return whole and not (known and not (self.big and self.order == ">"))


def pages(file: BinaryIO) -> Iterator[Page]:
    """The directories of a TIFF file, in order; one that leads back to an earlier one ends them."""
    file.seek(0)
    header = file.read(16)
    order: Literal["<", ">"] = "<" if header[:2] == b"II" else ">"
    big = b"+" in header[2:4]  # of files beyond 4 GiB: all counts and places have 8 bytes
    place = struct.unpack(f"{order}Q" if big else f"{order}I", header[8:16] if big else header[4:8])[0]
    seen: set[int] = set()
    while place and place not in seen and len(seen) < _MOST_PAGES:
        seen.add(place)
        tags, place = _directory(file, place, order, big)
        yield _page(tags, order, big)


def _directory(file: BinaryIO, place: int, order: str, big: bool) -> tuple[dict[int, tuple[int, ...]], int]:
    """The whole numbers of a directory by tag, and the place of the next one."""
    count_form, place_form, room = ("Q", "Q", 8) if big else ("H", "I", 4)
    file.seek(place)
    count = struct.unpack(order + count_form, file.read(struct.calcsize(count_form)))[0]
    entry = struct.Struct(f"{order}HH{place_form}{room}s")
    if count > _MOST_PAGES:
        raise Unreadable("a damaged TIFF: its directory is too long")
    entries = file.read(count * entry.size)
    following = struct.unpack(order + place_form, file.read(room))[0]
    tags = {}
    for number in range(count):
        tag, form, length, value = entry.unpack_from(entries, number * entry.size)
        if tag not in _TAGS or form not in _FORMS:
            continue
        packed = struct.Struct(f"{order}{min(length, _MOST_STRIPS)}{_FORMS[form]}")
        if packed.size > room:
            file.seek(struct.unpack(order + place_form, value)[0])
            value = file.read(packed.size)
        tags[tag] = packed.unpack(value[: packed.size])
    return tags, following


def _page(tags: Mapping[int, tuple[int, ...]], order: Literal["<", ">"], big: bool) -> Page:
    def many(tag: int, default: tuple[int, ...] = ()) -> tuple[int, ...]:
        return tags.get(tag) or default

    width, height, samples = (int(many(tag, (1,))[0]) for tag in (256, 257, 277))
    check_size(height, width)
    bits = many(258, (1,))
    bits = bits * samples if len(bits) == 1 else bits
    kinds = set(many(339, (1,)))
    tiled = 324 in tags
    piece = (int(many(323)[0]), int(many(322)[0])) if tiled else (min(height, int(many(278, (height,))[0])), width)
    return Page(
        width,
        height,
        samples,
        bits,
        _KINDS.get(kinds.pop(), "") if len(kinds) == 1 else "",
        int(many(262, (1,))[0]),
        int(many(259, (1,))[0]),
        int(many(317, (1,))[0]),
        many(284, (1,))[0] == 2 and samples > 1,
        many(338),
        int(many(274, (1,))[0]),
        tiled,
        piece,
        many(324 if tiled else 273),
        many(325 if tiled else 279),
        order,
        big,
    )


def read(file: BinaryIO, channels: int) -> Raster:
    """The numbers of a file that `is_ours`. Grey pages are the channels when as many are asked for, more than 4."""
    first, *others = pages(file)
    stacked = first.samples == 1 and channels > 4 and len(others) + 1 == channels
    if stacked and all((page.upright, page.number) == (first.upright, first.number) for page in others):
        return Raster(np.concatenate([_values(file, page) for page in (first, *others)], axis=2))
    values = _values(file, first)
    if first.colours == 0:
        values = np.subtract(1.0 if first.kind == "f" else np.iinfo(values.dtype).max, values).astype(values.dtype)
    if first.alpha and first.extra[:1] == (1,):
        values = _divided(values)
    return Raster(values, first.alpha)


def _divided(values: Array) -> Array:
    """Colours that were stored multiplied with their opacity."""
    white = 1.0 if values.dtype.kind == "f" else float(np.iinfo(values.dtype).max)
    opacity = values[..., -1:] / white
    colours = values[..., :-1] / np.maximum(opacity, 1e-12)
    colours = np.where(opacity > 0, np.clip(colours, 0, white), 0)
    return np.concatenate([colours if values.dtype.kind == "f" else np.rint(colours), values[..., -1:]], axis=2).astype(
        values.dtype
    )


def count_pages(file: BinaryIO) -> int:
    return sum(1 for _ in pages(file))


def _values(file: BinaryIO, page: Page) -> Array:
    """Numbers [h, w, samples] of one page, upright, in the order of bytes of this machine."""
    if not page.kind or (page.number.kind == "f" and page.number.itemsize == 1):
        raise Unreadable("a TIFF whose numbers are of no type that is known")
    height, width = page.piece
    check_size(height, width)
    down, across = -(-page.height // height), -(-page.width // width)
    planes, depth = (page.samples, 1) if page.separate else (1, page.samples)
    if page.samples > 1024 or len(page.offsets) < down * across * planes or len(page.counts) < len(page.offsets):
        raise Unreadable("a damaged TIFF: its strips do not make up the picture")
    result = np.empty((page.height, page.width, page.samples), page.number)
    number = 0
    for plane in range(planes):
        for top in range(0, down * height, height):
            for left in range(0, across * width, width):
                rows = height if page.tiled else min(height, page.height - top)
                data = _packed(file, page.offsets[number], page.counts[number])
                piece = _numbers(_unpacked(data, page, rows * width * depth * page.number.itemsize), page, rows, depth)
                spot = result[top : top + rows, left : left + width]
                spot[..., plane : plane + depth] = piece[: spot.shape[0], : spot.shape[1]]
                number += 1
    return upright(result, page.turn)


def _packed(file: BinaryIO, offset: int, count: int) -> bytes:
    file.seek(offset)
    data = file.read(count)
    if len(data) < count:
        raise Unreadable("image file is truncated")
    return data


def _unpacked(data: bytes, page: Page, size: int) -> bytes:
    """The bytes of a strip without their compression."""
    if page.compression in _DEFLATE:
        data = zlib.decompressobj().decompress(data, size)
    elif page.compression != 1:
        columns = size // page.piece[0] if size % page.piece[0] == 0 else size
        strip = one_strip(data, columns, size // columns, 1, np.dtype(np.uint8), page.compression)
        with Image.open(io.BytesIO(strip)) as grey:
            data = grey.tobytes()
    if len(data) < size:
        raise Unreadable("image file is truncated")
    return data[:size]


def _numbers(data: bytes, page: Page, rows: int, depth: int) -> Array:
    """Numbers [rows, width, depth] of a strip, its prediction undone."""
    width, number = page.piece[1], page.number
    if page.predictor == 3:
        size = number.itemsize
        sums = np.frombuffer(data, np.uint8).reshape(rows, width * size, depth).cumsum(axis=1, dtype=np.uint8)
        bytes_ = sums.reshape(rows, size, width * depth).transpose(0, 2, 1)  # the highest bytes of a row come first
        return np.ascontiguousarray(bytes_).view(number.newbyteorder(">")).reshape(rows, width, depth)
    values = np.frombuffer(data, number.newbyteorder(page.order)).reshape(rows, width, depth)
    if page.predictor == 2:
        whole = values.astype(number).view(f"u{number.itemsize}")
        return np.cumsum(whole, axis=1, dtype=whole.dtype).view(number)
    if page.predictor != 1:
        raise Unreadable(f"a TIFF with the unknown prediction {page.predictor}")
    return values


def upright(values: Array, turn: int) -> Array:
    """Numbers [h, w, c] turned as the tag of a camera says: 1 to 8, others mean nothing."""
    if 5 <= turn <= 8:
        values = values.swapaxes(0, 1)
    down = -1 if turn in (3, 4, 7, 8) else 1
    across = -1 if turn in (2, 3, 6, 7) else 1
    return values[::down, ::across]
