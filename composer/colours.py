"""One colour for each number of a class, the same in every picture. Needs no torch."""

from __future__ import annotations

import colorsys

Colour = tuple[int, int, int]

GOLDEN = 0.618033988749895  # steps of this part of the colour circle keep neighbouring classes apart


def colour_of(kind: int) -> Colour:
    """Red, green and blue, 0 to 255; class 0 is black."""
    if kind <= 0:
        return (0, 0, 0)
    red, green, blue = colorsys.hsv_to_rgb(kind * GOLDEN % 1, 0.55 + 0.4 * (kind % 3) / 2, 0.95 - 0.25 * (kind % 2))
    return (round(255 * red), round(255 * green), round(255 * blue))
