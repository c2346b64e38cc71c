"""State beyond weights: what earlier iterations left behind."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Protocol

import torch
from torch import Tensor, nn

from composer.block import Range, block


class Draws(Protocol):
    """Random numbers for a state block, asked one after the other, so that recorded ones can be replayed."""

    def uniform(self, name: str) -> float:
        """A number in [0, 1)."""

    def integer(self, name: str, n: int) -> int:
        """A whole number from 0 to n - 1."""

    @property
    def clock(self) -> Any:
        """The moment of the run (see `composer.clock.Clock`); None in a pass over the data."""


@block("image[b c h w] -> image[b c h w]", role="state", per_sample=False)
class History(nn.Module):
    """Earlier images in place of some of the new ones, so that a discriminator does not forget.

    Image by image in the order of the batch: while fewer than `size` images are kept, the image is kept and returned,
    and nothing is drawn. Afterwards u in [0, 1) is drawn (`u`); if u > 0.5 a slot is drawn (`slot`), its image is
    returned and the new one takes its place; otherwise the new image is returned and not kept. `size` 0 hands images
    through. Shapes [b c h w]; range kept; no gradient flows through.
    Source: Learning from Simulated and Unsupervised Images through Adversarial Training (arXiv:1612.07828), section
    2.3, in the form of Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks
    (arXiv:1703.10593). Differs: replacement is random, image by image, not half of each batch.
    """

    images: Tensor
    kept: Tensor

    def __init__(self, c: int, h: int, w: int, *, size: Annotated[int, Range(0, None)] = 50) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("images", torch.zeros(size, c, h, w))
        self.register_buffer("kept", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def forward(self, x: Tensor, *, draws: Draws) -> Tensor:
        if self.size == 0:
            return x.detach().clone()
        given = []
        for image in x.detach():
            kept = int(self.kept)
            if kept < self.size:
                self.images[kept] = image
                self.kept += 1
                given.append(image)
            elif draws.uniform("u") > 0.5:
                slot = draws.integer("slot", self.size)
                given.append(self.images[slot].clone())
                self.images[slot] = image
            else:
                given.append(image)
        return torch.stack(given)


@block("x[b ...] -> x[...]", role="state", per_sample=False)
class RunningMean(nn.Module):
    """The mean over rows, and over earlier iterations with weights that fall: what x is like, followed over time.

    sum = decay * sum + (1 - decay) * mean of this iteration's rows; sum / (1 - decay**n) comes out, n the iterations so
    far, this one too, so that the start at zero does not show; with a decay of 1 it is the mean of all iterations.
    Shapes: [b ...] -> [...]; range kept; no gradient flows through.
    Source: the moments of Adam (arXiv:1412.6980), algorithm 1.
    """

    total: Tensor
    steps: Tensor

    def __init__(self, rest: tuple[int, ...], *, decay: Annotated[float, Range(0, 1)] = 0.99) -> None:
        super().__init__()
        self.decay = decay
        self.register_buffer("total", torch.zeros(rest))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def forward(self, x: Tensor, *, draws: Draws) -> Tensor:
        self.steps += 1
        share = 1 / float(self.steps) if self.decay == 1 else 1 - self.decay
        self.total += share * (x.detach().mean(0) - self.total)
        return self.total / (1 if self.decay == 1 else 1 - self.decay ** float(self.steps))


@block("code[b c] -> code[{size} c]", role="state", per_sample=False)
class Queue(nn.Module):
    """The last `size` rows that earlier iterations pushed, read before this iteration's rows are pushed.

    The oldest rows are overwritten, in a ring. Shapes [b c] -> [size c]; rows start as unit vectors in random
    directions, and as what a pass fills in. With `reset` "epoch" every epoch starts with those rows again.
    No gradient flows through. Source: Momentum Contrast (arXiv:1911.05722), algorithm 1.
    Differs: `size` need not be a multiple of the batch.
    """

    rows: Tensor
    next: Tensor
    first_rows: Tensor
    first_next: Tensor

    def __init__(
        self, c: int, *, size: Annotated[int, Range(1, None)] = 1024, reset: Literal["never", "epoch"] = "never"
    ) -> None:
        super().__init__()
        self.size, self.reset = size, reset
        start = torch.randn(size, c)
        self.register_buffer("rows", start / start.norm(dim=1, keepdim=True))
        self.register_buffer("next", torch.zeros((), dtype=torch.int64))
        if reset == "epoch":  # what an epoch starts with
            self.register_buffer("first_rows", self.rows.clone())
            self.register_buffer("first_next", self.next.clone())

    def draw_initial(self, generator: torch.Generator) -> None:
        """Draw the starting rows anew (see `composer.blocks.initialize`)."""
        start = torch.randn(self.rows.shape, generator=generator)
        self.rows.copy_(start / start.norm(dim=1, keepdim=True))
        self._keep_start()

    def _keep_start(self) -> None:
        if self.reset == "epoch":
            self.first_rows.copy_(self.rows)
            self.first_next.copy_(self.next)

    @torch.no_grad()
    def forward(self, x: Tensor, *, draws: Draws) -> Tensor:
        if self.reset == "epoch" and draws.clock is not None and draws.clock.position == 0:
            self.rows.copy_(self.first_rows)
            self.next.copy_(self.first_next)
        before = self.rows.clone()
        pushed = x.detach()[-self.size :]  # of more rows than there is room for the last ones stay
        first = int(self.next) + x.shape[0] - pushed.shape[0]
        places = (first + torch.arange(pushed.shape[0], device=x.device)) % self.size
        self.rows[places] = pushed.to(self.rows.dtype)
        self.next.copy_((self.next + x.shape[0]) % self.size)
        if self.reset == "epoch" and draws.clock is None:
            self._keep_start()
        return before
