"""The picture of a batch as training gets it."""

from __future__ import annotations

import io

import numpy as np
import pytest
from data_folders import STREAMS, folder, noise
from PIL import Image

from composer.colours import colour_of
from composer.data import Field, Stream, open_data
from composer.preview import GAP, LINE, MOST_ROWS, NARROW, ROWS, WIDE, Shown, describe, draw, first_rows

TOP, LEFT = GAP + 2 * LINE + GAP + 3 * LINE, GAP


def sheet(rows):
    return Image.open(io.BytesIO(draw(rows, "a title"))).convert("RGB")


@pytest.mark.parametrize("batch", [1, 3, 4, 20])
def test_rows_are_those_that_training_gets(batch):
    data = noise(rows=(9, 25))
    rows = first_rows(data, batch)
    assert len(rows) == {1: ROWS, 3: 6, 4: 4, 20: MOST_ROWS}[batch]
    loader = data.loader(batch)
    for number, row in enumerate(rows):
        made = loader.batch(number // batch)
        assert [one.field.name for one in row] == ["x[a]", "y", "x[b]"]
        for one in row:
            np.testing.assert_array_equal(one.values, made[one.field.name][number % batch].numpy())


def test_a_row_names_its_files(tmp_path):
    folder(tmp_path, trainA=["p", "q"], trainB=["r"])
    streams = [Stream(f"domain[{d}]", (Field(f"x[{d}]", "image", (3, 16, 16)),)) for d in "ab"]
    rows = first_rows(open_data([str(tmp_path)], streams), 1)
    assert {row[0].file for row in rows} == {"p.png", "q.png"} and {row[1].file for row in rows} == {"r.png"}


def test_pixels_are_shown_as_they_are():
    values = np.random.default_rng(0).random((3, 8, 6), dtype=np.float32)
    signed = Shown(Field("a", "image", (3, 8, 6)), values * 2 - 1, "a.png")
    unit = Shown(Field("b", "image", (1, 8, 6), {"range": "unit"}), values[:1], "b.png")
    picture = np.asarray(sheet([[signed, unit]]))
    zoom = 16  # the most that a small picture is enlarged
    for left, shown in ((LEFT, values), (LEFT + NARROW + GAP, np.repeat(values[:1], 3, axis=0))):
        cut = picture[TOP : TOP + 8 * zoom, left : left + 6 * zoom]
        wanted = np.rint(shown.transpose(1, 2, 0) * 255).astype(np.uint8)
        np.testing.assert_array_equal(cut, wanted.repeat(zoom, axis=0).repeat(zoom, axis=1))


def test_large_pictures_are_reduced_by_whole_numbers():
    values = np.zeros((3, 40, 3 * WIDE), np.float32)
    values[0] = 1
    picture = sheet([[Shown(Field("a", "image", values.shape), values, "a.png")]])
    assert picture.width == WIDE + 2 * GAP
    assert picture.getpixel((LEFT + WIDE // 2, TOP + 5)) == (255, 128, 128)


def test_maps_have_one_colour_a_class_and_their_numbers():
    values = np.zeros((200, 200), np.int64)
    values[:, 100:] = 7
    values[:4, :4] = 3  # too small for a number
    rows = [[Shown(Field("label", "label_map", (9, 200, 200)), values, "a.png")]]
    picture = sheet(rows)
    assert picture.getpixel((LEFT + 20, TOP + 150)) == colour_of(0)
    assert picture.getpixel((LEFT + 180, TOP + 150)) == colour_of(7)
    assert picture.getpixel((LEFT + 1, TOP + 1)) == colour_of(3)
    middle = np.asarray(picture.crop((LEFT + 140, TOP + 90, LEFT + 160, TOP + 110)))
    assert (middle > 200).all(axis=2).any()  # the number, in white
    assert describe(rows, 1) == ["  label  int64 [1, 200, 200], ids 0, 3, 7"]


def test_a_number_at_the_edge_stays_in_the_picture():
    values = np.zeros((200, 200), np.int64)
    values[-3:] = 26001
    picture = sheet([[Shown(Field("inst", "ids", (200, 200)), values, "a.png")]])
    strip = np.asarray(picture.crop((LEFT, TOP + 200 - LINE, LEFT + 200, TOP + 200)))
    assert (strip > 200).all(axis=2).any()


def test_every_kind_of_field_finds_a_place():
    random = np.random.default_rng(1)
    row = [
        Shown(Field("y", "label", (3,)), np.array(2), "dogs.jpg"),
        Shown(Field("has", "attributes", (40,)), (random.random(40) > 0.5).astype(np.float32), "row 3"),
        Shown(Field("z", "code", (20,)), random.normal(size=20).astype(np.float32), "row 3"),
        Shown(Field("deep", "image", (2, 16, 16)), random.random((2, 16, 16), dtype=np.float32), "x" * 200),
        Shown(Field("many", "image", (7, 16, 16)), np.full((7, 16, 16), np.nan, np.float32), "m"),
    ]
    picture = sheet([row, row])
    assert picture.width == 5 * NARROW + 6 * GAP
    cells = [
        np.asarray(picture.crop((LEFT + i * (NARROW + GAP), TOP, (i + 1) * (NARROW + GAP), TOP + 40))) for i in range(5)
    ]
    assert all(len(np.unique(cell)) > 1 for cell in cells[:4])
    assert describe([row], 1)[0].split() == ["y", "int64", "[1],", "id", "2"]


def test_the_same_rows_give_the_same_picture():
    assert draw(first_rows(noise(), 2), "t") == draw(first_rows(noise(), 2), "t")
    assert len(STREAMS) == 2
