"""Batch k of a run as arrays, from nothing but k. This is what a worker process runs; it needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from composer.data import dice
from composer.data.files import FileSource
from composer.data.order import Order
from composer.data.prepare import Recipe, finished, resized
from composer.data.source import Array, Source
from composer.errors import ComposeError


class BatchMaker:
    """Makes batches. Resized rows are kept until `cache_bytes` are full; a row that found no room is read each time."""

    def __init__(
        self, sources: Mapping[str, Source], recipes: tuple[Recipe, ...], order: Order, train: bool, cache_bytes: int
    ) -> None:
        self.sources = sources
        self.recipes = recipes
        self.order = order
        self.train = train
        self.cache_bytes = cache_bytes
        self._kept: dict[tuple[str, int], dict[str, Array]] = {}
        self._kept_bytes = 0

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kept": {}, "_kept_bytes": 0}

    def make(self, number: int) -> dict[str, Array]:
        """Batch `number` of the run, from 0: fields by name, images float32 [b, c, h, w], labels int64 [b]."""
        epoch, items = self.order.items(number)
        batch: dict[str, Array] = {}
        for recipe in self.recipes:
            rows = []
            for item, index in zip(items, self.order.indices(recipe.stream, number), strict=True):
                name = (self.order.seed, "augment", recipe.stream, epoch, item)
                draws = [float(u) for u in dice.uniform(3, *name)] if self.train else None
                resized_row = self._resized(recipe, index)
                try:
                    rows.append(finished(resized_row, recipe, draws))
                except ComposeError as error:
                    raise ComposeError(
                        f"{self._place(recipe.stream, index)}: {error.fact}", remedy=error.remedy
                    ) from None
            batch.update({name: np.stack([row[name] for row in rows]) for name in rows[0]})
        return batch

    def _place(self, stream: str, index: int) -> str:
        source = self.sources[stream]
        return source.files(index) if isinstance(source, FileSource) else f"row {index} of '{stream}'"

    def _resized(self, recipe: Recipe, index: int) -> dict[str, Array]:
        key = recipe.stream, index
        row = self._kept.get(key)
        if row is None:
            row = resized(self.sources[recipe.stream].row(index), recipe, train=self.train)
            size = sum(values.nbytes for values in row.values())
            if self._kept_bytes + size <= self.cache_bytes:
                # A view into a larger picture would keep all of it alive.
                self._kept[key] = row = {name: np.array(values, order="C") for name, values in row.items()}
                self._kept_bytes += size
        return row
