"""Invertible networks: what goes in can be had back from what comes out, by the entry point `inverse`."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from composer.block import block
from composer.blocks.layers import Pad, Positive, convolution
from composer.blocks.normalization import FeatureNorm, normalization


class Coupling(nn.Module):
    """Additive coupling of the two halves of the channels: y1 = x1 + f(x2), y2 = x2 + g(y1)."""

    def __init__(self, c: int, norm: FeatureNorm, pad: Pad) -> None:
        super().__init__()

        def half() -> nn.Sequential:
            first = convolution(c // 2, c // 2, 3, pad=pad, norm=norm, activation="relu")
            return nn.Sequential(*first, *convolution(c // 2, c // 2, 3, pad=pad, norm=norm))

        self.f, self.g = half(), half()

    def forward(self, x: Tensor) -> Tensor:
        one, two = x.chunk(2, 1)
        one = one + self.f(two)
        return torch.cat([one, two + self.g(one)], 1)

    def inverse(self, y: Tensor) -> Tensor:
        one, two = y.chunk(2, 1)
        two = two - self.g(one)
        return torch.cat([one - self.f(two), two], 1)


@block(
    "features[b c:2 h w] -> features[b c h w]",
    entries={"inverse": "features[b c:2 h w] -> features[b c h w]"},
    per_sample=False,
)
class ReversibleStack(nn.Module):
    """Blocks that can be run backwards: `inverse` gives exactly (to rounding) what went in.

    `blocks` x additive coupling of the halves of the channels, each half through
    [conv 3x3, norm, relu, conv 3x3, norm].
    With batch norm the inverse of a training batch is exact only where the statistics are those of the way forward.
    Shapes [b c h w] with an even number of channels; ranges any.
    Sources: The Reversible Residual Network (arXiv:1707.04585), eq. 8; Reversible GANs for Memory-efficient
    Image-to-Image Translation (arXiv:1902.02729).
    """

    def __init__(self, c: int, *, blocks: Positive = 9, norm: FeatureNorm = "instance", pad: Pad = "reflect") -> None:
        super().__init__()
        self.blocks = nn.ModuleList([Coupling(c, norm, pad) for _ in range(blocks)])

    def forward(self, x: Tensor) -> Tensor:
        for one in self.blocks:
            x = one(x)
        return x

    def inverse(self, y: Tensor) -> Tensor:
        for one in reversed(self.blocks):
            y = one.inverse(y)  # type: ignore[operator]
        return y


class GainConv(nn.Module):
    """A convolution 3x3 whose weights are a direction times a gain for each output channel (weight normalization)."""

    def __init__(self, c: int, out: int) -> None:
        super().__init__()
        self.direction = nn.Parameter(torch.empty(out, c, 3, 3))
        self.gain = nn.Parameter(torch.empty(out))
        self.bias = nn.Parameter(torch.empty(out))
        self.draw_initial(torch.Generator().manual_seed(0))

    @torch.no_grad()
    def draw_initial(self, generator: torch.Generator) -> None:
        """Directions uniform in +-1 / sqrt(fan_in), gains their lengths, biases 0."""
        bound = 1 / math.sqrt(self.direction[0].numel())
        drawn = torch.empty(self.direction.shape, device="cpu").uniform_(-bound, bound, generator=generator)
        self.direction.copy_(drawn)
        self.gain.copy_(drawn.flatten(1).norm(dim=1))
        self.bias.zero_()

    def forward(self, x: Tensor) -> Tensor:
        length = self.direction.flatten(1).norm(dim=1)
        return functional.conv2d(x, self.direction * (self.gain / length)[:, None, None, None], self.bias, padding=1)


class MaskedCoupling(nn.Module):
    """Affine coupling on a checkerboard: the white pixels say how the black ones are scaled and shifted."""

    def __init__(self, c: int, width: int, norm: FeatureNorm, odd: bool) -> None:
        super().__init__()
        self.odd = odd
        self.net = nn.Sequential(GainConv(c, width), normalization(norm, width), nn.ReLU(), GainConv(width, 2 * c))

    def changes(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The logarithm of the scale and the shift of each pixel, 0 where the pixel stays; and the mask of those."""
        high, wide = (torch.arange(n, device=x.device) for n in x.shape[2:])
        stays = ((high[:, None] + wide[None]) % 2 == int(self.odd)).to(x.dtype)
        scale, shift = self.net(x * stays).chunk(2, 1)
        return scale.tanh() * (1 - stays), shift * (1 - stays), stays

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        scale, shift, _ = self.changes(x)
        return (x + shift) * scale.exp(), scale.flatten(1).sum(1)

    def inverse(self, y: Tensor) -> Tensor:
        scale, shift, _ = self.changes(y)
        return y * (-scale).exp() - shift


@block(
    "image[b c h w] -> image[b c h w], logdet[b]",
    entries={"inverse": "image[b c h w] -> image[b c h w]"},
    parts=("gains",),
    per_sample=False,
)
class CouplingFlow(nn.Module):
    """A normalizing flow: an invertible map, and the logarithm of how much it stretches volume at each row.

    `couplings` x affine coupling on a checkerboard, alternating which pixels change; their networks are two 3x3
    convolutions of `width` channels with weight normalization. `inverse` runs it backwards. Its part `gains` has the
    gains of the weight normalization. Shapes: [b c h w] -> [b c h w] and [b]; ranges any. A sum of log |det| over rows
    is in nats.
    Source: Density estimation using Real NVP (arXiv:1605.08803), eqs. 7 and 8. Differs: one scale, no squeezing.
    """

    def __init__(self, c: int, *, width: Positive = 32, couplings: Positive = 4, norm: FeatureNorm = "batch") -> None:
        super().__init__()
        self.couplings = nn.ModuleList([MaskedCoupling(c, width, norm, i % 2 == 1) for i in range(couplings)])

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        logdet = x.new_zeros(x.shape[0])
        for one in self.couplings:
            x, stretched = one(x)
            logdet = logdet + stretched
        return x, logdet

    def inverse(self, y: Tensor) -> Tensor:
        for one in reversed(self.couplings):
            y = one.inverse(y)  # type: ignore[operator]
        return y

    def part(self, name: str) -> list[nn.Parameter]:
        """The parameters of a part: `gains`."""
        return [p for key, p in self.named_parameters() if name == "gains" and key.endswith(".gain")]


@block("latent[b ...], logdet[b] -> loss[]", role="loss", laws=("of any sign",))
def flow_nll(latent: Tensor, logdet: Tensor) -> Tensor:
    """Minus the log likelihood of each row under a flow with a standard normal latent, mean over rows, in nats.

    mean_b( sum (z^2 + log 2 pi) / 2 - logdet ). Shapes: [b ...] and [b].
    Source: Density estimation using Real NVP (arXiv:1605.08803), eq. 3.
    """
    energy = 0.5 * (latent.square() + math.log(2 * math.pi)).reshape(latent.shape[0], -1).sum(1)
    return (energy - logdet).mean()
