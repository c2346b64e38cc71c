"""Which files belong to one row: those of the same name, whatever their suffix, or what remains of the names.

Names are compared whole first. Only where nothing fits, the endings are taken off that people give the parts of a
row (`street_leftImg8bit.png` and `street_gtFine_labelIds.png`, `1_A.jpg` and `1_B.jpg`), and a note says so.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Mapping, Sequence
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


def match_rows(
    columns: Sequence[tuple[Field, Sequence[Path]]], roots: Sequence[Path], stream: str
) -> tuple[Rows, list[str]]:
    """The files of each row, sorted by name: a list for each field; and notes on what was taken off or left out.

    Names are stems; where those of a field repeat in different folders, the folders below its root belong to them.
    Raises ComposeError when nothing matches, or a folder has two files of one name.
    """
    whole = [[_stem(path) for path in paths] for _, paths in columns]
    plain = _by_key(columns, whole, roots)
    if set.intersection(*map(set, plain.values())):
        return _kept(plain, [])
    bare, words, kept = [], [], []
    for column, paths in columns:
        ending = _ending(column, paths)
        stems = [(path, _without(_stem(path), ending) if ending else _stem(path)) for path in paths]
        own = [(path, stem) for path, stem in stems if stem is not None]
        kept.append((column, [path for path, _ in own]))
        bare.append([stem for _, stem in own])
        if ending:
            foreign = f" ({len(paths) - len(own)} files without it are left out)" if len(own) < len(paths) else ""
            words.append(f"'{ending}' of {column.name}{foreign}")
    stripped = _by_key(kept, bare, roots)
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


def _stem(path: Path) -> str:
    """The same letters may be encoded in two ways on different systems, so they are normalised."""
    return unicodedata.normalize("NFC", path.stem)


def _by_key(
    columns: Sequence[tuple[Field, Sequence[Path]]], stems: Sequence[Sequence[str]], roots: Sequence[Path]
) -> dict[str, dict[str, Path]]:
    """The files of each field by name: the stem, or the folders below the root and the stem."""
    repeated = any(
        len(set(own)) < len(own) and len({p.parent for p in paths}) > 1
        for own, (_, paths) in zip(stems, columns, strict=True)
    )
    found: dict[str, dict[str, Path]] = {}
    for (column, paths), own, root in zip(columns, stems, roots, strict=True):
        files = found[column.name] = {}
        for path, stem in zip(paths, own, strict=True):
            key = f"{_below(path, root)}{stem}" if repeated else stem
            if key in files:
                fact = f"'{shown(path.parent)}' has both {shown(files[key].name)} and {shown(path.name)}"
                raise ComposeError(fact, remedy="pairs are found by the name without suffix: keep one of the two")
            files[key] = path
    return found


def _below(path: Path, root: Path) -> str:
    inner = Path(os.path.relpath(str(path.parent), str(root))).as_posix()
    return "" if inner == "." else unicodedata.normalize("NFC", f"{inner}/")


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
                counts[ending] = sum(_without(_stem(path), ending) is not None for path in paths)
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
