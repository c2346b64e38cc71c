"""Syntax errors of YAML in plain words."""

from __future__ import annotations

from typing import Any

import yaml

_QUOTE = "put the text in quotes"
_NO_DIRECTIVE = "leave the lines with % out"
_FLOW_SPLIT = "in flow style brackets and commas split a text"
_OWN_LINE = "write it on a line of its own, or in quotes"

# Part of PyYAML's words (problem, or context) -> (fact, remedy, whether the place of the context is the better one).
_WORDS: tuple[tuple[str, str, str, bool], ...] = (
    ("mapping values are not allowed", "a ':' that cannot stand here", f"{_QUOTE}; or check the indentation", False),
    ("could not find expected ':'", "a line without ':'", "a line reads `name: value`", True),
    ("unexpected end of stream", "this quote is never closed", "close it on the same line", True),
    ("unknown escape character", "an escape that YAML does not know", "write \\\\, or use single quotes", False),
    ("while scanning an alias", "a text that starts with '*'", _QUOTE, True),
    ("while scanning an anchor", "a text that starts with '&'", _QUOTE, True),
    ("while scanning a tag", "a text that starts with '!'", _QUOTE, True),
    ("while parsing a tag", "a text that starts with '!'", _QUOTE, True),
    ("while scanning a block scalar", "a text that starts with '|' or '>'", _QUOTE, True),
    ("while scanning a directive", "a line that starts with '%'", _NO_DIRECTIVE, False),
    ("YAML directive", "a YAML directive", _NO_DIRECTIVE, False),
    ("incompatible YAML document", "a YAML directive", _NO_DIRECTIVE, False),
    ("expected '<document start>'", "text after the end of the document", "one file holds one graph", False),
    ("sequence entries are not allowed", "a '-' that cannot stand here", f"{_QUOTE}; a list has its own lines", False),
    ("mapping keys are not allowed", "a '?' that cannot stand here", _QUOTE, False),
    ("but found ':'", "a name is missing before ':'", "a line reads `name: value`", False),
    ("but found '<scalar>'", "a text goes on after its end", "quote the whole of it, or nothing of it", False),
    ("expected <block end>", "this line fits no line above", "indent it like its neighbours", False),
)
# Facts that may be about the lines above.
ABOUT_LINES = ("a ':' that cannot stand here", "this line fits no line above", "text after the end of the document")


def syntax_problem(error: Exception, in_flow: bool) -> tuple[Any, str, str]:
    """Mark, fact and remedy of what PyYAML raised; without a mark it is about the innermost bracket."""
    if not isinstance(error, yaml.MarkedYAMLError):
        return None, "this is not YAML text", "see docs/language.md for the form of a graph"
    problem, context = error.problem or "", error.context or ""
    found = problem.rpartition("found " if "but found" in problem else "but got ")[2].strip("'")
    if in_flow and found in ("<stream end>", "<document end>"):
        return None, "this bracket is never closed", "close it with ] or }"
    if "expected ',' or" in problem:
        if found in ("[", "{", "]", "}"):
            return error.problem_mark, f"{_FLOW_SPLIT}: found '{found}'", _OWN_LINE
        return error.context_mark, "this bracket is not closed before the next entry", f"close it; or {_OWN_LINE}"
    if "expected the node content" in problem:
        return error.problem_mark, f"'{found}' cannot stand here", _QUOTE
    if "cannot start any token" in problem:
        character = problem.partition("found character '")[2][:1]
        return error.problem_mark, f"a text cannot start with '{character}'", _QUOTE
    for words, fact, remedy, at_context in _WORDS:
        if words in problem or words in context:
            mark = error.context_mark if at_context and error.context_mark else error.problem_mark
            return mark or error.context_mark, fact, remedy
    if in_flow:
        return error.problem_mark, f"{_FLOW_SPLIT}: {problem}", _OWN_LINE
    return error.problem_mark or error.context_mark, f"this is not YAML: {problem or context}", _QUOTE
