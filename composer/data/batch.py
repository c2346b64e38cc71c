"""Batch k of a run as arrays, from nothing but k. This is what a worker process runs; it needs no torch."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from composer.data import dice
from composer.data.keeping import Keeper, OwnKeeper
from composer.data.order import Order
from composer.data.prepare import finished, resized
from composer.data.recipe import Another, Recipe
from composer.data.source import Array, Source, labels_of, place_of
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
        self._labels: dict[tuple[str, str], npt.NDArray[np.int64]] = {}  # by stream and label, where asked for
        self.keeper: Keeper = OwnKeeper(cache_bytes)

    def with_keeper(self, keeper: Keeper) -> BatchMaker:
        """The same, with resized rows kept by another one."""
        made = copy.copy(self)
        made.keeper = keeper
        return made

    def make(self, number: int) -> dict[str, Array]:
        """Batch `number` of the run, from 0: fields by name, images float32 [b, c, h, w], labels int64 [b]."""
        epoch, items = self.order.items(number)
        batch: dict[str, Array] = {}
        for recipe in self.recipes:
            rows = []
            for item, index in zip(items, self.order.indices(recipe.stream, number), strict=True):
                row = self._finished(recipe, index, self._draws(recipe.stream, epoch, item))
                for other in recipe.others:
                    partner = self._partner(recipe.stream, other, index, epoch)
                    draws = self._draws(recipe.stream, epoch, item, other.picture.name)
                    row[other.picture.name] = self._another(recipe, other, partner, draws)
                rows.append(row)
            batch.update({name: together([row[name] for row in rows]) for name in rows[0]})
        return batch

    def _draws(self, stream: str, epoch: int, item: int, *more: str) -> list[float] | None:
        """Numbers for mirror and crop; none at test time."""
        if not self.train:
            return None
        return [float(u) for u in dice.uniform(3, self.order.seed, "augment", stream, epoch, item, *more)]

    def _finished(self, recipe: Recipe, index: int, draws: list[float] | None) -> dict[str, Array]:
        resized_row = self._resized(recipe, index)
        try:
            return finished(resized_row, recipe, draws)
        except ComposeError as error:
            raise ComposeError(f"{self._place(recipe.stream, index)}: {error.fact}", remedy=error.remedy) from None

    def _partner(self, stream: str, other: Another, index: int, epoch: int) -> int:
        """The row that shows the same label as row `index`, another one where there is one."""
        key = stream, other.label
        if key not in self._labels:
            self._labels[key] = labels_of(self.sources[stream], other.label)
        return self.order.another(stream, other.picture.name, index, epoch, self._labels[key])

    def _another(self, recipe: Recipe, other: Another, index: int, draws: list[float] | None) -> Array:
        """The picture of row `index` under the name of the field that shows it; its crop is its own."""
        like = next(one for one in recipe.pictures if one.name == other.of)
        alone = replace(recipe, pictures=(other.picture,), labels=(), maps=(), vectors=(), others=())
        if replace(like, name=other.picture.name) == other.picture:
            row = {other.picture.name: self._resized(recipe, index)[other.of]}
        else:
            row = resized(
                {other.picture.name: self.sources[recipe.stream].row(index)[other.of]}, alone, train=self.train
            )
        return finished(row, alone, draws)[other.picture.name]

    def _place(self, stream: str, index: int) -> str:
        return place_of(self.sources[stream], stream, index)

    def _resized(self, recipe: Recipe, index: int) -> dict[str, Array]:
        key = recipe.stream, index
        row = self.keeper.get(key)
        if row is None:
            row = resized(self.sources[recipe.stream].row(index), recipe, train=self.train)
            row = self.keeper.put(key, row)
        return row


def together(rows: Sequence[Array]) -> Array:
    """Rows as one array [b, ...]; a single one is not copied."""
    return rows[0][None] if len(rows) == 1 else np.stack(rows)
