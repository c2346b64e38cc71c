"""Random valid graphs: they check, show, draw, run as a second interpreter says, and resume bit for bit."""

from __future__ import annotations

import os
import re

import pytest
import torch
from hypothesis import given, note

import composer
from composer.block import catalogue
from composer.draw import draw_dot
from composer.listing import STAGES
from composer.nodes import Graph, reachable
from composer.program import Program
from composer.testing.batches import batch_for, batches_for, batches_of_passes
from composer.testing.compare import differences, disagreements, train
from composer.testing.interpreter import interpret
from composer.testing.strategies import graphs, random_graph

ITERATIONS = 5
SEEDS = range(200) if os.environ.get("COMPOSER_PROFILE") == "thorough" else range(10)

# Blocks that no random graph has, and why.
LEFT_OUT = {"landmark_masks"}  # made for heat maps of 98 landmarks
# What label maps, high resolution and codes came with must take part in training, and not only stand in a line.
TRAINED_WITH = set(
    """adversarial argmax choose class_clusters class_mean class_of coarse_to_fine coupling_flow cross_entropy edges
    feature_matching halving_residual history integers kl_standard_normal latent_unet local_average mean mean_over
    normal_map one_hot paint patch_pyramid patch_scales profile_distance radial_profile repeat_like resize running_mean
    segment_mean spatial_norm spatial_residual split subsample vgg19 where""".split()
)


def compiled(text: str, **more: bool) -> Program:
    return composer.compile("random", text=text, dtype=torch.float64, **more)


@given(graphs())
def test_a_graph_runs_as_the_rules_say(text: str) -> None:
    note(text)
    program = compiled(text)
    batches = batches_for(program, ITERATIONS)
    meant = interpret(program, batches, batches_of_passes(program)).trace()
    trace = train(program, batches)
    assert disagreements(trace, meant, lambda: compiled(text), batches) == {}


@pytest.mark.parametrize("seed", SEEDS)
def test_graphs_unlike_each_other_run_as_the_rules_say(seed: int) -> None:
    """Hypothesis varies a few graphs; these have nothing in common."""
    text = random_graph(seed)
    program = compiled(text)
    batches = batches_for(program, ITERATIONS)
    meant = interpret(program, batches, batches_of_passes(program)).trace()
    assert disagreements(train(program, batches), meant, lambda: compiled(text), batches) == {}, text


@given(graphs())
def test_leaving_work_out_changes_nothing(text: str) -> None:
    note(text)
    program = compiled(text)
    batches = batches_for(program, ITERATIONS)
    plain = train(compiled(text, optimise=False), batches)
    trace = train(program, batches)
    assert disagreements(trace, plain, lambda: compiled(text), batches) == {}


@given(graphs())
def test_a_stopped_run_resumes_bit_for_bit(text: str) -> None:
    note(text)
    whole = compiled(text)
    batches = batches_for(whole, ITERATIONS)
    train(whole, batches)
    first = compiled(text)
    train(first, batches[:2], ended=False)
    tensors, meta = first.state()
    second = compiled(text)
    second.load_state(tensors, meta)
    train(second, batches[2:])
    assert differences(whole.state()[0], second.state()[0]) == {}
    assert whole.state()[1] == second.state()[1]


@given(graphs())
def test_looking_changes_nothing(text: str) -> None:
    """Samples between iterations leave no trace, and are the same when asked for again."""
    note(text)
    program, alone = compiled(text), compiled(text)
    batches = batches_for(program, 3)
    for number, batch in enumerate(batches):
        names = [n for n, node in program.graph.values.items() if node.op not in ("input", "number", "clock")]
        seen = program.evaluate(names, batch_for(program, ("look", number)))
        again = program.evaluate(names, batch_for(program, ("look", number)))
        assert differences(flat(seen), flat(again)) == {}
        train(program, [batch], ended=False)
        train(alone, [batch], ended=False)
    assert differences(program.state()[0], alone.state()[0]) == {}


def flat(values: object, name: str = "") -> dict[str, torch.Tensor]:
    if isinstance(values, dict):
        return {k: v for name, one in values.items() for k, v in flat(one, name).items()}
    if isinstance(values, (list, tuple)):
        return {k: v for number, one in enumerate(values) for k, v in flat(one, f"{name}[{number}]").items()}
    return {name: values} if isinstance(values, torch.Tensor) else {}


@given(graphs())
def test_a_graph_is_printed_drawn_and_written_back(text: str) -> None:
    note(text)
    program = compiled(text)
    for stage in STAGES:
        assert program.printed(stage).strip()
    for expand in (False, True):
        assert draw_dot(program.shaped, expand=expand).startswith("digraph")
    written = program.resolved_yaml()
    other = compiled(written)
    assert other.resolved_yaml() == written
    for stage in ("graph", "shapes", "plan"):
        assert other.printed(stage) == program.printed(stage)
    batches = batches_for(program, 2)
    assert differences(train(program, batches), train(other, batches)) == {}


def test_every_block_is_drawn_and_those_of_maps_are_trained_with() -> None:
    """A new block is drawn too, or stands in `LEFT_OUT`."""
    bundled = {block.name for block in catalogue().values() if block.module.startswith("composer.blocks.")}
    drawn: set[str] = set()
    trained_with: set[str] = set()
    for seed in range(400):
        text = random_graph(seed)
        drawn |= set(re.findall(r"\b(\w+)\(", text)) | set(re.findall(r"block: (\w+)", text))
        if seed < 80:
            trained_with |= needed(composer.check("random", text=text).graph)
    assert bundled - drawn - trained_with == LEFT_OUT
    assert TRAINED_WITH - trained_with == set()


def needed(graph: Graph) -> set[str]:
    """The blocks that training and passes evaluate, inside networks too."""
    nodes = reachable([*graph.training_roots, *(root for one in graph.passes.values() for root in one.roots)])
    found = {node.target for node in nodes if node.op in ("apply", "draw", "state", "collect")}
    for name in {node.target for node in nodes if node.op == "call"}:
        network = graph.networks[name]
        if network.wiring is None:
            found.add(network.block)
        else:
            found |= {node.target for node in reachable(network.wiring.roots) if node.op == "apply"}
            found |= {layer.block for layer in network.wiring.layers.values()}
    return found
