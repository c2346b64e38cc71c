"""The data of a run: what trains it, what its sample grids show, and how its result is judged."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from composer.data import Dataset, open_data
from composer.nodes import Graph

if TYPE_CHECKING:
    from composer.run import RunSettings

SAMPLE_ROWS = 8  # rows of a sample grid at most
MOST_WORKERS = 4  # processes that load data, unless the user asks for more


@dataclass(frozen=True)
class RunData:
    """`identity` changes when the data does. `samples`: batches whose rows every sample grid shows.

    `words` name the data on the first line of a run, `notes` are said after it. `score(program)` says how good the
    trained program is, where the truth is known.
    """

    words: str
    notes: Sequence[str]
    identity: str
    loader: Any
    workers: int
    epoch_length: int
    samples: Sequence[Mapping[str, torch.Tensor]]
    score: Callable[[Any], Sequence[str]]


def prepare_data(settings: RunSettings, graph: Graph) -> RunData:
    """Open what `--data` names, or make the built-in demo data. Raises ComposeError for whatever does not fit."""
    if not settings.data:
        return _demo(settings, graph)
    streams, direction = graph.streams, settings.direction or "a2b"
    dataset = open_data(settings.data, streams, direction=direction, seed=settings.seed)
    shown = dataset.held_out or dataset
    if settings.test_data:
        shown = open_data(settings.test_data, streams, direction=direction, seed=settings.seed)
    workers = _workers() if settings.workers is None else settings.workers
    words = " ".join(settings.data)
    return _assemble(words, dataset.describe(), dataset, shown, workers, graph, lambda _: ())


def _assemble(
    words: str,
    notes: Sequence[str],
    dataset: Dataset,
    shown: Dataset,
    workers: int,
    graph: Graph,
    score: Callable[[Any], Sequence[str]],
) -> RunData:
    batch = graph.training.batch
    loader = dataset.loader(batch, workers=workers)
    # Batches of the size the graph trains with: some methods pair the rows of a batch.
    fixed = shown.loader(batch, train=False, cache_bytes=0)
    samples = [fixed.batch(number) for number in range(max(1, min(SAMPLE_ROWS // batch, fixed.epoch_length)))]
    return RunData(
        words,
        [*notes, *loader.notes],
        _digest(dataset),
        loader,
        workers,
        graph.training.epoch_iterations or loader.epoch_length,
        samples,
        score,
    )


def _digest(dataset: Dataset) -> str:
    """A short name for exactly these rows in this order."""
    text = json.dumps(dataset.identity(), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _workers() -> int:
    """One processor is left to training."""
    return min(MOST_WORKERS, (os.process_cpu_count() if hasattr(os, "process_cpu_count") else os.cpu_count() or 1) - 1)
