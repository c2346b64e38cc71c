"""Hybrids stay short, obey their base's presets, and the page that tells how to write one is run."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import torch

import composer
from composer.cli import main
from composer.document import bundled_graphs, load
from composer.program import Program
from composer.testing.batches import batches_for

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "hybrids.md").read_text(encoding="utf-8")
HYBRIDS = {name: path for name, path in bundled_graphs().items() if path.parent.name == "hybrids"}


def test_there_are_hybrids() -> None:
    assert {"munit_contrastive", "pix2pixhd_styles", "stargan_v2_contrastive", "unit_spade"} <= set(HYBRIDS)


@pytest.mark.parametrize("name", sorted(HYBRIDS))
def test_a_hybrid_is_short_and_every_preset_checks(name: str) -> None:
    lines = HYBRIDS[name].read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 25 and max(map(len, lines)) <= 100
    document = load(name)
    assert document.name == name and "demo" in document.presets
    for preset in (None, *document.presets):
        composer.check(name, preset=preset)
    for variant in document.variants:
        composer.check(name, variants=[variant])


@pytest.mark.parametrize("name", ["munit_contrastive", "stargan_v2_contrastive"])
def test_a_contrast_stands_instead_of_the_cycle(name: str) -> None:
    for preset in (None, *load(name).presets):
        terms = [str(term) for phase in composer.check(name, preset=preset).graph.phases for term in phase.terms]
        assert any("nce" in term for term in terms) and not any("cycle" in term for term in terms)


def small(name: str | Path, **params: object) -> Program:
    """The demo's graph, as small as it gets, in float64."""
    wanted = {"size": 32, "width": 4, "judge_width": 4, "encoder_width": 4, "blocks": 1, "load": 32, "hidden": 4}
    known = composer.check(name).graph.params
    settings = {f"params.{key}": value for key, value in {**wanted, **params}.items() if key in known}
    return composer.compile(name, preset="demo", settings=settings, dtype=torch.float64)


@pytest.mark.parametrize(("source", "target"), [("a", "b"), ("b", "a")])
def test_what_is_decoded_follows_the_map_of_its_source(source: str, target: str) -> None:
    program = small("unit_spade")
    names = [f"{value}[{way}]" for value in ("fake", "back") for way in ("a,b", "b,a")] + ["own[a]", "own[b]"]
    batch = batches_for(program, 1)[0][0]
    label = f"label[{source}]"
    other = {**batch, label: (batch[label] + 1) % 6}
    before, after = (program.evaluate(names, one, seed=0) for one in (batch, other))
    moved = {name for name in names if not torch.equal(before[name], after[name])}
    assert moved == {f"own[{source}]", f"fake[{source},{target}]", f"back[{source},{target}]"}
    way = f"{source}2{target}"
    assert program.translator.needs(way) == [f"x[{source}]", label]
    assert not torch.equal(program.translate(batch, as_=way), program.translate(other, as_=way))


def test_the_code_that_is_found_again_trains_the_generator_alone() -> None:
    with_it, without = small("pix2pixhd_styles"), small("pix2pixhd_styles", code_weight=0)
    for program in (with_it, without):
        result = program.step(batches_for(program, 1)[0][0])
        assert ("translate/code" in result.terms) is (program is with_it)
    for name, network in with_it.networks.items():
        rows = zip(network.state_dict().values(), without.networks[name].state_dict().values(), strict=True)
        assert all(torch.equal(one, other) for one, other in rows) is (name in ("E", "D")), name


def test_both_kinds_of_fakes_are_judged() -> None:
    program = small("pix2pixhd_styles")
    batch = batches_for(program, 1)[0][0]
    seen = program.evaluate(["sem", "fake", "free", "shown"], batch, seed=0)
    assert not torch.equal(seen["fake"], seen["free"])
    rows = [torch.cat([seen["sem"], seen[name]], 1) for name in ("fake", "free")]
    assert torch.equal(seen["shown"], torch.cat(rows))


def test_a_code_at_every_pixel_would_be_normalized_away(tmp_path: Path) -> None:
    plain = tmp_path / "plain.yaml"
    joined = "{x: 'concat(map, spread_like(z, map))'}, output: 'conv(x, width, kernel=1)'"
    change = f"change: {{networks.M: {{inputs: 'map, z', values: {joined}}}}}"
    plain.write_text(f"extends: pix2pixhd_styles\nname: plain\n{change}\n", encoding="utf-8")
    moves = []
    for name in ("pix2pixhd_styles", plain):
        program = small(name)
        batch = batches_for(program, 1)[0][0]
        one, other = (program.evaluate(["free"], batch, seed=seed)["free"] for seed in (0, 1))
        moves.append(float((one - other).abs().max()))
    assert moves[0] > 1e-3 and moves[1] < 1e-9


@pytest.mark.parametrize(("graph", "taps"), [("munit_contrastive", "[0, 9]"), ("cut", "[0, 99]")])
def test_a_layer_that_is_not_there_is_named(graph: str, taps: str) -> None:
    with pytest.raises(composer.ComposeError, match=r"there is no layer 99?; layers are numbered from 0 to \d"):
        composer.check(graph, settings={"params.taps": taps})


def test_the_page_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in re.findall(r"^```yaml (\S+)\n(.*?)^```", PAGE, re.S | re.M):
        Path(name).write_text(text, encoding="utf-8")
    commands = [line for text in re.findall(r"^```sh\n(.*?)^```", PAGE, re.S | re.M) for line in text.splitlines()]
    assert len(commands) == 8
    for command in commands:
        assert main(shlex.split(command)[1:]) == 0, command
    said = capsys.readouterr().out
    assert "structure" in said and list(Path("runs/mine/samples").iterdir()) and Path("mine.svg").stat().st_size > 1000
