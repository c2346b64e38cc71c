"""Shaped graph -> Plan: what each run of a phase computes, reuses and trains through.

The rules are those of docs/language.md, "what an iteration means". A plan is made for one set of phases that run
together in an iteration; it is a plain value, printed and compared by the golden tests.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from composer.nodes import CONSTANT, Graph, Node, Phase, reachable
from composer.prune import dependencies

Active = tuple[tuple[str, bool], ...]  # phases that run, and whether each makes its step


@dataclass(eq=False)
class Evaluation:
    """One evaluation of a node. `owners` are the runs that train through it: a graph is built where there are any."""

    number: int
    node: Node
    run: int
    args: tuple[Evaluation, ...]
    extras: tuple[tuple[str, Evaluation], ...] = ()
    owners: set[int] = field(default_factory=set)
    paths: set[int] = field(default_factory=set)  # arguments from which a derivative (`grad`) is taken through this
    between: tuple[Evaluation, ...] = ()  # of a `grad`: what it goes through
    snapshot: bool = False  # trained through after its weights were stepped: called with copies of them

    @property
    def penalised(self) -> bool:
        """Whether it stands between x and score of a `grad`."""
        return bool(self.paths)

    @property
    def has_graph(self) -> bool:
        return bool(self.owners) or self.penalised


@dataclass(frozen=True)
class Trained:
    """A term in a run: the evaluations of its loss and weight."""

    name: str
    loss: Evaluation
    weight: Evaluation
    into: tuple[str, ...]


@dataclass(frozen=True)
class Run:
    """One run of a phase."""

    number: int
    phase: Phase
    steps: bool
    repeat: int
    new_batch: bool
    made: tuple[Evaluation, ...]
    reused: tuple[Evaluation, ...]
    terms: tuple[Trained, ...]
    retain: bool  # a later run trains through something that this run's backward passes
    release: tuple[Evaluation, ...]  # kept results that no later run needs

    @property
    def name(self) -> str:
        return self.phase.name if self.repeat == 0 else f"{self.phase.name}#{self.repeat + 1}"


@dataclass(frozen=True)
class Plan:
    """The runs of one iteration, in order."""

    graph: Graph
    active: Active
    runs: tuple[Run, ...]
    kept: frozenset[int]  # numbers of evaluations that a later run uses
    leaves: Mapping[int, tuple[int, int]]  # constants that a derivative is taken at: first and last run that need it

    def __str__(self) -> str:
        from composer.listing import list_plan

        return list_plan(self)


def full_activity(graph: Graph) -> Active:
    """Every phase runs and steps."""
    return tuple((phase.name, True) for phase in graph.phases)


def make_plan(graph: Graph, active: Active | None = None) -> Plan:
    """The plan of an iteration in which the phases of `active` run (all of them when left out)."""
    return _Planner(graph, full_activity(graph) if active is None else active).plan()


def trainable(graph: Graph, phase: Phase) -> frozenset[str]:
    return frozenset(n for n in phase.update if not graph.networks[n].frozen)


class _Planner:
    def __init__(self, graph: Graph, active: Active) -> None:
        self.graph, self.active = graph, active
        self.depends = dependencies(graph)
        self.results: dict[Node, Evaluation] = {}
        self.count = 0
        self.runs: list[Run] = []
        self.kept: set[int] = set()
        self.last_use: dict[int, int] = {}
        self.by_number: dict[int, Evaluation] = {}
        self.retaining: set[int] = set()
        self.stepped: dict[str, int] = {}  # network -> last run that stepped it
        self.on_batch = _sources(graph, lambda n: n.op == "input")
        self.on_phase = _sources(graph, lambda n: graph.lifetime.get(n) == "phase")

    def plan(self) -> Plan:
        phases = {p.name: p for p in self.graph.phases}
        number = 0
        for name, steps in self.active:
            phase = phases[name]
            for repeat in range(phase.repeat):
                self.run(number, phase, steps, repeat)
                number += 1
        runs = []
        for run in self.runs:
            gone = tuple(
                self.by_number[n] for n, last in self.last_use.items() if n in self.kept and last == run.number
            )
            runs.append(replace(run, retain=run.number in self.retaining, release=gone))
        return Plan(self.graph, self.active, tuple(runs), frozenset(self.kept), leaves_of(self.by_number.values()))

    # -- one run of a phase -------------------------------------------------------------------------------------

    def run(self, number: int, phase: Phase, steps: bool, repeat: int) -> None:
        new_batch = repeat > 0 and phase.batch == "new"
        self.start(new_batch)
        self.live: set[Node] = set()
        trained: set[str] = set()  # the networks that terms reach: the others are not stepped
        for term in phase.terms if steps else ():
            wanted = trainable(self.graph, phase) & frozenset(term.into or phase.update)
            live = _live_nodes(term.loss, wanted)
            self.live |= live
            trained |= {n.target for n in live if n.op == "call" and not n.average} & wanted
        self.number = number
        self.made: list[Evaluation] = []
        self.reused: dict[int, Evaluation] = {}
        for node in phase.first:
            self.demand(node)
        terms = []
        for term in phase.terms:
            weight = self.demand(term.weight)
            terms.append(Trained(term.name, self.demand(term.loss), weight, term.into))
        self.runs.append(
            Run(
                number,
                phase,
                steps,
                repeat,
                new_batch,
                tuple(self.made),
                tuple(self.reused.values()),
                tuple(terms),
                False,
                (),
            )
        )
        self.step(number, frozenset(trained))

    def start(self, new_batch: bool) -> None:
        """Forget what a new run, or a new batch, makes invalid."""
        for node in list(self.results):
            kept = self.is_kept(node)
            if node in self.on_phase or (new_batch and node in self.on_batch and not kept):
                del self.results[node]

    def is_kept(self, node: Node) -> bool:
        lifetime = self.graph.lifetime.get(node)
        return lifetime == "iteration" or (node.op == "state" and lifetime != "phase")

    def step(self, number: int, trained: frozenset[str]) -> None:
        """Networks were stepped: what depends on them is not valid any more, unless it is kept."""
        for name in trained:
            self.stepped[name] = number
        for node in list(self.results):
            if self.depends[node] & trained and not self.is_kept(node):
                del self.results[node]

    # -- evaluation on demand -----------------------------------------------------------------------------------

    def demand(self, node: Node) -> Evaluation:
        """The evaluation of `node` that this run uses: a valid one, or a new one, arguments first."""
        stack: list[tuple[Node, bool]] = [(node, False)]
        while stack:
            current, ready = stack.pop()
            if ready:
                self.evaluate(current)
                continue
            known = self.results.get(current)
            if known is not None and self.usable(known):
                self.use(known)
                continue
            stack.append((current, True))
            # The derivative is taken at the x that the score was computed from: x itself is not asked for.
            args = current.args[:1] if current.op == "grad" else current.args
            children = [*args, *(v for _, v in current.settings if isinstance(v, Node))]
            stack.extend((child, False) for child in reversed(children))
        return self.results[node]

    def evaluate(self, node: Node) -> None:
        known = self.results.get(node)
        if known is not None and known.run == self.number:
            return
        if node.op == "grad":
            score = self.results[node.args[0]]
            args: tuple[Evaluation, ...] = (score, self.origin(score, node.args[1]))
        else:
            args = tuple(self.results[a] for a in node.args)
        extras = tuple((k, self.results[v]) for k, v in node.settings if isinstance(v, Node))
        made = Evaluation(self.count, node, self.number, args, extras)
        self.count += 1
        if node in self.live:
            made.owners.add(self.number)
        if node.op == "grad":
            self.differentiate(made)
        self.by_number[made.number] = made
        self.results[node] = made
        self.made.append(made)
        for one in (*args, *(e for _, e in extras)):
            self.touch(one)
        self.touch(made)

    def touch(self, one: Evaluation) -> None:
        if one.run != self.number:
            self.kept.add(one.number)
            self.reused.setdefault(one.number, one)
        self.last_use[one.number] = self.number

    def usable(self, known: Evaluation) -> bool:
        """Whether a valid result serves this run as it is (see rule 4: one evaluation, one backward)."""
        if known.run == self.number:
            return True
        if known.node not in self.live or self.is_kept(known.node):
            return True
        return all(one.owners <= {self.number} for one in self.chain(known, kept=False))

    def use(self, known: Evaluation) -> None:
        """Note that this run uses `known`, and train through it if the run does."""
        self.touch(known)
        if known.run == self.number or known.node not in self.live:
            return
        for one in self.chain(known):
            for held in (one, *one.between):
                self.hold(held)
            one.owners.add(self.number)

    def hold(self, one: Evaluation) -> None:
        """This run needs the graph of `one`: earlier backward passes must leave it, and steps its weights."""
        self.retaining |= {run for run in one.owners if run < self.number}
        if one.node.op == "call" and self.stepped.get(one.node.target, -1) >= one.run:
            one.snapshot = True

    def origin(self, score: Evaluation, x: Node) -> Evaluation:
        """The evaluation of `x` that `score` was computed from."""
        found = [one for one in _below(score) if one.node is x]
        current = self.results.get(x)
        return current if current in found else found[0]

    def differentiate(self, made: Evaluation) -> None:
        """Mark the ways from x to score of a `grad`: graphs are built along them."""
        for one in mark_ways(made):
            self.hold(one)

    def chain(self, known: Evaluation, kept: bool = True) -> list[Evaluation]:
        """`known` and the evaluations below it through which a gradient of this run would flow.

        Without `kept`, kept values and what is below them are left out.
        """
        found: dict[int, Evaluation] = {}
        stack = [known]
        while stack:
            one = stack.pop()
            if one.number in found or one.node not in self.live or not (kept or not self.is_kept(one.node)):
                continue
            found[one.number] = one
            if one.node.op not in ("stop", "state"):
                stack.extend(one.args)
        return list(found.values())


def mark_ways(made: Evaluation) -> tuple[Evaluation, ...]:
    """Mark what a `grad` goes through, from its x to its score: graphs are built along these ways."""
    score, x = made.args
    reaching = {x.number}
    for one in sorted(_below(score), key=lambda e: e.number):  # arguments have lower numbers than what uses them
        ways = {a.number for a in one.args} & reaching
        if ways and one is not x and one.node.op not in CONSTANT:
            one.paths |= ways
            reaching.add(one.number)
            made.between += (one,)
    return made.between


def leaves_of(evaluations: Iterable[Evaluation]) -> dict[int, tuple[int, int]]:
    """Results without a graph that a derivative is taken at, and the first and last run that need them."""
    every = list(evaluations)
    origins = {one.args[1].number for one in every if one.node.op == "grad"}
    found: dict[int, tuple[int, int]] = {}
    for one in every:
        for arg in one.args:
            asked = arg.number in one.paths or (one.node.op == "grad" and arg is one.args[1])
            if asked and arg.number in origins and not arg.has_graph:
                first, last = found.get(arg.number, (one.run, one.run))
                found[arg.number] = (min(first, one.run), max(last, one.run))
    return found


def _below(one: Evaluation) -> list[Evaluation]:
    """`one` and the evaluations it was computed from, nearest first; not through stops, states and draws."""
    found: dict[int, Evaluation] = {}
    waiting = [one]
    for current in waiting:
        if current.number not in found:
            found[current.number] = current
            if current.node.op not in CONSTANT:
                waiting.extend(current.args)
    return list(found.values())


def _live_nodes(loss: Node, trained: frozenset[str]) -> set[Node]:
    """Nodes through which a gradient of `loss` flows to the networks of `trained`."""
    capable: dict[Node, bool] = {}
    for node in reachable([loss]) if trained else []:
        if node.op in ("stop", "state", "draw", "input", "number", "clock", "collected"):
            capable[node] = False
        elif node.op == "call" and not node.average and node.target in trained:
            capable[node] = True
        else:
            capable[node] = any(capable[a] for a in node.args)
    live: set[Node] = set()
    stack = [loss] if capable.get(loss) else []
    while stack:
        node = stack.pop()
        if node in live:
            continue
        live.add(node)
        stack.extend(a for a in node.args if capable[a])
    return live


def _sources(graph: Graph, is_source: object) -> set[Node]:
    """Nodes that are, or depend on, a source; kept values, states and draws cut the way."""
    found: set[Node] = set()
    for node in reachable(graph.training_roots):
        lifetime = graph.lifetime.get(node)
        if is_source(node):  # type: ignore[operator]
            found.add(node)
            continue
        if lifetime == "iteration" or node.op in ("draw", "state"):
            continue
        children = [*node.args, *(v for _, v in node.settings if isinstance(v, Node))]
        if any(c in found and not _cut(graph, c) for c in children):
            found.add(node)
    return found


def _cut(graph: Graph, node: Node) -> bool:
    return graph.lifetime.get(node) == "iteration" or (node.op == "state" and graph.lifetime.get(node) != "phase")
