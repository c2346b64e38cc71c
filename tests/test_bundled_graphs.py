"""The bundled graphs, small, are trained as the second interpreter says, and so are variants that keep state."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tiny_graphs import CASES, of

import composer
from composer.document import bundled_graphs
from composer.program import Program
from composer.testing.batches import batches_for, batches_of_passes
from composer.testing.compare import disagreements, train
from composer.testing.interpreter import interpret

WIDTHS = ("width", "judge_width", "encoder_width", "vgg_width")
SMALL = {
    "size": 32,
    "depth": 5,
    "layers": 2,
    "blocks": 1,
    "pool": 3,
    "scales": 1,
    "judge_layers": 2,
    "load": 36,
    "encoder_blocks": 1,
    "doublings": 3,
    "halvings": 3,
}
# Batch statistics and dropout show in which order and how often networks are called.
TELLING = {"norm": "batch", "judge_norm": "batch", "dropout": 0.3, "batch": 2}

# While all scores lie within the margin, the last bias has a gradient of nothing but rounding errors with `hinge`.
OTHERWISE: dict[str, dict[str, Any]] = {
    "spade": {"gan": "least_squares", "classes": 5, "hidden": 4},
    "unit_spade": {"classes": 5, "hidden": 4},
    "pix2pixhd_styles": {"classes": 5, "down": 2, "encoder_down": 2, "vgg_widths": [4] * 13},
}


@pytest.mark.filterwarnings("ignore:.*random weights")
@pytest.mark.parametrize("name", sorted(bundled_graphs()))
def test_is_trained_as_the_rules_say(name: str) -> None:
    params = composer.check(name).graph.params
    wanted: dict[str, Any] = {**dict.fromkeys(WIDTHS, 4), **SMALL, **TELLING, **OTHERWISE.get(name, {})}
    settings = {f"params.{key}": value for key, value in wanted.items() if key in params}

    def make() -> Program:
        return composer.compile(name, settings=settings, dtype=torch.float64)

    program = make()
    batches = batches_for(program, 2)
    meant = interpret(program, batches).trace()
    assert disagreements(train(program, batches), meant, make, batches) == {}


@pytest.mark.parametrize(("name", "variants", "params"), [case[:3] for case in CASES if case[1]])
def test_a_variant_is_trained_as_the_rules_say(name: str, variants: str, params: dict[str, Any]) -> None:
    margin = {"gan": "least_squares"} if name == "spade" else {}

    def make() -> Program:
        settings = of(name, {**params, **margin})
        return composer.compile(name, variants=variants.split(), settings=settings, dtype=torch.float64)

    program = make()
    batches = batches_for(program, 2)
    meant = interpret(program, batches, batches_of_passes(program)).trace()
    assert disagreements(train(program, batches), meant, make, batches) == {}
