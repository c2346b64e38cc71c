"""Rule 2: the order of evaluation, which batch statistics see; and names that mean several things."""

from __future__ import annotations

import torch
from small_graphs import batch, small, work_of

import composer
from composer.testing.batches import batch_for


def test_terms_run_as_written_left_to_right_depth_first() -> None:
    phases = """
  one:
    update: G, H, E, D
    minimize:
      late: l1(E(H(a)), G(a))
      early: mean_square(D(G(a)))
"""
    assert work_of(small({}, phases)).calls == ["H", "E", "G", "D"]


def test_first_comes_first() -> None:
    phases = """
  one:
    update: G, H, E, D
    first: D(G(a)), H(b)
    minimize:
      late: l1(E(H(a)), G(a))
      early: mean_square(D(G(a)))
"""
    assert work_of(small({}, phases)).calls == ["G", "D", "H", "H", "E"]


def test_what_first_asks_for_moves_batch_statistics() -> None:
    phases = '  one: {update: G, %sminimize: {t: "l1(G(a), b)"}}'
    program, first = small({}, phases % ""), small({}, phases % 'first: "G(b)", ')
    data = batch()
    program.step(data)
    first.step(data)
    name = "networks/G/layers.0.norm.num_batches_tracked"
    assert (int(program.state()[0][name]), int(first.state()[0][name])) == (1, 2)


INDEXED = """\
composer: 1
name: indexed
index:
  d: [a, b]
  k: [one, two]
  s,t: [[a, b], [b, a]]
inputs:
  domain[d]:
    x[d]: image(3, 8, 8)
networks:
  G[s,t]: {chain: ["conv(3, kernel=3)"]}
  D[d]: {chain: ["conv(3, kernel=3)"]}
  F[k]: {chain: ["conv(3, kernel=3)"]}
values:
  fake[s,t]: G[s,t](x[s])
phases:
  all:
    update: F[k]
    minimize:
      pairs: l1(F[k](x[d]), x[d])
      joint: mean_square(D[t](fake[s,t]))
  each[d]:
    update: D[d]
    minimize:
      real: mean_square(D[d](x[d]))
      fake[k]: mean_square(F[k](D[d](x[d])))
optimizers:
  default: {sgd: {lr: 0.1}}
training: {iterations: 3, batch: 1}
"""


def test_an_indexed_term_runs_in_listed_order_first_index_slowest() -> None:
    program = composer.compile("indexed", text=INDEXED)
    assert work_of(program, batch_for(program)).calls == [
        "F[one]", "F[one]", "F[two]", "F[two]", "G[a,b]", "D[b]", "G[b,a]", "D[a]",
        "D[a]", "F[one]", "F[two]", "D[b]", "F[one]", "F[two]",
    ]  # fmt: skip
    result = program.step(batch_for(program))
    assert list(result.terms) == [
        "all/pairs[one,a]", "all/pairs[one,b]", "all/pairs[two,a]", "all/pairs[two,b]",
        "all/joint[a,b]", "all/joint[b,a]",
        "each[a]/real", "each[a]/fake[one]", "each[a]/fake[two]",
        "each[b]/real", "each[b]/fake[one]", "each[b]/fake[two]",
    ]  # fmt: skip


def test_order_interleaves_indexed_phases() -> None:
    text = INDEXED.replace("optimizers:", "order: each[b], all, each[a]\noptimizers:")
    program = composer.compile("indexed", text=text)
    assert list(program.step(batch_for(program)).totals) == ["each[b]", "all", "each[a]"]


def test_a_value_a_block_a_network_and_a_phase_may_share_a_name() -> None:
    """Values, and what can be called, are two namespaces; phases are a third."""
    values = {"coin": "coin(0.5)", "G": "flip(G(a), coin)", "G_a": "H(G)", "D": "D(G_a)", "no_grad": "tanh(D)"}
    phases = """
  G: {update: G, minimize: {terms: "l1(D, b)", keep: "mean_square(no_grad)"}}
  D: {update: D, minimize: {batch: "l1(D, a)"}}
  coin: {update: H, minimize: {r: "r1(D, G_a)", G_a_leaf: "l1(average(G)(a), H(b))"}}
"""
    program = small(values, phases, "averages: {G: 0.9}")
    assert list(program.step(batch()).terms) == ["G/terms", "G/keep", "D/batch", "coin/r", "coin/G_a_leaf"]


def test_indexed_and_plain_networks_of_the_same_word_are_two() -> None:
    text = INDEXED.replace("  F[k]:", '  D_a: {chain: ["conv(3, kernel=5)"]}\n  F[k]:')
    text = text.replace("real: mean_square(D[d](x[d]))", "real: l1(D[d](x[d]), D_a(x[d]))")
    program = composer.compile("indexed", text=text)
    work = work_of(program, batch_for(program))
    assert work.count("D_a") == 2 and work.count("D[a]") == 2


def test_draws_are_the_same_whatever_else_is_computed() -> None:
    """Each has its own generator: an added term or another order changes no other draw."""
    values = {"z": "normal_like(a)", "other": "normal_like(b)"}
    phase = "  one: {update: G, minimize: {%s}}"
    few = small(values, phase % 't: "l1(G(a), z)"')
    many = small(values, phase % 'u: "l1(G(other), b)", t: "l1(G(a), z)"')
    for program in (few, many):
        program.watch(["z"])
    for _ in range(2):
        one, two = few.step(batch()).values["one/z"], many.step(batch()).values["one/z"]
        assert torch.equal(one, two)
    assert not torch.equal(one, few.step(batch()).values["one/z"])
