"""A second meaning of a graph: one iteration at a time, slowly, straight from the rules of docs/language.md.

The compiler decides beforehand what is computed, kept and differentiated. Nothing is decided beforehand here. A value
is computed when something asks for it; every value keeps its whole graph; every call of a network gets fresh copies of
its weights, so that a gradient is always the one at the weights the call saw, and stepping disturbs nothing. The two
must agree to rounding, in everything that training changes. Comments give the numbers of the rules of the section
"what an iteration means".

It shares with `composer.program` what is no decision of the plan: the modules that were built, the blocks, the names
under which random numbers are drawn, and PyTorch's optimizers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from composer.clock import Clock
from composer.errors import ComposeError
from composer.nodes import Node, Pass, Phase
from composer.nodes import Term as TermNode
from composer.program import Program, Term
from composer.testing.compare import Batch, Trace
from composer.testing.meaning import Machine
from composer.testing.stepping import Stepper


@dataclass(frozen=True)
class Outcome:
    """What the interpreter did.

    `terms` and `totals` have one entry for each iteration, under the names of `composer.program.StepResult`; `tensors`
    is everything that training changed, under the names of `Program.state`. `calls` counts the calls of each network.
    """

    terms: tuple[dict[str, Term], ...]
    totals: tuple[dict[str, Tensor], ...]
    tensors: dict[str, Tensor]
    calls: dict[str, int]

    def trace(self) -> Trace:
        """All of it under the names that `composer.testing.compare.train` gives."""
        found: Trace = {}
        for number, (terms, totals) in enumerate(zip(self.terms, self.totals, strict=True)):
            for name, term in terms.items():
                found[f"terms/{number}/{name}"] = term.loss
                found[f"weights/{number}/{name}"] = torch.as_tensor(term.weight, dtype=torch.float64).cpu()
            found |= {f"totals/{number}/{name}": total for name, total in totals.items()}
        return found | self.tensors


@dataclass(eq=False)
class Result:
    """One evaluation of a node: what came out, from which evaluations, in which run of the iteration."""

    node: Node
    value: Any
    run: int
    args: tuple[Result, ...]
    weights: dict[str, Tensor] = field(default_factory=dict)  # of a call: the copies of the parameters it was made with
    fed: bool = False  # a backward pass went through it


def interpret(
    program: Program, batches: Sequence[Batch | Sequence[Batch]], passes: Mapping[str, Sequence[Batch]] | None = None
) -> Outcome:
    """Train a copy of a new program on `batches`, one entry an iteration (a list where an iteration takes several).

    `passes`: what each pass reads that the program has not run yet. The program itself is left alone. Raises a
    `ComposeError` when it was trained already.
    """
    if program.iteration != 0:
        raise ComposeError("the interpreter starts where training starts", remedy="compile the graph anew")
    interpreter = Interpreter(program)
    waiting = dict(passes or {})
    done = []
    for entry in batches:
        for one in interpreter.graph.passes.values():
            if one.name in waiting and one.at != "end" and one.first_iteration <= interpreter.iteration:
                interpreter.sweep(one, waiting.pop(one.name))
        done.append(interpreter.iterate([entry] if isinstance(entry, Mapping) else list(entry)))
    for name, read in waiting.items():
        one = interpreter.graph.passes[name]
        if one.at == "end" or one.first_iteration <= interpreter.iteration:
            interpreter.sweep(one, read)
    terms, totals = tuple(d[0] for d in done), tuple(d[1] for d in done)
    return Outcome(terms, totals, interpreter.state() | interpreter.stepper.state(), dict(interpreter.calls))


class Interpreter(Machine):
    """The state of a training run, and what one iteration makes of it."""

    def __init__(self, program: Program) -> None:
        super().__init__(program)
        self.stepper = Stepper(self.graph, self.networks, self.averages)
        # What was found out about nodes; it does not change.
        self.leading: dict[tuple[Node, frozenset[str]], bool] = {}
        self.depending: dict[Node, frozenset[str]] = {}

    # -- an iteration -------------------------------------------------------------------------------------------

    def iterate(self, batches: list[Batch]) -> tuple[dict[str, Term], dict[str, Tensor]]:
        """Run every phase whose turn it is, in order (rule 1), and move the averages once (rule 7)."""
        self.clock = Clock(self.iteration, self.epoch_length)
        self.draws.begin(self.iteration, None)
        self.stepper.begin(self.clock)
        self.results: dict[Node, Result] = {}
        self.made: list[Result] = []  # every call of this iteration, also those whose result is not valid any more
        self.run = 0
        self.batch = batches.pop(0)
        terms: dict[str, Term] = {}
        totals: dict[str, Tensor] = {}
        for phase in self.graph.phases:
            if phase.when and not self.number(phase.when):
                continue
            for repeat in range(phase.repeat):
                name = phase.name if phase.repeat == 1 else f"{phase.name}#{repeat + 1}"
                if repeat and phase.batch == "new":
                    self.batch = batches.pop(0)
                    self.forget(self.from_inputs)
                self.forget(self.from_phase_values)
                totals[name] = self.run_phase(phase, name, terms)
                self.run += 1
        self.stepper.move_averages(self.clock)
        self.iteration += 1
        return terms, totals

    def run_phase(self, phase: Phase, name: str, terms: dict[str, Term]) -> Tensor:
        """Evaluate the terms, add up the gradients of all of them, make one step."""
        steps = not phase.step or bool(self.number(phase.step))
        targets = {t: self.targets(phase, t) if steps else frozenset() for t in phase.terms}
        self.trained_through: set[Node] = set()
        self.reached: set[str] = set()
        for term, networks in targets.items():
            self.note_trained(term.loss, networks)
        for node in phase.first:  # rule 2: the values of `first` in order, then the terms as written
            self.evaluate(node)
        evaluated = [(t, self.evaluate(t.weight).value, self.evaluate(t.loss)) for t in phase.terms]
        total: Any = 0
        gradients: dict[tuple[str, str], Tensor] = {}
        for term, weight, loss in evaluated:
            weight = weight.detach() if isinstance(weight, Tensor) else weight
            terms[f"{name}/{term.name}"] = Term(loss.value.detach(), weight)
            total = total + weight * loss.value.detach()
            self.add_gradients(weight * loss.value, targets[term], gradients)
            self.note_fed(loss, targets[term])
        self.stepper.step(gradients)
        # Rule 3: a result may be used again until a network it depends on is stepped. Stops do not matter here.
        self.forget(lambda node: bool(self.depends_on(node) & self.reached) and not self.is_kept(node))
        return total  # type: ignore[no-any-return]

    def targets(self, phase: Phase, term: TermNode) -> frozenset[str]:
        """The networks that a term trains: those of the phase, or the ones it is narrowed to; never frozen ones."""
        return frozenset(
            n for n in (term.into or phase.update) if n in phase.update and not self.graph.networks[n].frozen
        )

    def add_gradients(self, loss: Tensor, networks: frozenset[str], found: dict[tuple[str, str], Tensor]) -> None:
        """Rule 1: the gradient of a term over the networks it trains, nothing else.

        A network may have been called several times, at different weights where a kept value was computed before a
        step (rule 4): the gradient is the sum over all its calls, each at the weights of that call.
        """
        places = [
            ((call.node.target, key), weight)
            for call in self.made
            if call.node.target in networks and not call.node.average
            for key, weight in call.weights.items()
            if weight.requires_grad
        ]
        if not places or not loss.requires_grad:
            return
        gradients = torch.autograd.grad(loss, [w for _, w in places], retain_graph=True, allow_unused=True)
        for (place, _), gradient in zip(places, gradients, strict=True):
            if gradient is not None:  # rule 5: a parameter that no term reaches has no gradient and is not stepped
                found[place] = found[place] + gradient if place in found else gradient

    def sweep(self, one: Pass, batches: Sequence[Batch]) -> None:
        """Run a pass: everything anew on each batch, each network in its mode (or the pass's); no weight is trained.

        A pass at the end changes no network and no state.
        """
        modules = [*self.networks.values(), *self.averages.values()]
        before = {m: m.training for n in modules for m in n.modules()}
        kept = [*modules, *self.states.values()] if one.at == "end" else []
        buffers = [(b, b.clone()) for module in kept for b in module.buffers()]
        for name, network in self.graph.networks.items():
            for where in (self.networks, self.averages):
                if one.mode and name in where and not network.frozen:
                    where[name].train(one.mode == "train")
        collectors = [self.collected[name] for name in one.collect]
        for collector in collectors:
            collector.begin()
        self.clock, self.sweeping, self.trained_through = Clock(self.iteration, self.epoch_length), True, set()
        for number, batch in enumerate(batches):
            self.draws.begin(("pass", one.name, number), None)
            self.results, self.made, self.run, self.batch = {}, [], 0, batch
            for node in one.roots:
                self.evaluate(node)
        self.sweeping = False
        for collector in collectors:
            collector.finish()
        for module, training in before.items():
            module.training = training
        for buffer, old in buffers:
            buffer.copy_(old)

    # -- which gradients flow where -----------------------------------------------------------------------------

    def leads_to(self, node: Node, networks: frozenset[str]) -> bool:
        """Whether a gradient of `node` flows into the weights of one of `networks`."""
        if (node, networks) not in self.leading:
            if node.op in ("stop", "state", "draw", "input", "number", "clock", "collected"):
                found = False
            elif node.op == "call" and not node.average and node.target in networks:
                found = True
            else:
                found = any(self.leads_to(a, networks) for a in node.args)
            self.leading[node, networks] = found
        return self.leading[node, networks]

    def note_trained(self, loss: Node, networks: frozenset[str]) -> None:
        """Collect the values that this run trains through, from a loss down, and the networks that it reaches."""
        found = [loss]
        for node in found:
            if self.leads_to(node, networks):
                self.trained_through.add(node)
                if node.op == "call" and not node.average and node.target in networks:
                    self.reached.add(node.target)
                found += [a for a in node.args if a not in found]

    def note_fed(self, loss: Result, networks: frozenset[str]) -> None:
        """Remember which evaluations fed the backward pass of this run."""
        found = [loss]
        for result in found:
            if self.leads_to(result.node, networks):
                result.fed = True
                found += [a for a in result.args if a not in found]

    # -- which results are valid --------------------------------------------------------------------------------

    def is_kept(self, node: Node) -> bool:
        """Rule 3: values of lifetime `iteration`, and state, which is asked once per iteration."""
        lifetime = self.graph.lifetime.get(node)
        return lifetime == "iteration" or (node.op == "state" and lifetime != "phase")

    def forget(self, gone: Any) -> None:
        self.results = {node: result for node, result in self.results.items() if not gone(node)}

    def depends_on(self, node: Node) -> frozenset[str]:
        """The networks a result depends on; not through kept values and state, nor what a draw takes its shape from."""
        if node not in self.depending:
            found = frozenset([node.target]) if node.op == "call" and not node.average else frozenset[str]()
            for argument in node.args if node.op != "draw" else ():
                if not self.is_kept(argument):
                    found |= self.depends_on(argument)
            self.depending[node] = found
        return self.depending[node]

    def from_phase_values(self, node: Node) -> bool:
        """A value of lifetime `phase`, or one that depends on such a value: new in every run of a phase."""
        return self.graph.lifetime.get(node) == "phase" or self.is_below(node, self.from_phase_values)

    def from_inputs(self, node: Node) -> bool:
        """What a new batch changes. Draws depend on shapes only; kept values and state stay."""
        return node.op == "input" or self.is_below(node, self.from_inputs)

    def is_below(self, node: Node, source: Any) -> bool:
        if self.is_kept(node) or node.op == "draw":
            return False
        return any(source(a) for a in node.args)

    def may_reuse(self, result: Result) -> bool:
        """Rule 4: one evaluation feeds at most one backward pass.

        A result of an earlier run serves as a constant, or with its graph when no earlier backward pass went through
        that graph; the graph of a kept value may always be used.
        """
        if result.run == self.run or self.is_kept(result.node) or result.node not in self.trained_through:
            return True
        return not result.fed and all(self.may_reuse(a) for a in result.args)

    # -- evaluation ---------------------------------------------------------------------------------------------

    def evaluate(self, node: Node) -> Result:
        """The result of a node, computed where no valid one is there: arguments first, left to right (rule 2)."""
        known = self.results.get(node)
        if known is not None and self.may_reuse(known):
            return known
        args: tuple[Result, ...]
        if node.op == "grad":
            args = self.score_and_origin(*node.args)
        else:
            args = tuple(self.evaluate(a) for a in node.args)
        settings = {
            k: self.evaluate(v).value if isinstance(v, Node) else v
            for k, v in node.settings
            if k not in ("*", "number")
        }
        result = Result(node, None, self.run, args)
        result.value = self.compute(node, [a.value for a in args], settings)
        if node.op == "call":
            result.weights = self.copies
            self.made.append(result)
        self.results[node] = result
        return result

    def score_and_origin(self, score: Node, x: Node) -> tuple[Result, Result]:
        """Of `grad(score, x)`: the score, and the evaluation of x that it was computed from."""
        found = self.evaluate(score)
        origins = [one for one in below(found) if one.node is x]
        current = self.results.get(x)
        return found, current if current in origins else origins[0]


def below(result: Result) -> list[Result]:
    """An evaluation and those it was computed from, nearest first; no derivative goes through stops, states, draws."""
    found = [result]
    for one in found:
        if one.node.op not in ("stop", "state", "draw"):
            found += [a for a in one.args if a not in found]
    return found
