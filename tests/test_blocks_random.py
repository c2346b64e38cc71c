"""Facts of their own for blocks that draw, remember or start: dropout, histories, draws, starting weights."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from composer.blocks import draws
from composer.blocks.encoders import ContentEncoder
from composer.blocks.generators import Decoder
from composer.blocks.initialize import initialize
from composer.blocks.layers import ConvLayer
from composer.blocks.random import Dropout, GeneratorSource, drawing, name_places
from composer.blocks.state import History, Queue
from composer.errors import ComposeError


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(*sizes: int, seed: int = 0) -> Tensor:
    return torch.randn(sizes, generator=seeded(seed), dtype=torch.float64)


# -- random numbers and state --------------------------------------------------------------------------------


class Masks:
    """A source that gives recorded masks, by place."""

    def __init__(self, masks: dict[str, Tensor]) -> None:
        self.masks = masks

    def uniform(self, place: str, shape: Sequence[int], device: torch.device, dtype: torch.dtype) -> Tensor:
        raise AssertionError(place)

    def keep_mask(self, place: str, shape: Sequence[int], p: float, device: torch.device, dtype: torch.dtype) -> Tensor:
        return self.masks[place].to(dtype)


def test_dropout_replays_recorded_masks_by_its_place() -> None:
    network = nn.Sequential(nn.Identity(), Dropout(p=0.75))
    name_places(network)
    x, mask = noise(2, 4), torch.tensor([[1, 0, 0, 1], [0, 1, 0, 0]])
    with drawing(Masks({"1": mask})):
        assert torch.equal(network(x), x * mask * 4)
    assert torch.equal(network.eval()(x), x)


def test_dropout_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    with drawing(GeneratorSource(seeded(3))):
        kept = (Dropout(p=0.25)(torch.ones(100, 100)) > 0).float().mean()
    assert abs(kept.item() - 0.75) < 0.02
    assert torch.equal(torch.get_rng_state(), before)


class Recorded:
    """Recorded draws of a state block."""

    def __init__(self, shares: list[float], slots: list[int]) -> None:
        self.shares, self.slots = shares, slots

    def uniform(self, name: str) -> float:
        assert name == "u"
        return self.shares.pop(0)

    def integer(self, name: str, n: int) -> int:
        assert name == "slot" and n == 2
        return self.slots.pop(0)


def images(*values: float) -> Tensor:
    return torch.tensor(values).view(-1, 1, 1, 1).clone()


def test_history_fills_then_swaps_image_by_image() -> None:
    history = History(1, 1, 1, size=2)
    draws_ = Recorded([0.9, 0.5, 0.7], [1, 1])
    assert history(images(1, 2), draws=draws_).flatten().tolist() == [1, 2]
    # 3 swaps with 2; at u = 0.5 the new image is handed through; 5 gets the 3 of this very batch
    assert history(images(3, 4, 5), draws=draws_).flatten().tolist() == [2, 4, 3]
    assert history.images.flatten().tolist() == [1, 5]
    assert draws_.shares == [] and draws_.slots == []


def test_history_of_size_zero_hands_images_through_without_gradient() -> None:
    image = images(1.0, 2.0).requires_grad_()
    out = History(1, 1, 1, size=0)(image, draws=Recorded([], []))
    assert torch.equal(out, image) and not out.requires_grad


def test_history_is_saved_with_its_count() -> None:
    history, other = History(1, 1, 1, size=2), History(1, 1, 1, size=2)
    history(images(7), draws=Recorded([], []))
    other.load_state_dict(history.state_dict())
    assert int(other.kept) == 1 and other.images[0].item() == 7


def test_a_queue_is_read_before_it_is_pushed_and_goes_round() -> None:
    queue = Queue(1, size=3)
    before = queue.rows.clone()
    assert torch.equal(queue(torch.tensor([[1.0], [2.0]]), draws=Recorded([], [])), before)
    queue(torch.tensor([[3.0], [4.0]]), draws=Recorded([], []))
    assert queue.rows.flatten().tolist() == [4, 2, 3]


def test_draws_are_functions_of_their_generator() -> None:
    x = torch.zeros(4, 3, 2, 2, dtype=torch.float64)
    assert torch.equal(draws.normal_like(x, generator=seeded(1)), draws.normal_like(x, generator=seeded(1)))
    assert draws.normal_like(x, generator=seeded(1)).dtype == torch.float64
    assert draws.normal(x, 16, generator=seeded()).shape == (4, 16)
    assert draws.normal_map(x, 8, generator=seeded()).shape == (4, 8, 1, 1)
    assert sorted(draws.permutation(x, generator=seeded()).tolist()) == [0, 1, 2, 3]
    assert draws.shares(x, generator=seeded()).shape == (4,)
    found = draws.uniform(x, 1000, 2.0, 3.0, generator=seeded())
    assert 2 <= found.min() < 2.01 and 2.99 < found.max() < 3
    assert draws.uniform_like(x, -1, 0, generator=seeded()).max() <= 0


def test_a_coin_falls_as_often_as_it_should() -> None:
    generator = seeded()
    share = sum(draws.coin(0.25, generator=generator).item() for _ in range(2000)) / 2000
    assert abs(share - 0.25) < 0.03


def test_positions_are_different_pixels() -> None:
    features = torch.zeros(1, 2, 4, 4)
    found = draws.positions(features, 10, generator=seeded())
    assert len(set(found.tolist())) == 10 and max(found.tolist()) < 16
    assert sorted(draws.positions(features, 99, generator=seeded()).tolist()) == list(range(16))


# -- starting weights ----------------------------------------------------------------------------------------


def started(rule: str, module: nn.Module) -> nn.Module:
    initialize(module, rule, seeded(5))
    return module


def test_normal_sets_the_deviation_of_weights_and_of_batch_norm_scales() -> None:
    module = started("normal(0.02, norm=0.5)", nn.Sequential(nn.Conv2d(32, 64, 3), nn.BatchNorm2d(4096)))
    assert module[0].weight.std().item() == pytest.approx(0.02, rel=0.03) and not module[0].bias.any()
    assert module[1].weight.std().item() == pytest.approx(0.5, rel=0.05)
    assert module[1].weight.mean().item() == pytest.approx(1, abs=0.03) and not module[1].bias.any()


def test_normal_leaves_batch_norm_scales_alone_unless_asked() -> None:
    assert torch.equal(started("normal(0.02)", nn.BatchNorm2d(8)).weight, torch.ones(8))


def test_spectral_weights_may_start_from_another_law_than_the_others() -> None:
    module = nn.Sequential(ConvLayer(16, out=64, norm="spectral"), ConvLayer(64, out=64))
    initialize(module, "normal(0.5)", seeded())
    spectral, plain = (module[i].conv for i in (0, 1))
    assert float(spectral.weight_bar.detach().std()) == pytest.approx(0.5, rel=0.05)
    assert not spectral.bias.any()
    initialize(module, "normal(0.5, spectral=default)", seeded())
    bound = 1 / math.sqrt(16 * 9)
    assert 0.9 * bound < float(spectral.weight_bar.detach().abs().max()) <= bound
    assert 0 < float(spectral.bias.detach().abs().max()) <= bound
    assert float(plain.weight.detach().std()) == pytest.approx(0.5, rel=0.05)
    assert not plain.bias.any()
    initialize(module, "normal(0.5, spectral=default_weight)", seeded())
    assert 0.9 * bound < float(spectral.weight_bar.detach().abs().max()) <= bound
    assert not spectral.bias.any()
    with pytest.raises(ComposeError, match="spectral is 'same', 'default' or 'default_weight'"):
        initialize(module, "normal(0.5, spectral=other)", seeded())


def test_default_biases_are_uniform_within_the_root_of_the_fan() -> None:
    module = started("normal(0.02, bias='default')", nn.Linear(16, 4096))
    assert 0.24 < module.bias.abs().max().item() <= 0.25
    assert started("normal(0.02, bias=default)", nn.Linear(16, 4)).bias.any()


@pytest.mark.parametrize(
    ("rule", "deviation"),
    [
        ("kaiming", math.sqrt(2 / (32 * 9))),
        ("he", math.sqrt(2 / (32 * 9))),
        ("kaiming(1)", math.sqrt(1 / (32 * 9))),
        ("xavier(0.5)", 0.5 * math.sqrt(2 / ((32 + 64) * 9))),
        ("default", 1 / math.sqrt(32 * 9) / math.sqrt(3)),
    ],
)
def test_laws_have_the_deviation_they_promise(rule: str, deviation: float) -> None:
    assert started(rule, nn.Conv2d(32, 64, 3)).weight.std().item() == pytest.approx(deviation, rel=0.03)


def test_orthogonal_weights_keep_lengths() -> None:
    weight = started("orthogonal(2)", nn.Linear(8, 8)).weight
    assert torch.allclose(weight @ weight.T, 4 * torch.eye(8), atol=1e-5)


def test_starting_weights_depend_on_the_generator_alone() -> None:
    one, other = ContentEncoder(3, width=4), Decoder(16, up=1)
    again = Decoder(16, up=1)
    torch.manual_seed(99)
    for module in (other, again):
        initialize(module, "kaiming", seeded(1))
    for name, value in other.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name
    assert 0 <= other.layers[2].norm.gamma.min() and other.layers[2].norm.gamma.max() < 1
    initialize(one.double(), "normal(0.1)", seeded())
    assert one.layers[0].conv.weight.dtype == torch.float64


def test_an_unknown_law_names_the_nearest() -> None:
    with pytest.raises(ComposeError, match="did you mean 'kaiming'"):
        initialize(nn.Linear(1, 1), "kaimin", seeded())
    with pytest.raises(ComposeError, match="does not take"):
        initialize(nn.Linear(1, 1), "normal(1, 2, 3)", seeded())
