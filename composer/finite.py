"""The guard against numbers that are not finite: it names the first one, and such a state is never saved."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from composer.errors import Diverged

_REMEDY = "lower the learning rate (optimizers) or clip gradients (clip_norm)"


class Weights:
    """The weights of every network that is trained."""

    def __init__(self, networks: Mapping[str, torch.nn.Module]) -> None:
        self._trained: dict[str, list[torch.Tensor]] = {}
        for name, module in networks.items():
            if weights := [p for p in module.parameters() if p.requires_grad and p.numel()]:
                self._trained[name] = list(weights)

    @torch.no_grad()
    def norms(self) -> dict[str, torch.Tensor]:
        """The l2 norm of the weights of each network, a 0-d tensor; nan and infinity come through.

        It reads each weight once: far less than a training step, which reads and writes each several times.
        """
        return {n: torch.linalg.vector_norm(torch.stack(torch._foreach_norm(w))) for n, w in self._trained.items()}


class Guard:
    """Looks at the numbers of each iteration. `phases`: name -> the networks it updates, in the order they run in."""

    def __init__(self, phases: Mapping[str, Sequence[str]]) -> None:
        self._phases = phases

    def check(
        self,
        iteration: int,
        losses: Mapping[str, float],
        weights: Mapping[str, float],
        totals: Mapping[str, float],
        rates: Mapping[str, float],
        norms: Mapping[str, float],
    ) -> None:
        """Diverged at the first number that is infinite or nan, with what it is and where.

        `losses` and `weights` are of terms, by `PHASE/TERM`, in the order they were computed in; `norms`: see
        `Weights`, after the iteration.
        """
        for name, loss in losses.items():
            phase = name.partition("/")[0].partition("#")[0]
            if not math.isfinite(loss):
                fact = f"term '{name}' of phase '{phase}' is {loss} at iteration {iteration}"
                raise Diverged(fact + self._cause(phase, norms), remedy=_REMEDY)
            if not math.isfinite(weights[name]):
                fact = f"the weight of term '{name}' of phase '{phase}' is {weights[name]} at iteration {iteration}"
                raise Diverged(fact, remedy="look at its formula")
        for phase, total in totals.items():
            if not math.isfinite(total):
                raise Diverged(f"the total of phase '{phase}' is {total} at iteration {iteration}", remedy=_REMEDY)
        for group, rate in rates.items():
            if not math.isfinite(rate):
                fact = f"the learning rate of optimizer '{group}' is {rate} at iteration {iteration}"
                raise Diverged(fact, remedy="look at its law")
        for name, value in norms.items():
            if not math.isfinite(value):
                by = ", ".join(phase for phase, updated in self._phases.items() if name in updated)
                raise Diverged(
                    f"iteration {iteration} left weights of norm {value} in '{name}' (phase {by}), "
                    "though every term is finite: a gradient was not, or the step was too large",
                    remedy=_REMEDY,
                )

    def _cause(self, phase: str, norms: Mapping[str, float]) -> str:
        """A phase that ran before in this iteration, with finite terms, and spoiled the weights that `phase` met."""
        for before, updated in self._phases.items():
            if before == phase:
                break
            own = self._phases.get(phase, ())
            spoiled = [n for n in updated if n not in own and not math.isfinite(norms.get(n, 0))]
            if spoiled:
                return f", after phase '{before}' left weights of norm {norms[spoiled[0]]} in '{spoiled[0]}'"
        return ""


def refuse_non_finite_state(tensors: Mapping[str, Any], iteration: int) -> None:
    """Diverged when a tensor of the state holds infinity or nan: such a state is never saved."""
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise Diverged(f"'{name}' is not finite after iteration {iteration - 1}", remedy=_REMEDY)
