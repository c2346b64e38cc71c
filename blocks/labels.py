"""What labels do: choose parts of a value, look rows up in a table, average over segments, pick a head."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor, nn

from composer.block import Range, block
from composer.blocks.activations import Activation
from composer.blocks.layers import LinearLayer, Positive

Natural = Annotated[int, Range(0, None)]


@block("x[b k ...], label[b] -> x[b ...]", below="k")
def choose(x: Tensor, label: Tensor) -> Tensor:
    """Of each row the part that its label says, counted from 0: row i gives x[i, label[i]].

    Shapes: [b k ...] and [b] whole numbers 0 to k - 1 -> [b ...]; ranges kept. With scores for k classes it gives the
    score of the row's own class.
    """
    return x[torch.arange(x.shape[0], device=x.device), label]


@block("code[b c], label[b] -> code[b {out}]", name="linear_by_label", below="classes")
class LinearByLabel(nn.Module):
    """An affine map of each row, one for each class, then an activation: a head that the row's label picks.

    Several of them after each other are branches that share nothing. Shapes: [b c] and [b] whole numbers 0 to
    classes - 1 -> [b out]. Ranges: any. Rows of a class that is not in the batch get a gradient of 0.
    Source: StarGAN v2: Diverse Image Synthesis for Multiple Domains (arXiv:1912.01865), appendix F.
    """

    def __init__(self, c: int, *, classes: Positive, out: Positive, activation: Activation = "none") -> None:
        super().__init__()
        self.heads = nn.ModuleList([LinearLayer(c, out=out, activation=activation) for _ in range(classes)])

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        return choose(torch.stack([head(x) for head in self.heads], 1), label)


@block("like[b k ...] -> label[b ...] where value < k")
def labels_like(x: Tensor, value: Natural) -> Tensor:
    """The same class for every row and pixel of scores `x`. Shapes: [b k ...] -> [b ...] whole numbers.

    A number where a block needs a label means this: cross_entropy(D(x), 2).
    """
    return torch.full((x.shape[0], *x.shape[2:]), value, dtype=torch.int64, device=x.device)


@block("x[n c], label[b ...] -> x[b c ...]", below="n")
def paint(table: Tensor, label: Tensor) -> Tensor:
    """At every pixel the row of a table that its label says; zeros where the table has no such row.

    Shapes: [n c] and [b ...] whole numbers 0 to n - 1 -> [b c ...]; ranges kept.
    """
    inside = label.clamp(0, table.shape[0] - 1)
    return (table[inside] * (label == inside).unsqueeze(-1).to(table.dtype)).movedim(-1, 1)


@block("ids[b ...] -> label[b ...]")
def class_of(ids: Tensor, per: Positive = 1000) -> Tensor:
    """The class of an instance: an id from `per` on is its class times `per` and a number; one below is the class.

    Shapes alike, whole numbers. Source: the instance ids of the Cityscapes data set (arXiv:1604.01685).
    """
    return torch.where(ids < per, ids, torch.div(ids, per, rounding_mode="floor"))


@block("x[b c h w], ids[b h w] -> x[b c h w]")
def segment_mean(x: Tensor, ids: Tensor) -> Tensor:
    """In each image, every channel replaced by its mean over the pixels with the same id.

    Gradients flow through the means. Shapes: [b c h w] and [b h w] any whole numbers -> [b c h w]; ranges kept.
    Source: High-Resolution Image Synthesis with Conditional GANs (arXiv:1711.11585), section 3.4.
    """
    number, count = segments(ids)
    means, _ = segment_means(x, number, count)
    # `index_select` and not `[...]`: its gradient adds up in one order, so it is the same each time.
    return means.index_select(1, number).view(-1, x.shape[0], *x.shape[2:]).movedim(1, 0)


def segment_means(x: Tensor, number: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The mean of every channel over each of the segments, [c count], and how many pixels each has, [count].

    `number` and `count` as `segments` gives them; 0 for a number that no pixel has.
    """
    values = x.movedim(1, 0).flatten(1)
    sums = torch.zeros(values.shape[0], count, dtype=x.dtype, device=x.device).index_add(1, number, values)
    sizes = torch.zeros(count, dtype=x.dtype, device=x.device).index_add(0, number, torch.ones_like(values[0]))
    return sums / sizes.clamp(min=1), sizes


_TABLE = 65536  # numbers without a pixel cost less than sorting, up to so many


def segments(ids: Tensor) -> tuple[Tensor, int]:
    """A number for each pair of image and id, the same for all its pixels, and what they are below.

    Some numbers may have no pixel. Shapes: [b h w] any whole numbers -> [b*h*w].
    """
    image = torch.arange(ids.shape[0], device=ids.device).view(-1, *[1] * (ids.dim() - 1))
    low, span = int(ids.min()), int(ids.max()) - int(ids.min()) + 1
    if span * ids.shape[0] <= max(_TABLE, ids.numel()):
        return (ids - low + span * image).flatten(), span * ids.shape[0]
    distinct, number = torch.unique(ids, return_inverse=True)
    return (number + len(distinct) * image).flatten(), len(distinct) * ids.shape[0]


@block("x[n k c], index[m], ids[b ...] -> x[b c ...]", per_sample=False, below="min(n, k)")
def paint_segments(table: Tensor, index: Tensor, ids: Tensor, per: Positive = 1000) -> Tensor:
    """At every pixel one of the rows that a table has for its class: which one, its instance says.

    The instances of a batch are counted in the order of their ids; instance i takes row index[i] (index[i - m] from m
    on) of its class, see `class_of`; zeros where the table has no such class.
    Shapes: [n k c], [m] whole numbers 0 to k - 1, [b ...] ids of classes 0 to n - 1 -> [b c ...]; ranges kept.
    Source: High-Resolution Image Synthesis with Conditional GANs (arXiv:1711.11585), section 3.4.
    """
    row = index[ranks(ids) % index.shape[0]]
    return paint(table.flatten(0, 1), class_of(ids, per) * table.shape[1] + row)


def ranks(ids: Tensor) -> Tensor:
    """The place of each id among all that there are, from 0. Shapes alike."""
    low, span = int(ids.min()), int(ids.max()) - int(ids.min()) + 1
    if span > max(_TABLE, ids.numel()):
        number: Tensor = torch.unique(ids, return_inverse=True)[1]
        return number
    there = torch.zeros(span, dtype=torch.int64, device=ids.device).index_fill_(0, (ids - low).flatten(), 1)
    return (there.cumsum(0) - 1)[ids - low]
