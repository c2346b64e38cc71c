"""What the interpreter does with gradients: optimizers, one for each network, and averages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from composer.clock import NUMBERS, Clock
from composer.nodes import Graph, Group
from composer.optimizers import KINDS, parameter_groups


class Stepper:
    """Optimizers and averages of a training run."""

    def __init__(self, graph: Graph, networks: Mapping[str, nn.Module], averages: Mapping[str, nn.Module]) -> None:
        self.graph, self.networks, self.averages = graph, networks, averages
        self.group_of: dict[str, Group] = {n: g for g in graph.groups for n in g.networks}
        self.optimizers: dict[str, torch.optim.Optimizer] = {}
        for name in self.group_of:
            self.renew(name)

    def renew(self, name: str) -> None:
        """Rule 7: a network has an optimizer state of its own, which starts empty."""
        group = self.group_of[name]
        pieces = parameter_groups(group, [self.networks[name]])
        if any(piece["params"] for piece in pieces):
            settings: dict[str, Any] = dict(group.settings)
            if "betas" in settings:
                settings["betas"] = tuple(float(b) for b in settings["betas"])
            self.optimizers[name] = KINDS[group.kind](pieces, **settings)

    def begin(self, clock: Clock) -> None:
        """Rates of this iteration, a function of the clock; groups and parts that start anew."""

        def number(rule: Any) -> float:
            scope = {"__builtins__": {}, **NUMBERS}
            return float(eval(rule, scope, {"clock": clock}) if isinstance(rule, str) else rule)

        for name, group in self.group_of.items():
            if clock.iteration > 0 and number(group.restart) == clock.iteration:
                self.renew(name)
            for piece in self.optimizers[name].param_groups if name in self.optimizers else ():
                own = group.parts.get(piece["part"], {})
                piece["lr"] = number(own.get("lr", group.settings["lr"])) * number(group.rate)
                if clock.iteration > 0 and number(own.get("restart", -1)) == clock.iteration:
                    for parameter in piece["params"]:
                        self.optimizers[name].state.pop(parameter, None)

    def step(self, gradients: Mapping[tuple[str, str], Tensor]) -> None:
        """Clip over each group, step; parameters without a gradient stay."""
        stepped = frozenset(network for network, _ in gradients)
        for group in self.graph.groups:
            own = {k: v for k, v in gradients.items() if k[0] in group.networks}
            if own and group.clip_norm:
                length = torch.stack([v.square().sum() for v in own.values()]).sum().sqrt()
                share = min(1.0, group.clip_norm / (float(length) + 1e-6))
                own = {k: v * share for k, v in own.items()}
            if group.clip_value:
                own = {k: v.clamp(-group.clip_value, group.clip_value) for k, v in own.items()}
            for name in group.networks:
                if name in stepped:
                    for key, parameter in self.networks[name].named_parameters():
                        parameter.grad = own.get((name, key))
                    self.optimizers[name].step()
                    self.optimizers[name].zero_grad()
                if name in stepped and group.clip_weights:
                    with torch.no_grad():
                        for parameter in self.networks[name].parameters():
                            parameter.clamp_(-group.clip_weights, group.clip_weights)

    @torch.no_grad()
    def move_averages(self, clock: Clock) -> None:
        """Rule 7: once, after the phases. Before `from` nothing moves; there the average becomes a copy."""
        for name, average in self.graph.averages.items():
            own, copy = self.networks[name], self.averages[name]
            if clock.iteration < average.start:
                continue
            if clock.iteration == average.start > 0:
                copy.load_state_dict(own.state_dict())
                continue
            for mine, theirs in zip(copy.parameters(), own.parameters(), strict=True):
                mine.copy_(average.decay * mine + (1 - average.decay) * theirs)
            ended = (clock.iteration + 1) % clock.epoch_length == 0
            if average.buffers == "copy" or (average.buffers == "epoch" and ended):
                for kept, moved in zip(copy.buffers(), own.buffers(), strict=True):
                    kept.copy_(moved)

    def state(self) -> dict[str, Tensor]:
        """Tensors of the optimizers, under the names of `Program.state`."""
        found: dict[str, Tensor] = {}
        for name, optimizer in self.optimizers.items():
            for key, parameter in self.networks[name].named_parameters():
                kept: dict[str, Any] = optimizer.state.get(parameter, {})
                for word, value in kept.items():
                    if isinstance(value, Tensor):
                        found[f"optimizers/{self.group_of[name].name}/{name}/{key}/{word}"] = value.detach().clone()
        return found
