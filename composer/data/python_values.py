"""What a data set of the user's gives for a field, as the arrays that a row is made of."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from composer.data.decode import MODES
from composer.data.source import Array
from composer.errors import ComposeError
from composer.fields import SPATIAL, Field


def value_of(column: Field, value: Any, where: str) -> Array:
    """One value of a row. Raises ComposeError that begins with `where`, and says what the field takes."""
    try:
        if column.kind == "image":
            return _picture(column, value)
        array = _array(value)
        if column.kind in SPATIAL:
            return _map(array)
        if column.kind == "label":
            return np.asarray(int(array.reshape(()) if array.size == 1 else array), np.int64)
        return array.astype(np.float32).reshape(-1)
    except (TypeError, ValueError, OverflowError) as error:
        raise ComposeError(f"{where}: {column.name}: {error}", remedy=_WANTED[column.kind]) from None


_WANTED = {
    "image": "a picture is a PIL image, an array [h, w, c] of bytes or of numbers from 0 to 1, or a tensor [c, h, w]",
    "label_map": "a label map is whole numbers [h, w]",
    "ids": "ids are whole numbers [h, w]",
    "label": "a label is one whole number",
    "attributes": "attributes are 0 and 1",
    "code": "a code is a list of numbers",
}


def _array(value: Any) -> Array:
    if hasattr(value, "detach"):  # a tensor, without asking for torch
        value = value.detach().cpu().numpy()
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{type(value).__name__} is no array of numbers")
    return array


def _map(array: Array) -> Array:
    array = array[0] if array.ndim == 3 and array.shape[0] == 1 else array
    if array.ndim != 2 or 0 in array.shape:
        raise ValueError(f"an array {list(array.shape)}")
    if array.dtype.kind == "f" and (array != np.rint(array)).any():
        raise ValueError("fractions are no ids")
    return array.astype(np.int64)


def _picture(column: Field, value: Any) -> npt.NDArray[Any]:
    channels = column.args[0]
    if isinstance(value, Image.Image) and value.mode in ("1", "P", "L", "LA", "PA", "RGB", "RGBA", "CMYK", "YCbCr"):
        value = np.asarray(value.convert(MODES[channels]))
    pixels = _array(value)
    if hasattr(value, "detach") and pixels.ndim == 3:
        pixels = pixels.transpose(1, 2, 0)
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    if pixels.ndim != 3 or 0 in pixels.shape:
        raise ValueError(f"an array {list(pixels.shape)}")
    if pixels.shape[2] == 1 and channels == 3:
        pixels = np.repeat(pixels, 3, axis=2)
    if pixels.shape[2] != channels:
        raise ValueError(f"{pixels.shape[2]} channels, and the graph asks for {channels}")
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype == np.uint16:
        return pixels.astype(np.float32) / np.float32(65535)
    if pixels.dtype.kind != "f" or not (pixels.min() >= 0 and pixels.max() <= 1):
        raise ValueError(f"numbers from {pixels.min()} to {pixels.max()}: which of them is white cannot be known")
    return pixels.astype(np.float32)
