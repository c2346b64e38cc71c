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
    leaves = section.items if isinstance(section, Items) else (() if section is None else (section,))
    found: list[str] = []
    for leaf in leaves:
        if not isinstance(leaf, Leaf) or not isinstance(leaf.value, str):
            raise ComposeError("'blocks' lists Python files", leaf.place, "blocks: [my_blocks.py]")
        path = document.beside(leaf.value, leaf.place).resolve()
        if not path.is_file():
            raise ComposeError(
                f"no file '{leaf.value}' beside the graph", leaf.place, "its path is relative to the graph"
            )
        _run(path, leaf)
        found.append(str(path))
    return tuple(found)


def _run(path: Path, leaf: Leaf) -> None:
    text = path.read_text(encoding="utf-8")
    if _loaded.get(str(path)) == text:
        return
    name = f"composer_user_blocks_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except ComposeError:
        raise
    except Exception as error:  # whatever user code raises is shown with its own place
        last = traceback.extract_tb(error.__traceback__)[-1]
        fact = f"{leaf.value} line {last.lineno}: {type(error).__name__}: {error}"
        raise ComposeError(fact, leaf.place, "mend the file; it is run when the graph is read") from None
    _loaded[str(path)] = text
