"""Hybrids stay short, obey their base's presets, and the page that tells how to write one is run."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

import composer
from composer.cli import main
from composer.document import bundled_graphs, load

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "hybrids.md").read_text(encoding="utf-8")
HYBRIDS = {name: path for name, path in bundled_graphs().items() if path.parent.name == "hybrids"}


def test_there_are_hybrids() -> None:
    assert {"munit_contrastive", "stargan_v2_contrastive"} <= set(HYBRIDS)


@pytest.mark.parametrize("name", sorted(HYBRIDS))
def test_a_hybrid_is_short_and_every_preset_checks(name: str) -> None:
    lines = HYBRIDS[name].read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 25 and max(map(len, lines)) <= 100
    document = load(name)
    assert document.name == name and "demo" in document.presets
    for preset in (None, *document.presets):
        graph = composer.check(name, preset=preset).graph
        assert not any("cycle" in term for phase in graph.phases for term in map(str, phase.terms))


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
