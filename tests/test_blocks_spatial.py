"""Residual blocks that a map scales and shifts, and norms of weights and features together."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from composer.blocks.layers import ConvLayer
from composer.blocks.normalization import InstanceNorm
from composer.blocks.resampling import flatten, resize, subsample, unflatten
from composer.blocks.spatial import SpatialResidual
from composer.blocks.spectral import SpectralNorm


def noise(*sizes: int, seed: int = 0) -> Tensor:
    return torch.randn(sizes, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_where_the_width_stays_the_features_themselves_are_added() -> None:
    block = SpatialResidual(4, 2, hidden=3).double()
    with torch.no_grad():
        for conv in block.convs:
            conv.bias.zero_()
        block.norms[1].scale.weight.zero_()
        block.norms[1].scale.bias.fill_(-1)  # 1 + scale = 0: nothing is left of the residual
        block.norms[1].shift.weight.zero_()
        block.norms[1].shift.bias.zero_()
    x = noise(2, 4, 6, 6)
    assert block.shortcut is None and torch.equal(block(x, noise(2, 2, 3, 3)), x)


def test_where_it_changes_the_shortcut_is_normalized_and_never_activated() -> None:
    block = SpatialResidual(4, 3, narrow=2, norm="instance", spectral=False, hidden=5).double()
    x, given = noise(2, 4, 6, 8), noise(2, 3, 12, 4)
    with torch.no_grad():
        for conv in block.convs:
            conv.weight.zero_()
            conv.bias.zero_()
    assert block.shortcut is not None and block.shortcut.bias is None
    seen = functional.interpolate(given, (6, 8))
    norm = block.shortcut_norm
    hidden = functional.relu(norm.shared(seen))
    wanted = functional.instance_norm(x) * (1 + norm.scale(hidden)) + norm.shift(hidden)
    assert torch.allclose(block(x, given), block.shortcut(wanted))


def test_doubling_comes_before_everything_else() -> None:
    block = SpatialResidual(4, 2, up=True, out=6, hidden=3).double().eval()
    plain = SpatialResidual(4, 2, out=6, hidden=3).double().eval()
    plain.load_state_dict(block.state_dict())
    x, given = noise(1, 4, 3, 5), noise(1, 2, 6, 10)
    assert torch.equal(block(x, given), plain(x.repeat_interleave(2, 2).repeat_interleave(2, 3), given))


@pytest.mark.parametrize(
    ("norm", "features"), [("spectral_batch", nn.BatchNorm2d), ("spectral_instance", InstanceNorm)]
)
def test_a_norm_of_weights_and_features(norm: str, features: type[nn.Module]) -> None:
    layer = ConvLayer(3, out=4, norm=norm)  # type: ignore[arg-type]
    assert isinstance(layer.conv, SpectralNorm) and isinstance(layer.norm, features)


def test_every_other_pixel_is_the_nearest_at_half_the_size_and_a_row_becomes_a_map() -> None:
    x = noise(2, 3, 8, 12)
    assert torch.equal(subsample(x, 4), resize(x, 2, 3, mode="nearest"))
    assert torch.equal(unflatten(flatten(x), 8, 12), x)
