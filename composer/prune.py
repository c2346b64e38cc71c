"""What nothing needs is left out; what looks like an oversight is said."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

from composer.block import look_up
from composer.errors import Problem
from composer.fields import label_of, others_of, shown_by
from composer.nodes import Graph, Node, Pass, Phase, reachable
from composer.signature import parse_signature


def is_zero(node: Node) -> bool:
    """A weight that is 0 before the run."""
    return node.op == "number" and float(node.setting("value")) == 0.0


def networks_of(nodes: Iterable[Node]) -> set[str]:
    """The networks called by `nodes`."""
    return {n.target for n in nodes if n.op == "call"}


def trained_through(root: Node, stop_at: frozenset[str] = frozenset({"stop", "state"})) -> set[str]:
    """Networks that a gradient of `root` can reach: along arguments, not through stops and states."""
    found: set[str] = set()
    seen: set[Node] = set()
    stack = [root]
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        if node.op in stop_at:
            continue
        if node.op == "call" and not node.average:
            found.add(node.target)
        stack.extend(node.args)
    return found


def lint(graph: Graph, asked: Collection[str] = ()) -> list[Problem]:
    """Warnings: networks nobody trains, updates nothing reaches, names nothing uses.

    `asked`: names that some expression names. Numbers and functions of the clock are folded into what uses them.
    """
    found: list[Problem] = []
    idle = _idle(graph)
    updated = {n for phase in graph.phases for n in phase.update}
    for network in graph.networks.values():
        if network.frozen and network.name in updated:
            found.append(
                Problem(f"network '{network.name}' is frozen and updated", network.place, "drop one of the two")
            )
        elif not network.frozen and network.name not in updated and network.name not in idle:
            found.append(
                Problem(f"no phase updates network '{network.name}'", network.place, "update it, or say frozen: true")
            )
    for phase in graph.phases:
        reached = {n for term in phase.terms for n in trained_through(term.loss)}
        for name in phase.update:
            if name not in reached and name not in idle:
                found.append(
                    Problem(
                        f"no term of phase '{phase.name}' reaches network '{name}'",
                        phase.place,
                        "add a term that uses it, or do not update it",
                    )
                )
    used = {id(n) for n in reachable(graph.roots)}
    written: dict[str, list[str]] = {}
    for name in graph.values:
        written.setdefault(graph.patterns.get(name, name), []).append(name)
    for pattern, names in written.items():
        folded = any(n in asked and graph.values[n].scalar for n in names)
        if not folded and all(id(graph.values[n]) not in used for n in names) and not pattern.startswith("_"):
            node = graph.values[names[0]]
            kind = {"draw": "draw", "input": "input"}.get(node.op, "value")
            found.append(Problem(f"{kind} '{pattern}' is not used", node.place, "use it or drop it"))
    return found


def _idle(graph: Graph) -> set[str]:
    """Networks that nothing calls though others of the same line are called: a variant may need fewer of them."""
    called = networks_of(reachable(graph.roots))
    busy = {graph.patterns.get(name, name) for name in called}
    return {name for name in graph.networks if name not in called and graph.patterns.get(name, name) in busy}


def _passes_for(graph: Graph, nodes: Iterable[Node]) -> dict[str, Pass]:
    """The passes that `nodes` need: what they gather or fill is used, by another such pass too."""
    used = set(nodes)
    kept: dict[str, Pass] = {}
    waiting = True
    while waiting:
        waiting = False
        names = {n.target for n in used if n.op == "collected"}
        for one in graph.passes.values():
            if one.name not in kept and (names & set(one.collect) or used & set(one.fill)):
                kept[one.name] = one
                used |= set(reachable(one.roots))
                waiting = True
    return {name: one for name, one in graph.passes.items() if name in kept}


def prune(graph: Graph) -> Graph:
    """Terms of weight 0 go, and with them what only they needed."""
    phases: list[Phase] = []
    for phase in graph.phases:
        terms = tuple(t for t in phase.terms if not is_zero(t.weight))
        if not terms:
            continue
        reached = {n for t in terms for n in trained_through(t.loss)}
        had = {n for t in phase.terms for n in trained_through(t.loss)}
        # A network that only terms of weight 0 reached is not updated any more.
        update = tuple(n for n in phase.update if n in reached or n not in had)
        phases.append(replace(phase, terms=terms, update=update))
    training_nodes = reachable(
        [n for p in phases for n in (*p.first, *(t.loss for t in p.terms), *(t.weight for t in p.terms))]
    )
    trained = {n for p in phases for n in p.update}
    translations = {
        name: t
        for name, t in graph.translations.items()
        if all(graph.networks[n].frozen or n in trained for n in networks_of(reachable([t.node])))
    }
    extra = reachable([t.node for t in translations.values()])
    passes = _passes_for(graph, [*training_nodes, *extra, *reachable([n for _, n in graph.show])])
    extra = [*extra, *reachable([n for one in passes.values() for n in one.roots])]
    own_fields = {f.name for t in translations.values() for f in t.fields}
    own_fields -= {f.name for s in graph.streams for f in s.fields}
    needed_inputs = {n.target for n in [*training_nodes, *extra] if n.op == "input"} - own_fields
    if not needed_inputs and any(_counts_rows(n) for n in training_nodes):
        needed_inputs = {f.name for s in graph.streams for f in s.fields[:1]}  # something must say how many rows
    # What shows another row of the same label needs to know the labels.
    for stream in graph.streams:
        shown = [one for one in others_of(stream) if one.name in needed_inputs]
        known = [found for one in shown for found in (label_of(one, stream), shown_by(one, stream)) if found]
        needed_inputs |= {one.name for one in known}
    streams = tuple(
        replace(s, fields=kept)
        for s in graph.streams
        if (kept := tuple(one for one in s.fields if one.name in needed_inputs))
    )
    show = tuple(
        (text, node)
        for text, node in graph.show
        if all(
            (n.op != "input" or n.target in needed_inputs)
            and (n.op != "call" or n.target in trained or graph.networks[n.target].frozen)
            for n in reachable([node])
        )
    )
    everything = set(reachable([*training_nodes, *extra, *(n for _, n in show)]))
    networks = {n: net for n, net in graph.networks.items() if n in networks_of(everything)}
    phases = [_without_unused(p, set(networks)) for p in phases]
    values = {name: node for name, node in graph.values.items() if node in everything}
    return replace(
        graph,
        phases=tuple(phases),
        translations=translations,
        streams=streams,
        show=show,
        passes=passes,
        networks=networks,
        values=values,
        lifetime={n: k for n, k in graph.lifetime.items() if n in everything},
        averages={n: a for n, a in graph.averages.items() if n in networks},
        groups=tuple(
            replace(g, networks=own) for g in graph.groups if (own := tuple(n for n in g.networks if n in networks))
        ),
    )


def _without_unused(phase: Phase, networks: set[str]) -> Phase:
    """The phase without networks that nothing calls (`lint` has said so)."""
    return replace(phase, update=tuple(n for n in phase.update if n in networks))


def _counts_rows(node: Node) -> bool:
    """A draw with a row for each row of the batch."""
    return node.op == "draw" and not node.args and bool(parse_signature(look_up(node.target).signature).inputs)


def dependencies(graph: Graph) -> Mapping[Node, frozenset[str]]:
    """For every node the networks its result depends on, by any path; kept values, states and draws cut it.

    What depends only on kept values, inputs, draws and state is not invalidated when a network is stepped.
    """
    found: dict[Node, frozenset[str]] = {}
    for node in reachable(graph.roots):
        below: frozenset[str] = frozenset()
        children: list[Any] = [*node.args, *(v for _, v in node.settings if isinstance(v, Node))]
        for child in children if node.op != "draw" else ():  # a draw depends on shapes only
            if graph.lifetime.get(child) != "iteration" and child.op != "state":
                below |= found[child]
        if node.op == "call" and not node.average:
            below |= {node.target}
        found[node] = below
    return found
