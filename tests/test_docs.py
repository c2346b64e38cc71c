"""Every YAML block of the documentation is a graph that checks, plans and trains one iteration."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

import composer
from composer.testing.batches import batch_for

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])


def examples() -> list[tuple[str, int, str]]:
    """Page, number on the page and text of every YAML block."""
    found = []
    for page in PAGES:
        blocks = re.findall(r"^```yaml\n(.*?)^```", page.read_text(encoding="utf-8"), re.S | re.M)
        found += [(page.name, number, text) for number, text in enumerate(blocks)]
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All examples in one folder under their names, so that one may extend another."""
    folder = tmp_path_factory.mktemp("examples")
    for _, _, text in examples():
        name = re.search(r"^name: (\w+)", text, re.M)
        assert name, f"an example without a name:\n{text}"
        (folder / f"{name.group(1)}.yaml").write_text(text, encoding="utf-8")
    return folder


def test_the_language_page_has_examples() -> None:
    assert sum(page == "language.md" for page, _, _ in examples()) >= 6


@pytest.mark.parametrize(("page", "number", "text"), examples())
def test_an_example_trains(page: str, number: int, text: str, folder: Path) -> None:
    name = re.search(r"^name: (\w+)", text, re.M)
    assert name
    program = composer.compile(folder / f"{name.group(1)}.yaml")
    batch = batch_for(program)
    for _ in range(2):
        for one in program.due_passes():
            program.run_pass(one.name, [batch])
        result = program.step([batch] * program.batches(program.iteration))
        assert result.totals and all(torch.isfinite(total) for total in result.totals.values())
