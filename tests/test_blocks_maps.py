"""Blocks of label maps and instance maps against slow loops, and feature networks against their published twins."""

from __future__ import annotations

import importlib

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import composer
from composer.blocks.collect import ClassClusters
from composer.blocks.discriminators import PatchPyramid
from composer.blocks.features import Vgg19
from composer.blocks.labels import paint, paint_segments, segment_mean
from composer.blocks.tensors import edges, one_hot
from composer.estimate import estimate
from composer.matching import match
from composer.signature import Rows, Series, parse_signature
from composer.signature import Tensor as TensorType
from composer.torchvision_schemas import import_torchvision

ENDS = st.integers(-(2**63), 2**63 - 1)


def naive_mean(x: Tensor, ids: Tensor) -> Tensor:
    """The mean over each segment, one after the other."""
    rows = []
    for image, own in zip(x, ids, strict=True):
        mean = torch.zeros_like(image)
        for number in own.unique():
            mask = (own == number).to(x.dtype)
            mean = mean + mask * ((image * mask).sum((1, 2)) / mask.sum())[:, None, None]
        rows.append(mean)
    return torch.stack(rows)


def maps(choice: list[int], b: int, h: int, w: int, seed: int) -> Tensor:
    picked = torch.randint(0, len(choice), (b, h, w), generator=torch.Generator().manual_seed(seed))
    return torch.tensor(choice)[picked]


@given(
    choice=st.one_of(st.lists(ENDS, min_size=1, max_size=6), st.lists(st.integers(-3, 33_999), min_size=1, max_size=9)),
    b=st.integers(1, 3),
    h=st.integers(1, 7),
    w=st.integers(1, 7),
    seed=st.integers(0, 99),
)
def test_segment_mean_is_that_of_the_loop_for_any_ids(choice: list[int], b: int, h: int, w: int, seed: int) -> None:
    ids = maps(choice, b, h, w, seed)
    values = torch.randn(b, 2, h, w, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    given_back = torch.randn(values.shape, generator=torch.Generator().manual_seed(seed + 1), dtype=torch.float64)
    found = []
    for function in (segment_mean, naive_mean):
        x = values.clone().requires_grad_()
        mean = function(x, ids)
        found.append((mean.detach(), *torch.autograd.grad(mean, x, given_back)))
    for one, other in zip(*found, strict=True):
        assert torch.allclose(one, other, rtol=0, atol=1e-12)


def test_instances_of_16_bits_in_large_maps() -> None:
    ids = maps([7, 11, 26_000, 26_001, 33_018, 65_535], 2, 64, 128, 0)
    x = torch.randn(2, 3, 64, 128, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert torch.allclose(segment_mean(x, ids), naive_mean(x, ids), rtol=0, atol=1e-12)
    assert torch.equal(segment_mean(x[1:], ids[1:]), segment_mean(x, ids)[1:])


def test_the_gradient_of_segment_mean_is_its_own_derivative() -> None:
    ids = maps([0, 5, 26_001], 2, 3, 4, 1)
    x = torch.randn(2, 2, 3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: segment_mean(x, ids), x)
    assert torch.autograd.gradgradcheck(lambda x: segment_mean(x, ids), x)


@given(b=st.integers(1, 2), h=st.integers(1, 6), w=st.integers(1, 6), seed=st.integers(0, 99))
def test_edges_are_those_of_the_loop(b: int, h: int, w: int, seed: int) -> None:
    ids = maps([7, 26_001, 26_002], b, h, w, seed)
    wanted = torch.zeros(b, 1, h, w)
    for n in range(b):
        for y in range(h):
            for x in range(w):
                around = [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
                inside = [ids[n, i, j] for i, j in around if 0 <= i < h and 0 <= j < w]
                wanted[n, 0, y, x] = float(any(one != ids[n, y, x] for one in inside))
    assert torch.equal(edges(ids), wanted)


def test_one_hot_has_a_channel_a_class_and_refuses_others() -> None:
    label = maps([0, 2, 3], 2, 5, 4, 0)
    channels = one_hot(label, 4, dtype=torch.float64)
    assert channels.is_contiguous() and channels.dtype == torch.float64
    assert torch.equal(channels.argmax(1), label) and torch.equal(channels.sum(1), torch.ones(2, 5, 4).double())
    with pytest.raises((IndexError, RuntimeError)):
        one_hot(label, 3)


def test_clusters_leave_out_what_is_small() -> None:
    ids = torch.zeros(1, 8, 16, dtype=torch.int64)
    ids[0, 0, :2], ids[0, 1, :3] = 1000, 1001  # two and three of 128 pixels
    x = torch.arange(128.0).view(1, 1, 8, 16)
    block = ClassClusters(1, classes=2, k=2, share=1 / 64)
    block.begin()
    block(x, ids)
    block.finish()
    assert block.value[1].flatten().tolist() == [17.0, 17.0]  # the larger one alone; of more than 1 / 64


def test_features_are_those_of_the_published_network() -> None:
    import_torchvision()
    theirs = importlib.import_module("torchvision.models").vgg19(weights=None).features[:30].eval()
    ours = Vgg19(3)
    ours.load_state_dict({f"features.{key}": value for key, value in theirs.state_dict().items()})
    x = torch.rand(1, 3, 24, 32)
    with torch.no_grad():
        found, taps, y = ours(x), [], x
        for number, layer in enumerate(theirs):
            y = layer(y)
            if number in (1, 6, 11, 20, 29):
                taps.append(y.clone())
    for one, other in zip(found, taps, strict=True):
        assert torch.equal(one, other)


def test_a_list_of_lists_has_sizes() -> None:
    contract = parse_signature("x[b c h] -> (y[b {c + group} {h - item}]*{group + 1})*{n}")
    found = match(contract, [TensorType("x", (Rows(), 4, 9))], {"n": 3}).output
    assert isinstance(found, Series)
    assert [[one.dims[1:] for one in part.items] for part in found.items] == [  # type: ignore[union-attr]
        [(4, 9)], [(5, 9), (5, 8)], [(6, 9), (6, 8), (6, 7)]
    ]  # fmt: skip


def test_weights_of_fewer_scales_fit_more() -> None:
    few, many = PatchPyramid(3, width=2, scales=2), PatchPyramid(3, width=2, scales=3)
    assert set(few.state_dict()) < set(many.state_dict())
    many.load_state_dict(few.state_dict(), strict=False)
    x = torch.randn(1, 3, 64, 64)
    half = torch.nn.functional.avg_pool2d(x, 3, 2, 1, count_include_pad=False)
    for one, other in zip(few(half), many(x)[1:], strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_memory_is_known_with_instances_and_clusters() -> None:
    program = composer.compile("pix2pixhd", device="meta", preset="demo", variants=["features"])
    expected = estimate(program, torch.device("cpu"))
    assert {"iteration", "translate sampled", "translate chosen", "translate encoded"} <= set(expected.moments)


def test_a_class_without_rows_is_painted_with_zeros() -> None:
    table = torch.arange(1.0, 13.0).view(2, 3, 2)
    ids = torch.tensor([[[0, 1000, 1001, 7, 7000]]])  # in order: 0, 7, 1000, 1001, 7000
    found = paint_segments(table, torch.tensor([2, 0, 1, 0, 0]), ids)
    assert found[0, 0, 0].tolist() == [5.0, 9.0, 7.0, 0.0, 0.0]
    assert paint(table[0], ids % 4)[0, 0, 0].tolist() == [1.0, 1.0, 3.0, 0.0, 1.0]
