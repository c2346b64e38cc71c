"""Colours, sizes and words of the pictures."""

from __future__ import annotations

FONT = "Helvetica,Arial,sans-serif"
TEXT, SMALL = 10.0, 9.0  # points; nothing is smaller

TIMES, MINUS, TO = "\u00d7", "\u2212", "\u2013"  # signs of print, by name because they look like others
BACKSLASH = "\u2216"  # drawn for a backslash, of which releases of Graphviz make different escapes even as an entity

INK, GREY, PALE = "#1a1a1a", "#5f5f5f", "#f2f2f2"

# Okabe-Ito colours: blue and orange, then the others darkened so that all eight are at least 7.5 apart in CIE
# lightness (46, 71, 28, 85, 55, 37, 63, 20) and stay apart in greyscale.
PHASES = ("#0072B2", "#E69F00", "#004C38", "#E4D83F", "#B56B94", "#903F00", "#4CA0CE", "#442837")


def phase_colour(number: int) -> str:
    return PHASES[number % len(PHASES)]


def channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def lightness(colour: str) -> float:
    """CIE lightness of a colour, 0 (black) to 100 (white): what is left of it in greyscale."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (x / 255 for x in channels(colour))]
    y = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return 116 * y ** (1 / 3) - 16 if y > 0.008856 else 903.3 * y


def tint(colour: str, share: float) -> str:
    """`colour` mixed with white; `share` is how much of it stays."""
    return "#" + "".join(f"{round(255 + (c - 255) * share):02x}" for c in channels(colour))


def ink_on(colour: str) -> str:
    """The text colour that is read best on a ground of `colour`."""
    return "#ffffff" if lightness(colour) < 60 else "#000000"


_NARROW, _WIDE = "iljtfIr.,:;|![]()' ", f"mwMW@%∈{TIMES}"


def text_width(text: str, size: float) -> float:
    """About how wide a text is, in points: to choose a direction, not to place anything."""
    return size * sum(0.31 if c in _NARROW else 0.85 if c in _WIDE else 0.57 for c in text)


def font(text: str, *, size: float = SMALL, colour: str = "", bold: bool = False, italic: bool = False) -> str:
    """A piece of an HTML-like label; nothing for no text."""
    if not text:
        return ""
    inner = escaped(text)
    inner = f"<B>{inner}</B>" if bold else inner
    inner = f"<I>{inner}</I>" if italic else inner
    ink = f' COLOR="{colour}"' if colour else ""
    return f'<FONT POINT-SIZE="{size:g}"{ink}>{inner}</FONT>'


def stacked(*lines: str, padding: int = 0) -> str:
    """An HTML-like label with these pieces below each other; cells keep descenders out of the next line."""
    rows = "".join(f"<TR><TD>{line}</TD></TR>" for line in lines if line)
    around = f'BORDER="0" CELLSPACING="0" CELLPADDING="{padding}"'
    return f"<<TABLE {around}>{rows or '<TR><TD></TD></TR>'}</TABLE>>"


def escaped(text: str) -> str:
    """A text inside an HTML-like label or a tooltip."""
    named = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\\": BACKSLASH}
    return "".join(named.get(c, c if c.isprintable() else "�") for c in text)
