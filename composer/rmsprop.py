"""RMSProp with epsilon inside the root and an average of squares that starts anywhere, as TensorFlow 1 has it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor


class RootedRMSprop(torch.optim.Optimizer):
    """s = decay * s + (1 - decay) * g^2; m = momentum * m + lr * g / sqrt(s + eps); w = w - m. s starts at `start`.

    Source: lecture 6e of Neural Networks for Machine Learning, 2012, as in TensorFlow 1's RMSPropOptimizer. Differs
    from `torch.optim.RMSprop`: eps is inside the root, and s need not start at 0.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        decay: float = 0.9,
        eps: float = 1e-10,
        momentum: float = 0.0,
        start: float = 1.0,
    ) -> None:
        super().__init__(params, {"lr": lr, "decay": decay, "eps": eps, "momentum": momentum, "start": start})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Step every parameter that has a gradient."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._move(parameter, parameter.grad, group)
        return None if closure is None else closure()

    def _move(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state["square"] = torch.full_like(parameter, group["start"])
            if group["momentum"]:
                state["momentum"] = torch.zeros_like(parameter)
        square = state["square"].mul_(group["decay"]).addcmul_(gradient, gradient, value=1 - group["decay"])
        change = group["lr"] * gradient / (square + group["eps"]).sqrt()
        if group["momentum"]:
            change = state["momentum"].mul_(group["momentum"]).add_(change)
        parameter.sub_(change)
