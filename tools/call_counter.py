"""Counts what training code does with its networks, by hooks, while the code really runs.

It knows nothing of graphs and plans: it sees modules being called and nodes of autograd being executed. So it counts
the emitted steps of a program and a loop written by hand alike, on the CPU, a GPU or the meta device.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import module as hooks
from torch.optim.optimizer import register_optimizer_step_pre_hook
from torch.utils._pytree import tree_leaves

from composer.wired import Entry

DEEP = 4  # nodes between the derivative of a layer and its weight: transpositions, copies


@dataclass
class Work:
    """What was done with one network. Numbers of calls, but for `rows`; floats, for they may be means.

    `calls` = `no_graph` + `unused` + those that a backward pass went through, each once in `weights` or `inputs`
    (more often where several backward passes go through one call).
    """

    calls: float = 0
    rows: float = 0  # of the first tensor that the network is given: pictures, or rows of codes
    no_graph: float = 0  # computed without a graph: nothing is kept for a backward pass
    unused: float = 0  # a graph was built and kept, and no backward pass went through it
    weights: float = 0  # a backward pass computed gradients of the network's weights in this call
    inputs: float = 0  # a backward pass went through to what the network was given, and left its weights out
    slopes: float = 0  # derivatives that are differentiated once more: penalties of gradients
    thrown: float = 0  # of `weights`: cleared before any optimizer stepped with them

    def __add__(self, other: Work) -> Work:
        return Work(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def __mul__(self, factor: float) -> Work:
        return Work(*(getattr(self, f.name) * factor for f in fields(self)))


@dataclass
class Call:
    """One call of a network and the backward passes through it."""

    name: str
    rows: int
    graph: bool
    passes: dict[int, set[str]] = field(default_factory=dict)  # backward pass -> any of "weights", "slope", "stepped"


class CallCounter:
    """Made by `counting`. `calls` in order; `work()` sums them by network."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._names: dict[int, str] = {}
        self._owners: dict[int, str] = {}  # parameter -> network
        self._parameters: dict[str, list[Tensor]] = {}
        self._inside = 0
        self._pending: dict[str, set[tuple[int, int]]] = {}  # network -> (number of a call, backward pass)
        self._looked: dict[str, int] = {}  # network -> the backward pass in which its gradients were last looked at
        self._modules: list[nn.Module] = []  # kept, so that no other module gets the identity of one of them

    def add(self, networks: Mapping[str, nn.Module]) -> None:
        """Count these from now on. A module in another one of them counts only where it is called by itself."""
        for name, network in networks.items():
            self._modules.append(network)
            self._names[id(network)] = name
            self._parameters[name] = list(network.parameters())
            self._owners.update({id(p): name for p in self._parameters[name]})

    def work(self) -> dict[str, Work]:
        """By network; calls of another entry point `features` of a network G are those of `G.features`."""
        found: dict[str, Work] = {}
        for call in self.calls:
            one = Work(calls=1, rows=call.rows)
            one.no_graph, one.unused = not call.graph, call.graph and not call.passes
            for kinds in call.passes.values():
                one.weights += "weights" in kinds
                one.slopes += "slope" in kinds
                one.inputs += not kinds & {"weights", "slope"}
                one.thrown += "weights" in kinds and "stepped" not in kinds
            found[call.name] = found.get(call.name, Work()) + one
        return found

    # -- what the hooks see -----------------------------------------------------------------------------------------

    def _network(self, module: nn.Module) -> str | None:
        if isinstance(module, Entry):
            name = self._names.get(id(module.network))
            return name and f"{name}.{module.entry}"
        return self._names.get(id(module))

    def before(self, module: nn.Module, given: Any) -> None:
        self._inside += self._network(module) is not None

    def after(self, module: nn.Module, given: Any, made: Any) -> None:
        name = self._network(module)
        if name is None:
            return
        self._inside -= 1
        if self._inside:  # part of another network's call
            return
        inputs = [one for one in tree_leaves(given) if isinstance(one, Tensor)]
        outputs = [one for one in tree_leaves(made) if isinstance(one, Tensor)]
        call = Call(name, inputs[0].shape[0] if inputs else 0, any(one.requires_grad for one in outputs))
        self.calls.append(call)
        number, ends = len(self.calls) - 1, {one.grad_fn for one in inputs}
        for node in {one.grad_fn for one in outputs if one.grad_fn is not None} - ends:
            node.register_hook(lambda *_, call=call: self._passed(call))
            self._watch(number, node, ends)

    def _passed(self, call: Call) -> None:
        kinds = call.passes.setdefault(torch._C._current_graph_task_id(), set())
        if torch.is_grad_enabled():  # the derivative itself gets a graph
            kinds.add("slope")

    def _watch(self, number: int, start: Any, ends: set[Any], most: int | None = None) -> None:
        """Hook every node from `start` on to `ends` that hands a gradient to a weight."""
        seen, waiting = {start, *ends}, [(start, 0)]
        while waiting:
            node, depth = waiting.pop()
            owned = []
            for position, (after, _) in enumerate(node.next_functions):
                weight = getattr(after, "variable", None)
                if weight is not None and id(weight) in self._owners:
                    owned.append((position, self._owners[id(weight)]))
                elif after is not None and after not in seen and (most is None or depth < most):
                    seen.add(after)
                    waiting.append((after, depth + 1))
            if owned:
                node.register_hook(lambda made, given, owned=owned: self._derived(number, owned, made, given))

    def _derived(self, number: int, owned: list[tuple[int, str]], made: Any, given: Any) -> None:
        """A node was executed: gradients `made` of what went into it from those `given` of what came out."""
        call = self.calls[number]
        task = torch._C._current_graph_task_id()
        for position, network in owned:
            if made[position] is None:
                continue
            self._passed(call)
            call.passes[task].add("weights")
            if self._looked.get(network) != task:
                self._looked[network] = task
                if all(p.grad is None for p in self._parameters[network]):  # earlier ones were cleared before a step
                    self._pending.pop(network, None)
            self._pending.setdefault(network, set()).add((number, task))
        if torch.is_grad_enabled():
            ends = {one.grad_fn for one in given if one is not None}
            for node in {one.grad_fn for one in made if one is not None and one.grad_fn is not None} - ends:
                self._watch(number, node, ends, DEEP)

    def stepping(self, optimizer: Any, *_: Any) -> None:
        """An optimizer is about to step: what it has gradients of is used."""
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    for number, task in self._pending.pop(self._owners.get(id(parameter), ""), ()):
                        self.calls[number].passes[task].add("stepped")


@contextmanager
def counting(networks: Mapping[str, nn.Module]) -> Iterator[CallCounter]:
    """Count calls of these networks inside the `with`."""
    counter = CallCounter()
    counter.add(networks)
    handles = [
        hooks.register_module_forward_pre_hook(counter.before),
        hooks.register_module_forward_hook(counter.after),
        register_optimizer_step_pre_hook(counter.stepping),
    ]
    try:
        yield counter
    finally:
        for handle in handles:
            handle.remove()
