"""What is wrong with the fields that a graph asks of the data, each with its place in the graph."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from composer.errors import ComposeError, Problem, nearest
from composer.fields import (
    KINDS,
    SHARED_OPTIONS,
    SPATIAL,
    Field,
    Stream,
    fields_of,
    label_of,
    load_size,
    others_of,
    shown_by,
)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def field_problems(column: Field) -> list[Problem]:
    """What is wrong with one field: kind, numbers, options and their values."""
    kind = KINDS.get(column.kind)
    if kind is None:
        fact = f"input '{column.name}' is of the kind '{column.kind}', which cannot be read from files"
        return [Problem(fact, column.place, nearest(column.kind, KINDS))]
    found = []
    if len(column.args) != len(kind.args) or not all(map(_is_count, column.args)):
        given = ", ".join(map(str, column.args))
        wanted = f"{column.kind}({', '.join(kind.args)})"
        found.append(
            Problem(
                f"input '{column.name}' is {column.kind}({given})",
                column.place,
                f"write {wanted} with whole numbers from 1",
            )
        )
    for name, value in column.options.items():
        option = kind.options.get(name)
        if option is None:
            fact = f"unknown option '{name}' of input '{column.name}'"
            found.append(Problem(fact, column.place, nearest(name, kind.options)))
        elif not option.accepts(value):
            fact = f"option {name} of input '{column.name}' is {value!r}"
            found.append(Problem(fact, column.place, f"it is {option.allowed}"))
    size = None if found else load_size(column)
    if size is not None and (size[0] < column.args[-2] or size[1] < column.args[-1]):
        fact = f"input '{column.name}' is loaded at {size[0]} x {size[1]}, too small for its crop"
        found.append(Problem(fact, column.place, f"load must be at least {column.args[-2]} x {column.args[-1]}"))
    return found


def stream_problems(stream: Stream) -> list[Problem]:
    """What is wrong with a stream: its fields, and options on which the fields of a row disagree."""
    found = [problem for column in stream.fields for problem in field_problems(column)]
    for name in SHARED_OPTIONS:
        said = [(column, column.options[name]) for column in stream.fields if name in column.options]
        for column, value in said[1:]:
            if value != said[0][1]:
                fact = f"'{said[0][0].name}' has {name}={said[0][1]!r} and '{column.name}' {name}={value!r}"
                remedy = f"the fields of '{stream.name}' are one row: say it once"
                found.append(Problem(fact, column.place, remedy))
    return found or [*_scale_problems(stream), *another_problems(stream)]


def _scale_problems(stream: Stream) -> list[Problem]:
    """Pictures of one row are cropped at the same place, so `load` must enlarge them by the same factor."""
    loads = [(column, size) for column in fields_of([stream], *SPATIAL) if (size := load_size(column))]
    found = []
    for column, size in loads[1:]:
        first, wanted = loads[0]
        for axis in (0, 1):
            if abs(size[axis] - wanted[axis] * column.args[axis - 2] / first.args[axis - 2]) > 1:
                sizes = f"{wanted[0]} x {wanted[1]} and '{column.name}' at {size[0]} x {size[1]}"
                remedy = f"the fields of '{stream.name}' are cropped together: say load once"
                found.append(Problem(f"'{first.name}' is loaded at {sizes}", column.place, remedy))
                break
    return found


def another_problems(stream: Stream) -> list[Problem]:
    """What is wrong with the fields that show another row: no such label, nothing that they show another of."""
    found = []
    for column in others_of(stream):
        if label_of(column, stream) is None:
            labels = [one.name for one in stream.fields if one.kind == "label"]
            fact = f"'{column.name}' shows another row with the same '{column.options['another']}', "
            fact += f"and '{stream.name}' has no label of that name"
            remedy = nearest(column.options["another"], labels) or f"add a label to '{stream.name}'"
            found.append(Problem(fact, column.place, remedy))
        elif shown_by(column, stream) is None:
            fact = f"'{column.name}' is the picture of another row, and no other input of '{stream.name}' is a "
            fact += f"picture of {column.args[0]} channels"
            found.append(Problem(fact, column.place, "add the picture that it is another of"))
    return found


def check_streams(streams: Iterable[Stream]) -> None:
    """Raise one ComposeError with every problem of the streams, or return."""
    problems = [problem for stream in streams for problem in stream_problems(stream)]
    if problems:
        raise ComposeError.together(problems)
