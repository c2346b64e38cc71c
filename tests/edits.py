"""Random edits of graph files, in one place each: what a slip of the hand does, and what nobody would think of.

`edit(seed)` is a function of the seed alone. Graphs are the bundled ones and those in `fuzz_graphs`.
"""

from __future__ import annotations

import ast
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from fuzz_graphs import GRAPHS

from composer.block import catalogue
from composer.document import bundled_graphs, load

TOKEN = re.compile(r"[A-Za-z_]\w*|\d+(?:\.\d*)?(?:[eE][-+]?\d+)?|\"[^\"]*\"|[^\s\w]")
NAME = re.compile(r"[A-Za-z_]\w*")
NUMBERS = ["0", "-1", "1.5", "1e9", "1e30", "1e18", "65536", "65537", "1", "2", "7", "1e-4", "1e999", ".nan", "0.0"]
KINDS = ["[]", "{}", "[1, 2]", "{a: 1}", "null", "true", "text", "3", "-1", "=width", "=", '""', "[[a]]", "{a: {b: c}}"]
TEXTS = [
    "G(",
    "a b",
    "relu(a)",
    "1 +",
    "*a",
    "&a 1",
    "!a 1",
    "lambda: 1",
    "a if b else c",
    "x" * 300,
    "a ** b",
    "=a[",
    "é",
]
PYTHON = ["None", "True", "if", "for", "import", "not", "and", "lambda", "self", "__class__", "s", "t", "d"]


@dataclass(frozen=True)
class Edit:
    """A graph file after one edit. `line` (from 1) is the edited one, None where more than one was touched."""

    seed: int
    kind: str
    graph: str
    text: str
    line: int | None
    before: str = ""
    after: str = ""
    options: dict[str, Any] = field(default_factory=dict)  # preset, variants, settings


class Slip:
    """One edit being made: the lines of a graph, a source of chance, and the words there are."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        texts = sources()
        self.graph = self.chance.choice(sorted(texts))
        self.lines = texts[self.graph].splitlines()
        self.spots = [i for i, line in enumerate(self.lines) if _code(line).strip()]
        self.words = sorted(set(NAME.findall("\n".join(map(_code, self.lines)))))

    def pick(self) -> int:
        return self.chance.choice(self.spots)

    def word(self) -> str:
        """A name of the file, a typing error in one, a block, or a word of Python."""
        dice = self.chance.random()
        if dice < 0.4:
            return self.chance.choice(self.words)
        if dice < 0.6:
            return self.typo(self.chance.choice(self.words))
        return self.chance.choice(sorted(catalogue()) if dice < 0.85 else PYTHON)

    def typo(self, word: str) -> str:
        """Two letters swapped, or one lost, doubled or wrong."""
        i = self.chance.randrange(len(word))
        swapped = word[:i] + word[i + 1 : i + 2] + word[i] + word[i + 2 :]
        letter = self.chance.choice("aeqz_1")
        return self.chance.choice(
            [swapped, word[:i] + word[i + 1 :], word[:i] + word[i] + word[i:], word[:i] + letter + word[i + 1 :]]
        )

    def index(self) -> str:
        items = self.chance.choices(["a", "b", "c", "s", "t", "d", "0", "1", "-1", "9", "z", '"a"', "1.5"], k=2)
        return "[" + ",".join(items[: self.chance.choice((1, 1, 2))]) + "]"

    def value(self) -> str:
        return self.chance.choice(KINDS + NUMBERS + TEXTS)


def _code(line: str) -> str:
    """A line without its comment."""
    return re.sub(r"(^|\s)#.*$", "", line)


_SOURCES: dict[str, str] = {}


def sources() -> dict[str, str]:
    if not _SOURCES:
        for name, path in bundled_graphs().items():
            _SOURCES[name] = path.read_text(encoding="utf-8")
        _SOURCES.update(GRAPHS)
    return _SOURCES


# Edits of one line: a line in, a line out.


def character(slip: Slip, line: str) -> str:
    code, chance = _code(line), slip.chance
    i = chance.randrange(len(code))
    new = chance.choice("abzXY019_ ,.:;[](){}=+-*/%\"'#&!|<>~@\\\té\x00")
    return chance.choice([code[:i] + code[i + 1 :], code[:i] + new + code[i:], code[:i] + new + code[i + 1 :]])


def token(slip: Slip, line: str) -> str:
    code, chance = _code(line), slip.chance
    found = list(TOKEN.finditer(code))
    if not found:
        return code + slip.word()
    one = chance.choice(found)
    text = one.group()
    if text[0].isdigit():
        new = chance.choice([*NUMBERS, slip.word(), str(chance.randrange(1, 300))])
    elif NAME.fullmatch(text):
        new = chance.choice([slip.word(), slip.typo(text), slip.typo(text), chance.choice(NUMBERS), f'"{text}"'])
    else:
        new = chance.choice(["", "+", "*", "/", "%", ",", ":", "(", ")", "[", "]", "==", "**", "//", ".", '"fake"'])
    new = chance.choice([new, new, new, new, "", f"{text} {text}"])
    return code[: one.start()] + new + code[one.end() :]


def indentation(slip: Slip, line: str) -> str:
    code = _code(line)
    shift = slip.chance.choice([-4, -2, -1, 1, 2, 4])
    return " " * shift + code if shift > 0 else code[min(-shift, len(code) - len(code.lstrip())) :]


def key(slip: Slip, line: str) -> str:
    code = _code(line)
    name, colon, rest = code.partition(":")
    if not colon or not name.strip():
        return token(slip, line)
    indent, old = name[: len(name) - len(name.lstrip())], name.strip()
    bare = old.partition("[")[0]
    new = slip.chance.choice(
        [slip.typo(old), slip.word(), bare, bare + slip.index(), f"{old}, {slip.word()}", f"{old}.x", "_", "1", "[a]"]
    )
    return f"{indent}{new}:{rest}"


def replaced(slip: Slip, line: str) -> str:
    code = _code(line)
    name, colon, _ = code.partition(":")
    if not colon:
        return code[: len(code) - len(code.lstrip())] + "- " + slip.value()
    return f"{name}: {slip.value()}"


def indices(slip: Slip, line: str) -> str:
    code = _code(line)
    spots = list(re.finditer(r"\[[^\[\]]*\]", code)) or list(NAME.finditer(code))
    if not spots:
        return token(slip, line)
    one = slip.chance.choice(spots)
    kept = one.group() if not one.group().startswith("[") else ""
    new = slip.chance.choice([kept + slip.index(), kept + slip.index(), kept])
    return code[: one.start()] + new + code[one.end() :]


def grammar(slip: Slip, line: str) -> str:
    """One node of the expression on the right replaced by another kind of node."""
    code = _code(line)
    name, colon, right = code.partition(": ")
    if not colon:
        name, colon, right = code.partition("- ")
    try:
        tree: ast.AST = ast.parse(right.strip().lstrip("="), mode="eval")
    except (SyntaxError, ValueError):
        return token(slip, line)
    owners = [
        (owner, label, i)
        for owner in ast.walk(tree)
        for label, held in ast.iter_fields(owner)
        for i, item in enumerate(held if isinstance(held, list) else [held])
        if isinstance(item, ast.expr)
    ]
    owner, label, i = slip.chance.choice(owners)
    held = getattr(owner, label)
    old = held[i] if isinstance(held, list) else held
    new = _mutated(slip, old)
    if isinstance(held, list):
        held[i] = new
    else:
        setattr(owner, label, new)
    mark = "=" if right.strip().startswith("=") else ""
    try:
        text = ast.unparse(tree).replace("'", '"')
    except (ValueError, AttributeError):
        return token(slip, line)
    return f"{name}{colon}{mark}{text}"


def _mutated(slip: Slip, old: ast.expr) -> ast.expr:
    chance = slip.chance
    name = ast.Name(slip.word())
    number = ast.parse(chance.choice(NUMBERS[:-2]), mode="eval").body
    word = ast.keyword(slip.word(), chance.choice([number, name, old]))
    operator = chance.choice([ast.Add(), ast.Sub(), ast.Mult(), ast.Div(), ast.Mod(), ast.Pow(), ast.FloorDiv()])
    options: list[ast.expr] = [
        name,
        number,
        ast.Constant("text"),
        ast.List([old, number]),
        ast.Call(
            ast.Name(chance.choice(["stop", "again", "grad", "average", "relu", "l1", "split", "mean"])), [old], []
        ),
        ast.Call(ast.Name("grad"), [old, name], []),
        ast.Call(name, [old], [word]),
        ast.Call(old, [name], []),
        ast.Subscript(old, chance.choice([number, ast.Name("d"), ast.Name("a"), name])),
        ast.Attribute(old, slip.word()),
        ast.BinOp(old, operator, chance.choice([name, number, old])),
        ast.Compare(old, [ast.Lt()], [number]),
        ast.UnaryOp(chance.choice([ast.USub(), ast.Not(), ast.Invert()]), old),
        ast.IfExp(old, name, number),
        ast.Tuple([old, name]),
    ]
    if isinstance(old, ast.Call):
        options += [
            ast.Call(old.func, old.args[1:], old.keywords),
            ast.Call(old.func, [*old.args, name], old.keywords),
            ast.Call(old.func, old.args[::-1], old.keywords),
            ast.Call(old.func, old.args, [*old.keywords, word]),
            ast.Call(old.func, old.args, old.keywords[1:]),
            ast.Call(ast.Name(slip.word()), old.args, old.keywords),
        ] * 2
    if isinstance(old, ast.Subscript):
        options += [old.value] * 3
    return chance.choice(options)


# Edits of more than one line, and of what is said beside the file.


def lost(slip: Slip) -> None:
    del slip.lines[slip.pick()]


def doubled(slip: Slip) -> None:
    i = slip.pick()
    slip.lines.insert(i, slip.lines[i])


def swapped(slip: Slip) -> None:
    i, j = slip.pick(), slip.pick()
    slip.lines[i], slip.lines[j] = slip.lines[j], slip.lines[i]


def joined(slip: Slip) -> None:
    i = slip.pick()
    slip.lines[i : i + 2] = [" ".join(map(_code, slip.lines[i : i + 2]))]


def inserted(slip: Slip) -> None:
    i = slip.pick()
    indent = " " * slip.chance.choice([0, 2, 4, 6])
    slip.lines.insert(i, f"{indent}{slip.word()}: {slip.value()}")


def block(slip: Slip) -> None:
    """A heading with everything below it becomes one value."""
    depth = [len(line) - len(line.lstrip()) for line in slip.lines]
    heads = [i for i in slip.spots if _code(slip.lines[i]).rstrip().endswith(":")]
    i = slip.chance.choice(heads or slip.spots)
    end = i + 1
    while end < len(slip.lines) and (depth[end] > depth[i] or not slip.lines[end].strip()):
        end += 1
    slip.lines[i:end] = [f"{_code(slip.lines[i]).rstrip()} {slip.value()}"]


ONE_LINE: dict[str, Callable[[Slip, str], str]] = {
    f.__name__: f for f in (character, token, indentation, key, replaced, indices, grammar)
}
MORE_LINES: dict[str, Callable[[Slip], None]] = {
    f.__name__: f for f in (lost, doubled, swapped, joined, inserted, block)
}


@cache
def offered(graph: str) -> dict[str, tuple[str, ...]]:
    """The presets and the variants that a graph has, of its own or from the one it extends."""
    document = load(f"{graph}.yaml", text=sources()[graph])
    return {"preset": tuple(document.presets), "variants": tuple(document.variants)}


def _options(slip: Slip) -> dict[str, Any]:
    """A preset and a variant that the graph has, or none."""
    found: dict[str, Any] = {}
    for name, share in (("preset", 0.5), ("variants", 0.3)):
        names = offered(slip.graph)[name]
        if names and slip.chance.random() < share:
            one = slip.chance.choice(names)
            found[name] = one if name == "preset" else [one]
    return found


def said(slip: Slip) -> dict[str, Any]:
    """A preset, a variant or a setting with a slip in it."""
    chance, word = slip.chance, slip.word()
    path = chance.choice(
        [f"params.{word}", word, "training.batch", "training.epochs", f"networks.G.{word}", f"values.{word}", "show"]
    )
    return chance.choice([{"preset": word}, {"variants": [word]}, *[{"settings": {path: slip.value()}}] * 4])


def edit(seed: int) -> Edit:
    """The edit of that number; it changes something."""
    slip = Slip(seed)
    before = list(slip.lines)
    beside = _options(slip)
    kind = slip.chance.choice([*ONE_LINE, *ONE_LINE, "grammar", "token", *MORE_LINES, "said"])
    if kind == "said":
        return Edit(seed, kind, slip.graph, "\n".join(before) + "\n", None, options={**beside, **said(slip)})
    line = None
    while [*map(_code, before)] == [*map(_code, slip.lines)]:
        slip.lines = list(before)
        if kind in MORE_LINES:
            MORE_LINES[kind](slip)
        else:
            line = slip.pick()
            slip.lines[line] = ONE_LINE[kind](slip, before[line])
    text = "\n".join(slip.lines) + "\n"
    if line is None:
        return Edit(seed, kind, slip.graph, text, None, options=beside)
    return Edit(seed, kind, slip.graph, text, line + 1, before[line], slip.lines[line], options=beside)
