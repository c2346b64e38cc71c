"""Pieces and links -> Scene: the words in the boxes and on the arrows, and inputs drawn again where they are far."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from composer.drawing.families import Family
from composer.drawing.folding import Folding, Piece
from composer.drawing.naming import Naming, covering
from composer.drawing.scene import Arrow, Box, PhaseKey, Scene, ranks
from composer.drawing.words import counts_text, kind_text, row_shape, rows_note, shapes_text
from composer.nodes import Node, Phase
from composer.shapes import Shaped

FAR = 3  # an input that is used more ranks further on is drawn again there


def make_scene(shaped: Shaped, counts: Mapping[str, int], *, expand: bool = False) -> Scene:
    """The picture of a graph, folded over its indices or expanded."""
    return _Pictured(shaped, counts, expand=expand).scene()


class _Pictured:
    def __init__(self, shaped: Shaped, counts: Mapping[str, int], *, expand: bool) -> None:
        self.shaped, self.graph, self.counts = shaped, shaped.graph, counts
        self.folding = Folding(self.graph, expand=expand)
        self.names = self.folding.names
        self.pieces, self.links = self.folding.pieces, self.folding.links
        self.naming = Naming(self.folding)
        self.term_families = self.naming.terms
        self.keys = {key: f"n{number}" for number, key in enumerate(self.pieces)}
        self.counted: set[str] = set()

    def scene(self) -> Scene:
        boxes = {key: self.box(key, piece) for key, piece in self.pieces.items()}
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
            label = self.naming.used(tail, head, link)
            if start.kind == "input" and ranks[head] - ranks[tail] > FAR:
                arrows.append(Arrow(add("copy", label or start.title, tip=start.tip).key, end.key, phases))
                continue
            if (start.kind == "network" and end.kind in ("network", "term")) or start.kind == "function" != end.kind:
                if end.kind != "value" and tail not in results and (shape := self.result_shape(self.pieces[tail])):
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

    def result_shape(self, piece: Piece) -> str:
        """The shape of what a network gives, and of what a function gives where it is none of its arguments'."""
        nodes = [m for m in piece.members if isinstance(m, Node)]
        sizes = {row_shape(self.shaped.types.get(arg)) for node in nodes for arg in node.args}
        if piece.kind == "function" and all(row_shape(self.shaped.types.get(node)) in sizes for node in nodes):
            return ""
        return shapes_text([self.shaped.types.get(node) for node in nodes])

    # -- words --------------------------------------------------------------------------------------------------

    def box(self, key: Any, piece: Piece) -> Box:
        names, nodes = list(piece.names), [m for m in piece.members if isinstance(m, Node)]
        first = next(iter(piece.members))
        number = self.keys[key]
        match piece.kind:
            case "network":
                fresh = [name for name in names if name not in self.counted]
                self.counted.update(names)
                node = nodes[0]
                title = self.naming.relative(self.names.networks, key, [(m, m.target) for m in nodes])
                title = f"average({title})" if node.average else title
                title += f".{node.entry}" if node.entry else ""
                marks = {"again"} if not fresh else set()
                marks |= {"frozen"} if all(self.graph.networks[n].frozen for n in names) else set()
                phases = [i for i, p in enumerate(self.phase_updates()) if any(n in p for n in names)]
                return Box(
                    number,
                    "network",
                    title,
                    counts_text(fresh, self.counts),
                    phases=tuple(phases),
                    marks=frozenset(marks),
                    tip=first.text,
                )
            case "term":
                label = " | ".join(list(piece.texts)[:2])
                label = "" if label == key[2] else label
                return Box(number, "term", key[2], label, phases=(piece.phase,), tip=first.text)
            case "function":
                return Box(number, "function", names[0], tip=first.text)
        shape = shapes_text([self.shaped.types.get(node) for node in nodes])
        title = covering(self.names.values[names[0]], names)
        if piece.kind == "input" and not shape:
            shape = kind_text(self.shaped.types.get(nodes[0]))
        if piece.kind == "draw":
            shape = f"~ {next(iter(piece.texts))}"
        return Box(number, piece.kind, title, shape, tip=first.text)

    # -- the rest -----------------------------------------------------------------------------------------------

    def ranks(self) -> dict[Any, int]:
        """The rank of every box; an input stands just before its first use."""
        found = ranks(self.pieces, self.links)
        for key, piece in self.pieces.items():
            heads = [found[head] for tail, head in self.links if tail == key]
            if piece.kind in ("input", "draw") and heads:
                found[key] = min(heads) - 1
        return found

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
            found.append(PhaseKey(label, ", ".join(names), " + ".join(terms), _when(members[0])))
        return tuple(found)

    def notes(self, boxes: list[Box]) -> tuple[str, ...]:
        """What the variables of names and shapes stand for."""
        shown = {family.variables for family in self.families()}
        found = []
        for keys, variables in self.names.known.items():
            if variables in shown:
                rows = ", ".join(row[0] if len(row) == 1 else f"({','.join(row)})" for row in sorted(keys))
                found.append(f"{variables[0] if len(variables) == 1 else '(' + ','.join(variables) + ')'} ∈ {{{rows}}}")
        if not boxes:
            found.append("nothing is minimised")
        shapes = [box.detail for box in boxes if box.kind in ("input", "value", "shape") and box.detail]
        found += rows_note(shapes)
        if any(box.kind == "network" and box.detail for box in boxes):
            found.append("networks say how many parameters they have")
        return tuple(found)

    def families(self) -> list[Family]:
        return [*self.names.values.of.values(), *self.names.networks.of.values(), *self.term_families.values()]


def _when(phase: Phase) -> str:
    """When a phase runs, in words; nothing where it always does, once."""
    every = re.fullmatch(r"\(\(clock\.iteration \+ 1\) % (\d+) == 0\)", phase.when)
    when = phase.when.replace("clock.", "")
    parts = [f"every {every[1]} iterations" if every else f"when {when}"] if when else []
    parts += [f"{phase.repeat} times"] if phase.repeat > 1 else []
    return ", ".join(parts)
