"""Which styles of the built-in demo data the pictures of a graph show."""

from __future__ import annotations

from collections.abc import Sequence

from composer.data.demo_maps import ATTRIBUTES
from composer.data.demo_paint import STYLES
from composer.errors import ComposeError, Problem
from composer.fields import FROM_TABLES, Field, Stream, short_name

_OWN_DATA = "give your own pictures with --data"
_MOST_CHANNELS = 4


def styles_asked(column: Field) -> int:
    """How many styles a picture asks for with `demo_styles`, 0 where it does not."""
    return int(column.options.get("demo_styles", 0))


def demo_styles(streams: Sequence[Stream]) -> dict[str, tuple[str, ...]]:
    """The styles of each image field by name; none for a field whose row has a label, which chooses the style.

    Fields whose names end alike (`x[a]` and `a`) are of one domain and so of the same styles. Raises ComposeError where
    a graph asks for more than there is.
    """
    problems: list[Problem] = []
    chosen: dict[str, tuple[str, ...]] = {}
    domains: dict[str, tuple[str, ...]] = {}
    for stream in streams:
        labelled = any(column.kind in FROM_TABLES for column in stream.fields)
        for column in stream.fields:
            wrong = _wrong(column, stream)
            if wrong is None and column.kind == "image" and not labelled:
                domain, wanted = short_name(column.name), max(1, styles_asked(column))
                used = sum(map(len, domains.values()))
                own = domains.get(domain, tuple(STYLES)[used : used + wanted])
                if domain not in domains and len(own) < wanted:
                    fact = f"'{column.name}' is one domain too many for the demo data, which has {', '.join(STYLES)}"
                    wrong = Problem(fact, column.place, _OWN_DATA)
                else:
                    chosen[column.name] = domains[domain] = own
            if wrong is not None:
                problems.append(wrong)
    if problems:
        raise ComposeError.together(problems)
    return chosen


def _wrong(column: Field, stream: Stream) -> Problem | None:
    """Why the demo data cannot serve a field, whatever the others are."""
    name, count = column.name, column.args[0]
    if column.kind == "label":
        if count > len(STYLES):
            fact = f"'{name}' has {count} classes and the demo data {len(STYLES)} styles"
            return Problem(fact, column.place, _OWN_DATA)
    elif column.kind in ("attributes", "code"):
        if count > len(ATTRIBUTES):
            fact = f"'{name}' has {count} numbers and the demo data {len(ATTRIBUTES)} attributes"
            return Problem(fact, column.place, f"they are {', '.join(ATTRIBUTES)}; {_OWN_DATA}")
    elif column.kind == "image":
        if count > _MOST_CHANNELS:
            fact = f"the demo data has up to {_MOST_CHANNELS} channels, and '{name}' has {count}"
            return Problem(fact, column.place, _OWN_DATA)
        classes = next((one.args[0] for one in stream.fields if one.kind == "label"), 1)
        if styles_asked(column) % classes or styles_asked(column) > len(STYLES):
            fact = f"'{name}' has demo_styles={styles_asked(column)}, and its label {classes} classes"
            remedy = f"a multiple of {classes} up to {len(STYLES)}: each class has as many styles as the others"
            return Problem(fact, column.place, remedy)
    elif column.kind not in ("label_map", "ids"):
        return Problem(f"the demo data has no {column.kind} for '{name}'", column.place, _OWN_DATA)
    return None
