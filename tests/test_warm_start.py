"""The weights of one run as the start of another: what is matched, what is said, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from tiny_run import make_tiny, settings, start, state

import composer
from composer import checkpoint, warm_start
from composer.cli import main
from composer.errors import ComposeError
from composer.options import names

GRAPH = """\
composer: 1
name: shared
about: networks of a family, one that all share, and a head that depends on a number of classes
params: {size: 8, classes: 2}
index: {d: [a, b]}
inputs:
  domain[d]:
    x[d]: image(3, size, size, load=10)
networks:
  E[d]: {chain: ['conv(4, kernel=3, stride=2, norm="batch", activation="relu")']}
  shared: {chain: ["conv(4, kernel=3)"]}
  G[d]: {chain: ['conv_transpose(3, kernel=4, stride=2, padding=1, activation="tanh")']}
  D:
    inputs: x
    values:
      body: conv(x, 4, kernel=3, stride=2, activation="relu")
      head: conv(body, classes, kernel=3)
    output: head
values:
  fake[d]: G[d](shared(E[d](x[d])))
phases:
  judge:
    update: D
    minimize:
      real: adversarial(D(x[d]), "real")
  translate:
    update: E[d], shared, G[d]
    minimize:
      keep: l1(fake[d], x[d])
      fool: adversarial(D(fake[d]), "fool")
optimizers:
  default: {adam: {lr: 0.01}}
averages:
  G[d]: 0.5
training: {iterations: 4, batch: 2}
translate:
  a2a: {value: "fake[a]"}
show: x[d], fake[d]
variants:
  plain:
    drop: ["averages.G[d]"]
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A graph, its data, and the folder of a finished run."""
    folder = tmp_path_factory.mktemp("shared")
    graph, data = make_tiny(folder / "method", GRAPH)
    start(settings(graph, data, out=folder / "run", sample_every=0))
    return graph, data, folder / "run"


def weights(folder: Path, iteration: int) -> dict[str, torch.Tensor]:
    found = next(c for c in checkpoint.saved(folder / "checkpoints") if c.iteration == iteration)
    return found.load()[0]


def test_a_run_starts_with_the_weights_of_another(trained, tmp_path):
    graph, data, source = trained
    given = settings(graph, data, out=tmp_path / "out", source=source, iterations=1, keep=9, sample_every=0, seed=7)
    _, said = start(given)
    assert f"from {source} at iteration 4: " in said
    there, here = weights(source, 4), weights(tmp_path / "out", 0)
    for name in there:
        if name.startswith(("networks/", "averages/")):
            assert torch.equal(there[name], here[name]), name
        else:
            assert name.startswith("optimizers/") and name not in here  # moments start anew
    assert any(not torch.equal(there[f"networks/{n}"], there[f"averages/{n}"]) for n in _keys(there, "averages/"))
    start_record = json.loads((tmp_path / "out/environment.json").read_text())["starts"][0]["warm_start"]
    assert start_record["iteration"] == 4 and start_record["matched"]["shared"] == 2
    assert start_record["sha256"] == json.loads((source / "checkpoints/iteration-0000004.json").read_text())["sha256"]


def _keys(tensors, prefix):
    return [name.removeprefix(prefix) for name in tensors if name.startswith(prefix)]


def test_it_is_not_applied_again(trained, tmp_path):
    graph, data, source = trained
    common = {"source": source, "seed": 7, "sample_every": 0}
    start(settings(graph, data, out=tmp_path / "quiet", **common))
    start(settings(graph, data, out=tmp_path / "out", iterations=2, **common))
    moved = tmp_path / "moved"
    source.rename(moved)  # nor is it needed any more
    try:
        _, said = start(settings(graph, data, out=tmp_path / "out", resume=True, **common))
    finally:
        moved.rename(source)
    assert "continued at iteration 2" in said and "matched" not in said
    assert state(tmp_path / "out") == state(tmp_path / "quiet")
    assert "warm_start" not in json.loads((tmp_path / "out/environment.json").read_text())["starts"][1]


def test_a_run_that_is_continued_starts_from_nowhere_else(trained, tmp_path):
    graph, data, source = trained
    start(settings(graph, data, out=tmp_path / "out", iterations=1, sample_every=0))
    with pytest.raises(ComposeError, match="was started without --from; continue it without --from"):
        start(settings(graph, data, out=tmp_path / "out", resume=True, source=source))


def test_killed_before_its_first_checkpoint_it_is_applied(trained, tmp_path):
    graph, data, source = trained
    given = {"source": source, "seed": 7, "sample_every": 0, "out": tmp_path / "out"}
    start(settings(graph, data, iterations=1, keep=9, **given))
    first = weights(tmp_path / "out", 0)
    for path in (tmp_path / "out/checkpoints").iterdir():
        path.unlink()
    _, said = start(settings(graph, data, iterations=1, keep=9, resume=True, **given))
    assert "tensors matched" in said
    again = weights(tmp_path / "out", 0)
    assert all(torch.equal(first[name], again[name]) for name in first)


@pytest.mark.parametrize(
    ("only", "anew", "taken"),
    [
        ("E,shared", "", {"E[a]", "E[b]", "shared"}),
        ("E[a],G", "", {"E[a]", "G[a]", "G[b]"}),
        ("", "D,G[b]", {"E[a]", "E[b]", "shared", "G[a]"}),
        ("E", "E[b]", {"E[a]"}),
    ],
)
def test_networks_are_chosen_by_name_and_by_family(trained, only, anew, taken):
    graph, _, source = trained
    program = composer.compile(graph, seed=7)
    before = {n: {k: v.clone() for k, v in m.state_dict().items()} for n, m in program.networks.items()}
    report = warm_start.start(program, warm_start.read(source), names(only), names(anew))
    assert {name for name, count in report.taken.items() if count} == taken
    there = weights(source, 4)
    for name, module in program.networks.items():
        for key, value in module.state_dict().items():
            meant = there[f"networks/{name}/{key}"] if name in taken else before[name][key]
            assert torch.equal(value, meant)
    for name, average in program.averages.items():
        for key, value in average.state_dict().items():
            meant = there[f"averages/{name}/{key}"] if name in taken else before[name][key]
            assert torch.equal(value, meant)
    (left,) = (line for line in report.lines() if "not asked for" in line)
    assert all((name in left) == (name not in taken) for name in program.networks)


def test_an_average_that_the_source_lacks_begins_as_its_network(trained, tmp_path):
    graph, data, _ = trained
    start(settings(graph, data, out=tmp_path / "plain", variants=("plain",), sample_every=0))
    program = composer.compile(graph, seed=7)
    report = warm_start.start(program, warm_start.read(tmp_path / "plain"))
    assert report.averages == ()
    for name, average in program.averages.items():
        own = program.networks[name].state_dict()
        assert all(torch.equal(value, own[key]) for key, value in average.state_dict().items())


def test_another_number_of_classes(trained, tmp_path, capsys):
    graph, data, source = trained
    words = ["run", graph, "--data", *data, "--from", str(source), "--set", "classes=3", "--iterations", "1"]
    words += ["--out", str(tmp_path / "out"), "--workers", "0", "--sample-every", "0", "--device", "cpu"]
    assert main(words) == 2
    said = capsys.readouterr().err
    assert "is 2 x 4 x 3 x 3 there and 3 x 4 x 3 x 3 here" in said
    assert not (tmp_path / "out").exists()
    offered = said.split("let these start anew: --except ")[1].split(", or")[0]
    assert main([*words, "--except", offered]) == 0
    said = capsys.readouterr().out
    assert "D (2 of 4)" in said and f"not asked for, new here: {offered}" in said


def test_what_only_one_of_the_two_has_is_said(trained):
    graph, _, source = trained
    program = composer.compile(graph)
    found = warm_start.read(source)
    there = {n.replace("networks/shared/", "networks/common/"): t for n, t in found.tensors.items()}
    del there[next(n for n in there if n.startswith("networks/D/"))]
    lines = warm_start.start(program, warm_start.Source(found.path, there, None, "")).lines()
    assert any("missing there, new here: shared, D." in line for line in lines)
    assert any("there, not in this graph: common" in line for line in lines)


@pytest.mark.parametrize(
    ("only", "anew", "words"),
    [
        ("Ee", "", "--only Ee: this graph has no such network; did you mean 'E'?"),
        ("", "share", "--except share: this graph has no such network; did you mean 'shared'?"),
        ("E[c]", "", r"--only E\[c\]: this graph has no such network; did you mean 'E\[[ab]\]'?"),
        ("D.haed", "", "--only D.haed: this graph has no such part of that network; did you mean 'D.head'"),
        ("E", "E", "nothing of '.*' is taken"),
    ],
)
def test_names_that_nothing_has_are_refused(trained, only, anew, words):
    graph, _, source = trained
    with pytest.raises(ComposeError, match=words):
        warm_start.start(composer.compile(graph), warm_start.read(source), names(only), names(anew))


def test_a_network_that_only_the_source_lacks_is_refused_when_asked_for(trained):
    graph, _, source = trained
    found = warm_start.read(source)
    there = {n: t for n, t in found.tensors.items() if not n.startswith("networks/shared/")}
    with pytest.raises(ComposeError, match=r"--only shared: '.*' has no such network; it has E\[a\], E\[b\], D, G"):
        warm_start.start(composer.compile(graph), warm_start.Source(found.path, there, 4, ""), ["shared"])


def test_sources_are_folders_and_checkpoints(trained, tmp_path):
    _, _, source = trained
    whole = warm_start.read(source)
    for path in ("checkpoints", "checkpoints/iteration-0000004.safetensors", "checkpoints/iteration-0000004.json"):
        assert warm_start.read(source / path).sha256 == whole.sha256
        assert warm_start.read(source / path).iteration == 4
    lonely = tmp_path / "weights.safetensors"
    lonely.write_bytes((source / "checkpoints/iteration-0000004.safetensors").read_bytes())
    assert warm_start.read(lonely).iteration is None
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.safetensors").write_text("no")
    for path, words in (
        (tmp_path / "empty", "has no whole checkpoint to start from"),
        (tmp_path / "none", "there is no run or checkpoint"),
        (tmp_path / "text.safetensors", "cannot be read"),
    ):
        with pytest.raises(ComposeError, match=words):
            warm_start.read(path)


def test_only_without_from_is_refused(trained, capsys):
    graph, data, _ = trained
    assert main(["run", graph, "--data", *data, "--only", "E", "--device", "cpu"]) == 2
    assert "choose among the networks of --from, and there is none" in capsys.readouterr().err


def test_lists_of_names():
    assert names("E, shared_E,G[a,b],D.head") == ["E", "shared_E", "G[a,b]", "D.head"]
