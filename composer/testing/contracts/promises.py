"""Laws of what comes out: shapes, kinds, dtypes, and the same again for the same inputs."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from composer.signature import INTEGER_KINDS, Series, Several, Type
from composer.testing.contracts.trials import Broken, Trial, run_on_meta, tensors, untouched


def gives_what_it_promises(found: Trial) -> None:
    """Shapes and kinds are those of the contract, numbers are finite; tensors without data get the same shapes."""
    values = found.arguments()
    out = found.run(values, found.module())
    compare_with_promise(found.found.output, out)
    for one in tensors(out):
        if not bool(one.isfinite().all()):
            raise Broken("gives numbers that are not finite")
    without_data = run_on_meta(found.case, found.found, values)
    if without_data is not None:
        shapes = [tuple(t.shape) for t in tensors(out)]
        if [tuple(t.shape) for t in tensors(without_data)] != shapes:
            raise Broken(f"gives other shapes without data than {shapes}")


def compare_with_promise(promised: Type, found: Any) -> None:
    """Hold an output against the type that the contract gives."""
    if isinstance(promised, (Series, Several)):
        if not isinstance(found, (list, tuple)):
            raise Broken(f"promises {promised} and gives one value")
        if promised.items is not None:
            if len(found) != len(promised.items):
                raise Broken(f"promises {len(promised.items)} values and gives {len(found)}")
            for one, value in zip(promised.items, found, strict=True):
                compare_with_promise(one, value)
        return
    if not isinstance(found, Tensor):
        raise Broken(f"promises {promised} and gives {type(found).__name__}")
    shape = tuple(found.shape)
    dims = promised.dims
    if dims is not None and (
        len(dims) != len(shape) or any(d is not None and d != s for d, s in zip(dims, shape, strict=True))
    ):
        raise Broken(f"promises {promised} and gives {list(shape)}")
    if (promised.kind in INTEGER_KINDS) != (found.dtype == torch.int64):
        raise Broken(f"promises {promised.kind} and gives {found.dtype}")


def keeps_the_dtype(found: Trial) -> None:
    """Floating outputs have the dtype of the program: of the inputs, the weights, or the one that is passed."""
    for dtype in (torch.float32, torch.float64):
        out = found.run(found.arguments(dtype=dtype), found.module(dtype=dtype), dtype)
        for one in tensors(out):
            if one.is_floating_point() and one.dtype != dtype:
                raise Broken(f"gives {one.dtype} in a program of {dtype}")


def repeats_itself(found: Trial) -> None:
    """The same inputs and draws give the same outputs, in both modes; inputs and torch's own generator stay."""
    values = found.arguments()
    for mode in (True, False):
        first, second = found.module(), found.module()
        for module in (first, second):
            if module is not None:
                module.train(mode)
        with untouched(values, found.block.name):
            one = found.run(values, first)
        compare_with_promise(found.found.output, one)
        if not same(list(tensors(one)), list(tensors(found.run(values, second)))):
            raise Broken("gives other outputs for the same inputs")


def same(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor) or isinstance(other, Tensor):
        return isinstance(one, Tensor) and isinstance(other, Tensor) and torch.equal(one, other)
    return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
