"""Networks as they translate, without anything that changes while they run: what is left is a function of its inputs.

An exported model gives for each picture of a batch what the program gives for that picture alone, as
`composer translate` does it.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrize

from composer.blocks.random import Dropout


class PictureNorm(nn.Module):
    """Batch normalization in training mode, of a batch that is one picture: per channel over its pixels.

    The scale and shift that were learned stay, running statistics are not asked.
    """

    def __init__(self, norm: nn.modules.batchnorm._BatchNorm) -> None:
        super().__init__()
        self.eps = norm.eps
        self.weight, self.bias = norm.weight, norm.bias

    def forward(self, x: Tensor) -> Tensor:
        return functional.instance_norm(x, weight=self.weight, bias=self.bias, use_input_stats=True, eps=self.eps)


def settled(network: nn.Module) -> nn.Module:
    """A copy of `network` in the mode that it is in: weights that are computed are computed, nothing is counted."""
    made = copy.deepcopy(network).requires_grad_(False)
    for part in list(made.modules()):
        if parametrize.is_parametrized(part):
            _compute_weights(part)
    return _replaced(made)


@torch.no_grad()
def _compute_weights(part: nn.Module) -> None:
    """Make plain weights of those that are computed at each call.

    PyTorch's own way changes the class of the module, which its copies share: the program's networks would break.
    In training mode a spectral norm makes one more power iteration, as in a call.
    """
    names = list(part.parametrizations)  # type: ignore[arg-type]
    weights = {name: getattr(part, name).clone() for name in names}
    del part._modules["parametrizations"]
    part.__class__ = type(part).__bases__[0]
    for name, weight in weights.items():
        part.register_parameter(name, nn.Parameter(weight, requires_grad=False))


def _replaced(module: nn.Module) -> nn.Module:
    if isinstance(module, nn.modules.batchnorm._BatchNorm):
        return PictureNorm(module) if module.training or module.running_mean is None else module
    for name, child in module.named_children():
        made = _replaced(child)
        if made is not child:
            setattr(module, name, made)
    return module


def without_dropout(networks: list[nn.Module]) -> None:
    """Switch dropout off, in whatever mode the networks are."""
    for network in networks:
        for part in network.modules():
            if draws_masks(part):
                part.p = 0.0  # type: ignore[assignment]


def draws_masks(part: nn.Module) -> bool:
    return isinstance(part, Dropout) or (hasattr(part, "place") and hasattr(part, "p"))


def masking(networks: list[nn.Module]) -> bool:
    """Whether a network draws masks of dropout in the mode that it is in."""
    return any(draws_masks(p) and p.training and p.p != 0 for n in networks for p in n.modules())
