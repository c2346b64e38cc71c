"""Write docs/blocks.md: every block of the catalogue, what it takes and gives, and which bundled graphs use it.

    python tools/block_docs.py            write it
    python tools/block_docs.py --check    exit 1 when it is out of date

The page is made from what the Python of every block says of itself, through `schemas/catalogue.json`: run
`python tools/schema.py` first.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # the composer of this checkout, installed or not

import composer  # noqa: E402
from composer.block import Block, catalogue  # noqa: E402
from composer.shapes import Bound, Shaped  # noqa: E402
from composer.sources import bundled_graphs  # noqa: E402
from composer.tables import facts_about, values_of  # noqa: E402
from composer.tree import plain  # noqa: E402
from composer.yaml_reader import read_yaml  # noqa: E402

PAGE = ROOT / "docs" / "blocks.md"
WIDTH = 100  # of contracts
HEAD = """# Blocks

Made by `python tools/block_docs.py` from the blocks themselves: change their docstrings, not this page.
`composer blocks` lists them in a terminal, and `composer blocks NAME` explains one.

A contract says what a block takes and gives: a kind of value, and its axes in brackets. Axes with one name are equal,
`b` is the rows of the batch. `{...}` is worked out from settings and axes, `h:8` is a multiple of 8, `h/4` a quarter
(and `h` can be divided by 4), `?` promises nothing, `...` is any further axes. Behind a kind, `?` means it may be left
out, `+` one or more, `*` a list and `*{n}` a list of n, in whose axes `item` is the number of an item from 0. Lists in
parentheses, one behind the other, are one list; `(...)*{n}` is n of them, in whose axes `group` is the number of the
list. Of a list with `at taps` behind it those items come out whose numbers the setting `taps` lists. Behind `where`
stands what must hold. A block that owns weights is declared under `networks` or is a layer of a chain; everything
else is called where values are made. Settings are given by name.

Every block is held to its contract on random settings and sizes, and every loss to the laws it declares
(`composer/testing/contracts/`). A block of yours is held to the same by one line of a test:
`from composer.testing import check_block; check_block("my_block")`.

"""


def page() -> str:
    """The whole text."""
    known = catalogue()
    modules: dict[str, list[Block]] = {}
    for block in sorted(known.values(), key=lambda block: block.name):
        if block.module.startswith("composer.blocks."):
            modules.setdefault(block.module.rpartition(".")[2], []).append(block)
    uses = users()
    contents = [
        f"- [{name}](#{name}): {', '.join(f'[{b.name}](#{anchor(b.name)})' for b in found)}"
        for name, found in sorted(modules.items())
    ]
    parts = [HEAD + "\n".join(contents)]
    for name, found in sorted(modules.items()):
        parts.append(f"## {name}\n\n{prose(module_doc(name))}")
        parts += [section(block, uses.get(block.name, [])) for block in found]
    return "\n\n".join(parts) + "\n"


def section(block: Block, graphs: list[str]) -> str:
    """One block."""
    contracts = [block.signature, *(f".{name}: {text}" for name, text in block.entries.items())]
    parts = [f"### {block.name}", "```text\n" + "\n".join(map(wrapped, contracts)) + "\n```", prose(block.doc)]
    if block.settings:
        rows = [f"| `{s.name}` | {values_of(s).replace(' | ', ', ')} |" for s in block.settings]
        parts.append("\n".join(["| setting | values |", "|---|---|", *rows]))
    notes = [f"{fact[0].upper()}{fact[1:]}." for fact in facts_about(block)]
    if graphs:
        notes.append(f"Used by {', '.join(graphs)}.")
    if notes:
        parts.append(prose(" ".join(notes)))
    return "\n\n".join(parts)


def wrapped(contract: str) -> str:
    """A contract on lines of a readable length, broken before an input, an output or a condition."""
    if len(contract) <= WIDTH:
        return contract
    text = contract.replace(" -> ", "\n    -> ").replace(" where ", "\n    where ")
    if "-> (" in text:
        return re.sub(r", (?=\(?\w+\[)", ",\n       ", text)
    return re.sub(r" (?=\{)", "\n       ", text)


def prose(text: str) -> str:
    """Text of a docstring as Markdown: stars outside of code are stars."""
    pieces = re.split(r"(`[^`]*`)", text)
    return "".join(p if p.startswith("`") else p.replace("*", r"\*").replace("<", r"\<") for p in pieces)


def anchor(name: str) -> str:
    return name.lower()


def module_doc(name: str) -> str:
    tree = ast.parse((ROOT / "blocks" / f"{name}.py").read_text(encoding="utf-8"))
    return ast.get_docstring(tree) or ""


# -- which graphs use a block -----------------------------------------------------------------------------------


def users() -> dict[str, list[str]]:
    """The names of bundled graphs by block; one that only a variant uses is named with the variant."""
    found: dict[str, list[str]] = {}
    for name, path in sorted(bundled_graphs().items()):
        own = used_blocks(composer.check(path))
        for block in own:
            found.setdefault(block, []).append(name)
        tree: Any = plain(read_yaml(path.read_text(encoding="utf-8"), str(path)))
        for variant in tree.get("variants") or {}:
            for block in used_blocks(composer.check(path, variants=[variant])) - own:
                found.setdefault(block, []).append(f"{name} (with {variant})")
    return found


def used_blocks(shaped: Shaped) -> set[str]:
    """The blocks that a graph's values, networks and layers name."""
    found = {node.target for node in shaped.types if node.op in ("apply", "draw", "state", "collect")}
    for network in shaped.graph.networks.values():
        if network.wiring is None:
            found.add(network.block)
            continue
        found |= {layer.block for layer in network.wiring.layers.values()}
        found |= {n.target for n in inner_nodes(shaped.bound[network.name]) if n.op == "apply"}
    return found


def inner_nodes(bound: Bound) -> Iterator[Any]:
    yield from bound.types
    for layer in bound.layers.values():
        yield from inner_nodes(layer)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="write docs/blocks.md")
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 when the page is out of date")
    options = parser.parse_args(arguments)
    text = page()
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == text:
        return 0
    if options.check:
        print("docs/blocks.md is out of date: run python tools/block_docs.py")
        return 1
    PAGE.write_text(text, encoding="utf-8")
    print("wrote docs/blocks.md")
    return 0


if __name__ == "__main__":
    sys.exit(main())
