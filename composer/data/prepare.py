"""From the pixels of a row to the arrays of a batch: resize, crop, mirror, scale of numbers.

What never changes (resizing) comes first, so that its result can be kept; what is drawn anew (crop and mirror) is
cheap. One draw serves all pictures of a row, so they stay aligned.
Source of the usual recipe (stretch to load x load, random crop, mirror half of the rows): Isola et al., Image-to-Image
Translation with Conditional Adversarial Networks (arXiv:1611.07004), section 6.2.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from composer.data.recipe import Map, Picture, Recipe
from composer.data.source import Array, Pixels
from composer.errors import ComposeError


def resized(row: Mapping[str, Array], recipe: Recipe, *, train: bool) -> dict[str, Array]:
    """The row with its pictures at the size that they are cropped from."""
    result: dict[str, Array] = dict(row)
    for picture in recipe.pictures:
        pixels = row[picture.name]
        size = _resized_size(picture, recipe.resize, pixels.shape[0], pixels.shape[1], train=train)
        result[picture.name] = resize(pixels, *size, picture.filter)
    for one in recipe.maps:
        ids = row[one.name]
        size = _resized_size(one, recipe.resize, ids.shape[0], ids.shape[1], train=train)
        result[one.name] = nearest_ids(ids, *size)
    return result


def nearest_ids(ids: Array, height: int, width: int) -> Array:
    """Whole numbers [h, w] at another size: each pixel takes the number that lies at its middle, as Pillow does it."""
    if ids.shape == (height, width):
        return ids
    rows, columns = _nearest(ids.shape[0], height), _nearest(ids.shape[1], width)
    return np.asarray(ids[rows[:, None], columns])


@functools.lru_cache(maxsize=64)
def _nearest(size: int, wanted: int) -> npt.NDArray[np.int32]:
    """Which of `size` pixels each of `wanted` takes. Where two are equally near, Pillow's rounding decides."""
    line = Image.fromarray(np.arange(size, dtype=np.int32)[:, None])
    return np.asarray(line.resize((1, wanted), Image.Resampling.NEAREST))[:, 0]


def _resized_size(picture: Picture | Map, how: str, height: int, width: int, *, train: bool) -> tuple[int, int]:
    """At test time a picture is brought to the size of the crop itself, so that all of it, or its middle, is seen."""
    target = picture.load if train else (picture.height, picture.width)
    if how == "stretch":
        return target
    cover = max(picture.height / height, picture.width / width)
    scale = max(1.0, cover) if how == "none" else max(min(target) / min(height, width), cover)
    # Rounding may lose the last pixel of the crop.
    return max(picture.height, round(height * scale)), max(picture.width, round(width * scale))


def resize(pixels: Pixels, height: int, width: int, name: str = "bicubic") -> Pixels:
    """Pixels [h, w, c] at another size, interpolated by Pillow with antialiasing, each channel for itself."""
    if pixels.shape[:2] == (height, width):
        return pixels
    method = Image.Resampling[name.upper()]
    channels = pixels.shape[2]
    if pixels.dtype == np.uint8 and channels == 3:
        return np.asarray(Image.fromarray(pixels).resize((width, height), method))
    planes = [
        np.asarray(Image.fromarray(np.ascontiguousarray(pixels[..., c])).resize((width, height), method))
        for c in range(channels)
    ]
    stacked = np.stack(planes, axis=2)
    # Bicubic overshoots at edges; Pillow clips bytes by itself.
    return stacked if stacked.dtype == np.uint8 else np.clip(stacked, 0, 1)


def finished(row: Mapping[str, Array], recipe: Recipe, draws: Sequence[float] | None) -> dict[str, Array]:
    """A resized row, cropped and mirrored: images float32 [c, h, w], maps int64 [h, w], labels int64 [].

    `draws` are three numbers in 0..1 for mirror, crop from the top and crop from the left; None is test time,
    which takes the middle and never mirrors.
    """
    mirrored = draws is not None and draws[0] < recipe.flip
    down, right = (draws[1], draws[2]) if draws is not None and recipe.random_crop else (None, None)
    result: dict[str, Array] = {name: _label(row, name, classes, recipe.stream) for name, classes in recipe.labels}
    result.update({name: _vector(row, name, count, recipe.stream) for name, count in recipe.vectors})
    lead = min(recipe.sheets, key=lambda sheet: sheet.height * sheet.width, default=None)
    if lead is None:
        return result
    # The position is drawn in pixels of the smallest picture; larger ones of the row are cropped in proportion.
    room = row[lead.name].shape
    top, left = _offset(room[0] - lead.height, down), _offset(room[1] - lead.width, right)
    for sheet in recipe.sheets:
        pixels = row[sheet.name]
        tall, wide = sheet.height / lead.height, sheet.width / lead.width
        if abs(pixels.shape[0] - room[0] * tall) > max(1, tall) or abs(pixels.shape[1] - room[1] * wide) > max(1, wide):
            raise ComposeError(_unlike(lead, sheet, row), remedy="paired pictures must have the same proportions")
        # Rounding may have made this one a pixel smaller than it should be.
        y = min(round(top * tall), pixels.shape[0] - sheet.height)
        x = min(round(left * wide), pixels.shape[1] - sheet.width)
        cut = pixels[y : y + sheet.height, x : x + sheet.width]
        cut = cut[:, ::-1] if mirrored else cut
        if isinstance(sheet, Map):
            result[sheet.name] = class_numbers(cut, sheet)
        else:
            result[sheet.name] = to_numbers(cut, unit=sheet.unit)
    return result


def class_numbers(ids: Array, one: Map) -> npt.NDArray[np.int64]:
    """The ids of a map as they go into a batch. Raises ComposeError for an id that is no class."""
    found = ids.astype(np.int64)
    if one.ignore:
        found[np.isin(found, one.ignore)] = one.classes
    if one.classes and not 0 <= int(found.min()) <= int(found.max()) < one.classes + bool(one.ignore):
        wrong = int(found.min()) if found.min() < 0 else int(found.max())
        raise ComposeError(
            f"'{one.name}' has the id {wrong}, and {one.name} has {one.classes} classes",
            remedy=f"ids go from 0 to {one.classes - 1}",
        )
    return found


def _offset(room: int, share: float | None) -> int:
    """Where a crop starts: each of the `room + 1` places is equally likely, or the middle one without a draw."""
    return room // 2 if share is None else int(share * (room + 1))


def _unlike(lead: Picture | Map, picture: Picture | Map, row: Mapping[str, Array]) -> str:
    sizes = [f"'{one.name}' {row[one.name].shape[1]} x {row[one.name].shape[0]}" for one in (lead, picture)]
    return f"the pictures do not fit on each other: {' and '.join(sizes)} after resizing"


def _label(row: Mapping[str, Array], name: str, classes: int, stream: str) -> Array:
    value = np.array(row[name], dtype=np.int64)
    if not 0 <= int(value) < classes:
        fact = f"a row of '{stream}' has {name} = {int(value)}, and {name} is label({classes})"
        raise ComposeError(fact, remedy=f"labels go from 0 to {classes - 1}")
    return value


def _vector(row: Mapping[str, Array], name: str, count: int, stream: str) -> npt.NDArray[np.float32]:
    value = np.array(row[name], dtype=np.float32)
    if value.shape != (count,):
        raise ComposeError(f"a row of '{stream}' has {value.size} numbers for {name}, which takes {count}")
    return value


def to_numbers(pixels: Pixels, *, unit: bool) -> npt.NDArray[np.float32]:
    """Pixels [h, w, c] as float32 [c, h, w]: black is -1 and white 1, or 0 and 1 when `unit`."""
    numbers = np.ascontiguousarray(pixels.transpose(2, 0, 1)).astype(np.float32)
    if pixels.dtype == np.uint8:
        numbers /= np.float32(255)
    if not unit:
        numbers -= np.float32(0.5)
        numbers *= np.float32(2)
    return numbers
