"""TIFF files as bytes: numbers of any type and number of channels in one strip. Source: TIFF 6.0 (Adobe, 1992)."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

DEFLATE = 8  # the compression of zlib


def written(values: npt.NDArray[Any]) -> bytes:
    """A TIFF file of numbers [h, w, c]; 1 and 2 channels are grey, 3 and 4 colours, 2 and 4 have an opacity."""
    height, width, channels = values.shape
    little = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
    return one_strip(zlib.compress(little.tobytes(), 6), width, height, channels, values.dtype, DEFLATE)


def one_strip(strip: bytes, width: int, height: int, channels: int, kind: np.dtype[Any], compression: int) -> bytes:
    """A TIFF file whose only strip holds these packed bytes."""
    colour = channels in (3, 4)
    more = channels - (3 if colour else 1)
    extra = ([2] if channels in (2, 4) else [0] * more)[:more]
    format_ = {"u": 1, "i": 2, "f": 3}[kind.kind]
    short, long = "H", "I"
    entries: list[tuple[int, str, list[int]]] = [
        (256, long, [width]),
        (257, long, [height]),
        (258, short, [8 * kind.itemsize] * channels),
        (259, short, [compression]),
        (262, short, [2 if colour else 1]),
        (273, long, [0]),
        (277, short, [channels]),
        (278, long, [height]),
        (279, long, [len(strip)]),
        (284, short, [1]),
        *([(338, short, extra)] if extra else []),
        (339, short, [format_] * channels),
    ]
    start = 8 + 2 + 12 * len(entries) + 4
    packed = {tag: struct.pack(f"<{len(values)}{letter}", *values) for tag, letter, values in entries}
    long_ones = {tag: data for tag, data in packed.items() if len(data) > 4}
    packed[273] = struct.pack("<I", start + sum(len(data) for data in long_ones.values()))
    head, tail = struct.pack("<2sHIH", b"II", 42, 8, len(entries)), b""
    for tag, letter, values in entries:
        data = packed[tag]
        if tag in long_ones:
            data, tail = struct.pack("<I", start + len(tail)), tail + data
        head += struct.pack("<HHI", tag, {short: 3, long: 4}[letter], len(values)) + data.ljust(4, b"\0")
    return head + struct.pack("<I", 0) + tail + strip
