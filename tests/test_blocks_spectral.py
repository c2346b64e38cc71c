"""Spectral normalization: what its weights become, and what a call remembers."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from composer.blocks.initialize import initialize
from composer.blocks.layers import ConvLayer, ConvTransposeLayer
from composer.blocks.spectral import SpectralNorm


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(*sizes: int, seed: int = 0) -> Tensor:
    return torch.randn(sizes, generator=seeded(seed), dtype=torch.float64)


def started(module: nn.Module) -> nn.Module:
    initialize(module, "normal(0.5, bias=default)", seeded())
    return module.double()


@pytest.mark.parametrize("make", [lambda: nn.Conv2d(3, 5, 3, 2, 1), lambda: nn.ConvTranspose2d(3, 5, 4, 2, 1)])
def test_after_many_calls_the_largest_singular_value_is_one(make: type[nn.Conv2d]) -> None:
    plain = make()
    wrapped = started(SpectralNorm(plain))
    x = noise(2, 3, 6, 6)
    for _ in range(200):
        wrapped(x)
    weight = wrapped.weight_bar
    rows = (weight.transpose(0, 1) if isinstance(plain, nn.ConvTranspose2d) else weight).flatten(1)
    largest = torch.linalg.svdvals(rows)[0]
    plain = plain.double()
    with torch.no_grad():
        plain.weight.copy_(weight / largest)
        plain.bias.copy_(wrapped.bias)
    assert torch.allclose(wrapped(x), plain(x), atol=1e-9)


def test_every_call_in_training_makes_one_step_and_none_in_eval_mode() -> None:
    layer = started(ConvLayer(3, out=4, norm="spectral"))
    x = noise(1, 3, 5, 5)
    norm = layer.conv
    before = norm.weight_u.clone()
    layer.eval()
    assert torch.equal(layer(x), layer(x)) and torch.equal(before, norm.weight_u)
    layer.train()
    layer(x)
    rows = norm.weight_bar.flatten(1)
    v = rows.T @ before
    u = rows @ (v / v.norm())
    assert torch.allclose(norm.weight_u, u / u.norm())
    assert torch.allclose(norm.weight_v, v / v.norm())


def test_a_call_is_differentiated_with_its_own_directions() -> None:
    layer = started(ConvLayer(2, out=3, norm="spectral"))
    x, y = noise(1, 2, 4, 4), noise(1, 2, 4, 4, seed=1)
    weight = layer.conv.weight_bar

    def gradient(*inputs: Tensor) -> Tensor:
        start = {k: v.clone() for k, v in layer.state_dict().items()}
        outputs = [layer(one).square().sum() for one in inputs]
        (found,) = torch.autograd.grad(outputs[0], weight)  # of the first call, after all of them
        layer.load_state_dict(start)
        return found

    assert torch.equal(gradient(x), gradient(x, y, y))


def test_u_and_v_are_saved_and_not_trained() -> None:
    layer = ConvTransposeLayer(2, out=3, norm="spectral")
    assert set(layer.state_dict()) == {f"conv.{name}" for name in ("weight_bar", "bias", "weight_u", "weight_v")}
    assert {name for name, _ in layer.named_parameters()} == {"conv.weight_bar", "conv.bias"}
