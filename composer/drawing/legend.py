"""The legend under a picture: what it is, its phases, and what its signs mean; only what the picture has."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from composer.drawing.scene import PhaseKey, Scene
from composer.drawing.style import GREY, PALE, SMALL, TEXT, TIMES, font, ink_on, phase_colour, text_width, tint

ACROSS = 3  # signs on a line


def legend(scene: Scene, width: float) -> str:
    """An HTML-like label whose lines are about `width` points long."""
    characters = max(60, int(width / text_width("n", SMALL)))
    title = f"{scene.title}: {scene.about}" if scene.about else scene.title
    rows = [_line(_text(title, characters, bold=scene.title))]
    rows += [_phase(number, phase, characters - 14) for number, phase in enumerate(scene.phases)]
    signs = [sign + f'<TD ALIGN="LEFT">{font(f"{text} ")}</TD>' for sign, text in _signs(scene)]
    rows += ["".join(signs[start : start + ACROSS]) for start in range(0, len(signs), ACROSS)]
    rows += [_line(_text("; ".join(scene.notes), characters))] if scene.notes else []
    body = "".join(f"<TR>{row}</TR>" for row in rows)
    return f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="2" CELLPADDING="2">{body}</TABLE>'


def _phase(number: int, phase: PhaseKey, characters: int) -> str:
    colour = phase_colour(number)
    parts = [f"trains {phase.update}", f"minimises {phase.terms}", phase.when]
    name = font(f" {number + 1} {phase.label} ", colour=ink_on(colour), bold=True)
    text = _text("; ".join(part for part in parts if part), characters)
    return f'<TD BGCOLOR="{colour}">{name}</TD><TD ALIGN="LEFT" COLSPAN="{2 * ACROSS - 1}">{text}</TD>'


def _signs(scene: Scene) -> Iterable[tuple[str, str]]:
    """Signs, as cells, and their meanings; a picture without phases (the inside of a network) needs none."""
    if not scene.phases:
        return
    kinds = {box.kind for box in scene.boxes}
    marks = {mark for box in scene.boxes for mark in box.marks}
    colours = [phase_colour(number) for number in range(len(scene.phases))]
    if "network" in kinds:
        yield _swatch("G", colours[0], tint(colours[0], 0.22), bold=True), "network in its phase's colour"
    if "again" in marks:
        yield _swatch("G", colours[0], "white", bold=True), "the same network again"
    if "frozen" in marks:
        yield _swatch("G", GREY, PALE, bold=True), "frozen network"
    if "input" in kinds:
        text = "input, also where it is used again" if "copy" in kinds else "input"
        yield _swatch("x", "black", PALE), text
    if "draw" in kinds:
        yield f"<TD>{font('n ~', italic=True)}</TD>", "random draw"
    if "term" in kinds:
        yield _swatch("l", colours[0], colours[0], bold=True), f"term: weight {TIMES} loss"
    line = "".join(font("——" if len(colours) > 1 else "———", colour=colour, bold=True) for colour in colours[:2])
    yield f"<TD>{line}</TD>", "gradients flow, in the phase's colour"
    yield f"<TD>{font('- - - -', colour=GREY)}</TD>", "no gradient flows"


# No cell has a STYLE: writing rounded or dashed cells of a label as JSON crashes some releases of Graphviz.
def _swatch(text: str, colour: str, fill: str, *, bold: bool = False) -> str:
    shown = font(text, bold=bold, italic=not bold, colour=ink_on(fill) if fill.startswith("#") else "black")
    return f'<TD BORDER="1" COLOR="{colour}" BGCOLOR="{fill}">{shown}</TD>'


def _text(text: str, characters: int, *, bold: str = "") -> str:
    """A text in lines of so many characters; `bold`, its beginning, stands out."""
    lines = textwrap.wrap(text, characters) or [""]
    shown = [font(line) for line in lines]
    if bold and lines[0].startswith(bold):
        shown[0] = font(bold, size=TEXT, bold=True) + font(lines[0].removeprefix(bold))
    return '<BR ALIGN="LEFT"/>'.join([*shown, ""]) if len(shown) > 1 else shown[0]


def _line(text: str) -> str:
    return f'<TD ALIGN="LEFT" COLSPAN="{2 * ACROSS}">{text}</TD>'
