"""Tables of labels, attributes and numbers: CelebA's form, CSV, arrays; which columns; what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from data_folders import folder
from hypothesis import given, settings
from hypothesis import strategies as st

from composer.data import Field, Stream, open_data
from composer.data.files import FileSource
from composer.data.tables import read_table
from composer.errors import ComposeError, Place

PLACE = Place("g.yaml", 8, 5)
CELEBA = "3\nBlack_Hair Blond_Hair Young\n1.jpg -1  1 -1\n2.jpg  1 -1 -1\n3.jpg -1 -1  1\n"


def streams(kind: str = "attributes", number: int = 2, **options: object) -> list[Stream]:
    field = Field("y", kind, (number,), options, PLACE, ("count",))
    return [Stream("faces", (Field("x", "image", (3, 8, 8)), field))]


def faces(root: Path, table: str = CELEBA, name: str = "list_attr_celeba.txt") -> Path:
    folder(root, img_align_celeba=["1.jpg", "2.jpg", "3.jpg"])
    (root / name).write_text(table, encoding="utf-8")
    return root


def values(spec: list[str], wanted: list[Stream]) -> list[list[float]]:
    source = open_data(spec, wanted).sources["faces"]
    return [np.asarray(source.row(index)["y"]).tolist() for index in range(len(source))]


def error_of(spec: list[str], wanted: list[Stream]) -> str:
    with pytest.raises(ComposeError) as raised:
        open_data(spec, wanted)
    return str(raised.value)


# -- forms ----------------------------------------------------------------------------------------------------------


def test_an_attribute_table_as_celebas_beside_its_pictures(tmp_path: Path) -> None:
    root = str(faces(tmp_path))
    assert values([root, "attributes=Young,Black_Hair"], streams()) == [[0, 0], [0, 1], [1, 0]]
    assert values([root, "y=young,BLOND_HAIR"], streams()) == [[0, 1], [0, 0], [1, 0]]
    assert values([root], streams(number=3)) == [[0, 1, 0], [1, 0, 0], [0, 0, 1]]
    assert values([root], streams(columns=["Young", "Blond_Hair"])) == [[0, 1], [0, 0], [1, 0]]
    named = [f"x={root}/img_align_celeba", f"y={root}/list_attr_celeba.txt:Young,Blond_Hair"]
    assert values(named, streams()) == [[0, 1], [0, 0], [1, 0]]
    data = open_data([root, "y=Young,Blond_Hair"], streams())
    assert data.describe() == [f"faces: 3 pictures of {root}/img_align_celeba", "y is Young, Blond_Hair"]
    batch = data.loader(3, train=False).batch(0)
    assert batch["y"].dtype.is_floating_point and batch["y"].tolist() == [[0, 1], [0, 0], [1, 0]]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_any_separator(tmp_path: Path, separator: str, mark: str) -> None:
    lines = ["image,a,b", "3.jpg,1,0", "1.jpg,0,1", "", "2.jpg,True,no"]
    root = faces(tmp_path, mark + "\r\n".join(lines).replace(",", separator), "table.csv")
    assert values([str(root)], streams()) == [[0, 1], [1, 0], [1, 0]]


def test_a_table_without_a_header_and_quoted_cells(tmp_path: Path) -> None:
    root = faces(tmp_path, '"1.jpg",4,"5"\n2.jpg,-0.5,1e3\n3.jpg,0,0\n', "codes.csv")
    assert values([str(root)], streams("code")) == [[4, 5], [-0.5, 1000], [0, 0]]
    assert values([str(root), "y=2"], streams("code", 1)) == [[5], [1000], [0]]


def test_words_become_labels_in_their_order(tmp_path: Path) -> None:
    root = faces(tmp_path, "file,animal,age\n1,dog,3\n2,cat,4\n3,dog,5\n", "labels.csv")
    assert values([str(root), "label=animal"], streams("label")) == [1, 0, 1]
    data = open_data([str(root), "y=animal"], streams("label"))
    assert data.notes == ("y is animal: cat 0, dog 1",)
    assert data.sources["faces"].row(0)["y"].dtype == np.int64
    assert data.identity() != open_data([str(root), "y=age"], streams("label", 6)).identity()


def test_the_column_of_the_fields_name_is_meant(tmp_path: Path) -> None:
    root = faces(tmp_path, "file,weight,y\n1,3,0\n2,4,1\n3,5,1\n", "labels.csv")
    assert values([str(root)], streams("label")) == [0, 1, 1]
    root = faces(tmp_path, "file,y0,y1,z\n1,3,0,0\n2,4,1,0\n3,5,1,0\n", "labels.csv")
    assert values([str(root)], streams("code")) == [[3, 0], [4, 1], [5, 1]]


def test_pictures_without_a_line_are_left_out_and_said(tmp_path: Path) -> None:
    root = faces(tmp_path, "file,a\n1.jpg,1\n9.jpg,1\n3.png,0\n", "table.csv")
    data = open_data([str(root)], streams(number=1))
    assert data.rows() == {"faces": 2}
    assert data.notes[0] == f"1 of 3 pictures are left out, because '{root}/table.csv' has no line for them: 2.jpg"
    source = data.sources["faces"]
    assert isinstance(source, FileSource) and [Path(p).stem for p in source.columns["x"].paths] == ["1", "3"]
    assert data.describe()[0] == f"faces: 2 pictures of {root}/img_align_celeba"


def test_folders_in_the_table_tell_equal_names_apart(tmp_path: Path) -> None:
    folder(tmp_path, images__one=["1"], images__two=["1"])
    (tmp_path / "t.csv").write_text("file,a\none/1.png,0\ntwo/1.png,1\n")
    assert values([f"x={tmp_path}/images/*/1.png", f"y={tmp_path}/t.csv"], streams(number=1)) == [[0], [1]]


def test_arrays_follow_the_order_of_the_files(tmp_path: Path) -> None:
    root = faces(tmp_path)
    np.save(root / "codes.npy", np.arange(6.0).reshape(3, 2))
    np.save(root / "labels.npy", np.array([1, 0, 1]))
    pictures = f"x={root}/img_align_celeba"
    assert values([pictures, f"y={root}/codes.npy"], streams("code")) == [[0, 1], [2, 3], [4, 5]]
    assert values([pictures, f"y={root}/labels.npy"], streams("label")) == [1, 0, 1]
    assert error_of([pictures, f"y={root}/labels.npy"], streams("code", 3)) == (
        f"g.yaml:8:5: '{root}/labels.npy' is [3], and y of 3 pictures is [3, 3]; "
        "row i belongs to the i-th picture, in the order of the file names"
    )
    assert "has labels from 0 to 1, and y is label(1)" in error_of(
        [pictures, f"y={root}/labels.npy"], streams("label", 1)
    )


def test_tables_of_parts(tmp_path: Path) -> None:
    folder(tmp_path, train=["1", "2"], test=["3"])
    (tmp_path / "train.csv").write_text("file,a\n1.png,1\n2.png,0\n")
    (tmp_path / "test.csv").write_text("file,a\n3.png,1\n")
    data = open_data([str(tmp_path)], streams(number=1))
    assert data.rows() == {"faces": 2} and data.held_out is not None
    assert data.held_out.sources["faces"].row(0)["y"].tolist() == [1]


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.text(st.characters(blacklist_categories=["Cs", "Cc", "Z"], blacklist_characters=",;\"'\\"), min_size=1),
            st.floats(-1e6, 1e6, width=32),
        ),
        min_size=1,
        max_size=8,
        unique_by=lambda row: Path(row[0]).stem,
    )
)
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, float]]) -> None:
    import unicodedata

    path = tmp_path_factory.mktemp("t") / "t.csv"
    path.write_text("file,v\n" + "".join(f"x{name}.png,{value!r}\n" for name, value in rows), encoding="utf-8")
    names = [unicodedata.normalize("NFC", f"x{name}.png") for name, _ in rows]
    if len(set(names)) < len(names):
        return
    table = read_table(path)
    assert [float(table.rows[name][0]) for name in names] == [value for _, value in rows]
    assert table.lines[names[-1]] == len(rows) + 1


# -- words ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "kind", "number", "more", "message"),
    [
        (
            CELEBA,
            "attributes",
            2,
            [],
            "g.yaml:8:5: '{t}' has 3 columns, and y reads 2; choose them: --data ... y=Black_Hair,Blond_Hair; "
            "it has Black_Hair, Blond_Hair, Young",
        ),
        (
            CELEBA,
            "attributes",
            5,
            [],
            "g.yaml:8:5: '{t}' has 3 columns, and y reads 5; set its number to 3 (--set params.count=3)",
        ),
        (CELEBA, "attributes", 2, ["y=Young,Blnd_Hair"], "'{t}' has no column 'Blnd_Hair'; did you mean 'Blond_Hair'?"),
        (
            CELEBA,
            "attributes",
            2,
            ["y=Young"],
            "g.yaml:8:5: y is attributes(2), and 1 columns are chosen: Young; set its number to 1 "
            "(--set params.count=1)",
        ),
        (
            "f a\n1.jpg 2\n2.jpg 0\n3.jpg 1",
            "attributes",
            1,
            [],
            "{t}:2:1: a of '1.jpg' is '2'; attributes are 1 and -1, or 1 and 0",
        ),
        ("f a\n1.jpg 2\n2.jpg nan\n3.jpg 1", "code", 1, [], "{t}:3:1: a of '2.jpg' is 'nan'; a code is finite numbers"),
        (
            "f a\n1.jpg 2\n2.jpg 0\n3.jpg 1",
            "label",
            2,
            [],
            "{t}:2:1: a of '1.jpg' is 2, and y is label(2); labels go from 0 to 1, or set the number of classes to 3 "
            "(--set params.count=3)",
        ),
        (
            "f a\n1.jpg -2\n2.jpg 0\n3.jpg 1",
            "label",
            2,
            [],
            "{t}:2:1: a of '1.jpg' is -2, and y is label(2); labels go from 0 to 1",
        ),
        (
            "f a\n1.jpg cat\n2.jpg dog\n3.jpg cow",
            "label",
            2,
            [],
            "g.yaml:8:5: 'y' is label(2), and a of '{t}' has 3 words: cat, cow, dog; "
            "set the number of domains of the graph to 3 (--set params.count=3)",
        ),
        ("", "label", 2, [], "the table '{t}' is empty; it has a header, then a line a picture"),
        ("f,a\n1.jpg,1\n1.jpg,1\n", "label", 2, [], "{t}:3:1: '1.jpg' stands twice; see line 2 too"),
        (
            "f,a,b\n1.jpg,1\n",
            "label",
            2,
            [],
            "{t}:2:1: 2 cells, and the header names 3; give each line a cell for each column",
        ),
        ("f,a,a\n1.jpg,1,2\n", "label", 2, [], "{t}:1:1: two columns are named a; rename one"),
        (
            "f,a\n7.jpg,1\n8.jpg,1\n",
            "label",
            2,
            [],
            "the table '{t}' has no line for any of the 3 pictures of 'faces': it has 7.jpg, 8.jpg, the pictures are "
            "1.jpg, 2.jpg, 3.jpg; its first column is the file name",
        ),
    ],
)
def test_words_for_wrong_tables(
    tmp_path: Path, table: str, kind: str, number: int, more: list[str], message: str
) -> None:
    root = faces(tmp_path, table)
    assert error_of([str(root), *more], streams(kind, number)) == message.format(t=root / "list_attr_celeba.txt")


def test_words_for_tables_that_are_not_there(tmp_path: Path) -> None:
    folder(tmp_path, images=["1"])
    assert error_of([str(tmp_path)], streams()) == (
        f"'{tmp_path}' does not hold data for this graph, which reads pictures x with y (2 attributes): it holds "
        "images/ (1 picture); expected pictures and one table (.csv, or list_attr*.txt) in it, or x=DIR y=TABLE"
    )
    assert error_of([f"x={tmp_path}/images"], streams()) == "no table for y; add y=TABLE.csv"
    assert error_of([f"x={tmp_path}/images", "y=labels.csv"], streams()) == (
        "there is no table 'labels.csv' for y; write y=TABLE.csv, or y=TABLE.csv:COLUMN,... to choose columns"
    )
    assert error_of([f"x={tmp_path}/images", f"y={tmp_path}/images/1.png"], streams()) == (
        f"'{tmp_path}/images/1.png' is no table; tables are files named .csv .tsv .txt .npy"
    )
    assert error_of([f"x={tmp_path}/images", f"y={tmp_path}/images"], streams()) == (
        "g.yaml:8:5: y is attributes, and a folder cannot give that; write y=TABLE.csv"
    )


# -- test data ------------------------------------------------------------------------------------------------------


def test_test_data_share_the_words_of_training(tmp_path: Path) -> None:
    for part, lines in {
        "one": "1,cat\n2,dog\n3,cow\n",
        "two": "1,dog\n2,dog\n3,cow\n",
        "wrong": "1,dgo\n2,cat\n3,cat\n",
    }.items():
        faces(tmp_path / part, f"file,animal\n{lines}", "labels.csv")
    wanted = streams("label", 3)
    train = open_data([str(tmp_path / "one")], wanted)
    test = open_data([str(tmp_path / "two")], wanted, like=train)
    assert [int(test.sources["faces"].row(i)["y"]) for i in range(3)] == [2, 2, 1]
    with pytest.raises(
        ComposeError, match=r"labels.csv:2:1: animal of '1' is 'dgo', which training does not know; did you"
    ):
        open_data([str(tmp_path / "wrong")], wanted, like=train)


def test_test_folders_share_the_domains_of_training(tmp_path: Path) -> None:
    folder(tmp_path, train__cat=["1"], train__dog=["1"], other__dog=["1", "2"], none__cow=["1"])
    wanted = streams("label", 2)
    train = open_data([str(tmp_path / "train")], wanted)
    test = open_data([str(tmp_path / "other")], wanted, like=train)
    assert [int(test.sources["faces"].row(i)["y"]) for i in range(2)] == [1, 1]
    with pytest.raises(ComposeError, match=r"none of cat, dog has pictures in '.*/none': it holds cow/ \(1 picture\)"):
        open_data([str(tmp_path / "none")], wanted, like=train)


@pytest.mark.parametrize("text", ["1.jpg 0\n2.jpg 2\n3.jpg 0\n", "image_id,partition\n1.jpg,0\n2.jpg,1\n3.jpg,0\n"])
def test_the_partition_of_celeba_holds_rows_out(tmp_path: Path, text: str) -> None:
    root = faces(tmp_path)
    (root / f"list_eval_partition.{'csv' if ',' in text else 'txt'}").write_text(text)
    data = open_data([str(root)], streams(number=3))
    assert data.rows() == {"faces": 2} and data.held_out is not None
    assert data.held_out.sources["faces"].row(0)["y"].tolist() == [1, 0, 0]
    assert data.notes[-1].endswith("holds out 1 of 3 rows of 'faces'")
    with pytest.raises(ComposeError, match="--split holds out rows of data without a test part, and this data has one"):
        open_data([str(root)], streams(number=3), split="1")
    (root / data.notes[-1].split("'")[1].rsplit("/")[-1]).write_text(text.replace("0\n", "1\n"))
    assert "leaves no row of 'faces' for training; 0 is training" in error_of([str(root)], streams(number=3))
