"""What emitted code calls at run time, beside networks and blocks."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from composer.clock import NUMBERS, Clock
from composer.errors import ComposeError


def gradient(score: Any, x: Tensor, create_graph: bool) -> Tensor:
    """The derivative of the sum of `score` (a tensor or a list of them) along all paths from `x`; 0 where none leads."""
    total: Any = 0
    stack = [score]
    with torch.enable_grad():  # the call may stand among lines that build no graph
        while stack:
            one = stack.pop()
            if isinstance(one, (list, tuple)):
                stack.extend(one)
            else:
                total = total + one.sum()
        (found,) = torch.autograd.grad(
            total, x, create_graph=create_graph, retain_graph=True, materialize_grads=True
        )
    return found


def stop(x: Any) -> Any:
    """The same numbers as a constant: no gradient flows through. Lists are mapped over."""
    if isinstance(x, Tensor):
        return x.detach()
    if isinstance(x, (list, tuple)):
        return type(x)(stop(item) for item in x)
    return x


def rows_of(batch: Mapping[str, Tensor]) -> Tensor:
    """Any field of the batch: they all have the same number of rows."""
    return next(iter(batch.values()))


def old_weights(module: Any, *args: Any, **settings: Any) -> Any:
    """Call a network with copies of its parameters, so that a later gradient is the one at these weights."""
    if inspect.ismethod(module):
        raise ComposeError("an entry point cannot be kept and trained through after its network was stepped")
    assert isinstance(module, nn.Module)
    copies = {k: p.clone() for k, p in module.named_parameters()}
    return torch.func.functional_call(module, copies, args, settings)


_known: dict[Any, frozenset[str]] = {}


def parameters_of(function: Callable[..., Any]) -> frozenset[str]:
    if function not in _known:
        _known[function] = frozenset(inspect.signature(function).parameters)
    return _known[function]


def condition(text: str) -> Callable[[Clock], bool]:
    if not text:
        return lambda clock: True
    code = compile(text, "<condition>", "eval")
    return lambda clock: bool(eval(code, {"__builtins__": {}, **NUMBERS}, {"clock": clock}))  # our own text
