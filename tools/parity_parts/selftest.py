"""Whether the comparison would notice: every array of a case is falsified in turn, and each time it must fail."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from composer.errors import ComposeError

from .compare import compare
from .replay import BY_ITERATION, Ours, Replay

SHARE = 1e-3  # of the scale of a compared array, on one element
SHARE_FED = 1e-2  # of the scale of a fed one, on every element


@dataclass(frozen=True)
class SelfTest:
    """How many arrays were falsified, and which of these nobody noticed."""

    compared: int
    fed: int
    missed: tuple[str, ...]


def falsify_compared(name: str, array: np.ndarray) -> np.ndarray:
    """`array` with one element moved, which one depends on the name."""
    changed = np.array(array)
    if not changed.size:
        return np.zeros(1, changed.dtype)
    place = np.unravel_index(zlib.crc32(name.encode()) % changed.size, changed.shape)
    if np.issubdtype(changed.dtype, np.floating):
        changed[place] += SHARE * (np.abs(changed).max() or 1)
    else:
        changed[place] += 1
    return changed


def falsify_fed(array: np.ndarray, numbers: bool = False) -> np.ndarray:
    """`array` with every element moved, by amounts that differ: what follows may not care for shifts and scales.

    Single draws (`numbers`) go to the other side of 1/2; of whole numbers all become none, or some where there were
    none. A mask and a coin become their opposites; other whole numbers grow by one, in a map every second one.
    """
    if numbers:
        if not array.size:
            return np.array([0.75 if np.issubdtype(array.dtype, np.floating) else 0], array.dtype)
        if np.issubdtype(array.dtype, np.floating):
            return 1 - array
        return np.full_like(array, -1 if (array >= 0).any() else 0)
    if not np.issubdtype(array.dtype, np.floating):
        if array.ndim > 2:  # a map of ids, of which it may only matter where they differ
            return array + (np.arange(array.size).reshape(array.shape) % 2).astype(array.dtype)
        return 1 - array if set(np.unique(array)) <= {0, 1} else array + 1
    pattern = np.cos(np.arange(array.size, dtype=np.float64)).reshape(array.shape)
    return (array + SHARE_FED * (np.abs(array).max() or 1) * pattern).astype(array.dtype)


def self_test(replay: Replay) -> SelfTest:
    """Falsify every array of a case that passes. Compared arrays need no second run; a run with a fed array that was
    falsified starts where that array comes in and ends at the first difference."""
    uses, arrays = replay.uses, replay.case.arrays
    ours: dict[str, Ours] = {name: (name, kind, value) for name, kind, value in replay.run()}
    missed = [
        name
        for name, kind in uses.compared.items()
        if compare(name, kind, ours[name][2], falsify_compared(name, arrays[name])).passes
    ]
    missed += [name for name in sorted(uses.fed) if not notices(replay, name)]
    return SelfTest(len(uses.compared), len(uses.fed), tuple(missed))


def notices(replay: Replay, name: str) -> bool:
    """Whether a run with this fed array falsified differs from the trace."""
    arrays = replay.case.arrays
    head, _, rest = name.partition("/")
    draw = replay.mapping.draws.get(rest.partition("/")[2]) if head == "draw" else None
    changed = {**arrays, name: falsify_fed(arrays[name], draw is not None and draw.numbers)}
    iteration = rest.partition("/")[0]
    start = int(iteration) if head in ("batch", "draw") and iteration.isdigit() else 0
    weight: tuple[str, str] | None = None
    if head == "init":
        network, _, key = rest.partition("/")
        weight = (network, key)
    elif start == 0 and (not iteration.isdigit() or head not in BY_ITERATION):
        start = replay.case.iterations  # an input of a translation, or of a block by itself: training is over
    try:
        for array, kind, value in replay.run(changed, start, weight):
            if not compare(array, kind, value, arrays[array]).passes:
                return True
    except (ComposeError, IndexError, RuntimeError):  # the number of no pixel, of no class
        return True
    return False
