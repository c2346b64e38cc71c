"""Scene -> DOT, by the graphviz package. The same scene gives the same text."""

from __future__ import annotations

from collections.abc import Mapping

from graphviz import Digraph  # type: ignore[import-untyped]

from composer.drawing.legend import legend
from composer.drawing.parts import Part
from composer.drawing.scene import Arrow, Box, Scene, ranks
from composer.drawing.style import (
    FONT,
    GREY,
    INK,
    PALE,
    SMALL,
    TEXT,
    TIMES,
    TO,
    escaped,
    font,
    ink_on,
    phase_colour,
    stacked,
    text_width,
    tint,
)
from composer.drawing.words import count_text

WIDEST = 900.0  # points: then text of 9 points is at least 12 pixels high in a picture of 1200 pixels
NARROWEST = 480.0  # points of a legend line
RANKS, NODES = 0.2, 0.13  # inches between ranks, and between boxes of a rank
ACROSS = 4  # cards of a module's parts beside each other
ON_ARROWS = ("value", "shape", "note")  # texts that stand on the arrows, without a box


def scene_dot(scene: Scene) -> str:
    """The DOT of a scene: from left to right where that is not too wide, otherwise downwards."""
    graph = Digraph("picture")
    wide = length(scene)
    graph.attr(
        rankdir="LR" if wide <= WIDEST else "TB",
        ranksep=f"{RANKS}",
        nodesep=f"{NODES}",
        pad="0.1",
        bgcolor="white",
        fontname=FONT,
        fontsize=f"{SMALL:g}",
        labelloc="b",
        label=f"<{legend(scene, max(NARROWEST, wide) if wide <= WIDEST else NARROWEST)}>",
    )
    graph.attr("node", fontname=FONT, fontsize=f"{TEXT:g}", color=INK, fontcolor=INK, height="0", width="0")
    graph.attr("edge", arrowsize="0.6")
    kinds = {box.key: box.kind for box in scene.boxes}
    for box in scene.boxes:
        graph.node(box.key, **_node(box), tooltip=escaped(box.tip))
    for arrow in scene.arrows:
        graph.edge(arrow.tail, arrow.head, **_edge(arrow, kinds, bool(scene.phases)))
    return str(graph.source)


def parts_dot(part: Part, about: str) -> str:
    """The DOT of a module's parts: one table, cards within frames."""
    graph = Digraph("picture")
    title = f"{font(part.path, size=TEXT, bold=True)}{font(': ' + about)}"
    graph.attr(pad="0.1", bgcolor="white", fontname=FONT, fontsize=f"{SMALL:g}", label=f"<{title}>", labelloc="b")
    graph.node("n0", label=f"<{_card(part)}>", shape="plain", fontname=FONT, fontsize=f"{TEXT:g}", fontcolor=INK)
    return str(graph.source)


def _card(part: Part, depth: int = 0) -> str:
    """A part as a table: its head, and below it its words or the cards of its parts."""
    path = part.path + (f" {TO} {part.last.rsplit('.', 1)[-1]}" if part.last else "")
    kind = f"{part.number} {TIMES} {part.kind}" if part.number > 1 and part.kind else part.kind
    count = count_text(part.count) + (" each" if part.number > 1 else "") if part.count else ""
    head = [font(path, size=TEXT, bold=True), font(" ".join(word for word in (kind, count) if word), colour=GREY)]
    lines = [*(line for line in head if line), *(font(line, colour=INK) for line in part.lines)]
    words = '<BR ALIGN="LEFT"/>'.join([*lines, ""])
    rows = [f'<TR><TD COLSPAN="{ACROSS}" ALIGN="LEFT" VALIGN="TOP" CELLPADDING="2">{words}</TD></TR>']
    for start in range(0, len(part.parts), ACROSS):
        cards = "".join(f'<TD VALIGN="TOP">{_card(one, depth + 1)}</TD>' for one in part.parts[start : start + ACROSS])
        rows.append(f"<TR>{cards}</TR>")
    ground, spacing = ("white", PALE)[depth % 2], 2 if part.parts else 0
    around = f'BORDER="1" COLOR="{GREY}" BGCOLOR="{ground}" CELLBORDER="0" CELLSPACING="{spacing}" CELLPADDING="1"'
    return f"<TABLE {around}>{''.join(rows)}</TABLE>"


def length(scene: Scene) -> float:
    """About how many points the picture takes from left to right: its ranks, each as wide as its widest box."""
    found = ranks((box.key for box in scene.boxes), ((arrow.tail, arrow.head) for arrow in scene.arrows))
    widest: dict[int, float] = {}
    for box in scene.boxes:
        if box.kind != "copy":
            widest[found[box.key]] = max(widest.get(found[box.key], 0.0), width(box))
    return sum(widest.values()) + RANKS * 72 * max(0, len(widest) - 1)


def width(box: Box) -> float:
    """About how wide a box is, in points."""
    if box.kind == "function" and len(box.title) <= 2:
        return 13
    around = 2 if box.kind in ON_ARROWS else 22 if box.kind == "draw" else 12
    return around + max(text_width(box.title, TEXT + 1), *(text_width(line, SMALL) for line in box.detail.split("\n")))


def _node(box: Box) -> dict[str, str]:
    match box.kind:
        case "network":
            return _network(box)
        case "layer":
            return {
                "label": stacked(font(box.title, size=TEXT, bold=True), *_details(box)),
                "shape": "box",
                "style": "filled",
                "fillcolor": PALE,
                "penwidth": "0.8",
                "margin": "0.06,0.03",
            }
        case "input" | "copy":
            label = stacked(font(box.title, size=TEXT, italic=True), *_details(box))
            return {
                "label": label,
                "shape": "box",
                "style": "rounded,filled",
                "fillcolor": PALE,
                "margin": "0.06,0.03",
                "penwidth": "0.8",
            }
        case "draw":
            label = stacked(font(box.title, italic=True), *_details(box))
            return {"label": label, "shape": "ellipse", "style": "dotted", "margin": "0.01,0.01"}
        case "function":
            if len(box.title) <= 2:
                return {
                    "label": stacked(font(box.title, size=TEXT)),
                    "shape": "circle",
                    "color": GREY,
                    "margin": "0",
                    "fixedsize": "true",
                    "width": "0.17",
                    "height": "0.17",
                    "penwidth": "0.8",
                }
            return {
                "label": stacked(font(box.title, colour=GREY)),
                "shape": "box",
                "style": "rounded",
                "color": GREY,
                "penwidth": "0.7",
                "margin": "0.05,0.02",
            }
        case "term":
            colour = phase_colour(box.phases[0])
            ink = ink_on(colour)
            label = stacked(font(box.title, size=TEXT, bold=True, colour=ink), font(box.detail, colour=ink))
            return {
                "label": label,
                "shape": "box",
                "style": "rounded,filled",
                "fillcolor": colour,
                "color": colour,
                "margin": "0.08,0.03",
            }
    size = SMALL if box.kind == "note" else TEXT
    label = stacked(font(box.title, size=size, italic=True), *_details(box))
    return {"label": label, "shape": "plaintext", "margin": "0.04,0.02"}


def _details(box: Box) -> list[str]:
    return [font(line, colour=GREY) for line in box.detail.split("\n")]


def _network(box: Box) -> dict[str, str]:
    colours = [phase_colour(number) for number in box.phases] or [GREY]
    fill = ":".join(tint(colour, 0.22) for colour in colours[:2]) if box.phases else PALE
    return {
        "label": stacked(font(box.title, size=TEXT + 1, bold=True), *_details(box)),
        "shape": "box",
        "style": "filled,dashed" if "frozen" in box.marks else "filled",
        "fillcolor": "white" if "again" in box.marks else fill,
        "color": colours[0],
        "penwidth": "1.6",
        "margin": "0.08,0.04",
    }


def _edge(arrow: Arrow, kinds: Mapping[str, str], trained: bool) -> dict[str, str]:
    found = {"arrowhead": "none"} if kinds[arrow.head] in ON_ARROWS else {}
    if not trained:
        return found | {"color": INK}
    if not arrow.phases:
        return found | {"style": "dashed", "color": GREY, "penwidth": "0.8"}
    return found | {"color": ":".join(phase_colour(number) for number in arrow.phases[:3]), "penwidth": "1.5"}
