"""How far a picture is from its truth. Pictures are [c, h, w] in [-1, 1]; what lies outside is clipped first.

All is computed in float64, picture by picture, so that a mean and a deviation over pictures can be told.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

from composer.blocks.similarity import ssim

WINDOW = 11  # pixels of a side that SSIM looks at
RANGE = 2.0  # from black to white


@dataclass(frozen=True)
class PairMetric:
    """A number for a picture and its truth. `less`: a smaller one is better."""

    compute: Callable[[Tensor, Tensor], float]
    less: bool
    meaning: str
    smallest: int = 1  # side of a picture, pixels


def l1(made: Tensor, true: Tensor) -> float:
    """Mean absolute difference, in image units: black is -1 and white 1."""
    return float((clipped(made) - clipped(true)).abs().mean())


def psnr(made: Tensor, true: Tensor) -> float:
    """10 log10(range^2 / mean squared difference) in dB; infinite for equal pictures."""
    error = float((clipped(made) - clipped(true)).square().mean())
    return 10 * math.log10(RANGE**2 / error) if error > 0 else (math.inf if error == 0 else math.nan)


def similarity(made: Tensor, true: Tensor) -> float:
    """Mean structural similarity under a Gaussian window of 11 pixels: 1 for equal pictures, at least -1.

    Source: Image quality assessment: from error visibility to structural similarity, 2004.
    """
    return 1 - float(ssim(clipped(made)[None], clipped(true)[None], data_range=RANGE, window=WINDOW))


def clipped(picture: Tensor) -> Tensor:
    return picture.detach().cpu().double().clamp(-1, 1)


PAIR_METRICS: Mapping[str, PairMetric] = {
    "l1": PairMetric(l1, True, "mean absolute difference, black -1, white 1"),
    "psnr": PairMetric(psnr, False, "dB"),
    "ssim": PairMetric(similarity, False, "structural similarity, 1 for equal pictures", smallest=WINDOW),
}
