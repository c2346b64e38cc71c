"""Pictures in and out of tensors for translation: read, pad to a size the network takes, crop back, write."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from composer.data.decode import MODES, ImageInfo, PathLike, Unreadable, decode, shown
from composer.data.prepare import resize, to_numbers
from composer.errors import ComposeError
from composer.files import explain, replacing

# What each kind of file can hold, and how it is written; the same picture gives the same bytes.
_WRITERS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    ".png": ("PNG", {"compress_level": 6}),
    ".bmp": ("BMP", {}),
    ".tif": ("TIFF", {}),
    ".tiff": ("TIFF", {}),
    ".jpg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".jpeg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".webp": ("WEBP", {"lossless": True}),
}
_DEEP_FORMATS = ("PNG", "TIFF")


@dataclass(frozen=True)
class Window:
    """Where a picture lies in its padded form; pixels."""

    top: int
    left: int
    height: int
    width: int


def read_image(path: PathLike, channels: int = 3) -> tuple[torch.Tensor, ImageInfo]:
    """A picture as float32 [channels, h, w] in [-1, 1], upright, and what the file was. Raises ComposeError."""
    if channels not in MODES:
        raise ComposeError(f"'{shown(path)}' cannot be read as {channels} channels", remedy="image files have 1 to 4")
    try:
        pixels, info = decode(path, channels)
    except Unreadable as error:
        raise ComposeError(f"cannot read '{shown(path)}' ({error})", remedy="replace it or leave it out") from None
    return torch.from_numpy(to_numbers(pixels, unit=False)), info


def resize_image(picture: torch.Tensor, height: int, width: int, filter: str = "bicubic") -> torch.Tensor:
    """A picture [c, h, w] in [-1, 1] at another size, interpolated in float; for files use the data pipeline."""
    unit = (picture.detach().cpu().to(torch.float32).permute(1, 2, 0).numpy() + 1) / 2
    return torch.from_numpy(to_numbers(resize(unit.astype(np.float32), height, width, filter), unit=False))


def write_image(path: PathLike, picture: torch.Tensor, like: ImageInfo | None = None) -> None:
    """Write [c, h, w] in [-1, 1] in the format of the suffix, whole or not at all; numbers beyond are clipped.

    A grey picture of a deep file (`like.depth` 16) is written with 16 bits where the format can.
    Raises ComposeError: no finite numbers, no format of that name, no picture, no place on the disk.
    """
    target = Path(path)
    known = _WRITERS.get(target.suffix.lower())
    if known is None:
        raise ComposeError(f"cannot write '{shown(path)}'", remedy=f"use one of {' '.join(_WRITERS)}")
    if picture.ndim != 3 or picture.shape[0] not in MODES or 0 in picture.shape:
        raise ComposeError(
            f"{list(picture.shape)} is no picture to write to '{shown(path)}'",
            remedy="pictures are [channels, height, width] with 1 to 4 channels",
        )
    name, settings = known
    numbers = picture.detach().cpu().to(torch.float64).permute(1, 2, 0).numpy()
    if not np.isfinite(numbers).all():
        raise ComposeError(f"the picture for '{shown(path)}' has numbers that are not finite")
    unit = np.clip((numbers + 1) / 2, 0, 1)
    deep = like is not None and like.depth == 16 and unit.shape[2] == 1 and name in _DEEP_FORMATS
    if deep:
        image = Image.fromarray(np.rint(unit[..., 0] * 65535).astype(np.uint16))
    else:
        values = np.rint(unit * 255).astype(np.uint8)
        image = Image.fromarray(values[..., 0] if values.shape[2] == 1 else values)
        if name in ("JPEG", "BMP", "WEBP") and image.mode in ("LA", "RGBA"):
            image = image if name == "WEBP" else image.convert("L" if image.mode == "LA" else "RGB")
    try:
        with replacing(target) as temporary:
            image.save(os.fspath(temporary), format=name, **settings)
    except OSError as error:
        raise explain(error) from None


def pad_to(picture: torch.Tensor, height: int, width: int, mode: str = "reflect") -> tuple[torch.Tensor, Window]:
    """A picture [..., h, w] in the middle of one of height x width, its edges mirrored outwards, and where it lies.

    Mirroring needs more picture than border; where there is less, or with `mode="replicate"`, edge pixels repeat.
    """
    old_height, old_width = picture.shape[-2:]
    if height < old_height or width < old_width:
        raise ComposeError(f"a picture of {old_height} x {old_width} cannot be padded to {height} x {width}")
    top, left = (height - old_height) // 2, (width - old_width) // 2
    window = Window(top, left, old_height, old_width)
    rows = _border(old_height, top, height, mode, picture.device)
    columns = _border(old_width, left, width, mode, picture.device)
    return picture.index_select(-2, rows).index_select(-1, columns), window


def _border(size: int, before: int, padded: int, mode: str, device: torch.device) -> torch.Tensor:
    """For each padded row or column the one of the picture that it repeats."""
    index = torch.arange(-before, padded - before, device=device)
    if mode == "reflect" and max(before, padded - before - size) < size:
        index = index.abs()
        return torch.where(index >= size, 2 * (size - 1) - index, index)
    return index.clamp(0, size - 1)


def crop_back(picture: torch.Tensor, window: Window) -> torch.Tensor:
    """The part of a padded picture [..., h, w] that `pad_to` was given."""
    rows = slice(window.top, window.top + window.height)
    return picture[..., rows, window.left : window.left + window.width]
