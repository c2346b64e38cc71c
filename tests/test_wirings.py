"""The wirings of many methods in miniature: the language carries each of them, and the compiler means what it says.

`tests/wirings/` has one graph for each way of wiring that is hard in its own way, on networks of a few weights. Every
graph, and every variant of it, must check without a warning, print, train in float64, do the same without
optimisation and by the interpreter's slow reading of the rules, resume bit for bit, and translate.
"""

from __future__ import annotations

import json
import re
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import composer
from composer.document import load, plain
from composer.listing import STAGES
from composer.program import Program
from composer.testing.batches import batch_for, field_values
from composer.testing.compare import differences
from composer.testing.interpreter import interpret

FOLDER = Path(__file__).parent / "wirings"
ITERATIONS = 4
Case = tuple[str, tuple[str, ...]]


def cases() -> list[Case]:
    found: list[Case] = []
    for path in sorted(FOLDER.glob("*.yaml")):
        found += [(path.stem, ()), *((path.stem, (name,)) for name in own_variants(path))]
    return found


def own_variants(path: Path) -> list[str]:
    _, _, section = path.read_text(encoding="utf-8").partition("\nvariants:\n")
    return re.findall(r"^  (\w+):", section, re.M)


def compiled(case: Case, **options: Any) -> Program:
    """The program of a case. A large eps keeps Adam from making a step out of rounding where a gradient is 0."""
    name, variants = case
    groups = plain(load(FOLDER / f"{name}.yaml", variants=variants).root)["optimizers"]
    eps = {
        f"optimizers.{group}.{kind}.eps": 1e-2
        for group, body in groups.items()
        for kind in body
        if kind in ("adam", "rmsprop", "rmsprop_tf")
    }
    return composer.compile(
        FOLDER / f"{name}.yaml", variants=variants, settings=eps, dtype=torch.float64, seed=3, **options
    )


def read_by(program: Program, name: str) -> list[dict[str, Tensor]]:
    """What a pass reads."""
    count = program.passes[name].batches or 2
    return [batch_for(program, (name, number)) for number in range(count)]


def consumed(program: Program, iteration: int) -> list[dict[str, Tensor]]:
    """What an iteration reads."""
    return [batch_for(program, (iteration, number)) for number in range(program.batches(iteration))]


def train(program: Program, iterations: int) -> list[dict[str, Tensor]]:
    """Train on, and give the losses of each iteration by term."""
    losses = []
    for _ in range(iterations):
        for one in program.due_passes():
            program.run_pass(one.name, read_by(program, one.name))
        result = program.step(consumed(program, program.iteration))
        losses.append({name: term.loss for name, term in result.terms.items()})
    return losses


@cache
def trained(case: Case) -> tuple[Program, list[dict[str, Tensor]]]:
    """A program after its iterations, and the losses on the way."""
    program = compiled(case)
    losses = train(program, ITERATIONS)
    for one in program.due_passes(ended=True):
        program.run_pass(one.name, read_by(program, one.name))
    return program, losses


each_case = pytest.mark.parametrize("case", cases(), ids=lambda case: "+".join([case[0], *case[1]]))


@each_case
def test_a_wiring_checks_without_a_warning_and_prints(case: Case) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        program = compiled(case)
    assert [str(warning) for warning in program.graph.warnings] == []
    for stage in STAGES:
        assert program.printed(stage).strip()


@each_case
def test_a_wiring_trains_with_finite_numbers(case: Case) -> None:
    program, losses = trained(case)
    assert all(bool(torch.isfinite(loss)) for one in losses for loss in one.values())
    tensors, _ = program.state()
    assert all(bool(torch.isfinite(tensor).all()) for tensor in tensors.values())
    before, _ = compiled(case).state()
    for phase in program.graph.phases:
        for network in phase.update:
            keys = [key for key in before if key.startswith(f"networks/{network}/")]
            assert any(not torch.equal(before[key], tensors[key]) for key in keys), f"{network} did not move"


@each_case
def test_optimisation_changes_nothing(case: Case) -> None:
    program, losses = trained(case)
    plainly = compiled(case, optimise=False)
    other = train(plainly, ITERATIONS)
    for one in plainly.due_passes(ended=True):
        plainly.run_pass(one.name, read_by(plainly, one.name))
    assert differences(program.state()[0], plainly.state()[0]) == {}
    assert [differences(one, two) for one, two in zip(losses, other, strict=True)] == [{}] * ITERATIONS


@each_case
def test_the_interpreter_says_the_same(case: Case) -> None:
    program, losses = trained(case)
    fresh = compiled(case)
    outcome = interpret(
        fresh,
        [consumed(fresh, iteration) for iteration in range(ITERATIONS)],
        {name: read_by(fresh, name) for name in fresh.passes},
    )
    assert differences(program.state()[0], outcome.tensors, 1e-9) == {}
    for mine, theirs in zip(losses, outcome.terms, strict=True):
        assert differences(mine, {name: term.loss for name, term in theirs.items()}, 1e-9) == {}


@each_case
def test_a_wiring_resumes_bit_for_bit(case: Case) -> None:
    program, losses = trained(case)
    first = compiled(case)
    train(first, 2)
    tensors, meta = first.state()
    second = compiled(case)
    second.load_state(tensors, json.loads(json.dumps(meta)))
    assert [differences(one, two) for one, two in zip(losses[2:], train(second, 2), strict=True)] == [{}, {}]
    for one in second.due_passes(ended=True):
        second.run_pass(one.name, read_by(second, one.name))
    assert differences(program.state()[0], second.state()[0]) == {}
    assert program.state()[1] == second.state()[1]


@each_case
def test_the_resolved_file_is_the_same_program(case: Case) -> None:
    program = compiled(case)
    again = composer.compile("again.yaml", text=program.resolved_yaml(), dtype=torch.float64, seed=3)
    for stage in STAGES:
        if stage != "code":  # its comments name lines of the file
            assert program.printed(stage) == again.printed(stage)


@each_case
def test_a_wiring_translates_and_shows_without_changing_anything(case: Case) -> None:
    program, _ = trained(case)
    before, _ = program.state()
    batch = batch_for(program, "shown")
    own = {field.name: field for one in program.translations.values() for field in one.fields}
    generator = torch.Generator().manual_seed(5)
    more = {name: field_values(field, program.training.batch, generator) for name, field in own.items()}
    for name in program.translations:
        assert torch.isfinite(program.translate({**batch, **more}, name)).all()
    for value in program.evaluate(program.show, batch).values():
        assert torch.isfinite(value).all()
    assert differences(before, program.state()[0]) == {}


def test_the_folder_has_the_wirings_that_are_promised() -> None:
    promised = """alignflow bicyclegan branchgan cut discogan dosgan drit drit_pp dtn dualgan fastcut fixed_point_gan
    munit pix2pixhd revgan spade spectral_regularization stargan stargan_joint stargan_v2 tunit unit_shared xgan"""
    assert set(promised.split()) <= {name for name, _ in cases()}
