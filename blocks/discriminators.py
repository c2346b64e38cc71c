"""Discriminators: networks that score how real an image, or each patch of it, looks. Scores are logits."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from composer.block import block
from composer.blocks.activations import Activation
from composer.blocks.generators import Blur, bias_beside
from composer.blocks.layers import ConvLayer, Pad, Positive, convolution
from composer.blocks.normalization import BATCH_APART, Norm
from composer.blocks.resampling import average_pool, blur_pool


@block("image[b c h w] -> score[b 1 {h//2**layers - 2} {w//2**layers - 2}]", per_sample=BATCH_APART)
class PatchDiscriminator(nn.Module):
    """Score overlapping patches of an image.

    conv 4x4 stride 2; `layers` - 1 x [conv 4x4 stride 2, norm]; conv 4x4, norm; conv 4x4 to one score;
    leaky_relu 0.2 between. Widths: width * (1, 2, 4, 8, 8, ...). A score sees 16, 34, 70, 142, 286, 574 pixels
    for 1, 2, 3, 4, 5, 6 layers. Shapes: [b c h w] -> [b 1 h/2**layers - 2 w/2**layers - 2]; range in about [-1, 1].
    `antialias` halves by a convolution of stride 1 and, behind the activation, a blur. `bias` says whether the
    convolutions in front of a norm have one; left out, those in front of instance and spectral normalization do.
    Source: Image-to-Image Translation with Conditional Adversarial Networks (arXiv:1611.07004), section 6.1.2.
    """

    def __init__(
        self,
        c: int,
        *,
        width: Positive = 64,
        layers: Positive = 3,
        norm: Norm = "batch",
        antialias: bool = False,
        bias: bool | None = None,
    ) -> None:
        super().__init__()
        bias = bias_beside(norm) if bias is None else bias
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
