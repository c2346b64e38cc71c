"""`composer draw`: the picture of a graph, or of one of its networks, as SVG, PNG, PDF or DOT.

The way of a picture: Shaped -> Scene (drawing.folding, drawing.pictured; for one network drawing.inside, drawing.parts)
-> DOT (drawing.dot) -> file (drawing.render).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from composer.drawing.render import PICTURES, render
from composer.errors import ComposeError, nearest
from composer.shapes import Shaped

SUFFIXES = (*PICTURES, "dot")


def draw(
    source: Any,
    out: str | Path,
    *,
    variants: Iterable[str] = (),
    preset: str | None = None,
    settings: Iterable[tuple[str, Any]] | Mapping[str, Any] = (),
    expand: bool = False,
    network: str | None = None,
) -> Path:
    """Draw a graph to the file `out`, whose suffix says how: .svg, .png, .pdf or .dot.

    `source` is what `composer.check` takes, or its result. Names with an index are drawn once unless `expand`;
    `network` draws that network down to its layers. Raises a `ComposeError` for a bad graph, name or file.
    """
    path = Path(out)
    format = _format(path)
    _check_folder(path)
    shaped = source if isinstance(source, Shaped) else _checked(source, variants, preset, settings)
    dot = draw_dot(shaped, expand=expand, network=network)
    _write(path, dot.encode() if format == "dot" else render(dot, format))
    return path


def draw_dot(
    shaped: Shaped, *, expand: bool = False, network: str | None = None, counts: Mapping[str, int] | None = None
) -> str:
    """The picture as DOT text; nothing is rendered. `counts` are the networks' parameters where they are known."""
    from composer.drawing.dot import parts_dot, scene_dot

    if network is not None:
        one = shaped.graph.networks[_network(shaped, network)]
        if one.wiring is not None:
            from composer.drawing.inside import wired_scene

            return scene_dot(wired_scene(shaped, one, one.wiring, expand=expand))
        from composer.drawing.parts import module_part

        part = module_part(shaped, one, expand=expand)
        return parts_dot(part, f"a network of {shaped.graph.name}, {part.count:,} parameters")
    from composer.drawing.counts import parameter_counts
    from composer.drawing.pictured import make_scene

    known = parameter_counts(shaped) if counts is None else counts
    return scene_dot(make_scene(shaped, known, expand=expand))


def _checked(source: Any, variants: Iterable[str], preset: str | None, settings: Any) -> Shaped:
    import composer

    return composer.check(source, preset=preset, variants=tuple(variants), settings=settings)


def _network(shaped: Shaped, name: str) -> str:
    """A network by its full name, its name as written (`E[d]`) or without index: the first of its family."""
    networks = shaped.graph.networks
    if name in networks:
        return name
    for one in networks:
        if name in (shaped.graph.patterns.get(one), one.partition("[")[0]):
            return one
    raise ComposeError(f"the graph has no network '{name}'", remedy=nearest(name, networks))


def _format(path: Path) -> str:
    format = path.suffix.removeprefix(".").lower()
    if format in SUFFIXES:
        return format
    said = f"'{path.suffix}' is no kind of picture" if path.suffix else f"'{path}' has no suffix"
    raise ComposeError(said, remedy="end the name in " + ", ".join(f".{one}" for one in SUFFIXES[:-1]) + " or .dot")


def _check_folder(path: Path) -> None:
    """Refuse what cannot be written before anything is computed."""
    folder = path.parent
    try:
        if not folder.is_dir():
            fact = f"'{folder}' is not a folder" if folder.exists() else f"there is no folder '{folder}'"
            raise ComposeError(fact, remedy=f"make it first, or choose another place for '{path.name}'")
        if path.is_dir():
            raise ComposeError(f"'{path}' is a folder", remedy="give the name of a file")
        if not os.access(folder, os.W_OK):
            raise ComposeError(f"the folder '{folder}' cannot be written to", remedy="choose another place with -o")
    except (OSError, ValueError) as error:
        raise ComposeError(f"'{path}' cannot be a file: {error}") from None


def _write(path: Path, content: bytes) -> None:
    from composer.files import write_atomically

    try:
        write_atomically(path, content)
    except OSError as error:
        fact = f"'{path}' cannot be written: {error.strerror or error}"
        raise ComposeError(fact, remedy="choose another place with -o") from None
