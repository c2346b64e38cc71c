"""The built-in demo data: what it promises of its rows, and that its test cannot be passed without looking around."""

from __future__ import annotations

import dataclasses
import pickle
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from composer.data import Field, Stream, open_data
from composer.data.demo import TEST_ROWS, TRAIN_ROWS, demo_dataset, write_demo
from composer.data.demo_domains import demo_styles
from composer.data.demo_paint import STYLES, paint, palette, seen
from composer.data.demo_scenes import TONES, bounds, make_scene
from composer.data.demo_score import (
    DemoScores,
    DemoTest,
    best_colour_map,
    best_constant,
    demo_scores,
    demo_test,
    distance,
    read_tones,
    score,
)
from composer.errors import ComposeError


def image(name: str, channels: int = 3, height: int = 32, width: int = 32, **options: object) -> Field:
    return Field(name, "image", (channels, height, width), options)


def two_domains(**options: object) -> list[Stream]:
    return [Stream(f"domain[{d}]", (image(f"x[{d}]", **options),)) for d in "ab"]


@cache
def unseen() -> DemoTest:
    return demo_test(64)


# scenes and pictures


def test_a_scene_is_a_function_of_its_name() -> None:
    assert make_scene(3, "test", 5) == make_scene(3, "test", 5)
    others = [make_scene(3, "test", 6), make_scene(4, "test", 5), make_scene(3, "train a", 5)]
    assert all(scene != make_scene(3, "test", 5) for scene in others)


def test_no_scene_is_in_two_parts() -> None:
    data = demo_dataset(two_domains(), seed=1)
    assert data.held_out is not None
    sources = [*data.sources.values(), data.held_out.sources["domain[a]"]]
    scenes = [make_scene(source.seed, source.split, number) for source in sources for number in range(len(source))]
    assert len(set(scenes)) == len(scenes) == 2 * TRAIN_ROWS + TEST_ROWS


def test_every_kind_tone_and_distance_occurs_often() -> None:
    things = [thing for number in range(200) for thing in make_scene(0, "test", number).things]
    for kind in TONES:
        for near in (False, True):
            same = [thing for thing in things if thing.kind == kind and thing.near == near]
            exceptions = sum(thing.tone != near for thing in same) / len(same)
            assert len(same) > 40 and 0.01 < exceptions < 0.15


def test_objects_stay_in_their_bounds_and_mostly_in_the_picture() -> None:
    for number in range(40):
        scene = make_scene(0, "test", number)
        for thing in scene.things:
            alone = dataclasses.replace(scene, things=(thing,))
            found = np.argwhere(seen(alone, 64))
            left, top, right, bottom = (64 * value for value in bounds(thing))
            assert found[:, 0].min() >= top - 1 and found[:, 0].max() <= bottom
            assert found[:, 1].min() >= left - 1 and found[:, 1].max() <= right
            assert left > -4 and right < 68 and top > -1 and bottom < 68


@pytest.mark.parametrize("style", STYLES)
def test_a_picture_is_the_same_at_any_size(style: str) -> None:
    scene = make_scene(0, "test", 2)
    small, large = (paint(scene, size, style).astype(float) for size in (64, 192))
    means = large.reshape(64, 3, 64, 3, 3).mean(axis=(1, 3))
    assert paint(scene, 33, style).shape == (33, 33, 3)
    assert np.abs(means - small).mean() < 5  # of 255; threads and edges are blended a little differently


def test_objects_keep_their_hue_at_three_quarters_of_the_value() -> None:
    day, night = STYLES["day"].plain, STYLES["night"].plain
    for hue in (0.0, 0.13, 0.62):
        assert np.allclose(np.array(night.colour(hue)), 0.75 * np.array(day.colour(hue)))


# streams


def test_streams_of_two_domains_are_unpaired_in_training_and_paired_in_the_test() -> None:
    data = demo_dataset(two_domains(load=40), seed=2)
    assert data.rows() == {"domain[a]": TRAIN_ROWS, "domain[b]": TRAIN_ROWS}
    train, test = data.loader(4).batch(0), data.held_out.loader(4, train=False).batch(0)
    assert {name: tuple(rows.shape) for name, rows in train.items()} == {"x[a]": (4, 3, 32, 32), "x[b]": (4, 3, 32, 32)}
    for index in range(4):
        scene = make_scene(2, "test", index)
        for name, style in (("x[a]", "day"), ("x[b]", "night")):
            wanted = torch.from_numpy(paint(scene, 32, style)).permute(2, 0, 1) / 127.5 - 1
            assert torch.allclose(test[name][index], wanted, atol=1e-6)


def test_fields_of_one_stream_show_the_same_scene() -> None:
    streams = [Stream("pair", (image("a", load=36), image("b", channels=1, height=64, width=64)))]
    row = demo_dataset(streams).sources["pair"].row(7)
    scene = make_scene(0, "train pair", 7)
    assert np.array_equal(row["a"], paint(scene, 32, "day"))
    assert row["b"].shape == (64, 64, 1) and row["b"].dtype == np.uint8


def test_a_label_chooses_the_style() -> None:
    streams = [Stream("photos", (image("x"), Field("y", "label", (2,))))]
    source = demo_dataset(streams).sources["photos"]
    for index, style in enumerate(["day", "night", "day"]):
        row = source.row(index)
        assert row["y"] == index % 2
        assert np.array_equal(row["x"], paint(make_scene(0, "train photos", index), 32, style))


def test_a_domain_of_several_styles_takes_them_in_turn() -> None:
    streams = [Stream("domain[a]", (image("x[a]"),)), Stream("domain[b]", (image("x[b]", demo_styles=3),))]
    assert demo_styles(streams) == {"x[a]": ("day",), "x[b]": ("night", "winter", "dusk")}
    source = demo_dataset(streams).sources["domain[b]"]
    assert source.describe() == "512 made-up landscapes (night, winter, dusk)"
    for index, style in enumerate(["night", "winter", "dusk", "night"]):
        wanted = paint(make_scene(0, "train domain[b]", index), 32, style)
        assert np.array_equal(source.row(index)["x[b]"], wanted)


def test_a_class_of_several_styles_has_as_many_as_the_others() -> None:
    source = demo_dataset([Stream("photos", (image("x", demo_styles=4), Field("y", "label", (2,))))]).sources["photos"]
    for index, style in enumerate(["day", "night", "winter", "dusk", "day"]):
        row = source.row(index)
        assert row["y"] == index % 2
        assert np.array_equal(row["x"], paint(make_scene(0, "train photos", index), 32, style))
    assert source.names["y"] == ("day or winter", "night or dusk")


@pytest.mark.parametrize("styles", [3, 6])
def test_styles_that_do_not_fit_the_classes_are_said(styles: int) -> None:
    labelled = Stream("photos", (image("x", demo_styles=styles), Field("y", "label", (2,))))
    with pytest.raises(ComposeError, match=f"demo_styles={styles}, and its label 2 classes; a multiple of 2 up to 4"):
        demo_styles([labelled])


def test_more_styles_than_there_are_is_said() -> None:
    with pytest.raises(ComposeError, match="one domain too many"):
        demo_styles([Stream("a", (image("x[a]", demo_styles=2),)), Stream("b", (image("x[b]", demo_styles=3),))])


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_pictures_of_any_channels_and_shape(channels: int) -> None:
    streams = [Stream("s", (image("x", channels, 24, 40),))]
    batch = demo_dataset(streams).loader(2).batch(0)["x"]
    assert batch.shape == (2, channels, 24, 40) and batch.min() >= -1 and batch.max() <= 1
    if channels in (2, 4):
        assert (batch[:, -1] == 1).all()


def test_what_the_demo_has_not_is_said() -> None:
    many = [Stream(f"domain[{d}]", (image(f"x[{d}]"),)) for d in "abcdefghijkl"]
    with pytest.raises(ComposeError, match=r"one domain too many.*--data"):
        demo_styles(many)
    with pytest.raises(ComposeError, match="99 classes"):
        demo_styles([Stream("s", (image("x"), Field("y", "label", (99,))))])
    with pytest.raises(ComposeError, match="no map for 'm'"):
        demo_styles([Stream("s", (Field("m", "map", (3, 8, 8)),))])


def test_a_source_goes_to_another_process() -> None:
    source = demo_dataset(two_domains()).sources["domain[a]"]
    again = pickle.loads(pickle.dumps(source))
    assert again == source and np.array_equal(again.row(3)["x[a]"], source.row(3)["x[a]"])
    assert source.describe() == f"{TRAIN_ROWS} made-up landscapes (day)"


def test_written_pictures_are_those_of_the_run(tmp_path: Path) -> None:
    counts = write_demo(tmp_path / "demo", size=32, seed=5)
    assert counts == {"trainA": TRAIN_ROWS, "trainB": TRAIN_ROWS, "testA": TEST_ROWS, "testB": TEST_ROWS}
    names = [[path.name for path in sorted((tmp_path / "demo" / part).iterdir())] for part in ("testA", "testB")]
    assert names[0] == names[1]
    made, read = demo_dataset(two_domains(), seed=5), open_data([str(tmp_path / "demo")], two_domains(), seed=5)
    for name in ("x[a]", "x[b]"):
        stream = f"domain[{name[2]}]"
        assert np.array_equal(made.sources[stream].row(11)[name], read.sources[stream].row(11)[name])
    with pytest.raises(ComposeError, match="is not empty"):
        write_demo(tmp_path / "demo", size=32)


# the score


def scored(pictures: np.ndarray) -> DemoScores:
    return score(np.broadcast_to(pictures, unseen().night.shape), unseen())


def test_the_truth_scores_perfectly() -> None:
    truth = scored(unseen().night)
    assert truth.error == 0 and truth.right_colour == 1 and truth.mask_iou > 0.93 and truth.passed


def test_pictures_left_as_they_are_do_not_pass() -> None:
    same = demo_scores(lambda pictures: pictures, 64)
    assert same.share > 4 and same.mask_iou < 0.35 and not same.passed


def test_the_best_constant_picture_does_not_pass() -> None:
    constant = scored(best_constant(unseen()))
    assert constant.error == constant.constant
    assert constant.share >= 1 and constant.right_colour < 0.5 and constant.mask_iou < 0.5 and not constant.passed


def test_no_map_of_colours_passes() -> None:
    mapped = scored(best_colour_map(unseen()))
    assert mapped.error == mapped.colour_map and mapped.share >= 1 and not mapped.passed
    # A table with an answer of its own for each of 4096 colours, fitted on the truth, does not pass either.
    test = unseen()
    cells = np.minimum((test.day + 1) * 8, 15).astype(int)
    cells = cells[:, 0] * 256 + cells[:, 1] * 16 + cells[:, 2]
    order = np.argsort(cells, axis=None)
    groups = np.split(order, np.flatnonzero(np.diff(cells.ravel()[order])) + 1)
    tabled = np.empty(test.night.transpose(1, 0, 2, 3).shape, test.night.dtype)  # written in place, so in this order
    for channel, wanted in enumerate(test.night.transpose(1, 0, 2, 3)):
        for group in groups:
            tabled[channel].reshape(-1)[group] = np.median(wanted.reshape(-1)[group])
    assert scored(tabled.transpose(1, 0, 2, 3)).share > 0.7


def test_the_colour_map_is_the_best_one() -> None:
    test = unseen()
    best = distance(best_colour_map(test), test.night)
    pixels = test.day.transpose(0, 2, 3, 1).reshape(-1, 3)
    rows = np.concatenate([pixels, np.ones((len(pixels), 1), np.float32)], axis=1)
    wanted = test.night.transpose(0, 2, 3, 1).reshape(-1, 3)
    squares = rows @ np.linalg.lstsq(rows, wanted, rcond=None)[0]
    assert best <= distance(np.clip(squares, -1, 1), wanted)


def test_objects_in_wrong_colours_are_seen() -> None:
    swapped = scored(unseen().night[:, [2, 0, 1]])
    assert swapped.right_colour < 0.2 and not swapped.passed


def test_every_colour_of_the_palette_is_read_as_what_it_is() -> None:
    colours, names = palette("night")
    pictures = (2 * colours - 1).T.reshape(1, 3, 1, -1)
    assert np.array_equal(read_tones(pictures)[0, 0], names)
    assert set(names.tolist()) == {-1, 0, 1, 2, 3, 4, 5, 6}


def test_the_table_has_two_lines_with_the_controls() -> None:
    head, body = DemoScores(0.05, 0.2, 0.21, 0.9, 0.86, 64).lines()
    assert "64 unseen scenes" in head and "best constant picture" in head and "best colour map" in head
    assert body.split() == ["passed", "0.050", "0.200", "0.210", "0.25", "90%", "0.86"]
    assert DemoScores(0.11, 0.2, 0.21, 0.9, 0.86, 64).lines()[1].startswith("not passed")
