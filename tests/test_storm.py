"""The storm's own eyes: each fault that it looks for is planted once, and found."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time

import pytest
import torch
from tiny_run import ROOT, make_tiny, settings, start

from composer import checkpoint

sys.path.append(str(ROOT / "tools"))

import storm

ITERATIONS = 12


@pytest.fixture(scope="module")
def quiet(tmp_path_factory):
    folder = tmp_path_factory.mktemp("storm")
    graph, data = make_tiny(folder / "method")
    start(settings(graph, data, out=folder / "quiet", iterations=ITERATIONS, checkpoint_every=2))
    return folder / "quiet"


def a_line_twice(out):
    lines = (out / "log.jsonl").read_text().splitlines(keepends=True)
    (out / "log.jsonl").write_text("".join([*lines[:5], *lines[4:]]))


def half_a_line(out):
    path = out / "log.jsonl"
    path.write_text(path.read_text()[:-9] + "\n")


def a_point_twice(out):
    (file,) = (out / "events").iterdir()
    shutil.copy(file, out / "events/events.out.tfevents.2.from-0")


def half_a_point(out):
    (file,) = (out / "events").iterdir()
    file.write_bytes(file.read_bytes()[:-1])


def another_bit(out):
    newest = checkpoint.latest(out / "checkpoints")
    tensors, meta = newest.load()
    first = next(name for name, tensor in tensors.items() if tensor.is_floating_point())
    tensors[first].view(-1)[:1] = torch.nextafter(tensors[first].view(-1)[:1], torch.tensor([9.0]))
    checkpoint.save(out / "checkpoints", newest.iteration, tensors, meta)


FAULTS = {
    a_line_twice: "log",
    half_a_line: "cannot be read",
    a_point_twice: "TensorBoard has the points [0, 0, 10, 10]",
    another_bit: "tensors of ",
    half_a_point: "an event file ends within a record",
    lambda out: shutil.rmtree(out / "checkpoints"): "no whole checkpoint",
    lambda out: (out / "checkpoints/.tmp-iteration-0000014.json").write_text("{"): "left ",
    lambda out: (out / "run.lock").write_text("{"): "run.lock",
    lambda out: (out / "checkpoints/iteration-0000002.safetensors").write_text(""): "checkpoints has ",
    lambda out: (out / "core.4711").write_text(""): "left ",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_found(quiet, tmp_path, fault):
    out = tmp_path / "out"
    shutil.copytree(quiet, out)
    assert storm.check(quiet, out, ITERATIONS) == []
    fault(out)
    assert any(FAULTS[fault] in problem for problem in storm.check(quiet, out, ITERATIONS))


def test_processes_are_found_by_their_mark():
    environment = {**os.environ, "COMPOSER_STORM": "a-mark"}
    with subprocess.Popen(["sleep", "60"], env=environment, start_new_session=True) as process:
        try:
            until = time.monotonic() + 30  # what a new process was given can be read a moment after it has started
            while not storm.marked("a-mark") and time.monotonic() < until:
                time.sleep(0.01)
            assert storm.marked("a-mark") == [process.pid]
        finally:
            process.kill()
    assert storm.marked("a-mark") == []


def test_bundled_graphs_become_tiny():
    words = storm.settings_for("cyclegan")
    assert "params.size=16" in words and "training.batch=1" in words
    for graph in storm.bundled_graphs():
        assert "--set" in storm.settings_for(graph)
    with pytest.raises(storm.ComposeError, match="there is no"):
        storm.settings_for("nothing-of-this-name")


def test_the_command_is_one_that_composer_takes(tmp_path):
    from composer.arguments import make_parser

    graph = "cyclegan"
    words = storm.Storm(tmp_path, [graph], 5, 3, 0).command(graph, tmp_path / "out", 2, 3)[3:]
    given = make_parser().parse_args(words)
    assert (given.iterations, given.workers, given.checkpoint_every, given.resume) == (5, 2, 3, True)
