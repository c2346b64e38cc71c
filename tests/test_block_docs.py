"""docs/blocks.md is made from the blocks and is up to date."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from composer.block import catalogue

ROOT = Path(__file__).parents[1]


def test_the_page_is_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, "tools/block_docs.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_block_is_explained_once() -> None:
    lines = (ROOT / "docs" / "blocks.md").read_text(encoding="utf-8").splitlines()
    headings = [line.removeprefix("### ") for line in lines if line.startswith("### ")]
    bundled = [b.name for b in catalogue().values() if b.module.startswith("composer.blocks.")]
    assert sorted(headings) == sorted(bundled)
    assert "Used by" in " ".join(lines)
