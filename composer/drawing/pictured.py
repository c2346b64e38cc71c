"""Units and links -> Scene: the words in the boxes and on the arrows, and inputs drawn again where they are far."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from composer.drawing.families import Family, Key, joined, split_name
from composer.drawing.folding import Folding, Link, Unit
from composer.drawing.scene import Arrow, Box, PhaseKey, Scene, counts_text, row_shape, shapes_text
from composer.nodes import Node, Phase, Term
from composer.shapes import Shaped

FAR = 3  # an input that is used more ranks further on is drawn again there


def make_scene(shaped: Shaped, counts: Mapping[str, int], *, expand: bool = False) -> Scene:
    """The picture of a graph, folded over its indices or expanded."""
    return _Pictured(shaped, counts, expand=expand).scene()


@dataclass(frozen=True, eq=False)
class Context:
    """A family of names around a unit, and the index values under which each of its members stands in it."""

    family: Family
    keys: Mapping[Node | Term, Key]
    below: bool


class _Pictured:
    def __init__(self, shaped: Shaped, counts: Mapping[str, int], *, expand: bool) -> None:
        self.shaped, self.graph, self.counts = shaped, shaped.graph, counts
        self.folding = Folding(self.graph, expand=expand)
        self.names = self.folding.names
        self.units, self.links = self.folding.units, self.folding.links
        self.consumers: dict[Node, list[Node | Term]] = {}
        for node in self.folding.order:
            for arg in [*node.args, *(v for _, v in node.settings if isinstance(v, Node))]:
                self.consumers.setdefault(arg, []).append(node)
        for phase in self.graph.phases:
            for term in phase.terms:
                self.consumers.setdefault(term.loss, []).append(term)
        self.term_families = {
            term: self.names.term(phase, term) for phase in self.graph.phases for term in phase.terms
        }
        self.phase_of = {term: phase for phase in self.graph.phases for term in phase.terms}
        self.keys = {key: f"n{number}" for number, key in enumerate(self.units)}
        self.contexts = {key: self.context(unit) for key, unit in self.units.items()}
        self.counted: set[str] = set()

    def scene(self) -> Scene:
        boxes = {key: self.box(key, unit) for key, unit in self.units.items()}
        extra: list[Box] = []
        arrows: list[Arrow] = []
        ranks = self.ranks()
        results: dict[Any, Box] = {}  # the shapes of results without a name, which stand on their arrows
        flows: dict[Any, set[int]] = {}

        def add(kind: str, title: str, detail: str = "", tip: str = "") -> Box:
            extra.append(Box(f"m{len(extra)}", kind, title, detail, tip=tip))
            return extra[-1]

        for (tail, head), link in self.links.items():
            start, end, phases = boxes[tail], boxes[head], tuple(sorted(link.phases))
            label = self.used(tail, head, link)
            if start.kind == "input" and ranks[head] - ranks[tail] > FAR:
                arrows.append(Arrow(add("copy", label or start.title, tip=start.tip).key, end.key, phases))
                continue
            if start.kind == "network" and end.kind in ("network", "term") or start.kind == "function" != end.kind:
                if end.kind != "value" and tail not in results and (shape := self.result_shape(self.units[tail])):
                    results[tail] = add("shape", "", shape)
                if tail in results:
                    flows.setdefault(tail, set()).update(phases)
                    start = results[tail]
            if label:
                note = add("note", label)
                arrows.append(Arrow(start.key, note.key, phases))
                start = note
            arrows.append(Arrow(start.key, end.key, phases))
        arrows += [Arrow(boxes[tail].key, box.key, tuple(sorted(flows[tail]))) for tail, box in results.items()]
        used = {arrow.tail for arrow in arrows} | {arrow.head for arrow in arrows}
        kept = [box for box in [*boxes.values(), *extra] if box.key in used or box.kind != "input"]
        return Scene(self.graph.name, self.graph.about, tuple(kept), tuple(arrows), self.phases(), self.notes(kept))

    def result_shape(self, unit: Unit) -> str:
        """The shape of what a network gives, and of what a function gives where it is none of its arguments'."""
        nodes = [m for m in unit.members if isinstance(m, Node)]
        sizes = {row_shape(self.shaped.types.get(arg)) for node in nodes for arg in node.args}
        if unit.kind == "function" and all(row_shape(self.shaped.types.get(node)) in sizes for node in nodes):
            return ""
        return shapes_text([self.shaped.types.get(node) for node in nodes])

    # -- words --------------------------------------------------------------------------------------------------

    def box(self, key: Any, unit: Unit) -> Box:
        names, nodes = list(unit.names), [m for m in unit.members if isinstance(m, Node)]
        first = next(iter(unit.members))
        tip = first.text if isinstance(first, Node) else first.text
        number = self.keys[key]
        match unit.kind:
            case "network":
                fresh = [name for name in names if name not in self.counted]
                self.counted.update(names)
                node = nodes[0]
                title = self.relative(self.names.networks, key, [(m, m.target) for m in nodes])
                title = f"average({title})" if node.average else title
                title += f".{node.entry}" if node.entry else ""
                marks = {"again"} if not fresh else set()
                marks |= {"frozen"} if all(self.graph.networks[n].frozen for n in names) else set()
                phases = [i for i, p in enumerate(self.phase_updates()) if any(n in p for n in names)]
                return Box(
                    number, "network", title, counts_text(fresh, self.counts), phases=tuple(phases),
                    marks=frozenset(marks), tip=tip,
                )
            case "term":
                label = " | ".join(list(unit.texts)[:2])
                label = "" if label == key[2] else label
                return Box(number, "term", key[2], label, phases=(unit.phase,), tip=tip)
            case "function":
                return Box(number, "function", names[0], tip=tip)
        shape = shapes_text([self.shaped.types.get(node) for node in nodes])
        title = self.names.values.label(names[0]) if names[0] in self.names.values.of else names[0]
        if unit.kind == "draw":
            shape = f"~ {next(iter(unit.texts))}"
        return Box(number, unit.kind, title, shape, tip=tip)

    def context(self, unit: Unit) -> list[Context]:
        """By family of names around the unit (its own, its users', its arguments'), the index values of each member."""
        found: dict[tuple[bool, Family], dict[Node | Term, Key | None]] = {}
        for member in unit.members:
            for below, names in enumerate((self.above(member), self.below(member))):
                for family, name in names:
                    if family.variables:
                        known = found.setdefault((bool(below), family), {})
                        key = split_name(name)[1]
                        # A member with two names of one family says nothing about how it is indexed.
                        known[member] = key if known.get(member, key) == key else None
        return [
            Context(family, {m: k for m, k in known.items() if k is not None}, below)
            for (below, family), known in found.items()
            if len(known) == len(unit.members) and None not in known.values()
        ]

    def above(self, member: Node | Term) -> Iterable[tuple[Family, str]]:
        """The names that a member goes into: its own, or those of the values and terms that use it."""
        waiting: list[Node | Term] = [member]
        seen: set[Node | Term] = set()
        while waiting:
            one = waiting.pop(0)
            if one in seen:
                continue
            seen.add(one)
            if isinstance(one, Term):
                yield self.term_families[one], one.name
                phase = self.phase_of[one].name
                yield self.names.phases[phase], phase
            elif self.names.of(one):
                yield self.names.values[self.names.of(one)], self.names.of(one)
            else:
                waiting += self.consumers.get(one, [])

    def below(self, member: Node | Term) -> Iterable[tuple[Family, str]]:
        """The names that a member is made of."""
        waiting = list(member.args) if isinstance(member, Node) else [member.loss]
        seen: set[Node] = set()
        while waiting:
            one = waiting.pop(0)
            if one in seen:
                continue
            seen.add(one)
            if self.names.of(one):
                yield self.names.values[self.names.of(one)], self.names.of(one)
            else:
                waiting += one.args

    def relative(self, families: Any, key: Any, names: list[tuple[Node | Term, str]]) -> str:
        """The name by which the members of a unit know something: `E[t]` where each E[b] is called for a fake[a,b]."""
        family: Family = families[names[0][1]]
        if not family.variables:
            return family.label
        # What uses the members says best how they are meant; E[d] is plainer than E[s] where both hold.
        for context in sorted(self.contexts[key], key=lambda c: (c.below, c.family.variables != family.variables)):
            variables = context.family.variables
            written: list[str] = []
            for position, wanted in enumerate(family.variables):
                fitting = [
                    variable for column, variable in enumerate(variables)
                    if all(split_name(name)[1][position] == context.keys[member][column] for member, name in names)
                ]
                written += [wanted if wanted in fitting else fitting[0]] if fitting else []
            if len(written) == len(family.variables):
                return joined(family.base, written)
        used = list(dict.fromkeys(name for _, name in names))
        if len(used) == len(family.members):
            return family.label
        return ", ".join(used) if len(used) <= 2 else f"{len(used)} of {family.label}"

    def used(self, tail: Any, head: Any, link: Link) -> str:
        """What an arrow has to say: the name by which the tail is used, where it is not the one shown."""
        if not link.used:
            return ""
        names = list(link.used)
        family = self.names.values[names[0][1]]
        if not family.variables or self.units[head].kind == "value" and tail[0] != "value":
            return ""
        label = self.relative(self.names.values, head, names)
        return "" if label == family.label else label

    # -- the rest -----------------------------------------------------------------------------------------------

    def ranks(self) -> dict[Any, int]:
        """How many arrows lead to a box at most; an input stands just before its first use."""
        heads: dict[Any, list[Any]] = {}
        waiting = dict.fromkeys(self.units, 0)
        for tail, head in self.links:
            heads.setdefault(tail, []).append(head)
            waiting[head] += 1
        ranks = dict.fromkeys(self.units, 0)
        ready = [key for key, count in waiting.items() if count == 0]
        while ready:
            key = ready.pop()
            for head in heads.get(key, ()):
                ranks[head] = max(ranks[head], ranks[key] + 1)
                waiting[head] -= 1
                if waiting[head] == 0:
                    ready.append(head)
        for key, unit in self.units.items():
            if unit.kind in ("input", "draw") and key in heads:
                ranks[key] = min(ranks[head] for head in heads[key]) - 1
        return ranks

    def phase_updates(self) -> list[set[str]]:
        found: list[set[str]] = [set() for _ in self.names.phase_labels]
        for phase in self.graph.phases:
            found[self.names.phase_number(phase.name)] |= set(phase.update)
        return found

    def phases(self) -> tuple[PhaseKey, ...]:
        found = []
        for label, update in zip(self.names.phase_labels, self.phase_updates(), strict=True):
            names = dict.fromkeys(self.names.networks.label(n) for n in self.graph.networks if n in update)
            members = [p for p in self.graph.phases if self.names.phases.label(p.name) == label]
            terms = dict.fromkeys(self.term_families[t].label for p in members for t in p.terms)
            found.append(PhaseKey(label, ", ".join(names), " + ".join(terms), _when(members)))
        return tuple(found)

    def notes(self, boxes: list[Box]) -> tuple[str, ...]:
        """What the variables of names and shapes stand for."""
        shown = {family.variables for family in self.families()}
        found = []
        for keys, variables in self.names.known.items():
            if variables in shown:
                rows = ", ".join(row[0] if len(row) == 1 else f"({','.join(row)})" for row in sorted(keys))
                found.append(f"{variables[0] if len(variables) == 1 else '(' + ','.join(variables) + ')'} ∈ {{{rows}}}")
        if any("b×" in box.detail for box in boxes):
            found.append("shapes are those of one row, or of as many rows as they say, b being the rows of the batch")
        return tuple(found)

    def families(self) -> list[Family]:
        return [*self.names.values.of.values(), *self.names.networks.of.values(), *self.term_families.values()]


def _when(phases: list[Phase]) -> str:
    one = phases[0]
    parts = [one.when.replace("clock.", "")] if one.when else []
    parts += [f"{one.repeat} times"] if one.repeat > 1 else []
    return ", ".join(parts)
