"""What the pictures of the built-in demo show, as numbers: classes, instances and attributes, all of them true.

Classes: 0 sky, 1 far hill, 2 near hill, 3 balloon, 4 house, 5 tree. Where a graph asks for fewer, the last one takes
the rest. Instances are numbered as in Cityscapes: a ground by its class, a thing by class * 1000 + its number.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from composer.data.demo_paint import STYLES, seen
from composer.data.demo_scenes import TONES, Scene

GROUNDS = ("sky", "far hill", "near hill")
CLASSES = (*GROUNDS, *TONES)
ATTRIBUTES = (*list(STYLES)[1:], *TONES)  # how it is painted, the first style being none of them; what stands in it
THING_IDS = 1000  # of one class

Ids = npt.NDArray[np.int64]


def class_map(scene: Scene, size: int, classes: int = len(CLASSES)) -> Ids:
    """The class of each pixel `[size, size]`, below `classes`."""
    found = _grounds(scene, size)
    things = np.array([0, *(CLASSES.index(thing.kind) for thing in scene.things)])[seen(scene, size)]
    return np.minimum(np.where(things > 0, things, found), classes - 1)


def instance_map(scene: Scene, size: int) -> Ids:
    """The thing or ground of each pixel `[size, size]`; every thing has an id of its own."""
    counts: dict[str, int] = {}
    ids = [0]
    for thing in scene.things:
        number = counts[thing.kind] = counts.get(thing.kind, -1) + 1
        ids.append(CLASSES.index(thing.kind) * THING_IDS + number)
    things = np.array(ids)[seen(scene, size)]
    return np.where(things > 0, things, _grounds(scene, size))


def attributes(scene: Scene, style: str, count: int) -> npt.NDArray[np.float32]:
    """The first `count` of ATTRIBUTES, 0 or 1."""
    present = {style, *(thing.kind for thing in scene.things)}
    return np.array([name in present for name in ATTRIBUTES[:count]], np.float32)


def _grounds(scene: Scene, size: int) -> Ids:
    middles = ((np.arange(size) + 0.5) / size).astype(np.float32)
    found = np.zeros((size, size), np.int64)
    for number, hill in enumerate(scene.hills, start=1):
        found[middles[:, None] > hill.edge(middles[None, :])] = number
    return found
