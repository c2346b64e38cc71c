"""The law of gradients: every floating input and every weight gets one.

A gradient may vanish at one point (a ReLU that is off, a norm over two numbers), so several points and larger sizes
are tried, and what counts is the best: the largest gradient of an input or weight as a share of the largest of all.
A weight may also cancel for a reason of mathematics: the bias before a normalization that takes every shift away, the
scale of a map that is normalized. Then it changes what its own layer gives, a gradient arrives there, and only the
sum over positions vanishes. This is told apart from a weight that is cut off or multiplied away by both facts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from composer.testing.contracts.cases import WITHOUT_GRADIENT
from composer.testing.contracts.rows import ports_of
from composer.testing.contracts.trials import Broken, Trial, tensors
from composer.testing.contracts.weights import owners

FLOOR = 1e-6
# How many times as large as the smallest sizes; the last is above the multiples that contracts ask for, since a norm
# erases what came from a single pixel.
TRIES = (1, 2, 4, 1, 2, 1, 1, 2, 1, 1, 2, 4, 32)
MORE_TRIES = (1,) * 60  # of a function, which may be given a single number


def lets_gradients_through(found: Trial) -> None:
    """The gradient of every input and weight is above a floor at one of several points."""
    if found.case.edges:
        return  # a setting at its bound may switch off what comes before it: dropout of everything
    missing: dict[str, str] | None = None
    tries = TRIES if found.block.role == "module" else TRIES + MORE_TRIES
    for number, factor in enumerate(tries):
        one = found if number == 0 else found.larger(factor, f"again {number}")
        if one is None:
            continue
        try_ = _differentiate(one)
        if try_ is None:
            return
        problems = try_.problems()
        missing = problems if missing is None else {k: v for k, v in problems.items() if k in missing}
        if not missing:
            return
    assert missing is not None
    raise Broken("; ".join(f"{name} {problem}" for name, problem in missing.items()))


@dataclass
class Record:
    """What a layer was given and gave in one call."""

    inputs: tuple[Any, ...]
    outputs: list[Tensor]
    arrived: bool = False  # a gradient above the floor


@dataclass
class Try:
    """The gradients at one point."""

    module: nn.Module | None
    gradients: dict[str, Tensor | None]
    records: dict[int, list[Record]] = field(default_factory=dict)

    def problems(self) -> dict[str, str]:
        """What has no gradient, and how little it is."""
        known = [float(g.abs().max()) for g in self.gradients.values() if g is not None and g.numel()]
        largest = max(known, default=0.0)
        found: dict[str, str] = {}
        parts = owners(self.module) if self.module is not None else {}
        for name, gradient in self.gradients.items():
            if gradient is None:
                found[name] = "has no gradient: it is not used, or cut off"
                continue
            if not gradient.numel() or float(gradient.abs().max()) >= FLOOR * largest > 0:
                continue
            if name in parts and self.cancels(name, parts[name]):
                continue
            size = float(gradient.abs().max()) / largest if largest else 0.0
            found[name] = f"has a gradient {size:.1e} times the largest"
        reached = {_input(name) for name in self.gradients if name not in found}
        return {name: problem for name, problem in found.items() if _input(name) not in reached}

    def cancels(self, name: str, owner: nn.Module) -> bool:
        """Whether the weight changes what its layer gives, and gradients arrive there."""
        weight = dict(owner.named_parameters(recurse=False))[name.rpartition(".")[2]]
        for record in self.records.get(id(owner), []):
            if not record.arrived:
                continue
            with torch.no_grad():
                before = weight.clone()
                weight.add_(torch.linspace(0.5, 1.5, weight.numel(), dtype=weight.dtype).view(weight.shape))
                changed = [t.detach() for t in tensors(owner(*record.inputs))]
                weight.copy_(before)
            for old, new in zip(record.outputs, changed, strict=True):
                if float((old.detach() - new).abs().max()) > FLOOR * (1 + float(old.detach().abs().max())):
                    return True
        return False


def _input(name: str) -> str:
    """The input that an item of a list belongs to: of a list not every item need count (features, but not scores)."""
    return name.partition(", item")[0]


def _differentiate(found: Trial) -> Try | None:
    """Gradients of a random combination of the outputs; None where there is nothing to differentiate."""
    values, module = found.arguments(), found.module()
    leaves: dict[str, Tensor] = {}
    for number, (value, port) in enumerate(zip(values, ports_of(found, values), strict=True)):
        for place, one in enumerate(tensors(value)):
            if one.is_floating_point() and port.kind not in WITHOUT_GRADIENT:
                leaves[f"input {number} ({port}), item {place}"] = one.requires_grad_()
    records: dict[int, list[Record]] = {}
    handles = []
    if module is not None:
        leaves |= {name: p for name, p in module.named_parameters() if p.requires_grad}
        for part in module.modules():
            if any(True for _ in part.parameters(recurse=False)):
                handles.append(part.register_forward_hook(_remember(records)))
    out = [t for t in tensors(found.run(values, module)) if t.is_floating_point()]
    for handle in handles:
        handle.remove()
    if not leaves or not out:
        return None
    generator = found.case.generator("cotangent", found.scale)
    total: Any = sum((t * torch.randn(t.shape, generator=generator, dtype=t.dtype)).sum() for t in out)
    if not total.requires_grad:
        return Try(module, dict.fromkeys(leaves))
    inner = [(r, t) for group in records.values() for r in group for t in r.outputs if t.requires_grad]
    wanted = [*leaves.values(), *(t for _, t in inner)]
    gradients = torch.autograd.grad(total, wanted, allow_unused=True)
    own, arrived = gradients[: len(leaves)], gradients[len(leaves) :]
    result = Try(module, dict(zip(leaves, own, strict=True)), records)
    largest = max((float(g.abs().max()) for g in own if g is not None and g.numel()), default=0.0)
    for (record, _), gradient in zip(inner, arrived, strict=True):
        record.arrived |= gradient is not None and float(gradient.abs().max()) >= FLOOR * largest
    return result


def _remember(records: dict[int, list[Record]]) -> Any:
    def hook(part: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        records.setdefault(id(part), []).append(Record(inputs, list(tensors(output))))

    return hook
