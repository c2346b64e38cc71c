"""Draws: named values made of random numbers.

Each takes its own generator, which the compiler seeds from (seed, iteration, run, name). Numbers are drawn on the
CPU in float32 and then moved, so that they are the same on every device and for every dtype. `rows` is a value whose
rows are counted (`rows=x`); where it is left out the compiler counts those of the batch.
"""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from composer.block import Range, block

Positive = Annotated[int, Range(1, None)]
Share = Annotated[float, Range(0, 1)]
Device = torch.device | str | None


def _moved(numbers: Tensor, device: Device, dtype: torch.dtype | None) -> Tensor:
    return numbers.to(device=device, dtype=dtype)


@block("x[b ...]? -> noise[b {size}]", role="draw")
def normal(
    rows: Tensor,
    size: Positive,
    *,
    generator: torch.Generator,
    device: Device = None,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """Standard normal numbers, `size` of them for each row. Shapes: [b size]."""
    return _moved(torch.randn(rows.shape[0], size, generator=generator), device, dtype)


@block("x[b ...]? -> noise[b {channels} {height} {width}]", role="draw")
def normal_map(
    rows: Tensor,
    channels: Positive,
    height: Positive = 1,
    width: Positive = 1,
    *,
    generator: torch.Generator,
    device: Device = None,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """Standard normal numbers, a map of them for each row. Shapes: [b channels height width]."""
    numbers = torch.randn(rows.shape[0], channels, height, width, generator=generator)
    return _moved(numbers, device, dtype)


@block("x[...] -> noise[...]", role="draw")
def normal_like(
    x: Tensor, *, generator: torch.Generator, device: Device = None, dtype: torch.dtype | None = None
) -> Tensor:
    """Standard normal numbers in the shape of `x`. Shapes: any."""
    return _moved(torch.randn(x.shape, generator=generator), device or x.device, dtype or x.dtype)


@block("x[b ...]? -> noise[b {size}]", role="draw")
def uniform(
    rows: Tensor,
    size: Positive,
    low: float = 0.0,
    high: float = 1.0,
    *,
    generator: torch.Generator,
    device: Device = None,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """Numbers spread evenly from `low` to `high`, `size` of them for each row. Shapes: [b size]."""
    numbers = torch.rand(rows.shape[0], size, generator=generator)
    return _moved(low + (high - low) * numbers, device, dtype)


@block("x[...] -> noise[...]", role="draw")
def uniform_like(
    x: Tensor,
    low: float = 0.0,
    high: float = 1.0,
    *,
    generator: torch.Generator,
    device: Device = None,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """Numbers spread evenly from `low` to `high` in the shape of `x`. Shapes: any."""
    numbers = torch.rand(x.shape, generator=generator)
    return _moved(low + (high - low) * numbers, device or x.device, dtype or x.dtype)


@block("x[b ...]? -> share[b]", role="draw")
def shares(
    rows: Tensor,
    *,
    generator: torch.Generator,
    device: Device = None,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """A number in [0, 1) for each row, to mix rows with `lerp`. Shapes: [b]."""
    return _moved(torch.rand(rows.shape[0], generator=generator), device, dtype)


@block("x[b ...]? -> index[b]", role="draw")
def permutation(rows: Tensor, *, generator: torch.Generator, device: Device = None) -> Tensor:
    """The numbers of the rows in random order, for `take`. Shapes: [b], whole numbers 0 to b - 1."""
    return torch.randperm(rows.shape[0], generator=generator).to(device)


@block("-> coin[]", role="draw")
def coin(
    p: Share = 0.5, *, generator: torch.Generator, device: Device = None, dtype: torch.dtype | None = None
) -> Tensor:
    """1 with probability `p`, else 0: one number for the whole batch. Shapes: []."""
    return _moved((torch.rand((), generator=generator) < p).float(), device, dtype)


@block("features[b c h w] -> index[{min(count, h*w)}]", role="draw")
def positions(
    features: Tensor,
    count: Positive = 256,
    *,
    generator: torch.Generator,
    device: Device = None,
) -> Tensor:
    """Numbers of `count` different pixels (all of them where there are fewer) in random order, for `pick`.

    Shapes: [b c h w] -> [min(count, h*w)], the same pixels for every sample.
    Source: Contrastive Learning for Unpaired Image-to-Image Translation (arXiv:2007.15651), released code.
    """
    pixels = features.shape[2] * features.shape[3]
    return torch.randperm(pixels, generator=generator)[: min(count, pixels)].to(device or features.device)


@block("-> index[{count}] where low < high", role="draw")
def integers(
    count: Positive, low: int = 0, high: int = 2, *, generator: torch.Generator, device: Device = None
) -> Tensor:
    """`count` whole numbers from `low` to `high` - 1, each as likely. Shapes: [count]."""
    return torch.randint(low, high, (count,), generator=generator).to(device)
