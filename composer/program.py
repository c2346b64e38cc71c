"""Program: networks, optimizers and the emitted step of a graph, ready to run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from composer.clock import NUMBERS, Clock, iteration_of
from composer.confirm import confirm
from composer.emit import Code, emit_plan
from composer.errors import ComposeError, nearest
from composer.evaluation import Evaluator
from composer.feeding import feed
from composer.fields import Stream
from composer.gathering import Passes, build_collectors
from composer.modules import averaged, build_networks, build_states, set_mode, uses_draws
from composer.nodes import Graph, Pass, Translation
from composer.optimizers import Averages, Optimizers
from composer.plan import Active, Plan, Run, make_plan
from composer.quiet_import import import_dynamo
from composer.randomness import Draws, InsideDraws, StateDraws
from composer.runtime import (
    block_function,
    condition,
    differentiable,
    gradient,
    old_weights,
    parameters_of,
    rows_of,
    stop,
)
from composer.shapes import Shaped
from composer.translate import Translator
from composer.wired import Entry

Batch = Mapping[str, Tensor]


@dataclass(frozen=True)
class Term:
    """A term of a step: its loss without weight (0-d, detached) and its weight."""

    loss: Tensor
    weight: float | Tensor


@dataclass(frozen=True)
class StepResult:
    """What one iteration did: terms by `PHASE/TERM`, weighted totals by phase, learning rates by group; when watched
    (see `Program.watch`) values by `PHASE/VALUE` and the norms of gradients by `PHASE/NETWORK`."""

    iteration: int
    terms: dict[str, Term] = field(default_factory=dict)
    totals: dict[str, Tensor] = field(default_factory=dict)
    rates: dict[str, float] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    gradients: dict[str, Tensor] = field(default_factory=dict)


class Program:
    """A compiled graph. `step` trains one iteration, `evaluate` and `translate` change nothing.

    Everything random is a function of (seed, iteration, run, name): a program has no generator whose state could
    be lost. `iteration` is the next one, counted from 0; `epoch_length` is how many an epoch has (set by the data).
    """

    def __init__(
        self,
        shaped: Shaped,
        *,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
        seed: int = 0,
        optimise: bool = True,
    ) -> None:
        import_dynamo()
        self.shaped = replace(shaped, types=confirm(shaped))
        self.graph: Graph = shaped.graph
        self.device, self.dtype, self.seed, self.optimise = torch.device(device), dtype, seed, optimise
        self.iteration = 0
        self.epoch_length = self.graph.training.epoch_iterations or 1
        self.networks = build_networks(shaped, seed, self.device, dtype)
        self.states = build_states(shaped, seed, self.device, dtype)
        self.collectors = build_collectors(shaped, self.device, dtype)
        self.averages = {n: averaged(self.networks[n]) for n in self.graph.averages}
        for name, average in self.graph.averages.items():
            if average.mode:
                self.averages[name].train(average.mode == "train")
        self.optimizers = Optimizers(self.graph.groups, self.networks)
        self.mover = Averages(self.graph.averages, self.networks, self.averages)
        self.draws = Draws(seed, 0, self.device, dtype)
        self.inside = InsideDraws(self.draws)
        self.drawing = frozenset(n for n, m in self.networks.items() if uses_draws(m))
        self.compiled: dict[tuple[Active, frozenset[str]], tuple[Plan, list[Callable[..., Any]]]] = {}
        self.trained = {
            phase.name: [p for n in phase.update for p in self.networks[n].parameters() if p.requires_grad]
            for phase in self.graph.phases
        }
        self.conditions = [(phase, condition(phase.when), condition(phase.step)) for phase in self.graph.phases]
        self.clock: Clock | None = None
        self.passing = Passes(self)
        self.watched: frozenset[str] = frozenset()
        self.watches_gradients = False
        self.evaluator = Evaluator(self)
        self.translator = Translator(self)

    # -- what it is ---------------------------------------------------------------------------------------------

    @property
    def inputs(self) -> dict[str, Stream]:
        return {s.name: s for s in self.graph.streams}

    @property
    def training(self) -> Any:
        return self.graph.training

    @property
    def translations(self) -> Mapping[str, Translation]:
        return self.graph.translations

    @property
    def show(self) -> tuple[str, ...]:
        return tuple(text for text, _ in self.graph.show)

    @property
    def passes(self) -> Mapping[str, Pass]:
        return self.graph.passes

    def due_passes(self, ended: bool = False) -> tuple[Pass, ...]:
        """The passes to run before the next iteration; with `ended`, those that come after the last one."""
        return self.passing.due(ended)

    def run_pass(self, name: str, batches: Iterable[Batch], draws: Mapping[str, Any] | None = None) -> int:
        """Run a pass over batches of its streams, without gradients; gives how many there were.

        Networks run in their own mode (or the pass's): in training mode their batch statistics move. What it gathers
        is part of `state`. A `ComposeError` when there is no batch, or one without a field that it needs.
        """
        return self.passing.run(name, batches, draws)

    def parameter_counts(self) -> dict[str, int]:
        return {n: sum(p.numel() for p in m.parameters()) for n, m in self.networks.items()}

    def printed(self, stage: str) -> str:
        """The listing of a stage: document, graph, shapes, plan or code."""
        from composer.listing import printed

        return printed(self.shaped, stage, drawing=self.drawing, counts=self.parameter_counts())

    def resolved_yaml(self) -> str:
        """A graph file with everything applied; compiled again it is the same program."""
        from composer.document import to_yaml

        return to_yaml(self.graph.document)

    # -- one iteration ------------------------------------------------------------------------------------------

    def active(self, iteration: int) -> Active:
        """The phases that run in an iteration, and whether each makes its step."""
        clock = Clock(iteration, self.epoch_length)
        found = []
        for phase, when, step in self.conditions:
            if when(clock):
                found.append((phase.name, bool(step(clock))))
        return tuple(found)

    def batches(self, iteration: int) -> int:
        """How many batches an iteration takes from the data."""
        plan, _ = self.functions(self.active(iteration))
        return 1 + sum(run.new_batch for run in plan.runs)

    def functions(self, active: Active, fed: frozenset[str] = frozenset()) -> tuple[Plan, list[Callable[..., Any]]]:
        """The plan for a set of phases and its compiled functions; `fed` values are given instead of computed."""
        key = (active, fed)
        if key not in self.compiled:
            plan = make_plan(feed(self.graph, fed) if fed else self.graph, active)
            codes = emit_plan(plan, self.drawing, self.optimise, self.watched)
            number = len(self.compiled)
            self.compiled[key] = (plan, [self.load(c, f"<{self.graph.name} {c.name} plan {number}>") for c in codes])
        return self.compiled[key]

    def load(self, code: Code, file: str, **changed: Any) -> Callable[..., Any]:
        """The Python function of emitted code, with the networks and functions that it names."""
        scope: dict[str, Any] = {
            "no_grad": torch.no_grad,
            "stop": stop,
            "gradient": gradient,
            "differentiable": differentiable,
            "inside": self.within,
            "rows_of": rows_of,
            "old_weights": old_weights,
            "collect": self.collect,
            "collected": self._collected,
            **NUMBERS,
        }
        for variable, (network, entry, average) in code.networks.items():
            module = (self.averages if average and network in self.averages else self.networks)[network]
            scope[variable] = Entry(module, entry) if entry else module
        scope.update({variable: block_function(block, self.dtype) for variable, block in code.functions.items()})
        scope.update(changed)
        exec(code.compiled(file), scope)  # the text is our own, made from a checked plan
        return scope[code.name]  # type: ignore[no-any-return]

    def watch(self, names: Iterable[str], gradients: bool = False) -> None:
        """Let `step` give these named values too, as each phase saw them: `PHASE/VALUE` in `StepResult.values`.

        With `gradients` also the l2 norm of the gradient that each network of a phase is stepped with, before any
        clipping: `PHASE/NETWORK` in `StepResult.gradients`.
        """
        self.watched, self.watches_gradients = frozenset(names), gradients
        unknown = sorted(self.watched - set(self.graph.values))
        if unknown:
            raise ComposeError(f"unknown value '{unknown[0]}'", remedy=nearest(unknown[0], self.graph.values))
        self.compiled.clear()

    def step(self, batch: Batch | Sequence[Batch], draws: Mapping[str, Any] | None = None) -> StepResult:
        """Train one iteration on a batch by field name (several where `batches` says so).

        `draws` feeds named draws (`NAME`, `NETWORK:PLACE` inside networks, `VALUE:NAME` in states; a list for one that
        is drawn several times) and any other named value, which is then not computed but taken as it is.
        """
        named = self.graph.values
        values = {k: v for k, v in (draws or {}).items() if k in named and named[k].op != "draw"}
        batches = [batch] if isinstance(batch, Mapping) else list(batch)
        self.passing.check(frozenset(values))
        clock = self.clock = Clock(self.iteration, self.epoch_length)
        plan, functions = self.functions(self.active(self.iteration), frozenset(values))
        self.draws.begin(self.iteration, {k: v for k, v in (draws or {}).items() if k not in values})
        result = StepResult(self.iteration, rates=self.optimizers.set_rates(clock, NUMBERS))
        keep: dict[str, Any] = {}
        position = 0
        current = self.on_device(batches[0], values)
        for run, function in zip(plan.runs, functions, strict=True):
            if run.new_batch:
                position += 1
                if position >= len(batches):
                    raise ComposeError(f"iteration {self.iteration} needs {position + 1} batches, got {len(batches)}")
                current = self.on_device(batches[position], values)
            self.draws.run = run.number
            terms = function(current, keep, self.draw, self.keep_state, clock)
            for name in self.watched:
                if f"watched {name}" in keep:
                    result.values[f"{run.phase.name}/{name}"] = keep[f"watched {name}"]
            self.train(run, terms, result)
        self.mover.move(self.iteration, self.epoch_length)
        self.passing.stepped()
        left = self.draws.unused()
        if left:
            raise ComposeError(f"draws were fed that nothing drew: {', '.join(left)}")
        self.iteration += 1
        return result

    def train(self, run: Run, terms: list[tuple[Any, Tensor]], result: StepResult) -> None:
        """Gradients of a run's terms and its step."""
        phase = run.phase
        suffix = "" if phase.repeat == 1 else f"#{run.repeat + 1}"
        total: Any = None
        wide: Any = None
        narrow: dict[tuple[str, ...], Any] = {}
        for trained, (weight, loss) in zip(run.terms, terms, strict=True):
            result.terms[f"{phase.name}{suffix}/{trained.name}"] = Term(loss.detach(), weight)
            weighted = loss if isinstance(weight, (int, float)) and weight == 1 else weight * loss
            plain = weighted.detach()
            total = plain if total is None else total + plain
            if not weighted.requires_grad:
                continue
            if trained.into:
                narrow[trained.into] = narrow[trained.into] + weighted if trained.into in narrow else weighted
            else:
                wide = weighted if wide is None else wide + weighted
        result.totals[f"{phase.name}{suffix}"] = total
        if not run.steps:
            return
        backward = [(wide, self.trained[phase.name])] if wide is not None else []
        for into, value in narrow.items():
            backward.append(
                (
                    value,
                    [p for n in into if n in self.networks for p in self.networks[n].parameters() if p.requires_grad],
                )
            )
        for number, (value, parameters) in enumerate(backward):
            last = number == len(backward) - 1
            if parameters:
                value.backward(inputs=parameters, retain_graph=run.retain or not last)
        if self.watches_gradients:
            for name in phase.update:
                norms = [p.grad.norm() for p in self.networks[name].parameters() if p.grad is not None]
                norm = torch.stack(norms).norm() if norms else torch.zeros((), device=self.device, dtype=self.dtype)
                result.gradients[f"{phase.name}{suffix}/{name}"] = norm
        self.optimizers.step(phase.update)

    def on_device(self, batch: Batch, fed: Batch) -> dict[str, Tensor]:
        missing = [f.name for s in self.graph.streams for f in s.fields if f.name not in batch and f.name not in fed]
        if missing:
            raise ComposeError(f"the batch has no '{missing[0]}'", remedy=f"it has {', '.join(batch)}")
        return self.moved({**batch, **fed})

    def moved(self, batch: Batch) -> dict[str, Tensor]:
        """A batch on the program's device; reals in its dtype."""
        return {
            k: v.to(self.device, self.dtype, non_blocking=True) if v.is_floating_point() else v.to(self.device)
            for k, v in batch.items()
        }

    # -- helpers of emitted code --------------------------------------------------------------------------------

    def draw(self, name: str, function: Callable[..., Tensor], *args: Any, **settings: Any) -> Tensor:
        """A named draw: the fed value, or drawn from its own generator."""
        extra = {k: v for k, v in (("device", self.device), ("dtype", self.dtype)) if k in parameters_of(function)}
        return self.draws.tensor(name, lambda g: function(*args, **settings, generator=g, **extra))

    def keep_state(self, name: str, x: Tensor, **settings: Any) -> Tensor:
        """Ask a state block (a pool, a queue) under its value's name."""
        with torch.no_grad():
            draws = StateDraws(self.draws, name, self.clock)
            return self.states[name](x, draws=draws)  # type: ignore[no-any-return]

    def collect(self, name: str, *args: Any) -> None:
        """Give a collecting block one batch of a pass."""
        self.collectors[name](*args)

    def collected(self, name: str) -> Tensor:
        """What a pass gathered under a name."""
        return self.collectors[name].value  # type: ignore[return-value]

    def _collected(self, name: str) -> Tensor:
        """The same for code that runs, unless something was fed under that name."""
        fed = self.draws.given(name)
        return self.collected(name) if fed is None else torch.as_tensor(fed).to(self.device, self.dtype)

    @contextmanager
    def within(self, network: str, call: str) -> Iterator[None]:
        """Let modules of `network` draw from this program's source."""
        from composer.blocks.random import drawing

        self.inside.network, self.inside.call = network, call
        with drawing(self.inside):
            yield

    # -- values without training --------------------------------------------------------------------------------

    def evaluate(
        self, names: Sequence[str], batch: Batch, draws: Mapping[str, Any] | None = None, *, seed: Any = "sample"
    ) -> dict[str, Any]:
        """Named values (or columns of `show`) on a batch: no gradient, and no state changes."""
        return self.evaluator.named(names, batch, draws, seed)

    def translate(self, images: Any, as_: str | None = None, seed: int = 0, **more: Any) -> Tensor:
        """Translate prepared images [n c h w] in [-1, 1]; see `composer.translate`."""
        return self.translator.translate(images, as_, seed, **more)

    def padded_size(self, height: int, width: int, as_: str | None = None) -> tuple[int, int]:
        """The smallest size from (height, width) on that the graph can translate."""
        return self.translator.padded_size(height, width, as_)

    # -- state --------------------------------------------------------------------------------------------------

    def saved(self) -> Iterator[tuple[str, torch.nn.Module]]:
        """Every module that belongs to the state, with the beginning of its tensors' names."""
        kinds = {"networks": self.networks, "averages": self.averages}
        for kind, modules in {**kinds, "states": self.states, "collected": self.collectors}.items():
            yield from ((f"{kind}/{name}/", module) for name, module in modules.items())

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Everything that training changed: tensors by name, and plain data for JSON."""
        tensors: dict[str, Tensor] = {}
        for prefix, module in self.saved():
            for key, value in module.state_dict().items():
                tensors[f"{prefix}{key}"] = value.detach().clone().contiguous()
        optimizer, plain = self.optimizers.state()
        tensors.update({f"optimizers/{k}": v.detach().clone().contiguous() for k, v in optimizer.items()})
        meta = {"iteration": self.iteration, "epoch_length": self.epoch_length, "seed": self.seed, "optimizers": plain}
        return tensors, {**meta, "passes": sorted(self.passing.done)}

    def load_state(self, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> None:
        """Put back what `state` gave; a `ComposeError` when it belongs to another graph."""
        for prefix, module in self.saved():
            own = {k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)}
            try:
                module.load_state_dict(own)
            except RuntimeError as error:
                first = " ".join(str(error).split())[:200]
                raise ComposeError(f"the checkpoint does not fit '{prefix.split('/')[1]}': {first}") from None
        for name, network in self.graph.networks.items():
            set_mode(self.networks[name], network)
        self.iteration = int(meta["iteration"])
        self.epoch_length = int(meta["epoch_length"])
        self.passing.done = set(meta.get("passes", ()))
        prefix = "optimizers/"
        for group in self.graph.groups:
            if 0 < iteration_of(group.restart, Clock(self.iteration, self.epoch_length)) < self.iteration:
                self.optimizers.make(group)
        optimizer = {k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)}
        self.optimizers.load(optimizer, meta.get("optimizers", {}))
