"""One or two facts of its own for each block. The laws that all blocks obey are tested elsewhere."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from composer.blocks import losses, tensors
from composer.blocks.activations import activation
from composer.blocks.discriminators import MultiscaleDiscriminator, PatchDiscriminator, PixelDiscriminator
from composer.blocks.encoders import ContentEncoder, StyleEncoder
from composer.blocks.features import Vgg16, caffe_range
from composer.blocks.generators import Decoder, ResnetGenerator, Unet
from composer.blocks.layers import ConvLayer, ConvTransposeLayer, UpsampleConv
from composer.blocks.normalization import (
    AdaptiveNorm,
    FeatureNorm,
    LayerNorm,
    SpatialNorm,
    modulate,
    normalization,
    normalize,
)
from composer.blocks.penalties import square_norm, unit_gradient
from composer.blocks.resampling import average_pool, blur_pool
from composer.blocks.residual import Residual, ResidualStack
from composer.blocks.similarity import ms_ssim, ssim
from composer.blocks.styled import AdaptiveResidualStack
from composer.errors import ComposeError


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(*sizes: int, seed: int = 0) -> Tensor:
    return torch.randn(sizes, generator=seeded(seed), dtype=torch.float64)


# -- normalization -------------------------------------------------------------------------------------------


def test_adaptive_norm_gives_each_channel_the_mean_and_spread_of_its_style() -> None:
    block = AdaptiveNorm(3, 5, offset=0.0).double()
    with torch.no_grad():
        block.linear.weight.zero_()
        block.linear.bias.copy_(torch.tensor([2.0] * 3 + [3.0] * 3))
    out = block(noise(2, 3, 16, 16), noise(2, 5))
    assert torch.allclose(out.mean((2, 3)), torch.full((2, 3), 3.0, dtype=torch.float64))
    assert torch.allclose(out.std((2, 3), correction=0), torch.full((2, 3), 2.0, dtype=torch.float64), atol=1e-4)


def test_adaptive_norm_reads_the_scale_before_the_shift() -> None:
    block = AdaptiveNorm(2, 4).double()
    x, style = noise(1, 2, 8, 8), noise(1, 4, seed=1)
    scale, shift = block.linear(style)[0, :2], block.linear(style)[0, 2:]
    assert torch.allclose(block(x, style), modulate(x, 1 + scale[None], shift[None]))


def test_an_adaptive_stack_reads_shifts_before_scales_norm_by_norm() -> None:
    block = AdaptiveResidualStack(2, 3, blocks=2, activation="none", pad="zero").double()
    with torch.no_grad():
        for layer in (p for n, p in block.named_parameters() if n.startswith("blocks")):
            layer.zero_()  # nothing is left of the features but what the last norm of each block shifts them by
        block.linear.weight.zero_()
        block.linear.bias.copy_(torch.arange(16.0))
    x = noise(1, 2, 4, 4)
    out = block(x, noise(1, 3)) - x
    assert torch.allclose(out, torch.tensor([4.0 + 12.0, 5.0 + 13.0]).double()[None, :, None, None].expand_as(out))


def test_layer_norm_divides_by_the_unbiased_deviation_plus_eps() -> None:
    block = LayerNorm(2, eps=0.5).double()
    with torch.no_grad():
        block.gamma.fill_(1)
    x = noise(3, 2, 4, 4)
    wanted = torch.stack([(one - one.mean()) / (one.std() + 0.5) for one in x])
    assert torch.allclose(block(x), wanted)


@pytest.mark.parametrize("kind", ["instance", "instance_affine", "instance_tracked"])
@pytest.mark.parametrize("rows", [1, 2])
def test_instance_norm_does_not_care_how_its_gradient_is_stored(kind: FeatureNorm, rows: int) -> None:
    block = normalization(kind, 4).double()
    x, usual = noise(rows, 4, 6, 6).requires_grad_(), noise(rows, 4, 6, 6, seed=1)
    other = usual.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)  # the same numbers, channels last
    one, two = (torch.autograd.grad(block(x), x, gradient)[0] for gradient in (usual, other))
    assert torch.allclose(one, two)


def test_instance_norm_of_one_row_is_differentiated_twice() -> None:
    """What follows is linear in it, so that the derivative's gradient says nothing of its output."""
    judge = nn.Sequential(nn.Conv2d(3, 3, 3), normalization("instance", 3), nn.Conv2d(3, 1, 3)).double()
    found = []
    for rows in (1, 2):  # the same row twice has half of its gradient from each
        x = noise(1, 3, 6, 6).expand(rows, -1, -1, -1).requires_grad_()
        (slope,) = torch.autograd.grad(judge(x).sum(), x, create_graph=True)
        found.append(torch.autograd.grad(slope.square().sum() / rows, judge[0].weight)[0])
    assert float(found[0].abs().max()) > 1e-3
    assert torch.allclose(*found)


def test_normalize_is_instance_normalization() -> None:
    x = noise(2, 3, 5, 7)
    assert torch.allclose(normalize(x), nn.functional.instance_norm(x, eps=1e-5))


def test_spatial_norm_takes_a_map_of_another_size() -> None:
    block = SpatialNorm(4, 2, width=8)
    assert block(torch.randn(2, 4, 8, 8), torch.ones(2, 2, 16, 16)).shape == (2, 4, 8, 8)


# -- layers and networks -------------------------------------------------------------------------------------


def test_activations_are_read_from_text() -> None:
    x = torch.tensor([-2.0, 3.0])
    assert activation("leaky_relu(0.2)")(x).tolist() == pytest.approx([-0.4, 3.0])
    assert activation("leaky_relu")(x)[0].item() == pytest.approx(-0.02)
    assert activation("none")(x) is x
    with pytest.raises(ComposeError, match="did you mean 'leaky_relu'"):
        activation("leaky_rellu(0.2)")
    with pytest.raises(ComposeError, match="no call"):
        activation("relu(")


def test_widen_and_narrow_count_from_the_channels_that_come_in() -> None:
    assert ConvLayer(6, widen=2, stride=2)(torch.randn(1, 6, 9, 9)).shape == (1, 12, 5, 5)
    up = ConvTransposeLayer(6, narrow=2, kernel=3, output_padding=1)
    assert up(torch.randn(1, 6, 5, 5)).shape == (1, 3, 10, 10)
    assert UpsampleConv(6, out=4, kernel=5, pad="reflect")(torch.randn(1, 6, 5, 5)).shape == (1, 4, 10, 10)


def test_a_residual_block_of_zeros_changes_nothing() -> None:
    block = Residual(4, norm="none")
    for parameter in block.parameters():
        nn.init.zeros_(parameter)
    x = torch.randn(1, 4, 6, 6)
    assert torch.equal(block(x), x)
    assert torch.equal(ResidualStack(4, blocks=0)(x), x)


def test_blur_pool_keeps_constants_and_halves_rounding_up() -> None:
    assert torch.allclose(blur_pool(torch.full((1, 2, 7, 8), 3.0)), torch.full((1, 2, 4, 4), 3.0))
    assert torch.allclose(average_pool(torch.full((1, 2, 7, 8), 3.0)), torch.full((1, 2, 4, 4), 3.0))


def test_a_unet_without_skips_has_half_as_many_channels_to_raise() -> None:
    with_skips, without = Unet(3, width=4, depth=5), Unet(3, width=4, depth=5, skips=False)
    assert [s.conv.in_channels for s in with_skips.up[:-1]] == [2 * s.conv.in_channels for s in without.up[:-1]]
    assert without(torch.randn(2, 3, 32, 32)).shape == (2, 3, 32, 32)


def test_a_unet_drops_out_in_its_deep_levels_but_not_in_the_deepest() -> None:
    network = Unet(3, width=2, depth=8, dropout=0.5)
    assert [stage.dropout.p for stage in network.up] == [0, 0, 0, 0, 0.5, 0.5, 0.5, 0]


def test_taps_of_a_resnet_generator_count_along_its_chain() -> None:
    network = ResnetGenerator(3, width=4, blocks=9, antialias=True, antialias_up=True)
    image = torch.randn(1, 3, 16, 16)
    features = network.features(image, [0, 4, 8, 12, 16])
    assert [tuple(f.shape[1:]) for f in features] == [(3, 22, 22), (8, 16, 16), (16, 8, 8), (16, 4, 4), (16, 4, 4)]
    assert torch.equal(network.features(image, [len(network.layers) - 1])[0], network(image))


@pytest.mark.parametrize(("layers", "pixels"), [(1, 16), (2, 34), (3, 70)])
def test_a_patch_score_sees_as_many_pixels_as_it_says(layers: int, pixels: int) -> None:
    network = PatchDiscriminator(1, width=2, layers=layers, norm="none")
    image = torch.zeros(1, 1, 96, 96, requires_grad=True)
    scores = network(image)
    middle = scores.shape[2] // 2
    (gradient,) = torch.autograd.grad(scores[0, 0, middle, middle], image)
    seen = gradient[0, 0].abs().sum(0).nonzero().flatten()
    assert int(seen.max() - seen.min()) + 1 == pixels


def test_a_pixel_score_sees_one_pixel() -> None:
    image = torch.zeros(1, 3, 8, 8, requires_grad=True)
    (gradient,) = torch.autograd.grad(PixelDiscriminator(3, width=4).eval()(image)[0, 0, 2, 3], image)
    assert gradient.abs().sum(1).nonzero().tolist() == [[0, 2, 3]]


def test_square_halves_lose_the_right_of_wide_images() -> None:
    settings = {"width": 4, "layers": 2, "downsample": "gaussian", "pad": "zero", "kernel": 3}
    wide = torch.randn(1, 3, 16, 48)
    shapes = [tuple(s.shape[2:]) for s in MultiscaleDiscriminator(3, square_halves=True, **settings)(wide)]
    assert shapes == [(4, 12), (2, 2), (1, 1)]
    shapes = [tuple(s.shape[2:]) for s in MultiscaleDiscriminator(3, **settings)(wide)]
    assert shapes == [(4, 12), (2, 6), (1, 3)]


def test_encoder_and_decoder_fit_each_other() -> None:
    code = ContentEncoder(3, width=4, down=2, residual=1)(torch.randn(2, 3, 32, 32))
    assert code.shape == (2, 16, 8, 8)
    assert Decoder(16, out=1, up=2, residual=1)(code).shape == (2, 1, 32, 32)
    assert StyleEncoder(3, out=8, width=4)(torch.randn(2, 3, 64, 64)).shape == (2, 8)


def test_vgg_pools_three_times_unless_asked_for_four() -> None:
    image = torch.randn(1, 3, 32, 32)
    assert Vgg16(3, width=2)(image).shape == (1, 16, 4, 4)
    assert Vgg16(3, width=2, pools=4)(image).shape == (1, 16, 2, 2)
    assert "conv5_3.bias" in Vgg16(3, width=2).state_dict()


def test_caffe_range_puts_blue_first() -> None:
    red = torch.tensor([1.0, -1.0, -1.0]).view(1, 3, 1, 1)
    assert caffe_range(red).flatten().tolist() == pytest.approx([-103.939, -116.779, 255 - 123.68], abs=1e-3)


# -- losses --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["bce", "least_squares", "hinge", "wasserstein"])
def test_adversarial_adds_or_averages_scales(mode: losses.Mode) -> None:
    scores = [noise(2, 1, 4, 4), noise(2, 1, 2, 2, seed=1)]
    parts = sum(losses.adversarial(s, "real", mode) for s in scores)
    assert torch.allclose(losses.adversarial(scores, "real", mode), parts)
    assert torch.allclose(losses.adversarial(scores, "real", mode, scales="mean"), parts / 2)
    with_features = [[noise(1), scores[0]], [noise(1), scores[1]]]
    assert torch.allclose(losses.adversarial(with_features, "real", mode), parts)


def test_adversarial_bce_is_the_entropy_of_a_sigmoid() -> None:
    score = noise(3, 1, 4, 4)
    for goal, target in (("real", 1.0), ("fake", 0.0), ("fool", 1.0)):
        wanted = nn.functional.binary_cross_entropy(score.sigmoid(), torch.full_like(score, target))
        assert torch.allclose(losses.adversarial(score, goal, "bce"), wanted)  # type: ignore[arg-type]


def test_a_mask_of_half_an_image_counts_that_half() -> None:
    got, wanted = noise(2, 3, 8, 8), noise(2, 3, 8, 8, seed=1)
    mask = torch.zeros(2, 1, 8, 8)
    mask[..., :4] = 1
    for loss in (losses.l1, losses.l2, losses.charbonnier, losses.huber):
        assert torch.allclose(loss(got, wanted, mask=mask), loss(got[..., :4], wanted[..., :4]))  # type: ignore[operator]


def test_kl_vanishes_at_the_standard_normal_and_reduces_as_asked() -> None:
    zero = torch.zeros(2, 3)
    assert losses.kl_standard_normal(zero, zero).item() == 0
    values = [losses.kl_standard_normal(zero + 1, zero, r).item() for r in ("sum", "rows", "mean")]  # type: ignore[arg-type]
    assert values == [3.0, 1.5, 0.5]


def test_total_variation_measures_steps() -> None:
    ramp = torch.arange(8.0).expand(1, 1, 8, 8)
    assert losses.total_variation(ramp).item() == 1
    assert losses.gradient_difference(ramp, 3 * ramp).item() == 2


def test_feature_matching_leaves_the_scores_out() -> None:
    one = [[torch.ones(2), torch.ones(3), torch.zeros(1)] for _ in range(2)]
    other = [[torch.zeros(2), torch.zeros(3), torch.ones(1)] for _ in range(2)]
    assert losses.feature_matching(one, other, factor=4).item() == 4 / 2 * 4
    assert losses.perceptual([torch.ones(2), torch.ones(3)], [torch.zeros(2), torch.zeros(3)], [1, 2]).item() == 3


def test_cross_entropies_agree_with_their_definition() -> None:
    logits, target = noise(5), torch.linspace(0, 1, 5, dtype=torch.float64)
    wanted = nn.functional.binary_cross_entropy_with_logits(logits, target)
    assert torch.allclose(losses.bce(logits, target), wanted)
    assert losses.cross_entropy(torch.zeros(2, 4, 3, 3), torch.zeros(2, 3, 3).long()).item() == pytest.approx(
        math.log(4)
    )


def test_ssim_of_an_image_with_itself_is_zero_and_symmetric() -> None:
    one, other = noise(2, 3, 24, 30).tanh(), noise(2, 3, 24, 30, seed=1).tanh()
    assert abs(ssim(one, one).item()) < 1e-12
    assert torch.allclose(ssim(one, other), ssim(other, one))
    assert abs(ms_ssim(noise(1, 1, 176, 176), noise(1, 1, 176, 176)).item()) < 1e-12


def striped(channels: int, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Two images that a formula gives, so that numbers of another program can stand here."""
    n = torch.arange(channels * height * width, dtype=torch.float64).view(1, channels, height, width)
    n = torch.cat([n, n + 7])
    one = torch.sin(n * n * 0.37)
    return 0.9 * one, 0.95 * (one + 0.3 * torch.cos(1.7 * n)).clamp(-1, 1)


@pytest.mark.parametrize(
    ("sizes", "single", "multi"),
    [((1, 180, 200), 0.9319491939, 0.9784683756), ((3, 176, 181), 0.9250154208, 0.9728874359)],
)
def test_ssim_agrees_with_torchmetrics(sizes: tuple[int, int, int], single: float, multi: float) -> None:
    # torchmetrics 1.9.0, data_range=2.0: structural_similarity_index_measure and its multiscale sister
    one, other = striped(*sizes)
    assert 1 - ssim(one, other).item() == pytest.approx(single, abs=1e-9)
    assert 1 - ms_ssim(one, other).item() == pytest.approx(multi, abs=1e-8)


def test_ssim_without_padding_is_its_definition_at_every_pixel() -> None:
    one, other = noise(1, 1, 13, 12).tanh(), noise(1, 1, 13, 12, seed=1).tanh()
    line = torch.exp(-((torch.arange(11.0, dtype=torch.float64) - 5) ** 2) / (2 * 1.5**2))
    window = line[:, None] * line[None] / line.sum() ** 2
    found = []
    for y in range(3):
        for x in range(2):
            p, q = one[0, 0, y : y + 11, x : x + 11], other[0, 0, y : y + 11, x : x + 11]
            mp, mq = (window * p).sum(), (window * q).sum()
            vp, vq = (window * p * p).sum() - mp**2, (window * q * q).sum() - mq**2
            both = (window * p * q).sum() - mp * mq
            top = (2 * mp * mq + 0.02**2) * (2 * both + 0.06**2)
            found.append(top / ((mp**2 + mq**2 + 0.02**2) * (vp + vq + 0.06**2)))
    assert torch.allclose(1 - ssim(one, other, padding="valid"), torch.stack(found).mean())


def test_ms_ssim_of_opposites_has_a_finite_gradient() -> None:
    one = noise(1, 1, 176, 176).tanh().requires_grad_()
    loss = ms_ssim(one, -one.detach())
    loss.backward()
    assert loss.item() == 1 and one.grad is not None and bool(one.grad.isfinite().all())


def test_penalties_measure_rows() -> None:
    gradient = torch.tensor([[3.0, 4.0], [0.0, 0.0]])
    assert square_norm(gradient).item() == 12.5
    assert unit_gradient(gradient).item() == (16 + 1) / 2


# -- tensors -------------------------------------------------------------------------------------------------


def test_split_undoes_stack() -> None:
    one, other = noise(2, 3), noise(2, 3, seed=1)
    parts = tensors.split(tensors.stack(one, other))
    assert torch.equal(parts[0], one) and torch.equal(parts[1], other)


def test_pick_takes_the_same_pixels_of_every_sample() -> None:
    features = noise(2, 3, 4, 5)
    picked = tensors.pick(features, torch.tensor([7, 0]))
    assert picked.shape == (4, 3)
    assert torch.equal(picked[0], features[0, :, 1, 2]) and torch.equal(picked[3], features[1, :, 0, 0])


def test_edges_are_where_neighbours_differ() -> None:
    ids = torch.tensor([[[1, 1, 2], [1, 1, 2]]])
    assert tensors.edges(ids)[0, 0].tolist() == [[0, 1, 1], [0, 1, 1]]


def test_one_hot_puts_classes_along_the_channels() -> None:
    assert tensors.one_hot(torch.tensor([[[0, 2]]]), 3)[0, :, 0].tolist() == [[1, 0], [0, 0], [0, 1]]
    assert tensors.one_hot(torch.tensor([1]), 2).tolist() == [[0, 1]]


def test_cutting_choosing_and_mixing() -> None:
    x = torch.arange(12.0).view(2, 6)
    assert torch.equal(tensors.rows(x, 1, 1), x[1:]) and torch.equal(tensors.channels(x, 2, 3), x[:, 2:5])
    assert torch.equal(tensors.take(x, torch.tensor([1, 0])), x.flip(0))
    assert torch.equal(tensors.flip(x, torch.tensor(1.0)), x.flip(-1)) and torch.equal(
        tensors.flip(x, torch.tensor(0)), x
    )
    mixed = tensors.lerp(torch.zeros(2, 3), torch.ones(2, 3), torch.tensor([0.25, 1.0]))
    assert mixed[:, 0].tolist() == [0.25, 1.0]
    assert tensors.where(torch.tensor([1, 0]), torch.tensor([5.0, 5.0]), torch.zeros(2)).tolist() == [5, 0]


def test_split_of_a_list_gives_lists_like_it() -> None:
    big, small = noise(4, 1, 4, 4), noise(4, 1, 2, 2)
    first, second = tensors.split([big, [small]])
    assert torch.equal(first[0], big[:2]) and torch.equal(first[1][0], small[:2])
    assert torch.equal(second[0], big[2:]) and torch.equal(second[1][0], small[2:])


def test_functions_map_over_nested_lists() -> None:
    x = torch.arange(3.0)
    flipped = tensors.flip([x, [x + 1]], torch.tensor(1.0))
    assert flipped[0].tolist() == [2, 1, 0] and flipped[1][0].tolist() == [3, 2, 1]
