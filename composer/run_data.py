"""The data of a run: what trains it, what its sample grids show, and how its result is judged."""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from composer.data import Dataset
from composer.data.demo_domains import demo_styles
from composer.data.demo_score import DemoScores, demo_scores
from composer.data.folders import names_of
from composer.look import Asked, open_parts
from composer.measure.subject import content_identity
from composer.nodes import Graph
from composer.program import Program
from composer.translate_files import picture_sizes, translate_one

if TYPE_CHECKING:
    from composer.run_settings import RunSettings

SAMPLE_ROWS = 8  # rows of a sample grid at most
NO_TEST = "no test part: samples show training pictures (--split 0.1 holds some out, --test-data names others)"
MOST_WORKERS = 4  # processes that load data, unless the user asks for more


@dataclass(frozen=True)
class RunData:
    """`identity` changes when the data does. `samples`: batches whose rows every sample grid shows.

    `words` name the data on the first line of a run, `notes` are said after it. `demo`: it is the built-in demo data,
    of which the truth is known. `test`: rows that are not trained on, None where there are none. `content` is the
    identity without the seed of the run. `names`: what the numbers of labels and attributes stand for, by field.
    """

    words: str
    notes: Sequence[str]
    identity: str
    loader: Any
    workers: int
    epoch_length: int
    samples: Sequence[Mapping[str, torch.Tensor]]
    demo: bool = False
    test: Dataset | None = None
    content: str = ""
    names: Mapping[str, Sequence[str]] = field(default_factory=dict)


def prepare_data(settings: RunSettings, graph: Graph) -> RunData:
    """Open what `--data` names, or make the built-in demo data. Raises ComposeError for whatever does not fit."""
    asked = Asked(settings.data, settings.direction, settings.test_data, settings.seed, settings.split)
    opened = open_parts(asked, graph, look=True)
    notes = [] if opened.shown is not opened.dataset else [NO_TEST]
    # The demo is painted once and then kept: other processes would only take time from training.
    usual = usual_workers() if settings.data else 0
    workers = usual if settings.workers is None else settings.workers
    return _assemble(opened.words, not settings.data, opened.dataset, opened.shown, workers, graph, notes)


def score_demo(program: Program) -> DemoScores | None:
    """How well a program translates the demo's day into its night; None where it offers no such translation.

    Pictures go through it one by one, as `composer translate` does it: some methods use statistics of the batch.
    """
    styles = demo_styles(program.graph.streams)
    for name in program.translations:
        needed = program.translator.needs(name)
        if len(needed) != 1 or styles.get(needed[0]) != ("day",) or ("night",) not in styles.values():
            continue
        own, made = picture_sizes(program, name)
        if own[1:] == made[1:] == (3, own[2], own[2]):
            return demo_scores(functools.partial(_one_by_one, program, name), int(own[2]))
    return None


def _one_by_one(program: Program, name: str, images: torch.Tensor) -> torch.Tensor:
    return torch.stack([translate_one(program, image, name, 0) for image in images])


def _assemble(
    words: str, demo: bool, dataset: Dataset, shown: Dataset, workers: int, graph: Graph, notes: Sequence[str]
) -> RunData:
    batch = graph.training.batch
    loader = dataset.loader(batch, workers=workers)
    # Batches of the size the graph trains with: some methods pair the rows of a batch.
    fixed = shown.loader(batch, train=False, cache_bytes=0)
    samples = [fixed.batch(number) for number in range(max(1, min(SAMPLE_ROWS // batch, fixed.epoch_length)))]
    return RunData(
        words,
        [*dataset.describe(), *notes, *loader.notes],
        _digest(dataset),
        loader,
        workers,
        graph.training.epoch_iterations or loader.epoch_length,
        samples,
        demo,
        None if shown is dataset else shown,
        content_identity(dataset),
        {name: words for source in dataset.sources.values() for name, words in names_of(source)},
    )


def _digest(dataset: Dataset) -> str:
    """A short name for exactly these rows in this order."""
    text = json.dumps(dataset.identity(), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def usual_workers() -> int:
    """One processor is left to training."""
    return (
        min(MOST_WORKERS, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1) - 1
    )
