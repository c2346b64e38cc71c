"""Laws of draws and states: what is random is a function of a generator that is given, what is kept is saved."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from composer.matching import match
from composer.randomness import Draws, StateDraws
from composer.runtime import parameters_of
from composer.testing.contracts.cases import types_of
from composer.testing.contracts.promises import compare_with_promise, same
from composer.testing.contracts.trials import Broken, Trial, tensors, untouched

NAMES = tuple(f"draw {n}" for n in range(20))


def drawn(found: Trial, name: str = "z", dtype: torch.dtype = torch.float64, salt: str = "", seed: int = 0) -> Tensor:
    """What the block draws under a name, as a program asks for it."""
    function = found.block.load()
    draws = Draws(seed, 0, torch.device("cpu"), dtype)
    offered = {"device": torch.device("cpu"), "dtype": dtype}
    given = {k: v for k, v in offered.items() if k in parameters_of(function)}
    values = found.arguments(salt, dtype)
    return draws.tensor(name, lambda g: function(*values, **found.case.settings, generator=g, **given))


def draws_what_it_promises(found: Trial) -> None:
    """Shapes, kinds and dtypes are those of the contract; torch's own generator and the inputs stay."""
    values = found.arguments()
    with untouched(values, found.block.name):
        for dtype in (torch.float32, torch.float64):
            numbers = drawn(found, dtype=dtype)
            compare_with_promise(found.found.output, numbers)
            if numbers.is_floating_point() and numbers.dtype != dtype:
                raise Broken(f"gives {numbers.dtype} in a program of {dtype}")
            if not bool(numbers.isfinite().all()) or numbers.requires_grad:
                raise Broken("gives numbers that are not finite, or have a graph")


def draws_from_its_generator(found: Trial) -> None:
    """Numbers are a function of the generator and of shapes: not of values, and not of the dtype but for rounding."""
    first = drawn(found)
    if not torch.equal(first, drawn(found)):
        raise Broken("gives other numbers for the same generator")
    if not torch.equal(first, drawn(found, salt="other values")):
        raise Broken("draws differently for other values of the same shapes")
    rounded = drawn(found, dtype=torch.float32)
    if not torch.allclose(first.double(), rounded.double(), rtol=1e-6, atol=1e-6):
        raise Broken("draws other numbers in float32 than in float64")


class Varied:
    """Whether any case of a draw gave different numbers under different names (one number may be all there is)."""

    def __init__(self) -> None:
        self.seen, self.differed = 0, False

    def see(self, found: Trial) -> None:
        self.seen += 1
        large = found.larger(2, "varied") or found
        first = drawn(large, NAMES[0])
        self.differed |= any(not torch.equal(first, drawn(large, name)) for name in NAMES[1:])
        self.differed |= any(not torch.equal(first, drawn(large, NAMES[0], seed=s)) for s in range(1, 4))

    def check(self, name: str) -> None:
        if self.seen and not self.differed:
            raise Broken(f"{name}: draws the same numbers under every name")


# -- states -----------------------------------------------------------------------------------------------------


def keeps_what_it_promises(found: Trial) -> None:
    """Shapes of the contract, constants, in the dtype of the program; inputs and torch's own generator stay."""
    for dtype in (torch.float32, torch.float64):
        module = found.module(dtype=dtype)
        assert module is not None
        for salt, (values, out) in _asked(found, module, dtype=dtype).items():
            promised = match(found.case.signature, types_of(values, found.case.signature), found.case.settings)
            compare_with_promise(promised.output, out)
            for one in tensors(out):
                if one.requires_grad:
                    raise Broken("gives a value with a graph")
                if one.is_floating_point() and one.dtype != dtype:
                    raise Broken(f"gives {one.dtype} in a program of {dtype}")
                if any(one.data_ptr() == b.data_ptr() for b in module.buffers() if b.numel()):
                    raise Broken(f"hands out its own buffer, which the next call changes ({salt})")


def saves_its_state(found: Trial) -> None:
    """What comes later is a function of `state_dict`, of the inputs and of the draws."""
    one, other = found.module("one"), found.module("other")
    assert one is not None and other is not None
    _asked(found, one, "before")
    other.load_state_dict(one.state_dict())
    later = [[out for _, out in _asked(found, module, "after").values()] for module in (one, other)]
    if not same(*later):
        raise Broken("goes on differently from its own state_dict")
    if not same(list(one.state_dict().values()), list(other.state_dict().values())):
        raise Broken("ends with another state from its own state_dict")


def _asked(
    found: Trial, module: nn.Module, salt: str = "", dtype: torch.dtype = torch.float64
) -> dict[str, tuple[list[Any], Any]]:
    """Ask a state a few times with other values: what it was given and what it gave."""
    result = {}
    for number in range(4):
        name = f"{salt} {number}"
        values = found.arguments(name, dtype)
        draws = Draws(found.case.seed, name, torch.device("cpu"), dtype)
        with untouched(values, found.block.name):
            out = module(
                *[v.requires_grad_() if v.is_floating_point() else v for v in values], draws=StateDraws(draws, "s")
            )
        if any(t.data_ptr() == v.data_ptr() for t in tensors(out) for v in tensors(values) if v.numel()):
            raise Broken("hands its input through instead of a copy")
        result[name] = (values, out)
    return result


DRAW_LAWS = (draws_what_it_promises, draws_from_its_generator)
STATE_LAWS = (keeps_what_it_promises, saves_its_state)
