"""`open_data`: from what a user wrote after `--data` to the rows of each stream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from composer.data.binding import Names, bind_layout
from composer.data.dataset import Dataset, bind
from composer.data.files import FileSource, examine, with_options
from composer.data.layout_words import find_layout
from composer.data.layouts import Layout, find_partition, recognise, short_names, some_by_role
from composer.data.maps import scan_maps
from composer.data.named import Named, read_columns, read_named
from composer.data.origins import TEST
from composer.data.partition import by_partition
from composer.data.python_data import open_python, python_name
from composer.data.source import Source
from composer.data.spec import Item, read_spec
from composer.data.split import hold_out, read_share
from composer.errors import ComposeError, Problem
from composer.field_checks import check_streams
from composer.fields import SPATIAL, Stream, fields_of

DIRECTIONS = {"a2b": False, "atob": False, "b2a": True, "btoa": True}


def open_data(
    spec: Sequence[str],
    streams: Sequence[Stream],
    *,
    direction: str = "a2b",
    seed: int = 0,
    split: str | None = None,
    look: bool = True,
    like: Dataset | None = None,
) -> Dataset:
    """The data that a user named: one folder in a known layout, `a=DIR b=DIR` by the names of the inputs, or Python.

    `direction="b2a"` swaps the two pictures of a layout: its folders A and B, or the left and right halves. `split`
    holds out a share (`0.1`) or number (`20`) of rows where there is no test part. All files are looked at first,
    unless `look` is False because the caller will read all of them. `like` is the data of training, when these rows are
    for tests: words then become the same labels.
    Raises ComposeError: unknown layout, missing folders, no pairs, unreadable files, ids that are no class.
    """
    check_streams(streams)
    swapped = DIRECTIONS.get(direction.casefold())
    if swapped is None:
        raise ComposeError(f"unknown direction '{direction}'", remedy="it is a2b or b2a")
    share = read_share(split) if split is not None else None
    items = read_spec(spec)
    known = {name: words for source in (like.sources if like else {}).values() for name, words in names_of(source)}
    sources, held_out, notes = _sources(items, streams, known, swapped=swapped)
    if look:
        _examine(streams, sources, held_out)
    if share is not None:
        if held_out:
            raise ComposeError(
                "--split holds out rows of data without a test part, and this data has one", remedy="leave it out"
            )
        sources, held_out, note = hold_out(sources, share, seed, split or "")
        notes.append(note)
    return bind(streams, sources, seed=seed, notes=notes, held_out=held_out or None)


Bound = tuple[dict[str, Source], dict[str, Source], list[str]]


def _sources(items: Sequence[Item], streams: Sequence[Stream], known: Names, *, swapped: bool) -> Bound:
    """The training rows, the test rows if there are any, and notes."""
    plain = [item for item in items if not item.name]
    if len(plain) == 1 and len(items) == 1 and python_name(plain[0].value):
        if swapped:
            raise ComposeError("b2a swaps the folders of a layout, and this is Python", remedy="swap the names in it")
        sources, notes = open_python(plain[0].value, streams)
        return dict(sources), {}, notes
    _check_forms(streams)
    if len(plain) == 1 and plain[0].value:
        named = _in_one_folder(Path(plain[0].value).expanduser(), items, streams, swapped=swapped)
        return _bound(named, streams, known)
    if not plain and items:
        if swapped:
            raise ComposeError("b2a swaps the folders of a layout, and here they are named", remedy="swap the names")
        return _bound(read_named(items, streams), streams, known)
    names = short_names(fields_of(streams, *SPATIAL))
    folders = [item.value for item in plain] if len(plain) == len(names) == len(items) else ["DIR"] * len(names)
    form = " ".join(f"{name}={folder}" for name, folder in zip(names, folders, strict=True))
    given = ", ".join(f"'{item}'" for item in items) or "nothing"
    raise ComposeError(
        f"data is one folder, or a folder for each picture input; given: {given}", remedy=f"write one DIR, or {form}"
    )


def _bound(named: Named, streams: Sequence[Stream], known: Names) -> Bound:
    by_python = {name for name, _ in named.python}
    by_files = [stream for stream in streams if stream.name not in by_python]
    sources: dict[str, Source] = {}
    notes: list[str] = []
    for name, value in named.python:
        found, said = open_python(value, [stream for stream in streams if stream.name == name])
        sources.update(found)
        notes += said
    files, said = bind_layout(named.layout, by_files, known)
    sources.update(files)
    notes += [*said, *named.notes]
    held_out: dict[str, Source] = {}
    if named.partition:
        kept, out, said = by_partition(files, named.partition)
        return {**sources, **kept}, dict(out), [*notes, *said]
    if named.test and not by_python:
        try:
            words = {name: one for source in files.values() for name, one in names_of(source)}
            held_out.update(bind_layout(named.test, by_files, words)[0])
        except ComposeError as error:
            notes.append(f"the test part is not used: {error.fact}")
    return sources, held_out, notes


def names_of(source: Source) -> list[tuple[str, tuple[str, ...]]]:
    """The labels and vectors of a source whose numbers stand for words, each with its words."""
    return list(getattr(source, "names", {}).items())


def _check_forms(streams: Sequence[Stream]) -> None:
    """There must be pictures: what else a row has goes by their names."""
    if not fields_of(streams, *SPATIAL):
        raise ComposeError(
            "this graph reads no pictures", remedy="folders can only give pictures and what goes with them"
        )
    problems = [
        Problem(
            f"'{stream.name}' has no picture",
            stream.fields[0].place if stream.fields else None,
            "folders give pictures",
        )
        for stream in streams
        if not fields_of([stream], *SPATIAL)
    ]
    if problems:
        raise ComposeError.together(problems)


def _in_one_folder(folder: Path, items: Sequence[Item], streams: Sequence[Stream], *, swapped: bool) -> Named:
    asked = read_columns([item for item in items if item.name], streams)
    layout = find_layout(folder, streams, asked)
    test = recognise(folder, streams, TEST, asked)
    test = test if test is not None and test.joined == layout.joined else None
    if not swapped:
        notes = []
        if test is None and fields_of(streams, "label_map", "ids"):
            here, lacking = some_by_role(folder, streams, TEST)
            if here:
                there, none = " and ".join(here), " and ".join(lacking)
                notes.append(f"the test part is not used: it has a folder for {there}, and none for {none}")
        partition = find_partition(folder) if layout.tables and test is None else None
        return Named(layout, test, partition=partition, notes=tuple(notes))
    names = list(layout.folders)
    if len(names) != 2 or len(fields_of(streams, "image")) != 2:
        count = len(fields_of(streams, "image"))
        raise ComposeError(f"b2a swaps two pictures, and this graph reads {count}", remedy="leave the direction out")
    return Named(_swapped(layout), _swapped(test) if test else None)


def _swapped(layout: Layout) -> Layout:
    first, second = layout.folders
    # The order of the names is the order of the halves.
    return Layout({second: layout.folders[first], first: layout.folders[second]}, layout.joined, layout.tables)


def _examine(streams: Sequence[Stream], *parts: Mapping[str, Source]) -> None:
    """Look at every file and raise one ComposeError for all that is wrong with them."""
    read = [source for part in parts for source in with_options(part, streams).values()]
    files = [source for source in read if isinstance(source, FileSource)]
    problems = [*examine(files), *wrong_ids(streams, *parts)]
    if problems:
        raise ComposeError.together(problems)


def wrong_ids(streams: Sequence[Stream], *parts: Mapping[str, Source]) -> list[Problem]:
    """What is wrong with the label maps and maps of things of these sources: ids that are no class."""
    files = [source for part in parts for source in part.values() if isinstance(source, FileSource)]
    return scan_maps(
        [
            (column, source.columns[column.name].paths)
            for column in fields_of(streams, "label_map", "ids")
            for source in files
            if column.name in source.columns
        ]
    )
