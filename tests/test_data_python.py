"""Rows from a Python file of the user's own."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch
from data_folders import UNPAIRED

from composer.data import Field, Stream, open_data
from composer.errors import ComposeError

STREAMS = [
    Stream(
        "s",
        (
            Field("x", "image", (3, 4, 4)),
            Field("seg", "label_map", (4, 4, 4)),
            Field("y", "label", (3,)),
            Field("z", "code", (2,)),
        ),
    )
]

MODULE = """
    import numpy as np
    from PIL import Image
    from neighbour import LENGTH

    class Photos:
        def __len__(self):
            return LENGTH

        def __getitem__(self, i):
            return {"x": Image.new("L", (4, 4), i), "seg": np.full((4, 4), i % 4), "y": i % 3, "z": [i, 0.5]}

    def tensors():
        import torch

        class Pictures(torch.utils.data.Dataset):
            def __len__(self):
                return 3

            def __getitem__(self, i):
                return torch.full((3, 5, 5), i / 4), np.full((5, 5), i), torch.tensor(i % 3), np.array([1.0, i])

        return Pictures()

    ready = [(np.full((5, 5), i / 4), np.full((5, 5), i), i % 3, (1.0, i)) for i in range(3)]

    def empty():
        return []

    def number():
        return 3

    class Fails(Photos):
        def __getitem__(self, i):
            return {}[i]

    def fails():
        raise OSError("the disk is gone")

    class Wrong(Photos):
        row = {}
        def __getitem__(self, i):
            return {**Photos()[i], **self.row}

    class NoSeg(Photos):
        def __getitem__(self, i):
            row = Photos()[i]
            del row["seg"]
            return row

    class Negative(Wrong):
        row = {"x": np.full((4, 4, 3), -0.5)}

    class Channels(Wrong):
        row = {"x": np.zeros((4, 4, 2), np.uint8)}

    class Words(Wrong):
        row = {"y": "cat"}

    class Colours(Wrong):
        row = {"seg": np.zeros((3, 4, 4))}

    class Short(Wrong):
        row = {"z": [1.0]}

    class Beyond(Wrong):
        row = {"y": 3}
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "neighbour", raising=False)
    (tmp_path / "neighbour.py").write_text("LENGTH = 7\n")
    file = tmp_path / "my_data.py"
    file.write_text(textwrap.dedent(MODULE))
    return file


def error_of(spec: str, streams: list[Stream] = STREAMS) -> str:
    with pytest.raises(ComposeError) as raised:
        data = open_data([spec], streams)
        data.loader(2).batch(0)
    return str(raised.value)


def test_a_data_set_gives_rows_in_any_process(module: Path) -> None:
    data = open_data([f"{module}:Photos"], STREAMS, seed=3)
    assert data.rows() == {"s": 7}
    assert data.describe() == [f"s: 7 rows of {module}:Photos", f"'{module}' is run: it gives the rows"]
    here = data.loader(2).batch(1)
    assert here["x"].shape == (2, 3, 4, 4) and here["z"].shape == (2, 2)
    grey = ((here["x"][:, 0, 0, 0] + 1) * 127.5).round().long()
    assert torch.equal(here["y"], grey % 3) and torch.equal(here["seg"][:, 0, 0], grey % 4)
    assert torch.equal(here["z"][:, 0].long(), grey)
    with data.loader(2, workers=1) as loader:
        batches = loader.batches(1)
        there = next(batches)
        batches.close()
    assert all(torch.equal(here[name], there[name]) for name in here)


@pytest.mark.parametrize("name", ["tensors", "ready"])
def test_tuples_of_tensors_and_arrays_go_by_their_order(module: Path, name: str) -> None:
    batch = open_data([f"{module}:{name}"], STREAMS).loader(3, train=False).batch(0)
    assert torch.allclose(batch["x"][:, 0, 0, 0], torch.tensor([0, 0.25, 0.5]) * 2 - 1)
    assert batch["seg"][:, 0, 0].tolist() == [0, 1, 2] and batch["z"].tolist() == [[1, 0], [1, 1], [1, 2]]


def test_the_identity_is_that_of_the_file_and_its_length(module: Path) -> None:
    before = open_data([f"{module}:Photos"], STREAMS).identity()
    assert open_data([f"{module}:Photos"], STREAMS).identity() == before
    (module.parent / "neighbour.py").write_text("LENGTH = 8888\n")
    del sys.modules["neighbour"]
    longer = open_data([f"{module}:Photos"], STREAMS).identity()
    module.write_text(module.read_text() + "# changed\n")
    assert before != longer != open_data([f"{module}:Photos"], STREAMS).identity() != before


def test_a_split_of_python_rows_goes_by_number(module: Path) -> None:
    data = open_data([f"{module}:Photos"], STREAMS, split="3")
    assert data.held_out is not None
    rows = [[int(s.row(i)["z"][0]) for i in range(len(s))] for s in (data.sources["s"], data.held_out.sources["s"])]
    assert len(rows[1]) == 3 and sorted(rows[0] + rows[1]) == list(range(7))


def test_one_stream_may_come_from_python_and_another_from_a_folder(module: Path) -> None:
    from data_folders import folder

    folder(module.parent, photos=["1", "2"])
    (module.parent / "mine.py").write_text("import numpy as np\nrows = [np.full((4, 4, 3), i / 9) for i in range(5)]\n")
    data = open_data([f"a={module.parent}/photos", f"b={module.parent}/mine.py:rows"], UNPAIRED)
    assert data.rows() == {"domain[a]": 2, "domain[b]": 5}
    assert np.allclose(data.sources["domain[b]"].row(3)["x[b]"], 3 / 9)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Photoz", "'{f}' has no 'Photoz'; did you mean 'Photos'?"),
        ("empty", "'empty' of '{f}' has no rows"),
        (
            "number",
            "'number' of '{f}' gives int without __len__ and __getitem__; rows are asked for by number, in any order",
        ),
        ("Fails", "{f}:{item}:1: row 0 of Fails failed: KeyError: 0"),
        ("fails", "{f}:{raise}:1: fails() failed: OSError: the disk is gone"),
        ("NoSeg", "a row of NoSeg has no 'seg': it has x, y, z; give label_map under this name"),
        (
            "Negative",
            "row 0 of Negative in '{f}': x: numbers from -0.5 to -0.5: which of them is white cannot be known; a "
            "picture is a PIL image, an array [h, w, c] of bytes or of numbers from 0 to 1, or a tensor [c, h, w]",
        ),
        (
            "Channels",
            "row 0 of Channels in '{f}': x: 2 channels, and the graph asks for 3; a picture is a PIL image, an array "
            "[h, w, c] of bytes or of numbers from 0 to 1, or a tensor [c, h, w]",
        ),
        ("Words", "row 0 of Words in '{f}': y: str is no array of numbers; a label is one whole number"),
        ("Colours", "row 0 of Colours in '{f}': seg: an array [3, 4, 4]; a label map is whole numbers [h, w]"),
        ("Short", "a row of 's' has 1 numbers for z, which takes 2"),
        ("Beyond", "a row of 's' has y = 3, and y is label(3); labels go from 0 to 2"),
    ],
)
def test_words_for_wrong_data_sets(module: Path, name: str, message: str) -> None:
    lines = {text.strip(): number for number, text in enumerate(module.read_text().splitlines(), start=1)}
    at = {"item": lines["return {}[i]"], "raise": lines['raise OSError("the disk is gone")']}
    assert error_of(f"{module}:{name}").endswith(message.format(f=module, **at))


def test_words_for_wrong_files(tmp_path: Path, module: Path) -> None:
    assert error_of(str(module)) == (f"'{module}' does not say which data set of the file; write {module}:Photos")
    assert error_of(f"{tmp_path}/none.py:Photos") == f"cannot read '{tmp_path}/none.py': No such file or directory"
    (tmp_path / "broken.py").write_text("x = 1\ndef f(:\n")
    assert error_of(f"{tmp_path}/broken.py:f").startswith(
        f"{tmp_path}/broken.py:2:1: '{tmp_path}/broken.py' failed: Syn"
    )
    pairs = [Stream("s", (*STREAMS[0].fields[:2],))]
    assert error_of(f"{module}:ready", pairs) == (
        "a row of ready is tuple of 4, and the graph reads x, seg; give a dict with these names"
    )
