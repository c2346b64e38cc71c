"""The sample grids of a run: which there are, where the pictures in each are, and their bytes for a page to send."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from composer.samples import LAYOUT

_NAME = re.compile(r"(\d+)\.png")
EMBEDDED = 12_000_000  # bytes of pictures in one file
QUALITY = 90  # of JPEG, where the pictures as they are would be too large


class Sheets:
    """The grids in a folder. Their layouts are read once a file, however often the page is written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known: dict[str, dict[str, Any] | None] = {}

    def content(self, embed: bool = False) -> list[dict[str, Any]]:
        """Every grid by iteration: `iteration`, `source` (a relative path, or the picture itself) and `layout`."""
        paths = self.paths()
        sources = _embedded(paths) if embed else {path: f"{self.folder.name}/{path.name}" for path in paths}
        found = []
        for path, source in sources.items():
            layout = self._layout(path)
            if layout is not None:
                found.append({"iteration": int(path.stem), "source": source, "layout": layout})
        return found

    def paths(self) -> list[Path]:
        if not self.folder.is_dir():
            return []
        found = [path for path in self.folder.iterdir() if _NAME.fullmatch(path.name)]
        return sorted(found, key=lambda path: int(path.stem))

    def _layout(self, path: Path) -> dict[str, Any] | None:
        if path.name not in self._known:
            self._known[path.name] = read_layout(path)
        return self._known[path.name]


def read_layout(path: Path) -> dict[str, Any] | None:
    """Size of a grid, and its columns where the file tells them; None for a file that is no picture."""
    try:
        with Image.open(path) as image:
            found: dict[str, Any] = {"width": image.width, "height": image.height}
            text = image.info.get(LAYOUT)
    except OSError:
        return None
    try:
        told = json.loads(text) if isinstance(text, str) else {}
    except ValueError:
        told = {}
    return {**found, **told} if isinstance(told, dict) and told.get("columns") else found


def _embedded(paths: Sequence[Path]) -> dict[Path, str]:
    """The pictures themselves: as they are where they fit together, otherwise as JPEG and, if need be, fewer."""
    if sum(path.stat().st_size for path in paths) <= EMBEDDED:
        return {path: _address(path.read_bytes(), "png") for path in paths}
    smaller = {path: content for path in paths if (content := _jpeg(path))}
    whole = sum(map(len, smaller.values()))
    number = min(len(smaller), max(2, int(len(smaller) * EMBEDDED / max(whole, 1))))
    return {path: _address(smaller[path], "jpeg") for path in _spread(list(smaller), number)}


def _spread(paths: Sequence[Path], number: int) -> Iterable[Path]:
    """`number` of the paths, evenly, the first and the last among them."""
    last = len(paths) - 1
    return [paths[i] for i in sorted({round(k * last / max(number - 1, 1)) for k in range(number)})] if paths else []


def _jpeg(path: Path) -> bytes:
    buffer = io.BytesIO()
    try:
        with Image.open(path) as image:
            image.convert("RGB").save(buffer, "JPEG", quality=QUALITY, subsampling=0)
    except OSError:
        return b""  # a broken file is left out, as it is from the list of layouts
    return buffer.getvalue()


def _address(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
