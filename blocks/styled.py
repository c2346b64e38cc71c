"""Layers whose normalizations take scale and shift from a style."""

from __future__ import annotations

from torch import Tensor, nn

from composer.block import block
from composer.blocks.activations import Activation
from composer.blocks.activations import activation as make_activation
from composer.blocks.layers import ConvLayer, Pad, Positive
from composer.blocks.normalization import modulate


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
