"""Generators: networks that give an image."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from composer.block import block
from composer.blocks.activations import Activation
from composer.blocks.activations import activation as make_activation
from composer.blocks.layers import (
    ConvLayer,
    Natural,
    Pad,
    Positive,
    Share,
    convolution,
    outputs_at,
    with_norm,
)
from composer.blocks.layers import upsample as enlarge
from composer.blocks.normalization import BATCH_APART, Norm
from composer.blocks.random import Dropout
from composer.blocks.resampling import blur_pool
from composer.blocks.residual import Residual


def bias_beside(norm: Norm) -> bool:
    """Whether a convolution followed by `norm` has a bias, as in the released code of arXiv:1611.07004.

    Only in front of instance normalization (where it does nothing), not in front of the others; and, beyond that code,
    in a convolution whose weights are normalized, where nothing else shifts the features.
    """
    return norm in ("instance", "spectral")


class UnetStage(nn.Module):
    """One convolution of a U-Net with what follows it."""

    def __init__(self, conv: nn.Module, norm: nn.Module, dropout: float = 0.0) -> None:
        super().__init__()
        self.conv, self.norm, self.dropout = conv, norm, Dropout(p=dropout)

    def forward(self, x: Tensor) -> Tensor:
        return self.dropout(self.norm(self.conv(x)))  # type: ignore[no-any-return]


@block(
    "image[b c h:{2**depth} w:{2**depth}] -> image[b {out} h w]",
    per_sample=BATCH_APART,
    draws=True,
)
class Unet(nn.Module):
    """Halve the image `depth` times and double it back, handing each level over to its mirror level.

    down k: [leaky_relu 0.2], conv 4x4 stride 2, [norm]; up k: relu, transposed conv 4x4 stride 2, norm, [dropout], of
    the features of level k beside what came up. Widths: width * (1, 2, 4, 8, 8, ...). No norm at the outermost and
    the innermost way down; dropout on the way up where both sides have the full width, but not innermost.
    Shapes: h and w multiples of 2**depth; range in about [-1, 1], out as `output_activation` has it.
    Source: Image-to-Image Translation with Conditional Adversarial Networks (arXiv:1611.07004), section 6.1.1;
    `skips=false` is its encoder-decoder. Differs: dropout stands one level further out than in the paper, as in the
    authors' PyTorch code.
    """

    def __init__(
        self,
        c: int,
        *,
        out: Positive = 3,
        width: Positive = 64,
        depth: Positive = 8,
        norm: Norm = "batch",
        dropout: Share = 0.0,
        skips: bool = True,
        output_activation: Activation = "tanh",
    ) -> None:
        super().__init__()
        self.skips = skips
        widths = [width * min(2**level, 8) for level in range(depth)]
        bias = bias_beside(norm)
        down, up = [], []
        for level, inner in enumerate(widths):
            last = level == depth - 1
            outer = widths[level - 1] if level else c
            norm_down: Norm = norm if 0 < level < depth - 1 else "none"
            down.append(UnetStage(*with_norm(nn.Conv2d(outer, inner, 4, 2, 1, bias=bias), norm_down, inner)))
            given = inner if last or not skips else 2 * inner
            if level == 0:
                up.append(UnetStage(nn.ConvTranspose2d(given, out, 4, 2, 1), nn.Identity()))
                continue
            share = dropout if outer == inner == 8 * width and not last else 0.0
            raised = nn.ConvTranspose2d(given, outer, 4, 2, 1, bias=bias)
            up.append(UnetStage(*with_norm(raised, norm, outer), share))
        self.down, self.up = nn.ModuleList(down), nn.ModuleList(up)
        self.output_activation = make_activation(output_activation)

    def forward(self, image: Tensor) -> Tensor:
        levels = [self.down[0](image)]
        for stage in self.down[1:]:
            levels.append(stage(functional.leaky_relu(levels[-1], 0.2)))
        x = levels.pop()
        for stage in reversed(self.up[1:]):
            x = stage(functional.relu(x))
            level = levels.pop()
            if self.skips:
                x = torch.cat([level, x], 1)
        return self.output_activation(self.up[0](functional.relu(x)))  # type: ignore[no-any-return]


class Blur(nn.Module):
    """`blur_pool` as a layer."""

    def forward(self, x: Tensor) -> Tensor:
        return blur_pool(x)


class Enlarge(nn.Module):
    """Bilinear doubling as a layer."""

    def forward(self, x: Tensor) -> Tensor:
        return enlarge(x, 2, "bilinear")


@block(
    "image[b c h:{2**down} w:{2**down}] -> image[b {out} h w]",
    entries={  # along the chain; a level on the way down or up stands in parentheses of its own
        "features": "image[b c h:{2**down} w:{2**down}] -> ("
        "features[b c {h + 6} {w + 6}]*{pad != 'zero'}, features[b {width} h w]*{3}, "
        "(features[b {width*2**(group + 1)} {h//2**(group + 1 - antialias)} {w//2**(group + 1 - antialias)}]*{3}, "
        "features[b {width*2**(group + 1)} {h//2**(group + 1)} {w//2**(group + 1)}]*{antialias})*{down}, "
        "features[b {width*2**down} {h//2**down} {w//2**down}]*{blocks}, "
        "(features[b {width*2**(down - group)} {h//2**(down - 1 - group)} {w//2**(down - 1 - group)}]*{antialias_up}, "
        "features[b {width*2**(down - 1 - group)} {h//2**(down - 1 - group)} {w//2**(down - 1 - group)}]*{3})*{down}, "
        "features[b {width} {h + 6} {w + 6}]*{pad != 'zero'}, features[b {out} h w]*{2}) at taps"
    },
    draws=True,
    per_sample=BATCH_APART,
)
class ResnetGenerator(nn.Module):
    """Halve the image `down` times, pass residual blocks, double it back.

    conv 7x7, norm, relu; `down` x [conv 3x3 stride 2, norm, relu], doubling the width; `blocks` residual blocks;
    `down` x [transposed conv 3x3 stride 2, norm, relu]; conv 7x7. The 7x7 and the residual convolutions pad with
    `pad`, the others with zeros. `antialias` halves by a convolution of stride 1 and a blur, `antialias_up` doubles
    bilinearly and then convolves. Shapes: h and w multiples of 2**down; range in about [-1, 1], out as
    `output_activation` has it. `features(image, taps)` gives the outputs of the layers with these numbers, counted
    along the chain (pad, conv, norm, relu, ...; a residual block is one), and runs no further than the last. With
    `rectified_taps` a layer in front of a relu gives what the relu leaves of it, unless the run ends before the relu:
    some released code tapped a tensor that a relu then changed in place.
    Sources: Perceptual Losses for Real-Time Style Transfer (arXiv:1603.08155); Unpaired Image-to-Image Translation
    using Cycle-Consistent Adversarial Networks (arXiv:1703.10593), section 7.2.
    """

    def __init__(
        self,
        c: int,
        *,
        out: Positive = 3,
        width: Positive = 64,
        blocks: Natural = 9,
        down: Natural = 2,
        norm: Norm = "instance",
        dropout: Share = 0.0,
        pad: Pad = "reflect",
        antialias: bool = False,
        antialias_up: bool = False,
        rectified_taps: bool = False,
        output_activation: Activation = "tanh",
    ) -> None:
        super().__init__()
        self.rectified_taps = rectified_taps
        bias = bias_beside(norm)
        layers = convolution(c, width, 7, pad=pad, bias=bias, norm=norm, activation="relu")
        for level in range(down):
            wide = width * 2**level
            stride = 1 if antialias else 2
            layers += convolution(wide, 2 * wide, 3, stride=stride, bias=bias, norm=norm, activation="relu")
            layers += [Blur()] if antialias else []
        wide = width * 2**down
        layers += [Residual(wide, pad=pad, norm=norm, dropout=dropout, bias=bias) for _ in range(blocks)]
        for level in reversed(range(down)):
            wide = width * 2**level
            if antialias_up:
                layers += [Enlarge(), *convolution(2 * wide, wide, 3, bias=bias, norm=norm, activation="relu")]
                continue
            raised = nn.ConvTranspose2d(2 * wide, wide, 3, 2, 1, output_padding=1, bias=bias)
            layers += [*with_norm(raised, norm, wide), nn.ReLU()]
        *ends, _, last = convolution(width, out, 7, pad=pad, activation=output_activation)
        self.layers = nn.Sequential(*layers, *ends, last)

    def forward(self, image: Tensor) -> Tensor:
        return self.layers(image)  # type: ignore[no-any-return]

    def features(self, image: Tensor, taps: list[int]) -> list[Tensor]:
        """The outputs of the layers numbered `taps`, in this order."""
        return outputs_at(list(self.layers), image, [self._meant(tap, max(taps)) for tap in taps])

    def _meant(self, tap: int, last: int) -> int:
        """The layer whose output a tap gives: itself, or with `rectified_taps` the relu behind it."""
        behind = tap + 1
        while behind < last and isinstance(self.layers[behind], nn.Identity):
            behind += 1
        found = self.rectified_taps and behind <= last and isinstance(self.layers[behind], nn.ReLU)
        return behind if found else tap


@block(
    "features[b c:{2**up} h w] -> image[b {out} {h*2**up} {w*2**up}] where kernel % 2 == 1",
    per_sample=f"{BATCH_APART} and residual_{BATCH_APART}",
)
class Decoder(nn.Module):
    """Residual blocks, then doublings by nearest neighbours and a convolution, then the image.

    `residual` residual blocks; `up` x [nearest x 2, conv `kernel`, half the width, norm, activation]; conv 7x7,
    `output_activation`. Shapes: [b c h w] -> 2**up times as high and wide; any range in.
    Source: Multimodal Unsupervised Image-to-Image Translation (arXiv:1804.04732), appendix B.1.
    """

    def __init__(
        self,
        c: int,
        *,
        out: Positive = 3,
        up: Natural = 2,
        residual: Natural = 4,
        norm: Norm = "layer",
        residual_norm: Norm = "instance",
        activation: Activation = "relu",
        pad: Pad = "reflect",
        kernel: Positive = 5,
        output_activation: Activation = "tanh",
    ) -> None:
        super().__init__()
        stack = [Residual(c, pad=pad, norm=residual_norm, activation=activation) for _ in range(residual)]
        layers: list[nn.Module] = [nn.Sequential(*stack)]
        for _ in range(up):
            layers.append(nn.Upsample(scale_factor=2))
            layers.append(ConvLayer(c, narrow=2, kernel=kernel, pad=pad, norm=norm, activation=activation))
            c //= 2
        layers.append(ConvLayer(c, out=out, kernel=7, pad=pad, activation=output_activation))
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)  # type: ignore[no-any-return]
