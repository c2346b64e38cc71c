"""Penalties on gradients. They take the gradient as a value: `square_norm(grad(D(x), x))`."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from composer.block import Range, block


@block("gradient[b ...] -> loss[]", role="loss", laws=("zero at 0", "homogeneous 2"))
def square_norm(gradient: Tensor) -> Tensor:
    """Squared length of each row's gradient, mean over rows. Shapes [b ...]; zero or more.

    mean_b sum g^2. Source: Which Training Methods for GANs do actually Converge? (arXiv:1801.04406), eq. 9 (R1)
    without its gamma / 2.
    """
    return gradient.square().reshape(gradient.shape[0], -1).sum(1).mean()


@block("gradient[b ...] -> loss[]", role="loss", laws=("zero at unit rows if eps == 0",))
def unit_gradient(gradient: Tensor, eps: Annotated[float, Range(0, None)] = 0.0, one_sided: bool = False) -> Tensor:
    """How far the length of each row's gradient is from 1: mean_b (|g| - 1)^2. Shapes [b ...]; zero or more.

    |g| = sqrt(sum g^2 + eps). Where that is 0 its derivative is taken as 0. `one_sided` counts lengths above 1 only.
    Sources: Improved Training of Wasserstein GANs (arXiv:1704.00028), eq. 3 without its weight; one-sided: On the
    regularization of Wasserstein GANs (arXiv:1709.08894), eq. 8.
    """
    squares = gradient.square().reshape(gradient.shape[0], -1).sum(1) + eps
    positive = squares > 0  # the root of 0 has no finite derivative: leave those rows out of it
    length = torch.where(positive, squares, torch.ones_like(squares)).sqrt() * positive
    off = length - 1
    return (off.clamp(min=0) if one_sided else off).square().mean()
