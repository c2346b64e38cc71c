"""Random numbers that are a function of their name, so that any batch of a run can be made without the ones before.

There is no generator state. The raw bits of Philox for a given key are fixed for good by numpy's compatibility
policy, which the methods of `numpy.random.Generator` are not; so only raw bits are used here.
Source: Salmon et al., Parallel random numbers: as easy as 1, 2, 3 (SC 2011).
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt


def raw(count: int, *name: int | str) -> npt.NDArray[np.uint64]:
    """`count` random 64-bit numbers that belong to `name`: `raw(3, seed, "order", "pair", epoch)`."""
    digest = hashlib.blake2b(repr(name).encode(), digest_size=16).digest()
    bits: npt.NDArray[np.uint64] = np.random.Philox(key=int.from_bytes(digest, "little")).random_raw(count)
    return bits


def uniform(count: int, *name: int | str) -> npt.NDArray[np.float64]:
    """`count` numbers from 0 up to 1, 1 left out."""
    bits = raw(count, *name) >> np.uint64(11)
    return bits.astype(np.float64) * 2.0**-53


def permutation(count: int, *name: int | str) -> npt.NDArray[np.int64]:
    """The numbers 0 to count-1 in random order."""
    return np.argsort(raw(count, *name), kind="stable")


def integers(count: int, below: int, *name: int | str) -> npt.NDArray[np.int64]:
    """`count` whole numbers from 0 to below-1, each as likely as the others to one part in 2^53 / below."""
    return (uniform(count, *name) * below).astype(np.int64)
