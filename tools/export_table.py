"""The table of docs/export.md: every translation of every bundled graph, exported and compared with its program.

    python tools/export_table.py [GRAPH ...]

Exit status 1 when a file differs from its program, or a translation is refused that has no dropout to be refused for.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # from a checkout that is not installed

import torch
from PIL import Image

import composer
from composer.data.demo_paint import STYLES, paint
from composer.data.demo_scenes import make_scene
from composer.document import bundled_graphs
from composer.errors import ComposeError
from composer.export.check import Difference, Subject, compare
from composer.export.contract import Contract, make_contract
from composer.export.formats import SUFFIXES, export_bytes, open_model
from composer.export.settle import masking, without_dropout

HEAD = "| graph | translation | mode | sizes inside | inputs | ONNX, MB | difference | .pt2, MB | difference |"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("graphs", nargs="*", default=sorted(bundled_graphs()))
    torch.set_num_threads(1)
    print(HEAD + "\n" + "|---" * (HEAD.count("|") - 1) + "|")
    good = True
    for graph in parser.parse_args().graphs:
        program = make(graph)
        for name, chosen in program.translations.items():
            try:
                good &= row(program, name, chosen.mode)
            except ComposeError as error:
                good &= masking([*program.networks.values()]) and "dropout" in error.fact
                print(f"| {graph} | {name} | {chosen.mode} | refused: keeps dropout on " + "| " * 5 + "|")
                program = make(graph)
                without_dropout([*program.networks.values(), *program.averages.values()])
                good &= row(program, name, chosen.mode, " --no-dropout")
                program = make(graph)
    return 0 if good else 1


def make(graph: str) -> Any:
    """The program of a bundled graph at the size of its demo, with weights that give more than gray."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # networks without their pretrained weights
        program = composer.compile(graph, preset="demo")
    with torch.no_grad():
        for network in [*program.networks.values(), *program.averages.values()]:
            for weight in network.parameters():
                weight.mul_(3 if weight.dim() > 1 else 1)
    return program


def row(program: Any, name: str, mode: str, note: str = "") -> bool:
    """Print one line; whether both files agree with the program."""
    chosen = program.translations[name]
    wrapped, contract = make_contract(program, chosen, mode, unit=False, size=None)
    subject = Subject(program, chosen, mode, wrapped, contract)
    found = [written(subject, suffix) for suffix in SUFFIXES]
    cells = [f"{size / 1e6:.2f} | {difference.numbers:.1e}" for size, difference in found]
    inputs = ", ".join(port.name for port in contract.inputs)
    print(
        f"| {program.graph.name} | {name}{note} | {mode} | {sizes(contract)} | {inputs} | {' | '.join(cells)} |",
        flush=True,
    )
    return all(difference.passes for _, difference in found)


def written(subject: Subject, suffix: str) -> tuple[int, Difference]:
    style = next(iter(STYLES))
    pictures = [Image.fromarray(paint(make_scene(0, "test", i), 128, style)) for i in range(2)]
    facts = {"composer": composer.__version__, "graph": subject.program.graph.name, "about": ""}
    content = export_bytes(subject.wrapped, subject.contract, facts, suffix, subject.chosen.name)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"model{suffix}"
        path.write_bytes(content)
        return len(content), compare(subject, open_model(path), pictures)


def sizes(contract: Contract) -> str:
    return str(contract.steps[0]) if contract.size is None else f"{contract.size[0]} x {contract.size[1]} only"


if __name__ == "__main__":
    sys.exit(main())
