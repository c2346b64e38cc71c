"""Structural similarity of images, at one scale and at several, as losses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from torch import Tensor
from torch.nn import functional

from composer.block import Examples, Range, block

_SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
Positive = Annotated[float, Range(0, None)]
Window = Annotated[int, Range(1, None)]
_PAIR = "image[b c h w], image[b c h w] -> loss[] where data_range > 0 and sigma > 0 and k1 > 0 and k2 > 0"
_SCALES = "(5 if weights is None else len(weights))"
Padding = Literal["reflect", "valid", "zero"]
ScaleWeights = Annotated[list[float] | None, Examples([1.0], [0.5, 0.5])]


def _window(window: int, sigma: float, like: Tensor) -> Tensor:
    place = torch.arange(window, device=like.device, dtype=like.dtype) - (window - 1) / 2
    weight = torch.exp(-(place**2) / (2 * sigma**2))
    return weight / weight.sum()


def _blur(x: Tensor, line: Tensor) -> Tensor:
    """Local means: a separable Gaussian over the pixels where the whole window fits."""
    c = x.shape[1]
    down = functional.conv2d(x, line.view(1, 1, -1, 1).expand(c, 1, -1, 1), groups=c)
    return functional.conv2d(down, line.view(1, 1, 1, -1).expand(c, 1, 1, -1), groups=c)


@dataclass(frozen=True)
class _Rule:
    """How similarity is measured; the settings of the two losses."""

    data_range: float
    window: int
    sigma: float
    k1: float
    k2: float
    padding: Padding

    def means(self, got: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
        """Per image, the mean similarity and the mean of its contrast-structure factor."""
        margin = self.window // 2
        if self.padding != "valid":
            mode = "reflect" if self.padding == "reflect" else "constant"
            got, wanted = (functional.pad(x, [margin] * 4, mode=mode) for x in (got, wanted))
        line = _window(self.window, self.sigma, got)
        c1, c2 = (self.k1 * self.data_range) ** 2, (self.k2 * self.data_range) ** 2
        mean_got, mean_wanted = _blur(got, line), _blur(wanted, line)
        variances = _blur(got * got, line) - mean_got**2 + _blur(wanted * wanted, line) - mean_wanted**2
        covariance = _blur(got * wanted, line) - mean_got * mean_wanted
        structure = (2 * covariance + c2) / (variances + c2)
        luminance = (2 * mean_got * mean_wanted + c1) / (mean_got**2 + mean_wanted**2 + c1)
        similarity = (luminance * structure).mean((1, 2, 3))
        if self.padding != "valid":  # the factor alone counts pixels where the whole window fits
            inside = slice(margin, -margin or None)
            structure = structure[..., inside, inside]
        return similarity, structure.mean((1, 2, 3))


@block(f"{_PAIR} and min(h, w) >= window", role="loss", laws=("zero at equal", "symmetric", "at most 2"))
def ssim(
    got: Tensor,
    wanted: Tensor,
    data_range: Positive = 2.0,
    window: Window = 11,
    sigma: Positive = 1.5,
    k1: Positive = 0.01,
    k2: Positive = 0.03,
    padding: Padding = "reflect",
) -> Tensor:
    """One minus the mean structural similarity. 0 for equal images, at most 2.

    Per channel, with means, variances (E[x^2] - E[x]^2) and covariance under a Gaussian window:
    (2 mx my + C1)(2 sxy + C2) / ((mx^2 + my^2 + C1)(sx^2 + sy^2 + C2)), Ci = (ki * data_range)^2.
    `padding`: borders are mirrored (`reflect`, as torchmetrics does), filled with zeros (`zero`), or the window stays
    inside the image (`valid`, as in the paper's code). Shapes [b c h w], sides of at least `window`; `data_range` is
    2 for images in [-1, 1].
    Source: Image quality assessment: from error visibility to structural similarity, 2004, eq. 13.
    """
    similarity, _ = _Rule(data_range, window, sigma, k1, k2, padding).means(got, wanted)
    return 1 - similarity.mean()


@block(
    f"{_PAIR} and min(h, w) > (window - 1)*2**({_SCALES} - 1)",
    role="loss",
    laws=("zero at equal", "symmetric", "at most 1"),
)
def ms_ssim(
    got: Tensor,
    wanted: Tensor,
    data_range: Positive = 2.0,
    window: Window = 11,
    sigma: Positive = 1.5,
    k1: Positive = 0.01,
    k2: Positive = 0.03,
    padding: Padding = "reflect",
    weights: ScaleWeights = None,
) -> Tensor:
    """One minus the structural similarity over several scales. 0 for equal images, at most 1.

    Product over scales of max(0, mean contrast-structure)^weight, of the whole similarity at the last scale; scales
    are 2x2 means of each other; means per image, then over the batch. Weights left out are those of the paper, for
    5 scales, which need sides of at least 161 for a window of 11. Shapes [b c h w]; settings as in `ssim`, the
    contrast-structure factor counts the pixels where the whole window fits.
    Source: Multi-scale structural similarity for image quality assessment, 2003, eq. 7.
    """
    powers = list(weights or _SCALE_WEIGHTS)
    rule = _Rule(data_range, window, sigma, k1, k2, padding)
    product = got.new_ones(got.shape[0])
    for number, power in enumerate(powers):
        similarity, structure = rule.means(got, wanted)
        last = number == len(powers) - 1
        factor = similarity if last else structure
        positive = factor > 0  # a power of 0 has no finite derivative: leave those out of it
        product = product * torch.where(positive, factor, torch.ones_like(factor)) ** power * positive
        if not last:
            got, wanted = functional.avg_pool2d(got, 2), functional.avg_pool2d(wanted, 2)
    return 1 - product.mean()
