"""Facts of the blocks of translation with a code: the U-Net that takes one, the encoder's layers, judges at sizes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from composer.blocks.latent_unet import LatentUnet
from composer.blocks.patch_scales import PatchScales
from composer.blocks.resampling import average_pool, local_average
from composer.blocks.residual import HalvingResidual


def noise(*sizes: int, seed: int = 0) -> Tensor:
    return torch.randn(sizes, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def unet(**changed: Any) -> LatentUnet:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return LatentUnet(3, 2, **{"width": 2, "depth": 4, "norm": "none", **changed}).double()


def test_the_code_stands_behind_the_channels_of_every_level() -> None:
    assert [stage.conv.in_channels for stage in unet().down] == [5, 4, 6, 10]
    assert [stage.conv.in_channels for stage in unet(code_at="first").down] == [5, 2, 4, 8]
    network = unet()
    with torch.no_grad():
        for stage in network.down[:-1]:
            stage.conv.weight[:, -2:] = 0  # only the innermost level reads the code
    x = noise(1, 3, 16, 16)
    assert not torch.allclose(network(x, noise(1, 2)), network(x, noise(1, 2, seed=1)))


def test_a_level_comes_behind_what_came_up() -> None:
    network = unet(depth=2, output_activation="none")
    x, code = noise(2, 3, 4, 4), noise(2, 2)
    (down, inner), (last, up) = network.down, network.up

    def with_code(features: Tensor) -> Tensor:
        return torch.cat([features, code[:, :, None, None].expand(-1, -1, *features.shape[2:])], 1)

    level = down.conv(with_code(x))
    raised = up.conv(functional.relu(inner.conv(functional.leaky_relu(with_code(level), 0.2))))
    wanted = last.conv(functional.relu(torch.cat([raised, level], 1)))
    assert torch.allclose(network(x, code), wanted)


@pytest.mark.parametrize(("activation", "same"), [("relu", True), ("elu", False), ("leaky_relu(0.2)", False)])
def test_rectified_skips_show_with_other_activations_than_relu(activation: str, same: bool) -> None:
    x, code = noise(1, 3, 16, 16), noise(1, 2)
    plain, rectified = (unet(activation=activation, rectified_skips=on)(x, code) for on in (False, True))
    assert torch.allclose(plain, rectified) == same


def test_every_convolution_has_a_bias_and_no_norm_stands_outside() -> None:
    network = unet(norm="batch")
    convs = [m for m in network.modules() if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d))]
    assert len(convs) == 8 and all(conv.bias is not None for conv in convs)
    assert [isinstance(stage.norm, nn.BatchNorm2d) for stage in network.down] == [False, True, True, False]
    assert [isinstance(stage.norm, nn.BatchNorm2d) for stage in network.up] == [False, True, True, True]


@pytest.mark.parametrize(("depth", "places"), [(5, []), (6, [4]), (8, [4, 5, 6])])
def test_dropout_stands_where_both_sides_are_wide(depth: int, places: list[int]) -> None:
    network = LatentUnet(3, 2, width=1, depth=depth, dropout=0.5)
    assert [level for level, stage in enumerate(network.up) if stage.dropout.p] == places


def test_a_bilinear_way_up_has_no_transposed_convolution() -> None:
    network = unet(upsample="bilinear", norm="instance")
    assert not any(isinstance(m, nn.ConvTranspose2d) for m in network.modules())
    assert network(noise(1, 3, 16, 32), noise(1, 2)).shape == (1, 3, 16, 32)


@given(width=st.integers(1, 9), scales=st.integers(1, 3), narrow=st.integers(1, 3))
@settings(max_examples=20, deadline=None)
def test_smaller_sizes_have_narrower_judges(width: int, scales: int, narrow: int) -> None:
    network = PatchScales(3, width=width, layers=1, scales=scales, narrow=narrow)
    wanted = [max(1, round(width / narrow**k)) for k in range(scales)]
    assert [scale.layers[0].out_channels for scale in network.scales] == wanted


def test_judges_see_halves_of_the_image() -> None:
    network = PatchScales(3, width=2, layers=2, scales=2, norm="batch").double()
    assert all(m.bias is not None for m in network.modules() if isinstance(m, nn.Conv2d))
    x = noise(2, 3, 33, 40)
    first, second = network(x)
    assert first.shape == (2, 1, 6, 8) and second.shape == (2, 1, 2, 3)
    assert torch.allclose(second, network.scales[1](average_pool(x)))


@given(c=st.integers(1, 4), grow=st.integers(0, 3), widest=st.none() | st.integers(1, 5), h=st.integers(2, 9))
@settings(max_examples=30, deadline=None)
def test_a_halving_residual_is_its_formula(c: int, grow: int, widest: int | None, h: int) -> None:
    block = HalvingResidual(c, grow=grow, widest=widest, norm="none").double()
    x = noise(2, c, h, 5)
    inner = block.convs[1](functional.leaky_relu(block.convs[0](functional.leaky_relu(x, 0.2)), 0.2))
    wanted = local_average(inner) + block.shortcut(local_average(x))
    assert block(x).shape[1] == min(c + grow, widest or c + grow)
    assert torch.allclose(block(x), wanted)


@given(size=st.integers(1, 4), down=st.integers(1, 3), h=st.integers(0, 3), w=st.integers(0, 3))
@settings(max_examples=30, deadline=None)
def test_local_averages_leave_out_what_fills_no_square(size: int, down: int, h: int, w: int) -> None:
    high, wide = size * down + min(h, size - 1), size + min(w, size - 1)
    x = noise(1, 2, high, wide)
    found = local_average(x, size)
    assert found.shape == (1, 2, down, 1)
    assert torch.allclose(found[..., -1, 0], x[..., size * (down - 1) : size * down, :size].mean((2, 3)))
