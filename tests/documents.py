"""Graph texts for tests of the front end, and short ways to read them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from composer.block import Block, Setting
from composer.document import Document, bundled_graphs, load
from composer.errors import ComposeError
from composer.schema import validate

SMALL = """\
composer: 1
name: small
params:
  width: 64
  weight: 10
  taps: [1, 2]
  cycle[a]: 5
index:
  s,t: [[a, b], [b, a]]
inputs:
  pair:
    a: image(3, 64, 64)
    b: image(3, 64, 64)
networks:
  G: {block: painter, out: 3, width: =width, norm: batch, init: normal(0.02)}
  D[s,t]: {block: judge, layers: 2}
values:
  fake[s,t]: G(a)
  mu[s], logvar[s]: G(b)
  score: D[a,b](fake[a,b])
phases:
  judge:
    update: D[s,t]
    minimize:
      fake: adversarial(score, "fake")
  translate:
    update: G
    minimize:
      fool: adversarial(score, "fool")
      l1[same]: weight * l1(fake[a,b], b)
optimizers:
  default: {adam: {lr: 2e-4, betas: [0.5, 0.999]}}
training: {epochs: 2, batch: 1}
translate:
  a2b: {value: "fake[a,b]", mode: train}
show: a, b
variants:
  plain:
    change: {values.score: D(b)}
    drop: ["phases.translate.minimize.l1[same]"]
presets:
  demo: {width: 8}
"""

PAINTER = Block(
    name="painter",
    role="module",
    signature="image[b c h w] -> image[b {out} h w]",
    module="fake",
    qualname="Painter",
    axes=("c",),
    settings=(
        Setting("out", "int", required=True, low=1),
        Setting("width", "int", default=64, low=1, high=4096),
        Setting("norm", "str", default="batch", choices=("batch", "instance", "none")),
        Setting("dropout", "float", default=0.0, low=0, high=1),
        Setting("taps", "list", default=[]),
        Setting("bias", "bool", default=True),
        Setting("limit", "int", default=None, low=1, optional=True),
        Setting("pad", "str", default="zero"),
        Setting("extra", "any", default=None),
    ),
    doc="Paint.",
)
JUDGE = Block(
    name="judge",
    role="module",
    signature="image[b c h w] -> score[b 1 ? ?]",
    module="fake",
    qualname="Judge",
    axes=("c",),
    settings=(Setting("layers", "int", default=3, low=1),),
)
LOSS = Block("nearness", "loss", "got[...], wanted[...] -> loss[]", "fake", "nearness")
BLOCKS = {block.name: block for block in (PAINTER, JUDGE, LOSS)}


def bundled() -> list[str]:
    return sorted(bundled_graphs())


def read(text: str, **options: Any) -> Document:
    return load("f.yaml", text=text, **options)


def refused(text: str, **options: Any) -> str:
    """The words in which `text` is refused."""
    with pytest.raises(ComposeError) as caught:
        read(text, **options)
    assert caught.value.exit_status == 2
    return str(caught.value)


def problems(text: str, **options: Any) -> list[str]:
    """The first lines of what `validate` says of a text."""
    return [str(problem).splitlines()[0] for problem in validate(read(text, **options))]


def files(folder: Path, **texts: str) -> dict[str, Path]:
    """Write graph files, `name="text"`, and give their paths."""
    found = {}
    for name, text in texts.items():
        found[name] = folder / f"{name}.yaml"
        found[name].write_text(text, encoding="utf-8")
    return found
