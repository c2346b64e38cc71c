"""The plans of the bundled graphs are those in tests/golden; `python tools/bless.py` writes them anew."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from composer.document import bundled_graphs

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))

import bless


@pytest.mark.parametrize("name", sorted(bundled_graphs()))
def test_the_plan_of(name: str) -> None:
    path = bless.GOLDEN / f"{name}.plan"
    assert path.exists(), f"python tools/bless.py {name}"
    assert bless.golden(name) == path.read_text(encoding="utf-8"), f"python tools/bless.py {name}, and look at it"


def test_there_is_no_golden_plan_without_a_graph() -> None:
    assert {p.stem for p in bless.GOLDEN.glob("*.plan")} == set(bundled_graphs())
