"""Masks from heatmaps of landmarks, and the generator that hands details across through them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from composer.blocks.landmarks import landmark_masks
from composer.blocks.styled import StyleGenerator


def heatmap(channel: int) -> Tensor:
    """One sharp landmark in the middle of a map of 64 x 64, in one channel."""
    found = torch.zeros(1, 98, 64, 64, dtype=torch.float64)
    found[0, channel, 32, 20] = 1
    return found


def peak(mask: Tensor) -> tuple[int, int]:
    place = int(mask[0, 0].argmax())
    return place // mask.shape[3], place % mask.shape[3]


def test_nothing_gives_nothing() -> None:
    for mask in landmark_masks(torch.full((2, 98, 64, 64), 0.09)):
        assert mask.shape == (2, 1, 256, 256) and not mask.any()


@pytest.mark.parametrize(
    ("channel", "up", "fine"),
    [(52, 4, True), (54, 4, True), (56, 8, True), (10, 0, False), (40, -7, False), (78, -8, False), (90, -2, False)],
)
def test_parts_are_moved_and_some_are_coarse_only(channel: int, up: int, fine: bool) -> None:
    whole, part = landmark_masks(heatmap(channel))
    still, _ = landmark_masks(heatmap(97))  # a pupil stays where it is
    assert peak(whole) == (peak(still)[0] - up, peak(still)[1])
    assert bool(part.any()) == fine


@pytest.mark.parametrize("channel", [0, 7, 25, 32, 33, 46, 76, 82])
def test_landmarks_that_are_left_out(channel: int) -> None:
    assert not landmark_masks(heatmap(channel))[0].any()


def test_an_eye_is_seen_twice() -> None:
    whole, _ = landmark_masks(heatmap(64))
    rows = (whole[0, 0] > 0.9).any(1).nonzero().flatten()
    assert int(rows.max() - rows.min()) >= 16  # 8 and 24 pixels below where it is


def test_details_come_across_only_where_the_mask_is() -> None:
    torch.manual_seed(0)
    network = StyleGenerator(3, 4, width=4, widest=8, down=2, middle=1, high_pass=1.0, skips=[8, 16]).double()
    image, style = torch.rand(1, 3, 16, 16, dtype=torch.float64), torch.rand(1, 4, dtype=torch.float64)
    none, some = torch.zeros(1, 1, 4, 4, dtype=torch.float64), torch.ones(1, 1, 4, 4, dtype=torch.float64)
    plain = network(image, style)
    assert torch.equal(network(image, style, none, none), plain)
    coarse, fine = network(image, style, some, none), network(image, style, none, some)
    assert not torch.allclose(coarse, plain) and not torch.allclose(fine, plain) and not torch.allclose(coarse, fine)


def test_without_a_high_pass_masks_change_nothing() -> None:
    torch.manual_seed(0)
    network = StyleGenerator(3, 4, width=4, down=1, skips=[8, 16])
    image, style, mask = torch.rand(1, 3, 16, 16), torch.rand(1, 4), torch.ones(1, 1, 4, 4)
    assert torch.equal(network(image, style, mask, mask), network(image, style))
