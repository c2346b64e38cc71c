"""Passes over the data: when they are due, what they gather, that it is state, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from tiny_run import make_tiny, settings, start, state

import composer
from composer.errors import ComposeError
from composer.program import Program
from composer.testing.batches import batch_for

GRAPH = """\
composer: 1
name: gathered
params: {size: 8, classes: 3, begin: 1}
inputs:
  photos:
    x: image(3, size, size)
    y: label(classes)
  others:
    o: image(3, size, size)
networks:
  C:
    chain:
      - conv(4, stride=2, norm="batch", activation="relu")
      - flatten()
      - linear(5)
  G:
    inputs: image, code
    values:
      given: concat(image, spread(code, size, size))
    output: conv(given, 3)
values:
  code: C(x)
  wanted: take(centres, y)
  fake: G(x, wanted)
  bank: queue(code, size=6)
passes:
  first:
    at: start
    over: photos
    batches: 2
    fill: bank
  middle:
    at: =begin
    over: photos
    collect:
      centres: class_mean(code, y, classes=classes)
  last:
    at: end
    over: others
    collect:
      bright: mean_over(o)
phases:
  classify:
    update: C
    until: =begin
    minimize:
      classes: cross_entropy(code, y)
  draw:
    update: G
    from: =begin
    minimize:
      near: l1(fake, x)
      same: 0.1 * info_nce(take(centres, y), take(centres, y), bank)
      other: 0.1 * l1(G(o, wanted), o)
optimizers:
  default: {adam: {lr: 0.01}}
training: {iterations: 4, batch: 4, epoch_iterations: 2}
translate:
  to: {value: "G(x, wanted) + 0 * l1(bright, bright)"}
"""


def compiled(text: str = GRAPH, **options: object) -> Program:
    return composer.compile("gathered.yaml", text=text, dtype=torch.float64, **options)


def batches(program: Program, name: str, count: int = 2) -> list[dict[str, torch.Tensor]]:
    return [batch_for(program, (name, number)) for number in range(count)]


def run_due(program: Program, ended: bool = False) -> list[str]:
    names = [one.name for one in program.due_passes(ended)]
    for name in names:
        program.run_pass(name, batches(program, name))
    return names


def test_a_pass_is_due_at_its_time_and_once() -> None:
    program = compiled()
    assert run_due(program) == ["first"]
    assert run_due(program) == []
    program.step(batch_for(program))
    assert run_due(program) == ["middle"]
    program.step(batch_for(program))
    assert run_due(program) == []
    assert run_due(program, ended=True) == ["last"]
    assert run_due(program, ended=True) == []
    program.step(batch_for(program))  # it was not the end: what was gathered there is gathered anew
    assert run_due(program, ended=True) == ["last"]


def test_a_step_that_needs_a_pass_says_so() -> None:
    program = compiled()
    with pytest.raises(ComposeError, match=r"gathered.yaml:\d+:3: iteration 0 needs the pass 'first' first"):
        program.step(batch_for(program))
    run_due(program)
    program.step(batch_for(program))
    with pytest.raises(ComposeError, match="iteration 1 needs the pass 'middle'"):
        program.step(batch_for(program))
    program.step(batch_for(program), {"centres": torch.zeros(3, 5)})  # fed, it needs none


def test_it_gathers_without_gradients_and_moves_batch_statistics() -> None:
    program = compiled()
    run_due(program)
    program.step(batch_for(program))
    before = program.state()[0]
    read = batches(program, "middle")
    expected = []
    with torch.no_grad():
        twin = compiled()
        twin.networks["C"].load_state_dict(program.networks["C"].state_dict())
        codes = torch.cat([twin.networks["C"](batch["x"]) for batch in read])
    labels = torch.cat([batch["y"] for batch in read])
    for number in range(3):
        own = codes[labels == number]
        expected.append(own.mean(0) if len(own) else torch.zeros(5, dtype=torch.float64))
    assert program.run_pass("middle", read) == 2
    after = program.state()[0]
    assert torch.allclose(after["collected/centres/value"], torch.stack(expected), rtol=0, atol=1e-12)
    moved = {key for key in after if not torch.equal(after[key], before[key])}
    assert moved == {"collected/centres/value"} | {
        f"networks/C/layers.0.norm.{key}" for key in ("running_mean", "running_var", "num_batches_tracked")
    }


def test_a_pass_at_the_end_changes_no_network() -> None:
    program = compiled(GRAPH.replace("over: others", "over: photos").replace("mean_over(o)", "mean_over(G(x, code))"))
    for name in ("first", "middle"):
        program.run_pass(name, batches(program, name))
    before = program.state()[0]
    program.run_pass("last", batches(program, "last"))
    after = program.state()[0]
    assert [key for key in after if not torch.equal(after[key], before[key])] == ["collected/bright/value"]


def test_in_eval_mode_nothing_else_moves() -> None:
    program = compiled(GRAPH.replace("    at: =begin\n", "    at: =begin\n    mode: eval\n"))
    run_due(program)
    program.step(batch_for(program))
    before = program.state()[0]
    run_due(program)
    after = program.state()[0]
    assert [key for key in after if not torch.equal(after[key], before[key])] == ["collected/centres/value"]
    assert program.networks["C"].training


def test_a_filled_state_is_what_training_starts_with() -> None:
    program = compiled()
    read = batches(program, "first")
    with torch.no_grad():
        codes = torch.cat([compiled().networks["C"](batch["x"]) for batch in read[:1]])
    program.run_pass("first", read)
    tensors, _ = program.state()
    assert torch.allclose(tensors["states/bank/rows"][2:4], codes[2:4])  # the second batch overwrote the first two
    assert int(tensors["states/bank/next"]) == 2


def test_what_was_gathered_is_saved_with_which_passes_were_run() -> None:
    program = compiled()
    run_due(program)
    program.step(batch_for(program))
    run_due(program)
    tensors, meta = program.state()
    other = compiled()
    other.load_state(tensors, json.loads(json.dumps(meta)))
    assert torch.equal(other.collected("centres"), program.collected("centres"))
    assert run_due(other) == []
    first, second = program.step(batch_for(program)), other.step(batch_for(other))
    assert {k: t.loss for k, t in first.terms.items()} == {k: t.loss for k, t in second.terms.items()}


def test_a_translation_waits_for_what_it_needs() -> None:
    program = compiled()
    with pytest.raises(ComposeError, match=r"translation 'to' needs the pass 'middle' .at 1., which was not run"):
        program.translate(batch_for(program), "to")
    for name in program.passes:
        program.run_pass(name, batches(program, name))
    assert torch.isfinite(program.translate(batch_for(program), "to")).all()


def test_bad_batches_are_said() -> None:
    program = compiled()
    with pytest.raises(ComposeError, match="pass 'first' was given no batches"):
        program.run_pass("first", [])
    with pytest.raises(ComposeError, match="pass 'first' needs 'x'"):
        program.run_pass("first", [{"o": torch.zeros(1)}])
    with pytest.raises(ComposeError, match="no pass 'frist'"):
        program.run_pass("frist", [])


def test_passes_are_listed() -> None:
    listed = compiled().printed("graph")
    assert "pass first: at start, 2 batches of photos\n  fill bank\n" in listed
    assert "pass middle: at 1, all rows of photos\n  centres = class_mean(code, y, classes=3)\n" in listed
    assert "pass last: at end, all rows of others\n  bright = mean_over(o)\n" in listed
    code = compiled().printed("code")
    assert "# a batch of pass middle\ndef values(batch, keep, draw, state, clock):" in code
    assert 'collect("centres", ' in code


def test_a_pass_that_nothing_needs_is_left_out() -> None:
    text = GRAPH[: GRAPH.index("translate:")]
    graph = composer.check("gathered.yaml", text=text).graph
    assert list(graph.passes) == ["first", "middle"]
    assert "value 'bright' is not used" in str(graph.warnings[0])


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("over: photos\n    batches", "over: photo\n    batches", "unknown stream 'photo'; did you mean 'photos'?"),
        ("at: start", "at: begin", "a pass at 'begin'; write start, end, or an iteration"),
        ("at: =begin", "at: =begin - 2", "a pass at -1; write start, end"),
        ("fill: bank", "fill: bonk", "'bonk' is no state that can be filled; did you mean 'bank'?"),
        ("at: start", "at: end", "nothing asks a state after the end; fill it at: start"),
        ("fill: bank", "fill: fake", "'fake' is no state that can be filled"),
        ("over: others", "over: photos", "pass 'last' needs 'o', which does not come with photos; add its stream"),
        ("mean_over(o)", "mean(o)", "'bright' is not gathered by one collecting block; its outermost call is one"),
        ("mean_over(o)", "mean_over(mean_over(o))", "'bright' is not gathered by one collecting block"),
        ("mean_over(o)", "mean_over(G(o, bright))", "'bright' is gathered from itself"),
        ("wanted: take(centres, y)", "wanted: class_mean(code, y, classes=3)", "'class_mean' gathers over a pass"),
        ("bright: mean_over(o)", "fake: mean_over(o)", "'fake' is defined twice"),
        ("class_mean(code, y,", "class_mean(code, x,", "class_mean(code, x, classes=classes): needs whole numbers"),
    ],
)
def test_mistakes_are_said_with_their_place(old: str, new: str, said: str) -> None:
    assert old in GRAPH
    with pytest.raises(ComposeError) as caught:
        composer.check("gathered.yaml", text=GRAPH.replace(old, new, 1))
    assert said in str(caught.value)
    assert "gathered.yaml:" in str(caught.value)


RUN = """\
composer: 1
name: tiny
params: {size: 8}
inputs:
  one:
    a: image(3, size, size, load=10)
  two:
    b: image(3, size, size, load=10)
networks:
  G:
    chain:
      - conv(3, norm="batch")
values:
  fake: G(a)
  middle: mean(fake)
passes:
  early: {at: start, over: two, collect: {target: mean_over(b)}}
  later: {at: 3, over: "one, two", batches: 2, collect: {made: mean_over(fake)}}
  late: {at: end, over: one, collect: {done: mean_over(fake)}}
phases:
  draw:
    update: G
    minimize:
      near: l1(middle, target)
      other: 0.1 * (iteration >= 3) * l1(middle, made)
optimizers:
  default: {adam: {lr: 0.01}}
training: {iterations: 6, batch: 2}
translate:
  a2b: {value: "fake + 0 * l1(done, done)"}
show: a, fake
"""


def test_a_run_makes_its_passes_and_continues_after_them(tmp_path: Path) -> None:
    tiny = make_tiny(tmp_path / "method", RUN)
    status, _ = start(settings(*tiny, out=tmp_path / "whole"))
    assert status == 0
    whole = state(tmp_path / "whole")
    assert whole[1]["program"]["passes"] == ["early", "late", "later"]
    for iterations in (1, 3, 4, 6):
        start(settings(*tiny, out=tmp_path / "parts", iterations=iterations, resume=True, checkpoint_every=100))
    assert state(tmp_path / "parts") == whole
