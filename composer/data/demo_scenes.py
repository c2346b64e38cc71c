"""What the pictures of the built-in demo show: toy landscapes with balloons, houses and trees, as geometry.

Lengths are in widths of the picture, x grows to the right and y downwards, so that a scene is the same at any size.
A scene is a function of (seed, split, number): asking for more scenes never changes earlier ones, and no scene belongs
to two splits. How a scene is painted is the subject of `composer.data.demo_paint`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from composer.data import dice

Floats = npt.NDArray[np.float32]

# Hues in turns (0 red, 1/3 green, 2/3 blue), for the far and the near ones of a kind. Between neighbours lie at least
# 0.12 turns, so that a slightly wrong hue is not taken for another.
TONES: Mapping[str, tuple[float, float]] = {"balloon": (0.0, 0.13), "house": (0.62, 0.87), "tree": (0.32, 0.47)}
HUE_SPREAD = 0.02  # turns to either side
EXCEPTIONS = 0.06  # share of the objects that wear the hue of the other distance


@dataclass(frozen=True)
class Place:
    """Where an object of one kind may stand. `taken` and `near` are chances."""

    kind: str
    x: float
    taken: float
    near: float
    y: tuple[float, float]  # far, near: the middle of a balloon, the foot of a house or tree


# Kinds have places of their own, and far and near ones a height of their own. That is what tells an unpaired method
# which colour of one style is which of the other: moving an object is harder for it than painting it another colour.
PLACES = (
    Place("balloon", 0.26, 0.85, 0.6, (0.165, 0.28)),
    Place("balloon", 0.74, 0.85, 0.6, (0.165, 0.28)),
    Place("tree", 0.2, 0.94, 0.35, (0.69, 0.9)),
    Place("house", 0.5, 0.94, 0.65, (0.69, 0.9)),
    Place("tree", 0.8, 0.94, 0.35, (0.69, 0.9)),
)
RADII = (0.125, 0.17)  # half the width of a far and of a near object
HORIZONS = (0.52, 0.74)  # of the far and of the near hill


@dataclass(frozen=True)
class Thing:
    """A balloon, house or tree. `tone` is 0 or 1, which hue of its kind; `hue` is that hue, a little off."""

    kind: str
    near: bool
    x: float
    y: float
    radius: float
    tone: int
    hue: float


@dataclass(frozen=True)
class Hill:
    """Everything below height + swing * sin(2 pi (waves x + phase))."""

    height: float
    swing: float
    waves: float
    phase: float

    def edge(self, x: Floats) -> Floats:
        """Its upper edge at each x."""
        return np.asarray(self.height + self.swing * np.sin(2 * np.pi * (self.waves * x + self.phase)), np.float32)


@dataclass(frozen=True)
class Scene:
    """Hills and things, from the farthest to the nearest."""

    hills: tuple[Hill, ...]
    things: tuple[Thing, ...]


def make_scene(seed: int, split: str, number: int) -> Scene:
    """Scene `number` (from 0) of a split, which is any word: `train a`, `test`."""
    # Every place draws its seven numbers, taken or not, so that one chance does not move the others.
    draws = iter(dice.uniform(7 * len(PLACES) + 4 * len(HORIZONS), seed, "demo", split, number).tolist())
    found = [_thing(place, draws) for place in PLACES]
    things = sorted((t for t in found if t is not None), key=lambda t: (t.kind != "balloon", t.y))
    hills = tuple(
        Hill(_near(height, 0.05, draws), _near(0.035, 0.015, draws), _near(1.05, 0.35, draws), next(draws))
        for height in HORIZONS
    )
    return Scene(hills, tuple(things))


def _near(middle: float, spread: float, draws: Iterator[float]) -> float:
    return middle + spread * (2 * next(draws) - 1)


def _thing(place: Place, draws: Iterator[float]) -> Thing | None:
    taken, near, exception = next(draws) < place.taken, next(draws) < place.near, next(draws) < EXCEPTIONS
    x = _near(place.x, 0.06, draws)
    y = _near(place.y[near], 0.035, draws)
    radius = _near(RADII[near], 0.012, draws)
    tone = int(near != exception)
    hue = _near(TONES[place.kind][tone], HUE_SPREAD, draws)
    return Thing(place.kind, near, x, y, radius, tone, hue) if taken else None


@dataclass(frozen=True)
class Outline:
    """Distances of pixels from an object's outline and from the parts that a style may paint; negative inside."""

    whole: Floats
    parts: Mapping[str, Floats]


def outline(thing: Thing, x: Floats, y: Floats) -> Outline:
    """The outline at pixels x `[1, w]` and y `[h, 1]`: all distances are `[h, w]`."""
    return _SHAPES[thing.kind][0](x - np.float32(thing.x), y - np.float32(thing.y), thing.radius)


def bounds(thing: Thing) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of a box that holds the whole object."""
    up, down = _SHAPES[thing.kind][1:]
    side = 1.15 * thing.radius
    return thing.x - side, thing.y - up * thing.radius, thing.x + side, thing.y + down * thing.radius


def _disc(x: Floats, y: Floats, radius: float) -> Floats:
    return np.asarray(np.hypot(x, y) - radius)


def _box(x: Floats, y: Floats, half_width: float, half_height: float) -> Floats:
    across, along = np.abs(x) - half_width, np.abs(y) - half_height
    return np.asarray(np.hypot(np.maximum(across, 0), np.maximum(along, 0)) + np.minimum(np.maximum(across, along), 0))


def _triangle(x: Floats, y: Floats, half_width: float, height: float) -> Floats:
    """Its base lies on y = 0, its tip at y = -height (below for a negative height)."""
    up = y if height > 0 else -y
    tall = abs(height)
    side = (tall * (np.abs(x) - half_width) - half_width * up) / np.hypot(half_width, tall)
    return np.asarray(np.maximum(side, up))


def _balloon(x: Floats, y: Floats, r: float) -> Outline:
    bag = np.minimum(_disc(x, y, r), _triangle(x, y - 0.5 * r, 0.84 * r, -0.85 * r))
    basket = _box(x, y - 1.32 * r, 0.25 * r, 0.17 * r)
    # Seams run from pole to pole, as meridians do on a globe.
    meridian = np.abs(x) / np.sqrt(np.maximum(1.44 * r * r - y * y, 1e-6))
    gores = np.maximum((np.abs(meridian - 0.44) - 0.15) * r, bag)
    return Outline(np.minimum(bag, basket), {"lit": gores, "dark": basket})


def _house(x: Floats, y: Floats, r: float) -> Outline:
    wall = _box(x, y + 0.56 * r, 0.84 * r, 0.56 * r)
    roof = _triangle(x, y + 1.0 * r, 1.1 * r, 0.85 * r)
    windows = _box(np.asarray(np.abs(x) - 0.38 * r, np.float32), y + 0.5 * r, 0.2 * r, 0.22 * r)
    return Outline(np.minimum(wall, roof), {"dark": roof, "lamp": windows})


def _tree(x: Floats, y: Floats, r: float) -> Outline:
    trunk = _box(x, y + 0.18 * r, 0.16 * r, 0.2 * r)
    low = _triangle(x, y + 0.32 * r, 0.84 * r, 1.5 * r)
    high = _triangle(x, y + 1.2 * r, 0.66 * r, 1.4 * r)
    snow = np.maximum(high, y + 1.8 * r)
    return Outline(np.minimum(np.minimum(trunk, low), high), {"dark": trunk, "lit": snow})


# How a kind looks, and how many radii it reaches above and below its y.
_SHAPES: Mapping[str, tuple[Callable[[Floats, Floats, float], Outline], float, float]] = {
    "balloon": (_balloon, 1.05, 1.55),
    "house": (_house, 1.95, 0.05),
    "tree": (_tree, 2.7, 0.1),
}
