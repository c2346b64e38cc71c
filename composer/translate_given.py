"""What a user gives a translation beside its pictures: `--give NAME=VALUE`, by the kind of the input called NAME.

x[b]=photo.png       a picture, or a folder of pictures, one style each
y=cat, y=2           a label, by the word that its folder or table had in training, or by number
code=smiling,young   attributes and codes: the names that are there, or all numbers; nothing behind the `=` is none
z=7                  a draw of the graph: what the seed 7 draws
pick=26:3,7:1        of a draw of whole numbers the 26th is 3 and the 7th is 1, counted from 0; the rest is drawn

Maps and what else belongs to the row of each picture are the subject of `composer.translate_mates`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from composer.data.decode import listed
from composer.data.files import list_images
from composer.data.pictures import read_image
from composer.data.prepare import finished, resized
from composer.data.reading import Reading, shown
from composer.data.recipe import make_recipe
from composer.errors import ComposeError, Problem, nearest
from composer.fields import Field, Stream
from composer.nodes import reachable

VECTORS = ("attributes", "code")
MAPS = ("label_map", "ids")
Words = Mapping[str, Sequence[str]]  # of a field: what its numbers stand for


@dataclass(frozen=True)
class Value:
    """One value of an input, [1, ...], or the seed of a draw, or some of its numbers by their place.

    `picture`: what shows it, [c, h, w] in [-1, 1].
    """

    title: str
    value: Tensor | int | Mapping[int, int]
    picture: Tensor | None = None


Given = Mapping[str, Sequence[Value]]


def inputs_of(program: Any, name: str) -> dict[str, Field]:
    """The inputs that a translation needs, by name, in their order."""
    fields = [f for stream in program.graph.streams for f in stream.fields] + list(program.translations[name].fields)
    known = {field.name: field for field in fields}
    return {needed: known[needed] for needed in program.translator.needs(name)}


def draws_of(program: Any, name: str) -> list[str]:
    """The draws that a translation makes, by name."""
    return [node.name for node in reachable([program.translations[name].node]) if node.op == "draw"]


def read_given(program: Any, name: str, texts: Iterable[str], words: Words) -> Given:
    """The values that were given for inputs and draws of a translation; raises every problem at once.

    `words`: what the numbers of the fields of the data stand for, as the run kept it.
    """
    inputs, draws = inputs_of(program, name), draws_of(program, name)
    found: dict[str, list[Value]] = {}
    problems: list[Problem] = []
    for text in texts:
        key, equals, value = text.partition("=")
        try:
            if not equals or not key:
                raise ComposeError(f"--give {text} has no value", remedy="write NAME=VALUE, e.g. --give y=2")
            if key in inputs:
                found.setdefault(key, []).extend(_values(inputs[key], value, words, program))
            elif key in draws:
                found.setdefault(key, []).append(_draw(program, name, key, value))
            else:
                raise _unknown(name, key, [*inputs, *draws])
        except ComposeError as error:
            problems += error.problems
    if problems:
        raise ComposeError.together(problems)
    return found


def source_of(program: Any, name: str, given: Iterable[str] = ()) -> str:
    """The input that each file goes into, the one not given; a ComposeError where that is not one picture or map."""
    inputs = inputs_of(program, name)
    given = set(given)
    left = [field for field in inputs.values() if field.name not in given]
    if len(left) == 1 and left[0].kind in ("image", *MAPS):
        return left[0].name
    pictures = [field.name for field in left if field.kind == "image"]
    pictures = pictures or [field.name for field in left if field.kind in MAPS]
    if not pictures:
        fact = f"'{name}' starts from {', '.join(inputs) or 'nothing'}, and a file gives it one picture"
        remedy = f"leave --give {min(given)}=... out" if given else "translate from Python: program.translate({...})"
        raise ComposeError(fact, remedy=remedy)
    lacking = [field for field in left if field.name != pictures[0]]
    how = " ".join(f"--give {field.name}={_example(field)}" for field in lacking)
    raise ComposeError(
        f"'{name}' starts from {', '.join(inputs)}, and a file gives it one picture, {pictures[0]}", remedy=f"add {how}"
    )


def _example(field: Field) -> str:
    known = {"image": "PICTURE", "label": "LABEL", "label_map": "FOLDER", "ids": "FOLDER"}
    return known.get(field.kind, "NAME,...")


def _unknown(name: str, key: str, known: Sequence[str]) -> ComposeError:
    remedy = nearest(key, known) or f"it has {', '.join(known)}"
    return ComposeError(f"translation '{name}' has no input or draw '{key}'", remedy=remedy)


def _values(field: Field, text: str, words: Words, program: Any) -> list[Value]:
    if field.kind == "image":
        return _pictures(field, Path(text).expanduser(), program)
    if field.kind == "label":
        return [_label(field, text, words_for(field, words, program))]
    if field.kind in VECTORS:
        return [_vector(field, text, words_for(field, words, program))]
    raise AssertionError(f"{field.kind} comes with each picture")


def words_for(field: Field, words: Words, program: Any) -> tuple[str, ...]:
    """What the numbers of a field stand for: its own words, or those of the fields of the data that are alike.

    Fields that the data do not know are alike those of the same kind and count, where all of these have the same words.
    """
    if field.name in words:
        return tuple(words[field.name])
    data = [one for stream in program.graph.streams for one in stream.fields]
    alike = {
        tuple(words[one.name])
        for one in data
        if one.name in words and one.args == field.args and _sort(one) == _sort(field)
    }
    return alike.pop() if len(alike) == 1 else ()


def _sort(field: Field) -> str:
    return "vector" if field.kind in VECTORS else field.kind


def _pictures(field: Field, path: Path, program: Any) -> list[Value]:
    """A picture, or all of a folder, as the program sees them at test time: whole, at the size of training."""
    paths = list_images(path, recursive=True) if path.is_dir() else [path]
    if not path.exists():
        raise ComposeError(f"there is no file or folder '{shown(path)}' for {field.name}", remedy="name a picture")
    if not paths:
        raise ComposeError(f"no pictures in '{shown(path)}' for {field.name}", remedy="name a folder with pictures")
    home = next((s for s in program.graph.streams if field in s.fields), Stream("given", (field,)))
    # Options of the row (how it is resized) count, its other fields do not; `another` says which row, and here it is.
    options = {name: value for name, value in field.options.items() if name != "another"}
    kept = {name: value for other in home.fields for name, value in other.options.items() if name in ("resize", "crop")}
    alone = Stream(home.name, (replace(field, options={**kept, **options}),))
    return [_picture(alone, one) for one in paths]


def _picture(stream: Stream, path: Path) -> Value:
    (field,) = stream.fields
    image, _ = read_image(path, field.args[0], Reading.of(field.options))
    recipe = make_recipe(stream)
    # As fractions, of which the data pipeline takes black for 0.
    pixels = ((image + 1) / 2).permute(1, 2, 0).numpy()
    row = finished(resized({field.name: pixels}, recipe, train=False), recipe, None)
    tensor = torch.from_numpy(row[field.name])
    return Value(path.stem, tensor[None], tensor * 2 - 1 if recipe.pictures[0].unit else tensor)


def _label(field: Field, text: str, words: Sequence[str]) -> Value:
    classes = field.args[0]
    if text in words:
        return Value(text, torch.tensor([words.index(text)]))
    if text.isascii() and text.isdigit() and int(text) < classes:
        number = int(text)
        return Value(words[number] if number < len(words) else f"{field.name} {number}", torch.tensor([number]))
    remedy = f"labels go from 0 to {classes - 1}"
    if words:
        remedy = nearest(text, words) or f"they are {listed(words, 12)}"
    raise ComposeError(f"'{field.name}' has no label '{text}'", remedy=remedy)


def _vector(field: Field, text: str, words: Sequence[str]) -> Value:
    """Names that are there, or all numbers."""
    count = field.args[0]
    parts = [part.strip() for part in text.split(",") if part.strip()]
    numbers = [_number(part) for part in parts]
    known = [number for number in numbers if number is not None]
    if len(known) == count and not set(parts) & set(words):
        return Value(text, torch.tensor([known], dtype=torch.float32))
    wrong = next((part for part in parts if part not in words), None)
    if wrong is not None:
        if not words or _number(wrong) is not None:
            also = f", or names of {listed(words, 12)}" if words else ""
            raise ComposeError(
                f"'{field.name}' takes {count} numbers, and '{text}' is {len(parts)}",
                remedy=f"write {','.join(['0'] * count)} with 1 for what is there{also}",
            )
        remedy = nearest(wrong, words) or f"they are {listed(words, 12)}"
        raise ComposeError(f"'{field.name}' has nothing named '{wrong}'", remedy=remedy)
    return Value(text or "none", torch.tensor([[float(word in parts) for word in words]]))


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) < float("inf") else None


def _draw(program: Any, name: str, key: str, text: str) -> Value:
    if text.isascii() and text.isdigit():
        return Value(f"{key} {text}", int(text))
    root = program.translations[name].node
    node = next(one for one in reachable([root]) if one.op == "draw" and one.name == key)
    places = [re.fullmatch(r"\s*(\d+)\s*:\s*(-?\d+)\s*", part, re.ASCII) for part in text.split(",")]
    size = (getattr(program.shaped.types[node], "dims", None) or (0,))[0]
    if node.target != "integers" or not all(places):
        also = f", or numbers by their places: --give {key}=0:1,5:2" if node.target == "integers" else ""
        raise ComposeError(
            f"'{key}' is a draw, and '{text}' is no seed", remedy=f"write a number: --give {key}=7{also}"
        )
    chosen = {int(one[1]): int(one[2]) for one in places if one}
    low, high = (int(dict(node.settings).get(end, default)) for end, default in (("low", 0), ("high", 2)))
    wrong = next((f"{n}:{v}" for n, v in chosen.items() if n >= size or not low <= v < high), None)
    if wrong:
        fact = f"'{key}' has {size} numbers from {low} to {high - 1}, and not {wrong}"
        raise ComposeError(fact, remedy="write PLACE:NUMBER, both counted from 0")
    return Value(f"{key} {text}", chosen)
