"""From the tensors of a step to the log, TensorBoard and the display; and the guard against non-finite numbers.

Losses stay on their device until a flush: on a GPU one transfer serves several iterations, so that logging
does not make the processor wait in each. The CPU is flushed at every iteration.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from composer.events import Events
from composer.finite import Guard
from composer.log import Log

GPU_FLUSH = 10  # iterations between two transfers from a GPU
EVENTS_EVERY = 10  # iterations between two points of a TensorBoard curve; log.jsonl has all of them


class Term(Protocol):
    """One term of a phase: its unweighted loss, a 0-d tensor, and its weight."""

    @property
    def loss(self) -> torch.Tensor: ...

    @property
    def weight(self) -> float | torch.Tensor: ...


class StepResult(Protocol):
    """What a training step returns; names of terms are `phase/term`."""

    @property
    def terms(self) -> Mapping[str, Any]: ...

    @property
    def totals(self) -> Mapping[str, torch.Tensor | None]: ...

    @property
    def rates(self) -> Mapping[str, float]: ...


@dataclass(frozen=True)
class _Pending:
    iteration: int
    epoch: int
    seconds: float
    weights: Mapping[str, float]
    totals: tuple[str, ...]
    rates: Mapping[str, float]
    networks: tuple[str, ...]
    values: tuple[torch.Tensor, ...]  # of the terms, then of the totals, then the norms of the networks' weights


class Recorder:
    """Collects the results of steps. `latest`: name -> (loss, weight) of the newest value of each term.

    `phases`: name -> networks it updates. Terms stand in the order of phases, also when one does not run each time.
    """

    def __init__(self, log: Log, events: Events, phases: Mapping[str, Sequence[str]] | None = None) -> None:
        phases = phases or {}
        self.latest: dict[str, tuple[float, float]] = {}
        self._order = {name: number for number, name in enumerate(phases)}
        self._guard = Guard(phases)
        self._log = log
        self._events = events
        self._pending: list[_Pending] = []

    def add(
        self,
        iteration: int,
        epoch: int,
        seconds: float,
        result: StepResult,
        norms: Mapping[str, torch.Tensor] | None = None,
    ) -> None:
        """Note the result of `iteration`, which took `seconds`; `norms`: of the weights of each network after it.

        May raise Diverged.
        """
        norms = norms or {}
        losses = [term.loss.detach() for term in result.terms.values()]
        totals = {name: total.detach() for name, total in result.totals.items() if total is not None}
        weights = {name: float(term.weight) for name, term in result.terms.items()}
        values = (*losses, *totals.values(), *norms.values())
        rates = dict(result.rates)
        names = tuple(totals), rates, tuple(norms)
        self._pending.append(_Pending(iteration, epoch, seconds, weights, *names, values))
        on_gpu = any(value.device.type != "cpu" for value in values)
        if not on_gpu or len(self._pending) >= GPU_FLUSH:
            self.flush()

    def flush(self) -> None:
        """Write what was noted. Raises Diverged at the first number that is not finite."""
        pending, self._pending = self._pending, []
        tensors = [value.double() for one in pending for value in one.values]
        numbers = iter(torch.stack(tensors).tolist() if tensors else ())
        for one in pending:
            losses = {name: next(numbers) for name in one.weights}
            totals = {name: next(numbers) for name in one.totals}
            norms = {name: next(numbers) for name in one.networks}
            self._guard.check(one.iteration, losses, one.weights, totals, one.rates, norms)
            self._write(one, losses, totals)

    def scalars(self, iteration: int, values: Mapping[str, float]) -> None:
        """Numbers for TensorBoard that belong to no term."""
        self._events.scalars(iteration, values)

    def sync(self) -> None:
        """Flush everything to the disk."""
        self.flush()
        self._log.sync()
        self._events.sync()

    def close(self) -> None:
        self._log.close()
        self._events.close()

    def _write(self, one: _Pending, losses: Mapping[str, float], totals: Mapping[str, float]) -> None:
        terms = {name: {"loss": loss, "weight": one.weights[name]} for name, loss in losses.items()}
        self._log.write(
            {
                "iteration": one.iteration,
                "epoch": one.epoch,
                "terms": terms,
                "totals": totals,
                "rates": one.rates,
                "seconds": round(one.seconds, 6),
            }
        )
        known = len(self.latest)
        self.latest.update({name: (loss, one.weights[name]) for name, loss in losses.items()})
        if len(self.latest) > known:
            self.latest = dict(sorted(self.latest.items(), key=lambda item: self._phase(item[0])))
        if one.iteration % EVENTS_EVERY == 0:
            scalars = {f"loss/{name}": loss for name, loss in losses.items()}
            scalars |= {f"weighted/{name}": loss * one.weights[name] for name, loss in losses.items()}
            scalars |= {f"total/{name}": total for name, total in totals.items()}
            scalars |= {f"rate/{name}": rate for name, rate in one.rates.items()}
            self._events.scalars(one.iteration, scalars)

    def _phase(self, term: str) -> int:
        """The place of a term's phase; `translate#2/l1` is of the second repeat of `translate`."""
        return self._order.get(term.partition("/")[0].partition("#")[0], len(self._order))
