"""Layers whose normalizations take scale and shift from a style."""

from __future__ import annotations

import math
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn import functional

from composer.block import Examples, Range, block
from composer.blocks.activations import Activation
from composer.blocks.activations import activation as make_activation
from composer.blocks.layers import ConvLayer, Natural, Pad, Positive, PositiveOrNone, outputs_at, upsample
from composer.blocks.normalization import AdaptiveNorm, modulate, normalization
from composer.blocks.residual import PreactivatedResidual


@block("features[b c h w], style[b s] -> features[b c h w] where kernel % 2 == 1")
class AdaptiveResidualStack(nn.Module):
    """Residual blocks whose instance normalizations are scaled and shifted by a style.

    Each: x + norm(conv(activation(norm(conv(x))))), norm(x) = scale * normalize(x) + shift. One linear map of the
    style gives the numbers of all norms, in the order in which they are applied: the shifts of one, then its scales.
    A scale is used as it is, not added to 1.
    Shapes: features [b c h w], style [b s]; any range. A map of several layers stands before it in the graph.
    Source: Multimodal Unsupervised Image-to-Image Translation (arXiv:1804.04732), appendix B.1; order of the numbers
    as in the released code.
    """

    def __init__(
        self,
        c: int,
        s: int,
        *,
        blocks: Positive = 4,
        kernel: Positive = 3,
        pad: Pad = "reflect",
        activation: Activation = "relu",
    ) -> None:
        super().__init__()

        def pair() -> nn.Sequential:
            return nn.Sequential(*[ConvLayer(c, out=c, kernel=kernel, pad=pad) for _ in range(2)])

        self.blocks = nn.ModuleList([pair() for _ in range(blocks)])
        # One for each block: some activations have a weight of their own.
        self.activations = nn.ModuleList([make_activation(activation) for _ in range(blocks)])
        self.linear = nn.Linear(s, 4 * blocks * c)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        numbers = iter(self.linear(style).chunk(4 * len(self.blocks), dim=1))
        for pair, activate in zip(self.blocks, self.activations, strict=True):
            first, second = pair.children()
            shift, scale = next(numbers), next(numbers)
            inner = activate(modulate(first(x), scale, shift))
            shift, scale = next(numbers), next(numbers)
            x = x + modulate(second(inner), scale, shift)
        return x


@block(
    "features[b c h w], style[b s] -> features[b {out if out is not None else c} {h*2 if up else h} {w*2 if up else w}]"
)
class AdaptiveResidual(nn.Module):
    """A residual block whose two normalizations each take scale and shift from a style, activated before it convolves.

    y = (shortcut + residual) / sqrt(2); residual: adaptive norm, activation, [double], conv 3x3 to the new width,
    adaptive norm, activation, conv 3x3; shortcut: [double], [conv 1x1 without bias, where the width changes]. Doubled
    by nearest neighbours. With `shortcut` false y is the residual alone.
    Shapes: features [b c h w], style [b s] -> [b out h w], twice as high and wide with `up`. Ranges: any.
    Source: StarGAN v2 (arXiv:1912.01865), appendix F.
    """

    def __init__(
        self,
        c: int,
        s: int,
        *,
        out: PositiveOrNone = None,
        up: bool = False,
        activation: Activation = "leaky_relu(0.2)",
        shortcut: bool = True,
    ) -> None:
        super().__init__()
        width = c if out is None else out
        self.up, self.adds = up, shortcut
        self.norms = nn.ModuleList([AdaptiveNorm(c, s), AdaptiveNorm(width, s)])
        self.activations = nn.ModuleList([make_activation(activation) for _ in range(2)])
        self.convs = nn.ModuleList([nn.Conv2d(c, width, 3, 1, 1), nn.Conv2d(width, width, 3, 1, 1)])
        self.shortcut = nn.Conv2d(c, width, 1, bias=False) if shortcut and width != c else nn.Identity()

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        inner = self.activations[0](self.norms[0](x, style))
        inner = self.convs[0](upsample(inner) if self.up else inner)
        inner = self.convs[1](self.activations[1](self.norms[1](inner, style)))
        if not self.adds:
            return inner  # type: ignore[no-any-return]
        short = self.shortcut(upsample(x) if self.up else x)
        return (short + inner) / math.sqrt(2)  # type: ignore[no-any-return]


@block(
    "image[b c h:{2**down} w:{2**down}], style[b s], mask[b 1 ? ?]?, mask[b 1 ? ?]? -> image[b {out} h w] "
    "where len(skips) > 0 and down + middle > 0",
    entries={
        "features": "image[b c h w] -> (features[b {width} h w], "
        "features[b {min(width*2**(item + 1), widest)} {h//2**(item + 1)} {w//2**(item + 1)}]*{down}, "
        "features[b {min(width*2**down, widest) if down else width} {h//2**down} {w//2**down}]*{middle}) at taps"
    },
)
class StyleGenerator(nn.Module):
    """Halve an image, double it back in a given style, and hand its sharp details across where masks allow it.

    conv 3x3; `down` residual blocks that halve, each twice as wide up to `widest`, and `middle` that do not, with
    instance norm; as many adaptive residual blocks back; instance norm, activation, conv 1x1. With `high_pass` above 0
    the adaptive blocks have no shortcut, and features that come into a halving block at a size of `skips` (the shorter
    side) are added after the doubling block of that size, through a mask and a high-pass filter
    [-1 -1 -1; -1 8 -1; -1 -1 -1] / high_pass: the first mask at the first of the sizes, the second at the others.
    `features(image, taps)` gives the outputs of the layers with these numbers on the way down, which knows no style
    (the first convolution is 0, a residual block is one), and runs no further.
    Shapes: h and w multiples of 2**down; masks [b 1 any any] are resized. Range in about [-1, 1], out not bounded.
    It is no wiring of layers in a graph: widths mirror each other level by level, and skips depend on sizes.
    Source: StarGAN v2: Diverse Image Synthesis for Multiple Domains (arXiv:1912.01865), appendix F.
    """

    def __init__(
        self,
        c: int,
        s: int,
        *,
        out: Positive = 3,
        width: Positive = 64,
        widest: Positive = 512,
        down: Natural = 4,
        middle: Natural = 2,
        high_pass: Annotated[float, Range(0, None)] = 0.0,
        skips: Annotated[list[int], Examples([32, 64, 128], [2, 4])] = [32, 64, 128],  # noqa: B006  # never changed
        activation: Activation = "leaky_relu(0.2)",
    ) -> None:
        super().__init__()
        self.high_pass, self.skips = high_pass, tuple(skips)
        widths = [width]
        for _ in range(down):
            widths.append(min(2 * widths[-1], widest))
        self.first = nn.Conv2d(c, width, 3, 1, 1)
        pairs = [*zip(widths, widths[1:], [True] * down, strict=False), *[(widths[-1], widths[-1], False)] * middle]
        self.encode = nn.ModuleList([
            PreactivatedResidual(inside, out=outside, norm="instance_affine", activation=activation, down=halves)
            for inside, outside, halves in pairs
        ])  # fmt: skip
        self.decode = nn.ModuleList([
            AdaptiveResidual(outside, s, out=inside, up=halves, activation=activation, shortcut=high_pass == 0)
            for inside, outside, halves in reversed(pairs)
        ])  # fmt: skip
        self.last = nn.Sequential(
            normalization("instance_affine", width), make_activation(activation), nn.Conv2d(width, out, 1)
        )

    def forward(self, image: Tensor, style: Tensor, coarse: Tensor | None = None, fine: Tensor | None = None) -> Tensor:
        x = self.first(image)
        kept: dict[int, Tensor] = {}
        for block_in in self.encode:
            kept[min(x.shape[2:])] = x
            x = block_in(x)
        for block_out in self.decode:
            x = block_out(x, style)
            size = min(x.shape[2:])
            mask = coarse if size == self.skips[0] else fine
            if self.high_pass and mask is not None and size in self.skips and block_out.up:
                x = x + self._sharp(kept[size], mask)
        return self.last(x)  # type: ignore[no-any-return]

    def features(self, image: Tensor, taps: list[int]) -> list[Tensor]:
        """The outputs of the layers numbered `taps` on the way down, in this order."""
        return outputs_at([self.first, *self.encode], image, taps)

    def _sharp(self, x: Tensor, mask: Tensor) -> Tensor:
        """What a high-pass filter leaves of masked features."""
        resized = functional.interpolate(mask, size=x.shape[2:], mode="bilinear")
        kernel = torch.full((3, 3), -1.0, device=x.device, dtype=x.dtype)
        kernel[1, 1] = 8.0
        kernel = (kernel / self.high_pass).expand(x.shape[1], 1, 3, 3)
        return functional.conv2d(resized * x, kernel, padding=1, groups=x.shape[1])
