"""Which pictures `composer translate` reads, and what it writes for each: nothing is replaced unasked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from composer.data.decode import probe
from composer.data.files import list_images, unreadable, why_unreadable
from composer.data.pictures import suffix_for
from composer.data.reading import Reading, shown
from composer.errors import ComposeError, Problem
from composer.fields import Field, fields_of
from composer.translate_given import MAPS
from composer.translate_mates import why_no_map


@dataclass(frozen=True)
class Given:
    """A picture to translate. `name` is its path without suffix, below the folder that was named or alone."""

    path: Path
    name: Path


@dataclass(frozen=True)
class Form:
    """How pictures go into a translation and come out of it: channels, options of the field, whether black is 0.

    `maps`: files of whole numbers go in.
    """

    channels: int
    made: int
    reading: Reading
    unit: bool = False
    unit_made: bool = False
    maps: bool = False


def form_of(program: Any, source: str, channels: int, made: int) -> Form:
    """The form of a translation of the input `source`. Numbers of the result are those of the graph's fields."""
    images: list[Field] = fields_of(program.graph.streams, "image")
    maps = any(field.name == source for field in fields_of(program.graph.streams, *MAPS))
    options = next((field.options for field in images if field.name == source), {})
    units = [field.options.get("range") == "unit" for field in images]
    unit_made = bool(units) and all(units)
    return Form(channels, made, Reading.of(options), options.get("range") == "unit", unit_made, maps)


def find_pictures(inputs: Sequence[Path], out: Path | None) -> list[Given]:
    """The pictures that were named and all in the folders that were named, without what lies in an `out` in them."""
    found: list[Given] = []
    for path in inputs:
        if path.is_dir():
            inside = list_images(path, recursive=True)
            if out is not None and _is_below(out, path):  # what was written before is not translated again
                inside = [one for one in inside if not _is_below(one, out)]
            if not inside:
                raise ComposeError(f"no pictures in '{shown(path)}'", remedy="name a folder with pictures")
            found += [Given(picture, picture.relative_to(path).with_suffix("")) for picture in inside]
        elif path.exists():
            found.append(Given(path, Path(path.stem)))
        else:
            raise ComposeError(f"there is no file or folder '{shown(path)}'", remedy="name pictures, or their folder")
    return found


def _is_below(path: Path, folder: Path) -> bool:
    return folder.resolve() in path.resolve().parents


def choose_targets(
    pictures: Sequence[Given], out: Path | None, form: Form, force: bool, styles: int = 1
) -> list[list[Path]]:
    """For each picture a file in `out` for each style, in a format that holds what it has; NAME-2 for the second.

    None of them without `out`. Raises every problem at once.
    """
    use = form.channels, form.reading, 1
    reasons = [
        why_no_map(picture.path) if form.maps else why_unreadable(str(picture.path), [use], whole=False)
        for picture in pictures
    ]
    broken = [(str(picture.path), why) for picture, why in zip(pictures, reasons, strict=True) if why]
    problems = list(unreadable(broken, len(pictures)).problems) if broken else []
    targets = []
    first: dict[str, Path] = {}
    for picture, why in zip(pictures, reasons, strict=True):
        suffix = ".png" if why or form.maps else suffix_for(probe(picture.path, form.channels, form.reading), form.made)
        numbers = [f"-{number}" for number in range(1, styles + 1)] if styles > 1 else [""]
        names = [picture.name.with_name(picture.name.name + number + suffix) for number in numbers]
        targets.append([out / name for name in names] if out else [])
        for target in targets[-1]:
            problems += _problems(target, picture.path, first, force)
    if out and out.exists() and not out.is_dir():
        problems.append(Problem(f"'{out}' is a file", remedy="name a folder with --out"))
    if problems:
        raise ComposeError.together(problems)
    return targets


def _problems(target: Path, path: Path, first: dict[str, Path], force: bool) -> list[Problem]:
    """What is in the way of one file. `first`: which picture has a name already."""
    # Some file systems hold Cat.png and cat.png to be one file.
    other = first.setdefault(str(target).casefold(), path)
    if other is not path:
        fact = f"'{other}' and '{path}' would both become '{target}'"
        return [Problem(fact, remedy="rename one, or translate them into two folders")]
    if target.resolve() == path.resolve():
        return [Problem(f"'{path}' would be replaced by its translation", remedy="name another --out")]
    if target.exists() and not force:
        return [Problem(f"'{target}' exists", remedy="name another --out, or replace it with --force")]
    return []
