"""What heatmaps of landmarks in faces say: where the parts are that an image should keep."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from composer.block import block

# Channels of a part in the 98 landmarks of WFLW; how far it is moved up, in pixels of an image of 256; and a power.
_PARTS = (
    (8, 25, 0, 3),  # chin
    (33, 51, -7, 2),  # eyebrows
    (55, 60, 8, 4),  # nostrils
    (77, 82, -8, 4),  # upper lip
    (83, 88, 8, 4),  # lower lip
    (88, 96, -2, 3),  # inner lip
)
_LEFT_OUT = (*range(8), *range(25, 33), 33, 46, 76, 82)
_NOSE, _EYES = (52, 55), (60, 76)
_COARSE_ONLY = frozenset((*range(8, 25), *range(33, 51), *range(76, 96)))  # chin, eyebrows, mouth
_THRESHOLD, _TINY = 0.1, 1e-6


@block("heatmap[b 98 h w] -> mask[b 1 h*4 w*4], mask[b 1 h*4 w*4] where h > 1 and w > 1")
def landmark_masks(heatmap: Tensor) -> tuple[Tensor, Tensor]:
    """Two masks of a face from heatmaps of its 98 landmarks: of all its parts, and of those but chin, mouth and brows.

    Heatmaps are enlarged four times (bilinear, corners aligned); what is below 0.1 becomes 0, and each channel is
    spread over [0, 1]. Parts are moved up or down, by pixels of an image of 256, and raised to a power; the sum over
    landmarks is cut off at 1. Shapes: [b 98 h w] -> two of [b 1 4h 4w]. Ranges: about [0, 1] in, [0, 1] out.
    Source: StarGAN v2 (arXiv:1912.01865), appendix A, numbers as in the released code.
    """
    x = functional.interpolate(heatmap, scale_factor=4, mode="bilinear", align_corners=True)
    x = x * (x >= _THRESHOLD)
    low, high = x.amin((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)
    x = (x - low) / (high - low + _TINY)
    channels = list(x.unbind(1))
    for first, end, up, power in _PARTS:
        channels[first:end] = [_moved(one, up) ** power for one in channels[first:end]]
    for number in _LEFT_OUT:
        channels[number] = channels[number] * 0
    channels[slice(*_NOSE)] = [_moved(one, 4) for one in channels[slice(*_NOSE)]]
    channels[slice(*_EYES)] = [_moved(one, -8) ** 3 + _moved(one, -24) for one in channels[slice(*_EYES)]]
    fine = [one for number, one in enumerate(channels) if number not in _COARSE_ONLY]
    return _together(channels), _together(fine)


def _together(channels: list[Tensor]) -> Tensor:
    return torch.stack(channels, 1).sum(1, keepdim=True).clamp(0, 1)


def _moved(x: Tensor, up: int) -> Tensor:
    """Moved up by that many pixels of an image of 256, what leaves at one side coming in at the other."""
    return x.roll(-round(up * x.shape[1] / 256), dims=1)
