"""Memory of a program before anything of it is allocated, against what the program does."""

from __future__ import annotations

import pytest
from tiny_run import make_tiny

import composer
from composer.errors import ComposeError
from composer.estimate import Unknown, empty_batch, estimate, iterations_of_interest, measure, with_batch
from composer.program import Program
from composer.testing.batches import batch_for

SMALL = {"params.size": 32, "params.load": 32, "params.width": 4}
FLAT = {"params.width": 4}  # of graphs whose depth goes with their size


def planned(graph: str, **more: object) -> Program:
    return composer.compile(graph, device="meta", **more)


def real(graph: str, **more: object) -> Program:
    return composer.compile(graph, **more)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return make_tiny(tmp_path_factory.mktemp("estimate"))[0]


def test_a_program_without_data_has_the_weights_of_the_real_one():
    given = {"preset": "demo", "settings": FLAT}
    without, there = planned("pix2pix", **given), real("pix2pix", **given)
    assert without.parameter_counts() == there.parameter_counts()
    shapes = [{k: v.shape for k, v in p.state()[0].items()} for p in (without, there)]
    assert shapes[0] == shapes[1]
    assert all(t.device.type == "meta" for m in without.networks.values() for t in m.parameters())
    assert {k: v.shape for k, v in empty_batch(without).items()} == {k: v.shape for k, v in batch_for(there).items()}


@pytest.mark.parametrize("graph", ["tiny", "pix2pix", "cyclegan", "unit"])
def test_the_estimate_is_what_a_real_program_does(graph, tiny):
    given = {} if graph == "tiny" else {"preset": "demo", "settings": FLAT if graph == "pix2pix" else SMALL}
    name = tiny if graph == "tiny" else graph
    program = real(name, **given)
    expected, seen = estimate(planned(name, **given)), measure(program, [batch_for(program)], "cpu")
    assert expected.saved == seen.saved
    assert expected.moments.keys() == seen.moments.keys()
    for moment, size in seen.moments.items():
        # Random numbers are drawn on the CPU, for a program that is there as a copy of a moment.
        assert expected.moments[moment] == pytest.approx(size, rel=0.02), moment


def test_what_stays_is_said_by_its_kind():
    program = real("supervised", preset="demo")
    weights = 4 * sum(program.parameter_counts().values())
    buffers = sum(b.numel() * b.element_size() for m in program.networks.values() for b in m.buffers())
    found = estimate(planned("supervised", preset="demo"))
    assert found.parts["weights"] == found.parts["gradients"] == weights
    assert found.parts["optimizer state"] == 2 * weights  # the two moments of Adam; its counts are on the CPU
    counts = 4 * sum(1 for m in program.networks.values() for _ in m.parameters())
    assert found.saved == 3 * weights + counts + buffers
    assert found.moments["checkpoint"] >= 2 * 3 * weights  # a checkpoint is copied before it is written
    assert found.tensors == max(found.moments[name] for name in ("iteration", "sample grid", "checkpoint"))
    assert found.peak > found.tensors


def test_a_larger_batch_needs_more_for_results_only():
    shaped = composer.check("unit", preset="demo", settings=SMALL)
    few, many = (estimate(Program(with_batch(shaped, n), device="meta")) for n in (8, 16))
    assert few.parts["weights"] == many.parts["weights"] and few.saved == many.saved
    assert 1.8 < many.parts["results"] / few.parts["results"] < 2.1


def test_a_gpu_steps_all_parameters_at_once():
    one, other = (estimate(planned("supervised", preset="demo"), device) for device in ("cpu", "cuda"))
    iteration = one.moments["iteration"] + one.parts["weights"] - one.parts["results"]
    assert other.moments["iteration"] == pytest.approx(iteration, rel=0.02)
    assert other.peak == other.tensors


def test_phases_that_run_seldom_are_looked_at(tiny):
    program = planned(tiny)
    assert list(iterations_of_interest(program)) == [0, 1]  # the first phase fires at iterations 1, 3, ...
    rarely = planned(tiny, settings={"phases.judge.when": "=iteration > 1000"})
    assert estimate(planned(tiny)).moments["iteration"] > estimate(rarely).moments["iteration"]


def test_a_block_that_needs_numbers_makes_the_memory_unknown(tmp_path):
    (tmp_path / "chosen.py").write_text(
        "import torch\nfrom composer.block import block\n\n"
        "@block('x[b c h w] -> x[b c h w]')\ndef brightest(x):\n"
        "    bright = torch.masked_select(x, x > x.mean())\n    return x * bright.mean()\n"
    )
    text = """\
composer: 1
name: choosing
blocks: [chosen.py]
inputs: {one: {a: "image(3, 8, 8)"}}
networks: {G: {chain: ["conv(3, kernel=3)"]}}
values: {made: "G(brightest(a))"}
phases: {fit: {update: G, minimize: {l1: "l1(made, a)"}}}
optimizers: {default: {adam: {lr: 0.01}}}
training: {iterations: 2, batch: 1}
"""
    (tmp_path / "choosing.yaml").write_text(text)
    with pytest.raises(Unknown, match="needs numbers"):
        estimate(planned(str(tmp_path / "choosing.yaml")))
    program = real(str(tmp_path / "choosing.yaml"))
    assert measure(program, [batch_for(program)], "cpu").tensors > 0


def test_errors_of_the_user_stay_errors(tiny):
    with pytest.raises(ComposeError, match=r"no path 'params\.nothing'"):
        planned(tiny, settings={"params.nothing": 1})
