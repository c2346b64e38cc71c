"""Passes at run time: over batches, without gradients; what they gather is state of the program."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from composer.block import look_up
from composer.clock import Clock
from composer.emit import emit_value
from composer.errors import ComposeError, nearest
from composer.nodes import Pass, Translation, reachable

if TYPE_CHECKING:
    from composer.program import Program
    from composer.shapes import Shaped


def build_collectors(shaped: Shaped, device: torch.device, dtype: torch.dtype) -> dict[str, nn.Module]:
    """A module for every collected value, by its name; what it gathered is its buffer `value`."""
    found: dict[str, nn.Module] = {}
    for one in shaped.graph.passes.values():
        for name, node in one.collect.items():
            block = look_up(node.target)
            sizes = [shaped.bound[name].axes[a] for a in block.axes]
            found[name] = block.load()(*sizes, **dict(node.settings)).to(device=device, dtype=dtype)
    return found


class Passes:
    """The passes of a program: which are due, and running them."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.passes: Mapping[str, Pass] = program.graph.passes
        self.done: set[str] = set()

    def due(self, ended: bool = False) -> tuple[Pass, ...]:
        """The passes to run before the next iteration, and when training has `ended` those that come then."""
        iteration = self.program.iteration
        return tuple(
            one
            for one in self.passes.values()
            if one.name not in self.done and (ended if one.at == "end" else one.first_iteration <= iteration)
        )

    def check(self, fed: frozenset[str] = frozenset()) -> None:
        """Raise a `ComposeError` when the next iteration needs a pass that was not run, unless its values are fed."""
        for one in self.due():
            if not one.fill and set(one.collect) <= fed:
                continue
            raise ComposeError(
                f"iteration {self.program.iteration} needs the pass '{one.name}' first",
                one.place,
                f"program.run_pass('{one.name}', batches of {', '.join(one.streams)})",
            )

    def check_collected(self, translation: Translation, fed: Collection[str] = ()) -> None:
        """Raise a `ComposeError` when a translation needs what no pass has gathered yet, and nobody has `fed`."""
        needed = {n.target for n in reachable([translation.node]) if n.op == "collected"} - set(fed)
        for one in self.passes.values():
            if needed & set(one.collect) and one.name not in self.done:
                raise ComposeError(
                    f"translation '{translation.name}' needs the pass '{one.name}' (at {one.at}), which was not run",
                    translation.place,
                    "train on until it was run",
                )

    def stepped(self) -> None:
        """Weights moved: what was gathered at an end that was none is gathered anew at the next one."""
        self.done -= {one.name for one in self.passes.values() if one.at == "end"}

    def run(self, name: str, batches: Iterable[Mapping[str, Tensor]], draws: Mapping[str, Any] | None = None) -> int:
        """Run a pass over `batches`; gives how many there were. See `Program.run_pass`."""
        program = self.program
        if name not in self.passes:
            raise ComposeError(f"no pass '{name}'", remedy=nearest(name, self.passes))
        one = self.passes[name]
        nodes = list(one.roots)
        function = program.load(emit_value(program.graph, nodes, program.drawing), f"<{program.graph.name} {name}>")
        inputs = {n.target for n in reachable(nodes) if n.op == "input"}
        called = {n.target for n in reachable(nodes) if n.op == "call"}
        collectors = [program.collectors[n] for n in one.collect]
        for collector in collectors:
            collector.begin()  # type: ignore[operator]
        count = 0
        # What comes after training leaves the networks as they are: a run that goes on later is the same without it.
        kept = program.evaluator.unchanged(called) if one.at == "end" else nullcontext()
        with kept, program.evaluator.in_mode(one.mode, called), torch.enable_grad():
            for batch in batches:
                missing = sorted(inputs - set(batch))
                if missing:
                    raise ComposeError(f"pass '{name}' needs '{missing[0]}'", remedy=f"it has {', '.join(batch)}")
                program.draws.begin(("pass", name, count), draws)
                program.clock = None
                function(program.moved(batch), {}, program.draw, program.keep_state, self._clock())
                count += 1
            if not count:
                raise ComposeError(f"pass '{name}' was given no batches")
            with torch.no_grad():
                for collector in collectors:
                    collector.finish()  # type: ignore[operator]
        self.done.add(name)
        return count

    def _clock(self) -> Clock:
        return Clock(self.program.iteration, self.program.epoch_length)
