"""Numbers of parameters, from modules without memory behind them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from composer.shapes import Shaped

if TYPE_CHECKING:
    from torch import nn


def bare_module(shaped: Shaped, name: str) -> nn.Module:
    """The module of a network on torch's meta device: its layers and sizes, without weights."""
    import torch

    from composer.modules import construct

    with torch.device("meta"):
        return construct(shaped.graph.networks[name], shaped.bound[name])


def size(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def parameter_counts(shaped: Shaped) -> Mapping[str, int]:
    """Parameters of every network that is built."""
    return {name: size(bare_module(shaped, name)) for name in shaped.graph.networks if name in shaped.bound}
