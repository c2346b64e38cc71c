"""Everything that a change must pass, in one command: `python tools/check.py` (`--fix` formats first)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
STEPS = (
    ("lint", ["ruff", "check", "."]),
    ("format", ["ruff", "format", "--check", "."]),
    ("types", ["mypy"]),
    ("schema", ["tools/schema.py", "--check"]),
    ("block pages", ["tools/block_docs.py", "--check"]),
    ("tests", ["pytest", "-q", "-x"]),
)


def main() -> int:
    """Run every step, say which failed, and give the number of failures as the exit status."""
    if "--fix" in sys.argv[1:]:
        for command in (["ruff", "check", "--fix", "."], ["ruff", "format", "."]):
            subprocess.run([sys.executable, "-m", *command], cwd=ROOT)
    failed = []
    for name, command in STEPS:
        print(f"== {name}", flush=True)
        runner = [sys.executable, *command] if command[0].endswith(".py") else [sys.executable, "-m", *command]
        if subprocess.run(runner, cwd=ROOT).returncode:
            failed.append(name)
    print("all passed" if not failed else f"failed: {', '.join(failed)}")
    return len(failed)


if __name__ == "__main__":
    sys.exit(main())
