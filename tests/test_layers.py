"""Layers of networks as values: contracts say their sizes, without torch, and are held against the block."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import composer
import composer.confirm
from composer.testing import check_block

ROOT = Path(__file__).parents[1]

# As a user writes them: a judge of several scales that gives its layers, and a network of stages, to be looked into.
BLOCKS = """
from typing import Annotated
from torch import nn
from torch.nn import functional
from composer.block import Range, block
from composer.blocks.layers import outputs_at

@block(
    "image[b c h:{2**(layers + scales)} w:{2**(layers + scales)}] -> "
    "(features[b {width*2**item} {h//2**(group + item + 1)} {w//2**(group + item + 1)}]*{layers}, "
    "score[b 1 {h//2**(group + layers)} {w//2**(group + layers)}])*{scales}"
)
class Judges(nn.Module):
    def __init__(self, c, *, width: int = 4, layers: int = 2, scales: int = 2):
        super().__init__()
        widths = [c, *(width * 2**n for n in range(layers))]
        self.scales = nn.ModuleList([
            nn.ModuleList([
                *(nn.Conv2d(a, b, 4, 2, 1) for a, b in zip(widths, widths[1:])), nn.Conv2d(widths[-1], 1, 1)
            ])
            for _ in range(scales)
        ])

    def forward(self, x):
        found = []
        for number, layers in enumerate(self.scales):
            y = functional.avg_pool2d(x, 2**number) if number else x
            found.append([y := layer(y) for layer in layers])
        return found

@block(
    "image[b c h:4 w:4] -> features[b {widths[-1]} h/4 w/4] where len(widths) > 0",
    entries={"seen": "image[b c h w] -> (features[b {widths[0]} h w], "
                     "features[b {widths[item + 1]} {h//2**(item + 1)} {w//2**(item + 1)}]*{COUNT}) at depths"},
)
class Stages(nn.Module):
    def __init__(self, c, *, widths: list[int]):
        super().__init__()
        inner = [nn.Conv2d(a, b, 4, 2, 1) for a, b in zip(widths, widths[1:])]
        self.stages = nn.Sequential(nn.Conv2d(c, widths[0], 3, 1, 1), *inner)

    def forward(self, x):
        return self.stages(x)

    def seen(self, x, depths):
        return outputs_at(list(self.stages), x, depths)
"""
GRAPH = """
composer: 1
name: looks
blocks: [own.py]
inputs: {rows: {x: "image(3, 16, 16)"}}
networks:
  D: {block: judges}
  V: {block: stages, widths: [2, 3, 5], frozen: true}
values:
  judged: D(x)
  v: V.seen(x, [2, 0])
phases:
  one:
    update: D
    minimize:
      last: mean_square(judged[1][2])
      inner: l1(judged[0][0], judged[0][0]) + mean_square(v[0]) * mean_square(judged[0][2])
optimizers: {default: {sgd: {lr: 0.1}}}
training: {iterations: 2, batch: 2}
"""


@pytest.fixture
def looks(tmp_path: Path) -> Path:
    (tmp_path / "own.py").write_text(BLOCKS.replace("COUNT", "len(widths) - 1"), encoding="utf-8")
    (tmp_path / "looks.yaml").write_text(GRAPH, encoding="utf-8")
    return tmp_path / "looks.yaml"


def test_blocks_of_a_user_say_the_sizes_of_their_layers(looks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(composer.confirm, "observe", None)  # nobody asks the block
    types = {str(node.text): str(found) for node, found in composer.check(looks).types.items()}
    assert types["V.seen(x, [2, 0])"] == "(features[b 5 4 4], features[b 2 16 16])"
    first = "(features[b 4 8 8], features[b 8 4 4], score[b 1 4 4])"
    assert types["D(x)"] == f"({first}, (features[b 4 4 4], features[b 8 2 2], score[b 1 2 2]))"
    composer.compile(looks)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("[2, 3]", "there is no layer 3; layers are numbered from 0 to 2"),
        ("[2, -1]", "there is no layer -1; layers are numbered from 0 to 2"),
        ("[2, 0.5]", "'depths' has 0.5, which is no whole number; write numbers of layers: depths=[0, 2]"),
        ("depths=2", "'depths' is 2, not a list of numbers of layers; write numbers of layers: depths=[0, 2]"),
        ("taps=[0]", "needs 'depths', the numbers of the layers to give; write numbers of layers: depths=[0, 2]"),
    ],
)
def test_layers_that_are_none_are_said_with_their_place(looks: Path, call: str, words: str) -> None:
    looks.write_text(GRAPH.replace("[2, 0]", call), encoding="utf-8")
    with pytest.raises(composer.ComposeError) as found:
        composer.check(looks)
    assert str(found.value).splitlines()[0].endswith(f"looks.yaml:11:6: V.seen(x, {call}): {words}")


@pytest.mark.parametrize(
    ("right", "wrong", "words"),
    [
        ("{widths[item + 1]}", "{widths[item]}", "promises [2 3 4 4] and gives [2 5 4 4]"),
        ("{h//2**(group + layers)}", "{h//2**layers}", "promises [2 1 4 2] and gives [2 1 2 2]"),
        ("]*{layers}", "]*{layers + 1}", "promises 4 parts and gives 3"),
    ],
)
def test_a_wrong_contract_is_found_when_the_graph_is_compiled(looks: Path, right: str, wrong: str, words: str) -> None:
    text = (looks.parent / "own.py").read_text(encoding="utf-8")
    assert right in text
    (looks.parent / "own.py").write_text(text.replace(right, wrong), encoding="utf-8")
    with pytest.raises(composer.ComposeError) as found:
        composer.compile(looks)
    assert words in str(found.value) and "looks.yaml" in str(found.value)


def test_what_a_contract_leaves_open_is_asked_of_the_block(looks: Path) -> None:
    text = (looks.parent / "own.py").read_text(encoding="utf-8")
    start = text.index("(features[b {widths[0]}")
    left_open = text[:start] + 'features[b ? ? ?]*"},' + text[text.index("\n)", start) :]
    (looks.parent / "own.py").write_text(left_open, encoding="utf-8")
    types = {str(node.text): str(found) for node, found in composer.check(looks).types.items()}
    assert types["V.seen(x, [2, 0])"] == "(features[b 5 4 4], features[b 2 16 16])"


def test_the_block_on_the_page_keeps_its_contract(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "language.md").read_text(encoding="utf-8")
    code = next(text for text in re.findall(r"^```python\n(.*?)^```", page, re.S | re.M) if "class Halves" in text)
    (tmp_path / "own.py").write_text(code, encoding="utf-8")
    graph = GRAPH.replace("{block: stages, widths: [2, 3, 5], frozen: true}", "{block: halves, width: 4, frozen: true}")
    graph = graph.replace("D: {block: judges}", "D: {chain: [conv(1)]}").replace("judged[1][2]", "judged")
    graph = re.sub(r"      inner:.*", "      inner: mean_square(v[0])", graph).replace("V.seen", "V.features")
    (tmp_path / "looks.yaml").write_text(graph, encoding="utf-8")
    types = {str(node.text): str(found) for node, found in composer.check(tmp_path / "looks.yaml").types.items()}
    assert types["V.features(x, [2, 0])"] == "(features[b 16 4 4], features[b 4 16 16])"
    check_block("halves", max_examples=8)


CHECKS = """
import sys
import composer
from composer.document import bundled_graphs, load
for name in bundled_graphs():
    document = load(name)
    changes = [{"preset": None}, *({"preset": one} for one in document.presets)]
    changes += [{"variants": (one,)} for one in document.variants]
    for change in changes:
        composer.check(name, **change)
        heavy = [module for module in ("torch", "numpy", "PIL", "rich") if module in sys.modules]
        if heavy:
            sys.exit(f"{name} {change} imports {heavy}")
print("nothing heavy")
"""


def test_no_check_of_a_bundled_graph_imports_torch() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", CHECKS], env=environment, capture_output=True, text=True, timeout=300)
    assert (done.stdout, done.stderr) == ("nothing heavy\n", "")
