"""How far an array of ours may be from a recorded one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

# kind -> (tolerance, that of arrays recorded in float32). A loss is compared relative to itself, everything else
# relative to the largest number of its array.
TOLERANCES = {
    "losses": (1e-7, 1e-6),
    "values": (1e-6, 1e-6),
    "weights": (1e-6, 1e-6),
    "rates": (1e-12, 1e-6),
    "gradients": (1e-7, 1e-6),
    "sums": (1e-7, 1e-6),  # of the absolute values of weights
}
NOTHING = 1e-300  # what counts as zero when something is divided by it


@dataclass(frozen=True)
class Difference:
    """An array that was compared: how far it is off, relative, and how far it may be."""

    name: str
    kind: str
    error: float
    tolerance: float
    note: str = ""

    @property
    def passes(self) -> bool:
        return self.error <= self.tolerance

    def __str__(self) -> str:
        return f"{self.name}: {self.note or f'off by {self.error:.1e}, {self.tolerance:.0e} is allowed'}"


def compare(name: str, kind: str, ours: Any, theirs: np.ndarray) -> Difference:
    """Compare an array of ours with a recorded one; whole numbers must be equal."""
    exact, rounded = TOLERANCES[kind]
    tolerance = rounded if theirs.dtype == np.float32 else exact
    got = np.asarray(ours)
    if got.shape != theirs.shape:
        note = f"ours has shape {list(got.shape)}, theirs {list(theirs.shape)}"
        return Difference(name, kind, np.inf, tolerance, note)
    if not np.issubdtype(theirs.dtype, np.floating):
        same = bool((got == theirs).all())
        return Difference(name, kind, 0.0 if same else np.inf, 0.0, "" if same else "whole numbers differ")
    wanted, got = theirs.astype(np.float64), got.astype(np.float64)
    if not (np.isfinite(wanted).all() and np.isfinite(got).all()):
        return Difference(name, kind, np.inf, tolerance, "there are numbers that are not finite")
    if not wanted.size:
        return Difference(name, kind, 0.0, tolerance)
    off, scale = float(np.abs(got - wanted).max()), float(np.abs(wanted).max())
    return Difference(name, kind, off / scale if scale > NOTHING else off, tolerance)
