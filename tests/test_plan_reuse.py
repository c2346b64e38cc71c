"""Rules 3 and 4: what is computed again, what is reused, and what a gradient through a reused value is."""

from __future__ import annotations

import pytest
import torch
from small_graphs import batch, small, work_of
from torch.func import functional_call

# Two players; TURNED has the maker first.
GAME = """
  judge: {update: D, minimize: {fake: "mean_square(D(fake))", real: "mean_square(D(b))"}}
  make: {update: G, minimize: {fool: "l1(D(fake), b)", near: "l1(fake, b)"}}
"""
TURNED = "\n".join(reversed(GAME.strip("\n").splitlines()))


def test_a_result_is_reused_until_its_network_is_stepped() -> None:
    work = work_of(small({"fake": "G(a)"}, GAME))
    assert work.calls == ["G", "D", "D", "D"]  # fake, D(fake), D(b); then D(fake) by the new D, fake as it was


def test_what_depends_on_a_stepped_network_is_computed_anew() -> None:
    work = work_of(small({"fake": "G(a)"}, TURNED))
    assert work.calls == ["G", "D", "G", "D", "D"]


def test_a_kept_value_stays_as_it_was_made() -> None:
    work = work_of(small({"fake": "G(a)"}, TURNED, "lifetime: {fake: iteration}"))
    assert work.calls == ["G", "D", "D", "D"]  # D(fake) fed the backward of `make` and runs again to feed another


@pytest.mark.parametrize(("lifetime", "calls"), [("", 1), ("lifetime: {z: phase}", 2)])
def test_a_value_of_the_phase_and_what_depends_on_it_is_new_in_each(lifetime: str, calls: int) -> None:
    values = {"z": "normal_like(a)", "seen": "H(z)"}
    phases = """
  one: {update: G, minimize: {t: "l1(G(seen), a)"}}
  two: {update: E, minimize: {t: "l1(E(seen), a)"}}
"""
    assert work_of(small(values, phases, lifetime)).count("H") == calls


def test_a_draw_depends_on_shapes_only() -> None:
    """It is not made again when the network it takes its shape from was stepped."""
    program = small(
        {"h": "G(a)", "z": "normal_like(h)"},
        """
  one: {update: G, minimize: {t: "l1(h, z)"}}
  two: {update: G, minimize: {t: "l1(h, z)"}}
""",
    )
    program.watch(["z"])
    values = program.step(batch()).values
    assert torch.equal(values["one/z"], values["two/z"])


def test_stop_does_not_shorten_the_dependency() -> None:
    values = {"seen": "stop(G(a))"}
    phases = """
  one: {update: G, minimize: {t: "l1(G(b), seen)"}}
  two: {update: E, minimize: {t: "l1(E(seen), b)"}}
"""
    assert work_of(small(values, phases)).calls == ["G", "G", "G", "E"]
    assert work_of(small(values, phases, "lifetime: {seen: iteration}")).calls == ["G", "G", "E"]


def test_state_is_asked_once_and_is_not_invalidated() -> None:
    values = {"pooled": "history(G(a), size=2)"}
    phases = """
  one: {update: G, minimize: {t: "l1(G(a), pooled)"}}
  two: {update: E, minimize: {t: "l1(E(pooled), b)"}}
"""
    program = small(values, phases)
    assert work_of(program).calls == ["G", "E"]
    assert int(program.states["pooled"].kept) == 2


def test_a_call_that_fed_a_backward_runs_again_to_feed_another() -> None:
    """H judges a kept image for two phases that both train G through it."""
    values = {"fake": "G(a)"}
    twice = """
  one: {update: G, minimize: {t: "l1(H(fake), b)"}}
  two: {update: G, minimize: {t: "l2(H(fake), b)"}}
"""
    kept = "lifetime: {fake: iteration}"
    assert work_of(small(values, twice, kept)).calls == ["G", "H", "H"]
    as_constant = twice.replace('t: "l1(H(fake), b)"', 't: "l1(stop(H(fake)), G(b))"')
    assert work_of(small(values, as_constant, kept)).calls == ["G", "H", "G"]


def test_a_graph_is_built_exactly_where_a_coming_phase_trains_through_it() -> None:
    values = {"fake": "G(a)"}
    sometimes = GAME.replace("{update: G,", "{update: G, every: 2,")
    program = small(values, sometimes)
    alone, together = work_of(program), work_of(program)
    assert alone.calls == ["G", "D", "D"] and alone.with_graph == ["D", "D"]
    assert together.calls == ["G", "D", "D", "D"] and together.with_graph == ["G", "D", "D", "D"]


def test_without_a_step_nothing_is_invalidated_and_no_graph_is_built() -> None:
    values = {"fake": "G(a)"}
    program = small(values, GAME.replace("{update: D,", '{update: D, step: "=iteration % 2 == 1",'))
    idle, stepping = work_of(program), work_of(program)
    assert idle.calls == ["G", "D", "D"]  # D(fake) is the same for both phases
    assert idle.weight_gradients == ["G", "G"]
    assert stepping.calls == ["G", "D", "D", "D"]


def test_a_repeated_phase_steps_each_time_and_a_new_batch_changes_what_depends_on_it() -> None:
    values = {"fake": "G(a)", "z": "normal_like(a)"}
    phases = """
  judge: {update: D, repeat: 3, batch: %s, minimize: {t: "l1(D(fake), z)"}}
  make: {update: G, minimize: {t: "l1(fake, b)"}}
"""
    same, new = small(values, phases % "same"), small(values, phases % "new")
    assert (same.batches(0), new.batches(0)) == (1, 3)
    assert work_of(same).calls == ["G", "D", "D", "D"]
    assert work_of(new, batch(0), batch(1), batch(2)).calls == ["G", "D", "G", "D", "G", "D"]
    kept = small(values, phases % "new", "lifetime: {fake: iteration}")
    assert work_of(kept, batch(0), batch(1), batch(2)).calls == ["G", "D", "D", "D"]


@pytest.mark.parametrize("stepped_between", ["G", "G, H"])
def test_the_gradient_through_a_kept_value_is_the_one_at_the_weights_it_was_made_with(stepped_between: str) -> None:
    """Made by G, seen through H; both may be stepped before G is trained through what H made of it."""
    values = {"fake": "G(a)", "seen": "H(fake)"}
    phases = f"""
  one: {{update: "{stepped_between}", minimize: {{t: "l2(seen, b)"}}}}
  two: {{update: G, minimize: {{t: "l2(seen, a)"}}}}
"""
    program = small(values, phases, "lifetime: {seen: iteration}")
    data = batch()
    g, h = program.networks["G"], program.networks["H"]
    start = {k: p.detach().clone().requires_grad_() for k, p in g.named_parameters()}
    frozen = {k: p.detach().clone() for k, p in h.named_parameters()}

    def gradient(wanted: torch.Tensor) -> dict[str, torch.Tensor]:
        copies = [{k: v.detach().clone() for k, v in m.named_buffers()} for m in (g, h)]
        seen = functional_call(h, {**frozen, **copies[1]}, functional_call(g, {**start, **copies[0]}, data["a"]))
        found = torch.autograd.grad((seen - wanted).square().mean(), list(start.values()))
        return dict(zip(start, found, strict=True))

    first, second = gradient(data["b"]), gradient(data["a"])
    expected = {k: p.detach() - 0.1 * first[k] - 0.1 * second[k] for k, p in start.items()}
    program.step(data)
    for name, weight in g.named_parameters():
        torch.testing.assert_close(weight.detach(), expected[name], rtol=1e-12, atol=1e-14)


def test_items_of_a_list_cross_phases_alone() -> None:
    values = {"first, second": "split(G(stack(a, b)), 2)"}
    phases = """
  judge: {update: D, minimize: {t: "mean_square(D(first))"}}
  make: {update: G, minimize: {t: "l1(D(second), b)"}}
"""
    assert work_of(small(values, phases)).calls == ["G", "D", "D"]


def test_again_is_another_evaluation() -> None:
    values = {"once": "G(a)", "twice": "again(G(a))"}
    phases = '  one: {update: G, minimize: {t: "l1(once, b)", u: "l1(twice, b)", v: "l1(once, twice)"}}'
    assert work_of(small(values, phases)).calls == ["G", "G"]


def test_dropout_masks_are_those_of_the_evaluation() -> None:
    """A reused image keeps its mask; a call that runs again draws a new one."""
    networks = {"G": '{chain: ["conv(4, kernel=3)", "dropout(p=0.5)", "conv(3, kernel=3)"]}'}
    program = small({"fake": "G(a)"}, GAME, networks=networks)
    program.watch(["fake"])
    values = program.step(batch()).values
    assert torch.equal(values["judge/fake"], values["make/fake"])
    program = small({"fake": "G(a)"}, TURNED, networks=networks, more="optimizers: {default: {sgd: {lr: 0}}}")
    program.watch(["fake"])
    values = program.step(batch()).values
    assert not torch.equal(values["judge/fake"], values["make/fake"])
