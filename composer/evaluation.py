"""Values of a program outside of training: nothing is trained, and what running networks changes is taken back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from composer.clock import Clock
from composer.emit import emit_value
from composer.errors import ComposeError
from composer.nodes import Node, reachable

if TYPE_CHECKING:
    from composer.program import Program

Batch = Mapping[str, Tensor]


class Evaluator:
    """Samples, translations and whatever else looks at a program without changing it."""

    def __init__(self, program: Program) -> None:
        self.program = program

    def named(self, names: Sequence[str], batch: Batch, draws: Mapping[str, Any] | None, seed: Any) -> dict[str, Any]:
        """Named values (or columns of `show`) on a batch."""
        graph = self.program.graph
        columns = dict(graph.show)
        nodes = []
        for name in names:
            node = columns.get(name, graph.values.get(name))
            if node is None:
                raise ComposeError(f"unknown value '{name}'")
            nodes.append(node)
        return dict(zip(names, self.compute(nodes, batch, draws, seed), strict=True))

    def compute(
        self,
        nodes: list[Node],
        batch: Batch,
        draws: Mapping[str, Any] | None,
        seed: Any,
        mode: str = "",
        use_averages: bool = False,
    ) -> tuple[Any, ...]:
        """Values of nodes with everything put back afterwards: modes, buffers, states, the position of draws."""
        program = self.program
        code = emit_value(program.graph, nodes, program.drawing)
        if use_averages:
            code.networks = {v: (n, e, a or n in program.averages) for v, (n, e, a) in code.networks.items()}
        function = program.load(code, f"<{program.graph.name} values>")
        clock = Clock(max(0, program.iteration - 1), program.epoch_length)
        inputs = {n.target for n in reachable(nodes) if n.op == "input"}
        missing = sorted(inputs - set(batch))
        if missing:
            raise ComposeError(f"the batch has no '{missing[0]}'")
        called = {n.target for n in reachable(nodes) if n.op == "call"}
        with self.unchanged(called), self.in_mode(mode, called), torch.enable_grad():  # the lines switch it off
            program.draws.begin(("value", seed), draws)
            return tuple(function(program.moved(batch), {}, program.draw, program.keep_state, clock))

    @contextmanager
    def unchanged(self, called: set[str]) -> Iterator[None]:
        """Take back whatever running the networks `called` changes: their buffers, and states."""
        modules = [*self.versions(called), *self.program.states.values()]
        buffers = [(b, b.clone()) for m in modules for b in m.buffers()]
        try:
            yield
        finally:
            with torch.no_grad():
                for buffer, before in buffers:
                    buffer.copy_(before)

    @contextmanager
    def in_mode(self, mode: str, called: set[str]) -> Iterator[None]:
        """Put the networks `called` into `mode` for a while; frozen ones stay as they are, and all where it is ""."""
        networks = self.program.graph.networks
        modes = [(part, part.training) for m in self.versions(called) for part in m.modules()]
        for module in self.versions(n for n in called if mode and not networks[n].frozen):
            module.train(mode == "train")
        try:
            yield
        finally:
            for part, training in modes:
                part.training = training

    def versions(self, names: Iterable[str]) -> list[nn.Module]:
        """Networks, and their averages where they have one."""
        return [where[n] for n in names for where in (self.program.networks, self.program.averages) if n in where]
