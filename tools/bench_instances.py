"""Blocks of label and instance maps against loops over instances: `python tools/bench.py instances --threads 1`.

A map of 256 x 512 (and 512 x 1024) with 40 instances numbered as Cityscapes numbers them. Both sides take turns; the
loop gives the same numbers, which is checked first. `ratio` is the median over pairs of loop / block.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from composer.blocks.collect import ClassClusters
from composer.blocks.labels import segment_mean
from composer.blocks.tensors import edges, one_hot

INSTANCES, CLASSES = 40, 35
Side = Callable[[], Tensor]


def scene(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Labels and ids [1, h, w]: bands of stuff with things on them."""
    generator = torch.Generator().manual_seed(0)
    label = (torch.arange(height) * 5 // height)[:, None].expand(height, width).clone() + 7
    ids = label.clone()
    for number in range(INSTANCES - 5):
        high, wide = (int(torch.randint(size // 16, size // 5, (), generator=generator)) for size in (height, width))
        top = int(torch.randint(height - high, (), generator=generator))
        left = int(torch.randint(width - wide, (), generator=generator))
        kind = 24 + number % 3
        label[top : top + high, left : left + wide] = kind
        ids[top : top + high, left : left + wide] = kind * 1000 + number
    return label[None], ids[None]


def mean_by_loop(x: Tensor, ids: Tensor) -> Tensor:
    """Instance by instance and channel by channel, with masks, as it is usually written."""
    rows = []
    for image, own in zip(x, ids, strict=True):
        mean = torch.zeros_like(image)
        for number in own.unique():
            mask = own == number
            for channel in range(image.shape[0]):
                mean[channel] = torch.where(mask, image[channel][mask].mean(), mean[channel])
        rows.append(mean)
    return torch.stack(rows)


def hot_by_loop(label: Tensor) -> Tensor:
    return torch.stack([(label == number).float() for number in range(CLASSES)], 1)


def edges_by_loop(ids: Tensor) -> Tensor:
    """Instance by instance: pixels of its mask with a neighbour outside."""
    found = torch.zeros_like(ids, dtype=torch.bool)
    for number in ids.unique():
        mask = torch.nn.functional.pad((ids == number)[:, None].float(), (1, 1, 1, 1), mode="replicate")[:, 0]
        inner = mask[:, 1:-1, 1:-1].bool()
        around = mask[:, :-2, 1:-1] + mask[:, 2:, 1:-1] + mask[:, 1:-1, :-2] + mask[:, 1:-1, 2:]
        found |= inner & (around < 4)
    return found[:, None].float()


def gathered(x: Tensor, ids: Tensor) -> Tensor:
    block = ClassClusters(x.shape[1], classes=CLASSES, k=10)
    block.begin()
    block(x, ids)
    return block.found[0][1]


def gathered_by_loop(x: Tensor, ids: Tensor) -> Tensor:
    """The mean of each instance, one after the other."""
    rows = []
    for number in ids.unique():
        mask = ids == number
        rows.append(torch.stack([x[:, channel][mask].mean() for channel in range(x.shape[1])]))
    return torch.stack(rows)


def with_gradient(function: Callable[[Tensor, Tensor], Tensor], x: Tensor, ids: Tensor) -> Tensor:
    given = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(function(given, ids).square().sum(), given)
    return gradient


def sides(height: int, width: int) -> dict[str, tuple[Side, Side]]:
    """Name -> the block and its loop."""
    label, ids = scene(height, width)
    x = torch.randn(1, 3, height, width, generator=torch.Generator().manual_seed(1))
    return {
        "instance mean": (lambda: segment_mean(x, ids), lambda: mean_by_loop(x, ids)),
        "instance mean and its gradient": (
            lambda: with_gradient(segment_mean, x, ids),
            lambda: with_gradient(mean_by_loop, x, ids),
        ),
        "one-hot map": (lambda: one_hot(label, CLASSES), lambda: hot_by_loop(label)),
        "edge map": (lambda: edges(ids), lambda: edges_by_loop(ids)),
        "instances gathered for clusters": (lambda: gathered(x, ids), lambda: gathered_by_loop(x, ids)),
    }


def instances(arguments: argparse.Namespace) -> list[dict[str, object]]:
    """All blocks at both sizes."""
    rows: list[dict[str, object]] = []
    clock = time.process_time if arguments.clock == "cpu" else time.perf_counter
    for size in ((256, 512), (512, 1024)):
        for name, (block, loop) in sides(*size).items():
            worst = float((block() - loop()).abs().max())
            assert worst < 1e-3, f"{name}: the loop gives other numbers, by {worst}"
            seconds: tuple[list[float], list[float]] = ([], [])
            for _ in range(arguments.pairs):
                for number, side in enumerate((block, loop)):
                    begin = clock()
                    side()
                    seconds[number].append(clock() - begin)
            ratios = [slow / fast for fast, slow in zip(*seconds, strict=True)]
            rows.append(
                {
                    "size": list(size),
                    "what": name,
                    "block ms": round(1e3 * statistics.median(seconds[0]), 2),
                    "loop ms": round(1e3 * statistics.median(seconds[1]), 2),
                    "ratio": round(statistics.median(ratios), 1),
                }
            )
            print(rows[-1], flush=True)
    return rows
