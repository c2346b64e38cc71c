"""By what name a box or an arrow says something: `E[t]` where each E[b] is called for a fake[a,b]."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from composer.drawing.families import Families, Family, Key, joined, split_name
from composer.drawing.folding import Folding, Link, Piece
from composer.nodes import Node, Term


@dataclass(frozen=True, eq=False)
class Context:
    """A family of names around a piece, and the index values under which each of its members stands in it."""

    family: Family
    keys: Mapping[Node | Term, Key]
    below: bool


class Naming:
    """The names that the pieces of a picture use for networks and values."""

    def __init__(self, folding: Folding) -> None:
        graph, self.names, self.pieces = folding.graph, folding.names, folding.pieces
        self.consumers: dict[Node, list[Node | Term]] = {}
        for node in folding.order:
            for arg in [*node.args, *(v for _, v in node.settings if isinstance(v, Node))]:
                self.consumers.setdefault(arg, []).append(node)
        for phase in graph.phases:
            for term in phase.terms:
                self.consumers.setdefault(term.loss, []).append(term)
        self.terms = {term: self.names.term(phase, term) for phase in graph.phases for term in phase.terms}
        self.phase_of = {term: phase.name for phase in graph.phases for term in phase.terms}
        self.contexts = {key: self.context(piece) for key, piece in self.pieces.items()}

    def context(self, piece: Piece) -> list[Context]:
        """By family of names around the piece (its own, its users', its arguments'), the index values of each member.

        Only families that the members go through as a whole: for one of two images there is nothing to vary.
        """
        found: dict[tuple[bool, Family], dict[Node | Term, Key | None]] = {}
        for member in piece.members:
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
            if len(known) == len(piece.members) and set(known.values()) == {split_name(n)[1] for n in family.members}
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
                yield self.terms[one], one.name
                phase = self.phase_of[one]
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

    def relative(self, families: Families, key: Any, names: list[tuple[Node | Term, str]]) -> str:
        """The name by which the members of a piece know something: `E[t]` where each E[b] is called for a fake[a,b]."""
        family: Family = families[names[0][1]]
        if not family.variables:
            return family.label
        # What uses the members says best how they are meant; E[d] is plainer than E[s] where both hold.
        for context in sorted(self.contexts[key], key=lambda c: (c.below, c.family.variables != family.variables)):
            variables = context.family.variables
            written: list[str] = []
            for position, wanted in enumerate(family.variables):
                fitting = [
                    variable
                    for column, variable in enumerate(variables)
                    if all(split_name(name)[1][position] == context.keys[member][column] for member, name in names)
                ]
                written += [wanted if wanted in fitting else fitting[0]] if fitting else []
            if len(written) == len(family.variables):
                return joined(family.base, written)
        return covering(family, [name for _, name in names])

    def used(self, tail: Any, head: Any, link: Link) -> str:
        """What an arrow has to say: the name by which the tail is used, where it is not the one shown."""
        if not link.used:
            return ""
        names = list(link.used)
        family = self.names.values[names[0][1]]
        if not family.variables or (self.pieces[head].kind == "value" and tail[0] != "value"):
            return ""
        label = self.relative(self.names.values, head, names)
        return "" if label == family.label else label


def covering(family: Family, names: Iterable[str]) -> str:
    """The label of a family where `names` are all of it, otherwise the names."""
    used = list(dict.fromkeys(names))
    if len(used) == len(family.members):
        return family.label
    return ", ".join(used) if len(used) <= 2 else f"{len(used)} of {family.label}"
