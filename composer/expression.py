"""Wiring text -> a small tree with places. Python's `ast` reads it in `eval` mode; it is never executed."""

from __future__ import annotations

import ast
import keyword
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field, fields

from composer.errors import ComposeError, Place

LONGEST = 4000
DEEPEST = 60
HOLE = " "  # the name of what a layer of a chain is given; shown as x


@dataclass(frozen=True)
class Expression:
    """A node of the tree; `at` is where it stands and takes no part in equality."""

    at: Place = field(compare=False, repr=False)


@dataclass(frozen=True)
class Constant(Expression):
    """A number, a text or a truth value."""

    value: int | float | bool | str


@dataclass(frozen=True)
class Name(Expression):
    id: str


@dataclass(frozen=True)
class Call(Expression):
    function: Expression
    arguments: tuple[Expression, ...]
    keywords: tuple[tuple[str, Expression], ...] = ()


@dataclass(frozen=True)
class Index(Expression):
    base: Expression
    items: tuple[Expression, ...]


@dataclass(frozen=True)
class Attribute(Expression):
    base: Expression
    name: str


@dataclass(frozen=True)
class ListOf(Expression):
    items: tuple[Expression, ...]


@dataclass(frozen=True)
class Operation(Expression):
    """An operator (`+ - * / %`, a comparison, `and or not`, `neg`) on its operands."""

    operator: str
    operands: tuple[Expression, ...]


_OPERATORS: dict[type[ast.AST], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.Mod: "%",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.And: "and",
    ast.Or: "or",
}
_REFUSED: dict[type[ast.AST], tuple[str, str]] = {
    ast.Pow: ("'**' is not offered", "multiply"),
    ast.FloorDiv: ("'//' is not offered", "use floor(a / b)"),
    ast.Lambda: ("functions cannot be defined in a graph", "write a block in Python"),
    ast.IfExp: ("there is no 'if' in an expression", "use a variant, or where(condition, a, b)"),
    ast.ListComp: ("there are no loops in an expression", "use an index: f[l]"),
    ast.Dict: ("there are no dictionaries in an expression", "settings are keyword arguments: f(x, width=3)"),
    ast.Set: ("there are no sets in an expression", "write a list: [1, 2]"),
    ast.Starred: ("'*' before an argument is not offered", "write the arguments out"),
    ast.Slice: ("slices are not offered", "use rows(x, first, count) or channels(x, first, count)"),
    ast.JoinedStr: ("formatted strings are not offered", "write the text out"),
    ast.NamedExpr: ("':=' is not offered", "give the value a line of its own"),
    ast.Tuple: ("a list of values stands here", "write [a, b], or give each a line of its own"),
}


def parse_expression(text: str, at: Place) -> Expression:
    """The tree of `text`, which stands at `at`; a `ComposeError` with the column when it is no expression."""
    return _Reader(text, at).read()


def parse_targets(text: str, at: Place) -> tuple[Expression, ...]:
    """The left side of a line: `fake[s,t]`, or several names `u, v` (a name or an indexed name each)."""
    tree = _Reader(text, at).read_tuple()
    for target in tree:
        named = target.base if isinstance(target, Index) else target
        if not isinstance(named, Name):
            raise ComposeError(f"'{text}' is no name", at, "write name, name[index] or a list of names: u, v")
    return tree


class _Reader:
    def __init__(self, text: str, at: Place) -> None:
        self.text, self.at = text, at

    def parse(self) -> ast.expr:
        if len(self.text) > LONGEST:
            raise ComposeError(
                f"an expression of {len(self.text)} characters", self.at, "give parts of it lines of their own"
            )
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Python's opinion on `1 is 1` and `"\d"`
                return ast.parse(self.text, mode="eval").body
        except SyntaxError as error:
            raise self._syntax(error) from None
        except (ValueError, RecursionError, MemoryError, OverflowError):
            raise ComposeError("this is no expression", self.at, "expected something like G(a)") from None

    def _syntax(self, error: SyntaxError) -> ComposeError:
        column = max(0, (error.offset or 1) - 1)
        shown = self.text if len(self.text) <= 60 else self.text[:57] + "..."
        words = re.findall(r"[A-Za-z_]\w*", self.text)
        python_words = [w for w in words if keyword.iskeyword(w) and w not in ("and", "or", "not")]
        place = self.at.within(min(column, max(0, len(self.text) - 1)), 1)
        if self.text.count("(") != self.text.count(")") or self.text.count("[") != self.text.count("]"):
            return ComposeError(f"brackets do not match in '{shown}'", place, "close every '(' and '['")
        if python_words:
            word = python_words[0]
            place = self.at.within(re.search(rf"\b{word}\b", self.text).start(), len(word))  # type: ignore[union-attr]
            return ComposeError(f"'{word}' is a word of Python and no name here", place, "choose another name")
        if not self.text.strip():
            return ComposeError("an expression is missing", self.at, "expected something like G(a)")
        return ComposeError(f"'{shown}' is no expression", place, "expected something like G(a) or 2 * l1(x, y)")

    def read(self) -> Expression:
        return self.convert(self.parse(), 0)

    def read_tuple(self) -> tuple[Expression, ...]:
        tree = self.parse()
        items = tree.elts if isinstance(tree, ast.Tuple) else [tree]
        return tuple(self.convert(item, 0) for item in items)

    def place(self, tree: ast.expr) -> Place:
        lines = self.text.splitlines() or [""]
        line = lines[min(tree.lineno - 1, len(lines) - 1)]
        start = len(line.encode()[: tree.col_offset].decode(errors="ignore"))
        length = 1
        if tree.end_lineno == tree.lineno and tree.end_col_offset is not None:
            length = len(line.encode()[: tree.end_col_offset].decode(errors="ignore")) - start
        if tree.lineno > 1:  # a folded scalar: its lines cannot be told apart any more
            return self.at
        return self.at.within(start, length)

    def convert(self, tree: ast.expr, depth: int) -> Expression:
        at = self.place(tree)
        if depth > DEEPEST:
            raise ComposeError("an expression nested too deeply", self.at, "give parts of it lines of their own")
        deeper = depth + 1
        match tree:
            case ast.Constant(value=bool() as value):
                raise ComposeError(f"'{value}' is Python's spelling", at, f"write {str(value).lower()}")
            case ast.Constant(value=None):
                raise ComposeError("'None' is a word of Python", at, "leave it out")
            case ast.Constant(value=int() | float() | str() as value):
                if not isinstance(value, str) and not abs(value) < 1e18:
                    raise ComposeError("a number too large to mean anything", at, "use one below 1e18")
                return Constant(at, value)
            case ast.Name(id="true" | "false"):
                return Constant(at, tree.id == "true")
            case ast.Name():
                return Name(at, tree.id)
            case ast.Call():
                for word in tree.keywords:
                    if word.arg is None:
                        raise ComposeError("'**' is not offered", at, "write the settings out: width=3")
                return Call(
                    at,
                    self.convert(tree.func, deeper),
                    tuple(self.convert(a, deeper) for a in tree.args),
                    tuple((str(k.arg), self.convert(k.value, deeper)) for k in tree.keywords),
                )
            case ast.Subscript():
                items = tree.slice.elts if isinstance(tree.slice, ast.Tuple) else [tree.slice]
                return Index(at, self.convert(tree.value, deeper), tuple(self.convert(i, deeper) for i in items))
            case ast.Attribute():
                return Attribute(at, self.convert(tree.value, deeper), tree.attr)
            case ast.List():
                return ListOf(at, tuple(self.convert(i, deeper) for i in tree.elts))
            case ast.BinOp() if type(tree.op) in _OPERATORS:
                pair = (self.convert(tree.left, deeper), self.convert(tree.right, deeper))
                return Operation(at, _OPERATORS[type(tree.op)], pair)
            case ast.UnaryOp(op=ast.USub()):
                inner = self.convert(tree.operand, deeper)
                if isinstance(inner, Constant) and not isinstance(inner.value, (str, bool)):
                    return Constant(at, -inner.value)
                return Operation(at, "neg", (inner,))
            case ast.UnaryOp(op=ast.UAdd()):
                return self.convert(tree.operand, deeper)
            case ast.UnaryOp(op=ast.Not()):
                return Operation(at, "not", (self.convert(tree.operand, deeper),))
            case ast.BoolOp():
                return Operation(at, _OPERATORS[type(tree.op)], tuple(self.convert(v, deeper) for v in tree.values))
            case ast.Compare() if all(type(o) in _OPERATORS for o in tree.ops):
                operands = [self.convert(v, deeper) for v in (tree.left, *tree.comparators)]
                pairs = [
                    Operation(at, _OPERATORS[type(o)], (operands[i], operands[i + 1])) for i, o in enumerate(tree.ops)
                ]
                return pairs[0] if len(pairs) == 1 else Operation(at, "and", tuple(pairs))
        inner_kind = type(tree.op) if isinstance(tree, ast.BinOp) else type(tree)
        fact, remedy = _REFUSED.get(inner_kind, (f"'{ast.unparse(tree)}' is not part of the language", ""))
        raise ComposeError(fact, at, remedy or "use calls, names, numbers, texts, lists and + - * / %")


def walk(tree: Expression) -> Iterator[Expression]:
    """`tree` and everything below it."""
    yield tree
    for item in fields(tree):
        value = getattr(tree, item.name)
        for child in value if isinstance(value, tuple) else (value,):
            if isinstance(child, Expression):
                yield from walk(child)
            elif isinstance(child, tuple) and len(child) == 2 and isinstance(child[1], Expression):
                yield from walk(child[1])


def show(tree: Expression) -> str:
    """The canonical text of a tree."""
    match tree:
        case Constant(value=bool()):
            return "true" if tree.value else "false"
        case Constant(value=str()):
            return f'"{tree.value}"'
        case Constant():
            return f"{tree.value:g}" if isinstance(tree.value, float) else str(tree.value)
        case Name():
            return "x" if tree.id == HOLE else tree.id
        case Call():
            parts = [show(a) for a in tree.arguments] + [f"{k}={show(v)}" for k, v in tree.keywords]
            return f"{show(tree.function)}({', '.join(parts)})"
        case Index():
            return f"{show(tree.base)}[{','.join(show(i) for i in tree.items)}]"
        case Attribute():
            return f"{show(tree.base)}.{tree.name}"
        case ListOf():
            return "[" + ", ".join(show(i) for i in tree.items) + "]"
        case Operation(operator="neg"):
            return f"-{_bracket(tree.operands[0])}"
        case Operation(operator="not"):
            return f"not {_bracket(tree.operands[0])}"
        case Operation():
            return f" {tree.operator} ".join(_bracket(o) for o in tree.operands)
    raise AssertionError(f"no text for {type(tree).__name__}")


def _bracket(tree: Expression) -> str:
    return f"({show(tree)})" if isinstance(tree, Operation) else show(tree)


def kind_of(value: object) -> str:
    """What a constant is, in words."""
    names = {str: "a text", list: "a list", bool: "a truth value", int: "a number", float: "a number"}
    return names.get(type(value), "a value")
