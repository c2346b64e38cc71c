"""Files of numpy (.npy) as pictures: [h, w], [h, w, channels] or [channels, h, w]."""

from __future__ import annotations

from typing import Any, BinaryIO

import numpy as np

from composer.data.reading import ImageInfo, PathLike, Raster, Reading, Unreadable, check_size, info_of
from composer.data.source import Array

MARK = b"\x93NUMPY"


def probe(path: PathLike, channels: int, reading: Reading) -> ImageInfo:
    return _info(*_oriented(_opened(path), channels), reading)


def read(path: PathLike, channels: int, reading: Reading) -> tuple[Raster, ImageInfo]:
    """The numbers of a file and what it was. Raises Unreadable."""
    values, axes = _oriented(_opened(path), channels)
    own: Array = np.array(values, dtype=values.dtype.newbyteorder("="), order="C")  # not the file any more
    return Raster(own, alpha=own.shape[2] in (2, 4)), _info(own, axes, reading)


def _opened(path: PathLike) -> Array:
    try:
        values: Any = np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError as error:
        if "object" in str(error).lower():
            raise Unreadable("it holds objects of Python and not numbers") from None
        raise Unreadable("damaged or truncated") from None
    if values.dtype.kind not in "biuf":
        raise Unreadable(f"its numbers are of the type {values.dtype}")
    array: Array = values
    return array


def _oriented(values: Array, channels: int) -> tuple[Array, str]:
    """As [h, w, c], and how its axes were. The channels are the axis of the size asked for, rather the last one."""
    if values.ndim == 2:
        axes = "hw"
        values = values[..., None]
    elif values.ndim == 3:
        last, first = values.shape[2], values.shape[0]
        fits = channels in (last, first) or (channels <= 4 and min(last, first) <= 4)
        is_last = last == channels or (first != channels and last <= 4)
        axes = "hwc" if is_last else "chw"
        if not fits:
            raise Unreadable(f"an array of {_sizes(values)}, and no axis has {channels} channels")
        values = values if is_last else values.transpose(1, 2, 0)
    else:
        raise Unreadable(f"an array of {_sizes(values)}; a picture is [h, w], [h, w, channels] or [channels, h, w]")
    check_size(values.shape[0], values.shape[1])
    if values.shape[2] == 0:
        raise Unreadable("a picture without channels")
    return values, axes


def _sizes(values: Array) -> str:
    return " x ".join(map(str, values.shape)) or "one number"


def _info(values: Array, axes: str, reading: Reading) -> ImageInfo:
    mode = f"{values.dtype.name} x {values.shape[2]}"
    return info_of(values.dtype, values.shape[:2], mode, reading, form="npy", axes=axes)


def write(file: BinaryIO, values: Array, axes: str) -> None:
    """Numbers [h, w, c] with the axes that a file had; several channels need an axis of their own."""
    if axes == "hw" and values.shape[2] == 1:
        values = values[..., 0]
    elif axes == "chw":
        values = values.transpose(2, 0, 1)
    np.save(file, np.ascontiguousarray(values), allow_pickle=False)
