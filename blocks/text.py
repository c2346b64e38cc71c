"""Settings that are short calls written as text: `leaky_relu(0.2)`, `normal(0.02, bias="default")`."""

from __future__ import annotations

import ast
from functools import lru_cache
from typing import Any

from composer.errors import ComposeError


@lru_cache(maxsize=256)
def read_call(text: str) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
    """Name, positional and keyword arguments of `text`; nothing is executed.

    Arguments are numbers, texts (quoted or bare words), `true` or `false`.
    A `ComposeError` says when `text` is something else.

    >>> read_call("leaky_relu(0.2)")
    ('leaky_relu', (0.2,), {})
    """
    try:
        tree = ast.parse(text.strip(), mode="eval").body
        if isinstance(tree, ast.Name):
            return tree.id, (), {}
        if not isinstance(tree, ast.Call) or not isinstance(tree.func, ast.Name):
            raise ValueError("not a call")
        keywords = {str(word.arg): _constant(word.value) for word in tree.keywords}
        return tree.func.id, tuple(_constant(argument) for argument in tree.args), keywords
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ComposeError(f"'{text}' is no call", remedy="write a name, or a name with numbers: name(0.2)") from None


def _constant(tree: ast.expr) -> Any:
    if isinstance(tree, ast.Name):  # a bare word is a text: bias=default
        return {"true": True, "false": False}.get(tree.id, tree.id)
    return ast.literal_eval(tree)
