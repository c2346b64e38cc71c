"""Normalizations: what they divide by, what they learn, what they remember."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from composer.block import Range, block

# What a setting `norm` may name: a normalization of features, of the weights of the convolution before it, or both.
FeatureNorm = Literal["none", "batch", "instance", "instance_affine", "instance_tracked", "layer", "layer_plain"]
Norm = Literal[FeatureNorm, "spectral", "spectral_batch", "spectral_instance"]
# `per_sample` of a block with such a setting: only batch normalization mixes rows.
BATCH_APART = "norm not in ['batch', 'spectral_batch']"


@block("features[b c ...] -> features[b c ...] where eps > 0")
class LayerNorm(nn.Module):
    """Normalize each sample over channels and pixels together, then scale and shift each channel.

    y = gamma * (x - mean) / (std + eps) + beta, with the unbiased standard deviation (divisor n - 1) and eps added
    to it, not to the variance. Shapes [b c ...]; any range; gamma starts uniform in [0, 1), beta at 0.
    A sample of one number is refused with a ValueError: it has no spread.
    Source: the released code of Multimodal Unsupervised Image-to-Image Translation (arXiv:1804.04732).
    Differs from Layer Normalization (arXiv:1607.06450): statistics and eps as above, gamma and beta per channel.
    """

    def __init__(self, c: int, *, eps: Annotated[float, Range(0, None)] = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.gamma = nn.Parameter(torch.rand(c))
        self.beta = nn.Parameter(torch.zeros(c))

    def draw_initial(self, generator: torch.Generator) -> None:
        """Draw the starting values anew (see `composer.blocks.initialize`)."""
        with torch.no_grad():
            self.gamma.copy_(torch.rand(self.gamma.shape, generator=generator))
            self.beta.zero_()

    def forward(self, x: Tensor) -> Tensor:
        if x[0].numel() == 1:
            raise ValueError("layer normalization needs more than one number a sample")
        axes = tuple(range(1, x.dim()))
        spread = x.std(axes, keepdim=True) + self.eps
        per_channel = (1, -1) + (1,) * (x.dim() - 2)
        centred = x - x.mean(axes, keepdim=True)
        return self.gamma.view(per_channel) * (centred / spread) + self.beta.view(per_channel)


class InstanceNorm(nn.InstanceNorm2d):
    """Instance normalization whose gradient is right for a single row too.

    PyTorch 2.13 on the CPU gives another gradient for one row when the gradient that arrives is stored channels last
    (as behind a `permute`); stored in the usual order it gives the right one.
    """

    def forward(self, x: Tensor) -> Tensor:
        y = super().forward(x)
        if y.requires_grad and y.shape[0] == 1:
            y.register_hook(_in_usual_order)  # type: ignore[no-untyped-call]
        return y


def _in_usual_order(gradient: Tensor | None) -> Tensor | None:
    """Under a penalty on a derivative none may arrive: that of a layer which is linear in `y` does not depend on it."""
    return None if gradient is None else gradient.contiguous()


_NORMS: dict[str, Callable[[int], nn.Module]] = {
    "none": lambda c: nn.Identity(),
    "batch": nn.BatchNorm2d,
    "instance": InstanceNorm,
    "instance_affine": lambda c: InstanceNorm(c, affine=True),
    "instance_tracked": lambda c: InstanceNorm(c, affine=True, track_running_stats=True),
    "layer": LayerNorm,
    "layer_plain": lambda c: nn.GroupNorm(1, c),
}


def normalization(kind: FeatureNorm, c: int) -> nn.Module:
    """The normalization `kind` for `c` channels.

    `batch`: per channel over rows and pixels, scale and shift, running statistics (momentum 0.1), eps 1e-5.
    `instance`: per sample and channel over pixels, nothing learned, no running statistics, eps 1e-5.
    `instance_affine`: the same with a scale (from 1) and a shift (from 0) per channel. `instance_tracked`: that, with
    running statistics as batch normalization has them, which it uses in eval mode. `layer`: see `LayerNorm`.
    `layer_plain`: per sample over channels and pixels, a scale (from 1) and a shift (from 0) per channel, eps 1e-5.
    """
    return _NORMS[kind](c)


def is_spectral(norm: Norm) -> bool:
    """Whether `norm` normalizes the weights of the convolution."""
    return norm.startswith("spectral")


def beside_spectral(norm: Norm) -> FeatureNorm:
    """What `norm` does to the features: `spectral_instance` does `instance`, `spectral` alone nothing."""
    return (norm.removeprefix("spectral").removeprefix("_") or "none") if is_spectral(norm) else norm  # type: ignore[return-value]


@block("features[b c h w] -> features[b c h w]", name="norm", per_sample="kind != 'batch'")
class Normalization(nn.Module):
    """Normalize features in one of the usual ways, as a layer of its own.

    Shapes [b c h w]; any range in, about zero mean and unit spread out (before scale and shift).
    Sources: Batch Normalization (arXiv:1502.03167), Instance Normalization (arXiv:1607.08022); kinds as in
    `normalization`. `batch` mixes the rows of a batch, the others do not.
    """

    def __init__(self, c: int, *, kind: FeatureNorm = "instance") -> None:
        super().__init__()
        self.norm = normalization(kind, c)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x)  # type: ignore[no-any-return]


@block("features[b c h w] -> features[b c h w] where eps > 0")
def normalize(x: Tensor, eps: Annotated[float, Range(0, None)] = 1e-5) -> Tensor:
    """Give each channel of each sample mean 0 and spread 1.

    y = (x - mean) / sqrt(variance + eps), biased variance over pixels. Shapes [b c h w], any range.
    Source: Instance Normalization (arXiv:1607.08022), without scale and shift.
    """
    centred = x - x.mean((2, 3), keepdim=True)
    return centred / (centred.square().mean((2, 3), keepdim=True) + eps).sqrt()


@block("features[b c h w], scale[b c], shift[b c] -> features[b c h w] where eps > 0")
def modulate(x: Tensor, scale: Tensor, shift: Tensor, eps: Annotated[float, Range(0, None)] = 1e-5) -> Tensor:
    """Give each channel of each sample a spread and a mean that are values of the graph.

    y = scale * normalize(x) + shift. Shapes: features [b c h w], scale and shift [b c]; any range.
    Source: Arbitrary Style Transfer in Real-time with Adaptive Instance Normalization (arXiv:1703.06868), eq. 8.
    """
    return scale[:, :, None, None] * normalize(x, eps) + shift[:, :, None, None]


@block("features[b c h w], style[b s] -> features[b c h w] where eps > 0")
class AdaptiveNorm(nn.Module):
    """Give each channel the mean and spread that a style asks for.

    y = (offset + scale(style)) * normalize(x) + shift(style), scale and shift one linear map of the style, scale first.
    Shapes: features [b c h w], style [b s]; any range.
    Source: Arbitrary Style Transfer in Real-time with Adaptive Instance Normalization (arXiv:1703.06868), eq. 8,
    with a learned map as in StarGAN v2: Diverse Image Synthesis for Multiple Domains (arXiv:1912.01865).
    Differs: with `offset` 1 a map that gives zeros leaves the normalized features as they are.
    """

    def __init__(self, c: int, s: int, *, offset: float = 1.0, eps: Annotated[float, Range(0, None)] = 1e-5) -> None:
        super().__init__()
        self.offset, self.eps = offset, eps
        self.linear = nn.Linear(s, 2 * c)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        scale, shift = self.linear(style).chunk(2, dim=1)
        return modulate(x, self.offset + scale, shift, self.eps)


@block("features[b c h w], map[b m ? ?] -> features[b c h w] where kernel % 2 == 1", per_sample=BATCH_APART)
class SpatialNorm(nn.Module):
    """Normalize, then scale and shift each pixel as a map asks for.

    y = (1 + scale(map)) * norm(x) + shift(map); the map is resized to the features (nearest), then goes through one
    shared convolution with ReLU and a convolution each for scale and shift.
    Shapes: features [b c h w], map [b m H W] of any size; any range.
    Source: Semantic Image Synthesis with Spatially-Adaptive Normalization (arXiv:1903.07291), eq. 1.
    """

    def __init__(
        self,
        c: int,
        m: int,
        *,
        width: Annotated[int, Range(1, None)] = 128,
        kernel: Annotated[int, Range(1, None)] = 3,
        norm: Literal["none", "batch", "instance"] = "instance",
    ) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(c, affine=False) if norm == "batch" else normalization(norm, c)
        self.shared = nn.Conv2d(m, width, kernel, padding=kernel // 2)
        self.scale = nn.Conv2d(width, c, kernel, padding=kernel // 2)
        self.shift = nn.Conv2d(width, c, kernel, padding=kernel // 2)

    def forward(self, x: Tensor, given: Tensor) -> Tensor:
        given = functional.interpolate(given, size=x.shape[2:], mode="nearest")
        hidden = functional.relu(self.shared(given))
        return self.norm(x) * (1 + self.scale(hidden)) + self.shift(hidden)  # type: ignore[no-any-return]
