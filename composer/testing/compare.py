"""How far two training runs are apart."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor


def distance(one: Tensor, other: Tensor) -> float:
    """The largest difference of two tensors relative to the largest number in either, at least 1e-3.

    0 where both are NaN or the same infinity; infinite where shapes or kinds differ or only one is a number.
    """
    if one.shape != other.shape or one.is_floating_point() != other.is_floating_point():
        return math.inf
    if one.numel() == 0:
        return 0.0
    one, other = one.double(), other.double()
    same = (one == other) | (one.isnan() & other.isnan())
    if bool(same.all()):
        return 0.0
    if not bool((one.isfinite() & other.isfinite() | same).all()):
        return math.inf
    finite = torch.where(same & ~one.isfinite(), 0.0, 1.0)
    one, other = torch.where(finite > 0, one, 0.0), torch.where(finite > 0, other, 0.0)
    scale = max(float(one.abs().max()), float(other.abs().max()), 1e-3)
    return float((one - other).abs().max()) / scale


def differences(one: Mapping[str, Tensor], other: Mapping[str, Tensor], within: float = 0.0) -> dict[str, float]:
    """Names whose tensors are further apart than `within`, or that only one of the two has, with their distance."""
    found = {}
    for name in [*one, *(n for n in other if n not in one)]:
        far = distance(one[name], other[name]) if name in one and name in other else math.inf
        if far > within:
            found[name] = far
    return found
