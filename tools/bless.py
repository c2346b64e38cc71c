"""Write the golden plans: `python tools/bless.py [GRAPH...]` (all bundled graphs when none is named).

tests/golden/NAME.plan is what `composer show NAME --stage plan` prints, and after a line for each variant what it
prints with that variant. Look at the difference before you commit it: a plan that changes is a method that changes.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import composer  # noqa: E402
from composer.document import bundled_graphs  # noqa: E402
from composer.listing import printed  # noqa: E402

GOLDEN = ROOT / "tests" / "golden"


def golden(name: str) -> str:
    """The plans of a bundled graph: as it is, then with each of its variants alone."""
    shaped = composer.check(name)
    found = printed(shaped, "plan")
    for variant in shaped.graph.document.variants:
        found += f"\n# --with {variant}\n" + printed(composer.check(name, variants=[variant]), "plan")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="GRAPH")
    GOLDEN.mkdir(exist_ok=True)
    for name in parser.parse_args().names or sorted(bundled_graphs()):
        path = GOLDEN / f"{name}.plan"
        text = golden(name)
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        if text != before:
            path.write_text(text, encoding="utf-8")
            print(f"{path.relative_to(ROOT)}: {'changed' if before else 'new'}")


if __name__ == "__main__":
    main()
