"""Activations, named by text in the settings of other blocks: `relu`, `leaky_relu(0.2)`, `none`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from torch import nn

from composer.block import Examples
from composer.blocks.text import read_call
from composer.errors import ComposeError, nearest

# None of them works in place: a result may be an input of something else.
_ACTIVATIONS: dict[str, Callable[..., nn.Module]] = {
    "none": nn.Identity,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,  # its one argument is the slope below zero, 0.01 when left out
    "prelu": lambda slope=0.25: nn.PReLU(init=slope),  # one trained slope for all channels
    "elu": nn.ELU,
    "selu": nn.SELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "softplus": nn.Softplus,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}


Activation = Annotated[str, Examples(*_ACTIVATIONS, "leaky_relu(0.2)")]  # a setting that names one


def activation(text: str) -> nn.Module:
    """The activation that `text` names. A `ComposeError` offers the nearest name when there is none.

    `none`, `relu`, `leaky_relu(slope)`, `prelu(slope)`, `elu(alpha)`, `selu`, `gelu`, `silu`, `softplus`, `tanh`,
    `sigmoid`. `prelu` has a weight of its own; the others have none.
    """
    name, arguments, keywords = read_call(text)
    if name not in _ACTIVATIONS:
        raise ComposeError(f"unknown activation '{name}'", remedy=nearest(name, _ACTIVATIONS))
    try:
        return _ACTIVATIONS[name](*arguments, **keywords)
    except TypeError:
        raise ComposeError(f"activation '{text}' does not take these arguments", remedy=f"try '{name}'") from None
