"""Random numbers as a function of (seed, iteration, run, name): no generator has a state to save."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import Any

import torch
from torch import Tensor

from composer.clock import Clock
from composer.errors import ComposeError


def seed_for(*parts: Any) -> int:
    """A 63-bit seed that depends on every part."""
    text = "\x1f".join(str(p) for p in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") >> 1


class Draws:
    """The draws of one iteration: fed ones where given, otherwise from a generator of their own.

    `fed` maps a draw's name to a tensor, or to a list with one tensor for each time it is drawn; draws inside
    networks are named `NETWORK:PLACE` (`G:up.3.dropout`), those of states `VALUE:NAME` (`pooled[a,b]:u`).
    """

    def __init__(self, seed: int, iteration: Any, device: torch.device, dtype: torch.dtype) -> None:
        self.seed, self.iteration = seed, iteration
        self.device, self.dtype = device, dtype
        self.run = 0
        self.fed: MutableMapping[str, Any] = {}
        self.taken: set[str] = set()
        self.own: set[str] = set()  # what was drawn from a generator because nothing was fed
        self.record: dict[str, list[Any]] | None = None
        self.counts: dict[tuple[str, int], int] = {}
        self.generator = torch.Generator()

    def begin(self, iteration: Any, fed: Mapping[str, Any] | None) -> None:
        """Start an iteration."""
        self.iteration = iteration
        self.fed = {k: list(v) if isinstance(v, (list, tuple)) else v for k, v in (fed or {}).items()}
        self.taken = set()
        self.own = set()
        self.counts = {}
        self.run = 0

    def seeded(self, name: str) -> torch.Generator:
        """A generator for the next draw called `name` in this run."""
        self.own.add(name)
        key = (name, self.run)
        count = self.counts.get(key, 0)
        self.counts[key] = count + 1
        return self.generator.manual_seed(seed_for(self.seed, self.iteration, self.run, name, count))

    def given(self, name: str) -> Any | None:
        """The fed value of a draw, or None."""
        if name not in self.fed:
            return None
        self.taken.add(name)
        value = self.fed[name]
        if isinstance(value, list):
            if not value:
                raise ComposeError(f"draw '{name}' was fed fewer times than it is drawn")
            value = value.pop(0)
        return value

    def unused(self) -> list[str]:
        """Names that were fed and never drawn, or not as often."""
        left = [n for n, v in self.fed.items() if isinstance(v, list) and v]
        return sorted({*left, *(n for n in self.fed if n not in self.taken)})

    def tensor(self, name: str, make: Callable[[torch.Generator], Tensor]) -> Tensor:
        """The draw `name`: the fed tensor, or what `make` draws."""
        value = self.given(name)
        if value is None:
            value = make(self.seeded(name))
        else:
            value = torch.as_tensor(value).to(self.device)
            value = value.to(self.dtype) if value.is_floating_point() else value
        if self.record is not None:
            self.record.setdefault(name, []).append(value)
        return value


class InsideDraws:
    """What modules of a network ask for random numbers (see `composer.blocks.random`)."""

    def __init__(self, draws: Draws) -> None:
        self.draws = draws
        self.network = ""
        self.call = ""

    def uniform(self, place: str, shape: Sequence[int], device: torch.device, dtype: torch.dtype) -> Tensor:
        name = f"{self.network}:{place}"
        value = self.draws.given(name)
        if value is None:
            generator = self.draws.seeded(f"{name}@{self.call}")
            value = torch.rand(tuple(shape), generator=generator)
        return torch.as_tensor(value).to(device, dtype)

    def keep_mask(self, place: str, shape: Sequence[int], p: float, device: torch.device, dtype: torch.dtype) -> Tensor:
        name = f"{self.network}:{place}"
        value = self.draws.given(name)
        if value is None:
            generator = self.draws.seeded(f"{name}@{self.call}")
            value = torch.rand(tuple(shape), generator=generator) >= p
        elif tuple(torch.as_tensor(value).shape) != tuple(shape):
            raise ComposeError(f"draw '{name}' has shape {list(value.shape)}, {list(shape)} is needed")
        return torch.as_tensor(value).to(device, dtype)


class StateDraws:
    """What a state block asks for random numbers, one after the other."""

    def __init__(self, draws: Draws, name: str, clock: Clock | None = None) -> None:
        self.draws, self.name = draws, name
        self.clock = clock  # None: in a pass
        self.seeded: torch.Generator | None = None

    def _generator(self, name: str) -> torch.Generator:
        self.draws.own.add(name)
        if self.seeded is None:
            seed = seed_for(self.draws.seed, self.draws.iteration, self.draws.run, self.name)
            self.seeded = torch.Generator().manual_seed(seed)
        return self.seeded

    def uniform(self, name: str) -> float:
        full = f"{self.name}:{name}"
        value = self.draws.given(full)
        return float(torch.rand((), generator=self._generator(full)) if value is None else value)

    def integer(self, name: str, n: int) -> int:
        full = f"{self.name}:{name}"
        value = self.draws.given(full)
        if value is None:
            return int(torch.randint(n, (), generator=self._generator(full)))
        return int(value)
