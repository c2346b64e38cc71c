"""Layers whose normalizations take scale and shift, pixel by pixel, from a map."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from composer.block import block
from composer.blocks.activations import Activation
from composer.blocks.activations import activation as make_activation
from composer.blocks.layers import Positive, PositiveOrNone, upsample
from composer.blocks.normalization import BATCH_APART, SpatialNorm
from composer.blocks.spectral import SpectralNorm

_WIDTH = "out if out is not None else c//narrow"


@block(
    f"features[b c h w], map[b m ? ?] -> features[b {{{_WIDTH}}} {{h*2 if up else h}} {{w*2 if up else w}}] "
    "where kernel % 2 == 1",
    per_sample=BATCH_APART,
)
class SpatialResidual(nn.Module):
    """A residual block whose normalizations are scaled and shifted at each pixel as a map asks for.

    y = shortcut + residual; residual: spatial norm, activation, conv 3x3 to the smaller of both widths, spatial norm,
    activation, conv 3x3; shortcut: x itself, or where the width changes spatial norm, conv 1x1 without bias, no
    activation. With `up` x is first doubled by nearest neighbours. `spectral` normalizes the weights of the three
    convolutions, not those inside the norms. See `spatial_norm` for `hidden` (its width), `kernel` and `norm`.
    Shapes: features [b c h w], map [b m any any] -> `out` channels, or c // narrow; twice as high and wide with `up`.
    Ranges: any. Source: Semantic Image Synthesis with Spatially-Adaptive Normalization (arXiv:1903.07291), figure 4.
    """

    def __init__(
        self,
        c: int,
        m: int,
        *,
        out: PositiveOrNone = None,
        narrow: Positive = 1,
        up: bool = False,
        hidden: Positive = 128,
        kernel: Positive = 3,
        norm: Literal["none", "batch", "instance"] = "batch",
        spectral: bool = True,
        activation: Activation = "leaky_relu(0.2)",
    ) -> None:
        super().__init__()
        width = c // narrow if out is None else out
        middle = min(c, width)
        self.up = up

        def normalized(channels: int) -> SpatialNorm:
            return SpatialNorm(channels, m, width=hidden, kernel=kernel, norm=norm)

        def convolved(conv: nn.Conv2d) -> nn.Module:
            return SpectralNorm(conv) if spectral else conv

        self.norms = nn.ModuleList([normalized(c), normalized(middle)])
        self.activations = nn.ModuleList([make_activation(activation) for _ in range(2)])
        first, second = nn.Conv2d(c, middle, 3, padding=1), nn.Conv2d(middle, width, 3, padding=1)
        self.convs = nn.ModuleList([convolved(first), convolved(second)])
        changes = width != c
        self.shortcut_norm = normalized(c) if changes else None
        self.shortcut = convolved(nn.Conv2d(c, width, 1, bias=False)) if changes else None

    def forward(self, x: Tensor, given: Tensor) -> Tensor:
        if self.up:
            x = upsample(x)
        short = x
        if self.shortcut is not None and self.shortcut_norm is not None:
            short = self.shortcut(self.shortcut_norm(x, given))
        inner = self.convs[0](self.activations[0](self.norms[0](x, given)))
        return short + self.convs[1](self.activations[1](self.norms[1](inner, given)))  # type: ignore[no-any-return]
