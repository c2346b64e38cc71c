"""Bytes of living tensors: counted from the operation that makes them to the moment nothing needs them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from composer.live_bytes import LiveBytes

DEVICES = ("cpu", "meta")


def convolutions(device: str) -> tuple[nn.Module, torch.Tensor]:
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU())
    return net.to(device), torch.zeros(2, 3, 32, 32, device=device)


@pytest.mark.parametrize("device", DEVICES)
def test_a_forward_pass_holds_what_its_backward_pass_will_need(device):
    net, x = convolutions(device)
    with LiveBytes(device) as live:
        result = net(x)
        # Of each pair the output of relu; that of the convolution before it is given back.
        assert live.live == 4 * (2 * 8 * 30 * 30 + 2 * 8 * 28 * 28)
        assert live.peak == live.live + 4 * 2 * 8 * 28 * 28
        del result
        assert live.live == 0


@pytest.mark.parametrize("device", DEVICES)
def test_gradients_stay_and_the_rest_goes(device):
    net, x = convolutions(device)
    weights = sum(p.numel() * 4 for p in net.parameters())
    with LiveBytes(device) as live:
        live.mark(net.parameters(), "weights")
        assert live.kinds["weights"] == live.live == weights
        net(x).sum().backward()
        live.mark((p.grad for p in net.parameters()), "gradients")
        assert live.live == 2 * weights
        assert live.kinds["gradients"] == weights and live.kinds["results"] == 0
        net.zero_grad(set_to_none=True)
        assert live.live == weights


def test_both_devices_count_the_same():
    peaks = []
    for device in DEVICES:
        net, x = convolutions(device)
        with LiveBytes(device) as live:
            for _ in range(2):
                net(x).square().mean().backward()
        peaks.append((live.peak, live.live))
    assert peaks[0] == peaks[1]


def test_views_and_results_in_place_are_no_memory_of_their_own():
    with LiveBytes("meta") as live:
        x = torch.zeros(4, 4, device="meta")
        views = x[1:], x.t(), x.view(16), x.add_(1)
        assert live.live == 64
        del x, views
        assert live.live == 0


def test_the_peak_says_what_it_was_made_of():
    with LiveBytes("meta") as live:
        small = torch.zeros(10, device="meta")
        live.mark([small], "kept")
        large = torch.zeros(100, device="meta")
        live.mark([large], "large")
        again = large + 1
        del large, again
        assert live.peak == 840 and +live.at_peak == {"kept": 40, "large": 400, "results": 400}
        live.forget_peak()
        assert live.peak == live.live == 40


def test_an_allocator_hands_out_whole_grains():
    with LiveBytes("meta", grain=512) as live:
        kept = [torch.zeros(1, device="meta"), torch.zeros(129, device="meta")]
        assert live.live == 512 + 1024
    assert len(kept) == 2


def test_other_devices_are_not_counted():
    with LiveBytes("meta") as live:
        torch.zeros(100) + 1
        assert live.peak == 0


def test_a_meta_tensor_asked_for_a_number_gives_nought():
    with LiveBytes("meta"):
        assert int(torch.ones((), dtype=torch.int64, device="meta")) == 0
        assert float(torch.ones((), device="meta")) == 0.0
        assert not torch.ones((), dtype=torch.bool, device="meta")
