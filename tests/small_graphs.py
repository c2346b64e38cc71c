"""Small graphs for tests of the plan, and a recorder of what a training step really does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

import composer
from composer.program import Program

SAME = '{chain: ["conv(2, kernel=3, norm=%s, activation=%s)", "conv(3, kernel=3)"]}'
NETWORKS = {name: SAME % ("'batch'", "'tanh'") for name in ("G", "H", "E", "D")}
BEGINNING = """\
composer: 1
name: small
params: {size: 8}
inputs:
  pair:
    a: image(3, size, size)
    b: image(3, size, size)
"""
ENDING = """\
optimizers:
  default: {sgd: {lr: 0.1}}
training: {iterations: 10, batch: 2}
"""


def text_of(values: Mapping[str, str], phases: str, more: str = "", networks: Mapping[str, str] | None = None) -> str:
    """A graph on pairs a, b with tiny networks G, H, E, D (batch normalization; image to image)."""
    lines = [BEGINNING, "networks:"]
    lines += [f"  {name}: {body}" for name, body in (NETWORKS | dict(networks or {})).items()]
    lines += ["values:", *(f"  {name}: {text}" for name, text in values.items())] if values else []
    return "\n".join([*lines, "phases:", phases, more, ENDING if "optimizers:" not in more else TRAINING])


TRAINING = "training: {iterations: 10, batch: 2}\n"


def small(
    values: Mapping[str, str], phases: str, more: str = "", networks: Mapping[str, str] | None = None, **how: Any
) -> Program:
    """The program of such a graph, in float64."""
    return composer.compile("small", text=text_of(values, phases, more, networks), dtype=torch.float64, **how)


def batch(seed: int = 0, rows: int = 2) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.rand(rows, 3, 8, 8, generator=generator, dtype=torch.float64) * 2 - 1 for name in "ab"}


@dataclass
class Work:
    """What a step did: calls of networks in order, which of them built a graph, whose weights got gradients."""

    calls: list[str] = field(default_factory=list)
    with_graph: list[str] = field(default_factory=list)
    weight_gradients: list[str] = field(default_factory=list)  # one entry for each convolution in a backward pass

    def count(self, name: str) -> int:
        return self.calls.count(name)


class _Convolutions(TorchDispatchMode):
    """Sees every backward of a convolution and whether it computes the gradient of the weight."""

    def __init__(self, work: Work, owners: Mapping[int, str]) -> None:
        super().__init__()
        self.work, self.owners = work, owners

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function is torch.ops.aten.convolution_backward.default and args[-1][1]:
            weight = args[2].untyped_storage().data_ptr()
            self.work.weight_gradients.append(self.owners.get(weight, "a copy"))
        return function(*args, **(kwargs or {}))


@contextmanager
def watched(program: Program) -> Iterator[Work]:
    """Record what steps do inside the `with`."""
    work = Work()
    hooks = []
    owners = {}
    for name, network in program.networks.items():
        owners |= {p.untyped_storage().data_ptr(): name for p in network.parameters()}

        def note(module: Any, inputs: Any, output: Any, name: str = name) -> None:
            first = output[0] if isinstance(output, (list, tuple)) else output
            work.calls.append(name)
            work.with_graph += [name] if first.requires_grad else []

        hooks.append(network.register_forward_hook(note))
    try:
        with _Convolutions(work, owners):
            yield work
    finally:
        for hook in hooks:
            hook.remove()


def work_of(program: Program, *batches: dict[str, Tensor]) -> Work:
    """What one step does."""
    with watched(program) as work:
        program.step(list(batches) or batch())
    return work
