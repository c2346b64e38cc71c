"""Edit graph files at random and check them, for as long as asked.

`python tools/fuzz.py --edits 5000 --first 0 --confirm 0.05` prints how many edits were valid, refused or worse, the
slowest and the largest, and how often a problem stands where the edit was made. Exit status 1 when one is worse.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from edits import Edit, edit, sources  # noqa: E402
from fuzzing import Outcome, run  # noqa: E402

import composer.graph  # noqa: E402
import composer.shapes  # noqa: E402, F401


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--edits", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0, help="number of the first edit")
    parser.add_argument("--confirm", type=float, default=0.0, help="share of valid graphs that are also run on meta")
    parser.add_argument("--show", choices=("bad", "misplaced", "valid", "refused"), default="bad")
    given = parser.parse_args()
    name, text = next(iter(sources().items()))
    run(Edit(0, "none", name, text, None), confirm=given.confirm > 0)  # imports take their time
    outcomes = []
    for seed in range(given.first, given.first + given.edits):
        outcome = run(edit(seed), random.Random(seed).random() < given.confirm)
        outcomes.append(outcome)
        if _shown(outcome, given.show):
            print(outcome, flush=True)
    return report(outcomes)


def _shown(outcome: Outcome, what: str) -> bool:
    if not outcome.fine:
        return True
    if what == "misplaced":
        return bool(outcome.edit.line and outcome.problems and not outcome.well_placed)
    return what == ("refused" if outcome.problems else "valid")


def report(outcomes: list[Outcome]) -> int:
    refused = [o for o in outcomes if o.problems]
    bad = [o for o in outcomes if not o.fine]
    placed = [o for o in refused if o.edit.line]
    good = [o for o in placed if o.well_placed]
    valid = len(outcomes) - len(refused) - sum(bool(o.crash) for o in bad)
    print(f"{len(outcomes)} edits: {len(refused)} refused, {valid} valid, {len(bad)} bad")
    print(f"place of the first problem right in {len(good)} of {len(placed)} ({len(good) / max(1, len(placed)):.1%})")
    for kind, count in sorted(Counter(o.edit.kind for o in placed).items()):
        right = sum(o.edit.kind == kind for o in good)
        print(f"  {kind:12} {right} of {count}")
    slow = max(outcomes, key=lambda o: o.seconds)
    large = max(outcomes, key=lambda o: o.megabytes)
    print(f"slowest {slow.seconds:.2f} s (edit {slow.edit.seed})")
    print(f"largest {large.megabytes:.0f} MB (edit {large.edit.seed})")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
