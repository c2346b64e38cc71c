"""What the command line says of a run, and what follows from it together with the graph."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import composer
from composer.document import load
from composer.errors import ComposeError
from composer.shapes import Shaped

if TYPE_CHECKING:
    from composer.loop import Schedule
    from composer.program import Program

CHECKPOINT_EVERY = 500  # iterations


@dataclass(frozen=True)
class RunSettings:
    """What the command line says of a run. Numbers are iterations unless they say otherwise."""

    graph: str
    data: tuple[str, ...] = ()  # DIR, or a=DIR b=DIR ...; none: the built-in demo data
    direction: str | None = None
    test_data: tuple[str, ...] = ()
    split: str | None = None  # share or number of rows held out where there is no test part
    variants: tuple[str, ...] = ()
    preset: str | None = None
    settings: tuple[tuple[str, Any], ...] = ()  # dotted path and value, in order
    iterations: int | None = None  # in all, from the start
    out: Path | None = None
    resume: bool = False
    seed: int = 0
    device: str = "auto"
    workers: int | None = None
    checkpoint_every: int = CHECKPOINT_EVERY
    keep: int = 3  # checkpoints
    keep_every: int = 0
    sample_every: int | None = None
    validate_every: int = 0
    validate: tuple[str, ...] = ()  # metrics, the first one chooses the best checkpoint; none: all that are possible
    validate_as: str | None = None  # which translation is validated; None: the first one
    score: bool = True  # say how good a run on the demo data has become
    stop_after: float | None = None  # seconds of wall time
    source: Path | None = None  # a run whose weights this one starts with
    only: tuple[str, ...] = ()  # networks that it takes from there; none: all that both have
    anew: tuple[str, ...] = ()  # networks, or parts of them, that start anew all the same


def read_graph(settings: RunSettings) -> Shaped:
    """The graph with its shapes, under the preset `demo` for demo data unless another one was asked for."""
    preset = settings.preset
    if preset is None and not settings.data and "demo" in load(settings.graph).presets:
        preset = "demo"
    return composer.check(settings.graph, preset=preset, variants=settings.variants, settings=settings.settings)


def schedule_of(settings: RunSettings, program: Program) -> Schedule:
    """How long to train, and when samples are drawn."""
    training = program.training
    total = settings.iterations
    if total is None:
        total = training.iterations
    if total is None and training.epochs is not None:
        total = training.epochs * program.epoch_length
    if total is None:
        raise ComposeError("the graph does not say how long to train", remedy="give --iterations N")
    from composer.loop import Schedule

    every = settings.sample_every
    if every is None:
        every = min(1000, max(10, total // 20))
    return Schedule(total, settings.checkpoint_every, every, settings.keep, settings.keep_every)
