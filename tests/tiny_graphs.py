"""Bundled graphs for maps, codes and spectra, in a size that trains in milliseconds, and what they keep."""

from __future__ import annotations

from typing import Any

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
