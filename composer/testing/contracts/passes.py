"""Laws of blocks that gather over a pass: `begin`, a call for each batch, `finish`, and the result in `value`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from composer.testing.contracts.promises import compare_with_promise
from composer.testing.contracts.trials import Broken, Trial, tensors, untouched


def gathered(module: Any, batches: Sequence[Sequence[Any]]) -> Tensor:
    """The result of a pass."""
    with torch.no_grad():
        module.begin()
        for values in batches:
            module(*values)
        module.finish()
    value: Tensor = module.value.clone()
    return value


def gathers_what_it_promises(found: Trial) -> None:
    """The result has the shape of the contract and the dtype of the program, and is finite."""
    for dtype in (torch.float32, torch.float64):
        module: Any = found.module(dtype=dtype)
        batches = [found.arguments(salt, dtype) for salt in ("one", "other")]
        if bool(module.value.any()):
            raise Broken("has a result before the pass that is not zeros")
        with untouched([v for b in batches for v in b], found.block.name):
            value = gathered(module, batches)
        compare_with_promise(found.found.output, value)
        if value.dtype != dtype or not bool(value.isfinite().all()) or value.requires_grad:
            raise Broken(f"gives {value.dtype} in a program of {dtype}, numbers that are not finite, or a graph")


def gathers_rows_however_cut(found: Trial) -> None:
    """The result is a function of the rows: not of how they are cut into batches, and not of an earlier pass."""
    module: Any = found.module()
    one, other = found.arguments("one"), found.arguments("other")
    if [tuple(t.shape) for t in tensors(one)] != [tuple(t.shape) for t in tensors(other)]:
        return
    first = gathered(module, [one, other])
    together = [torch.cat([a, b]) for a, b in zip(one, other, strict=True)]
    if not torch.allclose(first, gathered(module, [together]), rtol=1e-9, atol=1e-9):
        raise Broken("gives another result for the same rows in one batch")
    if not torch.allclose(first, gathered(module, [one, other]), rtol=1e-9, atol=1e-9):
        raise Broken("gives another result in a second pass over the same rows")
    fresh: Any = found.module("fresh")
    fresh.load_state_dict(module.state_dict())
    if not torch.equal(fresh.value, module.value):
        raise Broken("does not save its result in its state_dict")


PASS_LAWS = (gathers_what_it_promises, gathers_rows_however_cut)
