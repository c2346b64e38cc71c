"""Folder layouts that people have, and which field of a graph finds its pictures where.

trainA/ trainB/ [testA/ testB/]     a folder a field, also train_a, train/a, a/train or plain a; case is ignored
train/ [test/ or val/]              pictures side by side for the fields of one stream; also without train/
train/cat/ train/dog/ ...           a folder a domain, for streams with a label; also without train/
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import ascii_uppercase

from composer.data.decode import Unreadable, listed, probe, shown
from composer.data.files import list_folders, list_images
from composer.errors import ComposeError
from composer.fields import Field, Stream, fields_of, short_name

TRAIN = ("train",)
TEST = ("test", "val", "valid", "validation")


@dataclass(frozen=True)
class Layout:
    """Where the image fields are: a folder for each by name. With `joined` they share it, side by side in each file."""

    folders: Mapping[str, Path]
    joined: bool = False


def recognise(folder: Path, streams: Sequence[Stream], words: Sequence[str] = TRAIN) -> Layout | None:
    """The layout of the training part of a folder, or of its test part, when it fits the streams; else None."""
    images = fields_of(streams, "image")
    names = [column.name for column in images]
    bare = words == TRAIN
    if fields_of(streams, "label"):
        root = domain_root(folder, words)
        return Layout(dict.fromkeys(names, root)) if root else None
    if len(images) == 1:
        single = _with_images(folder, words, bare=bare)
        return Layout({names[0]: single}) if single else None
    lettered = _lettered(folder, images, words, bare=bare)
    if lettered:
        return Layout(lettered)
    joined = _with_images(folder, words, bare=bare) if len(streams) == 1 else None
    return Layout(dict.fromkeys(names, joined), joined=True) if joined and _is_wide(joined) else None


def find_layout(folder: Path, streams: Sequence[Stream]) -> Layout:
    """The layout of the training part. Raises ComposeError: what was expected, what is there, the nearest fix."""
    check_folder(folder)
    layout = recognise(folder, streams)
    if layout is not None:
        return layout
    raise ComposeError(
        f"'{shown(folder)}' does not hold data for this graph, which reads {describe_streams(streams)}: "
        f"it holds {contents(folder)}",
        remedy=f"expected {_expected(streams)}{_nearest_fix(folder, streams)}",
    )


def check_folder(folder: Path) -> None:
    """Raises ComposeError when there is no such folder, with the nearest name beside it."""
    if os.path.isdir(folder):
        return
    if os.path.exists(folder):
        raise ComposeError(f"'{shown(folder)}' is a file", remedy="name the folder with the pictures")
    existing = next((parent for parent in folder.parents if os.path.isdir(parent)), Path())
    below = folder.relative_to(existing).parts[0] if folder.is_relative_to(existing) else folder.name
    close = difflib.get_close_matches(below, [path.name for path in list_folders(existing)], n=1, cutoff=0.6)
    near = f"did you mean '{shown(existing / close[0])}'?" if close else "give the path of a folder with pictures"
    raise ComposeError(f"there is no folder '{shown(folder)}'", remedy=near)


def domain_root(folder: Path, words: Sequence[str] = TRAIN) -> Path | None:
    """The folder whose folders are the domains: train/ in it, or (when training) the folder itself."""
    for root in [*_children(folder, words), *([folder] if words == TRAIN else [])]:
        if domains(root):
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
        found = next((path for path in _children(folder.parent, beside) if list_images(path)), None)
    return found


def contents(folder: Path) -> str:
    """What a folder holds, in words."""
    folders = [f"{path.name}/ ({_inside(path)})" for path in list_folders(folder)]
    pictures = list_images(folder)
    others = [path for path in folder.iterdir() if path.is_file() and path not in set(pictures)]
    suffixes = sorted({path.suffix or path.name for path in others if not path.name.startswith(".")})
    parts = [listed(folders, 6)] if folders else []
    parts += [_pictures(pictures)] if pictures else []
    parts += [f"other files ({listed(suffixes, 5)})"] if suffixes else []
    return " and ".join(parts) or "nothing"


def _inside(folder: Path) -> str:
    pictures, folders = list_images(folder), [f"{path.name}/" for path in list_folders(folder)]
    return _pictures(pictures) if pictures else listed(folders, 4) if folders else "no pictures"


def _pictures(paths: Sequence[Path]) -> str:
    try:
        info = probe(paths[0])
    except Unreadable:
        return f"{len(paths)} pictures"
    return f"{len(paths)} pictures, {info.width} x {info.height}" if len(paths) > 1 else "1 picture"


def describe_streams(streams: Sequence[Stream]) -> str:
    """What a graph reads, in words: `pairs of a and b`, `unpaired pictures x[a], x[b]`."""
    if fields_of(streams, "label"):
        return " and ".join(f"{column.name} with the label of its domain" for column in fields_of(streams, "image"))
    names = [column.name for column in fields_of(streams, "image")]
    if len(names) == 1:
        return f"pictures {names[0]}"
    if len(streams) == 1:
        return f"{'pairs' if len(names) == 2 else 'rows'} of {' and '.join(names)}"
    return f"unpaired pictures {' and '.join(names)}"


def _expected(streams: Sequence[Stream]) -> str:
    images = fields_of(streams, "image")
    if fields_of(streams, "label"):
        return "a folder of pictures for each domain, in it or in train/"
    if len(images) == 1:
        return "pictures in it or in train/"
    folders = " and ".join(f"train{letter}/" for letter in ascii_uppercase[: len(images)])
    named = " ".join(f"{short}=DIR" for short in short_names(images))
    if len(streams) == 1:
        return f"{folders} with equal file names, or wide pictures side by side in train/, or {named}"
    return f"{folders}, or {named}"


def short_names(images: Sequence[Field]) -> list[str]:
    """What a user may write for each field: the value of its index where that is clear, else the whole name."""
    shorts = [short_name(column.name) for column in images]
    return shorts if len(set(shorts)) == len(shorts) else [column.name for column in images]


def _nearest_fix(folder: Path, streams: Sequence[Stream]) -> str:
    """A folder nearby that fits, or the folders of this one named for the fields."""
    if folder.name and _lettered(folder.parent, fields_of(streams, "image"), TRAIN, bare=False):
        return f"; did you mean '{shown(folder.parent)}'?"
    # Folders for training first, tests last.
    inner = sorted(list_folders(folder)[:50], key=lambda path: "train" not in path.name.casefold())
    fitting = [f"'{shown(path)}'" for path in inner if _surely_fits(path, streams)]
    if fitting:
        return f"; did you mean {' or '.join(fitting[:3])}?"
    images = fields_of(streams, "image")
    with_pictures = [path for path in _two_levels(inner) if list_images(path)]
    if fields_of(streams, "label") or len(with_pictures) < len(images):
        return ""
    pairs = zip(short_names(images), with_pictures, strict=False)
    return "; for example " + " ".join(f"{short}={shown(path)}" for short, path in pairs)


def _surely_fits(folder: Path, streams: Sequence[Stream]) -> bool:
    """Any folder of wide pictures could be pictures side by side, so those must lie in train/ to be suggested."""
    layout = recognise(folder, streams)
    return layout is not None and not (layout.joined and folder in layout.folders.values())


def _two_levels(folders: Sequence[Path]) -> Iterator[Path]:
    yield from folders
    for path in folders:
        yield from list_folders(path)[:50]


def _children(folder: Path, names: Sequence[str]) -> list[Path]:
    """The folders in `folder` with one of the names, in the order of the names; case is ignored."""
    there = {path.name.casefold(): path for path in list_folders(folder)}
    return [there[name.casefold()] for name in names if name.casefold() in there]


def _with_images(folder: Path, words: Sequence[str], *, bare: bool) -> Path | None:
    places = [*_children(folder, words), *([folder] if bare else [])]
    return next((place for place in places if list_images(place)), None)


def _is_wide(folder: Path) -> bool:
    """Whether the first picture that can be read is wider than high, as pictures side by side are."""
    for path in list_images(folder):
        try:
            info = probe(path)
        except Unreadable:
            continue
        return info.width > info.height
    return False


def _lettered(folder: Path, images: Sequence[Field], words: Sequence[str], *, bare: bool) -> dict[str, Path] | None:
    """A folder for each field by its name, or else by its letter: the first field is A."""
    for tokens in (short_names(images), list(ascii_uppercase[: len(images)])):
        for word in words:
            found = [_lettered_folder(folder, token, word, bare=bare) for token in tokens]
            if all(found) and len(found) == len(images):
                return {column.name: path for column, path in zip(images, found, strict=True) if path}
    return None


def _lettered_folder(folder: Path, token: str, word: str, *, bare: bool) -> Path | None:
    beside = _children(folder, [f"{word}{token}", f"{word}_{token}", f"{word}-{token}"])
    nested = [path for outer in _children(folder, [word]) for path in _children(outer, [token])]
    nested += [path for outer in _children(folder, [token]) for path in _children(outer, [word])]
    plain = _children(folder, [token]) if bare else []
    return next(iter([*beside, *nested, *plain]), None)
