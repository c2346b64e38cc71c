"""Inputs bound by name: folders, patterns, lists; rows matched by what their names have in common; a seeded split."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from data_folders import LABELLED, PAIR, SINGLE, UNPAIRED, Noise, folder
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from composer.data import Dataset, Field, Stream, open_data
from composer.data.files import FileSource
from composer.data.split import choose
from composer.errors import ComposeError

SCENE = [
    Stream(
        "scene",
        (
            Field("label", "label_map", (35, 8, 8)),
            Field("inst", "ids", (8, 8)),
            Field("photo", "image", (3, 8, 8)),
        ),
    )
]


def grey(root: Path, *names: str, level: int = 1) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 12), level, np.uint8)).save(root / name)
    return root


def names(data: Dataset, stream: str, field: str) -> list[str]:
    source = data.sources[stream]
    assert isinstance(source, FileSource)
    return [Path(path).name for path in source.columns[field].paths]


def error_of(spec: Sequence[str], streams: Sequence[Stream], split: str | None = None) -> str:
    with pytest.raises(ComposeError) as raised:
        open_data(spec, streams, split=split)
    return str(raised.value)


# -- patterns and lists ---------------------------------------------------------------------------------------------


def test_patterns_with_any_depth(tmp_path: Path) -> None:
    folder(tmp_path, photos__2019__may=["1_left", "1_right", "2_left"], photos__2020=["3_left"], photos=["0_left"])
    (tmp_path / "photos/notes_left.txt").write_text("")
    data = open_data([f"photo={tmp_path}/photos/**/*_left.*"], SINGLE)
    assert names(data, "photos", "photo") == ["0_left.png", "1_left.png", "2_left.png", "3_left.png"]
    assert data.describe() == [f"photos: 4 pictures of {tmp_path}/photos/**/*_left.*"]
    sides = open_data([f"a={tmp_path}/photos/**/*_left.png", f"b={tmp_path}/photos/**/*_right.png"], PAIR)
    assert sides.rows() == {"pair": 1} and names(sides, "pair", "b") == ["1_right.png"]
    assert sides.notes[0] == "rows are matched by file names without '_left' of a and '_right' of b"


def test_a_folder_is_no_pattern_though_its_name_looks_like_one(tmp_path: Path) -> None:
    folder(tmp_path, **{"set[1]*": ["1", "2"]})
    assert open_data([f"photo={tmp_path}/set[1]*"], SINGLE).rows() == {"photos": 2}


def test_lists_are_relative_to_themselves_and_pair_by_line(tmp_path: Path) -> None:
    folder(tmp_path, x=["1", "2"], y=["8", "9"])
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists/a.txt").write_text("# left\n../x/2.png\n\n../x/1.png\n")
    (tmp_path / "lists/b.txt").write_text(f"../y/8.png\n{tmp_path}/y/9.png")
    data = open_data([f"a={tmp_path}/lists/a.txt", f"b={tmp_path}/lists/b.txt"], PAIR)
    assert names(data, "pair", "a") == ["2.png", "1.png"] and names(data, "pair", "b") == ["8.png", "9.png"]
    (tmp_path / "lists/b.txt").write_text("../y/8.png")
    assert error_of([f"a={tmp_path}/lists/a.txt", f"b={tmp_path}/lists/b.txt"], PAIR) == (
        "the lists of 'pair' are not equally long: a 2, b 1; line i of each list is row i"
    )


def test_words_for_patterns_and_lists(tmp_path: Path) -> None:
    folder(tmp_path, photos__inner=["1", "2"])
    (tmp_path / "photos/a.csv").write_text("")
    lists = tmp_path / "list.txt"
    assert error_of([f"photo={tmp_path}/photos/*.png"], SINGLE) == (
        f"no file fits '{tmp_path}/photos/*.png'; '{tmp_path}/photos' holds inner/ (2 pictures, 20 x 20) and other "
        "files (.csv); `**` stands for folders of any depth, case counts"
    )
    message = error_of([f"photo={tmp_path}/photos/*.csv"], SINGLE)
    assert message.startswith(
        f"'{tmp_path}/photos/*.csv' fits a.csv, and none is a picture; pictures are files named ."
    )
    assert error_of([f"photo={lists}"], SINGLE) == (
        f"there is no list '{lists}'; it has a path a line, relative to itself"
    )
    lists.write_text("\n# nothing\n")
    assert error_of([f"photo={lists}"], SINGLE) == (
        f"the list '{lists}' is empty; it has a path a line, relative to itself"
    )
    lists.write_text("photos/inner/1.png\nphotos/7.png\nphotos/8.png\n")
    assert error_of([f"photo={lists}"], SINGLE) == (
        f"{lists}:2:1: 2 of 3 files of the list are not there: '{tmp_path}/photos/7.png' (line 2), "
        f"'{tmp_path}/photos/8.png' (line 3); paths are relative to the list"
    )
    lists.write_text("photos/a.csv\n")
    assert error_of([f"photo={lists}"], SINGLE).startswith(f"{lists}:1:1: '{tmp_path}/photos/a.csv' is no picture; ")


# -- rows by their names --------------------------------------------------------------------------------------------


def test_pictures_labels_and_instances_by_what_their_folders_are(tmp_path: Path) -> None:
    for part in ("train", "val"):
        for what, suffix in (("img", "JPG"), ("label", "png"), ("inst", "PNG")):
            grey(tmp_path, f"{part}_{what}/1.{suffix}", f"{part}_{what}/2.{suffix}", level=3)
    grey(tmp_path, "stray.png")
    data = open_data([str(tmp_path)], SCENE)
    assert data.rows() == {"scene": 2} and data.held_out is not None and data.notes == ()
    assert data.describe()[0] == (
        f"scene: 2 rows of {tmp_path}/train_label, {tmp_path}/train_inst and {tmp_path}/train_img"
    )
    batch = data.loader(2).batch(0)
    assert (batch["label"] == 3).all() and (batch["inst"] == 3).all() and batch["inst"].dtype == torch.int64
    shutil.rmtree(tmp_path / "train_inst")
    assert error_of([str(tmp_path)], SCENE).endswith(
        "expected train_label/, train_inst/ and train_img/ with equal file names, or label=DIR inst=DIR photo=DIR"
    )
    assert f"did you mean '{tmp_path}'?" in error_of([str(grey(tmp_path, "train_inst/1.png") / "train_img")], SCENE)


def test_the_folders_of_cityscapes_as_they_come(tmp_path: Path) -> None:
    for city, number in (("aachen", "000000"), ("bochum", "000000"), ("bochum", "000001")):
        stem = f"{city}_{number}_000019"
        fine = [f"gtFine/train/{city}/{stem}_gtFine_{what}.png" for what in ("labelIds", "instanceIds", "color")]
        grey(tmp_path, f"leftImg8bit/train/{city}/{stem}_leftImg8bit.png", *fine)
        (tmp_path / f"gtFine/train/{city}/{stem}_gtFine_polygons.json").write_text("{}")
    data = open_data([str(tmp_path)], SCENE)
    assert data.rows() == {"scene": 3}
    assert names(data, "scene", "label")[1] == "bochum_000000_000019_gtFine_labelIds.png"
    assert names(data, "scene", "inst")[1] == "bochum_000000_000019_gtFine_instanceIds.png"
    assert names(data, "scene", "photo")[1] == "bochum_000000_000019_leftImg8bit.png"
    assert data.notes == (
        "rows are matched by file names without '_gtFine_labelIds' of label (6 files without it are left out) and "
        "'_gtFine_instanceIds' of inst (6 files without it are left out) and '_leftImg8bit' of photo",
    )


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("1_A 2_A", "1_B 2_B"),
        ("1-a 2-a", "1-b 2-b"),
        ("img_1 img_2", "mask_1 mask_2"),
        ("x1_img x2_img", "x1_label x2_label"),
        ("1.input 2.input", "1.target 2.target"),
        ("1 2", "1_B 2_B"),
    ],
)
def test_endings_are_taken_off_where_whole_names_do_not_match(tmp_path: Path, a: str, b: str) -> None:
    streams = [Stream("pair", (Field("a", "image", (1, 8, 8)), Field("b", PAIR[0].fields[1].kind, (1, 8, 8))))]
    if "label" in b or "mask" in b:
        streams = [Stream("pair", (Field("a", "image", (1, 8, 8)), Field("b", "label_map", (9, 8, 8))))]
    grey(tmp_path, *(f"a/{stem}.png" for stem in a.split()), *(f"b/{stem}.png" for stem in b.split()))
    data = open_data([f"a={tmp_path}/a", f"b={tmp_path}/b"], streams)
    assert data.rows() == {"pair": 2} and data.notes[0].startswith("rows are matched by file names without '")


def test_whole_names_go_first(tmp_path: Path) -> None:
    folder(tmp_path, a=["1_A", "2_A"], b=["1_A", "3_B"])
    data = open_data([f"a={tmp_path}/a", f"b={tmp_path}/b"], PAIR)
    assert names(data, "pair", "a") == ["1_A.png"] and "without '" not in "".join(data.notes)


def test_equal_names_in_different_folders_are_told_apart_by_the_folders(tmp_path: Path) -> None:
    folder(tmp_path, a__x=["1", "2"], a__y=["1"], b__x=["1"], b__y=["1", "2"], b__z=["1"])
    data = open_data([f"a={tmp_path}/a", f"b={tmp_path}/b"], PAIR)
    assert data.rows() == {"pair": 2}
    source = data.sources["pair"]
    assert isinstance(source, FileSource)
    pairs = [[Path(source.columns[f].paths[i]).parent.name for f in "ab"] for i in range(2)]
    assert pairs == [["x", "x"], ["y", "y"]]


@settings(max_examples=15, deadline=None)
@given(st.lists(st.from_regex(r"[a-z0-9]{1,6}", fullmatch=True), min_size=1, max_size=6, unique=True), st.data())
def test_pairs_are_found_under_any_common_ending(
    tmp_path_factory: pytest.TempPathFactory, stems: list[str], data: st.DataObject
) -> None:
    root = tmp_path_factory.mktemp("pairs")
    first, second = data.draw(st.sampled_from([("_A", "_B"), ("_img", "_target"), ("-a", "-b"), (" left", " right")]))
    for stem in stems:
        for place, ending in (("a", first), ("b", second)):
            (root / place).mkdir(exist_ok=True)
            Image.new("RGB", (2, 2)).save(root / place / f"{stem}{ending}.png")
    found = open_data([f"a={root}/a", f"b={root}/b"], PAIR)
    assert [name.replace(first, second) for name in names(found, "pair", "a")] == names(found, "pair", "b")
    assert found.rows() == {"pair": len(stems)}


# -- named inputs ---------------------------------------------------------------------------------------------------


def test_labels_may_be_named_by_folder_or_by_kind(tmp_path: Path) -> None:
    folder(tmp_path, one__cat=["1", "2"], one__dog=["1"], one__cow=["5"])
    by_label = open_data([f"y={tmp_path}/one", f"x_ref={tmp_path}/one"], LABELLED)
    by_picture = open_data([f"x={tmp_path}/one", f"x_ref={tmp_path}/one"], LABELLED)
    assert by_label.identity() == by_picture.identity()
    (tmp_path / "labels.csv").write_text("file,l\ncat/1,0\ncat/2,0\ndog/1,1\ncow/5,2\n")
    table = [f"x={tmp_path}/one", f"x_ref={tmp_path}/one", f"label={tmp_path}/labels.csv"]
    assert open_data(table, LABELLED).rows() == {"source": 4, "reference": 4}


def test_parts_of_a_folder_are_no_domains(tmp_path: Path) -> None:
    folder(tmp_path, train=["1"], val=["1"])
    streams = [Stream("s", (Field("x", "image", (3, 8, 8)), Field("y", "label", (2,))))]
    assert "does not hold data for this graph" in error_of([str(tmp_path)], streams)


def test_pictures_cannot_be_columns(tmp_path: Path) -> None:
    folder(tmp_path, trainA=["1"], trainB=["1"])
    assert error_of([str(tmp_path), f"a={tmp_path}/trainA"], UNPAIRED) == (
        f"'a={tmp_path}/trainA' stands beside one folder, and x[a] is a picture; beside DIR stand columns of its "
        "table; or name a folder for each input"
    )


def test_nested_folders_are_entered_but_not_those_for_tests(tmp_path: Path) -> None:
    folder(tmp_path, photos=["0"], photos__2019=["1"], photos__test=["7", "8"])
    data = open_data([f"photo={tmp_path}/photos"], SINGLE)
    assert names(data, "photos", "photo") == ["0.png", "1.png"]
    assert data.held_out is not None and data.held_out.rows() == {"photos": 2}


# -- the split ------------------------------------------------------------------------------------------------------


def parts(data: Dataset, stream: str, field: str) -> tuple[set[str], set[str]]:
    assert data.held_out is not None
    held = data.held_out.sources[stream]
    assert isinstance(held, FileSource)
    return set(names(data, stream, field)), {Path(path).name for path in held.columns[field].paths}


@pytest.mark.parametrize(("split", "count"), [("0.2", 4), ("3", 3), ("0.01", 1)])
def test_a_split_holds_rows_out_for_good(tmp_path: Path, split: str, count: int) -> None:
    folder(tmp_path, trainA=[f"{i}" for i in range(20)], trainB=[f"{i}" for i in range(20)])
    data = open_data([str(tmp_path)], PAIR, split=split, seed=4)
    train, held = parts(data, "pair", "a")
    assert len(held) == count and len(train) == 20 - count and not train & held
    assert parts(data, "pair", "b") == (train, held)
    assert data.notes[-1] == (
        f"--split {split} holds out {count} of 20 rows of 'pair', by the seed 4 and the names of the files: "
        "samples show them, training never sees them"
    )
    assert data.describe()[0].startswith(f"pair: {20 - count} of 20 pairs of ")
    again = open_data([str(tmp_path)], PAIR, split=split, seed=4)
    assert again.identity() == data.identity() and parts(again, "pair", "a") == (train, held)
    others = [parts(open_data([str(tmp_path)], PAIR, split=split, seed=s), "pair", "a")[1] for s in range(4)]
    assert any(other != held for other in others)
    shutil.move(tmp_path / "trainA", tmp_path / "a")
    shutil.move(tmp_path / "trainB", tmp_path / "b")
    assert parts(open_data([str(tmp_path)], PAIR, split=split, seed=4), "pair", "a")[1] == held


def test_streams_of_the_same_files_hold_out_the_same_ones_of_each_domain(tmp_path: Path) -> None:
    folder(
        tmp_path, cat=[f"c{i}" for i in range(10)], dog=[f"d{i}" for i in range(5)], wild=[f"w{i}" for i in range(5)]
    )
    data = open_data([str(tmp_path)], LABELLED, split="0.2")
    assert parts(data, "source", "x") == parts(data, "reference", "x_ref")
    assert sorted(name[0] for name in parts(data, "source", "x")[1]) == ["c", "c", "d", "w"]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("abcdefghij"), st.integers(0, 2)), min_size=2, max_size=40),
    st.one_of(st.floats(0.01, 0.99), st.integers(1, 10)),
    st.integers(0, 5),
)
def test_no_key_is_on_both_sides(rows: list[tuple[str, int]], share: float | int, seed: int) -> None:
    keys, groups = [key for key, _ in rows], [group for _, group in rows]
    out = choose(keys, groups, share, seed)
    assert not {keys[i] for i in out} & {keys[i] for i in range(len(rows)) if i not in out}
    assert out == choose(keys, groups, share, seed)
    shuffled = list(reversed(range(len(rows))))
    if len(set(keys)) == len(keys):
        again = choose([keys[i] for i in shuffled], [groups[i] for i in shuffled], share, seed)
        assert {keys[shuffled[i]] for i in again} == {keys[i] for i in out}
        wanted = share if isinstance(share, int) else max(1, round(share * len(keys)))
        assert len(out) == min(wanted, len(keys))


@pytest.mark.parametrize(
    ("split", "words"),
    [
        (
            "half",
            "--split half is no number; give the share of rows that is held out, e.g. 0.1, or their number, e.g. 20",
        ),
        ("0", "--split 0 holds out nothing; "),
        ("1.5", "--split 1.5 is not between 0 and 1; "),
        ("-0.1", "--split -0.1 is not between 0 and 1; "),
        ("nan", "--split nan is not between 0 and 1; "),
        ("5", "--split 5 would hold out all of the 2 rows of 'pair'; "),
    ],
)
def test_words_for_a_wrong_split(tmp_path: Path, split: str, words: str) -> None:
    folder(tmp_path, trainA=["1", "2"], trainB=["1", "2"])
    assert error_of([str(tmp_path)], PAIR, split).startswith(words)


def test_a_split_of_data_with_a_test_part_is_refused(tmp_path: Path) -> None:
    folder(tmp_path, trainA=["1", "2"], trainB=["1", "2"], testA=["1"], testB=["1"])
    assert error_of([str(tmp_path)], PAIR, "0.5") == (
        "--split holds out rows of data without a test part, and this data has one; leave it out"
    )


def test_sources_without_names_split_by_number() -> None:
    from composer.data.split import hold_out

    with pytest.raises(ComposeError, match="--split cannot divide this data; give --test-data"):
        hold_out({"s": Noise(9, "x", 3)}, 0.3, 0, "0.3")


def test_a_test_part_that_lacks_a_folder_is_said(tmp_path: Path) -> None:
    for what in ("img", "label", "inst"):
        grey(tmp_path, f"train_{what}/1.png")
    grey(tmp_path, "test_label/1.png", "test_inst/1.png")
    data = open_data([str(tmp_path)], SCENE)
    assert data.held_out is None
    assert data.notes == ("the test part is not used: it has a folder for label and inst, and none for photo",)
