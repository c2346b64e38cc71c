"""What comes with each picture that is translated: the other maps and pictures of its row, found by their names.

`--give inst=FOLDER` beside label maps: each map gets the file of FOLDER that is called as it is.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from composer.data.files import list_images
from composer.data.maps import read_ids
from composer.data.matching import match_rows
from composer.data.pictures import read_image
from composer.data.prepare import class_numbers
from composer.data.reading import Reading, Unreadable, shown
from composer.data.recipe import make_recipe
from composer.errors import ComposeError
from composer.fields import Field, Stream
from composer.translate_given import MAPS, inputs_of, source_of

Mates = Mapping[str, Path]  # of one picture: the file of each other input of its row


def split_mates(program: Any, name: str, texts: Sequence[str]) -> tuple[list[str], dict[str, Path]]:
    """The texts NAME=VALUE that make styles, and the files or folders with the rest of each picture's row.

    Maps are of the row always; pictures are where a map is translated and comes from the same stream.
    """
    inputs = inputs_of(program, name)
    pairs = {key: Path(value).expanduser() for key, equals, value in (t.partition("=") for t in texts) if equals}
    maps = {key: path for key, path in pairs.items() if key in inputs and inputs[key].kind in MAPS}
    left = [field for key, field in inputs.items() if key not in pairs]
    if len(left) == 1 and left[0].kind in MAPS:
        home = next((s for s in program.graph.streams if left[0] in s.fields), Stream("", ()))
        fields = {field.name for field in home.fields if field.kind == "image"}
        maps |= {key: path for key, path in pairs.items() if key in fields and key in inputs}
    return [text for text in texts if text.partition("=")[0] not in maps], maps


def find_mates(program: Any, name: str, pictures: Sequence[Path], places: Mapping[str, Path]) -> list[Mates]:
    """For each picture the files of its row in `places`. Raises a ComposeError where one is missing."""
    if not places:
        return [{} for _ in pictures]
    inputs = inputs_of(program, name)
    source = inputs[source_of(program, name, places)]
    files = {key: _files(inputs[key], path) for key, path in places.items()}
    if len(pictures) == 1 and all(len(own) == 1 for own in files.values()):
        return [{key: own[0] for key, own in files.items()}]
    columns = [(source, list(pictures)), *((inputs[key], own) for key, own in files.items())]
    roots = [Path(os.path.commonpath([path.parent.absolute() for path in own])) for _, own in columns]
    rows, _ = match_rows([(f, [p.absolute() for p in own]) for f, own in columns], roots, name)
    by_picture = {
        rows[source.name][number]: {key: rows[key][number] for key in files} for number in range(len(rows[source.name]))
    }
    alone = [path for path in pictures if path.absolute() not in by_picture]
    if alone:
        more = f" and {len(alone) - 1} more" if len(alone) > 1 else ""
        where = " and ".join(f"'{shown(path)}'" for path in places.values())
        raise ComposeError(
            f"'{shown(alone[0])}'{more} has no file of that name in {where}", remedy="translate those that have one"
        )
    return [by_picture[path.absolute()] for path in pictures]


def _files(field: Field, path: Path) -> list[Path]:
    if not path.exists():
        fact = f"there is no file or folder '{shown(path)}' for {field.name}"
        raise ComposeError(fact, remedy="name the folder with the files that belong to the pictures")
    return list_images(path, recursive=True) if path.is_dir() else [path]


def read_map(field: Field, path: Path) -> Tensor:
    """The numbers [h, w] of a map as a graph takes them. Raises ComposeError."""
    try:
        ids = np.asarray(read_ids(path))
    except Unreadable as error:
        raise ComposeError(f"cannot read '{shown(path)}' ({error})", remedy="replace it or leave it out") from None
    (one,) = make_recipe(Stream(field.name, (field,))).maps
    return torch.from_numpy(np.ascontiguousarray(class_numbers(ids, one)))


def why_no_map(path: Path) -> str:
    """Why a file cannot be read as a map; "" when it can."""
    try:
        read_ids(path)
    except Unreadable as error:
        return str(error)
    return ""


def read_mates(program: Any, name: str, mates: Mates, picture: Path, size: tuple[int, int]) -> dict[str, Tensor]:
    """The other maps [h, w] and pictures [c, h, w] of a row, as large as its picture."""
    found: dict[str, Tensor] = {}
    for key, path in mates.items():
        field = inputs_of(program, name)[key]
        if field.kind in MAPS:
            found[key] = read_map(field, path)
        else:
            image, _ = read_image(path, field.args[0], Reading.of(field.options))
            found[key] = (image + 1) / 2 if field.options.get("range") == "unit" else image
        if tuple(found[key].shape[-2:]) != size:
            high, wide = found[key].shape[-2:]
            fact = f"'{shown(path)}' is {wide} x {high}, and '{shown(picture)}' is {size[1]} x {size[0]}"
            raise ComposeError(fact, remedy="the files of a row are of one size")
    return found


def with_mates(style: Any, mates: Mapping[str, Tensor]) -> Any:
    """A style with the rest of a picture's row beside its own inputs; padded tensors [1, ...]."""
    if not mates:
        return style
    end = with_mates(style.end, mates) if style.end is not None else None
    return replace(style, inputs={**mates, **style.inputs}, end=end)
