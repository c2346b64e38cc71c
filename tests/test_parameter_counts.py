"""Networks of published size have exactly the published number of parameters."""

from __future__ import annotations

from typing import Any

import pytest
from torch import nn

from composer.blocks.discriminators import MultiscaleDiscriminator, PatchDiscriminator, PixelDiscriminator
from composer.blocks.encoders import ContentEncoder, StyleEncoder
from composer.blocks.features import Vgg16
from composer.blocks.generators import Decoder, ResnetGenerator, Unet
from composer.blocks.latent_unet import LatentUnet
from composer.blocks.layers import ConvLayer, ConvTransposeLayer, LinearLayer
from composer.blocks.patch_scales import PatchScales
from composer.blocks.residual import ResidualStack
from composer.blocks.styled import AdaptiveResidualStack


def count(*networks: nn.Module) -> int:
    return sum(parameter.numel() for network in networks for parameter in network.parameters())


@pytest.mark.parametrize(
    ("channels", "depth", "parameters"), [(3, 8, 54_413_955), (1, 8, 54_411_907), (3, 7, 41_828_995)]
)
def test_unet(channels: int, depth: int, parameters: int) -> None:
    assert count(Unet(channels, depth=depth)) == parameters


@pytest.mark.parametrize(
    ("channels", "code_at", "parameters"), [(3, "all", 54_794_627), (1, "all", 54_792_579), (3, "first", 54_417_795)]
)
def test_unet_with_a_code(channels: int, code_at: Any, parameters: int) -> None:
    assert count(LatentUnet(channels, 8, code_at=code_at)) == parameters


@pytest.mark.parametrize(("blocks", "parameters"), [(9, 11_378_179), (6, 7_837_699)])
def test_resnet_generator(blocks: int, parameters: int) -> None:
    assert count(ResnetGenerator(3, blocks=blocks)) == parameters


def test_an_antialiased_resnet_generator_has_as_many() -> None:
    assert count(ResnetGenerator(3, antialias=True, antialias_up=True)) == 11_378_179


@pytest.mark.parametrize(
    ("layers", "parameters"),
    [(1, 139_585), (2, 666_433), (3, 2_768_705), (4, 6_964_033), (5, 11_159_361), (6, 15_354_689)],
)
def test_conditional_patch_discriminator(layers: int, parameters: int) -> None:
    assert count(PatchDiscriminator(6, layers=layers)) == parameters


def test_patch_discriminator_of_one_image() -> None:
    assert count(PatchDiscriminator(3)) == 2_765_633
    assert count(PatchDiscriminator(3, norm="instance")) == 2_764_737


def test_patch_discriminators_at_two_sizes() -> None:
    assert count(PatchScales(3)) == 3_458_978


def test_pixel_discriminator() -> None:
    assert count(PixelDiscriminator(6)) == 9_024


def test_encoder_and_decoder_of_a_variational_pair() -> None:
    encoder, decoder = ContentEncoder(3), Decoder(256)
    assert (count(encoder), count(decoder)) == (5_385_856, 5_754_627)
    assert count(encoder, decoder) == 11_140_483


def test_style_encoder() -> None:
    assert count(StyleEncoder(3)) == 2_764_936


def test_decoder_that_a_style_conditions() -> None:
    stack, rest = AdaptiveResidualStack(256, 256), Decoder(256, residual=0)
    assert count(stack.blocks, rest) == 5_754_627
    assert count(LinearLayer(8, out=256), LinearLayer(256, out=256), stack.linear) == 1_120_768


def test_multiscale_discriminator() -> None:
    network = MultiscaleDiscriminator(3)
    assert count(network) == 8_271_171
    assert count(network.scales[0]) == 2_757_057


def test_vgg16() -> None:
    assert count(Vgg16(3)) == 14_714_688


def encoder_with_shared_end() -> nn.Module:
    front = [ConvLayer(3, out=64, kernel=7)] + [ConvLayer(64 * 2**i, widen=2, stride=2) for i in range(2)]
    return nn.Sequential(*front, ResidualStack(256, blocks=3, pad="zero"))


def decoder_with_shared_start() -> nn.Module:
    ups = [ConvTransposeLayer(256 // 2**i, narrow=2, kernel=3, output_padding=1) for i in range(2)]
    return nn.Sequential(ResidualStack(256, blocks=3), *ups, ConvTransposeLayer(64, out=3, kernel=1, stride=1))


def test_generators_that_share_their_middle() -> None:
    encoders = [encoder_with_shared_end() for _ in "ab"]
    decoders = [decoder_with_shared_start() for _ in "ab"]
    shared = [ResidualStack(256, blocks=1) for _ in range(2)]
    assert (count(encoders[0]), count(decoders[0]), count(shared[0])) == (3_918_976, 3_909_507, 1_180_160)
    assert count(*encoders, *decoders, *shared) == 18_017_286


def test_discriminators_that_share_their_end() -> None:
    fronts = [nn.Sequential(ConvLayer(3, out=64, kernel=7, stride=2), ConvLayer(64, widen=2, stride=2)) for _ in "ab"]
    trunk = nn.Sequential(
        *[ConvLayer(128 * 2**i, widen=2, stride=2) for i in range(4)], ConvLayer(2048, out=1, kernel=1)
    )
    assert count(*fronts, trunk) == 25_240_065


def test_discriminators_with_kernels_of_three() -> None:
    assert count(*[MultiscaleDiscriminator(3, kernel=3) for _ in "ab"]) == 9_308_934
    assert count(*[MultiscaleDiscriminator(3, kernel=3, layers=6, scales=1) for _ in "ab"]) == 50_298_114
