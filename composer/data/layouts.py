"""Folder layouts that people have, and which field of a graph finds its files where.

trainA/ trainB/ [testA/ testB/]     a folder a field, also train_a, train/a, a/train or plain a; case is ignored
train/ [test/ or val/]              pictures side by side for the fields of one stream; also without train/
train/cat/ train/dog/ ...           a folder a domain, for streams with a label; also without train/
train_img/ train_label/ train_inst/ pictures, label maps and instance maps by what they are
images/ list_attr_celeba.txt        pictures and a table of their attributes, labels or numbers
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from string import ascii_uppercase

from composer.data.decode import Unreadable, probe
from composer.data.files import list_folders, list_images
from composer.data.origins import TEST, TRAIN, in_folder
from composer.data.tables import TABLES
from composer.fields import FROM_TABLES, SPATIAL, Field, Stream, fields_of, short_name

ROLES: Mapping[str, tuple[str, ...]] = {
    "image": ("img", "image", "images", "imgs", "photo", "photos", "rgb", "leftImg8bit"),
    "label_map": ("label", "labels", "annotations", "annotation", "mask", "masks", "seg", "semantic", "gtFine"),
    "ids": ("inst", "instance", "instances", "ids", "gtFine"),
}


@dataclass(frozen=True)
class Chosen:
    """A table, and the columns of it that the user named for a field; none: by the field's name or number."""

    path: Path
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Layout:
    """Where the fields are: a folder (or pattern, or list) for each picture or map, a table for other values.

    With `joined` the pictures share one folder, side by side in each file. A label without a table is the folder.
    """

    folders: Mapping[str, Path]
    joined: bool = False
    tables: Mapping[str, Chosen] = field(default_factory=dict)


def recognise(
    folder: Path,
    streams: Sequence[Stream],
    words: Sequence[str] = TRAIN,
    asked: Mapping[str, Sequence[str]] | None = None,
) -> Layout | None:
    """The layout of the training part of a folder, or of its test part, when it fits the streams; else None.

    `asked`: columns of a table that the user named for a field.
    """
    valued = fields_of(streams, *FROM_TABLES)
    images = fields_of(streams, "image")
    if valued:
        root = domain_root(folder, words)
        table = find_table(folder, words)
        by_folder = all(column.kind == "label" for column in valued) and not asked
        if root and by_folder and (table is None or len(domains(root)) > 1):
            return Layout(dict.fromkeys((column.name for column in images), root))
        places = _beside_a_table(folder, streams, words) if table else None
        if table is None or places is None:
            return None
        return Layout(places, tables={c.name: Chosen(table, tuple((asked or {}).get(c.name, ()))) for c in valued})
    return _of_pictures(folder, streams, words)


def _of_pictures(folder: Path, streams: Sequence[Stream], words: Sequence[str]) -> Layout | None:
    """The layout of streams that have nothing but files."""
    bare = words == TRAIN
    sheets = fields_of(streams, *SPATIAL)
    if fields_of(streams, "label_map", "ids"):
        roles = by_role(folder, sheets, words, bare=bare)
        return Layout(roles) if roles else None
    if len(sheets) == 1:
        single = _with_images(folder, words, bare=bare) or (folder if bare and in_folder(folder) else None)
        return Layout({sheets[0].name: single}) if single else None
    by_letter = lettered(folder, sheets, words, bare=bare)
    if by_letter:
        return Layout(by_letter)
    joined = _with_images(folder, words, bare=bare) if len(streams) == 1 else None
    names = [column.name for column in sheets]
    return Layout(dict.fromkeys(names, joined), joined=True) if joined and _is_wide(joined) else None


def by_role(folder: Path, sheets: Sequence[Field], words: Sequence[str], *, bare: bool) -> dict[str, Path] | None:
    """A folder for each picture and map by its name, or by what it is where only one is that."""
    kinds = [column.kind for column in sheets]
    for word in words:
        found: dict[str, Path] = {}
        for column in sheets:
            names = [short_name(column.name), column.name]
            tokens = dict.fromkeys([*names, *(ROLES[column.kind] if kinds.count(column.kind) == 1 else ())])
            places = (_lettered_folder(folder, token, word, bare=bare) for token in tokens)
            place = next((one for one in places if one and in_folder(one)), None)
            # Maps of classes and of instances may share a folder: the endings of their names tell them apart.
            if place is None or place in [
                found[one.name] for one in sheets if one.name in found and one.kind == column.kind
            ]:
                break
            found[column.name] = place
        else:
            return found
    return None


def some_by_role(folder: Path, streams: Sequence[Stream], words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The fields that have a folder in a part of which others have none, and those others."""
    sheets = fields_of(streams, *SPATIAL)
    for word in words:
        here = [column.name for column in sheets if by_role(folder, [column], [word], bare=False)]
        if here and len(here) < len(sheets):
            return here, [column.name for column in sheets if column.name not in here]
    return [], []


def find_partition(folder: Path) -> Path | None:
    """The table that says which pictures of CelebA are for training (0), validation (1) and test (2)."""
    names = ("list_eval_partition.txt", "list_eval_partition.csv")
    return next((folder / name for name in names if (folder / name).is_file()), None)


def find_table(folder: Path, words: Sequence[str] = TRAIN) -> Path | None:
    """The table of a folder: one named for the part (train.csv), as CelebA's, or the only one there is."""
    try:
        names = sorted(e.name for e in os.scandir(folder) if e.is_file() and not e.name.startswith("."))
    except OSError:
        return None
    tables = [name for name in names if Path(name).suffix.lower() in TABLES]
    stems = {name: Path(name).stem.casefold() for name in tables}
    of_the_part = [name for name in tables if stems[name] in words]
    known = [name for name in tables if stems[name].startswith("list_attr")]
    usual = [name for name in tables if stems[name] in ("attributes", "labels", "metadata")]
    for named in (of_the_part, known, usual):
        if named:
            return folder / named[0]
    values = [name for name in tables if not name.casefold().endswith(".txt")]
    return folder / values[0] if len(values) == 1 else None


def _beside_a_table(folder: Path, streams: Sequence[Stream], words: Sequence[str]) -> dict[str, Path] | None:
    """Where the pictures are that a table tells of. Streams with one picture each read the same ones."""
    sheets = fields_of(streams, *SPATIAL)
    if any(len(fields_of([stream], *SPATIAL)) > 1 for stream in streams):
        found = _of_pictures(folder, streams, words)
        return None if found is None or found.joined else dict(found.folders)
    place = _with_images(folder, words, bare=words == TRAIN)
    if place is None and words == TRAIN:
        inner = [path for path in list_folders(folder) if list_images(path)]
        named = [path for path in inner if "align" in path.name.casefold() or path.name.casefold() in ROLES["image"]]
        place = next(iter(named or (inner if len(inner) == 1 else [])), None)
    return dict.fromkeys((column.name for column in sheets), place) if place else None


def domain_root(folder: Path, words: Sequence[str] = TRAIN) -> Path | None:
    """The folder whose folders are the domains: train/ in it, or (when training) the folder itself."""
    for root in [*children(folder, words), *([folder] if words == TRAIN else [])]:
        found = domains(root)
        # Pictures right in train/ and test/ are parts, not domains.
        if found and not all(path.name.casefold() in (*TRAIN, *TEST) for path in found):
            return root
    return None


def domains(root: Path) -> list[Path]:
    """The folders with pictures in a folder, by name; their order gives the labels."""
    return [path for path in list_folders(root) if list_images(path)]


def own_folder(folder: Path, words: Sequence[str] = TRAIN) -> Path | None:
    """The folder of one field's pictures: the one that was named, or train/ in it. For tests: test/ in it, or testA."""
    found = _with_images(folder, words, bare=words == TRAIN)
    if found is None and words != TRAIN and folder.name.casefold().startswith("train"):
        beside = [word + folder.name[len("train") :] for word in words]
        found = next((path for path in children(folder.parent, beside) if list_images(path)), None)
    return found


def short_names(images: Sequence[Field]) -> list[str]:
    """What a user may write for each field: the value of its index where that is clear, else the whole name."""
    shorts = [short_name(column.name) for column in images]
    return shorts if len(set(shorts)) == len(shorts) else [column.name for column in images]


def children(folder: Path, names: Sequence[str]) -> list[Path]:
    """The folders in `folder` with one of the names, in the order of the names; case is ignored."""
    there = {path.name.casefold(): path for path in list_folders(folder)}
    return [there[name.casefold()] for name in names if name.casefold() in there]


def _with_images(folder: Path, words: Sequence[str], *, bare: bool) -> Path | None:
    inner = children(folder, words)
    places = [*inner, *([folder] if bare else [])]
    return next((place for place in places if list_images(place)), next((one for one in inner if in_folder(one)), None))


def _is_wide(folder: Path) -> bool:
    """Whether the first picture that can be read is wider than high, as pictures side by side are."""
    for path in list_images(folder):
        try:
            info = probe(path)
        except Unreadable:
            continue
        return info.width > info.height
    return False


def lettered(folder: Path, images: Sequence[Field], words: Sequence[str], *, bare: bool) -> dict[str, Path] | None:
    """A folder for each field by its name, or else by its letter: the first field is A."""
    for tokens in (short_names(images), list(ascii_uppercase[: len(images)])):
        for word in words:
            found = [_lettered_folder(folder, token, word, bare=bare) for token in tokens]
            if all(found) and len(found) == len(images):
                return {column.name: path for column, path in zip(images, found, strict=True) if path}
    return None


def _lettered_folder(folder: Path, token: str, word: str, *, bare: bool) -> Path | None:
    beside = children(folder, [f"{word}{token}", f"{word}_{token}", f"{word}-{token}"])
    nested = [path for outer in children(folder, [word]) for path in children(outer, [token])]
    nested += [path for outer in children(folder, [token]) for path in children(outer, [word])]
    plain = children(folder, [token]) if bare else []
    return next(iter([*beside, *nested, *plain]), None)
