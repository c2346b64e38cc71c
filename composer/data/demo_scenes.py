"""The pictures of the built-in demo: toy landscapes with balloons, houses and trees, drawn in two styles.

A scene is geometry and hues; a style is how it is painted. `day` paints every object plain on a light, soft sky and
soft hills. `night` keeps each object's hue (its value is 0.75 of the day's) but outlines it and lights windows, seams
and snow, and weaves the sky and every hill from dark threads. So the objects carry a cue from one style to the other,
and everything else has to be recognised from its surroundings.

Everything is plain numpy, drawn in the unit square with distance functions and anti-aliased, so that one scene has the
same picture at any size. A scene is a function of (seed, split, number) alone: more scenes never change earlier ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]

SPLITS = ("train_a", "train_b", "train_pairs", "test")  # each has scenes of its own
OBJECTS = ("balloon", "house", "tree")  # kinds 1, 2, 3 of a scene; 0 is an empty place
SLOTS = 5  # places for objects, painted from the first to the last
HILLS = 2

# Each kind has two tones: hue in turns (0 red, 1/3 green, 2/3 blue), how often the second one is taken.
TONES = np.array([[0.000, 0.130], [0.620, 0.870], [0.320, 0.470]])
NIGHT_VALUE = 0.75
import os
ODD=float(os.environ.get('ODD','.1'))
EXCEPTION=float(os.environ.get('EXC','.06'))#  # share of objects that wear the other tone of their kind


@dataclass(frozen=True)
class Scenes:
    """`n` scenes. Lengths are in widths of the image, y grows downwards, hues are in turns."""

    kind: Integers  # [n, SLOTS] 0 empty, 1 balloon, 2 house, 3 tree
    tone: Integers  # [n, SLOTS] 0 or 1, which tone of its kind
    x: Floats  # [n, SLOTS] middle
    y: Floats  # [n, SLOTS] middle of a balloon, foot of a house or tree
    radius: Floats  # [n, SLOTS] half the width
    hue: Floats  # [n, SLOTS]
    hill: Floats  # [n, HILLS, 4] height, swing, waves across the image, phase

    def __len__(self) -> int:
        return len(self.kind)

    def __getitem__(self, rows: slice) -> Scenes:
        return Scenes(*(getattr(self, field.name)[rows] for field in fields(self)))


def make_scenes(seed: int, split: str, start: int, count: int) -> Scenes:
    """Scenes number `start` to `start + count - 1` of a split."""
    place = SPLITS.index(split)
    draws = np.stack(
        [
            np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(place, number))).random(64)
            for number in range(start, start + count)
        ]
    )
    columns = iter(draws.T)

    def uniform(low: float, high: float, width: int) -> NDArray[np.float64]:
        return low + (high - low) * np.stack([next(columns) for _ in range(width)], axis=1)

    # Two places in the sky and three on the ground, each in a column of its own. What is far is small and stands high.
    near = (uniform(0, 1, SLOTS) < [0.6, 0.6, 0.35, 0.65, 0.35]).astype(np.int64)
    sky_x = np.array([0.26, 0.74]) + uniform(-0.07, 0.07, 2)
    ground_x = np.array([0.18, 0.5, 0.82]) + uniform(-0.05, 0.05, 3)
    x = np.concatenate([sky_x, ground_x], axis=1)
    y = np.where(near == 1, [0.29, 0.29, 0.9, 0.9, 0.9], [0.14, 0.14, 0.69, 0.69, 0.69]) + uniform(-0.04, 0.04, SLOTS)
    radius = np.where(near == 1, 0.16, 0.115) + uniform(-0.012, 0.012, SLOTS)
    balloon = np.where(uniform(0, 1, 2) < 0.85, 1, 0)
    middle = [False, True, False]
    odd = uniform(0, 1, 3) < ODD
    ground = np.where(uniform(0, 1, 3) < 0.06, 0, np.where(odd != middle, 2, 3))
    kind = np.concatenate([balloon, ground], axis=1)
    tone = np.where(uniform(0, 1, SLOTS) < EXCEPTION, 1 - near, near)
    hue = TONES[np.maximum(kind - 1, 0), tone] + uniform(-0.02, 0.02, SLOTS)
    heights = np.array([0.52, 0.74]) + uniform(-0.05, 0.05, 2)
    hill = np.stack([heights, uniform(0.02, 0.05, 2), uniform(0.7, 1.4, 2), uniform(0, 1, 2)], axis=2)
    order = np.argsort(y[:, 2:], axis=1, kind="stable") + 2  # who stands nearer is painted later
    order = np.concatenate([np.tile([[0, 1]], (count, 1)), order], axis=1)
    kind, tone, x, y, radius, hue = (np.take_along_axis(v, order, axis=1) for v in (kind, tone, x, y, radius, hue))
    single = np.float32
    return Scenes(
        kind, tone, x.astype(single), y.astype(single), radius.astype(single), hue.astype(single), hill.astype(single)
    )


def colour_of(hue: Floats, saturation: float, value: float) -> Floats:
    """RGB of hues in turns: `[...] -> [..., 3]` in [0, 1] (the usual hexcone)."""
    rgb = np.clip(np.abs((hue[..., None] * 6 + np.array([0, 4, 2], np.float32)) % 6 - 3) - 1, 0, 1)
    return (value * (1 - saturation + saturation * rgb)).astype(np.float32)


# Distances: `[n, h, w]` in widths of the image, negative inside. x and y are measured from the middle of the shape.


def _disc(x: Floats, y: Floats, radius: Floats) -> Floats:
    return np.asarray(np.hypot(x, y) - radius)


def _box(x: Floats, y: Floats, half_width: Floats, half_height: Floats) -> Floats:
    across, along = np.abs(x) - half_width, np.abs(y) - half_height
    outside = np.hypot(np.maximum(across, 0), np.maximum(along, 0))
    return np.asarray(outside + np.minimum(np.maximum(across, along), 0))


def _triangle(x: Floats, y: Floats, half_width: Floats, height: Floats) -> Floats:
    """Its base lies on y = 0, its tip at y = -height."""
    side = (height * (np.abs(x) - half_width) - half_width * y) / np.hypot(half_width, height)
    return np.asarray(np.maximum(side, y))


@dataclass(frozen=True)
class Drawn:
    """One object of each scene: how far every pixel is from its outline and from the parts a style may paint."""

    outline: Floats
    parts: dict[str, Floats]


def _balloon(x: Floats, y: Floats, r: Floats) -> Drawn:
    bag = _disc(x, y, r)
    basket = _box(x, y - 1.32 * r, 0.24 * r, 0.17 * r)
    meridian = np.abs(x) / np.sqrt(np.maximum(r * r - y * y, 1e-6))
    seam = np.maximum((np.abs(meridian - 0.5) - 0.18) * r, bag)
    return Drawn(np.minimum(bag, basket), {"lit": seam, "dark": basket})


def _house(x: Floats, y: Floats, r: Floats) -> Drawn:
    wall = _box(x, y + 0.52 * r, 0.84 * r, 0.52 * r)
    roof = _triangle(x, y + 1.0 * r, 1.1 * r, 0.8 * r)
    window = _box(np.abs(x) - 0.38 * r, y + 0.52 * r, 0.2 * r, 0.22 * r)
    return Drawn(np.minimum(wall, roof), {"dark": roof, "lamp": window})


def _tree(x: Floats, y: Floats, r: Floats) -> Drawn:
    trunk = _box(x, y + 0.15 * r, 0.15 * r, 0.2 * r)
    low = _triangle(x, y + 0.32 * r, 0.84 * r, 1.5 * r)
    high = _triangle(x, y + 1.2 * r, 0.66 * r, 1.4 * r)
    snow = np.maximum(high, y + 1.8 * r)
    return Drawn(np.minimum(np.minimum(trunk, low), high), {"dark": trunk, "lit": snow})


_SHAPES: tuple[Callable[[Floats, Floats, Floats], Drawn], ...] = (_balloon, _house, _tree)


@dataclass(frozen=True)
class Rendering:
    """Pictures of n scenes: images `[n, 3, h, w]` in [-1, 1] by style, and what every pixel shows."""

    images: dict[str, Floats]
    label: Integers  # [n, h, w] 0 sky, 1 far hill, 2 near hill, 3 balloon, 4 house, 5 tree
    instance: Integers  # [n, h, w] 0 for the ground, else 1 + the object's place
    plain: NDArray[np.bool_]  # [n, h, w] well inside an object, and no window, seam, roof, rim
