"""Plain text <-> scalar, by the core schema of YAML 1.2: `1e-4` is a number, `no` and `on` are text, `017` is 17."""

from __future__ import annotations

import re
from dataclasses import dataclass

from composer.tree import Scalar, shortened

LARGEST = 10**18
LONGEST_NUMBER = 64  # characters; also keeps Python from turning a million digits into a number

_NULLS = frozenset(("", "~", "null", "Null", "NULL"))
_TRUE = frozenset(("true", "True", "TRUE"))
_FALSE = frozenset(("false", "False", "FALSE"))
_WHOLE = re.compile(r"[-+]?[0-9]+")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_DECIMAL = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")

# Characters that have no place in a graph file: controls but the line break, separators that only some programs
# take for line breaks, the byte order mark, halves of characters.
_FORBIDDEN = re.compile("[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")
_INDICATORS = "-?:,[]{}#&*!|>'\"%@`"


@dataclass(frozen=True)
class Refused:
    """A scalar that has a number's form and no usable value."""

    fact: str
    remedy: str


def read_scalar(text: str) -> Scalar | Refused:
    """The value of a scalar written without quotes.

    >>> [read_scalar(t) for t in ("1e-4", "no", "017", "12:30:00", "~", "true", "=lr / 2")]
    [0.0001, 'no', 17, '12:30:00', None, True, '=lr / 2']
    """
    if text in _NULLS:
        return None
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    if text[0] not in "+-.0123456789":
        return text
    if _NOT_FINITE.fullmatch(text):
        return Refused(f"'{text}' is not a number that can be used", "write a finite number, or quote it as text")
    decimal = _DECIMAL.fullmatch(text)
    if not decimal and not _BASED.fullmatch(text):
        return text
    value: int | float = 0
    if len(text) <= LONGEST_NUMBER:
        value = int(text) if _WHOLE.fullmatch(text) else float(text) if decimal else int(text, 0)
        if abs(value) <= LARGEST:
            return value
    return Refused(f"the number {shortened(text, 24)} is too large", "use one below 1e18, or quote it as text")


def forbidden_character(text: str) -> re.Match[str] | None:
    """The first character of `text` that may not stand in a graph file."""
    return _FORBIDDEN.search(text)


def character_name(character: str) -> str:
    """How a message calls a forbidden character."""
    names = {"\t": "a tab", "\x00": "a NUL character", "\ufeff": "a byte order mark"}
    return names.get(character, f"the control character U+{ord(character):04X}")


def write_text(text: str, key: bool = False) -> str:
    """`text` as a YAML scalar (or key), quoted only where it would be read as something else."""
    if needs_no_quotes(text, key):
        return text
    if "\n" not in text and "\r" not in text and not forbidden_character(text):
        if '"' not in text and "\\" not in text:
            return f'"{text}"'
        return "'" + text.replace("'", "''") + "'"
    return '"' + "".join(_escaped(character) for character in text) + '"'


def needs_no_quotes(text: str, key: bool = False) -> bool:
    """Whether `text` on a line of its own is read as itself; keys are text whatever they look like."""
    if not text or text != text.strip() or text == "<<" or text.startswith(("---", "...")):
        return False
    if "\n" in text or "\r" in text or forbidden_character(text) or not (key or read_scalar(text) == text):
        return False
    if text[0] in _INDICATORS and not (text[0] == "-" and len(text) > 1 and text[1] != " "):
        return False
    return ": " not in text and " #" not in text and not text.endswith(":")


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if character in "\n\r\t":
        return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}[character]
    if forbidden_character(character):
        return f"\\u{ord(character):04x}"
    return character


def brackets_match(text: str) -> bool:
    """Whether every bracket of `text` has its partner, quoted parts aside.

    >>> brackets_match('D(x, "(")'), brackets_match("D(x"), brackets_match("y)")
    (True, False, False)
    """
    expected: list[str] = []
    quote = ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        elif character in "([{":
            expected.append(")]}"["([{".index(character)])
        elif character in ")]}" and (not expected or expected.pop() != character):
            return False
    return not expected
