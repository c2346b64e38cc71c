"""Rules 1, 5, 6, 7 and 8: what is trained, what is left out, modes and state, and the work a step does."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from small_graphs import batch, small, text_of, work_of
from torch.utils.flop_counter import FlopCounterMode

import composer
from composer.program import Program
from composer.testing.batches import batch_for
from composer.testing.compare import differences

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))

import hand_loops

SMALL_PAIRED = {"params.size": 32, "params.depth": 5, "params.width": 4, "params.judge_width": 4, "params.batch": 2}
SMALL_LATENT = {"params.size": 32, "params.width": 4, "params.judge_width": 4, "params.batch": 2}


# -- rule 1: a phase minimises over the networks it updates, nothing else ---------------------------------------


def test_gradients_flow_through_other_networks_and_not_into_them() -> None:
    program = small({"fake": "G(a)"}, '  make: {update: G, minimize: {fool: "l2(D(H(fake)), b)"}}')
    before = {k: v.clone() for k, v in program.state()[0].items()}
    work = work_of(program)
    assert work.weight_gradients == ["G", "G"]
    changed = {n.split("/")[1] for n in differences(before, program.state()[0]) if not is_statistic(n)}
    assert changed == {"G"}
    assert all(p.grad is None for network in program.networks.values() for p in network.parameters())


def is_statistic(name: str) -> bool:
    return name.endswith(("running_mean", "running_var", "num_batches_tracked")) or name.startswith("optimizers/")


def test_a_narrowed_term_trains_its_networks_alone_and_all_gradients_meet_in_one_step() -> None:
    wide = '  one: {update: G, E, minimize: {t: "l2(E(G(a)), b)", u: "0.5 * l2(G(a), b)"}}'.replace("G, E", '"G, E"')
    narrow = wide.replace('u: "0.5 * l2(G(a), b)"', 'u: {loss: "0.5 * l2(E(G(a)), a)", into: G}')
    program = small({}, narrow)
    data = batch()
    g, e = program.networks["G"], program.networks["E"]
    seen = e(g(data["a"]))
    first, second = (seen - data["b"]).square().mean(), 0.5 * (seen - data["a"]).square().mean()
    into_g = torch.autograd.grad(first + second, list(g.parameters()), retain_graph=True)
    into_e = torch.autograd.grad(first, list(e.parameters()))
    expected = [
        p.detach() - 0.1 * d for p, d in zip([*g.parameters(), *e.parameters()], [*into_g, *into_e], strict=True)
    ]
    program = small({}, narrow)
    assert work_of(program).calls == ["G", "E"]
    after = [*program.networks["G"].parameters(), *program.networks["E"].parameters()]
    for got, wanted in zip(after, expected, strict=True):
        torch.testing.assert_close(got.detach(), wanted, rtol=1e-10, atol=1e-13)


# -- rule 5: nothing wasted -------------------------------------------------------------------------------------


def test_a_weight_of_zero_removes_the_term_and_what_only_it_needed() -> None:
    phases = '  one: {update: "G, H", minimize: {near: "l1(G(a), a)", far: "weight * l1(H(E(b)), b)"}}'
    params = text_of({}, phases).replace("size: 8", "size: 8, weight: %s")
    with_it = composer.compile("small", text=params % 1)
    without = composer.compile("small", text=params % 0)
    assert [f.name for f in with_it.inputs["pair"].fields] == ["a", "b"]
    assert [f.name for f in without.inputs["pair"].fields] == ["a"]
    assert list(without.networks) == ["G"]
    assert list(without.step(batch_for(without)).terms) == ["one/near"]
    assert list(with_it.step(batch_for(with_it)).terms) == ["one/near", "one/far"]


def test_frozen_networks_and_networks_of_other_phases_get_no_weight_gradients() -> None:
    networks = {"H": '{chain: ["conv(3, kernel=3)"], frozen: true}'}
    phases = """
  judge: {update: D, minimize: {t: "l2(H(D(G(a))), b)"}}
  make: {update: G, minimize: {t: "l2(H(D(G(a))), b)"}}
"""
    work = work_of(small({}, phases, networks=networks))
    assert work.weight_gradients == ["D", "D", "G", "G"]


def test_what_no_trained_network_reaches_runs_without_a_graph() -> None:
    phases = '  judge: {update: D, minimize: {fake: "mean_square(D(H(G(a))))", real: "mean_square(D(b))"}}'
    work = work_of(small({}, phases))
    assert work.with_graph == ["D", "D"]


def test_a_parameter_that_no_term_reaches_is_not_stepped() -> None:
    """No decay, no moments: `other` of the network is not asked for."""
    network = '{inputs: x, values: {h: "conv(x, 3)", other: "conv(x, 3)"}, output: "h, other"}'
    program = small(
        {"h, other": "G(a)"},
        '  one: {update: G, minimize: {t: "l1(h, b)", u: "iteration * l1(other, b)"}}',
        "optimizers: {default: {adam: {lr: 0.1, weight_decay: 0.5}}}",
        {"G": network},
    )
    alone = small(
        {"h, other": "G(a)"},
        '  one: {update: G, minimize: {t: "l1(h, b)"}}',
        "optimizers: {default: {adam: {lr: 0.1, weight_decay: 0.5}}}",
        {"G": network},
    )
    before = alone.networks["G"].layers["other"].conv.weight.clone()
    alone.step(batch())
    assert torch.equal(before, alone.networks["G"].layers["other"].conv.weight)
    assert not any("other" in name for name in alone.state()[0] if name.startswith("optimizers/"))
    program.step(batch())  # reached, with a weight of 0: stepped, and decays
    assert not torch.equal(before, program.networks["G"].layers["other"].conv.weight)


def test_the_paired_graph_calls_once_what_it_can() -> None:
    program = composer.compile("pix2pix", preset="demo", settings=SMALL_PAIRED)
    work = work_of(program, batch_for(program))
    assert work.calls == ["G", "D", "D", "D"]
    convolutions = {n: sum("onv" in type(m).__name__ for m in program.networks[n].modules()) for n in "GD"}
    assert (work.weight_gradients.count("G"), work.weight_gradients.count("D")) == (
        convolutions["G"], 2 * convolutions["D"],
    )  # fmt: skip


def test_the_shared_latent_graph_encodes_once_for_both_phases() -> None:
    program = composer.compile("unit", preset="demo", settings=SMALL_LATENT)
    work = work_of(program, batch_for(program))
    assert {name: work.count(name) for name in program.networks} == {
        "E[a]": 2, "E[b]": 2, "shared_E": 3, "shared_G": 4, "G[a]": 3, "G[b]": 3,
        "front[a]": 2, "front[b]": 2, "trunk": 4,
    }  # fmt: skip
    first = work.calls.index("trunk")
    assert "G[a]" not in work.with_graph[: work.with_graph.index("trunk")] and first > 0


@pytest.mark.parametrize(
    ("name", "settings", "by_hand"),
    [("pix2pix", SMALL_PAIRED, hand_loops.paired_step), ("unit", SMALL_LATENT, hand_loops.shared_latent_step)],
)
def test_the_work_of_a_step_is_that_of_a_loop_written_by_hand(
    name: str, settings: dict[str, Any], by_hand: Any
) -> None:
    program, other = (composer.compile(name, preset="demo", settings=settings) for _ in range(2))
    data = batch_for(program)
    step = by_hand(other.networks)
    assert abs(work(program.step, data) / work(step, data) - 1) < 0.01


def work(step: Any, data: Any) -> int:
    """Floating point operations of one step, after one to warm up."""
    step(data)
    with FlopCounterMode(display=False) as counter:
        step(data)
    return int(counter.get_total_flops())


# -- rules 6 and 7: modes, state, averages ----------------------------------------------------------------------


def test_modes_belong_to_networks() -> None:
    networks = {
        "H": "{chain: [\"conv(3, norm='batch')\"], frozen: true}",
        "E": "{chain: [\"conv(3, norm='batch')\"], mode: eval}",
        "D": "{chain: [\"conv(3, norm='batch')\"], frozen: true, mode: train}",
    }
    phases = '  one: {update: "G, E", minimize: {t: "l1(D(H(E(G(a)))), b)"}}'
    program = small({}, phases, networks=networks)
    program.step(batch())
    tensors = program.state()[0]
    moved = {n.split("/")[1] for n, v in tensors.items() if n.endswith("num_batches_tracked") and int(v) > 0}
    assert moved == {"G", "D"}


def test_statistics_move_without_gradient_too() -> None:
    program = small({}, '  judge: {update: D, minimize: {t: "mean_square(D(G(a)))"}}')
    program.step(batch())
    assert int(program.state()[0]["networks/G/layers.0.norm.num_batches_tracked"]) == 1


def test_each_network_has_its_own_optimizer_state() -> None:
    phases = """
  one: {update: "G, H", minimize: {t: "l1(H(G(a)), b)"}}
  two: {update: G, minimize: {t: "l1(G(a), b)"}}
"""
    program = small({}, phases, "optimizers: {default: {adam: {lr: 0.1}}}")
    program.step(batch())
    tensors = program.state()[0]
    steps = {n.split("/")[2]: int(v) for n, v in tensors.items() if n.endswith("/step")}
    assert steps == {"G": 2, "H": 1}


def test_averages_move_once_after_the_phases() -> None:
    phases = """
  one: {update: G, minimize: {t: "l1(G(a), b)"}}
  two: {update: G, minimize: {t: "l1(G(a), average(G)(b))"}}
"""
    program = small({}, phases, "averages: {G: 0.75}")
    before = {k: v.clone() for k, v in program.averages["G"].named_parameters()}
    program.step(batch())
    for name, weight in program.networks["G"].named_parameters():
        moved = 0.75 * before[name] + 0.25 * weight.detach()
        torch.testing.assert_close(program.averages["G"].get_parameter(name), moved, rtol=1e-12, atol=1e-15)


def test_an_average_begins_as_a_copy_and_its_statistics_are_as_asked() -> None:
    phases = '  one: {update: "G, H", minimize: {t: "l1(H(G(a)), b)"}}'
    options = "averages: {G: {decay: 0.5, from: 2}, H: {decay: 0.5, buffers: copy}}"
    program = small({}, phases, options)
    start = {k: v.clone() for k, v in program.averages["G"].state_dict().items()}
    for number in range(3):
        program.step(batch(number))
        own, kept = program.networks["G"].state_dict(), program.averages["G"].state_dict()
        assert differences(kept, own if number == 2 else start) == {}
        statistics = {k: v for k, v in program.networks["H"].state_dict().items() if "running" in k}
        assert differences(statistics, {k: program.averages["H"].state_dict()[k] for k in statistics}) == {}


# -- rule 8: derivatives ----------------------------------------------------------------------------------------

DERIVATIVES = {
    "an input": ({}, "grad(D(a), a)"),
    "a made value, trained or not": ({"fake": "G(a)"}, "grad(D(fake), fake)"),
    "an interpolation": ({"share": "shares()", "mix": "lerp(b, G(a), share)"}, "grad(D(mix), mix)"),
    "all paths": ({"fake": "G(a)"}, "grad(D(concat(channels(fake, 0, 1), channels(b, 1, 2))) * H(fake), fake)"),
    "through an interpolation": ({"share": "shares()", "mix": "lerp(b, a, share)"}, "grad(D(mix), b)"),
    "a derivative": ({"slope": "grad(D(a), a)"}, "grad(square_norm(slope), a)"),
    "a constant": ({"seen": "stop(G(a))"}, "grad(D(seen), seen)"),
    "a slope that is constant": ({"slope": "grad(2 * G(a), a)", "one": "grad(G(a) + b, b)"}, "grad(D(one), one)"),
}


@pytest.mark.parametrize("update", ["D", "G", "G, D"])
@pytest.mark.parametrize("case", DERIVATIVES)
def test_a_derivative_is_taken_along_all_paths(case: str, update: str) -> None:
    """The finite difference of a penalty over one weight is what the phase trains with."""
    values, slope = DERIVATIVES[case]
    keep = {f"keep{n}": f"0 * iteration * mean_square({n}(a))" for n in update.split(", ")}
    terms = ", ".join(f'{k}: "{v}"' for k, v in {"p": f"square_norm({slope})", **keep}.items())
    phases = f'  one: {{update: "{update}", minimize: {{{terms}}}}}'
    smooth = {name: '{chain: ["conv(2, activation=\'tanh\')", "conv(3)"]}' for name in "GHD"}

    def made() -> Program:
        return small(values, phases, networks=smooth)

    def penalty(name: str, change: float) -> float:
        program = made()
        with torch.no_grad():
            next(program.networks[name].parameters()).view(-1)[1] += change
        return float(program.step(batch()).terms["one/p"].loss)

    def weight(program: Program, name: str) -> float:
        return float(next(program.networks[name].parameters()).detach().view(-1)[1])

    for name in update.split(", "):
        program = made()
        before = weight(program, name)
        program.step(batch())
        got = (before - weight(program, name)) / 0.1
        cut = case == "a constant" and name == "G"
        wanted = 0.0 if cut else (penalty(name, 1e-5) - penalty(name, -1e-5)) / 2e-5
        assert got == pytest.approx(wanted, rel=1e-5, abs=1e-9)


def test_a_derivative_of_two_paths_is_their_sum() -> None:
    values = {"fake": "G(a)", "slope": "grad(D(concat(fake, b)) * H(fake), fake)"}
    program = small(values, '  one: {update: D, minimize: {t: "square_norm(slope)"}}')
    program.watch(["fake", "slope"])
    data = batch()
    seen = program.step(data).values
    other = small(values, '  one: {update: D, minimize: {t: "square_norm(slope)"}}')
    fake = seen["one/fake"].requires_grad_()
    score = other.networks["D"](torch.cat([fake, data["b"]], 1)) * other.networks["H"](fake)
    (wanted,) = torch.autograd.grad(score.sum(), fake)
    torch.testing.assert_close(seen["one/slope"], wanted, rtol=1e-10, atol=1e-12)


def test_a_derivative_through_a_kept_value_of_an_earlier_phase() -> None:
    values = {"fake": "G(a)", "score": "D(fake)"}
    phases = """
  one: {update: H, minimize: {t: "l1(H(score), b)"}}
  two: {update: G, minimize: {t: "square_norm(grad(score, fake))"}}
  three: {update: H, minimize: {t: "stop(square_norm(grad(score, fake))) * l1(H(b), a)"}}
"""
    program = small(values, phases, "lifetime: {score: iteration}")
    work = work_of(program)
    assert work.calls == ["G", "D", "H", "H"]  # `three`: another evaluation of the derivative, of the kept score
    assert work.weight_gradients.count("D") == 0


def test_looking_at_values_changes_nothing() -> None:
    values = {"fake": "G(a)", "slope": "grad(D(fake), fake)", "pooled": "history(fake, size=1)"}
    phases = '  one: {update: "G, D", minimize: {t: "l1(D(fake), pooled)", u: "square_norm(slope)"}}'
    program = small(values, phases)
    program.step(batch())
    before = program.state()
    program.evaluate(["fake", "slope", "pooled"], batch(1))
    after = program.state()
    assert differences(before[0], after[0]) == {} and before[1] == after[1]
