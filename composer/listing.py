"""The printed forms of the stages: what `composer show --stage ...` prints and golden tests compare."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from composer.nodes import Graph, Node, Pass, Phase, reachable

if TYPE_CHECKING:
    from composer.plan import Evaluation, Plan, Run
    from composer.shapes import Shaped

STAGES = ("document", "graph", "shapes", "plan", "code")


def printed(
    shaped: Shaped, stage: str, *, drawing: frozenset[str] = frozenset(), counts: Mapping[str, int] | None = None
) -> str:
    """The listing of one stage."""
    if stage == "document":
        from composer.document import to_yaml

        return to_yaml(shaped.graph.document)
    if stage == "graph":
        return list_graph(shaped.graph)
    if stage == "shapes":
        return list_shapes(shaped, counts)
    from composer.plan import make_plan

    plans = [make_plan(shaped.graph, active) for active in activities(shaped.graph)]
    if stage == "plan":
        return "\n".join(list_plan(plan) for plan in plans)
    if stage == "code":
        from composer.emit import emit_plan, emit_value

        texts = [
            f"# {_active_line(plan)}\n" + "\n".join(code.text for code in emit_plan(plan, drawing)) for plan in plans
        ]
        for one in shaped.graph.passes.values():
            texts.append(f"# a batch of pass {one.name}\n{emit_value(shaped.graph, list(one.roots), drawing).text}")
        return "\n".join(texts)
    from composer.errors import ComposeError, nearest

    raise ComposeError(f"unknown stage '{stage}'", remedy=nearest(stage, STAGES))


def activities(graph: Graph, span: int = 240) -> list[tuple[tuple[str, bool], ...]]:
    """Which phases run together: what occurs in the first `span` iterations and at later powers of ten."""
    from composer.clock import NUMBERS, Clock

    found: dict[tuple[tuple[str, bool], ...], None] = {}
    later = [m * 10**k + d for k in range(2, 7) for m in (1, 2, 5) for d in (-1, 0, 1)]
    length = graph.training.epoch_iterations or 20
    for iteration in [*range(span), *later]:
        names = {"clock": Clock(iteration, length), **NUMBERS}
        active = []
        for phase in graph.phases:
            if not phase.when or eval(phase.when, {"__builtins__": {}}, names):  # our own text
                active.append((phase.name, not phase.step or bool(eval(phase.step, {"__builtins__": {}}, names))))
        found[tuple(active)] = None
    return sorted(found, key=lambda a: (-len(a), a))


def list_graph(graph: Graph) -> str:
    """Names resolved: one line a value, `name = call`."""
    lines = [f"graph {graph.name}"]
    for stream in graph.streams:
        lines.append(f"stream {stream.name}")
        for one in stream.fields:
            options = "".join(f", {k}={v}" for k, v in one.options.items())
            lines.append(f"  {one.name}: {one.kind}({', '.join(map(str, one.args))}{options})")
    for network in graph.networks.values():
        lines.append(f"network {network.name}: {network_line(network)}")
    for node in reachable(graph.training_roots):
        if node.op not in ("input", "number", "clock", "collected"):
            kept = f"  (lifetime {graph.lifetime[node]})" if node in graph.lifetime else ""
            lines.append(f"{_assignment(graph, node)}{kept}")
    for phase in graph.phases:
        lines += _phase_lines(graph, phase)
    for sweep in graph.passes.values():
        lines += _pass_lines(graph, sweep)
    for name, translation in graph.translations.items():
        lines.append(f"translate {name} = {graph.name_of(translation.node)}  (mode {translation.mode})")
    return "\n".join(lines) + "\n"


def network_line(network: Any) -> str:
    """`unet(out=3, width=64)`, or the number of layers of a wiring."""
    settings = ", ".join(f"{k}={v}" for k, v in network.settings.items())
    body = f"{network.block}({settings})" if network.block else f"{len(network.wiring.layers)} layers wired here"
    marks = [m for m in ("frozen" if network.frozen else "", f"mode {network.mode}" if network.mode else "") if m]
    return body + f", init {network.init}" + "".join(f", {m}" for m in marks)


def call_text(graph: Graph, node: Node) -> str:
    """A node over the names of its arguments."""
    args = [graph.name_of(a) for a in node.args]
    settings = [f"{k}={_value(graph, v)}" for k, v in node.settings if k not in ("*", "number")]
    settings = [*(str(v) for v in node.setting("*", ())), *settings]
    match node.op:
        case "item":
            return f"{args[0]}[{node.setting('number')}]"
        case "arith":
            return f"-{args[0]}" if node.target == "neg" else f"{args[0]} {node.target} {args[1]}"
        case "list":
            return "[" + ", ".join(args) + "]"
        case "stop" | "grad":
            return f"{node.op}({', '.join(args)})"
    head = f"average({node.target})" if node.average else node.target
    return f"{head}{'.' + node.entry if node.entry else ''}({', '.join([*args, *settings])})"


def _assignment(graph: Graph, node: Node) -> str:
    """`name = call`, or the call alone where the value has no name."""
    name, call = graph.name_of(node), call_text(graph, node)
    return f"{name} = {call}" if name in graph.values else call


def _value(graph: Graph, value: Any) -> str:
    return graph.name_of(value) if isinstance(value, Node) else str(value)


def _phase_lines(graph: Graph, phase: Phase) -> list[str]:
    extras = [f"when {phase.when}"] if phase.when else []
    extras += [f"step {phase.step}"] if phase.step else []
    extras += [f"repeat {phase.repeat} ({phase.batch} batch)"] if phase.repeat > 1 else []
    lines = [f"phase {phase.name}: update {', '.join(phase.update)}" + "".join(f", {e}" for e in extras)]
    for term in phase.terms:
        into = f"  (into {', '.join(term.into)})" if term.into else ""
        lines.append(f"  {term.name}: {term.weight.text} * {graph.name_of(term.loss)}{into}")
    return lines


def _pass_lines(graph: Graph, one: Pass) -> list[str]:
    count = f"{one.batches} batches" if one.batches else "all rows"
    mode = f", mode {one.mode}" if one.mode else ""
    lines = [f"pass {one.name}: at {one.at}, {count} of {', '.join(one.streams)}{mode}"]
    lines += [f"  {name} = {call_text(graph, node)}" for name, node in one.collect.items()]
    return lines + [f"  fill {graph.name_of(node)}" for node in one.fill]


def list_shapes(shaped: Shaped, counts: Mapping[str, int] | None = None) -> str:
    """The same lines with kind and sizes; b is the number of rows of the batch."""
    graph = shaped.graph
    lines = [f"graph {graph.name}, b = {graph.training.batch}"]
    for network in graph.networks.values():
        axes = shaped.bound[network.name].axes
        bound = f"({', '.join(f'{k}={v}' for k, v in axes.items())})" if axes else ""
        count = f", {counts[network.name]:,} parameters" if counts else ""
        lines.append(f"network {network.name}{bound}: {network_line(network)}{count}")
    for node in reachable([*graph.training_roots, *(n for p in graph.passes.values() for n in p.roots)]):
        if node.op in ("number", "clock"):
            continue
        left = node.text if node.op == "input" else _assignment(graph, node)
        lines.append(f"{left}: {shaped.types[node]}")
    return "\n".join(lines) + "\n"


def _active_line(plan: Plan) -> str:
    names = [name if steps else f"{name} (no step)" for name, steps in plan.active]
    return "iteration of " + (", ".join(names) or "nothing")


def list_plan(plan: Plan) -> str:
    """Runs in order: what is computed with and without gradients, what is reused, what is minimised."""
    graph = plan.graph
    lines = [_active_line(plan)]
    for run in plan.runs:
        step = f"update {', '.join(run.phase.update)}" if run.steps else "no step"
        batch = ", new batch" if run.new_batch else ""
        lines.append(f"  phase {run.name}: {step}{batch}")
        for one in run.reused:
            if one.node.op not in ("number", "clock", "input"):
                lines.append(f"    reuse    {graph.name_of(one.node)}{_through(one, run)}")
        for one in run.made:
            if one.node.op in ("number", "clock", "input"):
                continue
            lines.append(f"    {_mark(one, run):<8} {_assignment(graph, one.node)}")
        for trained in run.terms:
            into = f"  into {', '.join(trained.into)}" if trained.into else ""
            lines.append(
                f"    minimise {trained.name}: {trained.weight.node.text} * {graph.name_of(trained.loss.node)}{into}"
            )
    return "\n".join(lines) + "\n"


def _mark(one: Evaluation, run: Run) -> str:
    if run.number in one.owners:
        return "grad"
    if one.owners:
        return "grad>"  # the graph is for a later phase, this one sees a constant
    return "input" if one.penalised else "no grad"


def _through(one: Evaluation, run: Run) -> str:
    return "  (trained through)" if run.number in one.owners else ""
