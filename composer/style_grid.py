"""One picture with inputs on one axis and styles on the other, as papers show what a method does.

The first column has the inputs, the first row the references where there are any; the rest are translations. Above a
column stands what its style is called, above an input its file.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw
from torch import Tensor

from composer.errors import ComposeError
from composer.files import write_atomically
from composer.samples import GAP, HEADER, LAYOUT, fitting, png, to_pixels

LARGEST = 256  # pixels of a cell; larger pictures are made smaller
NARROWEST = 64  # pixels of a column, so that its title can be read
APART = 6  # pixels between inputs and translations


@dataclass(frozen=True)
class GridRow:
    """A picture, what it is called, and its translations in the order of the styles."""

    title: str
    source: Image.Image
    made: tuple[Image.Image, ...]


def cell(picture: Tensor) -> Image.Image:
    """A picture [c, h, w] in [-1, 1] as the grid shows it, its sides at most `LARGEST`."""
    pixels = to_pixels(picture[None])
    if pixels is None:
        raise ComposeError("a grid shows pictures, and this translation gives none", remedy="leave --grid out")
    image = Image.fromarray(pixels[0])
    image.thumbnail((LARGEST, LARGEST), Image.Resampling.LANCZOS)
    return image


def check_grid(path: Path, pictures: Sequence[Path], force: bool) -> None:
    """Refuse what the grid cannot be written to, before any work."""
    if path.suffix.lower() != ".png":
        raise ComposeError(f"--grid writes a PNG file, and '{path}' is none", remedy=f"name it {path.stem}.png")
    if path.is_dir():
        raise ComposeError(f"'{path}' is a folder", remedy="name a file with --grid")
    if path.resolve() in {one.resolve() for one in pictures}:
        raise ComposeError(f"'{path}' would be replaced by the grid", remedy="name another --grid")
    if path.exists() and not force:
        raise ComposeError(f"'{path}' exists", remedy="name another --grid, or replace it with --force")


def style_grid(rows: Sequence[GridRow], titles: Sequence[str], references: Sequence[Sequence[Image.Image]]) -> bytes:
    """The PNG. `titles` and `references` belong to the styles.

    Its text `composer-grid` has what it shows as JSON: `inputs` and `styles`, by title.
    """
    cells = [one for row in rows for one in (row.source, *row.made)] + [one for some in references for one in some]
    wide, high = max(NARROWEST, *(one.width for one in cells)), max(one.height for one in cells)
    bands = max((len(some) for some in references), default=0)
    left = 2 * GAP + wide + APART  # of the first translation
    top = HEADER + GAP + bands * (high + GAP)  # of the first row with its title
    width = left + len(titles) * (wide + GAP)
    height = top + len(rows) * (HEADER + high + GAP) + GAP
    sheet = Image.new("RGB", (width, height), "white")
    pen = ImageDraw.Draw(sheet)
    for column, (title, some) in enumerate(zip(titles, references, strict=True)):
        x = left + column * (wide + GAP)
        pen.text((x, 1), fitting(title, wide, pen), fill="black")
        for band, one in enumerate(some):
            _place(sheet, one, x, HEADER + GAP + band * (high + GAP), wide, high)
    for number, row in enumerate(rows):
        y = top + number * (HEADER + high + GAP)
        pen.text((GAP, y), fitting(row.title, wide, pen), fill="black")
        _place(sheet, row.source, GAP, y + HEADER, wide, high)
        for column, one in enumerate(row.made):
            _place(sheet, one, left + column * (wide + GAP), y + HEADER, wide, high)
    shown = {"inputs": [row.title for row in rows], "styles": list(titles)}
    return png(sheet, {LAYOUT: json.dumps(shown)})


def write_style_grid(
    path: Path, rows: Sequence[GridRow], titles: Sequence[str], references: Sequence[Sequence[Tensor]]
) -> None:
    """Write the grid, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, style_grid(rows, titles, [[cell(one) for one in some] for some in references]))


def _place(sheet: Image.Image, one: Image.Image, x: int, y: int, wide: int, high: int) -> None:
    """In the middle of its cell."""
    sheet.paste(one, (x + (wide - one.width) // 2, y + (high - one.height) // 2))
