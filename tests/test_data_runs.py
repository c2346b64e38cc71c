"""Runs on every kind of data, from the command line's settings to the checkpoint."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from data_folders import folder
from data_graphs import DOMAINS, FACES, SCENES, STUFF
from PIL import Image
from tiny_run import settings, start

import composer
from composer.data import open_data
from composer.errors import ComposeError

SHARED = Path(__file__).parents[2] / "shared" / "data"


def written(folder: Path, text: str) -> str:
    path = folder / "graph.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def scenes(root: Path, classes: int = 35, rows: int = 4, nothing: int | None = None) -> Path:
    """Pictures, label maps and instance maps of unlike sizes."""
    random = np.random.default_rng(0)
    for number in range(rows):
        height, width = 20 + number, 44 - number
        label = random.integers(0, classes, (height, width), dtype=np.uint8)
        if nothing is not None:
            label[0] = nothing
        for what, values in {
            "label": label,
            "inst": label.astype(np.uint16) * 1000,
            "img": random.integers(0, 256, (height, width, 3), dtype=np.uint8),
        }.items():
            (root / f"train_{what}").mkdir(parents=True, exist_ok=True)
            Image.fromarray(values).save(root / f"train_{what}" / f"{number}.png")
    return root


@pytest.mark.parametrize("text", [SCENES, STUFF, DOMAINS, FACES, DOMAINS.replace("domains: 3", "domains: 4")])
def test_graphs_of_all_kinds_run_without_data(tmp_path: Path, text: str) -> None:
    status, said = start(settings(written(tmp_path, text), (), iterations=2, out=tmp_path / "run", score=False))
    assert status == 0 and "built-in demo" in said and "no test part" not in said
    assert len(list((tmp_path / "run/samples").iterdir())) == 2


def test_a_run_with_a_split_continues_with_the_same_one_only(tmp_path: Path) -> None:
    graph, data = written(tmp_path, SCENES), (str(scenes(tmp_path / "data")),)
    common = {"out": tmp_path / "run", "resume": True, "seed": 3}
    status, said = start(settings(graph, data, iterations=2, split="0.25", **common))
    assert status == 0 and "--split 0.25 holds out 1 of 4 rows of 'scene', by the seed 3" in said
    status, said = start(settings(graph, data, iterations=4, split="0.25", **common))
    assert status == 0 and "continued at iteration 2 of 4" in said
    with pytest.raises(ComposeError, match="was started with other data"):
        start(settings(graph, data, iterations=6, split="2", **common))
    with pytest.raises(ComposeError, match="was started with other data"):
        start(settings(graph, data, iterations=6, **common))


def test_a_run_without_a_test_part_says_so(tmp_path: Path) -> None:
    graph, data = written(tmp_path, STUFF), str(scenes(tmp_path / "data", 180, nothing=255))
    _, said = start(settings(graph, (data,), iterations=1, out=tmp_path / "run"))
    assert "no test part: samples show training pictures (--split 0.1 holds some out, --test-data names others)" in said
    _, said = start(settings(graph, (data,), test_data=(data,), iterations=1, out=tmp_path / "other"))
    assert "no test part" not in said


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"data": ("x",), "split": "x"}, "--split x is no number; "),
        ({"data": (), "split": "0.1"}, "--split holds out rows of --data to show, and the demo data has some already"),
        (
            {"data": ("x",), "split": "0.1", "test_data": ("y",)},
            "--split holds out rows of --data to show, and --test-data",
        ),
    ],
)
def test_splits_that_cannot_be(tmp_path: Path, more: dict[str, object], words: str) -> None:
    given = settings(written(tmp_path, SCENES), more.pop("data"), iterations=1, out=tmp_path / "run", **more)
    with pytest.raises(ComposeError) as raised:
        start(given)
    assert str(raised.value).startswith(words) and not (tmp_path / "run").exists()


def test_wrong_ids_are_said_before_anything_is_written(tmp_path: Path) -> None:
    graph, data = written(tmp_path, SCENES), str(scenes(tmp_path / "data", 60))
    with pytest.raises(ComposeError, match=r"set the number of classes to 60 \(--set params\.classes=60\)"):
        start(settings(graph, (data,), iterations=1, out=tmp_path / "run"))
    assert not (tmp_path / "run").exists()
    status, _ = start(settings(graph, (data,), iterations=1, out=tmp_path / "run", settings=(("params.classes", 60),)))
    assert status == 0


def test_a_label_that_only_another_row_needs_is_read(tmp_path: Path) -> None:
    text = DOMAINS.replace("fake: G(x, x_ref, y_ref)", "fake: G(x, x_ref, y)").replace(
        "fake2: G(x, x_ref2, y_ref)", "fake2: G(x, x_ref2, y)"
    )
    program = composer.compile(written(tmp_path, text))
    assert [column.name for column in program.inputs["reference"].fields] == ["x_ref", "x_ref2", "y_ref"]
    folder(tmp_path / "data", cat=["1", "2"], dog=["1", "2"], wild=["1", "2"])
    batch = open_data([str(tmp_path / "data")], list(program.inputs.values())).loader(2).batch(0)
    assert torch.isfinite(program.step(batch).totals["fit"])


def test_another_needs_a_label_of_its_stream(tmp_path: Path) -> None:
    text = DOMAINS.replace('another="y_ref"', 'another="y_rf"')
    with pytest.raises(ComposeError) as raised:
        composer.check(written(tmp_path, text))
    assert "and 'reference' has no label of that name; did you mean 'y_ref'?" in str(raised.value)
    assert f"{tmp_path}/graph.yaml:11:5:" in str(raised.value)


@pytest.mark.parametrize(
    ("text", "name", "settings_", "rows"),
    [
        (SCENES, "cityscapes", {}, {"scene": 8}),
        (STUFF, "coco_stuff", {}, {"scene": 13}),
        (DOMAINS, "afhq", {}, {"source": 28, "reference": 28}),
    ],
)
def test_real_data_sets(tmp_path: Path, text: str, name: str, settings_: dict[str, int], rows: dict[str, int]) -> None:
    if not (SHARED / name).is_dir():
        return
    program = composer.compile(written(tmp_path, text), settings=settings_)
    data = open_data([str(SHARED / name)], list(program.inputs.values()))
    assert data.rows() == rows
    for number in range(2):
        assert torch.isfinite(program.step(data.loader(2).batch(number)).totals["fit"])
