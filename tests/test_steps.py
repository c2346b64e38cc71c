"""What one step after the other does: the clock from 0, rare phases, rates, clipping, and a state that is whole."""

from __future__ import annotations

import math

import pytest
import torch
from small_graphs import batch, small

from composer.program import Program
from composer.testing.compare import differences

ONE = '  one: {update: G, minimize: {t: "%sl1(G(a), b)"}%s}'


def weights(program: Program, steps: int = 6) -> list[float]:
    found = []
    for number in range(steps):
        terms = program.step(batch(number)).terms
        found.append(float(terms["one/t"].weight) if terms else math.nan)
    return found


def test_weights_follow_the_clock_from_0() -> None:
    assert weights(small({}, ONE % ("linear(1, 0, over=4) * ", ""))) == [1, 0.75, 0.5, 0.25, 0, 0]
    assert weights(small({}, ONE % ("iteration * ", ""))) == [0, 1, 2, 3, 4, 5]
    program = small({}, ONE % ("(10 * epoch + position) * ", ""))
    program.epoch_length = 4
    assert weights(program) == [0, 1, 2, 3, 10, 11]


@pytest.mark.parametrize(
    ("when", "runs"),
    [
        ("every: 3", [2, 5]),
        ('when: "=iteration % 3 == 1"', [1, 4]),
        ("from: 4", [4, 5]),
        ("until: 2", [0, 1]),
        ("every: 2, from: 2", [3, 5]),
    ],
)
def test_a_phase_runs_when_it_says(when: str, runs: list[int]) -> None:
    found = weights(small({}, ONE % ("", ", " + when)))
    assert [i for i, w in enumerate(found) if not math.isnan(w)] == runs


def test_rates_follow_the_clock_and_belong_to_groups() -> None:
    phases = '  one: {update: "G, H", minimize: {t: "l1(H(G(a)), b)"}}'
    groups = """optimizers:
  default: {sgd: {lr: 0.1}, learning_rate: "linear(1, 0, over=2)"}
  own: {networks: H, sgd: {lr: 0.3}}"""
    program = small({}, phases, groups)
    assert [program.step(batch()).rates for _ in range(3)] == [
        {"default": pytest.approx(0.1), "own": pytest.approx(0.3)},
        {"default": pytest.approx(0.05), "own": pytest.approx(0.3)},
        {"default": 0, "own": pytest.approx(0.3)},
    ]


def test_gradients_are_clipped_over_the_group() -> None:
    phases = '  one: {update: "G, H", minimize: {t: "100 * l1(H(G(a)), b)"}}'
    groups = "optimizers: {default: {sgd: {lr: 1}, clip_norm: 0.5}}"
    program = small({}, phases, groups)
    before = [p.detach().clone() for n in "GH" for p in program.networks[n].parameters()]
    program.step(batch())
    after = [p.detach() for n in "GH" for p in program.networks[n].parameters()]
    moved = torch.stack([(a - b).square().sum() for a, b in zip(after, before, strict=True)]).sum().sqrt()
    assert float(moved) == pytest.approx(0.5, rel=1e-4)


def test_a_restarted_group_begins_without_moments() -> None:
    groups = "optimizers: {default: {adam: {lr: 0.1}, restart: 2}}"
    program = small({}, ONE % ("", ""), groups)
    counts = []
    for number in range(4):
        program.step(batch(number))
        counts.append(next(int(v) for k, v in program.state()[0].items() if k.endswith("/step")))
    assert counts == [1, 2, 1, 2]


WHOLE = """
  judge:
    update: D
    minimize: {fake: "mean_square(D(pooled))", real: "mean_square(D(noisy))", ring: "l1(D(G(a)), b)"}
  make:
    update: G
    every: 2
    minimize: {t: "linear(1, 0, over=9) * l1(average(G)(G(a)), b)", u: "l2(rows(style, 0, 2), rows(bank, 0, 2))"}
"""
VALUES = {
    "pooled": "history(G(a), size=3)",
    "noise": "normal_like(b)",
    "noisy": "b + noise",
    "style": "global_average(G(a))",
    "bank": "queue(style, size=5)",
}
MORE = """averages: {G: {decay: 0.9, from: 3}}
optimizers: {default: {adam: {lr: 0.01, amsgrad: true}, restart: 4}, own: {networks: D, sgd: {lr: 0.1, momentum: 0.9}}}
"""
DROPPING = {"G": '{chain: ["conv(3, norm=\'batch\')", "dropout(p=0.3)", "conv(3)"]}'}


@pytest.mark.parametrize("stop", [1, 3, 4, 5])
def test_the_state_is_whole(stop: int) -> None:
    """Weights, statistics, moments, averages, pools, queues and the clock come back bit for bit."""
    whole, first, second = (small(VALUES, WHOLE, MORE, DROPPING) for _ in range(3))
    for number in range(8):
        result = whole.step(batch(number))
    for number in range(stop):
        first.step(batch(number))
    second.load_state(*first.state())
    for number in range(stop, 8):
        resumed = second.step(batch(number))
    assert differences(whole.state()[0], second.state()[0]) == {}
    assert whole.state()[1] == second.state()[1]
    assert {k: (float(t.loss), float(t.weight)) for k, t in result.terms.items()} == {
        k: (float(t.loss), float(t.weight)) for k, t in resumed.terms.items()
    }
