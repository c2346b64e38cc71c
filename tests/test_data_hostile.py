"""Folders and words of all sorts after `--data`: rows that load, or one message; nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from data_folders import LABELLED, PAIR, REFERENCE_FIELDS, SINGLE, UNPAIRED
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from composer.data import Field, Stream, open_data
from composer.errors import ComposeError

MAPS = [Stream("s", (Field("m", "label_map", (9, 4, 4)), Field("i", "ids", (4, 4)), Field("p", "image", (3, 4, 4))))]
VALUED = [Stream("s", (Field("x", "image", (3, 4, 4)), Field("y", "attributes", (2,)), Field("z", "code", (1,))))]
STREAMS = [PAIR, UNPAIRED, SINGLE, LABELLED, MAPS, VALUED, [Stream("r", REFERENCE_FIELDS)]]
FOLDERS = [
    "",
    "train",
    "trainA",
    "trainB",
    "test",
    "testB",
    "train_img",
    "train_label",
    "train_inst",
    "cat",
    "train/dog",
    "a",
]
NAMES = [
    "1.png",
    "1.PNG",
    "2.jpg",
    "1_A.png",
    "1_B.png",
    "x_label.png",
    "._1.png",
    "Thumbs.db",
    "e.png",
    "t.csv",
    "l.txt",
]
WORDS = [
    "{r}",
    "{r}/train",
    "a={r}/trainA",
    "b={r}/**/*.png",
    "x={r}",
    "y={r}/t.csv",
    "y=c",
    "m={r}/l.txt",
    "a=",
    "={r}",
    "q=1",
]
TABLES = [
    "",
    "f,c,d\n1.png,1,0\n2,0,1\n",
    "2\nc d e\n1.png 1 -1 3\n2.jpg 1 1 4\n",
    "1.png\n",
    "\x00",
    "f,c\n1.png,1,2\n",
]


def make(path: Path, content: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    name = path.name.lower()
    if name.endswith((".csv", ".txt")):
        text = TABLES[content % len(TABLES)] if name.endswith(".csv") else "1.png\n" * (content % 3)
        path.write_text(text, encoding="utf-8")
    elif name.startswith(("e.", "thumbs", ".")):
        path.write_bytes(b"\0" * (content % 5))
    else:
        shape = (6, 12) if content % 2 else (5, 5, 3)
        Image.fromarray(np.full(shape, content, np.uint8)).save(path, "JPEG" if name.endswith("jpg") else "PNG")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(FOLDERS), st.sampled_from(NAMES), st.integers(0, 12)), max_size=9),
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=3),
    st.sampled_from(STREAMS),
    st.sampled_from([None, "0.5", "1"]),
    st.sampled_from(["a2b", "b2a"]),
)
def test_rows_or_one_message(
    tmp_path_factory: pytest.TempPathFactory,
    files: list[tuple[str, str, int]],
    words: list[str],
    streams: list[Stream],
    split: str | None,
    direction: str,
) -> None:
    root = tmp_path_factory.mktemp("d")
    for folder, name, content in files:
        make(root / folder / name, content)
    spec = [word.format(r=root) for word in words]
    try:
        data = open_data(spec, streams, split=split, direction=direction)
    except ComposeError as error:
        assert str(error) and "Traceback" not in str(error)
        return
    batch = data.loader(2).batch(1)
    assert set(batch) == {column.name for stream in streams for column in stream.fields}
    assert data.describe() and data.identity() == open_data(spec, streams, split=split, direction=direction).identity()
