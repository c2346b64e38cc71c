"""Encoders: networks that turn an image into features or a code."""

from __future__ import annotations

from torch import Tensor, nn

from composer.block import block
from composer.blocks.activations import Activation
from composer.blocks.layers import ConvLayer, Natural, Pad, Positive, outputs_at
from composer.blocks.normalization import BATCH_APART, Norm
from composer.blocks.residual import Residual


@block(
    "image[b c h:{2**down} w:{2**down}] -> features[b {width*2**down} h/{2**down} w/{2**down}]",
    entries={
        "features": "image[b c h:{2**down} w:{2**down}] -> (features[b {width} h w], "
        "features[b {width*2**(item + 1)} {h//2**(item + 1)} {w//2**(item + 1)}]*{down}, "
        "features[b {width*2**down} {h//2**down} {w//2**down}]*{residual}) at taps"
    },
    per_sample=BATCH_APART,
)
class ContentEncoder(nn.Module):
    """Strided convolutions, then residual blocks: where things are, at a lower resolution.

    conv 7x7; `down` x [conv `kernel` stride 2, twice the width]; `residual` residual blocks; norm and activation after
    each convolution but the last of a residual block, which has no activation. `features(image, taps)` gives what
    the layers with these numbers give (the first convolution is 0, a residual block is one), and runs no further.
    Shapes: h and w multiples of 2**down. Range in about [-1, 1], out any.
    Source: Multimodal Unsupervised Image-to-Image Translation (arXiv:1804.04732), appendix B.1.
    """

    def __init__(
        self,
        c: int,
        *,
        width: Positive = 64,
        down: Natural = 2,
        residual: Natural = 4,
        norm: Norm = "instance",
        activation: Activation = "relu",
        pad: Pad = "reflect",
        kernel: Positive = 4,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [ConvLayer(c, out=width, kernel=7, pad=pad, norm=norm, activation=activation)]
        for level in range(down):
            layers.append(
                ConvLayer(
                    width * 2**level,
                    widen=2,
                    kernel=kernel,
                    stride=2,
                    pad=pad,
                    norm=norm,
                    activation=activation,
                )
            )
        wide = width * 2**down
        layers.append(
            nn.Sequential(*[Residual(wide, pad=pad, norm=norm, activation=activation) for _ in range(residual)])
        )
        self.layers = nn.Sequential(*layers)

    def forward(self, image: Tensor) -> Tensor:
        return self.layers(image)  # type: ignore[no-any-return]

    def features(self, image: Tensor, taps: list[int]) -> list[Tensor]:
        """The outputs of the layers numbered `taps`, in this order."""
        *convolutions, stack = self.layers
        return outputs_at([*convolutions, *stack.children()], image, taps)


@block("image[b c h w] -> style[b {out}]")
class StyleEncoder(nn.Module):
    """Strided convolutions and a global average: how things look, in a few numbers.

    conv 7x7; `down` x [conv 4x4 stride 2], the width doubling twice and then kept; mean over pixels; a linear map.
    No normalization, which would remove what a style is. Shapes: [b c h w] -> [b out]. Range out any.
    Source: Multimodal Unsupervised Image-to-Image Translation (arXiv:1804.04732), appendix B.1.
    """

    def __init__(
        self,
        c: int,
        *,
        out: Positive = 8,
        width: Positive = 64,
        down: Natural = 4,
        activation: Activation = "relu",
        pad: Pad = "reflect",
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [ConvLayer(c, out=width, kernel=7, pad=pad, activation=activation)]
        for level in range(down):
            wide = width * 2 ** min(level, 2)
            layers.append(
                ConvLayer(
                    wide,
                    widen=2 if level < 2 else 1,
                    kernel=4,
                    stride=2,
                    pad=pad,
                    activation=activation,
                )
            )
        layers += [nn.AdaptiveAvgPool2d(1), nn.Conv2d(width * 2 ** min(down, 2), out, 1)]
        self.layers = nn.Sequential(*layers)

    def forward(self, image: Tensor) -> Tensor:
        return self.layers(image).flatten(1)  # type: ignore[no-any-return]
