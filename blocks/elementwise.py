"""Functions of each element, or of each vector along the channels."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor
from torch.nn import functional

from composer.block import Range, block
from composer.blocks.lists import over_lists


@block("x[...] -> x[...]", maps=True)
@over_lists
def relu(x: Tensor) -> Tensor:
    """max(x, 0). Any shape; 0 or more."""
    return functional.relu(x)


@block("x[...] -> x[...]", maps=True)
@over_lists
def leaky_relu(x: Tensor, slope: float = 0.2) -> Tensor:
    """x above 0, slope * x below. Any shape and range."""
    return functional.leaky_relu(x, slope)


@block("x[...] -> x[...]", maps=True)
@over_lists
def tanh(x: Tensor) -> Tensor:
    """Hyperbolic tangent. Any shape; in [-1, 1]."""
    return x.tanh()


@block("x[...] -> x[...]", maps=True)
@over_lists
def sigmoid(x: Tensor) -> Tensor:
    """1 / (1 + exp(-x)). Any shape; in [0, 1]."""
    return x.sigmoid()


@block("x[...] -> x[...]", maps=True)
@over_lists
def exp(x: Tensor) -> Tensor:
    """The exponential. Any shape; 0 or more."""
    return x.exp()


@block("positive[...] -> positive[...]", maps=True)
@over_lists
def log(x: Tensor, eps: Annotated[float, Range(0, None)] = 0.0) -> Tensor:
    """Natural logarithm of x + eps. Any shape; x + eps above 0."""
    return (x + eps).log()


@block("positive[...] -> positive[...]", maps=True)
@over_lists
def sqrt(x: Tensor, eps: Annotated[float, Range(0, None)] = 0.0) -> Tensor:
    """Square root of x + eps. Any shape; x + eps of 0 or more."""
    return (x + eps).sqrt()


@block("x[...] -> x[...]", maps=True)
@over_lists
def square(x: Tensor) -> Tensor:
    """x * x. Any shape; 0 or more."""
    return x.square()


@block("x[...] -> x[...]", maps=True, name="abs")
@over_lists
def absolute(x: Tensor) -> Tensor:
    """x without its sign. Any shape; 0 or more."""
    return x.abs()


@block("x[...] -> x[...] where low < high", maps=True)
@over_lists
def clamp(x: Tensor, low: float = -1.0, high: float = 1.0) -> Tensor:
    """x, but no less than `low` and no more than `high`. Any shape."""
    return x.clamp(low, high)


@block("x[b c ...] -> x[b c ...]", maps=True)
@over_lists
def softmax(x: Tensor) -> Tensor:
    """Shares along the channels: exp(x) over its sum. Shapes [b c ...]; in [0, 1], adding up to 1."""
    return x.softmax(1)


@block("x[b c ...] -> label[b ...]", maps=True)
@over_lists
def argmax(x: Tensor) -> Tensor:
    """The number of the largest channel, from 0. Shapes: [b c ...] -> [b ...] whole numbers. No gradient."""
    return x.argmax(1)


@block("x[b c ...] -> x[b c ...]", maps=True)
@over_lists
def unit_length(x: Tensor, eps: Annotated[float, Range(0, None)] = 1e-7) -> Tensor:
    """Divide each vector along the channels by its length: x / (|x| + eps). Shapes [b c ...]; in [-1, 1]."""
    length: Tensor = torch.linalg.vector_norm(x, dim=1, keepdim=True)
    return x / (length + eps)
