"""Shaped graph -> Scene: what is one box, what is left to the text of another, where gradients flow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from composer.drawing.families import Families, Family, known_indices, split_name
from composer.drawing.formulas import Formulas, Leaf
from composer.listing import activities
from composer.nodes import Graph, Node, Phase, Term, reachable
from composer.plan import make_plan


def flows(graph: Graph) -> dict[str, set[Node]]:
    """By phase, the nodes through which its gradients flow, as the plans have it."""
    found: dict[str, set[Node]] = {phase.name: set() for phase in graph.phases}
    for active in activities(graph):
        plan = make_plan(graph, active)
        phases = {run.number: run.phase.name for run in plan.runs}
        for run in plan.runs:
            for one in run.made:
                for owner in one.owners:
                    found[phases[owner]].add(one.node)
    return found


@dataclass(eq=False)
class Piece:
    """A box in the making: the nodes and terms that it stands for."""

    kind: str
    members: dict[Node | Term, None] = field(default_factory=dict)
    names: dict[str, None] = field(default_factory=dict)  # full names: of values, of the networks called, of terms
    texts: dict[str, None] = field(default_factory=dict)  # formulas
    phase: int = -1


@dataclass(eq=False)
class Link:
    """An arrow in the making: which phases' gradients flow, and by whom under what name the tail is used."""

    phases: set[int] = field(default_factory=set)
    used: dict[tuple[Node | Term, str], None] = field(default_factory=dict)


class Names:
    """The families of a graph's values, networks, phases and terms."""

    def __init__(self, graph: Graph, *, expand: bool) -> None:
        self.graph, self.expand = graph, expand
        self.fields = [f.name for s in graph.streams for f in s.fields]
        phases = [p.name for p in graph.phases]
        every = [*self.fields, *graph.values, *graph.networks, *phases]
        self.known = {} if expand else known_indices(every, graph.patterns)
        self.networks = self._families(graph.networks)
        self.phases = self._families(phases)
        self.phase_labels = list(dict.fromkeys(self.phases.label(name) for name in phases))
        self.keep_apart(frozenset())

    def keep_apart(self, bases: frozenset[str]) -> None:
        """Fold the values anew, without those of `bases`."""
        self.values = self._families(dict.fromkeys([*self.fields, *self.graph.values]), bases)

    def _families(self, names: Iterable[str], apart: frozenset[str] = frozenset()) -> Families:
        found = list(names)
        bases = frozenset(split_name(name)[0] for name in found) if self.expand else apart
        return Families(found, self.graph.patterns, self.known, apart=bases)

    def term(self, phase: Phase, term: Term) -> Family:
        """A term's family: those of one line of the phase."""
        label = self.phases.label(phase.name)
        base = split_name(term.name)[0]
        names = [
            t.name
            for p in self.graph.phases
            if self.phases.label(p.name) == label
            for t in p.terms
            if t.place == term.place and split_name(t.name)[0] == base
        ]
        apart = frozenset({base} if self.expand else ())
        found = Families(dict.fromkeys(names), {}, self.known, apart=apart)[term.name]
        if self.expand or found.variables or len(set(names)) == 1:
            return found
        return Family(base, base, (), tuple(dict.fromkeys(names)))

    def phase_number(self, name: str) -> int:
        return self.phase_labels.index(self.phases.label(name))

    def of(self, node: Node) -> str:
        """The full name of a value, or nothing."""
        if node.op == "input":
            return node.target
        found = self.graph.name_of(node)
        return found if found in self.graph.values else ""


class Folding:
    """Pieces and links of a graph. Families that would make the picture run in circles are kept apart."""

    def __init__(self, graph: Graph, *, expand: bool) -> None:
        self.graph, self.expand = graph, expand
        self.names = Names(graph, expand=expand)
        self.flows = flows(graph)
        losses = [term.loss for phase in graph.phases for term in phase.terms]
        self.order = reachable(losses)
        self.formulas = Formulas(graph, self.order, losses)
        apart: frozenset[str] = frozenset()
        while True:
            self.pieces: dict[Any, Piece] = {}
            self.links: dict[tuple[Any, Any], Link] = {}
            self.build()
            circular = self.circular() - apart
            if not circular:
                break
            apart |= circular
            self.names.keep_apart(apart)

    # -- forms: nodes that differ by a renaming of indices alone have the same one --------------------------------

    def form(self, node: Node, renamed: dict[str, int] | None = None, *, inside: bool = True) -> Any:
        """With `inside`, a named value stands for itself; otherwise for what makes it."""
        if self.expand:
            return node
        renamed = {} if renamed is None else renamed
        name = self.names.of(node)
        if inside and name:
            return ("value", *_renamed(self.names.values[name], name, renamed))
        settings = tuple(
            (key, self.form(value, renamed) if isinstance(value, Node) else repr(value)) for key, value in node.settings
        )
        target: Any = node.target
        if node.op == "call":
            target = _renamed(self.names.networks[node.target], node.target, renamed)
        args = tuple(self.form(arg, renamed) for arg in node.args)
        owner = split_name(node.name)[0] if node.op in ("draw", "state") else ""
        return (node.op, target, node.entry, node.average, owner, settings, args)

    def key(self, node: Node) -> Any:
        """The box in which the result of `node` is found."""
        name = self.names.of(node)
        if name:
            return ("value", self.names.values.label(name))
        return (node.op, self.form(node, inside=False))

    # -- boxes and arrows ---------------------------------------------------------------------------------------

    def build(self) -> None:
        for node in self.order:
            self.add(node)
        for phase in self.graph.phases:
            for term in phase.terms:
                self.add_term(phase, term)

    def add(self, node: Node) -> None:
        name = self.names.of(node)
        if node.op == "call":
            key = ("call", self.form(node, inside=False))
            self.piece(key, "network", node, node.target)
            for arg in [*node.args, *(v for _, v in node.settings if isinstance(v, Node))]:
                self.connect(self.formulas.leaves(arg), key, node, [node])
            if name:
                self.piece(self.key(node), "value", node, name)
                self.link(key, self.key(node), [node])
        elif node.op in ("input", "draw"):
            self.piece(self.key(node), node.op, node, name or node.name).texts[node.target] = None
        elif name or self.formulas.is_box(node):
            found = self.formulas.of(node)
            made = self.key(node) if not name or not found.text else ("made", self.form(node, inside=False))
            self.piece(made, "function" if found.text else "value", node, found.text or name)
            self.connect(found.leaves, made, node, [])
            if name and found.text:
                self.piece(self.key(node), "value", node, name)
                self.link(made, self.key(node), [node])

    def add_term(self, phase: Phase, term: Term) -> None:
        family = self.names.term(phase, term)
        number = self.names.phase_number(phase.name)
        key = ("term", number, family.label, term if self.expand else term.place)  # a line of the phase is one box
        found = self.formulas.of_term(term)
        piece = self.piece(key, "term", term, term.name)
        piece.phase = number
        piece.texts[found.text] = None
        self.connect(found.leaves, key, term, [], phase.name)

    def piece(self, key: Any, kind: str, member: Node | Term, name: str) -> Piece:
        piece = self.pieces.setdefault(key, Piece(kind))
        piece.members[member] = None
        piece.names[name] = None
        return piece

    def connect(
        self, leaves: Iterable[Leaf], head: Any, member: Node | Term, path: list[Node], phase: str | None = None
    ) -> None:
        for leaf, between in leaves:
            link = self.link(self.key(leaf), head, [leaf, *between, *path], phase)
            if self.names.of(leaf):
                link.used[member, self.names.of(leaf)] = None

    def link(self, tail: Any, head: Any, path: Sequence[Node], only: str | None = None) -> Link:
        """An arrow along the nodes of `path`; gradients flow in every phase, or in one only (to a term)."""
        link = self.links.setdefault((tail, head), Link())
        for phase, live in self.flows.items():
            if only in (None, phase) and all(node in live for node in path):
                link.phases.add(self.names.phase_number(phase))
        return link

    def circular(self) -> frozenset[str]:
        """The base names of folded values on circles of arrows."""
        links = set(self.links)
        while True:
            tails, heads = {tail for tail, _ in links}, {head for _, head in links}
            kept = {(tail, head) for tail, head in links if tail in heads and head in tails}
            if kept == links:
                break
            links = kept
        found = [self.names.values[name] for tail, _ in links for name in self.pieces[tail].names if tail[0] == "value"]
        return frozenset(family.base for family in found if family.variables)


def _renamed(family: Family, name: str, renamed: Mapping[str, int]) -> tuple[Any, ...]:
    if not family.variables:
        return (family.label,)
    assert isinstance(renamed, dict)
    return (family.label, *(renamed.setdefault(value, len(renamed)) for value in split_name(name)[1]))
