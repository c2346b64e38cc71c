"""What single wirings must do, held against numbers that no compiler made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from test_wirings import FOLDER, compiled, consumed, read_by, train
from torch import Tensor

import composer
from composer.errors import ComposeError
from composer.optimizers import KINDS
from composer.program import Program


def variation(text: str, **options: Any) -> Program:
    """A program of a hybrid of one of the wirings."""
    return composer.compile(FOLDER / "hybrid.yaml", text=text, dtype=torch.float64, seed=3, **options)


def weights(program: Program, network: str) -> dict[str, Tensor]:
    return {k: v.detach().clone() for k, v in program.networks[network].named_parameters()}


# -- gradients ---------------------------------------------------------------------------------------------------


def test_a_reversed_gradient_goes_into_the_encoder_and_the_plain_one_into_the_classifier() -> None:
    program = variation(
        "extends: xgan.yaml\nname: reversal\n"
        "drop: [phases.judge, phases.translate.minimize.recon, phases.translate.minimize.meaning,"
        " phases.translate.minimize.fool, phases.translate.minimize.teach]\n"
        "change:\n  phases.translate.update: e[d], shared_e, c\n  optimizers.default: {sgd: {lr: 1}}\n"
        "  translate.a2b.value: c(z[a])\n  show: x[a]\n"
    )
    batch = consumed(program, 0)[0]
    names = ("e[a]", "e[b]", "shared_e", "c")
    before = {name: weights(program, name) for name in names}
    nets = program.networks
    loss: Tensor = torch.zeros((), dtype=torch.float64)
    for domain, wanted in (("a", 1.0), ("b", 0.0)):
        score = nets["c"](nets["shared_e"](nets[f"e[{domain}]"](batch[f"x[{domain}]"])))
        loss = loss + torch.nn.functional.binary_cross_entropy_with_logits(score, torch.full_like(score, wanted))
    parameters = [p for name in names for p in nets[name].parameters()]
    gradients = torch.autograd.grad(loss, parameters)
    program.step(batch)
    moved = [(weights(program, name)[k] - w, name) for name in names for k, w in before[name].items()]
    for gradient, (change, name) in zip(gradients, moved, strict=True):
        sign = -1 if name == "c" else 1
        assert torch.allclose(change, sign * gradient, rtol=0, atol=1e-12), name


def test_a_kept_value_is_trained_through_at_old_weights_by_another_entry_too() -> None:
    program = compiled(("kept_through_entries", ()))
    code = program.printed("code")
    assert "old_weights(core, " in code
    assert "old_weights(core_inverse, " in code


def test_a_head_that_no_term_of_a_phase_reaches_is_not_stepped_by_it() -> None:
    program = compiled(("tunit", ()))
    train(program, 4)  # two epochs of two; in the second the network is stepped twice an iteration
    tensors, _ = program.state()
    steps = {k.rsplit("/", 2)[1]: int(v) for k, v in tensors.items() if k.startswith("optimizers/C/") and "step" in k}
    assert steps["layers.style.linear.weight"] == 2 + 2 * 2
    assert steps["layers.cluster.linear.weight"] == 4


# -- state -------------------------------------------------------------------------------------------------------


def test_a_queue_starts_every_epoch_with_what_the_pass_filled_in() -> None:
    program = compiled(("tunit", ()))
    program.run_pass("first_keys", read_by(program, "first_keys"))
    filled = program.state()[0]["states/bank/rows"]
    train(program, 2)
    assert not torch.equal(program.state()[0]["states/bank/rows"][2:4], filled[2:4])
    train(program, 1)  # the first iteration of the next epoch
    rows = program.state()[0]["states/bank/rows"]
    assert torch.equal(rows[[0, 1, 4, 5, 6, 7]], filled[[0, 1, 4, 5, 6, 7]])


def test_each_run_of_a_repeated_phase_takes_a_batch_of_its_own() -> None:
    program = compiled(("branchgan", ()))
    assert program.batches(0) == 3
    with pytest.raises(ComposeError, match="iteration 0 needs 2 batches, got 1"):
        program.step(consumed(program, 0)[:1])


# -- steps -------------------------------------------------------------------------------------------------------


def test_terms_are_logged_where_no_step_is_made_and_weights_are_clipped() -> None:
    program = compiled(("dualgan", ()))
    train(program, 1)
    before = weights(program, "G[a,b]")
    losses = train(program, 1)[0]
    assert {"translate/fool[a,b]", "translate/recon[b,a]"} <= set(losses)
    assert all(torch.equal(before[k], w) for k, w in weights(program, "G[a,b]").items())
    assert max(float(w.abs().max()) for w in weights(program, "D[a]").values()) <= 0.01


def test_a_function_of_the_clock_under_a_name_is_the_weight_of_terms() -> None:
    program = compiled(("discogan", ()))
    for iteration, rate in enumerate((0.01, 0.01, 0.5, 0.5)):
        result = program.step(consumed(program, iteration))
        assert float(result.terms["translate/recon[a,b]"].weight) == pytest.approx(rate)
        assert float(result.terms["translate/fool[b,a]"].weight) == pytest.approx(0.1 * (1 - rate))


def test_the_update_of_an_indexed_phase_is_that_of_its_value() -> None:
    program = compiled(("stargan_v2", ()))
    assert {p.name: p.update for p in program.graph.phases} == {
        "judge[latent]": ("D",),
        "judge[reference]": ("D",),
        "translate[latent]": ("G", "F", "E"),
        "translate[reference]": ("G",),
    }


def test_a_part_has_a_rate_of_its_own_and_starts_anew() -> None:
    program = compiled(("pix2pixhd", ("local",)))  # `inner` and `middle` wait for iteration 2, `middle` forgets at 1
    start = weights(program, "G")
    train(program, 2)
    waiting = weights(program, "G")
    assert {k for k in start if torch.equal(start[k], waiting[k])} == {
        k for k in start if k.startswith(("layers.inner.", "layers.middle."))
    }
    tensors, _ = program.state()
    steps = {k.split("/")[-2]: int(v) for k, v in tensors.items() if k.startswith("optimizers/G/") and "step" in k}
    assert steps["layers.inner.conv.weight"] == 2
    assert steps["layers.middle.block.0.conv.weight"] == 1
    train(program, 1)
    assert not torch.equal(weights(program, "G")["layers.inner.conv.weight"], start["layers.inner.conv.weight"])
    assert {float(v) for k, v in program.state()[0].items() if k.startswith("optimizers/G/") and "step" in k} == {1.0}


def test_a_part_that_a_block_declares_has_settings_of_its_own() -> None:
    program = compiled(("alignflow", ()))
    rest, gains = program.optimizers.optimizers["F[src]"].param_groups
    assert gains["weight_decay"] == 0.1
    assert rest["weight_decay"] == 0
    assert all(p.dim() == 1 for p in gains["params"])


def test_rmsprop_with_epsilon_inside_the_root() -> None:
    w = torch.nn.Parameter(torch.tensor([1.0, -2.0], dtype=torch.float64))
    optimizer = KINDS["rmsprop_tf"]([w], lr=0.1, decay=0.9, eps=0.5, momentum=0.5, start=1.0)
    square, momentum, expected = torch.ones(2), torch.zeros(2), w.detach().clone()
    for gradient in (torch.tensor([3.0, 0.0]), torch.tensor([-1.0, 2.0])):
        w.grad = gradient.double()
        optimizer.step()
        square = 0.9 * square + 0.1 * gradient**2
        momentum = 0.5 * momentum + 0.1 * gradient / (square + 0.5).sqrt()
        expected = expected - momentum.double()
    assert torch.allclose(w.detach(), expected, rtol=0, atol=1e-6)


# -- entries, taps, numbers --------------------------------------------------------------------------------------


def test_an_entry_runs_only_what_it_needs_and_taps_are_the_layers() -> None:
    program = compiled(("tunit", ()))
    network, image = program.networks["C"], consumed(program, 0)[0]["x"]
    network.layers["cluster"].register_forward_hook(lambda *_: pytest.fail("not needed"))
    style = network.enter("style", image)
    assert torch.equal(style, network(image))
    network = compiled(("cut", ())).networks["G"]
    first, second, last = network.features(consumed(compiled(("cut", ())), 0)[0]["a"], [0, 1, 3])
    assert [t.shape[1:] for t in (first, second, last)] == [(4, 16, 16), (8, 8, 8), (8, 8, 8)]
    assert torch.equal(network.layers["1"](first), second)


def test_a_number_stands_for_a_value_full_of_it() -> None:
    program = compiled(("dtn", ()))
    assert "labels_like(" in program.printed("graph")
    losses = train(program, 1)[0]
    network = compiled(("dtn", ())).networks["D"]
    batch = consumed(program, 0)[0]
    wanted = torch.full((2,), 2)
    expected = torch.nn.functional.cross_entropy(network(batch["x[target]"]), wanted)
    assert torch.allclose(losses["judge/real"], expected)
    assert "full_like(" in compiled(("discogan", ())).printed("graph")


@pytest.mark.parametrize(
    ("base", "path", "value", "said"),
    [
        ("tunit", "values.q", "C.stile(x)", "'C' has no entry 'stile'; it has: features, style, cluster"),
        ("tunit", "networks.C.entries", "{features: style}", "every wired network has an entry 'features'"),
        ("cut", "params.taps", "[0, 9]", "no layer 9 to tap in a network of 6"),
        ("cut", "values.key[v]", "G.features(source[v], [hm])", "unknown value 'hm'"),
        ("alignflow", "values.fake[s,t]", "tanh(F[t].invert(z[s]))", "has no entry 'invert'; it has: inverse"),
        (
            "alignflow",
            "optimizers.F[d].parts",
            "{gain: {weight_decay: 1}}",
            "has no part 'gain'; did you mean 'gains'?",
        ),
        ("dtn", "phases.translate.minimize.tid", "l2(1, 2)", "needs got[...], got a number"),
    ],
)
def test_mistakes_are_said(base: str, path: str, value: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ComposeError) as caught:
        variation(f"extends: {base}.yaml\nname: mistake\nchange:\n  {path}: {value}\n")
    assert said in str(caught.value)


def test_an_input_of_a_translation_hides_a_value_of_its_name() -> None:
    program = compiled(("tunit", ()))
    program.run_pass("first_keys", read_by(program, "first_keys"))
    batch = consumed(program, 0)[0]
    assert program.translator.needs("guided") == ["x", "x_ref"]
    one = program.translate({"x": batch["x"], "x_ref": batch["x_tf"]}, "guided")
    other = program.translate({"x": batch["x"], "x_ref": -batch["x_tf"]}, "guided")
    assert not torch.allclose(one, other)
    with pytest.raises(ComposeError, match="'x' is another input elsewhere"):
        variation('extends: tunit.yaml\nname: two\nadd:\n  translate.guided.inputs.x: "image(3, 8, 8)"\n')


REPEATING = """
composer: 1
name: repeating
inputs: {pair: {x: "image(3, 16, 16)"}}
networks:
  G:
    inputs: image
    values:
      first: conv(image, 4)
      deep: repeat(3, conv(first, widen=2, stride=2, activation="relu"))
    output: conv(deep, 1)
values: {y: G(x)}
phases: {one: {update: G, minimize: {small: mean_square(y)}}}
optimizers: {default: {adam: {lr: 1e-3}}, G: {adam: {lr: 1e-3}, parts: {deep: {adam: {lr: 1e-4}}}}}
training: {iterations: 1, batch: 2}
"""


def test_a_layer_repeats_in_a_wired_network_each_with_weights_of_its_own() -> None:
    program = composer.compile("repeating.yaml", text=REPEATING)
    layers = program.networks["G"].layers
    assert list(layers) == ["first", "deep_0", "deep_1", "deep_2", "conv"]
    assert [layers[f"deep_{n}"].conv.weight.shape[:2] for n in range(3)] == [(8, 4), (16, 8), (32, 16)]
    x = torch.rand(2, 3, 16, 16)
    wanted = layers["first"](x)
    for number in range(3):
        wanted = layers[f"deep_{number}"](wanted)
    assert torch.equal(program.networks["G"](x), layers["conv"](wanted))
    own = program.networks["G"].part("deep")  # the line as a whole
    assert sum(p.numel() for p in own) == sum(p.numel() for n in range(3) for p in layers[f"deep_{n}"].parameters())


@pytest.mark.parametrize(
    ("written", "instead"),
    [
        ("repeat(3, conv(first", "repeat(1.5, conv(first"),
        ("repeat(3, conv(first, widen=2, stride=2", "repeat(3, residual(), conv(first, widen=2, stride=2"),
        ("repeat(3, conv(first, widen=2,", "repeat(3, conv(widen=2,"),
        ("repeat(3, conv(first", "repeat(conv(first), conv(first"),
        ('repeat(3, conv(first, widen=2, stride=2, activation="relu"))', "repeat(3, repeat(3, conv(first)))"),
    ],
)
def test_what_cannot_repeat_says_so(written: str, instead: str) -> None:
    text = REPEATING.replace(written, instead)
    with pytest.raises(ComposeError, match=r"cannot repeat 1\.5 times|repeat takes a number|is no number"):
        composer.compile("repeating.yaml", text=text)
