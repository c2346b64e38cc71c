"""Graphs under random edits, and graphs that nobody writes by accident: valid or a `ComposeError`, and soon.

`python tools/fuzz.py` runs more of the same.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from edits import Edit, edit, offered, sources
from fuzzing import run
from hostile import HOSTILE, graph

import composer
from composer.cli import main
from composer.limits import MOST_PROBLEMS

EDITS = 5000 if os.environ.get("COMPOSER_PROFILE") == "thorough" else 300
CONFIRMED = 0.05  # share of the edits whose blocks are run too, without data


@pytest.fixture(scope="module", autouse=True)
def everything_is_imported() -> None:
    """What is imported once is no part of the time of an edit."""
    run(Edit(0, "none", "pix2pix", sources()["pix2pix"], None), confirm=True)


@pytest.mark.parametrize("name", sorted(sources()))
def test_the_graphs_that_are_edited_are_valid(name: str) -> None:
    """As they are, and with each preset and variant that an edit may come with."""
    text = sources()[name]
    composer.check(f"{name}.yaml", text=text)
    for preset in offered(name)["preset"]:
        composer.check(f"{name}.yaml", text=text, preset=preset)
    for variant in offered(name)["variants"]:
        composer.check(f"{name}.yaml", text=text, variants=[variant])


def test_an_edited_graph_is_valid_or_refused_where_it_was_edited() -> None:
    outcomes = [run(edit(seed), random.Random(seed).random() < CONFIRMED) for seed in range(EDITS)]
    bad = [str(outcome) for outcome in outcomes if not outcome.fine]
    assert not bad, "\n".join(bad[:5])
    said = [outcome for outcome in outcomes if outcome.problems and outcome.edit.line]
    misplaced = [str(outcome) for outcome in said if not outcome.well_placed]
    print(f"{len(said)} of {EDITS} edits of one line are refused, {len(misplaced)} of them elsewhere")
    assert len(said) > EDITS / 3 and len(misplaced) <= 0.1 * len(said), "\n".join(misplaced[:5])


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_graph_is_valid_or_refused_at_once(name: str) -> None:
    text, words = HOSTILE[name]
    outcome = run(Edit(0, name, "hostile", text, None))
    assert outcome.fine, str(outcome)
    assert bool(words) == bool(outcome.problems), str(outcome)
    assert len(outcome.problems) <= MOST_PROBLEMS
    assert words in str(outcome.problems[0] if outcome.problems else ""), str(outcome)


@pytest.mark.parametrize(
    ("network", "use", "words"),
    [
        ("H: {block: residual_stack, blocks: 1000000}", "l1(H(a), b)", "has more than 5000 layers"),
        ("H: {block: style_encoder, down: 100000}", "mean_square(H(a))", "has more than 5000 layers"),
        ("H: {chain: ['repeat(900, residual())']}", "l1(H(a), b)", "has more than 5000 layers"),
        ("H: {block: unet, depth: 2, width: 1000000}", "l1(H(a), b)", "has more than 2,147,483,648 weights"),
        ("H: {chain: ['conv(3, kernel=1000001)']}", "l1(H(a), b)", "has more than 2,147,483,648 weights"),
    ],
)
def test_a_network_beyond_all_measure_is_not_built(network: str, use: str, words: str) -> None:
    outcome = run(Edit(0, "large", "large", graph(networks=network, terms=f"t: {use}"), None), confirm=True)
    assert outcome.fine and words in str(outcome.problems[0]), str(outcome)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"composer: 1\nname: \xe4\xff", "bad.yaml:2:7: the byte 0xe4 is not UTF-8; save the file as UTF-8"),
        (b"\xff\xfec\x00", "bad.yaml:1:1: a byte order mark (UTF-16)"),
        (b"extends: bad.yaml\n", "bad.yaml:1:10: a graph that extends itself: "),
        (b"a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n", "bad.yaml:1:4: the anchor &a"),
        (b"a: " + b"[" * 100_000, "more than 32 levels of nesting"),
        (b"a: " + b"{a: " * 50_000, "more than 32 levels of nesting"),
        (b"#" * 300_000, "is larger than 250 kB"),
        (b"\n".join(b"k%d: 1" % i for i in range(20_000)), "more than 10000 entries"),
        (b"", "bad.yaml:1:1: the file is empty"),
    ],
    ids=range(9),
)
def test_a_file_that_is_no_graph_is_one_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], data: bytes, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad.yaml").write_bytes(data)
    assert main(["check", "bad.yaml"]) == 2
    assert words in capsys.readouterr().err
