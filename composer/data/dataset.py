"""Data bound to a graph: a source for every stream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from composer.data.batch import BatchMaker
from composer.data.decode import listed
from composer.data.files import with_options
from composer.data.order import make_order
from composer.data.recipe import make_recipe
from composer.data.source import Source
from composer.errors import ComposeError
from composer.field_checks import check_streams
from composer.fields import Stream, shared_option

if TYPE_CHECKING:
    import torch

    from composer.data.loader import Loader


@dataclass(frozen=True)
class Dataset:
    """Sources bound to the streams of a graph. `held_out` has the test part of the folders, where they have one."""

    streams: tuple[Stream, ...]
    sources: Mapping[str, Source]
    seed: int
    notes: tuple[str, ...] = ()  # what a user should know: files left out, halves taken
    held_out: Dataset | None = None

    def describe(self) -> list[str]:
        """A line for each stream, and the notes."""
        lines = [f"{stream.name}: {self.sources[stream.name].describe()}" for stream in self.streams]
        return [*lines, *self.notes]

    def rows(self) -> dict[str, int]:
        """How many rows each stream has."""
        return {stream.name: len(self.sources[stream.name]) for stream in self.streams}

    def identity(self) -> dict[str, Any]:
        """What must be the same for a run to continue on the same rows; plain data for a checkpoint."""
        digests = {
            name: tell()
            for name, source in self.sources.items()
            if (tell := getattr(source, "identity", None)) is not None
        }
        return {"rows": self.rows(), "files": digests, "seed": self.seed}

    def loader(
        self,
        batch: int,
        *,
        workers: int = 0,
        epoch: str = "longest",
        train: bool = True,
        prefetch: int = 2,
        cache_bytes: int = 512 * 2**20,
    ) -> Loader:
        """Batches of `batch` rows, made by `workers` processes (0: in this one).

        `epoch` is the stream that sets its length: `longest`, `shortest` or a name. With `train=False` rows come in
        order, whole and never mirrored. `prefetch` batches a worker are made ahead. Resized pictures are kept in
        memory up to `cache_bytes`, once for all workers.
        """
        from composer.data.loader import Loader  # torch is needed for training only, not by the worker processes

        return Loader(
            self.maker(batch, epoch=epoch, train=train, cache_bytes=cache_bytes),
            workers=workers,
            prefetch=prefetch,
        )

    def maker(self, batch: int, *, epoch: str = "longest", train: bool = True, cache_bytes: int = 0) -> BatchMaker:
        """What makes batch k as arrays; see `loader`."""
        pairing = {stream.name: shared_option(stream, "pairing", "shuffled") for stream in self.streams}
        order = make_order(self.rows(), pairing, batch=batch, seed=self.seed, epoch=epoch, shuffled=train)
        recipes = tuple(make_recipe(stream) for stream in self.streams)
        return BatchMaker(dict(self.sources), recipes, order, train, cache_bytes)

    def examples(self, count: int) -> dict[str, torch.Tensor]:
        """The first rows of every stream as at test time, for sample grids; at most as many as the smallest has."""
        return self.loader(min(count, *self.rows().values()), train=False, cache_bytes=0).batch(0)


def bind(
    streams: Sequence[Stream],
    sources: Mapping[str, Source],
    *,
    seed: int = 0,
    notes: Sequence[str] = (),
    held_out: Mapping[str, Source] | None = None,
) -> Dataset:
    """Sources for the streams of a graph by name, as data to train on. Raises ComposeError for wrong streams."""
    check_streams(streams)
    missing = [stream.name for stream in streams if stream.name not in sources or not len(sources[stream.name])]
    if missing:
        raise ComposeError(f"no rows for {listed(missing)}")
    kept = tuple(streams)
    test = Dataset(kept, with_options(held_out, kept), seed) if held_out else None
    return Dataset(kept, with_options(sources, kept), seed, tuple(notes), test)
