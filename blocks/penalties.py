"""Penalties on gradients. They take the gradient as a value: `square_norm(grad(D(x), x))`."""

from __future__ import annotations

from typing import Annotated

from torch import Tensor

from composer.block import Range, block


@block("gradient[b ...] -> loss[]", role="loss")
def square_norm(gradient: Tensor) -> Tensor:
    """Squared length of each row's gradient, mean over rows. Shapes [b ...]; zero or more.

    mean_b sum g^2. Source: Which Training Methods for GANs do actually Converge? (arXiv:1801.04406), eq. 9 (R1)
    without its gamma / 2.
    """
    return gradient.square().flatten(1).sum(1).mean()


@block("gradient[b ...] -> loss[]", role="loss")
def unit_gradient(gradient: Tensor, eps: Annotated[float, Range(0, None)] = 0.0) -> Tensor:
    """How far the length of each row's gradient is from 1: mean_b (|g| - 1)^2. Shapes [b ...]; zero or more.

    |g| = sqrt(sum g^2 + eps); a little `eps` keeps the derivative finite where the gradient vanishes.
    Source: Improved Training of Wasserstein GANs (arXiv:1704.00028), eq. 3 without its weight.
    """
    return ((gradient.square().flatten(1).sum(1) + eps).sqrt() - 1).square().mean()
