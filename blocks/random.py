"""Random numbers inside networks: asked from a source that the caller sets, never from a hidden state.

A module that draws has a `place`, its path inside its network (`up.3.dropout`), and asks the current source for
numbers of that place. So a training step can make every draw a function of (seed, iteration, run, network, place),
and recorded masks can be replayed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Annotated, Protocol

import torch
from torch import Tensor, nn

from composer.block import Range, block


class DrawSource(Protocol):
    """What gives random numbers to the modules of a network."""

    def uniform(self, place: str, shape: Sequence[int], device: torch.device, dtype: torch.dtype) -> Tensor:
        """Numbers in [0, 1)."""

    def keep_mask(self, place: str, shape: Sequence[int], p: float, device: torch.device, dtype: torch.dtype) -> Tensor:
        """Ones and zeros: each element is 0 with probability `p`."""


class GeneratorSource:
    """A source that draws from one generator, one call after the other.

    Numbers are drawn on the CPU in float32, so that they are the same on every device.
    """

    def __init__(self, generator: torch.Generator) -> None:
        self.generator = generator

    def uniform(self, place: str, shape: Sequence[int], device: torch.device, dtype: torch.dtype) -> Tensor:
        return torch.rand(tuple(shape), generator=self.generator).to(device, dtype)

    def keep_mask(self, place: str, shape: Sequence[int], p: float, device: torch.device, dtype: torch.dtype) -> Tensor:
        return (torch.rand(tuple(shape), generator=self.generator) >= p).to(device, dtype)


_source: ContextVar[DrawSource | None] = ContextVar("draw_source", default=None)
# Modules work without a compiled program too; then the numbers come from one generator seeded with 0.
_alone = GeneratorSource(torch.Generator().manual_seed(0))


def draw_source() -> DrawSource:
    """The source that modules ask now."""
    return _source.get() or _alone


@contextmanager
def drawing(source: DrawSource) -> Iterator[None]:
    """Let modules ask `source` inside the `with`."""
    token = _source.set(source)
    try:
        yield
    finally:
        _source.reset(token)


def name_places(network: nn.Module) -> None:
    """Tell every module of `network` that draws where it stands."""
    for name, module in network.named_modules():
        if hasattr(module, "place"):
            module.place = name


@block("features[b ...] -> features[b ...]", draws=True)
class Dropout(nn.Module):
    """Set elements to zero at random while training.

    y = x * mask / (1 - p), mask 0 with probability p; y = x in eval mode. Any shape, any range.
    Source: Dropout: A Simple Way to Prevent Neural Networks from Overfitting, JMLR 2014.
    Differs: the mask comes from the current draw source instead of a global generator.
    """

    def __init__(self, *, p: Annotated[float, Range(0, 1)] = 0.5) -> None:
        super().__init__()
        self.p = p
        self.place = ""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return x
        if self.p == 1:
            return x * 0
        mask = draw_source().keep_mask(self.place, x.shape, self.p, x.device, x.dtype)
        return x * mask / (1 - self.p)

    def extra_repr(self) -> str:
        return f"p={self.p}"
