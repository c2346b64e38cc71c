"""YAML text -> nodes with places.

PyYAML's pure scanner and parser give events with their marks; the tree is built from them here, with a stack of
our own, so that no nesting can exhaust Python's. What graph files do not need is refused: anchors, aliases, merge
keys, tags, directives, several documents, repeated keys.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import yaml

from composer.errors import ComposeError, Place
from composer.scalars import Refused, brackets_match, character_name, forbidden_character, read_scalar, write_text
from composer.tree import Leaf, Mapping, Node, Problems, Sequence, shortened
from composer.yaml_lines import blame
from composer.yaml_words import ABOUT_LINES, syntax_problem

DEEPEST = 32
LARGEST_COUNT = 10_000  # nodes; a method takes about 500
LONGEST_KEY = 200


def read_yaml(text: str, file: str, line: int = 0, column: int = 0, empty: str = "the file is empty") -> Node:
    """The tree of `text`. `line` and `column` are where it starts in `file`, when it is a part of it.

    Raises a `ComposeError` with all problems that could be told apart; `empty` is the one for a text without content.
    """
    root = _Reader(text, file, line, column).read()
    if root is None:
        remedy = "" if line or column else "a graph starts with: composer: 1"
        raise ComposeError(empty, Place(file, line + 1), remedy)
    return root


@dataclass
class _Frame:
    """A mapping or list that is being read."""

    place: Place
    is_mapping: bool
    flow: bool
    key: Leaf | None = None
    pairs: list[tuple[Leaf, Node]] = field(default_factory=list)
    items: list[Node] = field(default_factory=list)
    seen: dict[str, Leaf] = field(default_factory=dict)
    split: bool = False  # a comma split a call in here: what follows is its rest
    valueless: list[Leaf] = field(default_factory=list)  # keys in braces that have no value

    @property
    def awaits_key(self) -> bool:
        return self.is_mapping and self.key is None


class _Reader:
    def __init__(self, text: str, file: str, line: int, column: int) -> None:
        self.text, self.file, self.line, self.column = text, file, line, column
        self.lines: list[str] | None = None
        self.problems = Problems()
        self.stack: list[_Frame] = []
        self.root: Node | None = None

    def read(self) -> Node | None:
        self.check_characters()
        try:
            for count, event in enumerate(yaml.parse(self.text, Loader=yaml.SafeLoader)):
                if count > LARGEST_COUNT:
                    raise ComposeError(f"more than {LARGEST_COUNT} entries", self.place(event), "split the file")
                self.take(event)
        except (yaml.YAMLError, ValueError, OverflowError) as error:
            mark, fact, remedy = syntax_problem(error, bool(self.stack) and self.stack[-1].flow)
            place = self.stack[-1].place if self.stack else self.at(0, 0)
            if mark:
                place = self.at(mark.line, mark.column)
                guess = blame(self.source(), mark.line) if self.about_lines(fact, mark) else None
                if guess:
                    place, fact, remedy = self.at(*guess[:3]), guess.fact, guess.remedy
            self.problems.add(fact, place, remedy)
        except ComposeError as error:
            if error.problems is not self.problems:
                raise ComposeError.together([*self.problems, *error.problems]) from None
        self.problems.raise_any()
        return self.root

    def about_lines(self, fact: str, mark: Any) -> bool:
        """Whether a syntax error may be about how lines are indented."""
        if self.line or self.column or mark.line >= len(self.source()):
            return False
        return fact in ABOUT_LINES and ":" not in self.source()[mark.line][: mark.column]

    def check_characters(self) -> None:
        """Refuse characters that have no place in a graph file, or that editors and YAML take differently."""
        bad = forbidden_character(self.text)
        if bad:
            before = self.text[: bad.start()].replace("\r\n", "\n").replace("\r", "\n")
            place = self.at(before.count("\n"), len(before) - (before.rfind("\n") + 1))
            remedy = "use spaces" if bad.group() == "\t" else "save the file as UTF-8 text without it"
            raise ComposeError(f"{character_name(bad.group())} in the file", place, remedy)

    # places

    def at(self, line: int, column: int, length: int = 1) -> Place:
        return Place(self.file, line + self.line + 1, column + 1 + (self.column if line == 0 else 0), max(1, length))

    def place(self, event: yaml.Event) -> Place:
        start, _ = _marks(event)
        return self.at(start.line, start.column)

    def scalar_place(self, event: yaml.ScalarEvent) -> Place:
        """First character of the content and its length; of the first line, when there are several."""
        start, end = _marks(event)
        line, column = start.line, start.column
        if event.style in ("|", ">"):
            rows = self.source()
            line = next((n for n in range(line + 1, min(end.line, len(rows))) if rows[n].strip()), line)
            if line > start.line:
                return self.at(line, len(rows[line]) - len(rows[line].lstrip()), len(rows[line].strip()))
            return self.at(line, column)
        quote = 1 if event.style else 0
        if start.line != end.line:
            return self.at(line, column + quote, len(self.source()[line]) - column - quote)
        return self.at(line, column + quote, end.column - column - 2 * quote)

    def source(self) -> list[str]:
        if self.lines is None:
            self.lines = self.text.splitlines()
        return self.lines

    # events

    def take(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.ScalarEvent):
            self.refuse_extras(event)
            self.scalar(event)
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            self.refuse_extras(event)
            self.open(event)
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            self.close()
        elif isinstance(event, yaml.AliasEvent):
            self.problems.add(f"the alias *{event.anchor}", self.place(event), _ANCHORS)
            self.attach(Leaf(None, self.place(event), ""))
        elif isinstance(event, yaml.DocumentStartEvent):
            if self.root is not None:
                raise ComposeError("a second document in one file", self.place(event), "one file holds one graph")
            if event.version or event.tags:
                self.problems.add("a YAML directive", self.place(event), "leave the lines with % out")

    def refuse_extras(self, event: yaml.NodeEvent) -> None:
        if event.anchor is not None:
            self.problems.add(f"the anchor &{event.anchor}", self.place(event), _ANCHORS)
        tag = getattr(event, "tag", None)
        if tag is not None:
            self.problems.add(
                f"the tag {tag} is not part of the language", self.place(event), "quote a text that starts with '!'"
            )

    def open(self, event: yaml.MappingStartEvent | yaml.SequenceStartEvent) -> None:
        place = self.place(event)
        if len(self.stack) >= DEEPEST:
            raise ComposeError(f"more than {DEEPEST} levels of nesting", place, "a graph needs about five")
        if self.stack and self.stack[-1].awaits_key:
            kind = "mapping" if isinstance(event, yaml.MappingStartEvent) else "list"
            raise ComposeError(f"a {kind} stands where a name is needed", place, "quote a text that starts with [ or {")
        self.stack.append(_Frame(place, isinstance(event, yaml.MappingStartEvent), bool(event.flow_style)))

    def close(self) -> None:
        frame = self.stack.pop()
        for key in frame.valueless if not frame.split else ():
            self.problems.add(
                f"'{shortened(key.text)}' has no value", key.place, f"write {write_text(key.text)}: value"
            )
        items = tuple(frame.items)
        self.attach(Mapping(tuple(frame.pairs), frame.place) if frame.is_mapping else Sequence(items, frame.place))

    def attach(self, node: Node) -> None:
        if not self.stack:
            self.root = node
            return
        frame = self.stack[-1]
        if not frame.is_mapping:
            frame.items.append(node)
        elif frame.key is not None:
            frame.pairs.append((frame.key, node))
            frame.key = None
        elif isinstance(node, Leaf):
            frame.key = node

    def scalar(self, event: yaml.ScalarEvent) -> None:
        place, text, is_plain = self.scalar_place(event), event.value, not event.style
        bad = forbidden_character(text.replace("\t", ""))
        if bad:
            self.problems.add(f"{character_name(bad.group())} in a text", place, "leave it out")
        if self.stack and self.stack[-1].awaits_key:
            self.attach(self.key(text, place, is_plain))
            return
        if is_plain and self.stack and self.stack[-1].flow:
            self.check_flow(self.stack[-1], text, place)
        value = read_scalar(text) if is_plain else text
        if isinstance(value, Refused):
            self.problems.add(value.fact, place, value.remedy)
            value = text
        self.attach(Leaf(value, place, text))

    def key(self, text: str, place: Place, is_plain: bool) -> Leaf:
        frame = self.stack[-1]
        leaf = Leaf(text, place, text)
        if is_plain and text == "<<":
            self.problems.add("the merge key '<<'", place, _ANCHORS)
        elif not text.strip():
            self.problems.add("a name is missing before ':'", place)
        elif len(text) > LONGEST_KEY or any(c in text for c in "\n\r\t"):
            self.problems.add(f"'{shortened(text)}' cannot be a name", place, "a name is short and stands on one line")
        first = frame.seen.setdefault("".join(text.split()), leaf)
        if first is not leaf and not frame.split:
            self.problems.add(
                f"'{shortened(text)}' is given twice", place, f"the first one is on line {first.place.line}"
            )
        if is_plain and frame.flow:
            self.check_flow(frame, text, place, key=True)
        return leaf

    def check_flow(self, frame: _Frame, text: str, place: Place, key: bool = False) -> None:
        """Inside `{...}` and `[...]` a comma ends a scalar, also in the middle of a call."""
        if frame.split:
            return
        if not brackets_match(text):
            frame.split = True
            self.problems.add(
                f"in flow style a comma splits the call: '{shortened(text)}' has an open bracket",
                place,
                "write it on a line of its own, or in quotes",
            )
        elif not text and not key and frame.is_mapping and frame.key is not None:
            frame.valueless.append(frame.key)


def _marks(event: yaml.Event) -> tuple[Any, Any]:
    """Where an event starts and ends; the scanner always says so."""
    return event.start_mark, event.end_mark


_ANCHORS = "graphs have no anchors: use `extends:` for a base, an index for repetition, a param for a number"
