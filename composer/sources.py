"""From what a user names to the text of a graph file: a path, or the bare name of a bundled graph."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from composer.errors import ComposeError, Place, nearest, remember_source
from composer.tree import shortened

LARGEST_FILE = 250_000  # bytes; a long method takes 10,000
SUFFIXES = (".yaml", ".yml")
_IS_IT = "is it a graph file?"
_GRAPHS = Path(__file__).parent / "graphs"


@dataclass(frozen=True)
class Source:
    """A graph file: how messages call it, where it is, and what it says."""

    file: str
    path: Path
    text: str


def bundled_graphs() -> dict[str, Path]:
    """The graphs that come with Composer, by name; a hybrid's name is that of its file too."""
    found: dict[str, Path] = {}
    for folder in (_GRAPHS, _GRAPHS / "hybrids"):
        for path in sorted(folder.glob("*.yaml")):
            found.setdefault(path.stem, path)
    return found


def read_source(name: str | Path, text: str | None = None) -> Source:
    """Read the graph that `name` names; with `text` given, `name` is only what messages call it."""
    if text is not None:
        if len(text) > LARGEST_FILE:
            raise ComposeError(f"'{shortened(str(name), 200)}' is larger than {LARGEST_FILE // 1000} kB", remedy=_IS_IT)
        remember_source(str(name), text)
        return Source(str(name), Path(name), text)
    return _read(*_locate(name))


def read_base(name: str, beside: Source, place: Place) -> Source:
    """Read what `extends: name` in the file `beside` names: a file next to it, or a bundled graph."""
    near = beside.path.parent / name
    try:
        if near.is_file():
            return _read(os.path.normpath(Path(beside.file).parent / name), near)
    except (OSError, ValueError) as error:
        raise ComposeError(f"'{shortened(name, 200)}' cannot be a file: {error}", place) from None
    bundled = bundled_graphs()
    stem = _stem(name)
    if stem in bundled:
        return _read(_shown(bundled[stem]), bundled[stem])
    remedy = nearest(stem, bundled) or f"'{near}' does not exist"
    raise ComposeError(f"there is no file '{shortened(name, 200)}' to extend, and no such bundled graph", place, remedy)


def _locate(name: str | Path) -> tuple[str, Path]:
    text, bundled = str(name), bundled_graphs()
    bare = isinstance(name, str) and "/" not in text and "\\" not in text
    if bare and text in bundled:
        return _shown(bundled[text]), bundled[text]
    if not text.strip():
        raise ComposeError("no graph is named", remedy="give a file, or a name that `composer graphs` lists")
    path = Path(name)
    try:
        exists = path.exists()
    except (OSError, ValueError) as error:
        raise ComposeError(f"'{shortened(text, 200)}' cannot be a file: {error}") from None
    if exists:
        return text, path
    if bare and _stem(text) in bundled:
        return _shown(bundled[_stem(text)]), bundled[_stem(text)]
    kind = "bundled graph or file" if bare else "file"
    remedy = nearest(_stem(path.name), bundled) or "`composer graphs` lists what is bundled"
    raise ComposeError(f"there is no {kind} '{shortened(text, 200)}'", remedy=remedy)


def _stem(name: str) -> str:
    return name.rsplit(".", 1)[0] if name.endswith(SUFFIXES) else name


def _shown(path: Path) -> str:
    """A bundled graph as it is called in the repository."""
    return "graphs/" + path.relative_to(_GRAPHS).as_posix()


def _read(file: str, path: Path) -> Source:
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise ComposeError(f"'{file}' is a folder", remedy="give a graph file")
        if not stat.S_ISREG(mode):
            raise ComposeError(f"'{file}' is not a regular file", remedy="give a graph file")
        with path.open("rb") as opened:
            data = opened.read(LARGEST_FILE + 1)
    except OSError as error:
        raise ComposeError(f"'{file}' cannot be read: {error.strerror or error}") from None
    if len(data) > LARGEST_FILE:
        raise ComposeError(f"'{file}' is larger than {LARGEST_FILE // 1000} kB", remedy=_IS_IT)
    text = _decode(data, file)
    remember_source(file, text)
    return Source(file, path, text)


def _decode(data: bytes, file: str) -> str:
    for mark, encoding in ((b"\xef\xbb\xbf", "UTF-8"), (b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16")):
        if data.startswith(mark):
            raise ComposeError(
                f"a byte order mark ({encoding})", Place(file), "save the file as UTF-8 without byte order mark"
            )
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line = before.count(b"\n") + 1
        column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8", errors="replace")) + 1
        raise ComposeError(
            f"the byte 0x{data[error.start]:02x} is not UTF-8", Place(file, line, column), "save the file as UTF-8"
        ) from None
