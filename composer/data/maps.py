"""Files of whole numbers a pixel: classes (label maps) and instances (ids). Their numbers are kept as they are.

A grey file gives its values, of 8, 16 or 32 bits; a palette file the places in its palette, whatever their colours;
`.npy` an array [h, w] of whole numbers. A coloured file is refused: which colour is which class cannot be known.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from composer.data.decode import PathLike, Unreadable, listed, shown
from composer.errors import Problem
from composer.fields import Field

Ids = npt.NDArray[np.integer]
LOSSY = ("JPEG", "WEBP", "JPEG2000", "GIF")  # GIF keeps its numbers but writers renumber the palette


def read_ids(path: PathLike) -> Ids:
    """Whole numbers [h, w] of a file, as they stand in it. Raises Unreadable."""
    try:
        if os.fspath(path).lower().endswith(".npy"):
            return _checked(np.load(path, allow_pickle=False))
        with Image.open(path) as picture:
            if picture.format in LOSSY:
                raise Unreadable(f"{picture.format} changes numbers: ids must come as PNG, TIFF or .npy")
            picture.load()
            return _ids(picture)
    except Unreadable:
        raise
    except FileNotFoundError:
        raise Unreadable("no such file, or a broken link") from None
    except UnidentifiedImageError:
        raise Unreadable("empty" if os.path.getsize(path) == 0 else "no image format that Pillow knows") from None
    except Exception as error:
        # Readers of a damaged file raise whatever they stumble over: OSError, SyntaxError, struct.error, KeyError...
        text = str(error) if isinstance(error, OSError | ValueError | SyntaxError) else f"damaged ({error!r})"
        raise Unreadable(text.strip().splitlines()[0] if text.strip() else "damaged") from None


def _ids(picture: Image.Image) -> Ids:
    if picture.mode in ("L", "P", "I", "1") or picture.mode.startswith("I;16"):
        return _checked(np.asarray(picture))
    if picture.mode in ("LA", "PA"):
        return _checked(np.asarray(picture)[..., 0])
    if picture.mode in ("RGB", "RGBA"):
        pixels = np.asarray(picture)
        if (pixels[..., 0] == pixels[..., 1]).all() and (pixels[..., 0] == pixels[..., 2]).all():
            return np.asarray(pixels[..., 0])  # grey, saved as colour
        raise Unreadable(f"a coloured picture ({picture.mode}): which colour is which number cannot be known")
    if picture.mode == "F":
        values = np.asarray(picture)
        if not (np.isfinite(values).all() and (values == np.rint(values)).all()):
            raise Unreadable("fractions are no ids")
        return values.astype(np.int64)
    raise Unreadable(f"mode {picture.mode}: ids come as grey or palette files")


def _checked(values: Ids) -> Ids:
    values = values[..., 0] if values.ndim == 3 and values.shape[2] == 1 else values
    if values.ndim != 2 or 0 in values.shape:
        raise Unreadable(f"an array {list(values.shape)}, and ids are [height, width]")
    if values.dtype == np.bool_:
        return values.astype(np.uint8)
    if not np.issubdtype(values.dtype, np.integer):
        if not (np.isfinite(values).all() and (values == np.rint(values)).all()):
            raise Unreadable("fractions are no ids")
        return values.astype(np.int64)
    if values.dtype == np.uint64 and values.max() > np.iinfo(np.int64).max:
        raise Unreadable("ids beyond 63 bits")
    return values


def scan_maps(columns: Sequence[tuple[Field, Iterable[str]]]) -> list[Problem]:
    """Read all maps and say what cannot be read, and which ids are no class, in one Problem a field.

    `columns`: each field with its files.
    """
    found: list[Problem] = []
    merged: dict[str, tuple[Field, dict[str, None]]] = {}
    for column, paths in columns:
        merged.setdefault(column.name, (column, {}))[1].update(dict.fromkeys(paths))
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        for column, files in merged.values():
            seen = dict(zip(files, pool.map(_seen, files), strict=True))
            unreadable = {path: ids for path, ids in seen.items() if isinstance(ids, str)}
            found += [_unreadable(column, unreadable, len(seen))] if unreadable else []
            if column.kind == "label_map":
                known = {path: ids for path, ids in seen.items() if not isinstance(ids, str)}
                found += _wrong_ids(column, known)
    return found


def _seen(path: str) -> tuple[int, ...] | str:
    """The ids in a file, or why it cannot be read."""
    try:
        ids = read_ids(path)
    except Unreadable as error:
        return str(error)
    if ids.dtype in (np.uint8, np.uint16):  # without sorting millions of pixels
        there = np.zeros(np.iinfo(ids.dtype).max + 1, np.bool_)
        there[ids] = True
        return tuple(np.flatnonzero(there).tolist())
    return tuple(np.unique(ids).tolist())


def _unreadable(column: Field, broken: Mapping[str, str], total: int) -> Problem:
    by_reason: dict[str, list[str]] = {}
    for path, reason in broken.items():
        by_reason.setdefault(reason, []).append(f"'{shown(path)}'")
    names = "; ".join(f"{listed(paths, 4)} ({reason})" for reason, paths in by_reason.items())
    fact = f"{len(broken)} of {total} files of {column.name} cannot be read as {_KINDS[column.kind]}: {names}"
    if any("coloured" in reason for reason in broken.values()):
        remedy = "save them once as grey or palette files of numbers; a colour picture is read by image(3, ...)"
    elif any("changes numbers" in reason for reason in broken.values()):
        remedy = "take the original PNG files"
    else:
        remedy = "replace or delete " + ("them" if len(broken) > 1 else "it")
    return Problem(fact, column.place, remedy)


_KINDS = {"label_map": "a label map", "ids": "a map of ids"}


def _wrong_ids(column: Field, seen: Mapping[str, tuple[int, ...]]) -> list[Problem]:
    classes = column.args[0]
    option = column.options.get("ignore", ())
    ignore = set(option) if isinstance(option, list | tuple) else {option}
    wrong = {p: [i for i in ids if not 0 <= i < classes and i not in ignore] for p, ids in seen.items()}
    wrong = {path: ids for path, ids in wrong.items() if ids}
    if not wrong:
        return []
    ids = sorted({one for found in wrong.values() for one in found})
    examples = listed((f"'{shown(path)}' has {listed(map(str, found), 4)}" for path, found in wrong.items()), 3)
    fact = (
        f"{column.name} is {written(column)}, and {len(wrong)} of its {len(seen)} files have ids that are no class, "
        f"from 0 to {classes - 1}: {examples}"
    )
    highest = max(i for i in [*(j for found in seen.values() for j in found), 0] if i not in ignore and i >= 0)
    return [Problem(fact, column.place, _remedy(column, ids, highest))]


def _remedy(column: Field, ids: Sequence[int], highest: int) -> str:
    """Ids that mean "no class" are 255 in 8 bits, 65535 in 16, or negative; others are classes not counted."""
    odd = [one for one in ids if one < 0 or one in (255, 65535)]
    if odd and len(odd) == len(ids):
        which = str(odd[0]) if len(odd) == 1 else str(odd)
        return f"if {which} means no class, write {set_ignore(column, which)}"
    rest = max(one for one in ids if one not in odd) if len(odd) < len(ids) else highest
    words = f"set the number of classes to {rest + 1}{column.to_set(rest + 1)}"
    return f"{words}, or say which ids mean no class: ignore=[...]" if not odd else f"{words} and ignore={odd[0]}"


def set_ignore(column: Field, which: str) -> str:
    """How a label map is written with ids that mean no class."""
    numbers = ", ".join(column.written or map(str, column.args))
    return f"{column.kind}({numbers}, ignore={which})"


def written(column: Field) -> str:
    """A field as the graph has it, with its numbers: `label_map(classes, ...) with classes = 35`."""
    first = column.written[0] if column.written else str(column.args[0])
    numbers = f"{column.args[0]}" if first == str(column.args[0]) else f"{first} = {column.args[0]}"
    return f"{column.kind}({numbers}{', ...' if len(column.args) > 1 else ''})"
