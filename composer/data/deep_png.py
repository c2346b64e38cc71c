"""PNG files of 16 bits a channel with more than one channel, of which Pillow keeps the high bytes only.

Its decoder can be asked for the low bytes instead, so reading one twice gives both.
Source of the format: Portable Network Graphics Specification (W3C).
"""

from __future__ import annotations

import struct
import zlib
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image

from composer.data.reading import Raster

# What Pillow names the bytes of a file -> the modes and names under which it gives all of them.
_READINGS = {
    "LA;16B": (("RGBA", "RGBA"),),
    "RGB;16B": (("RGB", "RGB;16B"), ("RGB", "RGB;16L")),
    "RGBA;16B": (("RGBA", "RGBA;16B"), ("RGBA", "RGBA;16L")),
}
_COLOURS = {1: 0, 2: 4, 3: 2, 4: 6}  # channels -> colour type


def is_deep(picture: Image.Image) -> bool:
    """Whether Pillow would halve the depth of a file that it opened and has not loaded."""
    return picture.format == "PNG" and _layout(picture) in _READINGS


def _layout(picture: Any) -> str:
    return str(picture.tile[0][3]) if len(getattr(picture, "tile", ())) == 1 else ""


def read(file: BinaryIO) -> tuple[Raster, Image.Image]:
    """The numbers of a file that `is_deep`, uint16 [h, w, channels], and the file as Pillow has it."""
    parts: list[npt.NDArray[np.uint16]] = []
    file.seek(0)
    picture: Any
    with Image.open(file) as picture:
        layout = _layout(picture)
    for _, name in _READINGS[layout]:
        file.seek(0)
        with Image.open(file) as picture:
            tile = picture.tile[0]  # a plain tuple in Pillow before 11
            picture.tile = [tile._replace(args=name) if hasattr(tile, "_replace") else (*tile[:3], name)]
            key = picture.info.get("transparency")
            picture.load()
            parts.append(np.asarray(picture).astype(np.uint16))
    if layout == "LA;16B":
        values = parts[0][..., 0::2] * np.uint16(256) + parts[0][..., 1::2]
    else:
        values = parts[0] * np.uint16(256) + parts[1]
    if isinstance(key, tuple) and values.shape[2] == 3:  # one colour is transparent
        opaque = (values != np.array(key, np.uint16)).any(axis=2, keepdims=True)
        return Raster(np.concatenate([values, opaque * np.uint16(65535)], axis=2), alpha=True), picture
    return Raster(values, alpha=values.shape[2] in (2, 4)), picture


def written(values: npt.NDArray[np.uint16]) -> bytes:
    """A PNG file of uint16 [h, w, 1 to 4 channels]."""
    height, width, channels = values.shape
    rows = np.ascontiguousarray(values, ">u2").view(np.uint8).reshape(height, width, 2 * channels)
    # Each pixel as its difference from the one on its left, which packs better (filter 1).
    left = np.concatenate([rows[:, :1], rows[:, 1:] - rows[:, :-1]], axis=1).reshape(height, -1)
    lines = np.concatenate([np.ones((height, 1), np.uint8), left], axis=1)
    head = struct.pack(">IIBBBBB", width, height, 16, _COLOURS[channels], 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(lines.tobytes(), 6)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
