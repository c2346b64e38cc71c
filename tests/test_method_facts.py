"""What is published of a method and no trace shows: sizes of its networks at full size, outputs, starts, schedules."""

from __future__ import annotations

import math
from typing import Any

import pytest

import composer
from composer.clock import NUMBERS, Clock
from composer.drawing.counts import parameter_counts

# Graph with variants: parameters of its networks (those of an index are alike), sizes of values.
FACTS: dict[tuple[str, ...], tuple[dict[str, int], dict[str, Any]]] = {
    ("munit",): (
        {"S": 2_764_936, "C": 5_385_856, "G": 5_754_627 + 1_120_768, "D": 8_271_171},
        {
            "content[a]": (256, 64, 64),
            "style_of[a]": (8,),
            "fake[a,b]": (3, 256, 256),
            "D[b](fake[a,b])": [(1, 16, 16), (1, 8, 8), (1, 4, 4)],
        },
    ),
    ("cut",): (
        {"G": 11_378_179, "F": 0, "D": 2_764_737},
        {
            "key[translated]": [(3, 262, 262), (128, 256, 256), (256, 128, 128), (256, 64, 64), (256, 64, 64)],
            "D(b)": (1, 30, 30),
            "q[same,16]": (256,),
        },
    ),
    ("stargan",): (
        {"G": 8_430_528, "D": 44_762_048},
        {"fake": (3, 128, 128), "src": (1, 2, 2), "cls": (5,)},
    ),
    ("stargan", "attributes"): ({"G": 8_430_528, "D": 44_762_048}, {"code_t": (5,)}),
    ("stargan_joint",): ({"G": 8_461_888, "D": 45_147_072}, {"src[classes]": (1, 4, 4), "code_t[attributes]": (15,)}),
    ("stargan_v2",): (
        {"G": 33_892_995, "F": 2_438_272, "E": 20_916_928, "D": 20_852_290},
        {"fake[latent]": (3, 256, 256), "s[latent]": (64,), "s[reference]": (64,), "D(x, y)": ()},
    ),
    # The authors' G for faces has 172,032 more, in 1 x 1 convolutions that nothing uses: 43,467,395.
    ("stargan_v2", "masks"): (
        {"G": 43_467_395 - 172_032, "F": 2_438_272, "E": 20_916_928, "D": 20_852_290, "L": 25_970},
        {"mask": (1, 256, 256), "core": (1, 256, 256), "L(x)": (98, 64, 64)},
    ),
    ("bicyclegan",): (
        {"G": 54_794_627, "E": 2_590_032, "D": 3_458_978},
        {"fake[random]": (3, 256, 256), "mu": (8,), "fake_score[encoded]": [(1, 30, 30), (1, 14, 14)]},
    ),
    ("bicyclegan", "one_judge"): ({"G": 54_794_627, "E": 2_590_032, "D": 3_458_978}, {"logvar": (8,)}),
    ("spade",): (
        {"G": 97_480_899, "D": 5_904_514, "V": 12_944_960},
        {
            "map": (184, 256, 256),
            "fake": (3, 256, 256),
            "score_fake": [
                [(64, 129, 129), (128, 65, 65), (256, 33, 33), (512, 34, 34), (1, 35, 35)],
                [(64, 65, 65), (128, 33, 33), (256, 17, 17), (512, 18, 18), (1, 19, 19)],
            ],
        },
    ),
    ("spade", "styled"): (
        {"G": 112_626_883, "D": 5_904_514, "V": 12_944_960, "E": 10_463_424},
        {"mean": (256,), "fake": (3, 256, 256)},
    ),
    ("spectral_regularization",): (
        {"G": 3_889_507, "D": 2_796_961},
        {"fake": (3, 128, 128), "D(fake)": (1, 1, 1), "fake_profile": (88,)},
    ),
    ("spectral_regularization", "paper"): ({"G": 3_889_507, "D": 2_796_961}, {"wanted": (88,)}),
    ("fastcut",): ({"G": 11_378_179, "F": 0, "D": 2_764_737}, {"image[translated]": (3, 256, 256)}),
    ("pix2pixhd",): (
        {"G": 182_546_755, "D": 5_603_202, "V": 12_944_960},
        {
            "sem": (36, 512, 1024),
            "fake": (3, 512, 1024),
            "score_real": [
                [(64, 257, 513), (128, 129, 257), (256, 65, 129), (512, 66, 130), (1, 67, 131)],
                [(64, 129, 257), (128, 65, 129), (256, 33, 65), (512, 34, 66), (1, 35, 67)],
            ],
            "V(fake)": [(64, 512, 1024), (128, 256, 512), (256, 128, 256), (512, 64, 128), (512, 32, 64)],
        },
    ),
    ("pix2pixhd", "features"): (
        {"G": 182_556_163, "D": 5_603_202, "V": 12_944_960, "E": 788_803},
        {"feat": (3, 512, 1024), "chosen": (3, 512, 1024)},
    ),
    ("pix2pixhd", "local"): (
        {"G": 182_857_059, "D": 8_404_803, "V": 12_944_960},
        {"fake": (3, 1024, 2048)},
    ),
}
HEADS = 560_384  # of all heads of the contrastive method together

# Graph: numbers that its params have.
DEFAULTS: dict[str, dict[str, Any]] = {
    "munit": {
        "lr": 1e-4, "beta1": 0.5, "beta2": 0.999, "weight_decay": 1e-4, "step_size": 100_000, "gamma": 0.5,
        "gan_weight": 1, "recon_weight": 10, "style_weight": 1, "content_weight": 1, "cycle_weight": 0,
        "vgg_weight": 0, "iterations": 1_000_000, "batch": 1,
    },
    "cut": {
        "lr": 2e-4, "beta1": 0.5, "beta2": 0.999, "constant_epochs": 200, "decay_epochs": 200, "temperature": 0.07,
        "patches": 256, "gan_weight": 1, "nce_weight": 1, "load": 286, "batch": 1, "sides": ["translated", "same"],
    },
    "stargan": {
        "lr": 1e-4, "judge_lr": 1e-4, "beta1": 0.5, "beta2": 0.999, "cls_weight": 1, "cycle_weight": 10,
        "gp_weight": 10, "critic": 5, "iterations": 200_000, "decay": 100_000, "decay_every": 1000, "batch": 16,
    },
    "stargan_v2": {
        "lr": 1e-4, "mapping_lr": 1e-6, "beta1": 0, "beta2": 0.99, "weight_decay": 1e-4, "decay": 0.999,
        "r1_weight": 1, "style_weight": 1, "cycle_weight": 1, "diversity_weight": 1, "diversity_over": 100_000,
        "latent_size": 16, "style_size": 64, "iterations": 100_000, "batch": 8, "width": 64, "down": 4,
    },
    "bicyclegan": {
        "lr": 2e-4, "beta1": 0.5, "beta2": 0.999, "constant_epochs": 100, "decay_epochs": 100, "code_size": 8,
        "gan_weight[encoded]": 1, "gan_weight[random]": 1, "l1_weight": 10, "kl_weight": 0.01, "code_weight": 0.5,
        "load": 286, "batch": 2, "dropout": 0, "scales": 2,
    },
    "spade": {
        "lr": 2e-4, "g_rate": 0.5, "d_rate": 2, "beta1": 0, "beta2": 0.9, "gan": "hinge", "feature_weight": 10,
        "vgg_weight": 10, "judge_steps": 1, "constant_epochs": 50, "decay_epochs": 0, "load": 286, "batch": 1,
        "judge_norm": "spectral_instance", "norm": "batch", "kernel": 3, "hidden": 128,
    },
    "spectral_regularization": {
        "lr": 2e-4, "beta1": 0.5, "beta2": 0.999, "epochs": 10, "batch": 64, "freq_weight": 1e-5, "code_size": 128,
        "penalty_weight": 10, "judge_steps": 1,
    },
    "fastcut": {
        "lr": 2e-4, "constant_epochs": 150, "decay_epochs": 50, "nce_weight": 10, "sides": ["translated"],
    },
    "pix2pixhd": {
        "lr": 2e-4, "beta1": 0.5, "beta2": 0.999, "constant_epochs": 100, "decay_epochs": 100, "batch": 1, "pool": 0,
        "classes": 35, "feature_weight": 10, "vgg_weight": 10, "gan_weight": 1, "scales": 2, "clusters": 10,
        "features": 3, "size": 512, "image_width": 1024, "norm": "instance", "gan": "least_squares", "fix_epochs": 0,
    },
}  # fmt: skip

# Graph: its group, length of an epoch, and the factor of the rate at iterations.
SCHEDULES: list[tuple[str, str, int, dict[int, float]]] = [
    ("cut", "default", 10, {0: 1, 1999: 1, 2000: 1 - 1 / 201, 3999: 1 - 200 / 201}),
    ("fastcut", "default", 10, {0: 1, 1499: 1, 1500: 1 - 1 / 51, 1999: 1 - 50 / 51}),
    ("bicyclegan", "default", 10, {0: 1, 999: 1, 1000: 1 - 1 / 101, 1999: 1 - 100 / 101}),
    ("spectral_regularization", "default", 10, {0: 1, 99: 1}),
    ("stargan", "D", 10, {0: 1, 100_999: 1, 101_000: 1 - 1e-5, 199_999: 1 - 99e-5}),
    ("stargan_v2", "F", 10, {0: 1, 99_999: 1}),
    ("spade", "G", 10, {0: 1, 499: 1}),
    ("pix2pixhd", "default", 10, {0: 1, 1009: 1, 1010: 0.99, 1999: 0.01}),
    ("munit", "default", 1000, {0: 1, 99_998: 1, 99_999: 0.5, 199_998: 0.5, 199_999: 0.25, 999_999: 0.5**10}),
]

# Graph, settings that make it small, network, weight, its standard deviation.
SMALL: dict[str, dict[str, Any]] = {
    "cut": {"width": 16, "judge_width": 16, "blocks": 4, "taps": [0, 4, 8, 12]},
    "stargan": {"size": 64, "width": 16, "judge_width": 16, "judge_layers": 4},
    "stargan_v2": {"size": 64, "base": 1024, "widest": 64, "hidden": 64},
    "bicyclegan": {"size": 64, "width": 16, "judge_width": 16, "encoder_width": 16, "depth": 6, "encoder_blocks": 2},
    "spectral_regularization": {"size": 32, "width": 16, "doublings": 3, "halvings": 3},
    "munit": {"size": 64, "width": 16, "mlp": 64, "judge_width": 16, "judge_norm": "spectral", "scales": 1},
    "spade": {
        "size": 64,
        "classes": 20,
        "width": 8,
        "hidden": 32,
        "judge_width": 16,
        "judge_norm": "spectral_batch",
        "vgg_weight": 0,
    },
    "pix2pixhd": {"size": 64, "width": 16, "judge_width": 16, "down": 2, "norm": "batch", "vgg_weight": 0},
}
STARTS: list[tuple[str, str, str, float]] = [
    ("stargan_v2", "G", "decode.3.convs.0.weight", math.sqrt(2 / (32 * 9))),
    ("stargan_v2", "G", "decode.3.norms.0.linear.weight", math.sqrt(2 / 64)),
    ("stargan_v2", "F", "layers.own_1.heads.1.linear.weight", math.sqrt(2 / 64)),
    ("stargan_v2", "D", "layers.seen_1.shortcut.weight", math.sqrt(2 / 32)),
    ("stargan", "G", "layers.down_1.conv.weight", 1 / math.sqrt(3 * 32 * 16)),  # uniform in +-1 / sqrt(fan in)
    ("stargan", "D", "layers.seen_2.conv.bias", 1 / math.sqrt(3 * 64 * 16)),
    ("cut", "G", "layers.8.weight", 0.02 * math.sqrt(2 / (32 * 9 + 64 * 9))),
    ("cut", "D", "layers.3.weight", 0.02 * math.sqrt(2 / (16 * 16 + 32 * 16))),
    ("cut", "F[4]", "layers.1.linear.weight", 0.02 * math.sqrt(2 / 512)),
    ("bicyclegan", "G", "down.2.conv.weight", 0.02 * math.sqrt(2 / ((40 + 64) * 16))),
    ("bicyclegan", "E", "layers.seen_1.convs.1.weight", 0.02 * math.sqrt(2 / ((32 + 48) * 9))),
    ("bicyclegan", "D[random]", "scales.0.layers.2.weight", 0.02 * math.sqrt(2 / ((16 + 32) * 16))),
    ("spectral_regularization", "G", "layers.2_0.conv.weight", 1 / math.sqrt(3 * 32 * 16)),  # fan in of the outputs
    ("spectral_regularization", "G", "layers.3.layer.conv.bias", 1 / math.sqrt(3 * 16 * 25)),
    ("spectral_regularization", "D", "layers.1_1.conv.weight", 1 / math.sqrt(3 * 32 * 16)),
    ("pix2pixhd", "G", "coarse.4.block.1.conv.weight", 0.02),
    ("pix2pixhd", "G", "coarse.12.conv.weight", 0.02),
    ("pix2pixhd", "D", "scales.0.2.conv.weight", 0.02),
    ("pix2pixhd", "D", "scales.1.2.norm.weight", 0.02),
    ("pix2pixhd", "G", "coarse.4.block.0.conv.bias", 1 / math.sqrt(3 * 64 * 9)),  # uniform in +-1 / sqrt(fan in)
    ("munit", "C[a]", "layers.2.conv.weight", math.sqrt(2 / (32 * 16))),
    ("munit", "S[b]", "layers.4.conv.weight", math.sqrt(2 / (64 * 16))),
    ("munit", "G[a]", "layers.mixed.linear.weight", math.sqrt(2 / 64)),
    ("munit", "D[a]", "scales.0.0.conv.weight", 0.02),
    ("munit", "D[a]", "scales.0.2.conv.weight_bar", 1 / math.sqrt(3 * 32 * 16)),  # uniform in +-1 / sqrt(fan in)
    ("spade", "G", "layers.start.conv.weight", 0.02 * math.sqrt(2 / (22 * 9 + 128 * 9))),
    ("spade", "G", "layers.fine_0.norms.0.scale.weight", 0.02 * math.sqrt(2 / (32 * 9 + 128 * 9))),
    ("spade", "G", "layers.fine_1.convs.0.weight_bar", 1 / math.sqrt(3 * 64 * 9)),  # the authors' law misses them
    ("spade", "D", "scales.0.0.conv.weight", 0.02 * math.sqrt(2 / (25 * 16 + 16 * 16))),
    ("spade", "D", "scales.1.2.conv.weight_bar", 1 / math.sqrt(3 * 32 * 16)),
    ("munit", "D[a]", "scales.0.2.conv.bias", 1 / math.sqrt(3 * 32 * 16)),
]


@pytest.mark.parametrize("name", FACTS, ids="+".join)
def test_networks_have_as_many_parameters_as_published(name: tuple[str, ...]) -> None:
    shaped = composer.check(name[0], variants=name[1:])
    wanted = FACTS[name][0]
    found = parameter_counts(shaped)
    if "F[0]" in found:
        assert sum(count for network, count in found.items() if network.startswith("F[")) == HEADS
        found = {**{n: c for n, c in found.items() if n[0] != "F"}, "F": 0}
    assert {network: wanted[network.partition("[")[0]] for network in found} == found
    assert {network.partition("[")[0] for network in found} == set(wanted)


@pytest.mark.parametrize(
    ("variants", "settings", "preset", "wanted"),
    [
        ((), {}, "cityscapes", {"G": 93_048_003, "D": 5_601_410}),
        (("styled",), {}, "cityscapes", {"G": 101_136_579, "E": 10_463_424}),
        (("no_instances",), {"classes": 150}, None, {"G": 96_492_483, "D": 5_836_930}),
        (("styled", "no_instances"), {"classes": 150}, None, {"G": 111_942_595}),
    ],
)
def test_label_maps_of_other_data(
    variants: tuple[str, ...], settings: dict[str, int], preset: str | None, wanted: dict[str, int]
) -> None:
    changed = {f"params.{key}": value for key, value in settings.items()}
    found = parameter_counts(composer.check("spade", variants=variants, preset=preset, settings=changed))
    assert {name: found[name] for name in wanted} == wanted


@pytest.mark.parametrize("name", FACTS, ids="+".join)
def test_outputs_have_the_published_sizes(name: tuple[str, ...]) -> None:
    shaped = composer.check(name[0], variants=name[1:])
    by_text = {node.text: type_ for node, type_ in shaped.types.items()}
    by_text |= {value: shaped.types[node] for value, node in shaped.graph.values.items() if node in shaped.types}
    for text, wanted in FACTS[name][1].items():
        found: Any = by_text[text]
        assert sizes(found) == wanted, text


def sizes(found: Any) -> Any:
    """Sizes of a value without its rows; of a list those of its items."""
    return [sizes(item) for item in found.items] if hasattr(found, "items") else found.dims[1:]


@pytest.mark.parametrize("name", DEFAULTS)
def test_numbers_are_those_of_the_authors(name: str) -> None:
    params = composer.check(name).graph.params
    assert {key: params[key] for key in DEFAULTS[name]} == DEFAULTS[name]


@pytest.mark.parametrize(("name", "group", "epoch", "factors"), SCHEDULES)
def test_rates_follow_the_authors_schedule(name: str, group: str, epoch: int, factors: dict[int, float]) -> None:
    (one,) = [g for g in composer.check(name).graph.groups if g.name == group]
    for iteration, factor in factors.items():
        found = eval(one.rate, {"__builtins__": {}, **NUMBERS}, {"clock": Clock(iteration, epoch)})
        assert found == pytest.approx(factor, rel=1e-12), iteration


@pytest.fixture(scope="module")
def small() -> dict[str, Any]:
    """Each graph made small, by name."""
    return {
        name: composer.compile(name, settings={f"params.{key}": value for key, value in settings.items()})
        for name, settings in SMALL.items()
    }


@pytest.mark.parametrize(("name", "network", "key", "deviation"), STARTS)
def test_weights_start_as_the_authors_do(
    small: dict[str, Any], name: str, network: str, key: str, deviation: float
) -> None:
    weight = small[name].networks[network].state_dict()[key]
    assert float(weight.std()) == pytest.approx(deviation, rel=max(0.05, 3 / math.sqrt(weight.numel())))


def test_biases_start_at_zero_where_the_law_says_so(small: dict[str, Any]) -> None:
    for network, key in (("C[a]", "layers.1.conv.bias"), ("G[b]", "layers.mixed.linear.bias")):
        assert not small["munit"].networks[network].state_dict()[key].any()
    for network, key in (("G", "layers.fine_0.convs.0.bias"), ("D", "scales.0.0.conv.bias")):
        assert not small["spade"].networks[network].state_dict()[key].any()
    scale = small["spade"].networks["D"].state_dict()["scales.0.2.norm.weight"]
    assert 0.01 < float(scale.std()) < 0.03 and abs(float(scale.mean()) - 1) < 0.01
    gamma = small["munit"].networks["G[a]"].state_dict()["layers.decoder.layers.2.norm.gamma"]
    assert 0 <= float(gamma.min()) < 0.2 < 0.8 < float(gamma.max()) < 1
