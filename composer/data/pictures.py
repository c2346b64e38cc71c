"""Pictures in and out of tensors for translation: read, pad to a size the network takes, crop back, write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from composer.data import arrays, deep_png, tiff_writing
from composer.data.decode import decode
from composer.data.numbers import MODES
from composer.data.prepare import resize, to_numbers
from composer.data.reading import AS_IT_IS, ImageInfo, PathLike, Reading, Unreadable, shown
from composer.errors import ComposeError
from composer.files import explain, replacing

# How files of 8 bits a channel are written; the same picture gives the same bytes.
_WRITERS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    ".png": ("PNG", {"compress_level": 6}),
    ".bmp": ("BMP", {}),
    ".tif": ("TIFF", {}),
    ".tiff": ("TIFF", {}),
    ".jpg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".jpeg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".webp": ("WEBP", {"lossless": True}),
    ".npy": ("NPY", {}),
}
_TIFF_NUMBERS = {"float16": "float32", "float64": "float32", "int64": "int32", "uint64": "uint32"}


@dataclass(frozen=True)
class Window:
    """Where a picture lies in its padded form; pixels."""

    top: int
    left: int
    height: int
    width: int


def read_image(path: PathLike, channels: int = 3, reading: Reading = AS_IT_IS) -> tuple[torch.Tensor, ImageInfo]:
    """A picture as float32 [channels, h, w] in [-1, 1], upright, and what the file was. Raises ComposeError."""
    try:
        pixels, info = decode(path, channels, reading)
    except Unreadable as error:
        raise ComposeError(f"cannot read '{shown(path)}' ({error})", remedy="replace it or leave it out") from None
    return torch.from_numpy(to_numbers(pixels, unit=False)), info


def resize_image(picture: torch.Tensor, height: int, width: int, filter: str = "bicubic") -> torch.Tensor:
    """A picture [c, h, w] in [-1, 1] at another size, interpolated in float; for files use the data pipeline."""
    unit = (picture.detach().cpu().to(torch.float32).permute(1, 2, 0).numpy() + 1) / 2
    return torch.from_numpy(to_numbers(resize(unit.astype(np.float32), height, width, filter), unit=False))


def suffix_for(like: ImageInfo, channels: int) -> str:
    """The suffix of a file that can hold a picture of that many channels with the range of `like`."""
    if like.form == "npy":
        return ".npy"
    return ".png" if channels <= 4 and like.numbers in ("uint8", "uint16") else ".tif"


def write_image(path: PathLike, picture: torch.Tensor, like: ImageInfo | None = None) -> None:
    """Write [c, h, w] in [-1, 1] in the format of the suffix, whole or not at all; numbers beyond are clipped.

    The numbers are those of `like` where the format can hold them: its type, and its black and white; fractions become
    16 bits in a PNG. Without `like`, and in other formats, they have 8 bits.
    Raises ComposeError: no finite numbers, no format of that name, no picture, no place on the disk.
    """
    target = Path(path)
    known = _WRITERS.get(target.suffix.lower())
    if known is None:
        raise ComposeError(f"cannot write '{shown(path)}'", remedy=f"use one of {' '.join(_WRITERS)}")
    if picture.ndim != 3 or 0 in picture.shape:
        raise ComposeError(
            f"{list(picture.shape)} is no picture to write to '{shown(path)}'",
            remedy="pictures are [channels, height, width]",
        )
    name, settings = known
    if picture.shape[0] not in MODES and name not in ("TIFF", "NPY"):
        raise ComposeError(
            f"'{shown(path)}' cannot hold {picture.shape[0]} channels", remedy="write more than 4 to a .tif or .npy"
        )
    numbers = picture.detach().cpu().to(torch.float64).permute(1, 2, 0).numpy()
    if not np.isfinite(numbers).all():
        raise ComposeError(f"the picture for '{shown(path)}' has numbers that are not finite")
    values = _values(np.clip((numbers + 1) / 2, 0, 1), name, like)
    try:
        with replacing(target) as temporary, open(temporary, "wb") as file:
            if name == "NPY":
                arrays.write(file, values, like.axes if like is not None else "hwc")
            elif name == "TIFF" and (values.dtype != np.uint8 or values.shape[2] > 4):
                file.write(tiff_writing.written(values))
            elif values.dtype == np.uint16 and values.shape[2] > 1:
                file.write(deep_png.written(values))
            else:
                _image(values, name).save(file, format=name, **settings)
    except OSError as error:
        raise explain(error) from None


def _values(unit: npt.NDArray[np.float64], name: str, like: ImageInfo | None) -> npt.NDArray[Any]:
    """Numbers from 0 to 1 as a format holds them, those of `like` where it can."""
    if like is None or like.depth == 8 or name not in ("PNG", "TIFF", "NPY"):
        return np.rint(unit * 255).astype(np.uint8)
    kind = like.numbers if name == "NPY" else _TIFF_NUMBERS.get(like.numbers, like.numbers)
    if name == "PNG" and kind != "uint16":
        return np.rint(unit * 65535).astype(np.uint16)
    values = like.black + unit * (like.white - like.black)
    if like.fractions:
        return values.astype(kind)
    held = np.iinfo(kind)
    return np.clip(np.rint(values), held.min, held.max).astype(kind)


def _image(values: npt.NDArray[Any], name: str) -> Image.Image:
    image = Image.fromarray(values[..., 0] if values.shape[2] == 1 else values)
    if name in ("JPEG", "BMP") and image.mode in ("LA", "RGBA"):
        return image.convert("L" if image.mode == "LA" else "RGB")
    return image


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
