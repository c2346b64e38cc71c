"""What a pass over the data gathers: class means, cluster centres, means. See `passes` in docs/language.md.

A collecting block sees one batch after the other without gradients, and has its result in the buffer `value`, which
is zeros before the pass and saved with the checkpoint.
"""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor, nn

from composer.block import Range, block
from composer.blocks.labels import class_of, segment_means, segments

Positive = Annotated[int, Range(1, None)]


class Collector(nn.Module):
    """A collecting block: `begin`, then called on each batch, then `finish`, which fills `value`."""

    value: Tensor

    def __init__(self, *sizes: int) -> None:
        super().__init__()
        self.register_buffer("value", torch.zeros(sizes))

    def begin(self) -> None:
        """Forget what an earlier pass gathered."""
        raise AssertionError("a collecting block has begin, forward and finish")

    def finish(self) -> None:
        """Work out `value` from what was gathered."""
        raise AssertionError("a collecting block has begin, forward and finish")


class _Sums(Collector):
    """A weighted mean over everything that was seen."""

    def begin(self) -> None:
        self.sums = torch.zeros_like(self.value)
        self.count = torch.zeros_like(self.value)

    def finish(self) -> None:
        self.value.copy_(self.sums / self.count.clamp(min=1))


@block("x[b ...] -> x[...]", role="collect", per_sample=False)
class MeanOver(_Sums):
    """The mean of all rows of a pass. Shapes: [b ...] -> [...]; ranges kept; zeros before the pass."""

    def __init__(self, rest: tuple[int, ...]) -> None:
        super().__init__(*rest)

    def forward(self, x: Tensor) -> None:
        self.sums += x.sum(0)
        self.count += x.shape[0]


@block("x[b c ...], label[b ...] -> x[{classes} c]", role="collect", per_sample=False, below="classes")
class ClassMean(_Sums):
    """The mean of each class over all rows (and pixels) of a pass. A class that was never seen has zeros.

    Shapes: [b c ...] and [b ...] whole numbers 0 to classes - 1 -> [classes c]; ranges kept.
    """

    def __init__(self, c: int, *, classes: Positive) -> None:
        super().__init__(classes, c)

    def forward(self, x: Tensor, label: Tensor) -> None:
        values = x.movedim(1, -1).flatten(0, -2)
        self.sums.index_add_(0, label.flatten(), values.to(self.sums.dtype))
        self.count.index_add_(0, label.flatten(), torch.ones_like(values).to(self.sums.dtype))


@block("x[b c h w], ids[b h w] -> x[{classes} {k} c]", role="collect", per_sample=False)
class ClassClusters(Collector):
    """Centres of `k` clusters of the segments of each class.

    A segment is the pixels of an image with the same id, and counts as the mean of `x` over them; its class is the id,
    or the id divided by `per` from `per` on. Segments of at most `share` of the image are left out. Centres are
    found by k-means: the first is the segment nearest to the mean, each next the one farthest from those before, then
    rounds of assigning and averaging until nothing moves. Where a class has fewer segments than `k` its centres
    repeat; one that was never seen has zeros. Shapes: [b c h w] and [b h w] -> [classes k c]; ranges kept.
    Source: High-Resolution Image Synthesis with Conditional GANs (arXiv:1711.11585), section 3.4.
    Differs: the start of the search is not random, so that centres are a function of the data.
    """

    def __init__(
        self,
        c: int,
        *,
        classes: Positive,
        k: Positive = 10,
        per: Positive = 1000,
        share: Annotated[float, Range(0, 1)] = 0.0,
    ) -> None:
        super().__init__(classes, k, c)
        self.classes, self.k, self.per, self.share = classes, k, per, share

    def begin(self) -> None:
        self.found: list[tuple[Tensor, Tensor]] = []  # class and features of segments, a batch each

    def forward(self, x: Tensor, ids: Tensor) -> None:
        number, count = segments(ids)
        means, sizes = segment_means(x, number, count)
        classes = torch.zeros(count, dtype=torch.int64, device=ids.device)
        classes.scatter_(0, number, class_of(ids, self.per).flatten())
        large = sizes > self.share * ids[0].numel()
        if large.is_meta:  # sizes alone are asked for, and how many there are is no size
            large = torch.ones(0, dtype=torch.int64, device="meta")
        self.found.append((classes[large], means.T[large]))

    def finish(self) -> None:
        classes = torch.cat([c for c, _ in self.found])
        rows = torch.cat([r for _, r in self.found]).to(self.value.dtype)
        self.value.zero_()
        for number in range(self.classes if len(rows) else 0):
            own = rows[classes == number]
            if len(own):
                centres = _centres(own, min(self.k, len(own)))
                self.value[number] = centres[torch.arange(self.k, device=own.device) % len(centres)]


def _centres(rows: Tensor, k: int, rounds: int = 100) -> Tensor:
    """k-means from a start that is a function of the rows."""
    first = int((rows - rows.mean(0)).square().sum(1).argmin())
    chosen = [first]
    nearest = (rows - rows[first]).square().sum(1)
    while len(chosen) < k:
        chosen.append(int(nearest.argmax()))
        nearest = nearest.minimum((rows - rows[chosen[-1]]).square().sum(1))
    centres = rows[chosen]
    for _ in range(rounds):
        own = torch.cdist(rows, centres).argmin(1)
        sums = torch.zeros_like(centres).index_add_(0, own, rows)
        sizes = torch.bincount(own, minlength=k).to(rows.dtype)[:, None]
        moved = torch.where(sizes > 0, sums / sizes.clamp(min=1), centres)
        if torch.equal(moved, centres):
            break
        centres = moved
    return centres
