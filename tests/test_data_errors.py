"""The words for data that does not fit: folders, names, files, fields."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from data_folders import LABELLED, PAIR, SINGLE, UNPAIRED, folder, paint

from composer.data import Field, Stream, bind, open_data
from composer.errors import ComposeError, Place


def error_of(spec: Sequence[str | Path], streams: Sequence[Stream], direction: str = "a2b") -> str:
    with pytest.raises(ComposeError) as raised:
        open_data([str(item) for item in spec], streams, direction=direction)
    return str(raised.value)


# -- folders --------------------------------------------------------------------------------------------------------


def test_an_unknown_layout_says_what_was_expected_found_and_near(tmp_path: Path) -> None:
    root = folder(tmp_path / "afhq", train__cat=["1", "2"], train__dog=["1"])
    assert error_of([root], UNPAIRED) == (
        f"'{root}' does not hold data for this graph, which reads unpaired pictures x[a] and x[b]: it holds "
        f"train/ (cat/, dog/); expected trainA/ and trainB/, or a=DIR b=DIR; "
        f"for example a={root}/train/cat b={root}/train/dog"
    )


def test_pairs_may_come_side_by_side_and_the_message_says_so(tmp_path: Path) -> None:
    root = folder(tmp_path / "photos", **{".": ["1", "2"]})
    (root / "notes.txt").write_text("no picture")
    assert error_of([root], PAIR) == (
        f"'{root}' does not hold data for this graph, which reads pairs of a and b: it holds 2 pictures, 20 x 20 and "
        "other files (.txt); expected trainA/ and trainB/ with equal file names, or wide pictures side by side in "
        "train/, or a=DIR b=DIR"
    )


@pytest.mark.parametrize(("given", "meant"), [("set/trainA", "set"), (".", "set"), ("sett", "set")])
def test_the_right_folder_nearby_is_named(tmp_path: Path, given: str, meant: str) -> None:
    folder(tmp_path / "set", trainA=["1"], trainB=["1"])
    assert error_of([tmp_path / given], UNPAIRED).endswith(f"did you mean '{tmp_path / meant}'?")


def test_wide_pictures_anywhere_are_no_pairs_to_suggest(tmp_path: Path) -> None:
    for name in ("train_img", "train_label"):
        paint(tmp_path / name / "1.png", 40, 20)
    assert error_of([tmp_path], PAIR).endswith(f"for example a={tmp_path}/train_img b={tmp_path}/train_label")
    paint(tmp_path / "facades/train/1.png", 40, 20)
    assert error_of([tmp_path], PAIR).endswith(f"did you mean '{tmp_path}/facades'?")


def test_labels_need_domains_and_their_number(tmp_path: Path) -> None:
    folder(tmp_path / "flat", **{".": ["1"]})
    message = error_of([tmp_path / "flat"], LABELLED)
    assert message.endswith(
        "expected a folder of pictures for each domain, in it or in train/, or pictures and one table (.csv, or "
        "list_attr*.txt) in it, or x=DIR x_ref=DIR y=TABLE y_ref=TABLE"
    )
    folder(tmp_path / "two", cat=["1"], dog=["1"])
    place = Place("graphs/g.yaml", 7, 3)
    streams = [Stream("source", (Field("x", "image", (3, 8, 8)), Field("y", "label", (3,), {}, place)))]
    assert error_of([tmp_path / "two"], streams) == (
        f"graphs/g.yaml:7:3: 'y' is label(3), and '{tmp_path / 'two'}' has 2 domains: cat, dog; "
        "set the number of domains of the graph to 2"
    )


def test_pairs_without_a_common_name(tmp_path: Path) -> None:
    folder(tmp_path, trainA=["00", "02", "04", "06"], trainB=["01"])
    assert error_of([tmp_path], PAIR) == (
        "'pair' needs pairs, and no file of a and b has the same name: a has 00, 02, 04, b has 01; give the two "
        "pictures of a pair the same file name, or choose a graph for unpaired pictures"
    )


def test_two_files_of_one_stem(tmp_path: Path) -> None:
    folder(tmp_path, trainA=["1.png", "1.jpg"], trainB=["1"])
    assert error_of([tmp_path], PAIR) == (
        f"'{tmp_path}/trainA' has both 1.jpg and 1.png; pairs are found by the name without suffix: keep one of the two"
    )


# -- the command line -----------------------------------------------------------------------------------------------


def test_names_of_inputs_are_checked_together(tmp_path: Path) -> None:
    folder(tmp_path, trainA=["1"], trainB=["1"])
    message = error_of([f"c={tmp_path}/trainA", f"a={tmp_path}/trianA", "b="], UNPAIRED)
    assert message.splitlines() == [
        "this graph has no input 'c'; known here: a, b, x[a], x[b]",
        f"there is no folder '{tmp_path}/trianA'; did you mean '{tmp_path}/trainA'?",
        "'b=' names no folder; write b=DIR",
    ]


FORM = "data is one folder, or a folder for each picture input; given:"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (["a={}/trainA"], "no folder for b; add b=DIR"),
        (
            ["a={}/trainA", "x[a]={}/trainA", "b={}/trainB"],
            "the folder of 'x[a]' is given twice; name each picture input once",
        ),
        ([], f"{FORM} nothing; write one DIR, or a=DIR b=DIR"),
        (["one", "two"], f"{FORM} 'one', 'two'; write one DIR, or a=one b=two"),
        (
            ["one", "b=two"],
            "'b=two' stands beside one folder, and x[b] is a picture; beside DIR stand columns of its table; "
            "or name a folder for each input",
        ),
        (["{}/trainA/1.png"], "'{}/trainA/1.png' is a file; name the folder with the pictures"),
        (["{}/none/there"], "there is no folder '{}/none/there'; give the path of a folder with pictures"),
        (
            ["a={}/empty", "b={}/trainB"],
            "no pictures in '{}/empty': it holds nothing; "
            "pictures are files named .bmp .gif .jfif .jp2 .jpe .jpeg .jpg .npy .pbm .pgm .png .pnm .ppm .tga "
            ".tif .tiff .webp",
        ),
    ],
)
def test_words_for_a_wrong_specification(tmp_path: Path, spec: list[str], message: str) -> None:
    folder(tmp_path, trainA=["1"], trainB=["1"])
    (tmp_path / "empty").mkdir()
    assert error_of([item.format(tmp_path) for item in spec], UNPAIRED) == message.format(tmp_path)


@pytest.mark.parametrize("path", ["", "x" * 5000, "a\0b", "~nobody/here"])
def test_impossible_paths_are_just_no_folders(path: str) -> None:
    assert "folder" in error_of([path], UNPAIRED)
    assert "folder" in error_of([f"a={path}", "b=."], UNPAIRED)


def test_names_that_fit_two_inputs(tmp_path: Path) -> None:
    streams = [Stream(f"s[{n}]", (Field(f"{n}[a]", "image", (3, 8, 8)),)) for n in ("x", "y")]
    folder(tmp_path, one=["1"], two=["1"])
    assert error_of([f"a={tmp_path}/one"], streams) == "'a' could be 'x[a]' or 'y[a]'; write the whole name"
    spec = [f"x[a]={tmp_path}/one", f"y[a]={tmp_path}/two"]
    assert open_data(spec, streams).rows() == {"s[x]": 1, "s[y]": 1}


def test_words_for_a_wrong_direction(tmp_path: Path) -> None:
    folder(tmp_path, trainA=["1"], trainB=["1"], cat=["1"])
    assert error_of([tmp_path], UNPAIRED, "a2c") == "unknown direction 'a2c'; it is a2b or b2a"
    message = error_of([f"a={tmp_path}/trainA", f"b={tmp_path}/trainB"], UNPAIRED, "b2a")
    assert message == "b2a swaps the folders of a layout, and here they are named; swap the names"
    message = error_of([tmp_path / "cat"], SINGLE, "b2a")
    assert message == "b2a swaps two pictures, and this graph reads 1; leave the direction out"


# -- files ----------------------------------------------------------------------------------------------------------


def test_all_unreadable_files_are_named_in_one_message(tmp_path: Path) -> None:
    root = folder(tmp_path, trainA=["1", "2"], trainB=["1"], testA=["1"], testB=["1"])
    (root / "trainA/empty.png").write_bytes(b"")
    (root / "trainB/page.jpg").write_text("<html>not found</html>")
    (root / "testA/gone.png").symlink_to(root / "nowhere.png")
    whole = (root / "trainA/2.png").read_bytes()
    (root / "trainA/2.png").write_bytes(whole[: len(whole) // 2])
    message = error_of([root], UNPAIRED)
    assert message.startswith("4 of 8 picture files cannot be read: ")
    assert f"'{root}/testA/gone.png' (no such file, or a broken link), '{root}/trainA/2.png' (" in message
    assert f"'{root}/trainA/empty.png' (empty), '{root}/trainB/page.jpg' (no image format that Pillow knows)" in message
    assert message.endswith("; replace or delete them")


def test_a_file_that_breaks_during_training_is_named(tmp_path: Path) -> None:
    data = open_data([str(folder(tmp_path, trainA=["1"], trainB=["1"]))], UNPAIRED)
    (tmp_path / "trainA/1.png").write_bytes(b"")
    for workers in (0, 1):
        with data.loader(1, workers=workers) as loader, pytest.raises(ComposeError) as raised:
            next(loader.batches())
        assert str(raised.value) == f"cannot read '{tmp_path}/trainA/1.png' (empty); replace or delete it"


def test_paired_pictures_that_do_not_fit_are_named(tmp_path: Path) -> None:
    paint(tmp_path / "a/1.png", 40, 20)
    paint(tmp_path / "b/1.png", 30, 20)
    streams = [Stream("pair", (Field("a", "image", (3, 8, 8), {"resize": "shortest"}), Field("b", "image", (3, 8, 8))))]
    with pytest.raises(ComposeError) as raised:
        open_data([f"a={tmp_path}/a", f"b={tmp_path}/b"], streams).loader(1).batch(0)
    assert str(raised.value) == (
        f"'{tmp_path}/a/1.png' and '{tmp_path}/b/1.png': the pictures do not fit on each other: "
        "'a' 16 x 8 and 'b' 12 x 8 after resizing; paired pictures must have the same proportions"
    )


def test_a_label_beyond_its_classes_is_refused(tmp_path: Path) -> None:
    data = open_data([str(folder(tmp_path, cat=["1"], dog=["1"], wild=["1"]))], LABELLED)
    fewer = [Stream(s.name, (s.fields[0], Field(s.fields[1].name, "label", (2,)))) for s in LABELLED]
    with pytest.raises(ComposeError, match=r"wild/1\.png': a row of 'source' has y = 2, and y is label\(2\)"):
        bind(fewer, data.sources).loader(3, train=False).batch(0)


# -- fields ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (
            Field("m", "mask", (3,)),
            "input 'm' is of the kind 'mask', which cannot be read from files; known here: attributes, code, "
            "ids, image, label, label_map",
        ),
        (
            Field("a", "image", (3, 8)),
            "input 'a' is image(3, 8); write image(channels, height, width) with whole numbers from 1",
        ),
        (
            Field("a", "image", (3, 8, 8), {"background": "pink"}),
            "option background of input 'a' is 'pink'; it is one of white, grey, black, or [red, green, blue] "
            "from 0 to 255",
        ),
        (
            Field("a", "image", (3, 8, 8), {"levels": [0, 0]}),
            "option levels of input 'a' is [0, 0]; it is two different numbers, [black, white]",
        ),
        (Field("a", "image", (3, 8, 8), {"lod": 9}), "unknown option 'lod' of input 'a'; did you mean 'load'?"),
        (Field("a", "image", (3, 8, 8), {"flip": 2}), "option flip of input 'a' is 2; it is a number from 0 to 1"),
        (
            Field("a", "image", (3, 8, 8), {"range": "bytes"}),
            "option range of input 'a' is 'bytes'; it is one of signed, unit",
        ),
        (
            Field("a", "image", (3, 8, 8), {"load": 7}),
            "input 'a' is loaded at 7 x 7, too small for its crop; load must be at least 8 x 8",
        ),
        (
            Field("a", "image", (3, 8, 8), {"load": [9, 7.4]}),
            "input 'a' is loaded at 9 x 7, too small for its crop; load must be at least 8 x 8",
        ),
    ],
)
def test_words_for_wrong_fields(column: Field, message: str) -> None:
    with pytest.raises(ComposeError) as raised:
        bind([Stream("s", (column,))], {})
    assert str(raised.value) == message


def test_fields_of_a_row_must_agree() -> None:
    fields = Field("a", "image", (3, 8, 8), {"flip": 0, "load": 9}), Field("b", "image", (3, 8, 8), {"flip": 0.5})
    with pytest.raises(
        ComposeError, match=r"'a' has flip=0 and 'b' flip=0.5; the fields of 's' are one row: say it once"
    ):
        bind([Stream("s", fields)], {})
    other = Field("b", "image", (3, 16, 16), {"load": 24})
    with pytest.raises(ComposeError, match=r"'a' is loaded at 9 x 9 and 'b' at 24 x 24; the fields of 's' are cropped"):
        bind([Stream("s", (fields[0], other))], {})


def test_streams_that_folders_cannot_give(tmp_path: Path) -> None:
    two = Stream("s", (Field("x", "image", (3, 8, 8)), Field("z", "image", (3, 8, 8)), Field("y", "label", (2,))))
    folder(tmp_path, cat=["1"], dog=["1"])
    assert error_of([tmp_path], [two]) == (
        "'s' has 2 pictures and 1 labels; a folder a domain can give one picture and one label; a table can give more"
    )
    only = Stream("s", (Field("y", "label", (2,)),))
    assert error_of([tmp_path], [only]).startswith("this graph reads no pictures")
    with pytest.raises(ComposeError, match="no rows for s"):
        bind([Stream("s", (Field("a", "image", (3, 8, 8)),))], {})
