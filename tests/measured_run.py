"""A run of a few weights on folders with a test part, for the tests of numbers."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from tiny_run import TINY, settings, start
from torch import nn

SIDE = 12  # large enough for SSIM
GRAPH = TINY.replace("size: 8", f"size: {SIDE}").replace("load=10", "load=14")


class Moments(nn.Module):
    """Features of a picture: means and mean squares of its channels."""

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        x = pictures.to(torch.float32) / 255
        return torch.cat([x.mean((2, 3)), (x * x).mean((2, 3))], 1)


def write_pictures(folder: Path, names: list[str], seed: int) -> None:
    folder.mkdir(parents=True)
    random = np.random.default_rng(seed)
    for name in names:
        Image.fromarray(random.integers(0, 256, (16, 15, 3), dtype=np.uint8)).save(folder / f"{name}.png")


def make_data(folder: Path, test: int = 5) -> Path:
    """trainA, trainB, testA and testB; the files of the two test folders have the same names."""
    for number, letter in enumerate("AB"):
        write_pictures(folder / f"train{letter}", [f"{letter}{i}" for i in range(4)], number)
        if test:
            write_pictures(folder / f"test{letter}", [f"scene{i}" for i in range(test)], 10 + number)
    return folder


def make_run(folder: Path, data: Path, out: Path, **more: object) -> str:
    """Train it; returns what was said. `folder` holds the graph."""
    folder.mkdir(parents=True, exist_ok=True)
    graph = folder / "tiny.yaml"
    graph.write_text(GRAPH, encoding="utf-8")
    base = {"iterations": 4, "checkpoint_every": 2, "sample_every": 0}
    return start(settings(str(graph), (str(data),), out=out, **{**base, **more}))[1]


def write_extractor(path: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is on its way out
        torch.jit.script(Moments()).save(str(path))
    return path
