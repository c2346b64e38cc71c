"""Which files belong to one row: those of the same name, whatever their suffix, or what remains of the names.

Names are compared whole first. Only where nothing fits, the endings are taken off that people give the parts of a
row (`street_leftImg8bit.png` and `street_gtFine_labelIds.png`, `1_A.jpg` and `1_B.jpg`), and a note says so.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from composer.data.decode import listed, shown
from composer.errors import ComposeError
from composer.fields import Field, short_name

Rows = dict[str, list[Path]]

# Endings by what a field is; longer ones are tried first.
ENDINGS: Mapping[str, Sequence[str]] = {
    "image": (
        "leftImg8bit rightImg8bit gtFine_color gtCoarse_color image images img photo rgb colour color "
        "input output source target real left right edges sketch A B C D"
    ).split(),
    "label_map": (
        "gtFine_labelIds gtFine_labelTrainIds gtCoarse_labelIds gtCoarse_labelTrainIds labelIds labelTrainIds "
        "labels label classes class semantic semantics segmentation seg annotation mask gt"
    ).split(),
    "ids": "gtFine_instanceIds gtCoarse_instanceIds instanceIds instances instance inst ids panoptic".split(),
}
SEPARATORS = "_-. "


def match_rows(columns: Sequence[tuple[Field, Sequence[Path]]], stream: str) -> tuple[Rows, list[str]]:
    """The files of each row, sorted by name: a list for each field; and notes on what was taken off or left out.

    Raises ComposeError when nothing matches, or a folder has two files of one name.
    """
    plain = {column.name: _by_key(paths, {}) for column, paths in columns}
    if set.intersection(*map(set, plain.values())):
        return _kept(plain, [])
    stripped, words = {}, []
    for column, paths in columns:
        ending = _ending(column, paths)
        own = [path for path in paths if _without(path.stem, ending) is not None] if ending else list(paths)
        stripped[column.name] = _by_key(
            own, {path: _without(path.stem, ending) or "" for path in own} if ending else {}
        )
        if ending:
            foreign = f", {len(paths) - len(own)} files without it left out" if len(own) < len(paths) else ""
            words.append(f"'{ending}' of {column.name}{foreign}")
    if set.intersection(*map(set, stripped.values())):
        return _kept(stripped, [f"rows are matched by file names without {' and '.join(words)}"])
    shown_stems = ", ".join(f"{name} has {listed(list(stems)[:3], 3)}" for name, stems in plain.items())
    raise ComposeError(
        f"'{stream}' needs pairs, and no file of {' and '.join(plain)} has the same name: {shown_stems}",
        remedy="give the two pictures of a pair the same file name, or choose a graph for unpaired pictures",
    )


def match_lines(columns: Sequence[tuple[Field, Sequence[Path]]], stream: str) -> Rows:
    """Rows of lists: line by line. Raises ComposeError when they are not equally long."""
    if len({len(paths) for _, paths in columns}) > 1:
        counts = ", ".join(f"{column.name} {len(paths)}" for column, paths in columns)
        raise ComposeError(
            f"the lists of '{stream}' are not equally long: {counts}", remedy="line i of each list is row i"
        )
    return {column.name: list(paths) for column, paths in columns}


def keys_of(paths: Iterable[Path]) -> list[str]:
    """A name for each file that does not change when others come or go: the stem, with its folder where stems repeat.

    The same letters may be encoded in two ways on different systems, so they are normalised.
    """
    paths = list(paths)
    stems = [unicodedata.normalize("NFC", path.stem) for path in paths]
    parents = {path.parent for path in paths}
    if len(parents) < 2 or len(set(stems)) == len(stems):
        return stems
    root = os.path.commonpath([os.path.abspath(parent) for parent in parents])
    inner = (Path(os.path.relpath(os.path.abspath(path.parent), root)).as_posix() for path in paths)
    return [unicodedata.normalize("NFC", f"{folder}/{stem}") for folder, stem in zip(inner, stems, strict=True)]


def _by_key(paths: Sequence[Path], stems: Mapping[Path, str]) -> dict[str, Path]:
    """Files by name. `stems` replaces the stem of some."""
    renamed = [path.with_name(f"{stems[path]}{path.suffix}") if stems.get(path) else path for path in paths]
    found: dict[str, Path] = {}
    for key, path in zip(keys_of(renamed), paths, strict=True):
        if key in found:
            fact = f"'{shown(path.parent)}' has both {shown(found[key].name)} and {shown(path.name)}"
            raise ComposeError(fact, remedy="pairs are found by the name without suffix: keep one of the two")
        found[key] = path
    return found


def _kept(by_key: Mapping[str, Mapping[str, Path]], notes: list[str]) -> tuple[Rows, list[str]]:
    common = sorted(set.intersection(*map(set, by_key.values())))
    kept = set(common)
    for name, keys in by_key.items():
        alone = [path.name for key, path in keys.items() if key not in kept]
        if alone:
            lacking = [other for other, theirs in by_key.items() if other != name and set(keys) - set(theirs)]
            count = f"{len(alone)} of {len(keys)} files of {name} are left out"
            notes.append(f"{count}, because {' and '.join(lacking)} has none of that name: {listed(alone, 5)}")
    return {name: [keys[key] for key in common] for name, keys in by_key.items()}, notes


def _ending(column: Field, paths: Sequence[Path]) -> str:
    """The ending or beginning, with its separator, that files of this field have: the one that most of them have."""
    tokens = [short_name(column.name), column.name, *ENDINGS[column.kind]]
    counts: dict[str, int] = {}
    for token in dict.fromkeys(tokens):
        for separator in SEPARATORS:
            for ending in (separator + token, token + separator):
                counts[ending] = sum(_without(path.stem, ending) is not None for path in paths)
    best = max(counts, key=lambda ending: (counts[ending], len(ending)))
    return best if counts[best] else ""


def _without(stem: str, ending: str) -> str | None:
    """The stem without an ending (`_label`) or a beginning (`label_`) in any case; None where it has not got it."""
    folded, part = stem.casefold(), ending.casefold()
    if len(folded) != len(stem) or len(stem) <= len(ending):
        return None
    if ending[0] in SEPARATORS:
        return stem[: -len(ending)] if folded.endswith(part) else None
    return stem[len(ending) :] if folded.startswith(part) else None
