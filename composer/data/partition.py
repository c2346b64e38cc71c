"""Rows by a table that says which are for training (0) and which for validation (1) and tests (2), as CelebA has it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from composer.data.decode import shown
from composer.data.files import FileSource
from composer.data.tables import read_table
from composer.errors import ComposeError

Parts = dict[str, FileSource]


def by_partition(sources: Mapping[str, FileSource], path: Path) -> tuple[Parts, Parts, list[str]]:
    """The rows to train on, the rows for tests, and a note. Rows that the table does not know are trained on."""
    table = read_table(path)
    kept: Parts = {}
    held: Parts = {}
    notes = []
    for stream, source in sources.items():
        lead = next(iter(source.columns.values()))
        names = [table.find(Path(one)) for one in lead.paths]
        out = [row for row, name in enumerate(names) if name is not None and table.rows[name][0] not in ("0", "train")]
        taken = set(out)
        rows = [row for row in range(len(names)) if row not in taken]
        if not rows:
            raise ComposeError(
                f"'{shown(path)}' leaves no row of '{stream}' for training",
                remedy="0 is training, 1 validation, 2 test; or take the table away",
            )
        kept[stream] = source.part(rows, f"{len(rows)} of {source.text}") if out else source
        if out:
            held[stream] = source.part(out, f"{len(out)} of {source.text}")
            notes.append(f"'{shown(path)}' holds out {len(out)} of {len(names)} rows of '{stream}'")
    return kept, held if len(held) == len(kept) else {}, notes
