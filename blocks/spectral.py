"""Spectral normalization: the weights of a layer divided by how much they can stretch what goes in."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

_TINY = 1e-12


class SpectralNorm(nn.Module):
    """A convolution whose weight is divided by an estimate of its largest singular value.

    W / (u^T W v), W as a matrix with a row for each output channel. In training every call first makes one step of
    power iteration, v = W^T u / |.| and u = W v / |.|, from where the last call left u; in eval mode u and v stay.
    Gradients flow through W in both places; u and v are constants of the call that made them.
    Source: Spectral Normalization for Generative Adversarial Networks (arXiv:1802.05957), algorithm 1.
    """

    weight_u: Tensor
    weight_v: Tensor

    def __init__(self, conv: nn.Conv2d | nn.ConvTranspose2d) -> None:
        super().__init__()
        self.transposed = isinstance(conv, nn.ConvTranspose2d)  # its weights have inputs first
        self.stride, self.padding, self.output_padding = conv.stride, conv.padding, conv.output_padding
        self.weight_bar = nn.Parameter(conv.weight.detach())  # what is trained; the names are those of known code
        self.bias = conv.bias
        high, wide = self.matrix().shape
        self.register_buffer("weight_u", _unit(torch.ones(high)))
        self.register_buffer("weight_v", _unit(torch.ones(wide)))

    def draw_initial(self, generator: torch.Generator) -> None:
        """Draw the directions that the power iteration starts from: evenly on the sphere."""
        with torch.no_grad():
            for direction in (self.weight_u, self.weight_v):
                direction.copy_(_unit(torch.randn(direction.shape, generator=generator)))

    def matrix(self) -> Tensor:
        """The weight that is trained, with a row for each output channel."""
        return (self.weight_bar.transpose(0, 1) if self.transposed else self.weight_bar).flatten(1)

    def forward(self, x: Tensor) -> Tensor:
        matrix = self.matrix()
        u, v = self.weight_u.clone(), self.weight_v.clone()
        if self.training:
            with torch.no_grad():
                v = _unit(matrix.T @ u)
                u = _unit(matrix @ v)
                self.weight_u.copy_(u)
                self.weight_v.copy_(v)
        weight = self.weight_bar / (u @ (matrix @ v))
        if self.transposed:
            out = self.output_padding
            return functional.conv_transpose2d(x, weight, self.bias, self.stride, self.padding, out)  # type: ignore[arg-type]
        return functional.conv2d(x, weight, self.bias, self.stride, self.padding)


def _unit(x: Tensor) -> Tensor:
    length: Tensor = torch.linalg.vector_norm(x)
    return x / (length + _TINY)
