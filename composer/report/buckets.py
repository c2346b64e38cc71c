"""Numbers by iteration, kept as the smallest, the largest and the mean of equal stretches of iterations.

However long a run is, a curve takes the same small place and no extreme is lost: a loss that jumped in one iteration
of 100,000 is still the largest of its stretch. What a bucket holds depends on the numbers alone, not on how they came.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float64]
Integers = NDArray[np.int64]

LIMIT = 512  # buckets of a curve; with the smallest and the largest of each it has 1,024 points


class Buckets:
    """One curve. Bucket k holds the iterations from `k * width` on, `width` of them; the width is a power of 2."""

    def __init__(self, width: int = 1, limit: int = LIMIT) -> None:
        self.width, self.limit = width, limit
        self.bad = 0  # numbers that were not finite
        self.count = np.zeros(limit, dtype=np.int64)
        self.low = np.full(limit, np.inf)
        self.high = np.full(limit, -np.inf)
        self.sum = np.zeros(limit)

    def add(self, iterations: Integers, values: Reals) -> None:
        """Take numbers of iterations below `width * limit`; what is not finite is counted and left out."""
        finite = np.isfinite(values)
        if not finite.all():
            self.bad += int((~finite).sum())
            iterations, values = iterations[finite], values[finite]
        places = iterations // self.width
        np.minimum.at(self.low, places, values)
        np.maximum.at(self.high, places, values)
        np.add.at(self.sum, places, values)
        np.add.at(self.count, places, 1)

    def widen(self) -> None:
        """Make every bucket twice as wide."""
        self.width *= 2
        half = self.limit // 2
        self.low = _halved(np.minimum(self.low[::2], self.low[1::2]), half, np.inf)
        self.high = _halved(np.maximum(self.high[::2], self.high[1::2]), half, -np.inf)
        self.sum = _halved(self.sum[::2] + self.sum[1::2], half, 0)
        self.count = np.concatenate([self.count[::2] + self.count[1::2], np.zeros(half, dtype=np.int64)])

    @property
    def smallest(self) -> float:
        return float(self.low.min())

    @property
    def largest(self) -> float:
        return float(self.high.max())

    def mean(self) -> Reals:
        """The mean of each bucket; nan where there is nothing in it."""
        with np.errstate(invalid="ignore"):
            return np.where(self.count > 0, self.sum / np.maximum(self.count, 1), np.nan)


def _halved(values: Reals, missing: int, empty: float) -> Reals:
    return np.concatenate([values, np.full(missing, empty)])
