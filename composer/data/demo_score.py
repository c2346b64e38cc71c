"""How well a model translates the demo's day into its night: the truth is known, so it can be measured.

The model's error is printed beside two controls that know the answers and nothing of the surroundings. The best
constant picture is the median of the true pictures at every pixel. The best colour map is the affine map of red, green
and blue that brings the day pictures nearest to the true ones, fitted on them. An error says little by itself; one
well below both controls says that things were recognised.

To see what a picture shows, each pixel is read as the nearest colour of the night's palette
(`composer.data.demo_paint.palette`): ground, an object of one of six tones, or a lit window. The mask is what is not
read as ground. Its limit was calibrated: the true pictures reach an IoU of 0.95 (their rims are blended with the
ground), the best constant picture 0.31, the day pictures themselves 0.24.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch

from composer.data.demo_paint import paint, palette, seen
from composer.data.demo_scenes import TONES, Floats, Scene, make_scene

Predict = Callable[[torch.Tensor], torch.Tensor]

LARGEST_SHARE = 0.5  # of the error of the better control
LEAST_COLOUR = 0.8
LEAST_IOU = 0.7
BATCH = 16


@dataclass(frozen=True)
class DemoScores:
    """The error is the mean absolute difference in image units (black -1, white 1); so are those of both controls.

    `right_colour`: the share of the objects' pixels that are read in their true tone, among those that can be read in
    the true picture. `mask_iou`: common pixels over all pixels of the masks that were read and that are true.
    """

    error: float
    constant: float
    colour_map: float
    right_colour: float
    mask_iou: float
    count: int

    @property
    def share(self) -> float:
        """The error as a share of the better control's."""
        return self.error / min(self.constant, self.colour_map)

    @property
    def passed(self) -> bool:
        """Whether the model learned the translation."""
        good = self.right_colour >= LEAST_COLOUR and self.mask_iou >= LEAST_IOU
        return self.share <= LARGEST_SHARE and good

    def lines(self) -> tuple[str, str]:
        """Both lines of the table that a run prints."""
        cells = {
            f"demo test, {self.count} unseen scenes": "passed" if self.passed else "not passed",
            "error": f"{self.error:.3f}",
            "best constant picture": f"{self.constant:.3f}",
            "best colour map": f"{self.colour_map:.3f}",
            f"share (<= {LARGEST_SHARE})": f"{self.share:.2f}",
            f"right colour (>= {LEAST_COLOUR:.0%})": f"{self.right_colour:.0%}",
            f"mask IoU (>= {LEAST_IOU})": f"{self.mask_iou:.2f}",
        }
        widths = [max(len(name), len(value)) for name, value in cells.items()]
        head = "  ".join(name.ljust(width) for name, width in zip(cells, widths, strict=True))
        body = "  ".join(value.ljust(width) for value, width in zip(cells.values(), widths, strict=True))
        return head.rstrip(), body.rstrip()


@dataclass(frozen=True)
class DemoTest:
    """Unseen scenes in both styles: images `[n, 3, size, size]` in [-1, 1], and what the true ones show.

    `tone` `[n, size, size]` is 0 on the ground, else the name of the object's colours as `palette` counts them.
    """

    scenes: tuple[Scene, ...]
    day: Floats
    night: Floats
    tone: npt.NDArray[np.int64]

    @cached_property
    def controls(self) -> tuple[float, float]:
        """Errors of the best constant picture and of the best colour map."""
        return distance(best_constant(self), self.night), distance(best_colour_map(self), self.night)


def demo_test(size: int, *, seed: int = 0, count: int = 64) -> DemoTest:
    """The first `count` test scenes. They belong to no training split, whatever its seed and length."""
    scenes = tuple(make_scene(seed, "test", number) for number in range(count))
    kinds = list(TONES)
    tones = []
    for scene in scenes:
        names = [0, *(1 + 2 * kinds.index(thing.kind) + thing.tone for thing in scene.things)]
        tones.append(np.array(names, np.int64)[seen(scene, size)])
    day, night = (_images([paint(scene, size, style) for scene in scenes]) for style in ("day", "night"))
    return DemoTest(scenes, day, night, np.stack(tones))


def demo_scores(predict: Predict, size: int, *, seed: int = 0, count: int = 64) -> DemoScores:
    """Score `predict`, which turns day pictures `[b, 3, size, size]` in [-1, 1] into night pictures."""
    test = demo_test(size, seed=seed, count=count)
    with torch.no_grad():
        batches = torch.split(torch.from_numpy(test.day), BATCH)
        made = torch.cat([predict(batch).detach().to("cpu", torch.float32) for batch in batches]).numpy()
    return score(made, test)


def score(made: Floats, test: DemoTest) -> DemoScores:
    """Score pictures `[n, 3, size, size]` in [-1, 1] against the true night pictures."""
    read = read_tones(made)
    readable = (test.tone > 0) & (read_tones(test.night) == test.tone)
    found, true = read != 0, test.tone > 0
    return DemoScores(
        error=distance(made, test.night),
        constant=test.controls[0],
        colour_map=test.controls[1],
        right_colour=float((read == test.tone)[readable].mean()),
        mask_iou=float((found & true).sum() / (found | true).sum()),
        count=len(made),
    )


def distance(made: Floats, true: Floats) -> float:
    """Mean absolute difference, in image units."""
    return float(np.abs(made - true).mean(dtype=np.float64))


def best_constant(test: DemoTest) -> Floats:
    """The one picture with the smallest error on all of the test: `[1, 3, size, size]`."""
    return np.asarray(np.median(test.night, axis=0, keepdims=True), np.float32)


def best_colour_map(test: DemoTest, steps: int = 12) -> Floats:
    """The day pictures through the affine map of colours with the smallest error: `[n, 3, size, size]`.

    Least absolute differences by least squares whose weights are the inverse of the last differences.
    Source: Schlossmacher, An Iterative Technique for Absolute Deviations Curve Fitting (JASA 1973).
    """
    colours = test.day.transpose(0, 2, 3, 1).reshape(-1, 3).astype(np.float64)
    wanted = test.night.transpose(0, 2, 3, 1).reshape(-1, 3)
    rows = np.concatenate([colours, np.ones((len(colours), 1))], axis=1)
    mapped = np.empty_like(colours)
    for channel in range(3):
        weights = np.ones(len(rows))
        for _ in range(steps):
            weighted = rows * weights[:, None]
            fit = np.linalg.solve(rows.T @ weighted, weighted.T @ wanted[:, channel])
            mapped[:, channel] = rows @ fit
            weights = 1 / np.maximum(np.abs(wanted[:, channel] - mapped[:, channel]), 1e-3)
    n, _, height, width = test.day.shape
    pictures = np.clip(mapped, -1, 1).reshape(n, height, width, 3).transpose(0, 3, 1, 2)
    return np.ascontiguousarray(pictures, np.float32)


def read_tones(images: Floats, style: str = "night") -> npt.NDArray[np.int64]:
    """What each pixel of pictures `[n, 3, h, w]` in [-1, 1] is read as: `[n, h, w]`, named as in `palette(style)`."""
    colours, names = palette(style)
    pixels = (images.transpose(0, 2, 3, 1) + 1) / 2
    # |p - c|^2 without |p|^2, which is the same for all colours.
    distances = (colours**2).sum(axis=1) - 2 * (pixels @ colours.T)
    return np.asarray(names[distances.argmin(axis=-1)], np.int64)


def _images(pictures: list[npt.NDArray[np.uint8]]) -> Floats:
    stacked = np.stack(pictures).transpose(0, 3, 1, 2).astype(np.float32)
    return np.ascontiguousarray(stacked / 127.5 - 1, np.float32)
