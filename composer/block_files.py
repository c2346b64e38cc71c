"""Blocks of a user: `blocks: [my_blocks.py]` beside the graph file, run when the graph is read."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from pathlib import Path

from composer.document import Document, Leaf
from composer.document import Sequence as Items
from composer.errors import ComposeError

_loaded: dict[str, str] = {}


def load_block_files(document: Document) -> tuple[str, ...]:
    """Run the files that a document names and give their paths; the file is user code and is said to be run."""
    section = document.root.get("blocks")
    found: list[str] = []
    for leaf in section.items if isinstance(section, Items) else ():  # any other form is refused with the others
        if not isinstance(leaf, Leaf) or not isinstance(leaf.value, str):
            continue
        path = document.beside(leaf.value, leaf.place)
        try:
            path = path.resolve()
            text = path.read_bytes().decode("utf-8")
        except (OSError, ValueError) as error:
            words = getattr(error, "strerror", None) or "it is no UTF-8 text"
            remedy = "its path starts at the folder of the file that names it"
            raise ComposeError(f"'{leaf.value}' cannot be read: {words}", leaf.place, remedy) from None
        _run(path, text, leaf)
        found.append(str(path))
    return tuple(found)


def _run(path: Path, text: str, leaf: Leaf) -> None:
    if _loaded.get(str(path)) == text:
        return
    name = f"composer_user_blocks_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ComposeError(f"'{leaf.value}' is no Python file", leaf.place, "its name ends in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # whatever user code raises is shown with its own place
        words = error.fact if isinstance(error, ComposeError) else f"{type(error).__name__}: {error}"
        fact = f"{leaf.value} line {_line(error, path)}: {words}"
        raise ComposeError(fact, leaf.place, "mend the file; it is run when the graph is read") from None
    _loaded[str(path)] = text


def _line(error: BaseException, path: Path) -> int:
    """The line of the file at which `error` left it."""
    if isinstance(error, SyntaxError) and error.lineno:
        return error.lineno
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return (lines[-1] if lines else None) or 1
