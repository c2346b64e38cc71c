"""Label maps, ids, attributes, codes and other rows of a label: from fields to batches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from data_folders import Noise
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from composer.data import Field, Stream, bind, open_data
from composer.data.demo import demo_dataset
from composer.data.maps import read_ids
from composer.data.prepare import class_numbers, nearest_ids
from composer.data.reading import Unreadable
from composer.data.recipe import make_recipe
from composer.errors import ComposeError, Place

PLACE = Place("g.yaml", 7, 3)


def scene(classes: int = 4, height: int = 8, width: int = 8, **options: Any) -> list[Stream]:
    return [
        Stream(
            "scene",
            (
                Field("label", "label_map", (classes, height, width), options, PLACE, ("classes", "h", "w")),
                Field("inst", "ids", (height, width)),
                Field("photo", "image", (1, height, width), {"filter": "nearest"}),
            ),
        )
    ]


class Scenes:
    """Rows in which each pixel has one id, and its picture shows that id as grey."""

    def __init__(self, top: int, height: int, width: int, rows: int = 3) -> None:
        self.top, self.height, self.width, self.rows = top, height, width, rows

    def __len__(self) -> int:
        return self.rows

    def row(self, index: int) -> dict[str, Any]:
        ids = np.random.default_rng(index).integers(0, self.top, (self.height, self.width))
        return {"label": ids, "inst": ids * 100_000, "photo": ids.astype(np.uint8)[..., None]}

    def describe(self) -> str:
        return "ids"


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 30), st.integers(1, 30))
def test_ids_are_resized_as_the_nearest_filter_does(height: int, width: int, to_height: int, to_width: int) -> None:
    ids = np.arange(height * width, dtype=np.int32).reshape(height, width)
    by_hand = Image.fromarray(ids).resize((to_width, to_height), Image.Resampling.NEAREST)
    assert np.array_equal(nearest_ids(ids, to_height, to_width), np.asarray(by_hand))


@settings(max_examples=25, deadline=None)
@given(st.integers(5, 30), st.integers(5, 30), st.integers(1, 5), st.sampled_from(["stretch", "shortest", "none"]))
def test_maps_are_cropped_and_mirrored_with_their_picture(height: int, width: int, crop: int, resize: str) -> None:
    streams = scene(200, crop, crop, load=crop + 3, resize=resize)
    data = bind(streams, {"scene": Scenes(200, height, width)}, seed=height)
    for train in (True, False):
        batch = data.loader(2, train=train).batch(1)
        assert batch["label"].shape == (2, crop, crop) and batch["label"].dtype == torch.int64
        shown = ((batch["photo"][:, 0] + 1) * 127.5).round().long()
        assert torch.equal(batch["label"], shown)
        assert torch.equal(batch["inst"], batch["label"] * 100_000)


def test_ignored_ids_become_the_class_after_the_last() -> None:
    data = bind(scene(4, ignore=[255, -1]), {"scene": Scenes(4, 8, 8)})
    source = data.sources["scene"]
    row = {**source.row(0), "label": np.array([[0, 3], [255, -1]])}
    source.row = lambda index: row  # type: ignore[method-assign]
    label = data.loader(1, train=False).batch(0)["label"]
    assert label[0].unique().tolist() == [0, 3, 4] and (label[0, 4:] == 4).all()


def test_an_empty_list_ignores_nothing() -> None:
    data = bind(scene(4, ignore=[]), {"scene": Scenes(4, 8, 8)})
    assert int(data.loader(1, train=False).batch(0)["label"].max()) < 4
    with pytest.raises(ComposeError, match="has the id 4"):
        class_numbers(np.array([[0, 4]]), make_recipe(scene(4, ignore=[])[0]).maps[0])


@pytest.mark.parametrize("wrong", [4, -1, 255])
def test_ids_beyond_the_classes_are_refused_in_any_source(wrong: int) -> None:
    source = Scenes(4, 8, 8)
    data = bind(scene(4), {"scene": source})
    row = {**source.row(0), "label": np.full((8, 8), wrong)}
    source.row = lambda index: row  # type: ignore[method-assign]
    with pytest.raises(ComposeError, match=f"row 0 of 'scene': 'label' has the id {wrong}, and label has 4 classes"):
        data.loader(1, train=False).batch(0)


# -- files ----------------------------------------------------------------------------------------------------------


IDS = np.array([[0, 1, 2], [30, 200, 255]])


def palette(ids: Any) -> Image.Image:
    picture = Image.fromarray(ids.astype(np.uint8))
    picture.putpalette(np.random.default_rng(0).integers(0, 256, 768, dtype=np.uint8).tobytes())
    assert picture.mode == "P"
    return picture


@pytest.mark.parametrize(
    ("name", "picture", "expected"),
    [
        ("grey.png", Image.fromarray(IDS.astype(np.uint8)), IDS),
        ("palette.png", palette(IDS), IDS),
        ("deep.png", Image.fromarray((IDS * 257).astype(np.uint16)), IDS * 257),
        ("deeper.tif", Image.fromarray((IDS * 70_000).astype(np.int32)), IDS * 70_000),
        ("grey_as_rgb.png", Image.fromarray(np.repeat(IDS.astype(np.uint8)[..., None], 3, 2)), IDS),
        ("two.png", Image.fromarray(IDS > 1), (IDS > 1).astype(int)),
    ],
)
def test_numbers_of_files_are_kept(tmp_path: Path, name: str, picture: Image.Image, expected: Any) -> None:
    picture.save(tmp_path / name)
    assert np.array_equal(read_ids(tmp_path / name), expected)


@pytest.mark.parametrize("kind", [np.uint8, np.int64, np.uint16, np.float32])
def test_arrays_are_maps_too(tmp_path: Path, kind: Any) -> None:
    np.save(tmp_path / "a.npy", IDS.astype(kind))
    assert np.array_equal(read_ids(tmp_path / "a.npy"), IDS)


def test_files_that_are_no_maps(tmp_path: Path) -> None:
    colours = np.random.default_rng(0).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    Image.fromarray(colours).save(tmp_path / "rgb.png")
    Image.fromarray(colours[..., 0]).save(tmp_path / "lossy.jpg")
    np.save(tmp_path / "half.npy", np.array([[0.5]]))
    np.save(tmp_path / "flat.npy", np.arange(3))
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "page.png").write_text("<html>")
    for name, words in {
        "rgb.png": r"a coloured picture \(RGB\)",
        "lossy.jpg": "JPEG changes numbers",
        "half.npy": "fractions are no ids",
        "flat.npy": r"an array \[3\]",
        "empty.png": "empty",
        "page.png": "no image format",
        "none.png": "no such file",
    }.items():
        with pytest.raises(Unreadable, match=words):
            read_ids(tmp_path / name)


def folders(root: Path, label: Any = IDS, rows: int = 2) -> Path:
    for number in range(rows):
        for name, picture in {
            "train_label": Image.fromarray(np.asarray(label, np.uint8)),
            "train_inst": Image.fromarray((IDS * 257).astype(np.uint16)),
            "train_img": Image.fromarray(np.zeros((2, 3), np.uint8)),
        }.items():
            (root / name).mkdir(exist_ok=True, parents=True)
            picture.save(root / name / f"{number}.png")
    return root


def test_all_ids_are_checked_before_training(tmp_path: Path) -> None:
    folders(tmp_path, [[0, 1], [5, 7]])
    Image.fromarray(np.array([[3, 9]], np.uint8)).save(tmp_path / "train_label/1.png")
    with pytest.raises(ComposeError) as raised:
        open_data([str(tmp_path)], scene(4))
    assert str(raised.value) == (
        "g.yaml:7:3: label is label_map(classes = 4, ...), and 2 of its 2 files have ids that are no class, "
        f"from 0 to 3: '{tmp_path}/train_label/0.png' has 5, 7, '{tmp_path}/train_label/1.png' has 9; "
        "set the number of classes to 10 (--set params.classes=10), or say which ids mean no class: ignore=[...]"
    )
    assert open_data([str(tmp_path)], scene(10)).rows() == {"scene": 2}


def test_255_is_proposed_as_no_class(tmp_path: Path) -> None:
    folders(tmp_path, [[0, 1, 255]])
    with pytest.raises(ComposeError, match=r"write label_map\(classes, h, w, ignore=255\)$"):
        open_data([str(tmp_path)], scene(4))
    data = open_data([str(tmp_path)], scene(4, ignore=255))
    assert set(data.loader(1).batch(0)["label"].unique().tolist()) <= {0, 1, 4}
    folders(tmp_path, [[0, 6, 255]])
    with pytest.raises(ComposeError, match=r"set the number of classes to 7 \(--set params.classes=7\) and ignore=255"):
        open_data([str(tmp_path)], scene(4))


def test_coloured_label_files_are_refused_with_words(tmp_path: Path) -> None:
    folders(tmp_path, [[0, 1]])
    Image.fromarray(np.arange(12, dtype=np.uint8).reshape(2, 2, 3)).save(tmp_path / "train_label/1.png")
    with pytest.raises(ComposeError) as raised:
        open_data([str(tmp_path)], scene(4))
    assert str(raised.value) == (
        "g.yaml:7:3: 1 of 2 files of label cannot be read as a label map: "
        f"'{tmp_path}/train_label/1.png' (a coloured picture (RGB): which colour is which number cannot be known); "
        "save them once as grey or palette files of numbers; a colour picture is read by image(3, ...)"
    )


# -- another row of the same label ----------------------------------------------------------------------------------


REFERENCE = [
    Stream(
        "reference",
        (
            Field("x", "image", (1, 4, 4)),
            Field("x2", "image", (1, 4, 4), {"another": "y"}),
            Field("y", "label", (3,)),
        ),
    )
]


class Flat(Noise):
    """Row i is a flat picture of grey i; its label is i modulo 3."""

    def row(self, index: int) -> dict[str, Any]:
        return {"x": np.full((4, 4, 1), index, np.uint8), "y": np.int64(index % 3)}


def numbers(batch: dict[str, torch.Tensor], name: str) -> list[int]:
    return [int(v) for v in ((batch[name][:, 0, 0, 0] + 1) * 127.5).round()]


def test_another_is_another_row_of_the_same_label() -> None:
    data = bind(REFERENCE, {"reference": Flat(11, "x", 1)}, seed=5)
    seen: dict[int, set[int]] = {}
    loader = data.loader(4)
    for number in range(60):
        batch = loader.batch(number)
        for own, other, label in zip(numbers(batch, "x"), numbers(batch, "x2"), batch["y"].tolist(), strict=True):
            assert own != other and own % 3 == other % 3 == label
            seen.setdefault(own, set()).add(other)
    # Every row of the domain is somebody's other one.
    assert all(found == {i for i in range(11) if i % 3 == own % 3} - {own} for own, found in seen.items())
    again = bind(REFERENCE, {"reference": Flat(11, "x", 1)}, seed=5).loader(4).batch(17)
    assert numbers(again, "x2") == numbers(loader.batch(17), "x2")
    different = bind(REFERENCE, {"reference": Flat(11, "x", 1)}, seed=6).loader(4)
    assert [numbers(different.batch(k), "x2") for k in range(9)] != [numbers(loader.batch(k), "x2") for k in range(9)]


def test_a_lonely_row_is_its_own_other_and_tests_take_the_next() -> None:
    data = bind(REFERENCE, {"reference": Flat(4, "x", 1)})
    batch = data.loader(4, train=False).batch(0)
    assert numbers(batch, "x") == [0, 1, 2, 3] and numbers(batch, "x2") == [3, 1, 2, 0]


def test_another_may_have_another_size_and_its_own_crop(tmp_path: Path) -> None:
    fields = (*REFERENCE[0].fields[::2], Field("x2", "image", (1, 2, 3), {"another": "y"}))
    data = bind([Stream("reference", fields)], {"reference": Flat(9, "x", 1)})
    assert data.loader(2).batch(3)["x2"].shape == (2, 1, 2, 3)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (
            (
                Field("x", "image", (3, 4, 4)),
                Field("x2", "image", (3, 4, 4), {"another": "z"}),
                Field("y", "label", (3,)),
            ),
            "'x2' shows another row with the same 'z', and 's' has no label of that name; known here: y",
        ),
        (
            (
                Field("x", "image", (1, 4, 4)),
                Field("x2", "image", (3, 4, 4), {"another": "y"}),
                Field("y", "label", (3,)),
            ),
            "'x2' is the picture of another row, and no other input of 's' is a picture of 3 channels; "
            "add the picture that it is another of",
        ),
    ],
)
def test_another_of_nothing(fields: tuple[Field, ...], words: str) -> None:
    with pytest.raises(ComposeError) as raised:
        bind([Stream("s", fields)], {})
    assert str(raised.value) == words


# -- the demo data --------------------------------------------------------------------------------------------------


def test_the_demo_shows_true_classes_and_instances() -> None:
    row = demo_dataset(scene(6, 64, 64)).sources["scene"].row(3)
    assert set(np.unique(row["label"])) <= set(range(6)) and {0, 1, 2} <= set(np.unique(row["label"]))
    things = row["inst"][row["label"] > 2]
    assert (things // 1000 == row["label"][row["label"] > 2]).all()
    assert (row["inst"][row["label"] < 3] == row["label"][row["label"] < 3]).all()
    few = demo_dataset(scene(3, 64, 64)).sources["scene"].row(3)
    assert np.array_equal(few["label"], np.minimum(row["label"], 2))


def test_the_demo_has_four_styles_and_their_attributes() -> None:
    fields = (Field("x", "image", (3, 16, 16)), Field("y", "attributes", (6,)))
    source = demo_dataset([Stream("s", fields)]).sources["s"]
    styles = [source.row(index)["y"][:3].tolist() for index in range(4)]
    assert styles == [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert not np.array_equal(source.row(0)["x"].mean((0, 1)), source.row(4)["x"].mean((0, 1)))
    four = demo_dataset([Stream("s", (Field("x", "image", (3, 16, 16)), Field("y", "label", (4,))))])
    assert "(day, night, winter, dusk)" in four.describe()[0]
    seven = [Stream("s", (fields[0], Field("y", "attributes", (7,))))]
    with pytest.raises(ComposeError, match=r"7 numbers and the demo data 6 attributes; they are night, winter, dusk, "):
        demo_dataset(seven)
