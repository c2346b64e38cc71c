"""Write docs/gallery.md, with a drawing of each graph: `python tools/gallery.py [--check]`.

Numbers come from docs/learned.json and pictures of translations from docs/pictures/learned; tools/learn.py writes both.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import learn

import composer

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "gallery.md"
DRAWINGS = ROOT / "docs" / "pictures" / "drawings"
TRANSLATIONS = ROOT / "docs" / "pictures" / "learned"
# By what the graphs are given: the columns of what they have to beat, by their names in docs/learned.json.
TABLES = {
    "Pictures": {"colour_map": "colours", "random": "random", "identity": "identity", "untrained": "untrained"},
    "Label maps": {"flat": "flat", "random": "random", "untrained": "untrained"},
    "Noise": {"colour_map": "colours", "mixed": "mixed", "mean": "mean", "untrained": "untrained"},
}
INTRODUCTION = """# Gallery: every bundled graph, and what it learns of the demo

Each graph was trained on the built-in demo data by the command beside it, with nothing else set, on a CPU. Scenes of
the test part were never seen in training; no method was told which pictures belong together, except those for pairs.
Written by `python tools/learn.py --json docs/learned.json --pictures docs/pictures/learned` and
`python tools/gallery.py`; `.ci/run` trains one of them again.

**Domain accuracy**: the share of translations that a judge takes for the wanted style, by colours and textures. The
judge knows recoloured pictures as a class of their own. **Content IoU**: what is read as an object in the style's
palette, against what stands there. The product of both is what a method must do better than every trick: to leave the
picture as it is, to show any picture of the target (random), to map its colours, or not to be trained; where a label
map is given, to paint each class in its mean colour (flat). **Diversity**: the mean difference between translations of
a picture in different styles, over that of the true styles; half is asked for. Images from noise show no given scene:
their IoU is that with the most alike of 256 training scenes, their diversity the difference between one and the next
over that of real pictures; they have to beat two real pictures mixed, the mean picture, and another style recoloured.
Numbers are means over the translations of a graph, 64 scenes each; `tools/learn_score.py` says how they are computed.

The demo presets were tuned on seed 0, with scenes of the same test part, so seed 0 is not a fresh trial. Of
`spectral_regularization` nine settings were tried there and the best is shown, its variant `local`; the graph as it is
had 0.49 (24 scenes, seed 0 alone), just above two real pictures mixed. Rows of one seed say nothing of the others:
`munit_contrastive` had 0.55 and 0.35 on seeds 1 and 2 (24 scenes), the second no better than a random picture.
"""


def page(rows: Sequence[Mapping[str, Any]]) -> str:
    """The text of docs/gallery.md."""
    parts = [INTRODUCTION, *table(rows)]
    for name in learn.experiments():
        parts += section(name, [row for row in rows if row["name"] == name])
    return "\n".join(parts) + "\n"


def table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Of each kind of graphs a table."""
    lines = []
    for given, controls in TABLES.items():
        own = [row for row in rows if kind(row) == given]
        head = ["graph", "seed", "accuracy", "IoU", "product", *controls.values(), "diversity", "steps"]
        lines += [f"From {given[0].lower()}{given[1:]}:", "", f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
        for row in own:
            method = row["method"]
            cells = [row["name"] + ("" if row["learned"] else " (not learned)"), str(row["seed"])]
            cells += [f"{method['accuracy']:.2f}", f"{method['iou']:.2f}", f"**{method['product']:.2f}**"]
            cells += [f"{row[control]['product']:.2f}" for control in controls]
            cells += [f"{method['diversity']:.2f}" if "diversity" in method else "", str(row["iterations"])]
            lines.append(f"| {' | '.join(cells)} |")
        lines.append("")
    return lines


def kind(row: Mapping[str, Any]) -> str:
    """The table that a row belongs to: the first whose columns it has."""
    return next(given for given, controls in TABLES.items() if all(control in row for control in controls))


def section(name: str, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """A graph: what it is, its command, its translations, its drawing."""
    graph = composer.check(name, preset="demo").graph
    lines = [f"## {name}", "", f"{graph.about}.", ""]
    if rows:
        first = rows[0]
        true = first["truth"]["product"]
        seconds = round(first["seconds"] / 10) * 10
        lines += [
            f"`{first['command']}`: {first['iterations']} iterations in about {seconds} s on one thread of a busy "
            f"machine. The true pictures would reach {true:.2f}.",
            "",
        ]
    if (TRANSLATIONS / f"{name}.png").exists():
        lines += [f"![{name}: unseen scenes and their translations](pictures/learned/{name}.png)", ""]
    return [*lines, f"![the graph of {name}](pictures/drawings/{name}.svg)", ""]


def draw(name: str) -> None:
    DRAWINGS.mkdir(parents=True, exist_ok=True)
    target = DRAWINGS / f"{name}.svg"
    target.unlink(missing_ok=True)
    command = [sys.executable, "-m", "composer", "draw", name, "--preset", "demo", "-o", str(target)]
    subprocess.run(command, check=True, capture_output=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare the text, write nothing")
    arguments = parser.parse_args()
    rows = json.loads((ROOT / "docs" / "learned.json").read_text(encoding="utf-8"))
    text = page(rows)
    if arguments.check:
        if PAGE.read_text(encoding="utf-8") != text:
            sys.exit("docs/gallery.md differs from docs/learned.json: run tools/gallery.py")
        return
    PAGE.write_text(text, encoding="utf-8")
    for name in learn.experiments():
        draw(name)


if __name__ == "__main__":
    main()
