"""Planted slips are found, each by the quick test that is named for it; see `mutants.py` and docs/testing.md."""

from __future__ import annotations

from pathlib import Path

import pytest
from mutants import MUTANTS, Mutant, planted

TESTING = Path(__file__).resolve().parent.parent / "docs" / "testing.md"


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.name)
def test_is_killed(mutant: Mutant) -> None:
    with planted(mutant), pytest.raises(Exception):  # noqa: B017  # whatever way it fails
        mutant.killer(*mutant.given)


def test_every_mutant_is_listed_with_the_test_that_kills_it() -> None:
    listed = [line.strip() for line in TESTING.read_text(encoding="utf-8").splitlines()]
    for mutant in MUTANTS:
        assert f"| {mutant.name} | `{mutant.killer.__module__}.py`: {words(mutant.killer.__name__)} |" in listed


def words(name: str) -> str:
    return name.removeprefix("test_").replace("_", " ")
