"""The default run learns what the demo asks for, and without its adversary it does not: `pytest tests/long`.

Minutes of training each, so plain `pytest` leaves this folder out (pyproject.toml) and `.ci/run` names it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

GRAPH = Path(__file__).parents[2] / "graphs" / "unit.yaml"


@pytest.mark.parametrize(("settings", "learns"), [((), True), (("--set", "gan_weight=0"), False)])
def test_the_default_run_passes_with_its_adversary_only(
    settings: tuple[str, ...], learns: bool, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "composer", "run", str(GRAPH), "--out", str(tmp_path / "run"), *settings]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    scores = json.loads((tmp_path / "run" / "scores.json").read_text(encoding="utf-8"))
    assert scores["passed"] is learns, done.stdout
    if learns:
        assert scores["share"] <= 0.5, done.stdout
