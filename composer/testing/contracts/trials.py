"""A case that its block takes: the block built, its contract matched, ready to be run as often as a law wants."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from composer.block import Block
from composer.blocks.initialize import initialize
from composer.blocks.random import drawing, name_places
from composer.errors import ComposeError
from composer.matching import Match, match
from composer.randomness import seed_for
from composer.runtime import block_function
from composer.signature import Mismatch
from composer.testing.contracts.cases import ROWS, Case, arguments, types_of

REFUSALS = (RuntimeError, ValueError, IndexError, ComposeError)
# How much larger than drawn the sizes are; how many items a list then has (None: as many as drawn).
SCALES = (1, 2, 4, 8, 16, 32, 64, 128)
REPEATS = (None, 2, 1, 3, 2, 2)


class Broken(AssertionError):
    """A block does not keep its contract: which law, in which case."""


class SameForRows:
    """A draw source whose numbers are a function of the place, alike for every row of a batch."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.asked = 0

    def uniform(self, place: str, shape: Sequence[int], device: torch.device, dtype: torch.dtype) -> Tensor:
        self.asked += 1
        generator = torch.Generator().manual_seed(seed_for(self.seed, place))
        numbers = torch.rand(tuple(shape)[1:], generator=generator, device="cpu")
        return numbers.expand(tuple(shape)).to(device, dtype)

    def keep_mask(self, place: str, shape: Sequence[int], p: float, device: torch.device, dtype: torch.dtype) -> Tensor:
        return (self.uniform(place, shape, torch.device("cpu"), torch.float32) >= p).to(device, dtype)


@dataclass(frozen=True)
class Trial:
    """A case at sizes that its block takes. `found` is the contract met by `arguments`."""

    case: Case
    scale: int
    found: Match

    @property
    def block(self) -> Block:
        return self.case.block

    def arguments(self, salt: str = "", dtype: torch.dtype = torch.float64) -> list[Any]:
        """Fresh tensors for a call; another salt gives other values of the same sizes, where the contract says them."""
        return converted(arguments(self.case, self.scale, salt=salt), dtype)

    def module(self, salt: str = "", dtype: torch.dtype = torch.float64) -> nn.Module | None:
        """The block's module with weights of a function of the seed and `salt`, or None for a function."""
        if self.block.role not in ("module", "state", "collect"):
            return None
        return build(self.case, self.found.axes, salt, dtype)

    def larger(self, factor: int, salt: str) -> Trial | None:
        """The same case with larger sizes and other values, or None where the block does not take them."""
        sizes = {**self.case.sizes, ROWS: self.case.sizes[ROWS] * factor}
        return _tried(replace(self.case, sizes=sizes, seed=seed_for(self.case.seed, salt) % 2**16), self.scale * factor)

    def run(self, values: Sequence[Any], module: nn.Module | None, dtype: torch.dtype = torch.float64) -> Any:
        """One call. Random numbers inside are a function of the seed alone."""
        with drawing(SameForRows(self.case.seed)):
            return target(self.case, module, dtype)(*values)


def target(case: Case, module: nn.Module | None, dtype: torch.dtype) -> Any:
    """What is called: the module, or the function with its settings."""
    if module is not None:
        return module
    function, settings = block_function(case.block.name, dtype), dict(case.settings)
    return lambda *values: function(*values, **settings)


def build(
    case: Case, axes: Mapping[str, Any], salt: str = "", dtype: torch.dtype = torch.float64, constructor: str = ""
) -> nn.Module:
    """The module of a case: started by `initialize` from the seed and `salt`, as the compiler does."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(case.seed, "constructor", salt, constructor))
        sizes = [axes["..." if a == "rest" else a] for a in case.block.axes]
        module: nn.Module = case.block.load()(*sizes, **case.settings)
    if not any(p.is_meta for p in (*module.parameters(), *module.buffers())):
        initialize(module, "kaiming(bias=default)", case.generator("weights", salt))
        name_places(module)
    return module.to(dtype)


def trial(case: Case) -> Trial | None:
    """The case at the smallest sizes that the block takes. None where its settings forbid all, by contract.

    Raises `Broken` when the contract allows what the block itself refuses at every size.
    """
    said: Exception | None = None
    allowed = False
    many = case.signature.variadic or any(p.listed for p in case.signature.inputs)
    for scale, repeats in zip(SCALES, REPEATS if many else [None] * len(SCALES), strict=False):
        try:
            found = _tried(case if repeats is None else replace(case, repeats=repeats), scale, strict=True)
        except Mismatch:
            continue
        except (*REFUSALS, TypeError) as error:
            if isinstance(error, TypeError) and case.form == "list":
                raise Broken(f"a call fails: {error}\n  {case}") from error
            said, allowed = error, True
            continue
        if found is not None:
            return found
    if allowed and case.form == "list":
        raise Broken(f"refuses at every size what its contract allows: {said}\n  {case}")
    return None


def _tried(case: Case, scale: int, strict: bool = False) -> Trial | None:
    """The case at this scale if its block takes it: the contract first, then a run without data."""
    try:
        values = arguments(case, scale)
        found = match(case.signature, types_of(values, case.signature), case.settings)
        if case.block.role in ("module", "function", "loss"):
            run_on_meta(case, found, values)
    except (Mismatch, *REFUSALS):
        if strict:
            raise
        return None
    return Trial(case, scale, found)


def run_on_meta(case: Case, found: Match, values: list[Any]) -> Any:
    """The outputs of a call on tensors without data; None where the block looks at numbers."""
    try:
        with torch.device("meta"), torch.no_grad(), drawing(SameForRows(case.seed)):
            module = build(case, found.axes) if case.block.role == "module" else None
            return target(case, module, torch.float64)(*mapped(values, lambda t: t.to("meta")))
    except NotImplementedError:
        return None
    except RuntimeError as error:
        if "meta tensor" in str(error) or "item()" in str(error):
            return None
        raise


# -- nested values ----------------------------------------------------------------------------------------------


def converted(values: list[Any], dtype: torch.dtype) -> list[Any]:
    """Copies of nested tensors, the floating ones in another dtype."""
    return list(mapped(values, lambda t: t.to(dtype) if t.is_floating_point() else t.clone()))


def mapped(value: Any, function: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [mapped(item, function) for item in value]
    return function(value) if isinstance(value, Tensor) else value


def tensors(value: Any) -> Iterator[Tensor]:
    """The tensors of a nested value, in order."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from tensors(item)


@contextlib.contextmanager
def untouched(values: Sequence[Any], what: str) -> Iterator[None]:
    """Hold a stretch of code to leaving its inputs and torch's own generator alone."""
    before = [(t, t.detach().clone(), t._version) for t in tensors(values)]
    state = torch.get_rng_state()
    yield
    if not torch.equal(state, torch.get_rng_state()):
        raise Broken(f"{what} draws from torch's own generator")
    for tensor, copy, version in before:
        if tensor._version != version or not torch.equal(tensor.detach(), copy):
            raise Broken(f"{what} changes its input in place")
