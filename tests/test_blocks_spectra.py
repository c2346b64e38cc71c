"""Spectra of images: rings of every size, what a profile does not change with, gradients, and graphs that use them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

import composer
from composer.blocks.penalties import unit_gradient
from composer.blocks.spectra import profile_distance, radial_profile
from composer.blocks.state import RunningMean
from composer.blocks.tensors import deviation, repeat_like
from composer.testing.batches import batches_for

SIDES = st.integers(6, 40)
SMALL = {"size": 32, "load": 36, "width": 4, "judge_width": 4, "blocks": 1, "layers": 2}


def images(*sizes: int, seed: int = 0) -> Tensor:
    drawn = torch.rand(sizes, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return drawn * 2 - 1


def by_loops(image: Tensor) -> list[float]:
    """The raw profile of one image, ring by ring and pixel by pixel."""
    r, g, b = image.numpy()
    level = 20 * np.log(np.abs(np.fft.fftshift(np.fft.fft2(0.2989 * r + 0.5870 * g + 0.1140 * b)) + 1e-8))
    h, w = level.shape
    rings: dict[int, list[float]] = {}
    for y in range(h):
        for x in range(w):
            distance = math.isqrt((2 * y - h + 1) ** 2 + (2 * x - w + 1) ** 2) // 2
            rings.setdefault(distance, []).append(level[y, x])
    return [sum(rings[k]) / len(rings[k]) for k in range(1, max(rings))]


@pytest.mark.parametrize(
    ("h", "w", "bins"), [(128, 128, 88), (64, 64, 43), (32, 32, 20), (33, 33, 21), (6, 6, 2), (64, 32, 34), (5, 16, 6)]
)
def test_sizes_have_the_published_number_of_rings(h: int, w: int, bins: int) -> None:
    assert radial_profile(images(1, 3, h, w)).shape == (1, bins)


@given(h=SIDES, w=SIDES)
@settings(max_examples=25, deadline=None)
def test_a_profile_is_what_loops_over_rings_give(h: int, w: int) -> None:
    x = images(2, 3, h, w, seed=h * 41 + w)
    found = radial_profile(x, scale="none")
    assert np.allclose(found, [by_loops(image) for image in x], rtol=1e-10)
    inscribed = radial_profile(x, scale="none", rings="inscribed")
    assert inscribed.shape[1] == min(found.shape[1], (min(h, w) + 1) // 2 - 1)
    assert torch.equal(inscribed, found[:, : inscribed.shape[1]])


@given(h=st.integers(5, 200), w=st.integers(5, 200))
@settings(max_examples=40, deadline=None)
def test_no_ring_is_empty(h: int, w: int) -> None:
    found = radial_profile(torch.ones(1, 1, h, w), kind="power", scale="none")
    assert bool(found.isfinite().all())


@given(h=SIDES, w=SIDES, gain=st.floats(0.5, 2), seed=st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_a_range_knows_no_gain_and_a_spectrum_no_place(h: int, w: int, gain: float, seed: int) -> None:
    x = images(1, 1, h, w, seed=seed)
    found = radial_profile(x)
    assert float(found.min()) == 0 and float(found.max()) == 1
    assert torch.allclose(radial_profile(gain * x), found, atol=1e-6)
    assert torch.allclose(radial_profile(x.roll((1, 2), (2, 3))), found, atol=1e-6)
    assert torch.allclose(radial_profile(x.flip((2, 3))), found, atol=1e-6)


def test_kinds_and_scales() -> None:
    x = images(2, 3, 12, 12)
    log, power = (radial_profile(x, kind=kind, scale="none") for kind in ("log", "power"))
    assert not torch.allclose(log.exp(), power)  # a mean of logarithms is no logarithm of means
    first = radial_profile(x, kind="power", scale="first")
    assert torch.allclose(first, power / power[:, :1]) and bool((first[:, 0] == 1).all())
    grey = (x * torch.tensor([0.2989, 0.5870, 0.1140], dtype=x.dtype)[:, None, None]).sum(1, keepdim=True)
    assert torch.allclose(radial_profile(x), radial_profile(grey))
    assert torch.allclose(radial_profile(x[:, :2]), radial_profile(x[:, :2].mean(1, keepdim=True)))


def test_an_image_of_one_colour_has_no_range_and_a_finite_gradient() -> None:
    for x in (torch.zeros(1, 3, 8, 8), torch.ones(1, 3, 8, 8)):
        x.requires_grad_()
        found = radial_profile(x, kind="power")
        (slope,) = torch.autograd.grad(profile_distance(found, torch.full_like(found, 0.5)), x)
        assert bool(found.isfinite().all()) and bool(slope.isfinite().all())


@pytest.mark.parametrize("kind", ["log", "power"])
@pytest.mark.parametrize("size", [(6, 6), (5, 7)])
def test_gradients_of_profiles_are_those_of_finite_differences(kind: Any, size: tuple[int, int]) -> None:
    x = images(2, 3, *size).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: radial_profile(x, kind=kind, scale="none"), x, atol=1e-4, rtol=1e-3)
    wanted = radial_profile(images(2, 3, *size, seed=5))
    ends = radial_profile(x.detach(), kind=kind)
    assert ((ends == 0) | (ends == 1)).sum(1).tolist() == [2, 2]
    assert torch.autograd.gradcheck(
        lambda x: profile_distance(radial_profile(x, kind=kind), wanted), x, atol=1e-4, rtol=1e-3
    )


def test_the_loss_is_that_of_pytorch_with_no_slope_at_the_ends() -> None:
    got = torch.tensor([[0.0, 0.2, 1.0, 0.9, 1.0]], dtype=torch.float64, requires_grad=True)
    wanted = torch.tensor([[0.1, 0.2, 1.0, 0.5, 0.0]], dtype=torch.float64)
    found = profile_distance(got, wanted)
    assert torch.allclose(found, functional.binary_cross_entropy(got, wanted))
    (slope,) = torch.autograd.grad(found, got)
    assert slope[0, [0, 2, 4]].tolist() == [0, 0, 0] and float(slope[0, 3]) > 0
    assert abs(float(slope[0, 1])) < 1e-12


@given(decay=st.sampled_from([0.0, 0.5, 0.99, 1.0]), steps=st.integers(1, 6))
@settings(max_examples=20, deadline=None)
def test_a_running_mean_weighs_iterations(decay: float, steps: int) -> None:
    state = RunningMean((3,), decay=decay).double()
    seen = [images(4, 3, seed=number) for number in range(steps)]
    found = [state(x, draws=None) for x in seen][-1]  # type: ignore[arg-type]
    weights = [decay ** (steps - 1 - number) for number in range(steps)]
    wanted = sum(w * x.mean(0) for w, x in zip(weights, seen, strict=True)) / sum(weights)
    assert torch.allclose(found, wanted)


def test_small_blocks() -> None:
    assert repeat_like(torch.tensor([1.0, 2.0]), torch.zeros(3, 2)).tolist() == [[1, 2]] * 3
    x = images(2, 3, 4, 4)
    assert float(deviation(x)) == pytest.approx(float(np.std(x.numpy(), ddof=1)))
    slopes = torch.tensor([[0.5, 0.0], [3.0, 4.0]])
    assert float(unit_gradient(slopes)) == pytest.approx((0.25 + 16) / 2)
    assert float(unit_gradient(slopes, one_sided=True)) == pytest.approx(16 / 2)


def test_powers_of_numbers() -> None:
    def width(text: str) -> Any:
        return composer.check("pix2pix", settings={"params.width": text}).graph.params["width"]

    assert width("=power(2, 3)") == 8
    for text in ("power(2, 65)", "power(1000000, 9)", "power(0, -1)", "power(-1, 0.5)", "power(2)", 'power("a", 2)'):
        with pytest.raises(composer.ComposeError, match="has no value"):
            width(f"={text}")


# -- graphs ------------------------------------------------------------------------------------------------------------


def small(name: str, *variants: str, **changed: Any) -> Any:
    params = composer.check(name, variants=variants).graph.params
    chosen = {f"params.{key}": value for key, value in {**SMALL, **changed}.items() if key in params}
    return composer.compile(name, variants=variants, settings=chosen, dtype=torch.float64)


def test_another_graph_takes_the_term_by_its_variant() -> None:
    program = small("cyclegan", "spectral", batch=2)
    data = [batch for (batch,) in batches_for(program, 3)]
    assert [due.name for due in program.due_passes()] == ["spectra"]
    program.run_pass("spectra", data)
    term = program.step(data[0]).terms["translate/spectrum[a,b]"]
    target = torch.cat([radial_profile(batch["x[b]"].double()) for batch in data]).mean(0)
    fake = small("cyclegan", "spectral", batch=2).evaluate(["fake[a,b]"], data[0])["fake[a,b]"]
    wanted = profile_distance(radial_profile(fake), target.expand(2, -1))
    assert float(term.loss) == pytest.approx(float(wanted), rel=1e-9)
    assert "spectrum" not in " ".join(small("cyclegan").step(data[0]).terms)


@pytest.mark.parametrize("target", ["paper_batch", "paper_running", "paper_paired"])
@pytest.mark.parametrize("measure", ["bce", "l1", "l2"])
def test_targets_and_measures_of_the_term(target: str, measure: str) -> None:
    program = small("spectral_regularization", target, doublings=3, halvings=3, batch=3, freq_weight=2, measure=measure)
    ((batch,),) = batches_for(program, 1)
    program.watch(["fake"])
    result = program.step(batch)
    assert not program.due_passes()
    term = result.terms["translate/spectrum"]
    real, made = radial_profile(batch["x"].double()), radial_profile(result.values["translate/fake"])
    wanted = real if target == "paper_paired" else real.mean(0).expand_as(made)  # the first step of a running mean
    by = {"bce": profile_distance, "l1": functional.l1_loss, "l2": functional.mse_loss}[measure]
    assert float(term.loss) == pytest.approx(float(by(made, wanted)), rel=1e-9)
    assert float(term.weight) == 2


def test_only_the_term_of_the_paper_has_a_gradient_of_its_own() -> None:
    """The released form changes the length of the gradient and nothing else."""
    moves = []
    for variants, weight in (((), 0.0), ((), 0.5), (("paper_batch",), 100.0)):
        chosen = {"size": 32, "width": 4, "doublings": 3, "halvings": 3, "batch": 3, "freq_weight": weight}
        program = composer.compile(
            "spectral_regularization",
            variants=variants,
            settings={**{f"params.{k}": v for k, v in chosen.items()}, "optimizers.default": {"sgd": {"lr": 1.0}}},
            dtype=torch.float64,
        )
        before = [p.detach().clone() for p in program.networks["G"].parameters()]
        result = program.step(batches_for(program, 1)[0])
        after = program.networks["G"].parameters()
        moves.append(torch.cat([(a.detach() - b).flatten() for a, b in zip(after, before, strict=True)]))
        if weight and not variants:
            factor = 1 + float(result.terms["translate/spectrum"].weight)
    plain, released, paper = moves
    assert torch.allclose(released, factor * plain, rtol=1e-9, atol=1e-15) and factor > 1.1
    assert float(functional.cosine_similarity(paper, plain, dim=0)) < 0.99


@settings(deadline=None)
@given(st.integers(0, 2**16), st.floats(-0.3, 0.3))
def test_the_loss_is_least_at_the_wanted_profile(seed: int, off: float) -> None:
    """For a wanted profile; the other way round a sure target costs less than an unsure one."""
    wanted = torch.rand(2, 7, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 0.4 + 0.3
    least = profile_distance(wanted, wanted)
    assert least <= profile_distance(wanted + off, wanted) + 1e-12
    assert least > 0
