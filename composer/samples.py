"""Sample grids: one row a sample, one column a value of `show:`, names above the columns.

Images are float tensors in [-1, 1] and become bytes in 0..255. Label maps (integers) and maps of many channels
(one-hot labels, class scores) get one colour a class, the same in every picture.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, PngImagePlugin

from composer.colours import colour_of
from composer.files import write_atomically

Pixels = NDArray[np.uint8]

GAP = 2  # pixels between pictures
HEADER = 14  # pixels above the columns, for their names
LAYOUT = "composer-grid"  # the text of the PNG that says where its pictures are; see `grid`


def grid(columns: Mapping[str, Any]) -> bytes:
    """A PNG of values by name, each [b, c, h, w] or label maps [b, h, w]; what is no picture is left out.

    The file says in its text `composer-grid`, as JSON, where its pictures are: `columns` with `name`, `x`, `width` and
    `height` in pixels, the number of `rows`, and `top` and `pitch`, the y of the first row and from one to the next.
    """
    pictures = {name: picture for name, value in columns.items() if (picture := to_pixels(value)) is not None}
    if not pictures:
        return b""
    rows = max(len(p) for p in pictures.values())
    height = max(p.shape[1] for p in pictures.values())
    widths = [p.shape[2] for p in pictures.values()]
    sheet = Image.new("RGB", (sum(widths) + GAP * (len(widths) + 1), HEADER + rows * (height + GAP) + GAP), "white")
    pen = ImageDraw.Draw(sheet)
    left = GAP
    places = []
    for (name, picture), width in zip(pictures.items(), widths, strict=True):
        pen.text((left, 1), fitting(name, width, pen), fill="black")
        for row, one in enumerate(picture):
            sheet.paste(Image.fromarray(one), (left, HEADER + GAP + row * (height + GAP)))
        places.append({"name": name, "x": left, "width": width, "height": picture.shape[1]})
        left += width + GAP
    layout = {"columns": places, "rows": rows, "top": HEADER + GAP, "pitch": height + GAP}
    return png(sheet, {LAYOUT: json.dumps(layout)})


def to_pixels(value: Any) -> Pixels | None:
    """Bytes [b, h, w, 3] of images [b, c, h, w] or label maps [b, h, w]; None for what is no picture."""
    if not isinstance(value, torch.Tensor):
        return None
    value = value.detach().cpu()
    if value.ndim == 3 and not value.is_floating_point():
        return _colours(value.numpy())
    if value.ndim != 4 or min(value.shape) == 0:
        return None
    if not value.is_floating_point():
        return _colours(value[:, 0].numpy()) if value.shape[1] == 1 else None
    channels = value.shape[1]
    if channels > 4:
        return _colours(value.argmax(dim=1).numpy())
    pixels = to_bytes(value)
    if channels == 1:
        return np.repeat(pixels, 3, axis=3)
    if channels == 2:
        return np.concatenate([pixels, np.zeros_like(pixels[..., :1])], axis=3)
    return np.ascontiguousarray(pixels[..., :3])


def to_bytes(images: torch.Tensor) -> Pixels:
    """[b, c, h, w] in [-1, 1] to bytes [b, h, w, c] in 0..255, rounded; what lies outside is clipped."""
    scaled = torch.nan_to_num(images.detach().cpu().double()).clamp(-1, 1).add(1).mul(127.5)
    pixels: Pixels = scaled.round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
    return pixels


def png(image: Image.Image, texts: Mapping[str, str] | None = None) -> bytes:
    """The bytes of a PNG file with these texts in it; the same picture gives the same bytes."""
    buffer, about = io.BytesIO(), PngImagePlugin.PngInfo()
    for name, text in (texts or {}).items():
        about.add_text(name, text)
    image.save(buffer, format="PNG", pnginfo=about)
    return buffer.getvalue()


def write_grid(path: Path, columns: Mapping[str, Any]) -> bool:
    """Write the grid of `columns` to `path`, whole or not at all; False when there is no picture in it."""
    content = grid(columns)
    if content:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content)
    return bool(content)


def join_rows(parts: Sequence[Mapping[str, Any]], rows: int) -> dict[str, torch.Tensor]:
    """The first `rows` rows of values computed batch by batch."""
    joined = {}
    for name in parts[0] if parts else ():
        values = [part[name] for part in parts]
        same = [v for v in values if isinstance(v, torch.Tensor) and v.ndim > 0 and v.shape[1:] == values[0].shape[1:]]
        if same:
            joined[name] = torch.cat([v.detach().cpu() for v in same])[:rows]
    return joined


def _colours(labels: NDArray[Any]) -> Pixels:
    kinds, index = np.unique(labels, return_inverse=True)
    palette = np.array([colour_of(int(k)) for k in kinds], dtype=np.uint8)
    pixels: Pixels = palette[index.reshape(labels.shape)]
    return pixels


def fitting(name: str, width: int, pen: ImageDraw.ImageDraw) -> str:
    """As much of a name as fits over its column."""
    text = name
    while text and pen.textlength(text) > width:
        text = text[:-1]
    return text if text == name or len(text) < 3 else text[:-2] + ".."
