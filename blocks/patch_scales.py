"""Patch discriminators for an image at several sizes."""

from __future__ import annotations

from torch import Tensor, nn

from composer.block import block
from composer.blocks.discriminators import PatchDiscriminator
from composer.blocks.layers import Positive
from composer.blocks.normalization import BATCH_APART, Norm
from composer.blocks.resampling import average_pool

_HIGH, _WIDE = (f"({side} + 2**item - 1)//2**item//2**layers - 2" for side in "hw")


@block(f"image[b c h w] -> score[b 1 {{{_HIGH}}} {{{_WIDE}}}]*{{scales}}", per_sample=BATCH_APART)
class PatchScales(nn.Module):
    """Score patches of an image at several sizes, each size by a patch discriminator of its own.

    The image is halved from one size to the next by 3x3 means, pixels outside not counted. Each network is
    `patch_discriminator` with a bias in every convolution; that of size k has width / narrow**k features (rounded half
    to even, at least 1) where the first has `width`. Shapes: [b c h w] -> list of `scales` scores, the full size
    first, [b 1 h/2**layers - 2 w/2**layers - 2] of a size h w. Range in about [-1, 1].
    Source: Toward Multimodal Image-to-Image Translation (arXiv:1711.11586), section 4, released code.
    """

    def __init__(
        self,
        c: int,
        *,
        width: Positive = 64,
        layers: Positive = 3,
        scales: Positive = 2,
        norm: Norm = "instance",
        narrow: Positive = 2,
    ) -> None:
        super().__init__()
        widths = [max(1, round(width / narrow**number)) for number in range(scales)]
        self.scales = nn.ModuleList(
            [PatchDiscriminator(c, width=own, layers=layers, norm=norm, bias=True) for own in widths]
        )

    def forward(self, image: Tensor) -> list[Tensor]:
        scores = []
        for number, scale in enumerate(self.scales):
            if number:
                image = average_pool(image)
            scores.append(scale(image))
        return scores
