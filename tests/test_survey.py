"""What data hold, from reading every row once, and every file that cannot be read."""

from __future__ import annotations

import io

import numpy as np
import pytest
from data_folders import LABELLED, PAIR, UNPAIRED, Noise, folder
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from composer.data import Field, Stream, bind, files, open_data
from composer.data.field_survey import FieldSurvey, runs
from composer.data.survey import survey
from composer.errors import ComposeError
from composer.look import Counter


class Rows:
    """Rows that a test gives."""

    def __init__(self, *rows: dict[str, np.ndarray]) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def row(self, index: int) -> dict[str, np.ndarray]:
        return self.rows[index]

    def describe(self) -> str:
        return f"{len(self.rows)} rows"


def lines_of(field: Field, *values: np.ndarray) -> list[str]:
    stream = Stream("one", (Field("x", "image", (3, 2, 2)), field))
    picture = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    source = Rows(*({"x": picture, field.name: value} for value in values))
    found = FieldSurvey(field)
    for row in source.rows:
        found.add(row[field.name], "", "row")
    assert len(stream.fields) == 2
    return [found.text(), *found.remarks()]


def test_sizes_modes_and_values_are_those_of_the_files(tmp_path):
    for name, size, mode in (("a", (20, 30), "L"), ("b", (40, 10), "RGB")):
        (tmp_path / f"train{name.upper()}").mkdir()
        for number in range(3):
            picture = Image.new(mode, size, 10 * number) if mode == "L" else Image.new(mode, size, (1, 2, 200 + number))
            picture.putpixel((1, 1), 7 if mode == "L" else (0, 0, 0))
            picture.save(tmp_path / f"train{name.upper()}" / f"{number}.png")
    first, second = survey({"": open_data([str(tmp_path)], UNPAIRED, look=False)})
    assert first.lines()[1] == "  x[a]  3 pictures, 20 wide, 30 high, L 8 bit, values 0 to 20"
    assert second.lines()[1] == "  x[b]  3 pictures, 40 wide, 10 high, RGB 8 bit, values 0 to 202"


def test_unlike_sizes_are_spans_and_deep_files_keep_their_numbers(tmp_path):
    (tmp_path / "train").mkdir()
    for number, size in enumerate(((20, 30), (40, 10), (20, 30))):
        values = np.full(size[::-1], 1000 * number + 5, np.uint16)
        values[0, 0] = 65535
        Image.fromarray(values).save(tmp_path / "train" / f"{number}.png")
    streams = [Stream("photos", (Field("photo", "image", (1, 16, 16)),))]
    (only,) = survey({"": open_data([str(tmp_path)], streams, look=False)})
    assert only.lines()[1] == "  photo  3 pictures, 20 to 40 wide, 10 to 30 high, I;16 16 bit, values 5 to 65535"


def test_pairs_of_unlike_proportions_and_empty_pictures_are_noted(tmp_path):
    for name, sizes in (("A", [(20, 20), (40, 20)]), ("B", [(10, 10), (20, 20)])):
        (tmp_path / f"train{name}").mkdir()
        for number, size in enumerate(sizes):
            Image.new("RGB", size, "red").save(tmp_path / f"train{name}" / f"{number}.png")
    text = "\n".join(survey({"": open_data([str(tmp_path)], PAIR, look=False)})[0].lines())
    assert "note: 1 row has pictures of unlike proportions: " in text and "1.png" in text
    assert "note: a: 2 pictures have" not in text  # red is one colour, and 255, 0, 0 are different numbers
    Image.new("RGB", (40, 20), "white").save(tmp_path / "trainA" / "1.png")
    text = "\n".join(survey({"": open_data([str(tmp_path)], PAIR, look=False)})[0].lines())
    assert "note: a: 1 picture has one colour only: 1.png" in text


def test_rows_of_each_class_are_counted(tmp_path):
    folder(tmp_path, train__ape=["1", "2"], train__bee=["1"], train__cat=["1", "2", "3"])
    first, _ = survey({"": open_data([str(tmp_path)], LABELLED, look=False)})
    assert first.lines()[2] == "  y  6 rows, rows of class 0 (2), 1 (1), 2 (3)"


def test_ids_of_maps_are_held_against_the_classes():
    maps = np.array([[0, 1, 2], [2, 2, 255]]), np.array([[0, 5, 5], [0, 0, 0]])
    text, ignored, unseen = lines_of(Field("label", "label_map", (6, 2, 3), {"ignore": 255}), *maps)
    assert text == "2 maps, 3 wide, 2 high, ids 0-2, 5, 255"
    assert ignored == "label: of no class: 255 (8.3 % of all)"
    assert unseen == "label: classes that no row has: 3-4"
    found = FieldSurvey(Field("label", "label_map", (6, 2, 3)))
    for values in maps:
        found.add(values, "", "row")
    (problem,) = found.problems()
    assert problem.fact == "label is label_map(6, ...), and has 255 (8.3 % of all, first in row)"
    assert problem.remedy == "classes go from 0 to 5: set their number; or say which mean no class, with ignore="
    assert lines_of(Field("inst", "ids", (2, 3)), np.array([[7, 26001], [7, 7]])) == [
        "1 map, 2 wide, 2 high, 2 ids from 7 to 26001"
    ]


def test_codes_and_attributes_show_their_values():
    assert lines_of(Field("z", "code", (2,)), np.float32([0, -1.5]), np.float32([3, 0.25])) == [
        "2 rows, values -1.5 to 3"
    ]


def test_every_file_that_cannot_be_read_is_named_in_one_message(tmp_path):
    names = [f"{number:02}" for number in range(24)]
    folder(tmp_path, trainA=names, trainB=names, testA=["1"], testB=["1"])
    broken = [tmp_path / part / f"{name}.png" for part in ("trainA", "trainB") for name in names[::2]]
    broken.append(tmp_path / "testA" / "1.png")
    for number, path in enumerate(broken):
        path.write_bytes(b"" if number % 2 else path.read_bytes()[:60])
    opened = open_data([str(tmp_path)], UNPAIRED, look=False)
    with pytest.raises(ComposeError) as caught:
        survey({"": opened, "test ": opened.held_out})
    text = str(caught.value)
    assert text.startswith("25 of 50 rows cannot be read; replace or delete them:") and len(caught.value.problems) == 1
    assert all(f"'{path}'" in text for path in broken)


def test_every_file_is_decoded_once(tmp_path, monkeypatch):
    folder(tmp_path, trainA=["1", "2", "3"], trainB=["1", "2"])
    seen = []
    decode = files.decode
    monkeypatch.setattr(files, "decode", lambda path, *more: seen.append(path) or decode(path, *more))
    survey({"": open_data([str(tmp_path)], UNPAIRED, look=False)})
    assert len(seen) == len(set(seen)) == 5


def test_progress_counts_every_row():
    counts = []
    noise = bind(UNPAIRED, {f"domain[{d}]": Noise(n, f"x[{d}]", 3) for d, n in (("a", 4), ("b", 3))}, seed=0)
    survey({"": noise}, lambda done, total: counts.append((done, total)))
    assert counts == [(n, 7) for n in range(1, 8)]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_overwritten_on_a_terminal_and_plain_elsewhere(monkeypatch):
    clock = iter(range(0, 1000, 11))
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    for stream in (Terminal(), io.StringIO()):
        counter = Counter("rows read", stream)
        counter(10, 2000)
        counter(20, 2000)
        counter.close()
        text = stream.getvalue()
        assert "rows read: 10 of 2,000, 36:29 left" in text
        if stream.isatty():
            assert text.count("\n") == 0 and text.endswith(" \r")
        else:
            assert text.count("\n") == 2 and "\r" not in text


@given(st.sets(st.integers(-3, 40)))
def test_runs_of_numbers_can_be_read_back(numbers):
    found = set()
    for run in runs(sorted(n for n in numbers if n >= 0)):
        first, _, last = run.partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    assert found == {n for n in numbers if n >= 0}


def test_labels_beyond_the_classes_are_refused():
    label = Field("y", "label", (2,))
    stream = Stream("one", (Field("x", "image", (3, 2, 2)), label))
    rows = Rows(*({"x": np.zeros((2, 2, 3), np.uint8), "y": np.array(n)} for n in (0, 1, 5, 5, 2)))
    with pytest.raises(ComposeError, match=r"y is label\(2\), and has 2, 5 \(60 % of all, first in row 4\)"):
        survey({"": bind([stream], {"one": rows})})
