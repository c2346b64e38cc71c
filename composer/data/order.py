"""Which rows make up batch k of a run: a function of (seed, k), without a state to save.

An epoch shows the stream that sets its length once, in an order of its own. The other streams go through their
own shuffled orders, one after the other without regard to the epoch, so that all their rows are used equally often;
`pairing="uniform"` draws a row for each item instead.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from composer.data import dice
from composer.errors import ComposeError, nearest

Pairing = Literal["shuffled", "uniform"]


@dataclass(frozen=True)
class Order:
    """The order of all streams. `rows`: how many rows each has; `leader`: the stream that sets the epoch."""

    rows: Mapping[str, int]
    pairing: Mapping[str, Pairing]
    leader: str
    batch: int
    seed: int
    shuffled: bool = True

    @property
    def epoch_length(self) -> int:
        """Batches in an epoch. In training the rows that do not fill a batch are left for the next epoch."""
        rows = self.rows[self.leader]
        return max(1, rows // self.batch) if self.shuffled else -(-rows // self.batch)

    def epoch_of(self, batch_number: int) -> int:
        """The epoch, from 0, that batch `batch_number` of the run lies in."""
        return batch_number // self.epoch_length

    def items(self, batch_number: int) -> tuple[int, range]:
        """The epoch of a batch, and the numbers of its items within that epoch."""
        epoch, position = divmod(batch_number, self.epoch_length)
        return epoch, range(position * self.batch, (position + 1) * self.batch)

    def indices(self, stream: str, batch_number: int) -> list[int]:
        """The rows of `stream` in batch `batch_number`, both counted from 0."""
        rows = self.rows[stream]
        epoch, items = self.items(batch_number)
        if not self.shuffled:
            return [item % rows for item in items]
        in_epoch = self.epoch_length * self.batch
        if self.pairing[stream] == "uniform":
            return [int(i) for i in _drawn(in_epoch, rows, self.seed, stream, epoch)[items]]
        # The leader starts afresh with each epoch, and wraps only when one batch is larger than all its rows.
        before = epoch * -(-in_epoch // rows) * rows if stream == self.leader else epoch * in_epoch
        return [self._shuffled(stream, before + item) for item in items]

    def another(self, stream: str, name: str, index: int, epoch: int, labels: npt.NDArray[np.int64]) -> int:
        """A row with the label of row `index`, another one where there is one: drawn anew in each epoch.

        `labels` are those of all rows `[rows]`. In order (at test time) it is the next row with that label.
        """
        same = np.flatnonzero(labels == labels[index])
        if len(same) < 2:
            return index
        place = int(np.searchsorted(same, index))
        step = int(dice.integers(1, len(same) - 1, self.seed, "another", stream, name, epoch, index)[0])
        return int(same[(place + 1 + (step if self.shuffled else 0)) % len(same)])

    def _shuffled(self, stream: str, item: int) -> int:
        turn, position = divmod(item, self.rows[stream])
        return int(_permutation(self.rows[stream], self.seed, stream, turn)[position])


def make_order(
    rows: Mapping[str, int],
    pairing: Mapping[str, Pairing],
    *,
    batch: int,
    seed: int,
    epoch: str = "longest",
    shuffled: bool = True,
) -> Order:
    """An order whose epoch is as long as the `longest` or `shortest` stream, or as the stream of that name."""
    if batch < 1:
        raise ComposeError(f"the batch is {batch} rows", remedy="it must be at least 1")
    by_length = sorted(rows, key=lambda stream: rows[stream])
    # Of equally long streams the first of the graph leads: sorting keeps their order.
    longest = next(stream for stream in rows if rows[stream] == rows[by_length[-1]])
    leader = {"longest": longest, "shortest": by_length[0]}.get(epoch, epoch)
    if leader not in rows:
        raise ComposeError(f"no stream '{leader}' to count epochs by", remedy=nearest(leader, rows))
    return Order(dict(rows), dict(pairing), leader, batch, seed, shuffled)


@functools.lru_cache(maxsize=32)  # all items of an epoch ask for the same order
def _permutation(count: int, seed: int, stream: str, turn: int) -> npt.NDArray[np.int64]:
    return dice.permutation(count, seed, "order", stream, turn)


@functools.lru_cache(maxsize=32)
def _drawn(count: int, below: int, seed: int, stream: str, epoch: int) -> npt.NDArray[np.int64]:
    return dice.integers(count, below, seed, "uniform", stream, epoch)
