"""What tools/learn.py says of a translation is right for translations whose quality is known."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from composer.data.demo_paint import STYLES
from composer.document import bundled_graphs

TOOLS = Path(__file__).resolve().parent.parent / "tools"
sys.path.insert(0, str(TOOLS))

import gallery  # noqa: E402
import learn  # noqa: E402
import learn_score as scoring  # noqa: E402

SIZE = 32
SCENES = scoring.test_scenes(24)


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
        found = scoring.controls(painted(source), SCENES, [target])
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


def test_a_method_must_beat_every_control_and_be_diverse() -> None:
    table = {name: {"product": 0.4} for name in learn.BEATEN} | {"method": {"product": 0.5}}
    assert learn.learned(table)
    assert not learn.learned({**table, "untrained": {"product": 0.5}})
    assert not learn.learned({**table, "method": {"product": 0.5, "diversity": 0.4}})


def test_every_bundled_graph_is_trained_and_scored() -> None:
    known = learn.experiments()
    not_yet = yaml.safe_load((TOOLS / "learn.yaml").read_text(encoding="utf-8"))["not_yet"]
    assert {*known, *not_yet} == set(bundled_graphs()) and not {*known} & {*not_yet}
    families: dict[str, int] = {}
    for one in known.values():
        families[one["family"]] = max(families.get(one["family"], 0), len(one.get("seeds", [0])))
    assert set(families.values()) == {3}


def test_the_gallery_shows_what_was_measured() -> None:
    rows = json.loads((TOOLS.parent / "docs" / "learned.json").read_text(encoding="utf-8"))
    assert gallery.PAGE.read_text(encoding="utf-8") == gallery.page(rows)
    wanted = {(name, seed) for name, one in learn.experiments().items() for seed in one.get("seeds", [0])}
    assert {(row["name"], row["seed"]) for row in rows} == wanted
    for row in rows:
        assert row["learned"] is learn.learned(row)
    for name in learn.experiments():
        assert (gallery.DRAWINGS / f"{name}.svg").is_file() and (gallery.TRANSLATIONS / f"{name}.png").is_file()
