"""How the scenes of the built-in demo are painted: one table of styles, and the brush.

`day` paints every object plain, on a light and soft ground. `night` keeps each object's hue (its value falls from 0.96
to 0.72, three quarters) but draws a bright rim, seams, roofs, snow and lit windows into it, and weaves the sky and the
hills from dark threads, each in a direction of its own. What is what has to be seen from the surroundings: no map from
a pixel's colour to another knows where a thread, a rim or a window lies. `winter` and `dusk` are for graphs with more
than two domains.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from composer.data.demo_scenes import TONES, Floats, Scene, bounds, outline

Bytes = npt.NDArray[np.uint8]
Colour = tuple[float, float, float]  # red, green, blue in 0..1

RIM = 0.02  # width of a rim, in widths of the picture
THREADS = 16  # of a weave, across the picture
SOFTNESS = 2.2  # a soft ground has its second colour 1 / SOFTNESS below its edge


@dataclass(frozen=True)
class Ground:
    """A ground of two colours. `pattern` mixes them: `soft` downwards, or a weave of `slanted`, `level`, `upright`."""

    first: Colour
    second: Colour
    pattern: str = "soft"


@dataclass(frozen=True)
class Paint:
    """Colour of a part of an object: saturation and value for the object's own hue, or a fixed colour."""

    saturation: float = 0.0
    value: float = 0.0
    fixed: Colour | None = None

    def colour(self, hue: float) -> Colour:
        """Red, green and blue in 0..1 for a hue in turns (hexcone model)."""
        if self.fixed is not None:
            return self.fixed
        red, green, blue = (min(max(abs((6 * hue + shift) % 6 - 3) - 1, 0), 1) for shift in (0, 4, 2))
        low, rise = self.value * (1 - self.saturation), self.value * self.saturation
        return low + rise * red, low + rise * green, low + rise * blue


@dataclass(frozen=True)
class Style:
    """Sky, far and near hill, and the paints of objects by part. Parts that a style has no paint for stay plain."""

    grounds: tuple[Ground, ...]
    plain: Paint
    parts: Mapping[str, Paint]


STYLES: Mapping[str, Style] = {
    "day": Style(
        (
            Ground((0.74, 0.86, 0.96), (0.98, 0.95, 0.90)),
            Ground((0.86, 0.89, 0.80), (0.77, 0.83, 0.73)),
            Ground((0.95, 0.91, 0.82), (0.85, 0.79, 0.69)),
        ),
        Paint(0.8, 0.96),
        {},
    ),
    "night": Style(
        (
            Ground((0.03, 0.05, 0.14), (0.26, 0.30, 0.42), "slanted"),
            Ground((0.05, 0.12, 0.10), (0.28, 0.38, 0.32), "level"),
            Ground((0.10, 0.06, 0.05), (0.40, 0.30, 0.26), "upright"),
        ),
        Paint(0.8, 0.72),
        {
            "dark": Paint(0.8, 0.5),
            "lit": Paint(0.65, 0.84),
            "lamp": Paint(fixed=(1.0, 0.86, 0.5)),
            "rim": Paint(0.55, 0.92),
        },
    ),
    "winter": Style(
        (
            Ground((0.72, 0.80, 0.88), (0.86, 0.91, 0.95), "level"),
            Ground((0.80, 0.86, 0.93), (0.94, 0.96, 0.99), "upright"),
            Ground((0.88, 0.92, 0.96), (1.00, 1.00, 1.00), "slanted"),
        ),
        Paint(0.55, 0.78),
        {"dark": Paint(0.6, 0.5), "lit": Paint(fixed=(1.0, 1.0, 1.0)), "lamp": Paint(fixed=(0.35, 0.32, 0.38))},
    ),
    "dusk": Style(
        (
            Ground((0.33, 0.20, 0.38), (0.95, 0.58, 0.38)),
            Ground((0.40, 0.22, 0.32), (0.52, 0.30, 0.34), "upright"),
            Ground((0.22, 0.12, 0.20), (0.34, 0.20, 0.25), "level"),
        ),
        Paint(0.7, 0.5),
        {"dark": Paint(0.7, 0.34), "lamp": Paint(fixed=(1.0, 0.82, 0.45)), "rim": Paint(0.55, 0.66)},
    ),
}


def paint(scene: Scene, size: int, style: str) -> Bytes:
    """The scene as `size` x `size` pixels `[size, size, 3]`, anti-aliased."""
    x, y = _pixels(size)
    look = STYLES[style]
    canvas = _ground(look.grounds[0], x, y, np.float32(0))
    for hill, ground in zip(scene.hills, look.grounds[1:], strict=True):
        edge = hill.edge(x)
        canvas += (_ground(ground, x, y, edge) - canvas) * _cover(edge - y, size)[..., None]
    for thing in scene.things:
        rows, columns = _window(bounds(thing), size)
        shape = outline(thing, x[:, columns], y[rows])
        inside = _cover(shape.whole, size)
        layers = [(look.plain, inside)]
        layers += [(look.parts[name], _cover(part, size)) for name, part in shape.parts.items() if name in look.parts]
        if "rim" in look.parts:
            layers.append((look.parts["rim"], _cover(np.abs(shape.whole + RIM / 2) - RIM / 2, size)))
        patch = canvas[rows, columns]
        for colours, cover in layers:
            colour = np.array(colours.colour(thing.hue), np.float32)
            patch += (colour - patch) * np.minimum(cover, inside)[..., None]
    return np.asarray(canvas * 255 + 0.5, np.uint8)


def seen(scene: Scene, size: int) -> npt.NDArray[np.int64]:
    """What each pixel shows: `[size, size]`, 0 the ground, k the thing number k - 1 of the scene."""
    x, y = _pixels(size)
    shown = np.zeros((size, size), np.int64)
    for number, thing in enumerate(scene.things, start=1):
        rows, columns = _window(bounds(thing), size)
        shown[rows, columns][outline(thing, x[:, columns], y[rows]).whole < 0] = number
    return shown


def palette(style: str) -> tuple[Floats, npt.NDArray[np.int64]]:
    """The colours of a style, and what each belongs to.

    Colours `[n, 3]` in 0..1; names `[n]`: 0 the ground, 1 + 2 * kind + tone an object (kinds in the order of `TONES`),
    -1 a part of an object that has the same colour in all of them. Mixtures of a ground's two colours are listed too.
    """
    look = STYLES[style]
    colours: list[Colour] = []
    names: list[int] = []
    for paints in (look.plain, *look.parts.values()):
        hues = [hue for tones in TONES.values() for hue in tones]
        for number, hue in enumerate(hues if paints.fixed is None else hues[:1], start=1):
            colours.append(paints.colour(hue))
            names.append(number if paints.fixed is None else -1)
    for ground in look.grounds:
        for share in (0.0, 0.25, 0.5, 0.75, 1.0):
            red, green, blue = (a + share * (b - a) for a, b in zip(ground.first, ground.second, strict=True))
            colours.append((red, green, blue))
            names.append(0)
    return np.array(colours, np.float32), np.array(names, np.int64)


def _pixels(size: int) -> tuple[Floats, Floats]:
    """Middles of the pixels: x `[1, size]` and y `[size, 1]`."""
    middles = ((np.arange(size) + 0.5) / size).astype(np.float32)
    return middles[None, :], middles[:, None]


def _window(box: tuple[float, float, float, float], size: int) -> tuple[slice, slice]:
    """Rows and columns of the pixels that a box touches."""
    left, top, right, bottom = (value * size for value in box)
    rows = slice(max(0, math.floor(top) - 1), max(0, math.ceil(bottom) + 1))
    return rows, slice(max(0, math.floor(left) - 1), max(0, math.ceil(right) + 1))


def _cover(distance: Floats, size: int) -> Floats:
    """The share of each pixel that lies inside, from the distance of its middle."""
    return np.asarray(np.clip(0.5 - distance * size, 0, 1), np.float32)


def _ground(ground: Ground, x: Floats, y: Floats, edge: Floats | np.float32) -> Floats:
    size = x.shape[1]
    threads = min(THREADS, size / 4)  # a thread is never finer than two pixels
    flat = np.zeros((size, size), np.float32)
    if ground.pattern == "soft":
        mix = flat + np.clip((y - edge) * SOFTNESS, 0, 1)
    else:
        along = {"slanted": x + y, "level": y + 0 * x, "upright": x + 0 * y}[ground.pattern]
        mix = flat + 0.5 + 0.5 * np.cos(2 * np.pi * threads * along)
    first, second = np.array(ground.first, np.float32), np.array(ground.second, np.float32)
    return np.asarray(first + (second - first) * mix[..., None], np.float32)
