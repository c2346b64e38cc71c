"""Files of pictures put together byte by byte, so that readers and writers have another witness than themselves."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np

COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}


def png(values: np.ndarray[Any, Any], transparent: tuple[int, ...] = ()) -> bytes:
    """A PNG of uint16 [h, w, 1 to 4], without prediction; `transparent`: the colour that is."""
    height, width, channels = values.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, COLOUR_TYPES[channels], 0, 0, 0))]
    chunks += [(b"tRNS", struct.pack(f">{len(transparent)}H", *transparent))] if transparent else []
    chunks += [(b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    packed = [struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def tiff(
    pages: list[np.ndarray[Any, Any]],
    order: str = "<",
    *,
    separate: bool = False,
    packed: bool = False,
    predicted: bool = False,
    rows: int = 3,
    tags: dict[int, list[int]] | None = None,
) -> bytes:
    """A TIFF of pages [h, w, c] in strips of some rows; `predicted` only for whole numbers."""
    out = bytearray({"<": b"II*\0", ">": b"MM\0*"}[order] + b"\0\0\0\0")
    link = 4
    for values in pages:
        height, width, channels = values.shape
        planes = [values[..., c : c + 1] for c in range(channels)] if separate else [values]
        offsets, counts = [], []
        for plane in planes:
            for top in range(0, height, rows):
                strip = plane[top : top + rows]
                if predicted:
                    strip = np.concatenate([strip[:, :1], strip[:, 1:] - strip[:, :-1]], axis=1)
                data = strip.astype(strip.dtype.newbyteorder(order)).tobytes()
                data = zlib.compress(data) if packed else data
                offsets.append(len(out))
                counts.append(len(data))
                out += data
        colour = channels in (3, 4) and not (tags or {}).get(262)
        entries: dict[int, list[int]] = {
            256: [width],
            257: [height],
            258: [8 * values.itemsize] * channels,
            259: [8 if packed else 1],
            262: [2 if colour else 1],
            273: offsets,
            277: [channels],
            278: [rows],
            279: counts,
            284: [2 if separate else 1],
            317: [2 if predicted else 1],
            339: [{"u": 1, "i": 2, "f": 3}[values.dtype.kind]] * channels,
            **(tags or {}),
        }
        places = {}
        for tag, numbers in entries.items():
            if len(numbers) > 1:
                places[tag] = len(out)
                out += struct.pack(f"{order}{len(numbers)}I", *numbers)
        out += b"\0" * (len(out) % 2)
        struct.pack_into(f"{order}I", out, link, len(out))
        out += struct.pack(f"{order}H", len(entries))
        for tag, numbers in sorted(entries.items()):
            out += struct.pack(f"{order}HHII", tag, 4, len(numbers), places.get(tag, numbers[0]))
        link = len(out)
        out += b"\0\0\0\0"
    return bytes(out)
