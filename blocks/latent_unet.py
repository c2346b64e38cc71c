"""A U-Net that is given a code beside the image, so that one image has many translations."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from composer.block import block
from composer.blocks.activations import Activation
from composer.blocks.activations import activation as make_activation
from composer.blocks.generators import UnetStage
from composer.blocks.layers import Positive, Share, UpsampleConv, with_norm
from composer.blocks.normalization import BATCH_APART, Norm
from composer.blocks.tensors import spread_like


@block(
    "image[b c h:{2**depth} w:{2**depth}], code[b s] -> image[b {out} h w]",
    per_sample=BATCH_APART,
    draws=True,
)
class LatentUnet(nn.Module):
    """Halve an image and a code `depth` times and double them back, handing each level over to its mirror level.

    down k: what came in, with the code repeated at every pixel behind its channels (at every level, or with `code_at`
    "first" beside the image only), [leaky_relu 0.2], conv 4x4 stride 2, [norm]; up k: activation, doubling, norm,
    [dropout], of what came up beside the features of level k. Doubling is a transposed conv 4x4 stride 2, or with
    `upsample` "bilinear" a bilinear one and a conv 3x3 on mirrored borders. Widths: width * (1, 2, 4, 8, 8, ...);
    every convolution has a bias. No norm at the outermost and the innermost way down; dropout on the way up where both
    sides have the full width, but not innermost. `rectified_skips` hands over what the leaky_relu made of a level:
    some released code does so in place, which shows with activations other than relu.
    Shapes: h and w multiples of 2**depth, code [b s]; range in about [-1, 1], out as `output_activation` has it.
    It is no wiring of layers in a graph: levels mirror each other, and their number is a setting.
    Source: Toward Multimodal Image-to-Image Translation (arXiv:1711.11586), section 4 and figure 3.
    """

    def __init__(
        self,
        c: int,
        s: int,
        *,
        out: Positive = 3,
        width: Positive = 64,
        depth: Positive = 8,
        code_at: Literal["all", "first"] = "all",
        upsample: Literal["transposed", "bilinear"] = "transposed",
        activation: Activation = "relu",
        norm: Norm = "instance",
        dropout: Share = 0.0,
        rectified_skips: bool = False,
        output_activation: Activation = "tanh",
    ) -> None:
        super().__init__()
        self.code_at, self.rectified_skips = code_at, rectified_skips
        widths = [width * min(2**level, 8) for level in range(depth)]
        down, up = [], []
        for level, inner in enumerate(widths):
            last = level == depth - 1
            outer = widths[level - 1] if level else c
            extra = s if code_at == "all" or level == 0 else 0
            norm_down: Norm = norm if 0 < level < depth - 1 else "none"
            down.append(UnetStage(*with_norm(nn.Conv2d(outer + extra, inner, 4, 2, 1), norm_down, inner)))
            share = dropout if level and outer == inner == 8 * width and not last else 0.0
            given, raised = inner if last else 2 * inner, outer if level else out
            up.append(_doubling(given, raised, upsample, norm if level else "none", share))
        self.down, self.up = nn.ModuleList(down), nn.ModuleList(up)
        self.activation = make_activation(activation)
        self.output_activation = make_activation(output_activation)

    def forward(self, image: Tensor, code: Tensor) -> Tensor:
        x, levels = image, []
        for level, stage in enumerate(self.down):
            if level == 0 or self.code_at == "all":
                x = torch.cat([x, spread_like(code, x)], 1)
            x = stage(functional.leaky_relu(x, 0.2) if level else x)
            levels.append(functional.leaky_relu(x, 0.2) if self.rectified_skips else x)
        levels.pop()
        for stage in reversed(self.up[1:]):
            x = torch.cat([stage(self.activation(x)), levels.pop()], 1)
        return self.output_activation(self.up[0](self.activation(x)))  # type: ignore[no-any-return]


def _doubling(c: int, out: int, upsample: str, norm: Norm, dropout: float) -> UnetStage:
    """One level of the way up, without its activation."""
    if upsample == "bilinear":
        layer = UpsampleConv(c, out=out, mode="bilinear", pad="reflect", norm=norm)
        return UnetStage(layer, nn.Identity(), dropout)
    return UnetStage(*with_norm(nn.ConvTranspose2d(c, out, 4, 2, 1), norm, out), dropout)
