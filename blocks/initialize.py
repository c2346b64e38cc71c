"""Starting weights: the laws that the setting `init` of a network names.

All numbers come from one generator and are drawn on the CPU in float32, module by module in the order in which they
are registered, so that starting weights are a function of the seed alone and do not depend on the device.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from composer.blocks.spectral import SpectralNorm
from composer.blocks.text import read_call
from composer.errors import ComposeError, nearest

_WEIGHTED = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d, nn.Linear)
_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
Law = Callable[[Tensor, torch.Generator], object]


def initialize(module: nn.Module, rule: str, generator: torch.Generator) -> None:
    """Draw the weights of `module` and everything inside it anew, as `rule` says.

    The rule is a law for the weights of convolutions and linear maps:

    - `default`: uniform in +-1 / sqrt(fan_in), PyTorch's own; biases likewise;
    - `normal(std)`: N(0, std^2);
    - `xavier(gain)`: N(0, gain^2 * 2 / (fan_in + fan_out)) (Glorot & Bengio 2010);
    - `kaiming(a)`, also called `he`: N(0, 2 / ((1 + a^2) fan_in)) (arXiv:1502.01852, eq. 10), a = 0 when left out;
    - `orthogonal(gain)`: orthogonal rows or columns times gain (arXiv:1312.6120);

    with three settings: `bias`, `zero` (when left out) or `default` (uniform in +-1 / sqrt(fan_in)); `norm`, what
    the scale of batch normalization starts from: `one` (when left out) or the standard deviation of a draw around 1,
    `normal(0.02, norm=0.02)`; its shift starts at 0 (other normalizations keep their own starting values); and
    `spectral`, what convolutions with a spectral norm start from: the law, `same` (when left out), `default`, or
    `default_weight`, which leaves their biases as `bias` says.

    Modules with starting values of their own (`draw_initial(generator)`) draw them in every case.
    A `ComposeError` says when there is no such law.
    """
    law, bias, norm, spectral = _read(rule)
    for part in module.modules():
        if isinstance(part, (*_WEIGHTED, SpectralNorm)):
            own = isinstance(part, SpectralNorm) and spectral != "same"
            weight = part.weight_bar if isinstance(part, SpectralNorm) else part.weight
            _fill(weight, _default() if own else law, generator)
            if part.bias is not None and bias == "zero" and not (own and spectral == "default"):
                nn.init.zeros_(part.bias)
            elif part.bias is not None:
                bound = 1 / math.sqrt(max(1, _fan_in(weight)))
                _fill(part.bias, lambda t, g, b=bound: _uniform(t, b, g), generator)  # type: ignore[misc]
        if isinstance(part, _BATCH_NORMS) and part.affine and norm is not None:
            _fill(part.weight, lambda t, g: _normal(t, 1.0, norm, g), generator)
            nn.init.zeros_(part.bias)
        elif callable(draw_initial := getattr(part, "draw_initial", None)):
            draw_initial(generator)


def _fill(target: Tensor, law: Law, generator: torch.Generator) -> None:
    drawn = torch.empty(target.shape)
    with torch.no_grad():
        law(drawn, generator)
        target.copy_(drawn)


def _fan_in(weight: Tensor) -> int:
    return weight[0].numel()


def _uniform(t: Tensor, bound: float, generator: torch.Generator) -> None:
    nn.init.uniform_(t, -bound, bound, generator=generator)


def _normal(t: Tensor, mean: float, std: float, generator: torch.Generator) -> None:
    nn.init.normal_(t, mean, std, generator=generator)


def _default() -> Law:
    return lambda t, g: _uniform(t, 1 / math.sqrt(max(1, _fan_in(t))), g)


def _gaussian(std: float = 0.02) -> Law:
    return lambda t, g: _normal(t, 0.0, std, g)


def _xavier(gain: float = 1.0) -> Law:
    return lambda t, g: nn.init.xavier_normal_(t, gain, generator=g)


def _kaiming(a: float = 0.0) -> Law:
    return lambda t, g: nn.init.kaiming_normal_(t, a, generator=g)


def _orthogonal(gain: float = 1.0) -> Law:
    return lambda t, g: nn.init.orthogonal_(t, gain, generator=g)


_LAWS: dict[str, Callable[..., Law]] = {
    "default": _default,
    "normal": _gaussian,
    "xavier": _xavier,
    "kaiming": _kaiming,
    "he": _kaiming,
    "orthogonal": _orthogonal,
}


def _read(rule: str) -> tuple[Law, str, float | None, str]:
    name, arguments, given = read_call(rule)
    keywords = dict(given)  # what was read is remembered: leave it alone
    if name not in _LAWS:
        raise ComposeError(f"unknown law '{name}' for starting weights", remedy=nearest(name, _LAWS))
    bias: Any = keywords.pop("bias", "default" if name == "default" else "zero")
    norm: Any = keywords.pop("norm", "one")
    spectral: Any = keywords.pop("spectral", "same")
    if bias not in ("zero", "default"):
        raise ComposeError(f"bias is 'zero' or 'default' in '{rule}', not {bias!r}")
    if norm != "one" and not (isinstance(norm, (int, float)) and norm >= 0):
        raise ComposeError(f"norm is 'one' or a standard deviation in '{rule}', not {norm!r}")
    if spectral not in ("same", "default", "default_weight"):
        raise ComposeError(f"spectral is 'same', 'default' or 'default_weight' in '{rule}', not {spectral!r}")
    try:
        law = _LAWS[name](*arguments, **keywords)
    except TypeError:
        raise ComposeError(f"'{rule}' does not take these numbers", remedy=f"try '{name}(0.02)'") from None
    return law, bias, None if norm == "one" else float(norm), spectral
