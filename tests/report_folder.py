"""A run's folder without a run: everything that its page shows, quickly made and known in advance."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import torch

from composer import samples
from composer.run_folder import RunFolder

GRAPH = """\
composer: 1
name: small
about: {about}
params: {{size: 8}}
index:
  s,t: [[a, b], [b, a]]
inputs:
  one[s]:
    x[s]: image(3, size, size)
networks:
  G[t]:
    chain:
      - conv(3, kernel=3, activation="tanh")
  D[t]:
    chain:
      - conv(1, kernel=3)
values:
  fake[s,t]: G[t](x[s])
phases:
  judge:
    update: D[t]
    minimize:
      real: adversarial(D[t](x[t]), "real")
      fake: adversarial(D[t](fake[s,t]), "fake")
  translate:
    update: G[t]
    minimize:
      fool: 0.5 * adversarial(D[t](fake[s,t]), "fool")
      keep: linear(10, 0, over=100) * l1(fake[s,t], x[s])
optimizers:
  default: {{adam: {{lr: 0.001}}}}
training: {{iterations: 100}}
show: x[a], fake[a,b]
"""
LINES = 60  # iterations of the log
EVERY = 20  # iterations between samples
ROWS = 3


def shade(iteration: int) -> float:
    """What the pictures of the last column show at an iteration, -1 (black) to 1 (white)."""
    return -1 + 2 * iteration / LINES


def make_folder(path: Path, *, name: str = "x[a]", about: str = "a small graph", lines: int = LINES) -> RunFolder:
    """Write a folder of `lines` iterations, continued at 40; `name` is the first column of its samples."""
    folder = RunFolder(path)
    path.mkdir(parents=True)
    folder.graph.write_text(GRAPH.format(about=json.dumps(about, ensure_ascii=False)), encoding="utf-8")
    folder.plan.write_text("phase judge\nphase translate\n", encoding="utf-8")
    folder.environment.write_text(json.dumps(environment()), encoding="utf-8")
    folder.log.write_text("".join(json.dumps(record(i)) + "\n" for i in range(lines)), encoding="utf-8")
    folder.events.mkdir()
    for when, first in ((1_700_000_001, 0), (1_700_003_601, 40)):
        (folder.events / f"events.out.tfevents.{when * 10**9:020d}.from-{first}").write_bytes(b"")
    for iteration in range(0, lines + 1, EVERY) if lines else ():
        write_sheet(folder, iteration, name)
    return folder


def write_sheet(folder: RunFolder, iteration: int, name: str) -> None:
    shown = torch.full((ROWS, 3, 8, 8), shade(iteration))
    samples.write_grid(folder.sample(iteration), {name: torch.full((ROWS, 3, 8, 8), 0.5), "fake[a,b]": shown})


def environment() -> dict[str, Any]:
    starts = [
        {
            "time": time,
            "command": ["composer", "run", "small", *more],
            "python": "3.11.7",
            "device": "cpu",
            "threads": 2,
            "packages": {"torch": "2.13.0"},
        }
        for time, more in (("2023-11-14T22:13:20+00:00", ["--seed", "7"]), ("2023-11-14T23:13:20+00:00", ["--resume"]))
    ]
    return {"composer": 1, "settings": {"graph": "small", "seed": 7, "epoch_length": 25}, "starts": starts}


def record(iteration: int, **more: Any) -> dict[str, Any]:
    """A line of the log; `judge` runs in every second iteration."""
    falling = math.exp(-iteration / 20)
    terms = {f"translate/fool[{st}]": {"loss": falling + 0.1 * (iteration % 2), "weight": 0.5} for st in ("a,b", "b,a")}
    terms |= {f"translate/keep[{st}]": {"loss": falling, "weight": 10 - iteration / 10} for st in ("a,b", "b,a")}
    totals = {"translate": 2 * falling}
    if iteration % 2:
        terms |= {f"judge/{kind}[{t}]": {"loss": 1 - falling, "weight": 1} for kind in ("real", "fake") for t in "ab"}
        totals["judge"] = 4 - 4 * falling
    line = {"iteration": iteration, "epoch": iteration // 25, "terms": terms, "totals": totals}
    return {**line, "rates": {"default": 0.001}, "seconds": 0.25, **more}
