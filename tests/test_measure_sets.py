"""Distances of sets: the same numbers as torch-fidelity, closed forms, and laws."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from composer.measure.sets import frechet_distance, in_order, kernel_distance, squared_discrepancy, subset_size
from composer.torchvision_schemas import import_torchvision

seeds = st.integers(0, 2**32 - 1)


def features(seed: int, rows: int, columns: int, shift: float = 0.0) -> np.ndarray:
    random = np.random.default_rng(seed)
    mix = random.normal(size=(columns, columns))
    return random.normal(size=(rows, columns)) @ mix / math.sqrt(columns) + shift


@pytest.fixture(scope="module")
def fidelity() -> tuple[object, object]:
    import_torchvision()
    from torch_fidelity import metric_fid, metric_kid

    return metric_fid, metric_kid


@pytest.mark.parametrize(("rows", "others", "columns"), [(200, 150, 16), (60, 300, 48), (5000, 900, 24)])
def test_the_frechet_distance_is_that_of_torch_fidelity(fidelity, rows: int, others: int, columns: int) -> None:
    one, other = features(1, rows, columns), features(2, others, columns, 0.3)
    statistics = [fidelity[0].fid_features_to_statistics(torch.from_numpy(x)) for x in (one, other)]
    wanted = fidelity[0].fid_statistics_to_metric(*statistics, False)["frechet_inception_distance"]
    assert frechet_distance(one, other) == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize(("rows", "others", "size"), [(120, 90, 45), (64, 64, 20)])
def test_the_kernel_distance_is_that_of_torch_fidelity_subset_by_subset(
    fidelity, rows: int, others: int, size: int
) -> None:
    one, other = in_order(features(3, rows, 12)), in_order(features(4, others, 12, 0.5))
    tensors = [torch.from_numpy(x) for x in (one, other)]
    wanted = fidelity[1].kid_features_to_metric(
        *tensors, kid_subsets=30, kid_subset_size=size, rng_seed=7, verbose=False
    )
    found = kernel_distance(one, other, seed=7, subsets=30, size=size)
    assert found.mean == pytest.approx(wanted["kernel_inception_distance_mean"], rel=1e-10)
    assert found.deviation == pytest.approx(wanted["kernel_inception_distance_std"], rel=1e-10)


def test_two_gaussians_have_the_distance_of_the_formula() -> None:
    # For diagonal covariances: sum (m - n)^2 + sum (s - t)^2 with standard deviations s and t.
    random = np.random.default_rng(0)
    spread, other_spread, shift = np.array([1.0, 2.0, 0.5]), np.array([0.5, 1.0, 3.0]), np.array([0.0, 1.0, -2.0])
    white = random.normal(size=(4000, 3))
    white = (white - white.mean(0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(white, rowvar=False))).T
    wanted = float((shift**2).sum() + ((spread - other_spread) ** 2).sum())
    assert frechet_distance(white * spread, white * other_spread + shift) == pytest.approx(wanted, rel=1e-9)


def test_fewer_rows_than_features_is_exact_too() -> None:
    # Both sets lie on one line, where the formula is that of two numbers.
    line = np.zeros(50)
    line[3] = 1
    x, y = np.array([0.0, 2.0, 4.0]), np.array([1.0, 1.5, 5.0, 7.0])
    wanted = (x.mean() - y.mean()) ** 2 + (x.std(ddof=1) - y.std(ddof=1)) ** 2
    assert frechet_distance(x[:, None] * line, y[:, None] * line) == pytest.approx(wanted, rel=1e-9)


def test_the_unbiased_discrepancy_by_hand() -> None:
    x, y = np.array([[0.0], [1.0]]), np.array([[2.0], [0.0]])
    # k(a, b) = (a b + 1)^3: within x 1, within y 1, between 1, 1, 27, 1
    assert squared_discrepancy(x, y) == pytest.approx(1 + 1 - 2 * (1 + 1 + 27 + 1) / 4)


@given(seeds, st.integers(2, 40), st.integers(1, 12))
def test_equal_sets_have_no_frechet_distance(seed: int, rows: int, columns: int) -> None:
    one = features(seed, rows, columns)
    assert frechet_distance(one, one) <= 1e-9 * max(1.0, float(np.square(one).sum()))


@given(seeds, st.integers(2, 30), st.integers(2, 30), st.integers(1, 8))
def test_the_distances_are_symmetric_and_do_not_see_the_order(seed: int, n: int, m: int, columns: int) -> None:
    one, other = features(seed, n, columns), features(seed + 1, m, columns, 1.0)
    random = np.random.default_rng(seed)
    shuffled, turned = random.permutation(one), random.permutation(other)
    assert frechet_distance(one, other) == frechet_distance(shuffled, turned)
    assert kernel_distance(one, other, subsets=5) == kernel_distance(shuffled, turned, subsets=5)
    scale = 1e-9 * (1 + float(np.square(one).sum() + np.square(other).sum()))
    assert frechet_distance(one, other) == pytest.approx(frechet_distance(other, one), abs=scale)
    assert squared_discrepancy(one, other) == pytest.approx(squared_discrepancy(other, one), rel=1e-9, abs=1e-9)


@given(seeds, st.integers(3, 30), st.integers(1, 8), st.floats(-5, 5))
def test_a_shift_adds_its_square(seed: int, rows: int, columns: int, shift: float) -> None:
    one = features(seed, rows, columns)
    wanted = columns * shift**2
    assert frechet_distance(one, one + shift) == pytest.approx(wanted, rel=1e-6, abs=1e-6)


def test_the_discrepancy_of_samples_of_one_distribution_is_zero_on_average() -> None:
    found = [squared_discrepancy(features(0, 40, 4)[:20], features(0, 40, 4)[20:])]
    random = np.random.default_rng(5)
    for _ in range(300):
        found.append(squared_discrepancy(random.normal(size=(20, 4)), random.normal(size=(20, 4))))
    error = float(np.std(found)) / math.sqrt(len(found))
    assert abs(float(np.mean(found))) < 3.5 * error
    assert min(found) < 0 < max(found)


def test_the_size_of_subsets() -> None:
    assert [subset_size(5000, 6000), subset_size(64, 90), subset_size(2, 2)] == [1000, 32, 2]
    whole = kernel_distance(features(1, 2, 3), features(2, 2, 3))
    assert whole.deviation is None and whole.subsets == 1
