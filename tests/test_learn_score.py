"""What tools/learn.py says of a translation is right for translations whose quality is known."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

import composer
from composer.data.demo_paint import STYLES
from composer.document import bundled_graphs

TOOLS = Path(__file__).resolve().parent.parent / "tools"
sys.path.insert(0, str(TOOLS))

import gallery  # noqa: E402
import hybrids  # noqa: E402
import learn  # noqa: E402
import learn_cases  # noqa: E402
import learn_score as scoring  # noqa: E402

SIZE = 32
SCENES = scoring.test_scenes(24)


PROGRAM = composer.compile(
    "pictures",
    text="""
composer: 1
name: pictures
inputs:
  scene: {x: "image(3, 32, 32)", label: "label_map(6, 32, 32)"}
networks:
  G: {chain: ["conv(3, kernel=1)"]}
values:
  y: G(x)
phases:
  learn: {update: G, minimize: {all: "l1(y, x)"}}
optimizers:
  default: {adam: {lr: 1e-3}}
training: {iterations: 1}
translate:
  same: {value: x}
""",
)


def painted(style: str) -> scoring.Floats:
    return scoring.pictures(SCENES, SIZE, style)


@pytest.mark.parametrize("style", STYLES)
def test_true_pictures_are_of_their_style_and_show_what_is_there(style: str) -> None:
    found = scoring.score([painted(style)], SCENES, [style])
    assert found.accuracy >= 0.95
    assert found.iou >= {"winter": 0.6}.get(style, 0.85)  # parts of what stands in winter are as white as its snow


@pytest.mark.parametrize("source", STYLES)
def test_tricks_fail(source: str) -> None:
    for target in STYLES:
        if target == source:
            continue
        case = {"input": "x", "from": [source], "to": [target]}
        found = learn_cases.controls(PROGRAM, case, SCENES)
        assert found["truth"].product > 0.55
        assert found["identity"].accuracy == 0 and found["colour_map"].accuracy == 0
        assert found["random"].accuracy >= 0.95 and found["random"].iou < 0.45


def test_noise_and_the_mean_picture_are_of_no_style() -> None:
    noise = np.random.default_rng(0).uniform(-1, 1, (8, 3, SIZE, SIZE)).astype(np.float32)
    mean = painted("night").mean(axis=0, keepdims=True).repeat(8, axis=0)
    assert scoring.score([noise], SCENES[:8], ["night"]).product == 0
    assert scoring.score([mean], SCENES[:8], ["night"]).iou < 0.6


def test_content_is_lost_by_degrees() -> None:
    """The more of the pictures show another scene, the less content is found."""
    true = painted("night")
    other = np.roll(true, 5, axis=0)
    found = []
    for wrong in (0, 8, 16, 24):
        mixed = np.concatenate([other[:wrong], true[wrong:]])
        found.append(scoring.score([mixed], SCENES, ["night"]).iou)
    assert found == sorted(found, reverse=True) and found[0] - found[-1] > 0.4


def test_diversity_is_a_share_of_the_true_one() -> None:
    styles = ["night", "winter", "dusk"]
    true = [painted(style) for style in styles]
    assert scoring.diversity(true, SCENES, styles) == pytest.approx(1)
    assert scoring.diversity([true[0]] * 3, SCENES, styles) == 0
    halfway = [(true[0] + one) / 2 for one in true]
    assert scoring.diversity(halfway, SCENES, styles) == pytest.approx(0.5, abs=0.01)
    assert scoring.diversity([true[0]], SCENES, styles) is None
    assert scoring.diversity(true, SCENES, ["night"]) is None


def test_a_class_in_its_mean_colour_is_of_no_style() -> None:
    for style in STYLES:
        found = learn_cases.controls(
            PROGRAM, {"input": "x", "maps": {"label": "classes"}, "from": ["day"], "to": [style]}, SCENES
        )
        assert found["flat"].accuracy < 0.2 and found["flat"].iou > 0.75
        assert found["truth"].accuracy >= 0.85 and found["truth"].error == 0 < (found["flat"].error or 0)
        assert set(found) == {"truth", "colour_map", "identity", "flat", "random"}


def test_what_is_made_of_noise_is_held_to_real_pictures() -> None:
    case = {"input": "x", "from": ["winter"], "to": ["night"], "made_up": True}
    found = learn_cases.controls(PROGRAM, case, SCENES)
    truth = found.pop("truth")
    assert truth.accuracy == 1 and truth.diversity == pytest.approx(1)
    assert all(other.product < truth.product for other in found.values())
    assert found["mixed"].iou < truth.iou and found["mean"].diversity == 0 and found["colour_map"].accuracy == 0


def test_a_program_is_given_what_the_case_says() -> None:
    """A translation that gives its input back is the source; a map is what is seen in the same scene."""
    case = {"as": "same", "input": "x", "from": ["day", "night"], "to": ["night"], "samples": 2}
    first, second = learn_cases.translations(PROGRAM, case, SCENES[:4])
    assert np.array_equal(first, second)
    assert np.array_equal(first[1::2], painted("night")[1:4:2]) and np.array_equal(first[::2], painted("day")[:4:2])
    assert learn_cases.scored(PROGRAM, {**case, "from": ["night"]}, SCENES[:4]).product > 0.8


def test_a_method_must_beat_every_control_and_be_diverse() -> None:
    table = {name: {"product": 0.4} for name in ("identity", "untrained")} | {"method": {"product": 0.5}}
    assert learn.learned({**table, "truth": {"product": 0.9}, "seed": 3})
    assert not learn.learned({**table, "untrained": {"product": 0.5}})
    assert not learn.learned({**table, "method": {"product": 0.5, "diversity": 0.4}})


def test_every_bundled_graph_is_trained_and_scored() -> None:
    known = learn.experiments()
    assert set(known) == set(bundled_graphs())
    families: dict[str, int] = {}
    for one in known.values():
        families[one["family"]] = max(families.get(one["family"], 0), len(one.get("seeds", [0])))
    assert set(families.values()) == {3}


def test_the_page_of_hybrids_shows_what_was_measured() -> None:
    rows = json.loads(hybrids.ROWS.read_text(encoding="utf-8"))
    assert hybrids.PAGE.read_text(encoding="utf-8") == hybrids.page(hybrids.PAGE.read_text(encoding="utf-8"), rows)
    wanted = {(name, seed) for members in hybrids.experiments().values() for name in members for seed in hybrids.SEEDS}
    assert {(row["name"], row["seed"]) for row in rows} == wanted
    for members in hybrids.experiments().values():
        assert len({row["iterations"] for row in rows if row["name"] in members}) == 1


def test_the_gallery_shows_what_was_measured() -> None:
    rows = json.loads((TOOLS.parent / "docs" / "learned.json").read_text(encoding="utf-8"))
    assert gallery.PAGE.read_text(encoding="utf-8") == gallery.page(rows)
    wanted = {(name, seed) for name, one in learn.experiments().items() for seed in one.get("seeds", [0])}
    assert {(row["name"], row["seed"]) for row in rows} == wanted
    for row in rows:
        assert row["learned"] is learn.learned(row)
    for name in learn.experiments():
        assert (gallery.DRAWINGS / f"{name}.svg").is_file() and (gallery.TRANSLATIONS / f"{name}.png").is_file()
