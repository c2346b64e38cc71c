"""What the bundled graphs for maps, codes and spectra keep beside weights is all there after a stop."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from data_folders import scenes
from tiny_run import make_pictures, settings

import composer
from composer import checkpoint
from composer.program import Program
from composer.testing.batches import batches_for
from composer.testing.compare import differences, train
from composer.verify_resume import verify_resume

STOP = 3
ITERATIONS = 5
TINY: dict[str, dict[str, Any]] = {
    "bicyclegan": {"size": 32, "load": 36, "width": 2, "judge_width": 2, "encoder_width": 2, "depth": 5,
                   "encoder_blocks": 1, "layers[encoded]": 1, "layers[random]": 1, "code_size": 2, "norm": "batch",
                   "dropout": 0.5},
    "pix2pixhd": {"size": 32, "image_width": 32, "classes": 5, "width": 2, "down": 1, "blocks": 1, "judge_width": 2,
                  "judge_layers": 1, "encoder_width": 2, "encoder_down": 1, "clusters": 2, "vgg_weight": 0, "pool": 2,
                  "norm": "batch"},
    "spade": {"size": 64, "load": 66, "classes": 5, "width": 1, "hidden": 2, "judge_width": 2, "judge_layers": 2,
              "judge_norm": "spectral_batch", "vgg_weight": 0, "batch": 2},
    "spectral_regularization": {"size": 16, "width": 4, "doublings": 2, "halvings": 2, "code_size": 4, "batch": 2},
}  # fmt: skip
STYLED = {"code_size": 2, "encoder_width": 2, "encoder_size": 64, "encoder_layers": 4}
LOCAL = {"size": 32, "width": 2, "enhancers": 1, "enhancer_blocks": 1, "fix_epochs": 1}
BATCH, SPECTRAL = "running_mean", "weight_u"
# Graph, variants, params, and what the names of some tensors say of the state that there is.
CASES: tuple[tuple[str, str, dict[str, Any], tuple[str, ...]], ...] = (
    ("bicyclegan", "", {}, (BATCH,)),
    ("bicyclegan", "conditional one_judge plain_encoder", {"code_at": "first"}, (BATCH,)),
    ("pix2pixhd", "", {}, (BATCH, "states/.*images")),
    ("pix2pixhd", "features", {"pool": 0}, (BATCH, "collected/centres")),
    ("pix2pixhd", "features local", LOCAL, (BATCH, "states/.*images", "collected/centres")),
    ("pix2pixhd", "label_features no_instance dont_care", {}, (BATCH, "collected/centres")),
    ("spade", "", {}, (BATCH, SPECTRAL)),
    ("spade", "styled", STYLED, (BATCH, SPECTRAL, "networks/E/.*weight_u")),
    ("spade", "plain_generator no_instances", {"judge_steps": 2}, (SPECTRAL,)),
    ("spectral_regularization", "", {}, (BATCH,)),
    ("spectral_regularization", "paper", {}, (BATCH, "collected/target")),
    ("spectral_regularization", "paper_running", {"judge_steps": 2}, (BATCH, "states/.*total", "states/.*steps")),
    ("spectral_regularization", "paper penalized", {"gan": "wasserstein"}, ("collected/target",)),
)


def of(name: str, params: dict[str, Any]) -> dict[str, Any]:
    return {f"params.{key}": value for key, value in {**TINY[name], **params}.items()}


@pytest.mark.parametrize(("name", "variants", "params", "kept"), CASES)
def test_a_stopped_run_is_continued_bit_for_bit(
    tmp_path: Path, name: str, variants: str, params: dict[str, Any], kept: tuple[str, ...]
) -> None:
    def compiled() -> Program:
        program = composer.compile(name, variants=variants.split(), settings=of(name, params))
        program.epoch_length = 2
        return program

    whole = compiled()
    batches = batches_for(whole, ITERATIONS)
    start, _ = whole.state()
    wanted = train(whole, batches)
    for part in kept:  # it is there, and moved
        assert any(re.search(part, n) and not torch.equal(start[n], t) for n, t in whole.state()[0].items()), part
    first = compiled()
    found = train(first, batches[:STOP], ended=False)
    checkpoint.save(tmp_path, STOP, *first.state())
    saved = checkpoint.latest(tmp_path)
    assert saved is not None
    second = compiled()
    second.load_state(*saved.load())
    found |= train(second, batches[STOP:])
    assert differences(wanted, found) == {}
    assert whole.state()[1] == second.state()[1]


@pytest.mark.parametrize(("name", "variants", "params"), [
    ("bicyclegan", "one_judge", {}), ("pix2pixhd", "features", {}), ("spade", "styled", STYLED),
    ("spectral_regularization", "paper", {}),
])  # fmt: skip
def test_verify_resume_proves_it(tmp_path: Path, name: str, variants: str, params: dict[str, Any]) -> None:
    """The command: data from files, other numbers of workers, checkpoints, logs, passes over all rows."""
    if name in ("pix2pixhd", "spade"):
        data: tuple[str, ...] = (str(scenes(tmp_path / "data", "train", ("a", "b", "c"))),)
    else:
        fields = {"bicyclegan": "ab", "spectral_regularization": "x"}[name]
        for field in fields:
            make_pictures(tmp_path / field, "picture", 3, 40, 40)
        data = tuple(f"{field}={tmp_path / field}" for field in fields)
    given = tuple(of(name, params).items())
    compared = verify_resume(settings(name, data, variants=tuple(variants.split()), settings=given), 1, 1)
    assert sum(one.count for one in compared) > 30
    assert [one for one in compared if one.different] == []
