"""A graph of a few weights with everything that a checkpoint must hold, its data, and ways to run it."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
from PIL import Image

import composer.blocks  # noqa: F401  (a run inside a test needs them as a run of the command line does)
from composer import checkpoint, log
from composer.display import Plain
from composer.run import run
from composer.run_settings import RunSettings

ROOT = Path(__file__).parent.parent

# Dropout, batch statistics, a pool, an average, a weight that changes, a phase that is left out, new batches.
TINY = """\
composer: 1
name: tiny
about: everything that a checkpoint must hold
params: {size: 8, width: 2, lr: 0.01}
inputs:
  one:
    a: image(3, size, size, load=10)
  two:
    b: image(3, size, size, load=10)
networks:
  G:
    chain:
      - conv(width, kernel=3, stride=2, norm="batch", activation="relu")
      - dropout(0.5)
      - conv_transpose(3, kernel=4, stride=2, padding=1, activation="tanh")
  D:
    chain:
      - conv(width, kernel=3, stride=2, activation="leaky_relu(0.2)")
      - conv(1, kernel=3)
values:
  noise: normal_like(a)
  fake: G(a + 0.1 * noise)
  pooled: history(fake, size=3)
phases:
  judge:
    update: D
    every: 2
    minimize:
      real: linear(2, 1, over=4) * adversarial(D(b), "real")
      fake: adversarial(D(pooled), "fake")
  translate:
    update: G
    repeat: 2
    batch: new
    minimize:
      fool: adversarial(D(fake), "fool")
      keep: 2 * l1(fake, a)
optimizers:
  default: {adam: {lr: =lr}}
averages: {G: 0.9}
training: {iterations: 8, batch: 2}
translate:
  a2b: {value: fake}
show: a, fake, b
presets:
  small: {width: 1}
"""


def make_tiny(folder: Path, text: str = TINY) -> tuple[str, tuple[str, ...]]:
    """Write the graph and two folders of pictures; returns the graph's path and what `--data` is given."""
    folder.mkdir(parents=True, exist_ok=True)
    graph = folder / "tiny.yaml"
    graph.write_text(text, encoding="utf-8")
    for name, number in (("a", 5), ("b", 7)):
        make_pictures(folder / name, name, number)
    return str(graph), (f"a={folder / 'a'}", f"b={folder / 'b'}")


def make_pictures(folder: Path, name: str, number: int, height: int = 12, width: int = 14) -> list[Path]:
    folder.mkdir(exist_ok=True)
    random = np.random.default_rng(len(name) + number)
    paths = [folder / f"{name}{i}.png" for i in range(number)]
    for path in paths:
        Image.fromarray(random.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(path)
    return paths


def settings(graph: str, data: tuple[str, ...], **more: object) -> RunSettings:
    base: dict[str, object] = {"device": "cpu", "workers": 0, "checkpoint_every": 2, "sample_every": 4}
    return RunSettings(graph, data, **{**base, **more})  # type: ignore[arg-type]


def start(given: RunSettings) -> tuple[int, str]:
    """Run in this process; returns the exit status and what was said."""
    said = io.StringIO()
    outcome = run(given, Plain(said))
    return outcome.status, said.getvalue()


def state(folder: Path) -> tuple[dict[str, bytes], dict[str, object], list[dict[str, object]]]:
    """Everything of a run that must be the same bit for bit: tensors, the rest, log lines without their times."""
    newest = checkpoint.latest(folder / "checkpoints")
    assert newest is not None
    tensors, meta = newest.load()
    raw = {name: str(t.dtype).encode() + t.contiguous().numpy().tobytes() for name, t in tensors.items()}
    lines = [{k: v for k, v in line.items() if k != "seconds"} for line in log.read(folder / "log.jsonl")]
    return raw, meta, lines


def command(*arguments: str) -> list[str]:
    """The command line as another process."""
    return [sys.executable, "-m", "composer", *arguments]
