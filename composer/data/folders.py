"""`open_data`: from what a user wrote after `--data` to the rows of each stream."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from composer.data.dataset import Dataset, bind
from composer.data.decode import SUFFIXES, listed, shown
from composer.data.files import Column, FileSource, examine, list_images, match_stems
from composer.data.layouts import (
    TEST,
    TRAIN,
    Layout,
    check_folder,
    contents,
    domain_root,
    domains,
    find_layout,
    own_folder,
    recognise,
    short_names,
)
from composer.errors import ComposeError, Problem
from composer.fields import Stream, check_streams, fields_of, find_image

DIRECTIONS = {"a2b": False, "atob": False, "b2a": True, "btoa": True}


def open_data(
    spec: Sequence[str], streams: Sequence[Stream], *, direction: str = "a2b", seed: int = 0, look: bool = True
) -> Dataset:
    """The data that a user named: one folder in a known layout, or `a=DIR b=DIR` with the names of the picture inputs.

    `direction="b2a"` swaps the two pictures of a layout: its folders A and B, or the left and right halves.
    All files are looked at first, unless `look` is False because the caller will read all of them (`survey`).
    Raises ComposeError: unknown layout, missing folders, no pairs, unreadable files.
    """
    check_streams(streams)
    swapped = DIRECTIONS.get(direction.casefold())
    if swapped is None:
        raise ComposeError(f"unknown direction '{direction}'", remedy="it is a2b or b2a")
    _check_forms(streams)
    named = [item for item in spec if _is_named(item)]
    if named and len(named) == len(spec):
        if swapped:
            raise ComposeError("b2a swaps the folders of a layout, and here they are named", remedy="swap the names")
        layout, test = _named(spec, streams)
    elif len(spec) == 1 and spec[0]:
        layout, test = _in_one_folder(Path(spec[0]), streams, swapped=swapped)
    else:
        names = short_names(fields_of(streams, "image"))
        folders = spec if len(spec) == len(names) and not named else ["DIR"] * len(names)
        form = " ".join(f"{name}={folder}" for name, folder in zip(names, folders, strict=True))
        given = ", ".join(f"'{item}'" for item in spec) or "nothing"
        raise ComposeError(
            f"data is one folder, or a folder for each picture input; given: {given}",
            remedy=f"write one DIR, or {form}",
        )
    sources, notes = _sources(layout, streams)
    held_out = None
    if test:
        try:
            held_out = _sources(test, streams, like=layout)[0]
        except ComposeError as error:
            notes.append(f"the test part is not used: {error.fact}")
    problems = examine([*sources.values(), *(held_out or {}).values()]) if look else []
    if problems:
        raise ComposeError.together(problems)
    return bind(streams, sources, seed=seed, notes=notes, held_out=held_out)


def _is_named(item: str) -> bool:
    """Whether this is NAME=DIR; a folder with `=` in its path is a folder."""
    name, equals, _ = item.partition("=")
    return bool(equals) and not {"/", os.sep} & set(name) and not os.path.exists(item)


def _check_forms(streams: Sequence[Stream]) -> None:
    """Labels are the names of folders, so a stream with a label has one picture; and there must be pictures at all."""
    if not fields_of(streams, "image"):
        raise ComposeError("this graph reads no pictures", remedy="folders can only give pictures and their labels")
    problems = []
    for stream in streams:
        images, labels = fields_of([stream], "image"), fields_of([stream], "label")
        place = stream.fields[0].place if stream.fields else None
        if labels and (len(images), len(labels)) != (1, 1):
            fact = f"'{stream.name}' has {len(images)} pictures and {len(labels)} labels"
            problems.append(Problem(fact, place, "a folder a domain can give one picture and one label"))
        elif not images:
            problems.append(Problem(f"'{stream.name}' has no picture", place, "folders give pictures"))
        elif fields_of(streams, "label") and not labels:
            fact = f"'{stream.name}' has no label, and other streams of this graph have"
            problems.append(Problem(fact, place, "give it a label too"))
    if problems:
        raise ComposeError.together(problems)


def _in_one_folder(folder: Path, streams: Sequence[Stream], *, swapped: bool) -> tuple[Layout, Layout | None]:
    layout = find_layout(folder, streams)
    test = recognise(folder, streams, TEST)
    test = test if test is not None and test.joined == layout.joined else None
    if not swapped:
        return layout, test
    names = list(layout.folders)
    if len(names) != 2:
        raise ComposeError(
            f"b2a swaps two pictures, and this graph reads {len(names)}", remedy="leave the direction out"
        )
    return _swapped(layout), _swapped(test) if test else None


def _swapped(layout: Layout) -> Layout:
    first, second = layout.folders
    # The order of the names is the order of the halves.
    return Layout({second: layout.folders[first], first: layout.folders[second]}, layout.joined)


def _named(spec: Sequence[str], streams: Sequence[Stream]) -> tuple[Layout, Layout | None]:
    """Folders by the names of the picture inputs; every problem of the names is said at once."""
    problems: list[Problem] = []
    given: dict[str, Path] = {}
    labelled = {column.name for stream in streams if fields_of([stream], "label") for column in stream.fields}
    folders: dict[str, Path] = {}
    tests: dict[str, Path] = {}
    for item in spec:
        name, _, path = item.partition("=")
        try:
            column = find_image(name, streams)
            if column.name in given:
                raise ComposeError(f"the folder of '{name}' is given twice", remedy="name each picture input once")
            folder = given[column.name] = Path(os.path.expanduser(path))
            if not path:
                raise ComposeError(f"'{item}' names no folder", remedy=f"write {item}DIR")
            check_folder(folder)
            find = domain_root if column.name in labelled else own_folder
            # A folder without pictures is kept as it is: reading its rows says what it holds instead.
            folders[column.name] = find(folder, TRAIN) or folder
            test = find(folder, TEST)
            tests.update({column.name: test} if test else {})
        except ComposeError as error:
            problems.extend(error.problems)
    images = fields_of(streams, "image")
    missing = [short for short, column in zip(short_names(images), images, strict=True) if column.name not in given]
    if missing and not problems:
        wanted = " ".join(f"{name}=DIR" for name in missing)
        problems.append(Problem(f"no folder for {' and '.join(missing)}", remedy=f"add {wanted}"))
    if problems:
        raise ComposeError.together(problems)
    return Layout(folders), Layout(tests) if len(tests) == len(folders) else None


def _sources(
    layout: Layout, streams: Sequence[Stream], like: Layout | None = None
) -> tuple[dict[str, FileSource], list[str]]:
    """The rows of each stream. `like` is the layout of the training part, whose domains give the labels."""
    sources, notes = {}, []
    for stream in streams:
        images = [column for column in stream.fields if column.kind == "image"]
        labels = [column for column in stream.fields if column.kind == "label"]
        if labels:
            name = images[0].name
            root = (like or layout).folders[name]
            sources[stream.name] = _by_domain(stream, layout.folders[name], [path.name for path in domains(root)], root)
        elif layout.joined:
            sources[stream.name] = _side_by_side(stream, layout)
            notes.append(f"each file holds pictures side by side, from the left: {', '.join(layout.folders)}")
        else:
            paths: dict[str, Sequence[Path]] = {c.name: _images_in(layout.folders[c.name]) for c in images}
            if len(images) > 1:
                matched, left_out = match_stems(paths, stream.name)
                paths = dict(matched)
                notes.extend(left_out)
            columns = {c.name: Column(c.args[0], tuple(map(str, paths[c.name]))) for c in images}
            where = " and ".join(shown(layout.folders[c.name]) for c in images)
            count = len(next(iter(paths.values())))
            what = "pairs" if len(images) == 2 else "rows" if len(images) > 2 else "pictures"
            sources[stream.name] = FileSource(columns, text=f"{count} {what} of {where}")
    return sources, notes


def _images_in(folder: Path) -> list[Path]:
    paths = list_images(folder)
    if not paths:
        suffixes = " ".join(sorted(SUFFIXES))
        raise ComposeError(
            f"no pictures in '{shown(folder)}': it holds {contents(folder)}",
            remedy=f"pictures are files named {suffixes}",
        )
    return paths


def _side_by_side(stream: Stream, layout: Layout) -> FileSource:
    folder = next(iter(layout.folders.values()))
    paths = tuple(map(str, _images_in(folder)))
    channels = {column.name: column.args[0] for column in stream.fields}
    names = list(layout.folders)
    columns = {name: Column(channels[name], paths, names.index(name), len(names)) for name in channels}
    return FileSource(columns, text=f"{len(paths)} files of {shown(folder)}, {len(names)} pictures side by side")


def _by_domain(stream: Stream, folder: Path, names: Sequence[str], root: Path) -> FileSource:
    image = next(column for column in stream.fields if column.kind == "image")
    label = next(column for column in stream.fields if column.kind == "label")
    if len(names) != label.args[0]:
        raise ComposeError(
            f"'{label.name}' is label({label.args[0]}), and '{shown(root)}' has {len(names)} domains: "
            f"{listed(names) or contents(root)}",
            label.place,
            remedy=f"set the number of domains of the graph to {len(names)}" if names else "make a folder a domain",
        )
    paths = {name: list_images(folder / name) if (folder / name).is_dir() else [] for name in names}
    if not any(paths.values()):
        raise ComposeError(f"no domain of '{shown(root)}' has pictures in '{shown(folder)}'")
    rows = [(str(path), number) for number, name in enumerate(names) for path in paths[name]]
    columns = {image.name: Column(image.args[0], tuple(path for path, _ in rows))}
    counts = listed(f"{name} {len(paths[name])}" for name in names)
    return FileSource(
        columns,
        {label.name: tuple(number for _, number in rows)},
        f"{len(rows)} pictures of {shown(folder)} by domain: {counts}",
    )
