"""Distances between two sets of features, [n, d] each, in float64. The order of the rows means nothing.

Frechet distance: GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium (arXiv:1706.08500),
eq. 6. Kernel distance: Demystifying MMD GANs (arXiv:1801.01401), section 4.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Features = npt.NDArray[np.float64]

SUBSETS = 100
LARGEST_SUBSET = 1000
_ROWS_AT_ONCE = 4096


@dataclass(frozen=True)
class KernelDistance:
    """Mean and deviation over `subsets` pairs of subsets of `size` rows. One pair has no deviation."""

    mean: float
    deviation: float | None
    subsets: int
    size: int


def in_order(features: npt.ArrayLike) -> Features:
    """The rows sorted, so that the order they came in changes no bit of a result."""
    rows = np.ascontiguousarray(features, np.float64)
    return rows[np.lexsort(rows.T[::-1])]


def frechet_distance(one: npt.ArrayLike, other: npt.ArrayLike) -> float:
    """|m - n|^2 + tr(S + T - 2 sqrt(S T)) for means m, n and covariances S, T (divided by rows - 1) of two sets.

    With S = A'A and T = B'B the trace of the root is the sum of the singular values of A B': no root of a singular
    matrix is taken, which is what a set with fewer rows than features has. At least 2 rows each.
    """
    x, y = in_order(one), in_order(other)
    mean_x, mean_y = x.mean(axis=0), y.mean(axis=0)
    root_x, root_y = _root(x - mean_x), _root(y - mean_y)
    shared = float(np.linalg.svd(root_x @ root_y.T, compute_uv=False).sum())
    spread = float(np.square(root_x).sum() + np.square(root_y).sum())
    return max(0.0, float(np.square(mean_x - mean_y).sum()) + spread - 2 * shared)


def _root(centred: Features) -> Features:
    """A with A'A the covariance of rows whose mean is 0; [min(n, d), d]."""
    rows, columns = centred.shape
    found = centred
    if rows > columns:
        # Orthogonal factors of the upper part and of what is left, so that no second copy of all rows is needed.
        found = centred[:0]
        for start in range(0, rows, _ROWS_AT_ONCE):
            part = np.concatenate([found, centred[start : start + _ROWS_AT_ONCE]])
            found = np.asarray(np.linalg.qr(part, mode="r"), np.float64)
    return np.asarray(found / np.sqrt(rows - 1), np.float64)


def kernel(x: Features, y: Features) -> Features:
    """(x . y / d + 1)^3 for all pairs of rows."""
    return np.asarray((x @ y.T / x.shape[1] + 1) ** 3, np.float64)


def squared_discrepancy(one: npt.ArrayLike, other: npt.ArrayLike) -> float:
    """The unbiased estimate of the squared maximum mean discrepancy under `kernel`; it may be below 0."""
    x, y = np.asarray(one, np.float64), np.asarray(other, np.float64)
    n, m = len(x), len(y)
    among_x, among_y = kernel(x, x), kernel(y, y)
    within_x = (among_x.sum() - np.trace(among_x)) / (n * (n - 1))
    within_y = (among_y.sum() - np.trace(among_y)) / (m * (m - 1))
    return float(within_x + within_y - 2 * kernel(x, y).mean())


def subset_size(one: int, other: int) -> int:
    """Rows in a subset: 1000, or half of the smaller set where there are fewer than twice as many."""
    return max(2, min(LARGEST_SUBSET, min(one, other) // 2))


def kernel_distance(
    one: npt.ArrayLike, other: npt.ArrayLike, *, seed: int = 0, subsets: int = SUBSETS, size: int | None = None
) -> KernelDistance:
    """The mean of `squared_discrepancy` over random subsets, and its deviation (divided by their number).

    The same rows in the same order and the same seed give the subsets that torch-fidelity takes. At least 2 rows each.
    """
    x, y = in_order(one), in_order(other)
    size = size or subset_size(len(x), len(y))
    if size == len(x) == len(y):
        return KernelDistance(squared_discrepancy(x, y), None, 1, size)
    random = np.random.RandomState(seed)
    found = []
    for _ in range(subsets):
        chosen_x = random.choice(len(x), size, replace=False)
        chosen_y = random.choice(len(y), size, replace=False)
        found.append(squared_discrepancy(x[chosen_x], y[chosen_y]))
    return KernelDistance(float(np.mean(found)), float(np.std(found)), subsets, size)
