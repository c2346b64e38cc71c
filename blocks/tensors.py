"""Functions on tensors: joining, cutting, choosing, mixing, encoding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import torch
from torch import Tensor

from composer.block import Examples, Range, block
from composer.blocks.lists import over_lists

Natural = Annotated[int, Range(0, None)]
Positive = Annotated[int, Range(1, None)]


@block("x[b c+ ...]+ -> x[b c+ ...]")
def concat(*x: Tensor) -> Tensor:
    """Put tensors beside each other along the channels, in the order given. Shapes [b c ...]; ranges kept."""
    return torch.cat(x, 1)


@block("x[b+ ...]+ -> x[b+ ...]", per_sample=False)
def stack(*x: Tensor) -> Tensor:
    """Put batches after each other, rows of the first argument first. Shapes [b ...]; ranges kept."""
    return torch.cat(x, 0)


@block("x[b ...] -> x[b/{parts} ...]*{parts}", per_sample=False, maps=True)
def split(x: Tensor | Sequence[Any], parts: Positive = 2) -> list[Any]:
    """Cut a batch into `parts` equal runs of rows, in order: undoes `stack`. Shapes [b ...]; ranges kept.

    Of a list (of scales, of features) every item is cut: `parts` lists come back, each like the one given.
    """
    if isinstance(x, Tensor):
        return list(x.chunk(parts, 0))
    cut = [split(item, parts) for item in x]
    return [[pieces[number] for pieces in cut] for number in range(parts)]


@block("x[b ...] -> x[{count} ...] where first + count <= b", per_sample=False, maps=True)
@over_lists
def rows(x: Tensor, first: Natural, count: Positive) -> Tensor:
    """`count` rows of a batch from row `first`, counted from 0. Shapes [b ...] -> [count ...]; ranges kept."""
    return x.narrow(0, first, count)


@block("x[b c ...] -> x[b {count} ...] where first + count <= c", maps=True)
@over_lists
def channels(x: Tensor, first: Natural, count: Positive) -> Tensor:
    """`count` channels from channel `first`, counted from 0. Shapes [b c ...] -> [b count ...]; ranges kept."""
    return x.narrow(1, first, count)


@block("x[b ...], index[n] -> x[n ...]", per_sample=False, below="b")
def take(x: Tensor, index: Tensor) -> Tensor:
    """The rows of a batch with these numbers, in this order. Shapes [b ...] and [n] -> [n ...]; ranges kept."""
    return x.index_select(0, index)


@block("features[b c h w], index[n] -> code[{b*n} c]", per_sample=False, below="h*w")
def pick(features: Tensor, index: Tensor) -> Tensor:
    """The channels at some pixels, one row a pixel: all pixels of the first sample, then of the next.

    Pixel numbers count along the rows of the image, from 0, and are the same for every sample.
    Shapes: [b c h w] and [n] -> [b*n c]; ranges kept.
    Source: Contrastive Learning for Unpaired Image-to-Image Translation (arXiv:2007.15651), section 3.
    """
    return features.flatten(2)[:, :, index].transpose(1, 2).flatten(0, 1)


@block("x[... w], coin[] -> x[... w]", maps=True)
@over_lists
def flip(x: Tensor, coin: Tensor) -> Tensor:
    """Mirror left and right when the coin is not 0, the whole batch at once. Shapes [... w]; ranges kept."""
    return torch.where(coin.bool(), x.flip(-1), x)


@block("x[...], x[...], share -> x[...]")
def lerp(start: Tensor, end: Tensor, share: Tensor | float) -> Tensor:
    """From `start` (share 0) to `end` (share 1): start + share * (end - start).

    Shapes alike; `share` is a number, or a tensor of one axis with a share for each row. Ranges: between the two.
    """
    if isinstance(share, Tensor) and share.dim() == 1:
        share = share.view(-1, *[1] * (start.dim() - 1))
    return start + share * (end - start)


@block("mask[...], x[...], x[...] -> x[...]")
def where(mask: Tensor, x: Tensor, other: Tensor) -> Tensor:
    """`x` where the mask is not 0, `other` elsewhere. Shapes alike; ranges kept."""
    return torch.where(mask.bool(), x, other)


@block("label[b ...] -> mask[b {classes} ...]", below="classes")
def one_hot(label: Tensor, classes: Positive, *, dtype: torch.dtype = torch.float32) -> Tensor:
    """One channel a class: 1 where the label is its number, else 0.

    Shapes: [b ...] whole numbers 0 to classes - 1 -> [b classes ...].
    """
    channels = torch.zeros(label.shape[0], classes, *label.shape[1:], dtype=dtype, device=label.device)
    return channels.scatter_(1, label.unsqueeze(1), 1)


@block("ids[b h w] -> mask[b 1 h w]")
def edges(ids: Tensor, *, dtype: torch.dtype = torch.float32) -> Tensor:
    """1 where a pixel's id differs from that of a neighbour left, right, above or below, else 0.

    Shapes: [b h w] whole numbers -> [b 1 h w].
    Source: High-Resolution Image Synthesis with Conditional GANs (arXiv:1711.11585), section 3.3.
    """
    found = torch.zeros_like(ids, dtype=torch.bool)
    across, down = ids[:, :, 1:] != ids[:, :, :-1], ids[:, 1:] != ids[:, :-1]
    found[:, :, 1:] |= across
    found[:, :, :-1] |= across
    found[:, 1:] |= down
    found[:, :-1] |= down
    return found[:, None].to(dtype)


@block("code[b c] -> features[b c {height} {width}]")
def spread(code: Tensor, height: Positive, width: Positive) -> Tensor:
    """Repeat a code at every pixel. Shapes: [b c] -> [b c height width]; ranges kept."""
    return code[:, :, None, None].expand(-1, -1, height, width)


@block("code[b c], like[b ? h w] -> features[b c h w]")
def spread_like(code: Tensor, like: Tensor) -> Tensor:
    """Repeat a code at every pixel of an image or of features, whatever their size.

    Shapes: [b c] and [b ? h w] -> [b c h w]; ranges kept.
    """
    return code[:, :, None, None].expand(-1, -1, *like.shape[2:])


@block("code[n], like[b ...] -> code[b n]")
def repeat_like(code: Tensor, like: Tensor) -> Tensor:
    """The same code for every row: as often as `like` has rows. Shapes: [n] and [b ...] -> [b n]; ranges kept."""
    return code.expand(like.shape[0], -1)


@block("x[b ...] -> x[...]", per_sample=False)
def mean(x: Tensor) -> Tensor:
    """Mean over the rows of a batch. Shapes: [b ...] -> [...]; ranges kept."""
    return x.mean(0)


@block("features[b c h w] -> spread[] where b*c*h*w > 1", per_sample=False)
def deviation(x: Tensor) -> Tensor:
    """The standard deviation of all numbers together, unbiased (divisor n - 1). Shapes: [b c h w] -> []; 0 or more."""
    return x.std()


@block("x[b c ...] -> x[b 1 ...]")
def channel_mean(x: Tensor) -> Tensor:
    """Mean over the channels. Shapes: [b c ...] -> [b 1 ...]; ranges kept."""
    return x.mean(1, keepdim=True)


@block("x[...]* -> x[...]")
def total(x: Sequence[Tensor] | Tensor) -> Tensor:
    """Sum of the items of a list; a tensor is a list of one. Shapes: items alike."""
    return x if isinstance(x, Tensor) else torch.stack(list(x)).sum(0)


@block("like[...] -> like[...]", maps=True)
@over_lists
def full_like(x: Tensor, value: float) -> Tensor:
    """The same number everywhere, in the shape of `x`. Any shape.

    A number where a block needs a value shaped like another one means this: bce(D(x), 1).
    """
    return torch.full_like(x, value)


@block("rows[b ...] -> code[b {len(values)*times}]")
def constant(
    rows: Tensor,
    values: Annotated[list[float], Examples([1.0], [0.0, 2.5])],
    times: Positive = 1,
    *,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """The same numbers for every row, all of them `times` after each other. Shapes: [b ...] -> [b n * times]."""
    return torch.tensor(list(values) * times, dtype=dtype, device=rows.device).expand(rows.shape[0], -1)
