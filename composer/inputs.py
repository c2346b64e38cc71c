"""Reading `inputs`: streams of rows and the fields of a row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from composer.errors import ComposeError, Place, Problem, nearest
from composer.expression import Call, Expression, Name, show
from composer.field_checks import another_problems
from composer.fields import KINDS, Field, Stream
from composer.index import Binding
from composer.reading import expand_section, expression_of

if TYPE_CHECKING:
    from composer.graph import Builder

# How each kind is written; the numbers in brackets are as many as it takes.
FORMS = {
    "image": "image(3, size, size)",
    "label": "label(classes)",
    "label_map": "label_map(classes, size, size)",
    "ids": "ids(size, size)",
    "attributes": "attributes(5)",
    "code": "code(8)",
}
LARGEST = 65536


def read_inputs(builder: Builder) -> None:
    """Every stream with its fields; each field is a value."""
    for definition in expand_section(builder.root.get("inputs"), builder.indices, builder.problems):
        fields = builder.streams.setdefault(definition.name, {})
        for entry in expand_section(definition.item, builder.indices, builder.problems, definition.bound):
            if entry.name in builder.known or entry.name in builder.constants:
                over = ",".join(name for name in definition.bound if name not in entry.pattern.partition("[")[2])
                if over and entry.name in builder.known:
                    fact = f"'{entry.name}' is made for every value of {over}, as {definition.pattern} is"
                    builder.problems.append(Problem(fact, entry.place, f"write {entry.name}[{over}]"))
                    builder.broken.add(entry.name)
                    del builder.known[entry.name]
                else:
                    problem = Problem(f"'{entry.name}' is defined twice", entry.place, "rename one of them")
                    builder.problems.append(problem)
                continue
            try:
                tree = expression_of(entry.item)
                fields[entry.name] = read_field(builder, entry.name, tree, entry.bound, entry.place)
            except ComposeError as error:
                builder.problems.extend(error.problems)
                builder.broken.add(entry.name)
                continue
            builder.known[entry.name] = builder.table.node("input", entry.name, entry.place, entry.name)
            builder.patterns[entry.name] = entry.pattern
        builder.problems.extend(another_problems(Stream(definition.name, tuple(fields.values()))))


def read_field(builder: Builder, name: str, tree: Expression, bound: Binding, place: Place) -> Field:
    """One field of a row: `image(3, size, size, load=286)`."""
    if not isinstance(tree, Call) or not isinstance(tree.function, Name):
        raise ComposeError(f"'{show(tree)}' is no kind of input", tree.at, f"write {FORMS['image']}")
    kind = tree.function.id
    if kind not in FORMS:
        raise ComposeError(f"unknown kind of input '{kind}'", tree.at, nearest(kind, FORMS))
    args = tuple(builder.constant(argument, bound) for argument in tree.arguments)
    wanted = FORMS[kind].count(",") + 1
    if len(args) != wanted:
        words = f"{wanted} number{'s' if wanted > 1 else ''}"
        raise ComposeError(f"{kind} takes {words}, got {len(args)}", tree.at, f"write {FORMS[kind]}")
    for value, argument in zip(args, tree.arguments, strict=True):
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= LARGEST:
            fact = f"'{show(argument)}' is {value!r}" if show(argument) != str(value) else f"{value!r} is no size"
            raise ComposeError(fact, argument.at, f"a size is a whole number from 1 to {LARGEST}")
    offered = KINDS[kind].options if kind in KINDS else {}
    options: dict[str, Any] = {}
    for key, expression in tree.keywords:
        options[key] = builder.constant(expression, bound)
        if key not in offered:
            remedy = nearest(key, offered) if offered else f"{kind} has no options"
            raise ComposeError(f"no option of {kind} named '{key}'", expression.at, remedy)
        if not offered[key].accepts(options[key]):
            raise ComposeError(f"{key} is {options[key]!r}", expression.at, f"it is {offered[key].allowed}")
    return Field(name, kind, args, options, place, tuple(map(show, tree.arguments)))
