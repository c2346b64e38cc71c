"""How well a translation of the demo's pictures turned out: the scenes are known, so domain and content can be read.

Domain accuracy: the share of the pictures that a judge takes for the wanted style. The judge is the nearest mean in a
space of plain statistics: mean and deviation of the colours, and mean absolute differences between neighbours in four
directions, in three bands of the picture from sky to ground. It knows the real training pictures of every style and,
as classes of their own, those pictures through the best affine map of their colours to another style, so that a change
of colours alone is not taken for a style; where a method is given the classes of pixels, also each class in its mean
colour. A picture twice as far from the mean as any real one is of no style.

Content IoU: each pixel is read as the nearest colour of the style's palette; what is read as an object, against what
is one. The true pictures do not reach 1, since some parts of objects have colours of the ground: their row says it.

Diversity: mean absolute difference between translations of the same picture with other draws, over the same number
for the scene painted in two different styles of the target domain.

Images that are made of noise show no given scene. Their content is the IoU with the most alike of the training scenes,
their diversity the difference between one and the next over that of real pictures.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from composer.data.demo_maps import CLASSES, class_map
from composer.data.demo_paint import STYLES, paint, seen
from composer.data.demo_scenes import Scene, make_scene
from composer.data.demo_score import read_tones

Floats = npt.NDArray[np.float32]
BANDS = 3
KNOWN = 256  # training scenes that the judge knows
FARTHEST = 2  # times the farthest real picture


def pictures(scenes: Sequence[Scene], size: int, style: str) -> Floats:
    """The scenes in one style: `[n, 3, size, size]` in [-1, 1]."""
    painted = np.stack([paint(scene, size, style) for scene in scenes])
    return np.asarray(painted.transpose(0, 3, 1, 2) / 127.5 - 1, np.float32)


def test_scenes(count: int) -> list[Scene]:
    return [make_scene(0, "test", number) for number in range(count)]


def colour_map(given: Floats, wanted: Floats) -> npt.NDArray[np.float64]:
    """The affine map `[4, 3]` of red, green, blue and 1 that is nearest to `wanted` in the squares."""
    rows = given.transpose(0, 2, 3, 1).reshape(-1, 3).astype(np.float64)
    rows = np.concatenate([rows, np.ones((len(rows), 1))], axis=1)
    target = wanted.transpose(0, 2, 3, 1).reshape(-1, 3).astype(np.float64)
    return np.linalg.solve(rows.T @ rows, rows.T @ target)


def recoloured(given: Floats, affine: npt.NDArray[np.float64]) -> Floats:
    moved = given.transpose(0, 2, 3, 1) @ affine[:3] + affine[3]
    return np.ascontiguousarray(np.clip(moved, -1, 1).transpose(0, 3, 1, 2), np.float32)


def colour_mapped(given: Floats, wanted: Floats) -> Floats:
    """`given` through the affine map of its colours that is nearest to `wanted`."""
    return recoloured(given, colour_map(given, wanted))


def flat(images: Floats, scenes: Sequence[Scene]) -> Floats:
    """Each class of pixels in its mean colour over all the pictures `[n, 3, h, w]` of the scenes."""
    classes = np.stack([class_map(scene, images.shape[-1]) for scene in scenes])
    rows = images.transpose(0, 2, 3, 1)
    means = np.stack([rows[classes == kind].mean(axis=0) for kind in range(len(CLASSES))])
    return np.ascontiguousarray(means[classes].transpose(0, 3, 1, 2), np.float32)


def statistics(images: Floats) -> npt.NDArray[np.float64]:
    """`[n, 30]`: of each band the mean and deviation of each colour, and of grey the mean steps in four directions."""
    grey = images.mean(axis=1)
    steps = [np.abs(grey[:, :-1, :-1] - moved) for moved in (grey[:, :-1, 1:], grey[:, 1:, :-1], grey[:, 1:, 1:])]
    steps.append(np.abs(grey[:, :-1, 1:] - grey[:, 1:, :-1]))
    found = []
    for band in np.array_split(images, BANDS, axis=2):
        found += [band.mean(axis=(2, 3)), band.std(axis=(2, 3))]
    for step in steps:
        found += [band.mean(axis=(1, 2))[:, None] for band in np.array_split(step, BANDS, axis=1)]
    return np.concatenate(found, axis=1).astype(np.float64)


@dataclass(frozen=True)
class Judge:
    """Which style a picture has: `means` `[classes, k]` in units of `scale` `[k]`; no style for recoloured ones.

    `reach` `[classes]` is how far a picture may be.
    """

    names: tuple[str, ...]
    means: npt.NDArray[np.float64]
    scale: npt.NDArray[np.float64]
    reach: npt.NDArray[np.float64]

    def styles(self, images: Floats) -> list[str]:
        """The style of each picture `[n, 3, h, w]`, or an empty text."""
        far = _distances(statistics(images), self.means, self.scale)
        nearest = far.argmin(axis=1)
        near = far.min(axis=1) <= self.reach[nearest]
        return [self.names[number] if kept else "" for number, kept in zip(nearest, near, strict=True)]


@cache
def known_scenes() -> tuple[Scene, ...]:
    """The scenes of the judge; none of them is a test scene."""
    return tuple(make_scene(0, "train judge", number) for number in range(KNOWN))


@cache
def judge(size: int, knows_flat: bool = False) -> Judge:
    """The judge of pictures of a size."""
    scenes = known_scenes()
    real = {style: pictures(scenes, size, style) for style in STYLES}
    sets = dict(real.items())
    for source, target in itertools.permutations(STYLES, 2):
        sets[f"{source} as {target}"] = colour_mapped(real[source], real[target])
    if knows_flat:
        sets |= {f"flat {style}": flat(images, scenes) for style, images in real.items()}
    found = {name: statistics(images) for name, images in sets.items()}
    scale = np.concatenate([found[style] for style in STYLES]).std(axis=0)
    names = tuple(name if name in STYLES else "" for name in found)
    means = np.stack([rows.mean(axis=0) for rows in found.values()])
    far = [_distances(rows, means[number : number + 1], scale).max() for number, rows in enumerate(found.values())]
    return Judge(names, means, scale, FARTHEST * np.array(far))


def _distances(
    rows: npt.NDArray[np.float64], means: npt.NDArray[np.float64], scale: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Of each row `[n, k]` to each mean: `[n, classes]`."""
    return np.asarray(np.sqrt((((rows[:, None] - means) / scale) ** 2).sum(axis=2)))


def objects(images: Floats, style: str) -> npt.NDArray[np.bool_]:
    """Which pixels `[n, h, w]` of pictures are read as an object, by the palette of a style."""
    return np.asarray(read_tones(images, style) != 0)


@dataclass(frozen=True)
class Score:
    """Of one translation, or the mean of several: shares from 0 to 1."""

    accuracy: float
    iou: float
    diversity: float | None = None
    error: float | None = None  # mean absolute difference from the true picture, in image units

    @property
    def product(self) -> float:
        return self.accuracy * self.iou


def score(
    made: Sequence[Floats], scenes: Sequence[Scene], targets: Sequence[str], *, knows_flat: bool = False
) -> Score:
    """Score samples `[n, 3, size, size]` of each scene, wanted in any of the target styles.

    Content is read in the palette of the target style that the judge sees in a picture; where it sees another, in the
    target's in which it is read best.
    """
    size = made[0].shape[-1]
    true = np.stack([seen(scene, size) > 0 for scene in scenes])
    right, overlaps = [], []
    for images in made:
        found = judge(size, knows_flat).styles(images)
        right += [style in targets for style in found]
        readings = {style: objects(images, style) for style in targets}
        for number, style in enumerate(found):
            asked = [style] if style in targets else list(targets)
            overlaps.append(max(_overlap(readings[one][number], true[number]) for one in asked))
    error = None
    if len(targets) == 1:
        error = float(np.mean([np.abs(images - pictures(scenes, size, targets[0])) for images in made]))
    return Score(float(np.mean(right)), float(np.mean(overlaps)), diversity(made, scenes, targets), error)


def score_made_up(made: Sequence[Floats], scenes: Sequence[Scene], targets: Sequence[str]) -> Score:
    """Score images `[n, 3, size, size]` that were made of noise, wanted in the one target style."""
    (style,) = targets
    size = made[0].shape[-1]
    known = np.stack([seen(scene, size) > 0 for scene in known_scenes()])
    images = np.concatenate(made)
    right = [found == style for found in judge(size).styles(images)]
    overlaps = [max(_overlap(one, true) for true in known) for one in objects(images, style)]
    real = pictures(scenes, size, style)
    spread = np.abs(images - np.roll(images, 1, axis=0)).mean() / np.abs(real - np.roll(real, 1, axis=0)).mean()
    return Score(float(np.mean(right)), float(np.mean(overlaps)), float(spread))


def _overlap(found: npt.NDArray[np.bool_], true: npt.NDArray[np.bool_]) -> float:
    return float((found & true).sum() / max(1, (found | true).sum()))


def diversity(made: Sequence[Floats], scenes: Sequence[Scene], targets: Sequence[str]) -> float | None:
    """None where the target has one style, or there is one sample."""
    if len(made) < 2 or len(targets) < 2:
        return None
    size = made[0].shape[-1]
    return _spread(made) / _spread([pictures(scenes, size, style) for style in targets])


def _spread(sets: Sequence[Floats]) -> float:
    return float(np.mean([np.abs(one - other).mean() for one, other in itertools.combinations(sets, 2)]))
