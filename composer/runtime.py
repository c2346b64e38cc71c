"""What emitted code calls at run time, beside networks and blocks."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from composer.block import look_up
from composer.clock import NUMBERS, Clock


def gradient(score: Any, x: Tensor, create_graph: bool) -> Tensor:
    """The derivative of the sum of `score` (a tensor or a list of them) along all paths from `x`; 0 without one."""
    total: Any = 0
    stack = [score]
    with torch.enable_grad():  # the call may stand among lines that build no graph
        while stack:
            one = stack.pop()
            if isinstance(one, (list, tuple)):
                stack.extend(one)
            else:
                total = total + one.sum()
        if not isinstance(total, Tensor) or not total.requires_grad:
            return torch.zeros_like(x)
        (found,) = torch.autograd.grad(total, x, create_graph=create_graph, retain_graph=True, materialize_grads=True)
    return found


def differentiable(x: Tensor) -> Tensor:
    """`x`, at which a derivative can be taken also where it is a constant."""
    return x if x.requires_grad else x.detach().requires_grad_()


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


def old_weights(module: nn.Module, *args: Any, **settings: Any) -> Any:
    """Call a network with copies of its parameters, so that a later gradient is the one at these weights."""
    copies = {k: p.clone() for k, p in module.named_parameters()}
    return torch.func.functional_call(module, copies, args, settings)


def block_function(name: str, dtype: torch.dtype) -> Callable[..., Any]:
    """The Python function of a block; one that makes numbers of its own (`dtype`) makes them as the program's are."""
    block = look_up(name)
    function: Callable[..., Any] = block.load()
    if block.role in ("function", "loss") and "dtype" in parameters_of(function):
        return partial(function, dtype=dtype)
    return function


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
