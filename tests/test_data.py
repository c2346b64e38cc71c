"""Folders to rows: the layouts people have."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from data_folders import LABELLED, PAIR, SINGLE, UNPAIRED, folder, paint
from PIL import Image

from composer.data import Dataset, Field, Stream, open_data
from composer.data.files import FileSource, list_images

SHARED = Path(__file__).parents[2] / "shared" / "data"


def stems(data: Dataset, stream: str, field: str) -> list[str]:
    source = data.sources[stream]
    assert isinstance(source, FileSource)
    return [Path(path).stem for path in source.columns[field].paths]


@pytest.fixture
def sets(tmp_path: Path) -> Path:
    """Small data sets in the layouts people have: the real ones where they lie beside the project, else painted."""
    if (SHARED / "cityscapes_pairs").is_dir():
        return SHARED
    for number in range(8):
        paint(tmp_path / "cityscapes_pairs/train" / f"{number}.png", 64, 32, number)
    folder(tmp_path / "gta2city", trainA="12345", trainB="67890", testA="12345", testB="67890")
    folder(tmp_path / "edges2handbags", trainA="02468", trainB="13579", testA="01", testB="01")
    folder(tmp_path / "cityscapes", train_img="12345678", train_label="12345678")
    for split in ("train", "val"):
        folder(tmp_path / "afhq" / split, cat="12345", dog="1234", wild="12345")
    return tmp_path


def test_two_folders_give_unpaired_rows_and_their_tests(sets: Path) -> None:
    data = open_data([str(sets / "gta2city")], UNPAIRED)
    for part in "ab":
        expected = [path.stem for path in list_images(sets / "gta2city" / f"train{part.upper()}")]
        assert stems(data, f"domain[{part}]", f"x[{part}]") == expected
    assert data.held_out is not None
    assert data.held_out.rows() == {"domain[a]": 5, "domain[b]": 5}
    assert data.describe()[0] == f"domain[a]: 5 pictures of {sets / 'gta2city' / 'trainA'}"


def test_one_file_gives_a_pair_side_by_side(sets: Path) -> None:
    data = open_data([str(sets / "cityscapes_pairs")], PAIR)
    first = list_images(sets / "cityscapes_pairs" / "train")[0]
    whole = np.asarray(Image.open(first).convert("RGB"))
    row = data.sources["pair"].row(0)
    half = whole.shape[1] // 2
    assert np.array_equal(row["a"], whole[:, :half]) and np.array_equal(row["b"], whole[:, half:])
    assert data.notes == ("each file holds pictures side by side, from the left: a, b",)
    assert data.held_out is None


@pytest.mark.parametrize("direction", ["b2a", "BtoA"])
def test_the_direction_swaps_halves(sets: Path, direction: str) -> None:
    forward = open_data([str(sets / "cityscapes_pairs")], PAIR)
    back = open_data([str(sets / "cityscapes_pairs")], PAIR, direction=direction)
    assert np.array_equal(back.sources["pair"].row(1)["a"], forward.sources["pair"].row(1)["b"])
    assert np.array_equal(back.sources["pair"].row(1)["b"], forward.sources["pair"].row(1)["a"])
    assert back.identity() != forward.identity()


def test_the_direction_swaps_folders(sets: Path) -> None:
    forward = open_data([str(sets / "edges2handbags")], UNPAIRED)
    back = open_data([str(sets / "edges2handbags")], UNPAIRED, direction="b2a")
    assert stems(back, "domain[a]", "x[a]") == stems(forward, "domain[b]", "x[b]")
    assert back.held_out is not None and forward.held_out is not None
    assert stems(back.held_out, "domain[b]", "x[b]") == stems(forward.held_out, "domain[a]", "x[a]")


def test_named_folders_pair_by_stem_whatever_the_suffix(sets: Path) -> None:
    root = sets / "cityscapes"
    data = open_data([f"b={root / 'train_label'}", f"a={root / 'train_img'}"], PAIR)
    assert stems(data, "pair", "a") == stems(data, "pair", "b")
    assert data.rows() == {"pair": 8} and data.notes == ()


def test_a_folder_a_domain_gives_labels_to_every_stream(sets: Path) -> None:
    data = open_data([str(sets / "afhq")], LABELLED)
    names = sorted(path.name for path in (sets / "afhq" / "train").iterdir())
    for stream, image, label in (("source", "x", "y"), ("reference", "x_ref", "y_ref")):
        source = data.sources[stream]
        assert isinstance(source, FileSource)
        found = [names.index(Path(path).parent.name) for path in source.columns[image].paths]
        assert found == list(source.labels[label]) and set(found) == {0, 1, 2}
        row = source.row(len(source) - 1)
        assert int(row[label]) == 2 and row[label].dtype == np.int64
    assert data.held_out is not None


@pytest.mark.parametrize("spelling", ["{short}={path}", "x[{short}]={path}"])
def test_inputs_go_by_short_and_whole_names(sets: Path, spelling: str) -> None:
    spec = [spelling.format(short=s, path=sets / "afhq/train" / f) for s, f in (("a", "cat"), ("b", "dog"))]
    data = open_data(spec, UNPAIRED)
    assert stems(data, "domain[b]", "x[b]") == [path.stem for path in list_images(sets / "afhq/train/dog")]


@pytest.mark.parametrize(
    "names",
    [
        ("trainA", "trainB"),
        ("TrainA", "TRAINB"),
        ("train_a", "train_b"),
        ("train-A", "train-B"),
        ("train__a", "train__b"),
        ("A__train", "B__train"),
        ("a", "b"),
    ],
)
def test_spellings_of_two_folders(tmp_path: Path, names: tuple[str, str]) -> None:
    folder(tmp_path, **{names[0]: ["1", "2"], names[1]: ["1", "2", "3"]})
    assert open_data([str(tmp_path)], UNPAIRED).rows() == {"domain[a]": 2, "domain[b]": 3}
    assert open_data([str(tmp_path)], PAIR).rows() == {"pair": 2}


def test_names_of_inputs_go_before_letters(tmp_path: Path) -> None:
    streams = [Stream(name, (Field(f"x[{name}]", "image", (3, 8, 8)),)) for name in ("summer", "winter")]
    folder(tmp_path, trainA=["1"], trainB=["1"])
    assert open_data([str(tmp_path)], streams).rows() == {"summer": 1, "winter": 1}
    folder(tmp_path, train_winter=["1", "2"], train_summer=["1", "2", "3"])
    assert open_data([str(tmp_path)], streams).rows() == {"summer": 3, "winter": 2}


def test_one_input_takes_the_folder_or_its_train(tmp_path: Path) -> None:
    folder(tmp_path / "plain", **{".": ["1", "2"]})
    assert open_data([str(tmp_path / "plain")], SINGLE).rows() == {"photos": 2}
    folder(tmp_path / "split", train=["1"], val=["1", "2"])
    data = open_data([str(tmp_path / "split")], SINGLE)
    assert data.held_out is not None and (data.rows(), data.held_out.rows()) == ({"photos": 1}, {"photos": 2})


def test_named_folders_find_train_and_test_inside_or_beside(tmp_path: Path) -> None:
    folder(tmp_path, photos__train=["1"], photos__test=["1", "2"], maps__train=["1"], maps__val=["1"])
    data = open_data([f"a={tmp_path / 'photos'}", f"b={tmp_path / 'maps'}"], UNPAIRED)
    assert data.held_out is not None and data.held_out.rows() == {"domain[a]": 2, "domain[b]": 1}
    folder(tmp_path, trainA=["1"], trainB=["1"], testA=["1", "2"], testB=["1"])
    data = open_data([f"a={tmp_path / 'trainA'}", f"b={tmp_path / 'trainB'}"], UNPAIRED)
    assert data.held_out is not None and data.held_out.rows() == {"domain[a]": 2, "domain[b]": 1}


def test_files_are_sorted_and_hidden_and_foreign_ones_passed_over(tmp_path: Path) -> None:
    folder(tmp_path, **{".": ["b.PNG", "a.JPEG", "c.Tif", "._a.jpg", "10.png", "9.png"]})
    (tmp_path / "Thumbs.db").write_bytes(b"no picture")
    (tmp_path / "deep.png").mkdir()
    assert [path.name for path in list_images(tmp_path)] == ["10.png", "9.png", "a.JPEG", "b.PNG", "c.Tif"]


def test_unmatched_files_are_said_and_left_out(tmp_path: Path) -> None:
    folder(tmp_path, trainA=["1", "2", "3", "4"], trainB=["2", "4", "5"])
    data = open_data([str(tmp_path)], PAIR)
    assert stems(data, "pair", "a") == stems(data, "pair", "b") == ["2", "4"]
    assert data.notes == (
        "2 of 4 files of a are left out, because b has none of that name: 1.png, 3.png",
        "1 of 3 files of b are left out, because a has none of that name: 5.png",
    )


def test_two_encodings_of_an_accent_are_one_stem(tmp_path: Path) -> None:
    folder(tmp_path, trainA=["caf\u00e9"], trainB=["cafe\u0301"])
    assert open_data([str(tmp_path)], PAIR).rows() == {"pair": 1}


def test_a_test_part_that_does_not_fit_is_only_noted(tmp_path: Path) -> None:
    folder(tmp_path, trainA=["1"], trainB=["1"], testA=["1"], testB=["2"])
    data = open_data([str(tmp_path)], PAIR)
    assert data.held_out is None
    assert data.notes[0].startswith("the test part is not used: 'pair' needs pairs")


def test_a_path_with_an_equals_sign_is_a_path(tmp_path: Path) -> None:
    folder(tmp_path / "size=16", trainA=["1"], trainB=["1"])
    assert open_data([str(tmp_path / "size=16")], UNPAIRED).rows() == {"domain[a]": 1, "domain[b]": 1}
    spec = [f"a={tmp_path}/size=16/trainA", f"b={tmp_path}/size=16/trainB"]
    assert open_data(spec, UNPAIRED).rows() == {"domain[a]": 1, "domain[b]": 1}


def test_other_files_are_another_identity(tmp_path: Path) -> None:
    folder(tmp_path, trainA=["1", "2"], trainB=["1"])
    before = open_data([str(tmp_path)], UNPAIRED).identity()
    assert before == open_data([str(tmp_path)], UNPAIRED).identity()
    os.rename(tmp_path / "trainA/2.png", tmp_path / "trainA/3.png")
    renamed = open_data([str(tmp_path)], UNPAIRED).identity()
    paint(tmp_path / "trainA/3.png", 40, 40)
    changed = open_data([str(tmp_path)], UNPAIRED).identity()
    assert before != renamed != changed != before


def test_a_data_set_may_move(tmp_path: Path) -> None:
    folder(tmp_path / "old", trainA=["1"], trainB=["1"])
    before = open_data([str(tmp_path / "old")], UNPAIRED).identity()
    shutil.move(tmp_path / "old", tmp_path / "new")
    assert open_data([str(tmp_path / "new")], UNPAIRED).identity() == before
