"""From a layout to the rows of each stream: which files, labels and numbers belong together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from composer.data.decode import listed, shown
from composer.data.files import Column, FileSource
from composer.data.layouts import Chosen, Layout, domains
from composer.data.matching import match_lines, match_rows
from composer.data.origins import contents, form_of, in_folder, list_files, root_of
from composer.data.table_values import Values, array_values, table_values
from composer.data.tables import ARRAYS, Table, read_table
from composer.errors import ComposeError
from composer.fields import FROM_TABLES, SPATIAL, Field, Stream, fields_of

Sources = dict[str, FileSource]


Names = Mapping[str, tuple[str, ...]]  # of a label: the words that its numbers stand for


def bind_layout(layout: Layout, streams: Sequence[Stream], known: Names | None = None) -> tuple[Sources, list[str]]:
    """The rows of each stream, and notes. `known`: the words of labels in training, which test data shares."""
    known = known or {}
    sources: Sources = {}
    notes: list[str] = []
    tables: dict[Path, Table] = {}
    for stream in streams:
        sheets = fields_of([stream], *SPATIAL)
        labels = [column for column in fields_of([stream], "label") if column.name not in layout.tables]
        if labels:
            sources[stream.name] = _by_domain(stream, sheets, labels, layout.folders[sheets[0].name], known)
        elif layout.joined:
            sources[stream.name] = _side_by_side(stream, layout)
            notes.append(f"each file holds pictures side by side, from the left: {', '.join(layout.folders)}")
        else:
            sources[stream.name], said = _by_file(stream, sheets, layout)
            notes += said
        valued = [column for column in fields_of([stream], *FROM_TABLES) if column.name in layout.tables]
        if valued:
            sources[stream.name], said = _with_values(
                sources[stream.name], stream, valued, layout.tables, tables, known
            )
            notes += said
    return sources, list(dict.fromkeys(notes))


def _by_file(stream: Stream, sheets: Sequence[Field], layout: Layout) -> tuple[FileSource, list[str]]:
    """A row for each file, or for each name that all fields have a file of."""
    files = [(column, list_files(column, layout.folders[column.name])) for column in sheets]
    notes: list[str] = []
    if len(sheets) == 1:
        rows = {sheets[0].name: files[0][1]}
    elif all(form_of(layout.folders[column.name]) == "list" for column in sheets):
        rows = match_lines(files, stream.name)
    else:
        rows, notes = match_rows(files, [root_of(layout.folders[column.name]) for column in sheets], stream.name)
    columns = {c.name: Column(c.args[0] if c.kind == "image" else 0, tuple(map(str, rows[c.name]))) for c in sheets}
    where = list(dict.fromkeys(shown(layout.folders[column.name]) for column in sheets))
    where = [", ".join(where[:-1]), where[-1]] if len(where) > 2 else where
    count = len(rows[sheets[0].name])
    what = "pictures" if len(sheets) == 1 else "pairs" if len(sheets) == 2 else "rows"
    return FileSource(columns, text=f"{count} {what} of {' and '.join(where)}"), notes


def _side_by_side(stream: Stream, layout: Layout) -> FileSource:
    folder = next(iter(layout.folders.values()))
    images = fields_of([stream], "image")
    paths = tuple(map(str, list_files(images[0], folder)))
    channels = {column.name: column.args[0] for column in images}
    names = list(layout.folders)
    columns = {name: Column(channels[name], paths, names.index(name), len(names)) for name in channels}
    return FileSource(columns, text=f"{len(paths)} files of {shown(folder)}, {len(names)} pictures side by side")


def _by_domain(
    stream: Stream, sheets: Sequence[Field], labels: Sequence[Field], folder: Path, known: Names
) -> FileSource:
    """Rows whose label is the folder they lie in."""
    if len(sheets) != 1 or len(labels) != 1 or sheets[0].kind != "image":
        fact = f"'{stream.name}' has {len(sheets)} pictures and {len(labels)} labels"
        place = stream.fields[0].place
        raise ComposeError(fact, place, "a folder a domain can give one picture and one label; a table can give more")
    image, label = sheets[0], labels[0]
    names = known.get(label.name) or tuple(path.name for path in domains(folder))
    if len(names) != label.args[0]:
        raise ComposeError(
            f"'{label.name}' is label({label.args[0]}), and '{shown(folder)}' has {len(names)} domains: "
            f"{listed(names) or contents(folder)}",
            label.place,
            remedy=f"set the number of domains of the graph to {len(names)}{label.to_set(len(names))}"
            if names
            else "make a folder a domain",
        )
    paths = {name: in_folder(folder / name) if (folder / name).is_dir() else [] for name in names}
    if not any(paths.values()):
        raise ComposeError(f"none of {listed(names)} has pictures in '{shown(folder)}': it holds {contents(folder)}")
    rows = [(str(path), number) for number, name in enumerate(names) for path in paths[name]]
    columns = {image.name: Column(image.args[0], tuple(path for path, _ in rows))}
    counts = listed(f"{name} {len(paths[name])}" for name in names)
    return FileSource(
        columns,
        {label.name: tuple(number for _, number in rows)},
        f"{len(rows)} pictures of {shown(folder)} by domain: {counts}",
        names={label.name: names},
    )


def _with_values(
    source: FileSource,
    stream: Stream,
    valued: Sequence[Field],
    chosen: Mapping[str, Chosen],
    tables: dict[Path, Table],
    known: Names,
) -> tuple[FileSource, list[str]]:
    """The rows with what tables tell of them; those that a table does not know are left out."""
    lead = next(iter(source.columns.values()))
    pictures = [Path(path) for path in lead.paths]
    names: dict[Path, list[str | None]] = {}  # of each picture in each table
    for path in dict.fromkeys(chosen[column.name].path for column in valued):
        if path.suffix.lower() not in ARRAYS:
            table = tables[path] = tables.get(path) or read_table(path)
            names[path] = [table.find(picture) for picture in pictures]
    kept = [i for i in range(len(pictures)) if all(found[i] is not None for found in names.values())]
    notes = []
    for path, found in names.items():
        alone = [pictures[i].name for i, name in enumerate(found) if name is None]
        if alone and not kept:
            raise ComposeError(
                f"the table '{shown(path)}' has no line for any of the {len(pictures)} pictures of '{stream.name}': "
                f"it has {listed(list(tables[path].rows)[:3], 3)}, the pictures are {listed(alone[:3], 3)}",
                remedy="its first column is the file name",
            )
        if alone:
            note = (
                f"{len(alone)} of {len(pictures)} pictures are left out, because '{shown(path)}' has no line for them"
            )
            notes.append(f"{note}: {listed(alone, 5)}")
    source = source.part(kept, f"{len(kept)} {source.text.partition(' ')[2]}") if len(kept) < len(pictures) else source
    labels: dict[str, tuple[int, ...]] = dict(source.labels)
    values: dict[str, npt.NDArray[np.float32]] = dict(source.values)
    words: dict[str, tuple[str, ...]] = dict(source.names)
    for column in valued:
        one = chosen[column.name]
        if one.path in names:
            own = [name for i in kept if (name := names[one.path][i]) is not None]
            values_of = table_values(tables[one.path], column, one.columns, own, known.get(column.name, ()))
            found_values = values_of.values
            notes += [values_of.note] if values_of.note else []
            words.update({column.name: values_of.words} if values_of.words else {})
        else:
            found_values = array_values(one.path, column, len(pictures))[kept]
        _keep(column, found_values, labels, values)
    return FileSource(source.columns, labels, source.text, values, words), notes


def _keep(
    column: Field, found: Values, labels: dict[str, tuple[int, ...]], values: dict[str, npt.NDArray[np.float32]]
) -> None:
    if column.kind == "label":
        labels[column.name] = tuple(int(one) for one in found)
    else:
        values[column.name] = found.astype(np.float32)
