"""Small data for the tests of the data pipeline: folders of pictures, rows in memory, streams that read them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from composer.data import Dataset, Field, Stream, bind

PAIR = [Stream("pair", (Field("a", "image", (3, 16, 16)), Field("b", "image", (3, 16, 16))))]
UNPAIRED = [Stream(f"domain[{d}]", (Field(f"x[{d}]", "image", (3, 16, 16)),)) for d in "ab"]
SINGLE = [Stream("photos", (Field("photo", "image", (1, 16, 16)),))]
LABELLED = [
    Stream("source", (Field("x", "image", (3, 16, 16)), Field("y", "label", (3,)))),
    Stream("reference", (Field("x_ref", "image", (3, 16, 16)), Field("y_ref", "label", (3,)))),
]

REFERENCE_FIELDS = (
    Field("x", "image", (3, 4, 4)),
    Field("x2", "image", (3, 4, 4), {"another": "y"}),
    Field("y", "label", (2,)),
)


def paint(path: Path, width: int = 20, height: int = 20, level: int = 0) -> None:
    """A picture whose left half has the grey `level` and whose right half has `level + 1`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((height, width, 3), level, np.uint8)
    pixels[:, width // 2 :] += 1
    Image.fromarray(pixels).save(path)


def folder(root: Path, **files: Sequence[str]) -> Path:
    """Folders with picture files: `trainA=["1", "2"]`, `train__cat=["1"]` for train/cat."""
    for name, stems in files.items():
        for number, stem in enumerate(stems):
            suffix = "" if Path(stem).suffix else ".png"
            paint(root / name.replace("__", "/") / f"{stem}{suffix}", level=10 * number)
    return root


def scenes(folder: Path, part: str, names: tuple[str, ...], high: int = 40, wide: int = 50) -> Path:
    """Photos, label maps of 8 bits and instance maps of 16, in folders as the authors have them."""
    numbers = np.random.default_rng(0)
    for name in names:
        patches = numbers.permutation(np.arange(20) % 5).reshape(4, 5).astype(np.uint8)
        label = patches[(np.arange(high) * 4 // high)[:, None], np.arange(wide) * 5 // wide]
        things = np.where(label > 2, label.astype(np.uint16) * 1000 + 1, label).astype(np.uint16)
        photo = numbers.integers(0, 256, (high, wide, 3)).astype(np.uint8)
        for kind, pixels in (("label", label), ("inst", things), ("img", photo)):
            (folder / f"{part}_{kind}").mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(folder / f"{part}_{kind}" / f"{name}.png")
    return folder


STREAMS = [
    Stream("domain[a]", (Field("x[a]", "image", (3, 8, 8), {"load": 12}), Field("y", "label", (9,)))),
    Stream("domain[b]", (Field("x[b]", "image", (1, 6, 6), {"pairing": "uniform"}),)),
]


class Noise:
    """Rows made of noise; `label` adds the number of the row."""

    def __init__(self, rows: int, name: str, channels: int, label: str = "", broken: str = "") -> None:
        self.rows, self.name, self.channels, self.label, self.broken = rows, name, channels, label, broken

    def __len__(self) -> int:
        return self.rows

    def row(self, index: int) -> dict[str, Any]:
        if self.broken:
            raise ZeroDivisionError(self.broken)
        pixels = np.random.default_rng(index).integers(0, 256, (15, 11, self.channels), dtype=np.uint8)
        return {self.name: pixels} | ({self.label: np.int64(index)} if self.label else {})

    def describe(self) -> str:
        return f"{self.rows} rows of noise"


def noise(rows: tuple[int, int] = (9, 5), seed: int = 3) -> Dataset:
    return bind(
        STREAMS, {"domain[a]": Noise(rows[0], "x[a]", 3, "y"), "domain[b]": Noise(rows[1], "x[b]", 1)}, seed=seed
    )
