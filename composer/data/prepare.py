"""From the pixels of a row to the arrays of a batch: resize, crop, mirror, scale of numbers.

What never changes (resizing) comes first, so that its result can be kept; what is drawn anew (crop and mirror) is
cheap. One draw serves all pictures of a row, so they stay aligned.
Source of the usual recipe (stretch to load x load, random crop, mirror half of the rows): Isola et al., Image-to-Image
Translation with Conditional Adversarial Networks (arXiv:1611.07004), section 6.2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from composer.data.source import Array, Pixels
from composer.errors import ComposeError
from composer.fields import Stream, load_size, shared_option


@dataclass(frozen=True)
class Picture:
    """How one image field is prepared. Sizes in pixels; `load` is the size before the crop."""

    name: str
    channels: int
    height: int
    width: int
    load: tuple[int, int]
    filter: str
    unit: bool


@dataclass(frozen=True)
class Recipe:
    """How a row of one stream is prepared; plain data, so that it can be sent to another process."""

    stream: str
    pictures: tuple[Picture, ...]
    labels: tuple[tuple[str, int], ...]  # name and number of classes
    resize: str
    random_crop: bool
    flip: float


def make_recipe(stream: Stream) -> Recipe:
    """Settle the options of a stream that `check_streams` found right. `load` of one field serves the others too."""
    images = [column for column in stream.fields if column.kind == "image"]
    labels = tuple((column.name, column.args[0]) for column in stream.fields if column.kind == "label")
    loads = [(column, size) for column in images if (size := load_size(column)) is not None]
    pictures = []
    for column in images:
        channels, height, width = column.args
        size = load_size(column)
        if size is None and loads:
            other, (load_height, load_width) = loads[0]
            size = (round(height * load_height / other.args[1]), round(width * load_width / other.args[2]))
        pictures.append(
            Picture(
                column.name,
                channels,
                height,
                width,
                size or (height, width),
                column.options.get("filter", "bicubic"),
                column.options.get("range", "signed") == "unit",
            )
        )
    return Recipe(
        stream.name,
        tuple(pictures),
        labels,
        shared_option(stream, "resize", "stretch"),
        shared_option(stream, "crop", "random") == "random",
        float(shared_option(stream, "flip", 0.5)),
    )


def resized(row: Mapping[str, Array], recipe: Recipe, *, train: bool) -> dict[str, Array]:
    """The row with its pictures at the size that they are cropped from."""
    result: dict[str, Array] = dict(row)
    for picture in recipe.pictures:
        pixels = row[picture.name]
        size = _resized_size(picture, recipe.resize, pixels.shape[0], pixels.shape[1], train=train)
        result[picture.name] = resize(pixels, *size, picture.filter)
    return result


def _resized_size(picture: Picture, how: str, height: int, width: int, *, train: bool) -> tuple[int, int]:
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
    """A resized row, cropped and mirrored: images float32 [c, h, w], labels int64 [].

    `draws` are three numbers in 0..1 for mirror, crop from the top and crop from the left; None is test time,
    which takes the middle and never mirrors.
    """
    mirrored = draws is not None and draws[0] < recipe.flip
    down, right = (draws[1], draws[2]) if draws is not None and recipe.random_crop else (None, None)
    result: dict[str, Array] = {name: _label(row, name, classes, recipe.stream) for name, classes in recipe.labels}
    lead = min(recipe.pictures, key=lambda picture: picture.height * picture.width, default=None)
    if lead is None:
        return result
    # The position is drawn in pixels of the smallest picture; larger ones of the row are cropped in proportion.
    room = row[lead.name].shape
    top, left = _offset(room[0] - lead.height, down), _offset(room[1] - lead.width, right)
    for picture in recipe.pictures:
        pixels = row[picture.name]
        tall, wide = picture.height / lead.height, picture.width / lead.width
        if abs(pixels.shape[0] - room[0] * tall) > max(1, tall) or abs(pixels.shape[1] - room[1] * wide) > max(1, wide):
            raise ComposeError(_unlike(lead, picture, row), remedy="paired pictures must have the same proportions")
        # Rounding may have made this one a pixel smaller than it should be.
        y = min(round(top * tall), pixels.shape[0] - picture.height)
        x = min(round(left * wide), pixels.shape[1] - picture.width)
        cut = pixels[y : y + picture.height, x : x + picture.width]
        result[picture.name] = to_numbers(cut[:, ::-1] if mirrored else cut, unit=picture.unit)
    return result


def _offset(room: int, share: float | None) -> int:
    """Where a crop starts: each of the `room + 1` places is equally likely, or the middle one without a draw."""
    return room // 2 if share is None else int(share * (room + 1))


def _unlike(lead: Picture, picture: Picture, row: Mapping[str, Array]) -> str:
    sizes = [f"'{one.name}' {row[one.name].shape[1]} x {row[one.name].shape[0]}" for one in (lead, picture)]
    return f"the pictures do not fit on each other: {' and '.join(sizes)} after resizing"


def _label(row: Mapping[str, Array], name: str, classes: int, stream: str) -> Array:
    value = np.asarray(row[name], dtype=np.int64)
    if not 0 <= int(value) < classes:
        fact = f"a row of '{stream}' has {name} = {int(value)}, and {name} is label({classes})"
        raise ComposeError(fact, remedy=f"labels go from 0 to {classes - 1}")
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
