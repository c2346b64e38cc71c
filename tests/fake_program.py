"""A stand-in for a compiled program, until the compiler is there: one linear network, Adam, noise by iteration."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import torch

from composer.run_data import RunData


@dataclass
class Term:
    loss: torch.Tensor
    weight: float


@dataclass
class FakeProgram:
    seed: int = 0
    explode_at: int = -1
    epoch_length: int = 4
    iteration: int = 0
    show: tuple[str, ...] = ("a", "fake")
    graph: Any = field(default_factory=lambda: SimpleNamespace(name="fake", block_files=()))
    training: Any = field(default_factory=lambda: SimpleNamespace(epochs=5, iterations=None, batch=2))

    def __post_init__(self):
        self.net = torch.nn.Conv2d(3, 3, 1)
        with torch.no_grad():
            for i, p in enumerate(self.net.parameters()):
                p.copy_(torch.randn(p.shape, generator=torch.Generator().manual_seed(self.seed + i)))
        self.adam = torch.optim.Adam(self.net.parameters(), 1e-2)

    def batches(self, iteration):
        return 2 if iteration % 3 == 2 else 1

    def step(self, batch, draws=None):
        parts = batch if isinstance(batch, list) else [batch]
        assert len(parts) == self.batches(self.iteration)
        noise = torch.Generator().manual_seed(self.seed * 1000 + self.iteration)
        self.adam.zero_grad()
        loss = sum(
            (self.net(p["a"] + 0.1 * torch.randn(p["a"].shape, generator=noise)) - p["b"]).abs().mean() for p in parts
        )
        if self.iteration == self.explode_at:
            loss = loss * float("nan")
        (10 * loss).backward()
        self.adam.step()
        self.iteration += 1
        return SimpleNamespace(
            terms={"translate/l1": Term(loss, 10.0)}, totals={"translate": 10 * loss}, rates={"default": 1e-2}
        )

    def evaluate(self, names, batch, draws=None, seed=0):
        with torch.no_grad():
            values = {**batch, "fake": self.net(batch["a"])}
        return {name: values[name] for name in names}

    def state(self):
        tensors = {f"net.{k}": v for k, v in self.net.state_dict().items()}
        for i, s in self.adam.state_dict()["state"].items():
            tensors |= {f"adam.{i}.{k}": v for k, v in s.items()}
        return {k: v.detach().clone() for k, v in tensors.items()}, {"iteration": self.iteration}

    def load_state(self, tensors, meta):
        self.iteration = meta["iteration"]
        self.net.load_state_dict({k[4:]: v for k, v in tensors.items() if k.startswith("net.")})
        state = {}
        for name, value in tensors.items():
            if name.startswith("adam."):
                _, i, k = name.split(".")
                state.setdefault(int(i), {})[k] = value
        self.adam.load_state_dict({"state": state, "param_groups": self.adam.state_dict()["param_groups"]})

    def resolved_yaml(self, blocks=()):
        return f"composer: 1\nname: fake\nseed: {self.seed}\n"

    def printed(self, stage):
        return "phase translate\n"


class FakeLoader:
    """Batches of 2 rows that are a function of their number."""

    epoch_length = 4
    waited = 0.0

    def batches(self, start):
        number = start
        while True:
            generator = torch.Generator().manual_seed(number)
            a = torch.rand(2, 3, 8, 8, generator=generator) * 2 - 1
            yield {"a": a, "b": -a}
            number += 1


def fake_data(settings, program):
    first = next(FakeLoader().batches(0))
    return RunData("made up", [], "made up", FakeLoader(), 4, [first], lambda program: ["score 1"])
