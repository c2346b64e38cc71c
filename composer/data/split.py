"""`--split`: rows held out of training, chosen by the seed and the names of their files.

A row's place does not depend on the other rows: with a share of 0.1, adding pictures moves few of those there are.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence

from composer.data.source import Source
from composer.errors import ComposeError

FORM = "give the share of rows that is held out, e.g. 0.1, or their number, e.g. 20"


def read_share(text: str) -> float | int:
    """A share between 0 and 1, or a whole number of rows."""
    try:
        value = int(text) if text.isascii() and text.isdigit() else float(text)
    except ValueError:
        raise ComposeError(f"--split {text} is no number", remedy=FORM) from None
    if isinstance(value, int):
        if value < 1:
            raise ComposeError(f"--split {text} holds out nothing", remedy=FORM)
        return value
    if not math.isfinite(value) or not 0 < value < 1:
        raise ComposeError(f"--split {text} is not between 0 and 1", remedy=FORM)
    return value


def hold_out(
    sources: Mapping[str, Source], share: float | int, seed: int, text: str
) -> tuple[dict[str, Source], dict[str, Source], str]:
    """The rows to train on, the rows held out, by stream, and a note on how many they are.

    Rows of the same file are held out together, in all streams alike. Each domain of a label gives its part.
    """
    kept: dict[str, Source] = {}
    held: dict[str, Source] = {}
    counts = []
    for name, source in sources.items():
        keys, groups = row_keys(source), row_groups(source)
        out = choose(keys, groups, share, seed)
        if not out or len(out) == len(source):
            what = "all" if out else "none"
            raise ComposeError(
                f"--split {text} would hold out {what} of the {len(source)} rows of '{name}'", remedy=FORM
            )
        kept[name] = part_of(source, [i for i in range(len(source)) if i not in out])
        held[name] = part_of(source, sorted(out))
        counts.append(f"{len(out)} of {len(source)} rows of '{name}'")
    note = f"--split {text} holds out {', '.join(counts)}, by the seed {seed} and the names of the files"
    return kept, held, f"{note}: samples show them, training never sees them"


def choose(keys: Sequence[str], groups: Sequence[int], share: float | int, seed: int) -> set[int]:
    """The rows held out. Rows of one key go together; every group gives its part, at least one row if it has more."""
    rank = {
        key: hashlib.blake2b(f"{seed}/{key}".encode("utf-8", "surrogateescape"), digest_size=8).digest() for key in keys
    }
    total = len(keys)
    part = share if isinstance(share, float) else share / total
    found: set[int] = set()
    members: dict[int, dict[str, list[int]]] = {}
    for index, (key, group) in enumerate(zip(keys, groups, strict=True)):
        members.setdefault(group, {}).setdefault(key, []).append(index)
    exact = {group: part * sum(map(len, rows.values())) for group, rows in members.items()}
    wanted = {group: math.floor(one) for group, one in exact.items()}
    # What rounding down lost goes to the groups that lost most.
    rest = max(round(part * total), 1) - sum(wanted.values())
    for group in sorted(exact, key=lambda one: (wanted[one] - exact[one], one))[: max(0, rest)]:
        wanted[group] += 1
    for group, rows in members.items():
        taken = 0
        for key in sorted(rows, key=lambda one: (rank[one], one)):
            if taken >= wanted[group]:
                break
            found.update(rows[key])
            taken += len(rows[key])
    # One key may stand in several groups (a picture in two lists): it is on one side only.
    out = {keys[index] for index in found}
    return {index for index, key in enumerate(keys) if key in out}


def _rank(seed: int, key: str) -> bytes:
    return hashlib.blake2b(f"{seed}/{key}".encode("utf-8", "surrogateescape"), digest_size=8).digest()


def row_keys(source: Source) -> list[str]:
    """A name for each row; its number where the source has no names."""
    tell = getattr(source, "keys", None)
    return list(tell()) if tell is not None else [str(index) for index in range(len(source))]


def row_groups(source: Source) -> Sequence[int]:
    """The label of each row where it has one that is known without reading it."""
    labels = getattr(source, "labels", None)
    if isinstance(labels, Mapping) and labels:
        return list(next(iter(labels.values())))
    return [0] * len(source)


def part_of(source: Source, rows: Sequence[int]) -> Source:
    part = getattr(source, "part", None)
    if part is None:
        raise ComposeError("--split cannot divide this data", remedy="give --test-data")
    result: Source = part(rows, f"{len(rows)} of {source.describe()}")
    return result
