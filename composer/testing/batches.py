"""Random batches that fit a program's inputs."""

from __future__ import annotations

import torch
from torch import Tensor

from composer.fields import Field
from composer.program import Program
from composer.randomness import seed_for


def batch_for(program: Program, seed: object = 0, rows: int | None = None) -> dict[str, Tensor]:
    """A batch by field name: images in [-1, 1], labels and ids within their range; a function of `seed`."""
    rows = program.training.batch if rows is None else rows
    found = {}
    for stream in program.inputs.values():
        for one in stream.fields:
            generator = torch.Generator().manual_seed(seed_for("batch", seed, one.name))
            found[one.name] = field_values(one, rows, generator).to(program.device)
    return {k: v.to(program.dtype) if v.is_floating_point() else v for k, v in found.items()}


def field_values(one: Field, rows: int, generator: torch.Generator) -> Tensor:
    """Random values of an input: [rows, ...]."""
    if one.kind == "label":
        return torch.randint(one.args[0], (rows,), generator=generator)
    if one.kind in ("label_map", "ids"):
        classes = one.args[0] if one.kind == "label_map" else 5
        return torch.randint(classes, (rows, *one.args[-2:]), generator=generator)
    if one.kind == "attributes":
        return torch.randint(2, (rows, *one.args), generator=generator).float()
    numbers = torch.rand((rows, *one.args), generator=generator)
    return 2 * numbers - 1


def batches_for(program: Program, iterations: int, seed: object = 0) -> list[list[dict[str, Tensor]]]:
    """What `iterations` iterations from the program's next one on consume: a list of batches for each."""
    start = program.iteration
    return [
        [batch_for(program, (seed, number, i)) for i in range(program.batches(number))]
        for number in range(start, start + iterations)
    ]


def pass_batches(program: Program, name: str, count: int = 2) -> list[dict[str, Tensor]]:
    """What a pass over the data reads: `count` batches."""
    return [batch_for(program, ("pass", name, number)) for number in range(count)]


def batches_of_passes(program: Program) -> dict[str, list[dict[str, Tensor]]]:
    """What every pass of a program reads, by its name."""
    return {name: pass_batches(program, name) for name in program.passes}
