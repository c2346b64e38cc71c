"""Layers without weights that change the size of images and features."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from composer.block import block
from composer.blocks.layers import Positive


@block("features[b c h w] -> features[b c {(h + 1)//2} {(w + 1)//2}]")
def average_pool(x: Tensor) -> Tensor:
    """Halve the size: mean of 3 x 3 pixels at every second pixel, pixels outside not counted.

    Shapes: [b c h w] -> halves, rounded up. Ranges: kept.
    Source: the image pyramid of High-Resolution Image Synthesis with Conditional GANs (arXiv:1711.11585).
    """
    return functional.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False)


@block("features[b c h w] -> features[b c {(h - 1)//stride + 1} {(w - 1)//stride + 1}]")
def blur_pool(x: Tensor, stride: Positive = 2, pad: Literal["reflect", "replicate"] = "reflect") -> Tensor:
    """Blur by [1 2 1] x [1 2 1] / 16 in each channel and keep every `stride`-th pixel.

    Shapes: [b c h w] -> sizes divided by `stride`, rounded up. Ranges: kept.
    Source: Making Convolutional Networks Shift-Invariant Again (arXiv:1904.11486).
    """
    line = torch.tensor([1.0, 2.0, 1.0], device=x.device, dtype=x.dtype) / 4
    c = x.shape[1]
    kernel = (line[:, None] * line[None, :]).expand(c, 1, 3, 3)
    return functional.conv2d(functional.pad(x, (1, 1, 1, 1), mode=pad), kernel, stride=stride, groups=c)


@block("features[b c h w] -> features[b c {h//size} {w//size}] where h >= size and w >= size")
def local_average(x: Tensor, size: Positive = 2) -> Tensor:
    """Means of `size` x `size` pixels that do not overlap; what does not fill a square at the right and the bottom is
    left out. Shapes: [b c h w] -> [b c h/size w/size], rounded down. Ranges: kept.
    """
    return functional.avg_pool2d(x, size)


@block("features[b c h w] -> code[b c]")
def global_average(x: Tensor) -> Tensor:
    """Mean over the pixels of each channel. Shapes: [b c h w] -> [b c]. Ranges: kept."""
    return x.mean((2, 3))


@block("features[b c h w] -> code[b {c*h*w}]")
def flatten(x: Tensor) -> Tensor:
    """All numbers of a sample in one row, channels first. Shapes: [b c h w] -> [b c*h*w]. Ranges: kept."""
    return x.flatten(1)


@block("code[b c] -> features[b {c//(height*width)} {height} {width}] where c % (height*width) == 0")
def unflatten(x: Tensor, height: Positive, width: Positive) -> Tensor:
    """The numbers of a row as a map, channels first: undoes `flatten`. Shapes: [b c*h*w] -> [b c h w]. Ranges: kept."""
    return x.view(x.shape[0], -1, height, width)


@block("features[b c h:{factor} w:{factor}] -> features[b c h/{factor} w/{factor}]")
def subsample(x: Tensor, factor: Positive = 2) -> Tensor:
    """Keep every `factor`-th pixel, from the first on: what resizing to the nearest pixel does at whole factors.

    Shapes: [b c h w], multiples of `factor` -> [b c h/factor w/factor]. Ranges: kept.
    """
    return x[:, :, ::factor, ::factor]


@block("features[b c h w] -> features[b c {height} {width}]")
def resize(x: Tensor, height: Positive, width: Positive, mode: Literal["nearest", "bilinear", "area"]) -> Tensor:
    """Change the size to `height` x `width` (bilinear: corners not aligned).

    Shapes: [b c h w] -> [b c height width]. Ranges: kept.
    """
    return functional.interpolate(x, size=(height, width), mode=mode)
