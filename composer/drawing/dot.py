"""Scene -> DOT, by the graphviz package. The same scene gives the same text."""

from __future__ import annotations

from graphviz import Digraph

from composer.drawing.scene import Arrow, Box, Scene
from composer.drawing.style import FONT, GREY, INK, PALE, SMALL, TEXT, escaped, ink_on, phase_colour, text_width, tint

WIDEST = 900.0  # points: then text of 9 points is at least 12 pixels high in a picture of 1200 pixels


def font(text: str, *, size: float = SMALL, colour: str = "", bold: bool = False, italic: bool = False) -> str:
    """A piece of an HTML-like label."""
    inner = escaped(text)
    inner = f"<B>{inner}</B>" if bold else inner
    inner = f"<I>{inner}</I>" if italic else inner
    ink = f' COLOR="{colour}"' if colour else ""
    return f'<FONT POINT-SIZE="{size:g}"{ink}>{inner}</FONT>'


def scene_dot(scene: Scene, direction: str = "LR", clusters: bool = False) -> str:
    graph = Digraph("picture", node_attr={"fontname": FONT, "fontsize": f"{TEXT:g}", "color": INK, "fontcolor": INK,
                                          "height": "0", "width": "0"},
                    edge_attr={"fontname": FONT, "fontsize": f"{SMALL:g}", "fontcolor": GREY, "arrowsize": "0.6"})
    graph.attr(rankdir=direction, ranksep="0.2", nodesep="0.12", fontname=FONT, fontsize=f"{SMALL:g}", pad="0.1",
               label=f"<{legend(scene)}>", labelloc="b", labeljust="c", bgcolor="white")
    kinds = {box.key: box.kind for box in scene.boxes}
    for box in scene.boxes:
        if box.kind != "term" or not clusters:
            graph.node(box.key, **node(box))
    for number, phase in enumerate(scene.phases if clusters else ()):
        with graph.subgraph(name=f"cluster_{number}") as frame:
            frame.attr(label=f"<{font(f'{number+1} {phase.label}', bold=True, size=TEXT)}{font(f' trains {phase.update}')}>", style="rounded", color=phase_colour(number), margin="6", penwidth="1.2", labelloc="b")
            for box in scene.boxes:
                if box.kind == "term" and box.phases == (number,):
                    frame.node(box.key, **node(box))
    for arrow in scene.arrows:
        graph.edge(arrow.tail, arrow.head, **edge(arrow, kinds))
    return graph.source


def node(box: Box) -> dict[str, str]:
    tip = {"tooltip": escaped(box.tip).replace("&#92;", "&#92;")}
    match box.kind:
        case "network":
            first = font(box.title, size=TEXT + 1, bold=True)
            second = f"<BR/>{font(box.detail, colour=GREY)}" if box.detail else ""
            colours = [phase_colour(p) for p in box.phases]
            fill = "white" if "again" in box.marks else ":".join(tint(c, 0.22) for c in colours[:2]) or PALE
            style = "filled" if not box.marks & {"frozen"} else "filled,dashed"
            return {"label": f"<{first}{second}>", "shape": "box", "style": style, "fillcolor": fill, "penwidth": "1.6",
                    "color": colours[0] if colours else GREY, "margin": "0.06,0.04", **tip}
        case "input" | "copy":
            first = font(box.title, size=TEXT, italic=True)
            second = f"<BR/>{font(box.detail, colour=GREY)}" if box.detail else ""
            return {"label": f"<{first}{second}>", "shape": "box", "style": "rounded,filled", "fillcolor": PALE,
                    "margin": "0.05,0.03", "penwidth": "0.8", **tip}
        case "draw":
            return {"label": f"<{font(box.title, italic=True)}<BR/>{font('~ ' + box.tag, colour=GREY)}>", "shape": "ellipse",
                    "style": "dotted", "margin": "0,0", **tip}
        case "function" if len(box.title) <= 2:
            return {"label": f"<{font(box.title, size=TEXT)}>", "shape": "circle", "color": GREY, "fixedsize": "true",
                    "width": "0.17", "height": "0.17", "penwidth": "0.8", **tip}
        case "function":
            return {"label": f"<{font(box.title, colour=GREY)}>", "shape": "box", "style": "rounded", "color": GREY,
                    "penwidth": "0.6", "margin": "0.04,0.02", **tip}
        case "term":
            colour = phase_colour(box.phases[0])
            ink = ink_on(colour)
            first = font(box.title, size=TEXT, bold=True, colour=ink)
            second = f"<BR/>{font(box.detail, colour=ink)}" if box.detail else ""
            return {"label": f"<{first}{second}>", "shape": "box", "style": "rounded,filled", "fillcolor": colour,
                    "color": colour, "margin": "0.08,0.03", **tip}
    lines = [font(box.title, size=SMALL if box.kind == "note" else TEXT, italic=True)] if box.title else []
    lines += [font(box.detail, colour=GREY)] if box.detail else []
    return {"label": f"<{'<BR/>'.join(lines)}>", "shape": "plain", "margin": "0.02,0.01", **tip}


def edge(arrow: Arrow, kinds: dict[str, str]) -> dict[str, str]:
    found = {}
    if kinds[arrow.head] in ("value", "shape", "note"):
        found["arrowhead"] = "none"
    if not arrow.phases:
        return {**found, "style": "dashed", "color": GREY, "penwidth": "0.8"}
    return {**found, "color": ":".join(phase_colour(p) for p in arrow.phases[:3]), "penwidth": "1.5"}


def legend(scene: Scene) -> str:
    rows = []
    head = font(scene.title, size=TEXT, bold=True) + font(f"  {scene.about}" if scene.about else "")
    rows.append(f'<TR><TD ALIGN="LEFT" COLSPAN="4">{head}</TD></TR>')
    for number, phase in enumerate(scene.phases):
        colour = phase_colour(number)
        rows.append(f'<TR><TD BGCOLOR="{colour}">{font(f"{number + 1} {phase.label}", colour=ink_on(colour), bold=True)}</TD>'
                    f'<TD ALIGN="LEFT">{font(f"trains {phase.update}")}</TD></TR>')
    return f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="2">{"".join(rows)}</TABLE>'
