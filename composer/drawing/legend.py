"""The legend under a picture: what it is, its phases, and what its signs mean; only what the picture has."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from composer.drawing.scene import PhaseKey, Scene
from composer.drawing.style import GREY, PALE, TEXT, font, ink_on, phase_colour, tint

LINE = 88  # characters


def legend(scene: Scene) -> str:
    """An HTML-like label."""
    rows = [_row(_cell(_lines(f"{scene.title}: {scene.about}" if scene.about else scene.title, first=scene.title)))]
    rows += [_row(_phase(number, phase)) for number, phase in enumerate(scene.phases)]
    signs = list(_signs(scene))
    rows += [_row(_pairs(signs[start : start + 3])) for start in range(0, len(signs), 3)]
    if scene.notes:
        rows.append(_row(_cell(_lines("; ".join(scene.notes)))))
    return _table(rows)


def _phase(number: int, phase: PhaseKey) -> str:
    colour = phase_colour(number)
    parts = [f"trains {phase.update}", f"minimises {phase.terms}", phase.when]
    name = f'<TD BGCOLOR="{colour}" VALIGN="MIDDLE">{font(f"{number + 1} {phase.label}", colour=ink_on(colour), bold=True)}</TD>'
    return f"<TD>{_table([name + _cell(_lines('; '.join(part for part in parts if part)))])}</TD>"


def _signs(scene: Scene) -> Iterable[tuple[str, str]]:
    """Signs and their meanings."""
    kinds = {box.kind for box in scene.boxes}
    marks = {mark for box in scene.boxes for mark in box.marks}
    colours = [phase_colour(number) for number in range(len(scene.phases))][:3] or [GREY]
    if scene.phases:
        line = "".join(font("——", colour=colour, bold=True) for colour in colours[:2])
        yield f"<TD>{line}</TD>", "gradients flow, in the phase of the colour"
        yield f"<TD>{font('- - -', colour=GREY)}</TD>", "no gradient flows"
    if "network" in kinds and scene.phases:
        yield _swatch("G", colours[0], tint(colours[0], 0.22), bold=True), "network, in the colour of what trains it"
    if "again" in marks:
        yield _swatch("G", colours[0], "white", bold=True), "the same network again"
    if "frozen" in marks:
        yield _swatch("G", GREY, PALE, style="dashed", bold=True), "frozen network"
    if "input" in kinds:
        yield _swatch("x", "black", PALE, style="rounded"), "input" + (", also where used again" if "copy" in kinds else "")
    if "draw" in kinds:
        yield _swatch("n", "black", "white", style="dotted"), "random draw"
    if "term" in kinds:
        yield _swatch("l", colours[0], colours[0], style="rounded", bold=True), "term: weight × loss"


def _swatch(text: str, colour: str, fill: str, *, style: str = "solid", bold: bool = False) -> str:
    shown = font(text, bold=bold, italic=not bold, colour=ink_on(fill) if fill.startswith("#") else "black")
    box = f'<TD BORDER="1" COLOR="{colour}" BGCOLOR="{fill}" STYLE="{style}" WIDTH="18">{shown}</TD>'
    return f"<TD>{_table([box])}</TD>"


def _pairs(signs: list[tuple[str, str]]) -> str:
    cells = "".join(sign + f'<TD ALIGN="LEFT">{font(meaning)}</TD>' for sign, meaning in signs)
    return f"<TD>{_table([cells])}</TD>"


def _lines(text: str, first: str = "") -> str:
    """A text broken into lines of `LINE` characters; `first`, its beginning, in bold."""
    lines = textwrap.wrap(text, LINE, break_long_words=True) or [""]
    shown = [font(line) for line in lines]
    if first and lines[0].startswith(first):
        shown[0] = font(first, size=TEXT, bold=True) + font(lines[0].removeprefix(first))
    return '<BR ALIGN="LEFT"/>'.join(shown) + ('<BR ALIGN="LEFT"/>' if len(shown) > 1 else "")


def _cell(inner: str) -> str:
    return f'<TD ALIGN="LEFT">{inner}</TD>'


def _row(inner: str) -> str:
    return inner.replace("<TD", '<TD ALIGN="LEFT"', 1) if not inner.startswith('<TD ALIGN') else inner


def _table(rows: Iterable[str]) -> str:
    body = "".join(f"<TR>{row}</TR>" for row in rows)
    return f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="2" CELLPADDING="1">{body}</TABLE>'
