"""L1, PSNR and SSIM of a picture and its truth: the numbers of torchmetrics, and laws."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from composer.measure.measuring import over_pictures, to_bytes
from composer.measure.pairs import PAIR_METRICS, l1, psnr, similarity
from composer.torchvision_schemas import import_torchvision

sizes = st.tuples(st.integers(1, 4), st.integers(11, 24), st.integers(11, 24))


def pictures(seed: int, *size: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    one = torch.rand(size, generator=generator) * 2 - 1
    return one, (one + 0.3 * torch.randn(size, generator=generator)).clamp(-1, 1)


@given(st.integers(0, 2**31), sizes)
def test_psnr_and_ssim_are_those_of_torchmetrics(seed: int, size: tuple[int, int, int]) -> None:
    import_torchvision()  # which torchmetrics imports
    from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

    made, true = pictures(seed, *size)
    batches = made[None].double(), true[None].double()
    wanted = float(peak_signal_noise_ratio(*batches, data_range=2.0))
    assert psnr(made, true) == pytest.approx(wanted, rel=1e-6)  # its logarithm is of single precision
    wanted = float(structural_similarity_index_measure(*batches, data_range=2.0))
    assert similarity(made, true) == pytest.approx(wanted, abs=1e-9)
    assert l1(made, true) == pytest.approx(float((batches[0] - batches[1]).abs().mean()), rel=1e-12)


@given(st.integers(0, 2**31), sizes)
def test_metrics_of_pairs_are_symmetric_and_perfect_for_equal_pictures(seed: int, size: tuple[int, int, int]) -> None:
    made, true = pictures(seed, *size)
    for metric in PAIR_METRICS.values():
        assert metric.compute(made, true) == pytest.approx(metric.compute(true, made), rel=1e-12)
    assert l1(true, true) == 0 and psnr(true, true) == math.inf and similarity(true, true) == pytest.approx(1)


def test_known_numbers() -> None:
    black, grey = -torch.ones(3, 12, 12), torch.zeros(3, 12, 12)
    assert l1(black, grey) == 1
    assert psnr(black, grey) == pytest.approx(10 * math.log10(4))  # half of the range: 6.02 dB
    assert l1(black * 9, black) == 0, "what lies outside of the range is clipped first"


def test_mean_and_deviation_over_pictures() -> None:
    found = over_pictures("l1", [1.0, 2.0, 4.0])
    assert (found.mean, found.count) == (pytest.approx(7 / 3), (3,))
    assert found.deviation == pytest.approx(math.sqrt(7 / 3))
    assert over_pictures("l1", [1.0]).deviation is None


def test_what_is_not_finite_is_said() -> None:
    infinite = over_pictures("psnr", [20.0, math.inf])
    assert infinite.mean is None and infinite.said.startswith("1 of 2 pictures equal their truth")
    broken = over_pictures("l1", [math.nan, 1.0])
    assert broken.mean is None and "not finite" in broken.said


def test_bytes_are_rounded_as_files_are() -> None:
    values = torch.tensor([-1.0, 1.0, 0.0, 2.0, -1 + 0.6 / 127.5]).view(1, 1, 5)
    assert to_bytes(values)[:, 0].tolist() == [[0, 255, 128, 255, 1]] * 3
