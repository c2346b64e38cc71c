"""Numbers of any type and number of channels to the pixels that a field asks for.

Bytes stay bytes. Deeper numbers become float32 in 0..1, black to white, so that nothing of their range is lost.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from composer.data.reading import AS_IT_IS, Raster, Reading, Unreadable, ends
from composer.data.source import Pixels

MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
LUMA = (0.299, 0.587, 0.114)  # ITU-R 601, as Pillow has it
_SLACK = 1e-6  # part of the range by which rounding may leave it


def to_pixels(raster: Raster, channels: int, reading: Reading) -> Pixels:
    """Pixels [h, w, channels] of a raster. Raises Unreadable when its channels or its range are others."""
    given = raster.channels
    if given != channels and max(given, channels) > 4:
        raise Unreadable(f"it has {_counted(given)}, and {channels} are asked for")
    values = raster.values
    if values.dtype == np.bool_:
        values = values.view(np.uint8) * np.uint8(255)
    if values.dtype == np.uint8:
        if given == channels:
            return np.ascontiguousarray(values)
        return of_bytes(_picture(values, alpha=raster.alpha), channels, reading)
    has_opacity = raster.alpha and given in (2, 4)
    if not has_opacity or given == channels:
        return _converted(_unit(values, reading, raster.white), None, channels, reading)
    colours = _unit(values[..., :-1], reading, raster.white)
    return _converted(colours, _unit(values[..., -1:], AS_IT_IS, None), channels, reading)


def _counted(channels: int) -> str:
    return "1 channel" if channels == 1 else f"{channels} channels"


def _picture(values: npt.NDArray[np.uint8], *, alpha: bool) -> Image.Image:
    if values.shape[2] == 4 and not alpha:
        values = values[..., :3]
    plain = np.ascontiguousarray(values[..., 0] if values.shape[2] == 1 else values)
    return Image.fromarray(plain)


def of_bytes(picture: Image.Image, channels: int, reading: Reading) -> npt.NDArray[np.uint8]:
    """Pixels of a picture of Pillow with 8 bits a channel; transparency is laid on the background or kept."""
    if picture.mode == "1":
        picture = picture.convert("L")
    if picture.has_transparency_data or picture.mode in ("LA", "La", "PA", "RGBA", "RGBa"):
        picture = picture.convert("RGBA")
        if channels in (1, 3):
            ground = Image.new("RGBA", picture.size, (*reading.background, 255))
            picture = Image.alpha_composite(ground, picture).convert("RGB")
    elif picture.mode == "LAB":
        picture = _from_lab(picture)
    mode = MODES[channels]
    pixels: npt.NDArray[np.uint8] = np.asarray(picture if picture.mode == mode else picture.convert(mode))
    return pixels.reshape(*pixels.shape[:2], channels)


def _from_lab(picture: Image.Image) -> Image.Image:
    from PIL import ImageCms  # few files need it

    lab, rgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    turned = ImageCms.applyTransform(picture, ImageCms.buildTransform(lab, rgb, "LAB", "RGB"))
    if turned is None:
        raise Unreadable("its Lab colours cannot be turned into red, green and blue")
    return turned


def _unit(values: npt.NDArray[np.generic], reading: Reading, white: float | None) -> npt.NDArray[np.float32]:
    """Values as float32 in 0..1. Beyond named levels they are clipped; beyond the range of their type refused."""
    if values.dtype.kind not in "iuf":
        raise Unreadable(f"its numbers are of the type {values.dtype}")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise Unreadable("some of its numbers are not finite")
    low, high = ends(values.dtype, reading, white)
    full = values.dtype == np.uint16 and reading.levels is None and high == 65535
    if not full and reading.levels is None:
        least, most = float(values.min()), float(values.max())
        if least < low - _SLACK * high or most > high + _SLACK * high:
            raise Unreadable(_beyond(values.dtype, least, most, high))
    if low == 0:
        unit = values.astype(np.float32)
        unit /= np.float32(high)
    else:
        unit = ((values.astype(np.float64) - low) / (high - low)).astype(np.float32)
    return unit if full else np.clip(unit, 0, 1, out=unit)


def _beyond(kind: np.dtype[np.generic], least: float, most: float, high: float) -> str:
    what = "fractions" if kind.kind == "f" else "whole numbers"
    return (
        f"{what} outside 0..{high:g}: they go from {least:g} to {most:g}, "
        "and which of them is white cannot be known; say it at the input: levels=[black, white]"
    )


def _converted(
    colours: npt.NDArray[Any], opacity: npt.NDArray[np.float32] | None, channels: int, reading: Reading
) -> npt.NDArray[np.float32]:
    """Colours [h, w, c] and their opacity as the channels asked for."""
    if opacity is None and colours.shape[2] == channels:
        return colours
    colours = colours[..., : 3 if colours.shape[2] >= 3 else 1]
    if channels in (1, 3) and opacity is not None:
        ground = np.array(reading.background, np.float32) / np.float32(255)
        colours = ground + (colours - ground) * opacity
    if channels >= 3 and colours.shape[2] == 1:
        colours = np.repeat(colours, 3, axis=2)
    elif channels < 3 and colours.shape[2] == 3:
        colours = np.asarray(colours.astype(np.float64) @ np.array(LUMA), np.float32)[..., None]
    if channels in (2, 4):
        colours = np.concatenate([colours, np.ones_like(colours[..., :1]) if opacity is None else opacity], axis=2)
    return np.ascontiguousarray(colours)
