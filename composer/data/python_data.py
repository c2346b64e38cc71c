"""`--data my_data.py:Name`: rows from a Python data set of the user's own.

`Name` is a class or function that gives an object with `__len__` and `__getitem__`, or such an object. An item is a
dict with the names of the graph's inputs (`x[a]` or `a`), or a tuple in their order. The same index must give the same
row: crops and mirroring are drawn by Composer, so that a run can be continued.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import os
import re
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from composer.data.decode import listed, shown
from composer.data.python_values import value_of
from composer.data.source import Array
from composer.errors import ComposeError, Place, nearest
from composer.fields import Field, Stream, short_name

_FORM = re.compile(r"(?P<file>.+\.py)(:(?P<name>[A-Za-z_]\w*)?)?")


def python_name(text: str) -> tuple[str, str] | None:
    """File and name of `my_data.py:Name`; None for what is no Python data set."""
    found = _FORM.fullmatch(text)
    return (found["file"], found["name"] or "") if found and not os.path.isdir(text) else None


def open_python(text: str, streams: Sequence[Stream]) -> tuple[dict[str, PythonSource], list[str]]:
    """The rows of the streams from one data set, and notes. Raises ComposeError: no file, no name, wrong rows."""
    file, name = python_name(text) or (text, "")
    path = Path(os.path.expanduser(file))
    try:
        code = path.read_bytes()
    except OSError as error:
        raise ComposeError(f"cannot read '{shown(path)}': {error.strerror}") from None
    if not name:
        names = _defined(code)
        raise ComposeError(
            f"'{text}' does not say which data set of the file", remedy=f"write {file}:{names[0] if names else 'NAME'}"
        )
    digest = hashlib.sha256(code).hexdigest()[:16]
    dataset = _make(os.path.abspath(path), name)
    sources = {}
    for stream in streams:
        wanted = tuple(c for c in stream.fields if "another" not in c.options)
        rows = len(dataset)
        source = PythonSource(os.path.abspath(path), name, wanted, digest, tuple(range(rows)), f"{rows} rows of {text}")
        object.__setattr__(source, "dataset", dataset)
        for index in {0, rows - 1}:
            source.row(index)  # what is wrong with it is said before training
        sources[stream.name] = source
    return sources, [f"'{shown(path)}' is run: it gives the rows"]


def _defined(code: bytes) -> list[str]:
    """The classes and functions of a file, without running it."""
    try:
        body = ast.parse(code).body
    except (SyntaxError, ValueError):
        return []
    kinds = (ast.ClassDef, ast.FunctionDef)
    return [one.name for one in body if isinstance(one, kinds) and not one.name.startswith("_")]


@dataclass(frozen=True)
class PythonSource:
    """The rows of one stream from a data set (see `composer.data.source.Source`); made anew in each process."""

    path: str
    name: str
    fields: tuple[Field, ...]
    digest: str
    rows: tuple[int, ...]
    text: str
    dataset: Any = field(default=None, repr=False, compare=False)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "dataset": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def __len__(self) -> int:
        return len(self.rows)

    def row(self, index: int) -> Mapping[str, Array]:
        """Raises ComposeError for what the data set raises, and for values that are not what a field takes."""
        if self.dataset is None:
            object.__setattr__(self, "dataset", _make(self.path, self.name))
        number = self.rows[index]
        try:
            item = self.dataset[number]
        except Exception as error:
            raise _fault(error, self.path, f"row {number} of {self.name}") from error
        values = self._by_name(item)
        return {column.name: value_of(column, values[column.name], self.files(index)) for column in self.fields}

    def _by_name(self, item: Any) -> dict[str, Any]:
        if isinstance(item, Mapping):
            found = {}
            for column in self.fields:
                for name in (column.name, short_name(column.name)):
                    if name in item:
                        found[column.name] = item[name]
                        break
                else:
                    names = listed(map(str, item), 12) or "nothing"
                    raise ComposeError(
                        f"a row of {self.name} has no '{column.name}': it has {names}",
                        remedy=f"give {column.kind} under this name",
                    )
            return found
        values = list(item) if isinstance(item, tuple | list) else [item]
        if len(values) != len(self.fields):
            names = ", ".join(column.name for column in self.fields)
            raise ComposeError(
                f"a row of {self.name} is {type(item).__name__} of {len(values)}, and the graph reads {names}",
                remedy="give a dict with these names",
            )
        return {column.name: value for column, value in zip(self.fields, values, strict=True)}

    def files(self, index: int) -> str:
        """The row in words, for messages."""
        return f"row {self.rows[index]} of {self.name} in '{shown(self.path)}'"

    def keys(self) -> list[str]:
        """A name for each row: its number."""
        return [str(row) for row in self.rows]

    def part(self, rows: Sequence[int], text: str) -> PythonSource:
        """The same with these rows only."""
        return replace(self, rows=tuple(self.rows[row] for row in rows), text=text)

    def describe(self) -> str:
        return self.text

    def identity(self) -> str:
        """Another digest means another file or other rows."""
        return hashlib.sha256(repr((self.digest, self.name, self.rows)).encode()).hexdigest()[:16]


def _make(path: str, name: str) -> Any:
    """The data set that a file defines. Raises ComposeError."""
    folder, module_name = os.path.dirname(path), f"composer_data_{hashlib.sha256(path.encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise ComposeError(f"'{shown(path)}' is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module  # classes of the file can then be pickled by what it uses
    sys.path.insert(0, folder)  # its neighbours can be imported, as when the file is run as a script
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise _fault(error, path, f"'{shown(path)}'") from error
    finally:
        sys.path.remove(folder)
        if folder not in sys.path:
            sys.path.append(folder)  # what it imports later is found too, and hides nothing of ours
    if not hasattr(module, name):
        known = [one for one in vars(module) if not one.startswith("_")]
        raise ComposeError(f"'{shown(path)}' has no '{name}'", remedy=nearest(name, known))
    made = getattr(module, name)
    if callable(made) and (isinstance(made, type) or not hasattr(made, "__getitem__")):
        try:
            made = made()
        except Exception as error:
            raise _fault(error, path, f"{name}()") from error
    if not hasattr(made, "__getitem__") or not hasattr(made, "__len__"):
        raise ComposeError(
            f"'{name}' of '{shown(path)}' gives {type(made).__name__} without __len__ and __getitem__",
            remedy="rows are asked for by number, in any order",
        )
    if len(made) < 1:
        raise ComposeError(f"'{name}' of '{shown(path)}' has no rows")
    return made


def _fault(error: BaseException, path: str, what: str) -> ComposeError:
    """What the user's code raised, at its last line in the user's file."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
    line = frames[-1].lineno if frames else error.lineno if isinstance(error, SyntaxError) else None
    said = str(error).strip().splitlines()
    text = f"{type(error).__name__}: {said[0]}" if said else type(error).__name__
    return ComposeError(f"{what} failed: {text}", Place(shown(path), line or 1))
