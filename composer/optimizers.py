"""Optimizer groups: one torch optimizer each, rates set from the clock, gradients clipped, weights averaged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from composer.clock import Clock, iteration_of
from composer.nodes import Average, Group
from composer.rmsprop import RootedRMSprop

KINDS: dict[str, type[torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": torch.optim.SGD,
    "rmsprop": torch.optim.RMSprop,
    "adagrad": torch.optim.Adagrad,
    "rmsprop_tf": RootedRMSprop,
}


def parameter_groups(group: Group, modules: Sequence[nn.Module]) -> list[dict[str, Any]]:
    """The parameters of networks as torch's optimizers take them: first what is in no part, then a group a part.

    Settings that are functions of the clock are left out, see `Optimizers.set_rates`.
    """
    found: list[dict[str, Any]] = [{"params": [], "part": ""}]
    taken: set[int] = set()
    for part, own in group.parts.items():
        chosen = [p for module in modules for p in module.part(part) if p.requires_grad]  # type: ignore[operator]
        taken |= {id(p) for p in chosen}
        plain = {k: v for k, v in own.items() if not isinstance(v, str) and k != "restart"}
        found.append({"params": chosen, "part": part, **plain})
    found[0]["params"] = [p for m in modules for p in m.parameters() if p.requires_grad and id(p) not in taken]
    return found


class Optimizers:
    """The optimizers of a program, one for each group."""

    def __init__(self, groups: Sequence[Group], networks: Mapping[str, nn.Module]) -> None:
        self.groups = groups
        self.networks = networks
        self.of_network = {name: group for group in groups for name in group.networks}
        self.optimizers: dict[str, torch.optim.Optimizer] = {}
        self.names: dict[str, list[tuple[str, Tensor]]] = {}
        self.rates = [(g, compile(g.rate, f"<rate of {g.name}>", "eval")) for g in groups]
        for group in groups:
            self.make(group)

    def make(self, group: Group) -> None:
        """A new optimizer for a group, without state."""
        named: list[tuple[str, Tensor]] = [
            (f"{name}/{key}", p)
            for name in group.networks
            for key, p in self.networks[name].named_parameters()
            if p.requires_grad
        ]
        self.names[group.name] = named
        settings = dict(group.settings)
        if "betas" in settings:
            settings["betas"] = tuple(float(b) for b in settings["betas"])
        if not named:
            return
        modules = [self.networks[name] for name in group.networks]
        self.optimizers[group.name] = KINDS[group.kind](parameter_groups(group, modules), **settings)

    def set_rates(self, clock: Clock, scope: Mapping[str, Any]) -> dict[str, float]:
        """Learning rates of this iteration, by group; a group whose state starts anew gets a new optimizer."""
        found: dict[str, float] = {}
        names = {**scope, "clock": clock}
        for group, code in self.rates:
            if iteration_of(group.restart, clock) == clock.iteration > 0:
                self.make(group)
            optimizer = self.optimizers.get(group.name)
            if optimizer is None:
                continue
            factor = float(eval(code, {"__builtins__": {}}, names))  # our own text, made from a checked tree
            for piece in optimizer.param_groups:
                own = group.parts.get(piece["part"], {})
                base = own.get("lr", group.settings["lr"])
                if isinstance(base, str):
                    base = float(eval(base, {"__builtins__": {}}, names))
                piece["lr"] = base * factor
                if iteration_of(own.get("restart", -1), clock) == clock.iteration > 0:
                    for parameter in piece["params"]:
                        optimizer.state.pop(parameter, None)
            found[group.name] = float(group.settings["lr"]) * factor
        return found

    def step(self, updated: Iterable[str]) -> None:
        """Clip, step and clear the gradients of `updated` networks; parameters without a gradient stay."""
        chosen = list(updated)
        groups = list(dict.fromkeys(self.of_network[n].name for n in chosen if n in self.of_network))
        by_name = {g.name: g for g in self.groups}
        for name in groups:
            group, optimizer = by_name[name], self.optimizers.get(name)
            if optimizer is None:
                continue
            if group.clip_norm or group.clip_value:
                parameters = [p for _, p in self.names[name] if p.grad is not None]
                if group.clip_norm and parameters:
                    torch.nn.utils.clip_grad_norm_(parameters, group.clip_norm)
                if group.clip_value and parameters:
                    torch.nn.utils.clip_grad_value_(parameters, group.clip_value)
            stepped = self.reached(group) if group.clip_weights else []
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            if group.clip_weights:
                with torch.no_grad():
                    for network in stepped:
                        for p in self.networks[network].parameters():
                            p.clamp_(-group.clip_weights, group.clip_weights)

    def reached(self, group: Group) -> list[str]:
        """The networks of a group that have a gradient."""
        return [n for n in group.networks if any(p.grad is not None for p in self.networks[n].parameters())]

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors and plain numbers of every parameter's state, by `GROUP/NETWORK/PARAMETER/KEY`."""
        tensors: dict[str, Tensor] = {}
        plain: dict[str, Any] = {}
        for group, optimizer in self.optimizers.items():
            for name, parameter in self.names[group]:
                for key, value in optimizer.state.get(parameter, {}).items():
                    full = f"{group}/{name}/{key}"
                    if isinstance(value, Tensor):
                        tensors[full] = value
                    elif value is not None:
                        plain[full] = value
        return tensors, plain

    def load(self, tensors: Mapping[str, Tensor], plain: Mapping[str, Any]) -> None:
        """Put back what `state` gave."""
        for group, optimizer in self.optimizers.items():
            optimizer.state.clear()
            for name, parameter in self.names[group]:
                prefix = f"{group}/{name}/"
                found: dict[str, Any] = {}
                for key, value in tensors.items():
                    if key.startswith(prefix) and "/" not in key[len(prefix) :]:
                        device = value.device if key.endswith("/step") else parameter.device
                        found[key[len(prefix) :]] = value.clone().to(device)
                for key, number in plain.items():
                    if key.startswith(prefix):
                        found[key[len(prefix) :]] = number
                if found:
                    optimizer.state[parameter] = found


class Averages:
    """Moving averages of networks, moved once after the phases of an iteration."""

    def __init__(
        self, averages: Mapping[str, Average], networks: Mapping[str, nn.Module], copies: Mapping[str, nn.Module]
    ):
        self.averages, self.networks, self.copies = averages, networks, copies

    @torch.no_grad()
    def move(self, iteration: int, epoch_length: int) -> None:
        for name, average in self.averages.items():
            own, copy = self.networks[name], self.copies[name]
            if iteration < average.start:
                continue
            if average.start and iteration == average.start:
                copy.load_state_dict(own.state_dict())
                continue
            targets: list[Tensor] = list(copy.parameters())
            if targets:
                torch._foreach_lerp_(targets, [p.detach() for p in own.parameters()], 1 - average.decay)
            whole_epoch = (iteration + 1) % epoch_length == 0
            if average.buffers == "copy" or (average.buffers == "epoch" and whole_epoch):
                for mine, theirs in zip(copy.buffers(), own.buffers(), strict=True):
                    mine.copy_(theirs)
