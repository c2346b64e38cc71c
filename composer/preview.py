"""A picture of what training gets: batches after resizing, crop and mirror, with sizes, ranges and ids.

One column a field, one row a row of the batch; under each picture the file it came from. Label maps are shown in one
colour a class with the number of each class in its largest places. Needs no torch.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from composer.colours import colour_of
from composer.data.batch import BatchMaker
from composer.data.dataset import Dataset
from composer.data.decode import shown
from composer.data.source import Array
from composer.data.survey import file_of
from composer.fields import Field

ROWS = 4  # shown at least, from further batches where one has fewer
MOST_ROWS = 8
NARROW, WIDE = 176, 560  # pixels of a column: smaller pictures are enlarged, larger ones reduced, by whole numbers
GAP, LINE = 14, 16  # pixels
MOST_NUMBERS = 12  # ids written into one map, values of one code
INK, FAINT, PAPER, FRAME = "#1b1f24", "#6a737d", "#ffffff", "#d0d7de"

Font: TypeAlias = "ImageFont.FreeTypeFont | ImageFont.ImageFont"
Bytes: TypeAlias = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Shown:
    """One field of one row as training gets it, and the name of the file it came from."""

    field: Field
    values: Array
    file: str


def first_rows(dataset: Dataset, batch: int) -> list[list[Shown]]:
    """Rows of the first batches of a run, at least `ROWS` of them and at most `MOST_ROWS`, field by field."""
    maker = dataset.maker(batch)
    rows: list[list[Shown]] = []
    number = 0
    while len(rows) < ROWS:
        rows += _rows_of(dataset, maker, number)
        number += 1
    return rows[:MOST_ROWS]


def _rows_of(dataset: Dataset, maker: BatchMaker, number: int) -> list[list[Shown]]:
    made = maker.make(number)
    rows: list[list[Shown]] = [[] for _ in range(maker.order.batch)]
    for stream in dataset.streams:
        source = dataset.sources[stream.name]
        for position, index in enumerate(maker.order.indices(stream.name, number)):
            for one in stream.fields:
                if one.name in made:
                    file = file_of(source, one.name, index)
                    name = shown(file).replace("\\", "/").rpartition("/")[2] if file else f"row {index}"
                    rows[position].append(Shown(one, made[one.name][position], name))
    return rows


def describe(rows: Sequence[Sequence[Shown]], batch: int) -> list[str]:
    """A line for every field: `x[a]  float32 [4, 3, 64, 64], -1 to 0.98`."""
    lines = []
    width = max((len(one.field.name) for one in rows[0]), default=0)
    for column in zip(*rows, strict=True):
        values = np.stack([one.values for one in column])
        shape = ", ".join(map(str, (batch, *values.shape[1:])))
        lines.append(f"  {column[0].field.name:<{width}}  {values.dtype} [{shape}], {_extent(values)}")
    return lines


def draw(rows: Sequence[Sequence[Shown]], title: str) -> bytes:
    """The picture as a PNG."""
    small, large = _font(12), _font(14)
    columns = list(zip(*rows, strict=True))
    tiles = [[_tile(one) for one in column] for column in columns]
    widths = [max(NARROW, *(tile.width for tile in column)) for column in tiles]
    heights = [max(column[row].height for column in tiles) for row in range(len(rows))]
    head = GAP + 2 * LINE + GAP + 3 * LINE
    sheet = Image.new(
        "RGB", (sum(widths) + GAP * (len(widths) + 1), head + sum(heights) + len(rows) * (2 * LINE + GAP)), PAPER
    )
    pen = ImageDraw.Draw(sheet)
    pen.text((GAP, GAP - 4), _cut(title, sheet.width - 2 * GAP, large), INK, large)
    left = GAP
    for column, pictures, width in zip(columns, tiles, widths, strict=True):
        top = GAP + 2 * LINE
        zoom = _zoom_words(column[0], pictures[0])
        for text, font, ink in (
            (column[0].field.name, large, INK),
            (_form(column[0].field), small, FAINT),
            (zoom, small, FAINT),
        ):
            pen.text((left, top), _cut(text, width, font), ink, font)
            top += LINE
        top = head
        for one, picture, height in zip(column, pictures, heights, strict=True):
            sheet.paste(picture, (left, top))
            pen.rectangle((left - 1, top - 1, left + picture.width, top + picture.height), outline=FRAME)
            pen.text((left, top + picture.height + 2), _cut(one.file, width, small), INK, small)
            pen.text((left, top + picture.height + 2 + LINE), _cut(_extent(one.values), width, small), FAINT, small)
            top += height + 2 * LINE + GAP
        left += width + GAP
    buffer = io.BytesIO()
    sheet.save(buffer, format="PNG")
    return buffer.getvalue()


def _tile(one: Shown) -> Image.Image:
    values = one.values
    if values.ndim == 3:
        return _scaled(_picture(one.field, values), Image.Resampling.BOX)
    if values.ndim == 2:
        return _map(values)
    return _card(_words(one.field, values))


def _picture(field: Field, values: Array) -> Bytes:
    """[c, h, w] as bytes [h, w, 3]."""
    unit = values if field.options.get("range") == "unit" else (values + 1) / 2
    pixels: Bytes = np.rint(np.clip(np.nan_to_num(unit), 0, 1) * 255).astype(np.uint8).transpose(1, 2, 0)
    return np.repeat(pixels[..., :1], 3, axis=2) if pixels.shape[2] < 3 else pixels[..., :3]


def _map(values: Array) -> Image.Image:
    """Numbers [h, w] as colours, with the number written where most of it is."""
    ids, index, counts = np.unique(values, return_inverse=True, return_counts=True)
    palette = np.array([colour_of(int(number)) for number in ids], dtype=np.uint8)
    picture = _scaled(palette[index.reshape(values.shape)], Image.Resampling.NEAREST)
    pen, font = ImageDraw.Draw(picture), _font(12)
    for position in np.argsort(-counts, kind="stable")[:MOST_NUMBERS]:
        if counts[position] * MOST_NUMBERS * 8 < values.size:
            continue
        y, x = _inside(values == ids[position])
        text = str(ids[position])
        half = font.getlength(text) / 2 + 2
        across, down = (x + 0.5) * picture.width / values.shape[1], (y + 0.5) * picture.height / values.shape[0]
        spot = (_between(half, across, picture.width - half), _between(LINE / 2, down, picture.height - LINE / 2))
        pen.text(spot, text, "white", font, anchor="mm", stroke_width=2, stroke_fill="black")
    return picture


def _inside(mask: npt.NDArray[np.bool_]) -> tuple[int, int]:
    """A point of a region that is near the middle of it, and in it."""
    rows, columns = np.nonzero(mask)
    distance = (rows - np.median(rows)) ** 2 + (columns - np.median(columns)) ** 2
    nearest = int(distance.argmin())
    return int(rows[nearest]), int(columns[nearest])


def _between(low: float, value: float, high: float) -> float:
    return max(low, min(value, high))


def _scaled(pixels: Bytes, method: Image.Resampling) -> Image.Image:
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    if picture.width < NARROW:
        times = min(-(-NARROW // picture.width), 16)
        return picture.resize((picture.width * times, picture.height * times), Image.Resampling.NEAREST)
    if picture.width > WIDE:
        parts = -(-picture.width // WIDE)
        return picture.resize((picture.width // parts, max(1, picture.height // parts)), method)
    return picture


def _zoom_words(one: Shown, picture: Image.Image) -> str:
    if one.values.ndim < 2 or one.values.shape[-1] == picture.width:
        return ""
    own = one.values.shape[-1]
    return (
        f"shown {picture.width // own} times as large" if picture.width > own else f"shown at 1/{own // picture.width}"
    )


def _card(words: Sequence[str]) -> Image.Image:
    font = _font(13)
    card = Image.new("RGB", (NARROW, max(2, len(words)) * (LINE + 2) + 8), PAPER)
    pen = ImageDraw.Draw(card)
    for number, text in enumerate(words):
        pen.text((6, 4 + number * (LINE + 2)), _cut(text, NARROW - 8, font), INK, font)
    return card


def _words(field: Field, values: Array) -> list[str]:
    """What a label, attributes or a code say."""
    if values.ndim == 0:
        return [f"{field.name} = {values}"]
    flat = values.reshape(-1)
    if field.kind == "attributes":
        on = [str(number) for number in np.flatnonzero(flat).tolist()]
        return ["has " + ", ".join(on[:MOST_NUMBERS]) if on else "has none", f"of {flat.size}"]
    words = [f"{value:.3g}" for value in flat[:MOST_NUMBERS].tolist()]
    return [" ".join(words[i : i + 4]) for i in range(0, len(words), 4)] or [""]


def _extent(values: Array) -> str:
    """`-1 to 0.98` or `ids 0, 3, 7`."""
    if values.dtype.kind in "iu":
        ids = np.unique(values).tolist()
        more = f" and {len(ids) - MOST_NUMBERS} more" if len(ids) > MOST_NUMBERS else ""
        return f"{'ids' if len(ids) > 1 else 'id'} {', '.join(map(str, ids[:MOST_NUMBERS]))}{more}"
    return f"{float(values.min()):.3g} to {float(values.max()):.3g}" if values.size else "nothing"


def _form(field: Field) -> str:
    """`image(3, 64, 64, load=72)`."""
    parts = [*map(str, field.args), *(f"{name}={_plain(value)}" for name, value in field.options.items())]
    return f"{field.kind}({', '.join(parts)})"


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _cut(text: str, width: float, font: Font) -> str:
    """As much of a text as fits."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "...") > width:
        text = text[:-1]
    return text + "..."


def _font(size: int) -> Font:
    return ImageFont.load_default(size)
