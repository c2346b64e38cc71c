"""Spectra of images: how much there is of each frequency, whatever its direction, and how far two of them are apart."""

from __future__ import annotations

from functools import lru_cache
from math import isqrt
from typing import Annotated, Literal

import torch
from torch import Tensor

from composer.block import Range, block

_LUMINANCE = (0.2989, 0.5870, 0.1140)
_RINGS = "isqrt((h - 1)*(h - 1) + (w - 1)*(w - 1))//2 - 1"
_COUNT = f"({_RINGS} if rings == 'all' else min({_RINGS}, (min(h, w) + 1)//2 - 1))"


@lru_cache(maxsize=32)
def _rings(h: int, w: int, count: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Of each pixel of a spectrum as `fft2` orders it the number of its ring, `count` for those that are left out, and
    how many pixels each ring has. Worked out once for a size.
    """
    with torch.inference_mode(False):
        down, across = (2 * torch.arange(side, device="cpu") - (side - 1) for side in (h, w))  # from the centre, twice
        squares = down.square()[:, None] + across.square()
        ring = squares.double().sqrt().long() // 2 - 1  # a root of whole numbers below 2**52 is right at its borders
        ring = torch.where((ring < 0) | (ring >= count), count, ring)
        index = torch.fft.ifftshift(ring).flatten()
        sizes = torch.bincount(index, minlength=count)[:count].double()
        return index.to(device), sizes.to(device)


@block(f"image[b c h w] -> profile[b {{{_COUNT}}}] where {_COUNT} >= 2")
def radial_profile(
    image: Tensor,
    kind: Literal["log", "power"] = "log",
    scale: Literal["range", "first", "none"] = "range",
    rings: Literal["all", "inscribed"] = "all",
    eps: Annotated[float, Range(0, None)] = 1e-8,
) -> Tensor:
    """The spectrum of each image, averaged over rings of the same frequency: low frequencies first.

    Three channels become luminance, 0.2989 R + 0.5870 G + 0.1140 B, others their mean. F = fft2 + eps, the zero
    frequency in the middle. `log`: m = 20 ln |F|; `power`: m = |F|^2. Ring k has the pixels with k <= r < k + 1, r from
    the centre ((h - 1) / 2, (w - 1) / 2), and its value is the mean of m; ring 0 and the outermost are left out, with
    `inscribed` those from r = min(h, w) / 2 on too. `range`: (p - min p) / (max p - min p) per image, in [0, 1];
    `first`: divided by the first; `none`: as it is. Where all of a spectrum is the same, `range` gives zeros.
    Shapes: [b c h w] -> [b n], 20 for 32 x 32, 21 for 33 x 33, 43 for 64 x 64, 88 for 128 x 128.
    Source: Watch your Up-Convolution: CNN Based Generative Deep Neural Networks are Failing to Reproduce Spectral
    Distributions (arXiv:2003.01826), section 3, in the form of the released code, with a gradient.
    Differs: for even sizes the middle of the rings lies half a pixel off the zero frequency, as in that code.
    """
    b, c, h, w = image.shape
    weights = _LUMINANCE if c == 3 else (1 / c,) * c
    grey = sum(weight * channel for weight, channel in zip(weights, image.unbind(1), strict=True))
    spectrum = torch.fft.fft2(grey)
    power = (spectrum.real + eps).square() + spectrum.imag.square()
    least = torch.finfo(power.dtype).tiny  # of what has no logarithm
    measured = 10 * power.clamp(min=least).log() if kind == "log" else power
    count = isqrt((h - 1) ** 2 + (w - 1) ** 2) // 2 - 1
    count = count if rings == "all" else min(count, (min(h, w) + 1) // 2 - 1)
    index, sizes = _rings(h, w, count, image.device)
    sums = measured.new_zeros(b, count + 1).index_add(1, index, measured.flatten(1))
    return _scaled(sums[:, :count] / sizes.to(sums.dtype), scale)


def _scaled(profile: Tensor, scale: str) -> Tensor:
    if scale == "none":
        return profile
    low = profile.amin(1, keepdim=True) if scale == "range" else torch.zeros_like(profile[:, :1])
    over = profile.amax(1, keepdim=True) - low if scale == "range" else profile[:, :1]
    return (profile - low) / torch.where(over == 0, torch.ones_like(over), over)


@block(
    "target[b ...], target[b ...] -> loss[]",
    role="loss",
    laws=(
        "nonnegative if measure == 'bce'",
        "zero at equal if measure != 'bce'",
        "symmetric if measure != 'bce'",
        "homogeneous 1 if measure == 'l1'",
        "homogeneous 2 if measure == 'l2'",
    ),
)
def profile_distance(got: Tensor, wanted: Tensor, measure: Literal["bce", "l1", "l2"] = "bce") -> Tensor:
    """How far the profile of an image is from another, or from a mean of many: a mean over all elements.

    `bce`: -(w ln g + (1 - w) ln(1 - g)), both in [0, 1] (others are brought to the nearer end); least, not zero, where
    both are the same. A logarithm is no less than -100. Where g is 0 or 1 exactly it has no gradient: these are the
    ends of a range, which do not move, and its slope there has no end. `l1`: |g - w|; `l2`: (g - w)^2; any range.
    Shapes alike. Source: L_spectral of arXiv:2003.01826, section 4.
    """
    if measure != "bce":
        off = got - wanted
        return off.abs().mean() if measure == "l1" else off.square().mean()
    inside = (got > 0) & (got < 1)
    safe = torch.where(inside, got, torch.full_like(got, 0.5))
    end = torch.full_like(got, -100.0)
    zero = torch.zeros_like(got)
    log_got = torch.where(inside, safe.log().clamp(min=-100), torch.where(got > 0, zero, end))
    log_rest = torch.where(inside, (-safe).log1p().clamp(min=-100), torch.where(got > 0, end, zero))
    wanted = wanted.clamp(0, 1)
    return -(wanted * log_got + (1 - wanted) * log_rest).mean()
