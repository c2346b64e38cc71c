"""Data: streams of rows from folders of pictures, as batches that depend on nothing but the seed and their number.

Reading order: fields (what a graph asks for), source, spec (what stands after --data), layouts and named (where it
lies), origins (which files), matching and tables (which belong together), binding (rows), files (their sources), split,
folders (all of it together), recipe and prepare (resize, crop, mirror), order (which rows), batch (arrays), loader,
pool and worker (tensors, ahead of time). `maps` reads label and instance maps, `python_data` rows from the user's code.
`composer.data.pictures` reads and writes single pictures; `decode` stands before the readers of formats: `arrays`
(.npy), `tiff` and `deep_png` (what Pillow cannot hold), `numbers` (any type and channels to those asked for).
`keeping` has the rows that were made.
"""

from __future__ import annotations

from composer.data.dataset import Dataset, bind
from composer.data.folders import open_data
from composer.data.source import Source
from composer.field_checks import check_streams
from composer.fields import KINDS, Field, Stream

__all__ = ["KINDS", "Dataset", "Field", "Source", "Stream", "bind", "check_streams", "open_data"]
