"""Residual blocks: what a few convolutions make of the features, added to them."""

from __future__ import annotations

import math
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional

from composer.block import block
from composer.blocks.activations import Activation
from composer.blocks.activations import activation as make_activation
from composer.blocks.layers import ConvLayer, Natural, Pad, Positive, PositiveOrNone, Share
from composer.blocks.normalization import BATCH_APART, Norm, beside_spectral, is_spectral, normalization
from composer.blocks.random import Dropout
from composer.blocks.spectral import SpectralNorm


@block("features[b c h w] -> features[b c h w] where kernel % 2 == 1", draws=True, per_sample=BATCH_APART)
class Residual(nn.Module):
    """Add what two convolutions make of the features to the features; nothing after the sum.

    y = x + norm(conv(dropout(activation(norm(conv(x)))))), or with the dropout at the end. Shapes [b c h w]; any range.
    An even kernel would not keep the size.
    Source: Deep Residual Learning (arXiv:1512.03385), as in Perceptual Losses for Real-Time Style Transfer
    (arXiv:1603.08155). Differs: no activation after the sum.
    """

    def __init__(
        self,
        c: int,
        *,
        kernel: Positive = 3,
        pad: Pad = "reflect",
        norm: Norm = "instance",
        activation: Activation = "relu",
        dropout: Share = 0.0,
        dropout_at: Literal["middle", "end"] = "middle",
        bias: bool = True,
    ) -> None:
        super().__init__()
        first = ConvLayer(c, out=c, kernel=kernel, pad=pad, norm=norm, activation=activation, bias=bias)
        second = ConvLayer(c, out=c, kernel=kernel, pad=pad, norm=norm, bias=bias)
        self.block = nn.ModuleList([first, second])
        self.dropout = Dropout(p=dropout)
        self.dropout_at = dropout_at

    def forward(self, x: Tensor) -> Tensor:
        first, second = self.block
        if self.dropout_at == "middle":
            return x + second(self.dropout(first(x)))  # type: ignore[no-any-return]
        return x + self.dropout(second(first(x)))  # type: ignore[no-any-return]


@block("features[b c h w] -> features[b c h w] where kernel % 2 == 1", draws=True, per_sample=BATCH_APART)
class ResidualStack(nn.Module):
    """Several residual blocks one after the other, alike but each with its own weights.

    Shapes [b c h w]; any range. See `residual`.
    """

    def __init__(
        self,
        c: int,
        *,
        blocks: Natural = 1,
        kernel: Positive = 3,
        pad: Pad = "reflect",
        norm: Norm = "instance",
        activation: Activation = "relu",
        dropout: Share = 0.0,
        dropout_at: Literal["middle", "end"] = "middle",
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.blocks = nn.Sequential(
            *[
                Residual(
                    c,
                    kernel=kernel,
                    pad=pad,
                    norm=norm,
                    activation=activation,
                    dropout=dropout,
                    dropout_at=dropout_at,
                    bias=bias,
                )
                for _ in range(blocks)
            ]
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.blocks(x)  # type: ignore[no-any-return]


_GROWN = "{min(out if out is not None else c*widen, widest if widest is not None else c*widen + (out or 0))}"


@block(f"features[b c h:{{2 if down else 1}} w:{{2 if down else 1}}] -> features[b {_GROWN} "
       "{h//2 if down else h} {w//2 if down else w}]", per_sample=BATCH_APART)  # fmt: skip
class PreactivatedResidual(nn.Module):
    """A residual block that normalizes and activates before it convolves, and keeps the spread of what it adds.

    y = (shortcut + residual) / sqrt(2); residual: norm, activation, conv 3x3, [halve], norm, activation, conv 3x3 to
    the new width; shortcut: [conv 1x1 without bias, where the width changes], [halve]. Halved by means of 2 x 2.
    Shapes: [b c h w] -> `out` channels, or `widen` times as many as came in, but no more than `widest`; half the size
    with `down`. Ranges: any.
    Sources: Identity Mappings in Deep Residual Networks (arXiv:1603.05027); in this form StarGAN v2
    (arXiv:1912.01865), appendix F.
    """

    def __init__(
        self,
        c: int,
        *,
        out: PositiveOrNone = None,
        widen: Positive = 1,
        widest: PositiveOrNone = None,
        norm: Norm = "none",
        activation: Activation = "leaky_relu(0.2)",
        down: bool = False,
    ) -> None:
        super().__init__()
        width = c * widen if out is None else out
        width = width if widest is None else min(width, widest)
        self.down = down
        self.activations = nn.ModuleList([make_activation(activation) for _ in range(2)])
        first, second = nn.Conv2d(c, c, 3, 1, 1), nn.Conv2d(c, width, 3, 1, 1)
        self.norms = nn.ModuleList([normalization(beside_spectral(norm), c) for _ in range(2)])
        spectral = is_spectral(norm)
        self.convs = nn.ModuleList([SpectralNorm(conv) if spectral else conv for conv in (first, second)])
        self.shortcut = nn.Conv2d(c, width, 1, bias=False) if width != c else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        inner = self.convs[0](self.activations[0](self.norms[0](x)))
        short = self.shortcut(x)
        if self.down:
            inner, short = functional.avg_pool2d(inner, 2), functional.avg_pool2d(short, 2)
        inner = self.convs[1](self.activations[1](self.norms[1](inner)))
        return (short + inner) / math.sqrt(2)  # type: ignore[no-any-return]


_ADDED = "{min(out if out is not None else c + grow, widest if widest is not None else c + grow + (out or 0))}"


@block(f"features[b c h w] -> features[b {_ADDED} {{h//2}} {{w//2}}] where h > 1 and w > 1", per_sample=BATCH_APART)
class HalvingResidual(nn.Module):
    """A residual block that normalizes and activates before it convolves, and halves by means of 2 x 2 pixels.

    y = mean(conv(activation(norm(conv(activation(norm(x))))))) + conv_1x1(mean(x)); 3x3 convolutions, the first keeps
    the width; every convolution has a bias. Shapes: [b c h w] -> `out` channels, or `grow` more than came in, but no
    more than `widest`; half the size, rounded down. Ranges: any.
    Source: the encoder of Toward Multimodal Image-to-Image Translation (arXiv:1711.11586), released code; after
    Identity Mappings in Deep Residual Networks (arXiv:1603.05027).
    """

    def __init__(
        self,
        c: int,
        *,
        out: PositiveOrNone = None,
        grow: Natural = 0,
        widest: PositiveOrNone = None,
        norm: Norm = "instance",
        activation: Activation = "leaky_relu(0.2)",
    ) -> None:
        super().__init__()
        width = c + grow if out is None else out
        width = width if widest is None else min(width, widest)
        spectral = is_spectral(norm)
        self.norms = nn.ModuleList([normalization(beside_spectral(norm), c) for _ in range(2)])
        self.activations = nn.ModuleList([make_activation(activation) for _ in range(2)])
        convs = [nn.Conv2d(c, c, 3, 1, 1), nn.Conv2d(c, width, 3, 1, 1), nn.Conv2d(c, width, 1)]
        *inner, self.shortcut = [SpectralNorm(conv) if spectral else conv for conv in convs]
        self.convs = nn.ModuleList(inner)

    def forward(self, x: Tensor) -> Tensor:
        inner = x
        for norm, activate, conv in zip(self.norms, self.activations, self.convs, strict=True):
            inner = conv(activate(norm(inner)))
        return functional.avg_pool2d(inner, 2) + self.shortcut(functional.avg_pool2d(x, 2))  # type: ignore[no-any-return]
