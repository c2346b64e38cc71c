"""Discriminators: networks that score how real an image, or each patch of it, looks. Scores are logits."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from composer.block import block
from composer.blocks.activations import Activation
from composer.blocks.generators import Blur, bias_beside
from composer.blocks.layers import ConvLayer, Pad, Positive, convolution, outputs_at
from composer.blocks.normalization import BATCH_APART, Norm
from composer.blocks.resampling import average_pool, blur_pool


@block("image[b c h w] -> score[b 1 {h//2**layers - 2} {w//2**layers - 2}]", per_sample=BATCH_APART)
class PatchDiscriminator(nn.Module):
    """Score overlapping patches of an image.

    conv 4x4 stride 2; `layers` - 1 x [conv 4x4 stride 2, norm]; conv 4x4, norm; conv 4x4 to one score;
    leaky_relu 0.2 between. Widths: width * (1, 2, 4, 8, 8, ...). A score sees 16, 34, 70, 142, 286, 574 pixels
    for 1, 2, 3, 4, 5, 6 layers. Shapes: [b c h w] -> [b 1 h/2**layers - 2 w/2**layers - 2]; range in about [-1, 1].
    `antialias` halves by a convolution of stride 1 and, behind the activation, a blur.
    Source: Image-to-Image Translation with Conditional Adversarial Networks (arXiv:1611.07004), section 6.1.2.
    """

    def __init__(
        self, c: int, *, width: Positive = 64, layers: Positive = 3, norm: Norm = "batch", antialias: bool = False
    ) -> None:
        super().__init__()
        bias = bias_beside(norm)
        halving = 1 if antialias else 2
        blurs = [Blur()] if antialias else []
        stages = [nn.Conv2d(c, width, 4, halving, 1), nn.LeakyReLU(0.2), *blurs]
        wide = width
        for level in range(1, layers + 1):
            before, wide = wide, width * min(2**level, 8)
            stride = halving if level < layers else 1
            stages += convolution(before, wide, 4, stride=stride, bias=bias, norm=norm, activation="leaky_relu(0.2)")
            stages += blurs if level < layers else []
        self.layers = nn.Sequential(*stages, nn.Conv2d(wide, 1, 4, 1, 1))

    def forward(self, image: Tensor) -> Tensor:
        return self.layers(image)  # type: ignore[no-any-return]


@block("image[b c h w] -> score[b 1 h w]", per_sample=BATCH_APART)
class PixelDiscriminator(nn.Module):
    """Score each pixel by its channels alone.

    conv 1x1, leaky_relu 0.2, conv 1x1 to twice the width, norm, leaky_relu 0.2, conv 1x1 to one score.
    Shapes: [b c h w] -> [b 1 h w]; range in about [-1, 1].
    Source: Image-to-Image Translation with Conditional Adversarial Networks (arXiv:1611.07004), the 1x1 PixelGAN.
    """

    def __init__(self, c: int, *, width: Positive = 64, norm: Norm = "batch") -> None:
        super().__init__()
        bias = bias_beside(norm)
        self.layers = nn.Sequential(
            nn.Conv2d(c, width, 1),
            nn.LeakyReLU(0.2),
            *convolution(width, 2 * width, 1, bias=bias, norm=norm, activation="leaky_relu(0.2)"),
            nn.Conv2d(2 * width, 1, 1, bias=bias),
        )

    def forward(self, image: Tensor) -> Tensor:
        return self.layers(image)  # type: ignore[no-any-return]


def _score_size(side: str) -> str:
    """The side of the score of the scale number `item`: halved (rounded up) that often, then by each convolution."""
    return f"({side} + kernel%2*(2**layers - 1))//2**layers"


_HIGH, _WIDE = (f"({side} + 2**item - 1)//2**item" for side in "hw")
_CUT = f"(min({_HIGH}, {_WIDE}) if square_halves and item > 0 else {_WIDE})"


@block(
    f"image[b c h w] -> score[b 1 {{{_score_size(_HIGH)}}} {{{_score_size(_CUT)}}}]*{{scales}}", per_sample=BATCH_APART
)
class MultiscaleDiscriminator(nn.Module):
    """Score an image at several sizes, each by a network of its own.

    Per scale: `layers` x [conv `kernel` stride 2, twice the width, norm (not on the first), activation], conv 1x1 to
    one score. Between scales the image is halved by `downsample`: `average` (3x3 means, outside not counted) or
    `gaussian` (blur by [1 2 1] x [1 2 1] / 16 with replicated borders, every second pixel).
    Shapes: [b c h w] -> list of `scales` scores, the full size first; range in about [-1, 1].
    Source: High-Resolution Image Synthesis with Conditional GANs (arXiv:1711.11585), section 3.2, in the form of
    Multimodal Unsupervised Image-to-Image Translation (arXiv:1804.04732), appendix B.1.
    `square_halves` keeps only the first ceil(h/2) columns of each halved image: some released code slices both axes
    by the height, so that images wider than high lose their right side at the smaller scales.
    """

    def __init__(
        self,
        c: int,
        *,
        width: Positive = 64,
        layers: Positive = 4,
        scales: Positive = 3,
        norm: Norm = "none",
        activation: Activation = "leaky_relu(0.2)",
        pad: Pad = "reflect",
        kernel: Positive = 4,
        downsample: Literal["average", "gaussian"] = "average",
        square_halves: bool = False,
    ) -> None:
        super().__init__()
        self.downsample, self.square_halves = downsample, square_halves

        def one_scale() -> nn.Sequential:
            stages: list[nn.Module] = []
            for level in range(layers):
                stages.append(
                    ConvLayer(
                        width * 2 ** (level - 1) if level else c,
                        out=width * 2**level,
                        kernel=kernel,
                        stride=2,
                        pad=pad,
                        norm=norm if level else "none",
                        activation=activation,
                    )
                )
            return nn.Sequential(*stages, nn.Conv2d(width * 2 ** (layers - 1), 1, 1))

        self.scales = nn.ModuleList([one_scale() for _ in range(scales)])

    def forward(self, image: Tensor) -> list[Tensor]:
        scores = []
        for number, scale in enumerate(self.scales):
            if number:
                image = self._halve(image)
            scores.append(scale(image))
        return scores

    def _halve(self, image: Tensor) -> Tensor:
        halved = average_pool(image) if self.downsample == "average" else blur_pool(image, 2, "replicate")
        return halved[..., : halved.shape[2]] if self.square_halves else halved


def _pyramid_size(side: str) -> str:
    """The side of the layer `inner` of the scale `item`: each halving rounds down and adds one, as does a last step."""
    high = f"({side} + 2**item - 1)//2**item"
    halved = f"({high} + 2**min(inner + 1, layers) - 2)//2**min(inner + 1, layers) + 1"
    return f"{{{halved} + max(0, inner + 1 - layers)}}"


@block(
    f"image[b c h w] -> features[b {{1 if inner > layers else min(width*2**inner, widest)}} "
    f"{_pyramid_size('h')} {_pyramid_size('w')}]*{{scales}}*{{layers + 2}}",
    per_sample=BATCH_APART,
)
class PatchPyramid(nn.Module):
    """Score overlapping patches of an image at several sizes, each by a network of its own, and show every layer.

    Per scale: conv stride 2, leaky_relu 0.2; `layers` - 1 x [conv stride 2, norm, leaky_relu 0.2]; conv stride 1, norm,
    leaky_relu 0.2; conv to one score. Kernels are 4 with two zeros around, widths double up to `widest`. Between scales
    the image is halved by 3x3 means, outside not counted. Gives a list for each scale, the full size first: what its
    layers give, the score last. Shapes: [b c h w] -> `scales` lists of `layers` + 2; range in about [-1, 1].
    `bias` is that of the convolutions with a norm. Scales are numbered from the coarsest in the names of weights, so
    those of a run at half the size fit one with a scale more.
    Source: High-Resolution Image Synthesis with Conditional GANs (arXiv:1711.11585), section 3.2, released code.
    """

    def __init__(
        self,
        c: int,
        *,
        width: Positive = 64,
        layers: Positive = 3,
        scales: Positive = 2,
        norm: Norm = "instance",
        widest: Positive = 512,
        bias: bool = True,
    ) -> None:
        super().__init__()

        def one_scale() -> nn.ModuleList:
            widths = [min(width * 2**level, widest) for level in range(layers + 1)]
            stages = [ConvLayer(c, out=widths[0], kernel=4, stride=2, padding=2, activation="leaky_relu(0.2)")]
            for level in range(1, layers + 1):
                stages.append(
                    ConvLayer(
                        widths[level - 1],
                        out=widths[level],
                        kernel=4,
                        stride=2 if level < layers else 1,
                        padding=2,
                        norm=norm,
                        activation="leaky_relu(0.2)",
                        bias=bias,
                    )
                )
            return nn.ModuleList([*stages, ConvLayer(widths[layers], out=1, kernel=4, padding=2)])

        self.scales = nn.ModuleList([one_scale() for _ in range(scales)])

    def forward(self, image: Tensor) -> list[list[Tensor]]:
        found = []
        for number, scale in enumerate(reversed(self.scales)):
            image = average_pool(image) if number else image
            stages = list(scale.children())
            found.append(outputs_at(stages, image, list(range(len(stages)))))
        return found
