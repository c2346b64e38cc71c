"""Blocks that break their contract, each in one way: what the laws are there to find."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from composer.block import block
from composer.blocks.layers import outputs_at


@dataclass(frozen=True)
class Broken:
    """A block that is not registered yet, and the words that say what is wrong with it."""

    target: Any
    words: str
    signature: str
    options: dict[str, Any]

    def register(self) -> str:
        block(self.signature, name=self.name, **self.options)(self.target)
        return self.name

    @property
    def name(self) -> str:
        return f"broken_{self.target.__name__}"


BROKEN: list[Broken] = []


def broken(words: str, signature: str, **options: Any) -> Callable[[Any], Any]:
    def remember(target: Any) -> Any:
        BROKEN.append(Broken(target, words, signature, options))
        return target

    return remember


# -- shapes, dtypes, repetition --------------------------------------------------------------------------------


@broken("promises features", "features[b c h w] -> features[b c h*2 w*2]")
def same_size(x: Tensor) -> Tensor:
    return x


@broken("refuses at every size", "features[b c h w] -> features[b c h w]")
def needs_another_shape(x: Tensor) -> Tensor:
    return x.view(x.numel() + 1)


@broken("needs x to be a multiple|promises", "image[b c h w] -> image[b c {h//2*2} {w//2*2}]")
def rounds_up(x: Tensor) -> Tensor:
    return nn.functional.pad(x, (0, x.shape[3] % 2, 0, x.shape[2] % 2))


@broken("in a program of torch.float64", "label[b] -> code[b 3]")
def always_single(label: Tensor) -> Tensor:
    return nn.functional.one_hot(label, 3).to(torch.float32)


@broken("torch's own generator", "x[...] -> x[...]")
def global_noise(x: Tensor) -> Tensor:
    return x + torch.rand_like(x)


@broken("in place", "x[...] -> x[...]")
def in_place(x: Tensor) -> Tensor:
    return x.mul_(2) if not x.requires_grad else x * 2


@broken("not finite", "x[...] -> x[...]")
def not_finite(x: Tensor) -> Tensor:
    return (x - 10).log()


class Counting(nn.Module):
    calls = 0

    def forward(self, x: Tensor) -> Tensor:
        Counting.calls += 1
        return x * Counting.calls


BROKEN.append(Broken(Counting, "other outputs for the same inputs", "x[...] -> x[...]", {}))


# -- gradients, rows, lists ------------------------------------------------------------------------------------


@broken("input 0 .* has no gradient", "x[...], x[...] -> x[...]")
def detached(x: Tensor, other: Tensor) -> Tensor:
    return x.detach() + other


@broken("input 1 .* times the largest", "x[...], x[...] -> x[...]")
def multiplied_away(x: Tensor, other: Tensor) -> Tensor:
    return x + 0 * other


@broken("unused.weight has no gradient", "code[b c] -> code[b c]")
class Unused(nn.Module):
    def __init__(self, c: int) -> None:
        super().__init__()
        self.used, self.unused = nn.Linear(c, c), nn.Linear(c, c)

    def forward(self, x: Tensor) -> Tensor:
        return self.used(x)


@broken("inner.bias has no gradient", "features[b c h w] -> features[b c h w]")
class CutBias(nn.Module):
    """Its bias stands in front of a normalization, which would excuse a gradient of zero, but not a cut."""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.inner = nn.Conv2d(c, c, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = nn.functional.conv2d(x, self.inner.weight, self.inner.bias.detach(), padding=1)
        return nn.functional.instance_norm(x)


@broken("scale has a gradient", "features[b c h w] -> features[b c h w]")
class ZeroScale(nn.Module):
    def __init__(self, c: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(c))

    def forward(self, x: Tensor) -> Tensor:
        return x + 0 * self.scale[:, None, None]


@broken("row alone", "features[b c h w] -> features[b c h w]")
class MixesRows(nn.Module):
    def __init__(self, c: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(c)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x)


@broken("for a list", "x[...] -> x[...]", maps=True)
def maps_one_level(x: Any) -> Any:
    return [i if isinstance(i, list) else 2 * i for i in x] if isinstance(x, list) else 2 * x


# -- weights ---------------------------------------------------------------------------------------------------


@broken("starts from torch's own generator", "code[b c] -> code[b c]")
class OwnStart(nn.Module):
    def __init__(self, c: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.rand(c))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale


@broken("its state_dict does not hold", "code[b c] -> code[b c]")
class Forgets(nn.Module):
    def __init__(self, c: int) -> None:
        super().__init__()
        self.start = torch.rand(c)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.start.to(x.dtype).to(x.device)


@broken("promises", "code[b c] -> code[b c]", entries={"half": "code[b c] -> code[b {c*2}]"})
class WrongEntry(nn.Module):
    def __init__(self, c: int) -> None:
        super().__init__()
        self.map = nn.Linear(c, c)

    def forward(self, x: Tensor) -> Tensor:
        return self.map(x)

    def half(self, x: Tensor) -> Tensor:
        return self.map(x)


class Chain(nn.Module):
    """Two maps, of which `layers` gives what each of `taps` gives."""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.maps = nn.Sequential(nn.Linear(c, c), nn.Linear(c, 2 * c))

    def forward(self, x: Tensor) -> Tensor:
        return self.maps(x)

    def layers(self, x: Tensor, taps: list[int]) -> list[Tensor]:
        return outputs_at(list(self.maps), x, taps)


@broken("promises", "code[b c] -> code[b {2*c}]", entries={"layers": "code[b c] -> code[b c]*{2} at taps"})
class WrongLayer(Chain):
    pass


@broken("behind those", "code[b c] -> code[b {2*c}]", entries={"layers": "code[b c] -> (code[b c]) at taps"})
class MoreLayers(Chain):
    pass


@broken(
    "there is no layer 2",
    "code[b c] -> code[b {2*c}]",
    entries={"layers": "code[b c] -> (code[b c], code[b {2*c}]*{2}) at taps"},
)
class FewerLayers(Chain):
    pass


# -- losses ----------------------------------------------------------------------------------------------------

TWO = "got[...], wanted[...] -> loss[]"


def loss(words: str, *laws: str, signature: str = TWO, **options: Any) -> Callable[[Any], Any]:
    return broken(words, signature, role="loss", laws=laws, **options)


@loss("declares nothing")
def no_laws(got: Tensor, wanted: Tensor) -> Tensor:
    return (got - wanted).abs().mean()


@loss("unknown law 'symetric'", "symetric")
def misspelt(got: Tensor, wanted: Tensor) -> Tensor:
    return (got - wanted).abs().mean()


@loss("not the mean of what it gives for each row", "zero at equal")
def sums(got: Tensor, wanted: Tensor) -> Tensor:
    return (got - wanted).abs().sum()


@loss("for equal inputs", "zero at equal")
def biased(got: Tensor, wanted: Tensor) -> Tensor:
    return (got - wanted + 0.1).abs().mean()


@loss("less than zero", "symmetric")
def negative(got: Tensor, wanted: Tensor) -> Tensor:
    return -(got - wanted).abs().mean()


@loss("are exchanged", "symmetric")
def one_sided(got: Tensor, wanted: Tensor) -> Tensor:
    return (got - wanted).relu().mean()


@loss("does not scale", "homogeneous 1")
def squared(got: Tensor, wanted: Tensor) -> Tensor:
    return (got - wanted).square().mean()


@loss("or its gradient is not", "zero at equal")
def root(got: Tensor, wanted: Tensor) -> Tensor:
    return (got - wanted).square().sqrt().mean()


@loss("its gradient is wrong", "zero at equal")
def half_detached(got: Tensor, wanted: Tensor) -> Tensor:
    return ((got - wanted) * (got - wanted).detach()).mean()


@loss("a mask", "zero at equal", signature="got[...], wanted[...], mask? -> loss[]")
def mask_not_counted(got: Tensor, wanted: Tensor, mask: Tensor | None = None) -> Tensor:
    return (got - wanted).abs().mean() if mask is None else (mask * (got - wanted).abs()).mean()


@loss("does not fall", "unbounded", "falls", signature="scores[...] -> loss[]")
def wrong_side(scores: Tensor) -> Tensor:
    return scores.mean()


# -- draws, states, passes -------------------------------------------------------------------------------------


@broken("torch's own generator", "x[b ...]? -> noise[b 4]", role="draw")
def ignores_its_generator(rows: Tensor, *, generator: torch.Generator, dtype: torch.dtype) -> Tensor:
    return torch.randn(len(rows), 4, dtype=dtype)


@broken("other values of the same shapes", "x[b ...]? -> noise[b 4]", role="draw")
def looks_at_values(rows: Tensor, *, generator: torch.Generator, dtype: torch.dtype) -> Tensor:
    return (torch.randn(len(rows), 4, generator=generator) + rows.sum()).to(dtype)


@broken("in float32 than in float64", "x[b ...]? -> noise[b 4]", role="draw")
def by_dtype(rows: Tensor, *, generator: torch.Generator, dtype: torch.dtype) -> Tensor:
    return torch.rand(len(rows), 4, generator=generator, dtype=dtype)


@broken("the same numbers under every name", "x[b ...]? -> noise[b 4]", role="draw")
def always_the_same(rows: Tensor, *, generator: torch.Generator, dtype: torch.dtype) -> Tensor:
    return torch.ones(len(rows), 4, dtype=dtype)


class Kept(nn.Module):
    """The code of the call before."""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.register_buffer("last", torch.zeros(c))

    def forward(self, x: Tensor, *, draws: Any) -> Tensor:
        before = self.last.clone()
        self.last.copy_(x.detach().mean(0))
        return before.expand(len(x), -1).clone()


KEPT = {"role": "state", "per_sample": False}


@broken("differently from its own state_dict", "code[b c] -> code[b c]", **KEPT)
class NotSaved(Kept):
    def forward(self, x: Tensor, *, draws: Any) -> Tensor:
        self.calls = getattr(self, "calls", 0) + 1
        return super().forward(x, draws=draws) * self.calls


@broken("with a graph", "code[b c] -> code[b c]", **KEPT)
class WithGraph(Kept):
    def forward(self, x: Tensor, *, draws: Any) -> Tensor:
        return super().forward(x, draws=draws) + x


@broken("instead of a copy", "code[b c] -> code[b c]", **KEPT)
class HandsThrough(Kept):
    def forward(self, x: Tensor, *, draws: Any) -> Tensor:
        return x.detach()


@broken("in one batch", "x[b c] -> x[c]", role="collect", per_sample=False)
class MeanOfMeans(nn.Module):
    """Halves what it has at every batch."""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.register_buffer("value", torch.zeros(c))

    def begin(self) -> None:
        self.value.zero_()

    def forward(self, x: Tensor) -> None:
        self.value.copy_((self.value + x.mean(0)) / 2)

    def finish(self) -> None:
        pass
