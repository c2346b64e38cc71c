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


@dataclass(frozen=True)
class Given:
    """A picture to translate. `name` is its path without suffix, below the folder that was named or alone."""

    path: Path
    name: Path


@dataclass(frozen=True)
class Form:
    """How pictures go into a translation and come out of it: channels, options of the field, whether black is 0."""

    channels: int
    made: int
    reading: Reading
    unit: bool = False
    unit_made: bool = False


def form_of(program: Any, name: str, channels: int, made: int) -> Form:
    """The form of a translation that starts from one picture. Numbers of the result are those of the graph's fields."""
    needed = program.translator.needs(name)
    images: list[Field] = fields_of(program.graph.streams, "image")
    options = next((field.options for field in images if [field.name] == needed), {})
    units = [field.options.get("range") == "unit" for field in images]
    return Form(channels, made, Reading.of(options), options.get("range") == "unit", bool(units) and all(units))


def find_pictures(inputs: Sequence[Path], out: Path) -> list[Given]:
    """The pictures that were named and all in the folders that were named, without what lies in an `out` in them."""
    found: list[Given] = []
    for path in inputs:
        if path.is_dir():
            own = _is_below(out, path)  # what was written before is not translated again
            inside = [one for one in list_images(path, recursive=True) if not (own and _is_below(one, out))]
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


def choose_targets(pictures: Sequence[Given], out: Path, form: Form, force: bool) -> list[Path]:
    """A file in `out` for each picture, in a format that holds what it has; raises every problem at once."""
    use = form.channels, form.reading, 1
    reasons = [why_unreadable(str(picture.path), [use], whole=False) for picture in pictures]
    broken = [(str(picture.path), why) for picture, why in zip(pictures, reasons, strict=True) if why]
    problems = list(unreadable(broken, len(pictures)).problems) if broken else []
    targets = []
    first: dict[str, Path] = {}
    for picture, why in zip(pictures, reasons, strict=True):
        suffix = ".png" if why else suffix_for(probe(picture.path, form.channels, form.reading), form.made)
        target = out / picture.name.with_name(picture.name.name + suffix)
        targets.append(target)
        # Some file systems hold Cat.png and cat.png to be one file.
        other = first.setdefault(str(target).casefold(), picture.path)
        if other is not picture.path:
            fact = f"'{other}' and '{picture.path}' would both become '{target}'"
            problems.append(Problem(fact, remedy="rename one, or translate them into two folders"))
        elif target.resolve() == picture.path.resolve():
            fact = f"'{picture.path}' would be replaced by its translation"
            problems.append(Problem(fact, remedy="name another --out"))
        elif target.exists() and not force:
            problems.append(Problem(f"'{target}' exists", remedy="name another --out, or replace it with --force"))
    if out.exists() and not out.is_dir():
        problems.append(Problem(f"'{out}' is a file", remedy="name a folder with --out"))
    if problems:
        raise ComposeError.together(problems)
    return targets
