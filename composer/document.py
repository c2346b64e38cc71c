"""Text -> Document: what a graph file says once everything it names was merged, with the place of every word."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from composer.errors import Place
from composer.merge import Level, merge, read_chain
from composer.sections import KEPT
from composer.sources import bundled_graphs, read_source
from composer.tree import Leaf, Mapping, Node, Sequence, plain
from composer.yaml_writer import write_yaml

__all__ = ["Document", "Leaf", "Mapping", "Node", "Sequence", "bundled_graphs", "load", "plain", "to_yaml"]


@dataclass(frozen=True)
class Document:
    """A merged graph file: base sections only, of which each knows where it was written.

    `notes` say in words what was merged; `variants` and `presets` are those one can choose.
    """

    root: Mapping
    file: str
    name: str
    variants_used: tuple[str, ...] = ()
    preset: str | None = None
    notes: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()
    presets: tuple[str, ...] = ()
    paths: AnyMapping[str, Path] = field(default_factory=dict, repr=False, compare=False)

    def beside(self, name: str, place: Place) -> Path:
        """The path of a file that is named, relative to the file it is named in, at `place`."""
        folder = self.paths.get(place.file)
        return folder.parent / name if folder is not None else Path(name)

    def __str__(self) -> str:
        return to_yaml(self)


def load(
    source: str | Path,
    *,
    variants: Iterable[str] = (),
    preset: str | None = None,
    settings: Iterable[tuple[str, Any]] | AnyMapping[str, Any] = (),
    text: str | None = None,
) -> Document:
    """Read a graph: a path, or the bare name of a bundled one; with `text`, `source` is only what messages call it.

    `settings` are pairs of a dotted path and a value, a text being read as YAML: `("networks.G.width", "32")`.
    Raises a `ComposeError` with every problem of reading and merging; the form is checked by `schema.validate`.

    >>> str(load("tiny", text="params: {width: 64}", settings={"width": 8}))
    'params:\\n  width: 8\\n'
    """
    levels = read_chain(read_source(source, text))
    pairs = settings.items() if isinstance(settings, AnyMapping) else settings
    merged = merge(levels, variants, preset, pairs)
    root = merged.draft.freeze()
    if len(levels) > 1:
        root = _in_front(root)
    name = root.get("name")
    top = levels[0].source
    return Document(
        root=root,
        file=top.file,
        name=str(name.value) if isinstance(name, Leaf) else top.path.stem,
        variants_used=tuple(merged.used),
        preset=preset,
        notes=tuple(merged.notes),
        variants=tuple(merged.variants),
        presets=tuple(merged.presets),
        paths=_paths(levels),
    )


def to_yaml(document: Document) -> str:
    """The document as a clean graph file, which `load` reads to an equal tree."""
    return write_yaml(document.root)


def _in_front(root: Mapping) -> Mapping:
    """What a graph says of itself first, then the sections in the order of its base."""
    return Mapping(tuple(sorted(root, key=lambda pair: pair[0].text not in KEPT)), root.place)


def _paths(levels: list[Level]) -> dict[str, Path]:
    return {level.source.file: level.source.path for level in levels}
