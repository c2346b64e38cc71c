"""Words for names that nobody knows: what was written, as it was written, and what was probably meant."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from composer.block import Block, catalogue
from composer.errors import ComposeError, Place, closest, nearest
from composer.expression import Attribute, Call, Expression, Index, Name, show
from composer.index import base_name

_PYTHON = {"detach": "stop(x)", "shape": "a param for the size", "cuda": "--device", "to": "--device"}


def unknown_network(
    tree: Expression, at: Place, networks: Mapping[str, Sequence[str]], written: Mapping[str, str]
) -> ComposeError:
    """`tree` names no network. `networks` are full names by base name, `written` the names as the file has them."""
    base = base_name(tree)
    if base not in networks:
        return ComposeError(f"unknown network '{show(tree)}'", at, nearest(base, networks))
    pattern = written.get(base, networks[base][0])
    if list(networks[base]) == [base]:
        return ComposeError(f"network '{base}' has no index", at, f"write {base}")
    if isinstance(tree, Name):
        return ComposeError(f"network '{base}' has an index", at, f"write {pattern}")
    return ComposeError(f"there is no network '{show(tree)}' here", at, _all(pattern, networks[base]))


def unknown_call(
    tree: Expression, name: str, at: Place, networks: Iterable[str], values: Iterable[str], known: Iterable[str]
) -> ComposeError:
    """What is called is neither a network nor a block."""
    if name in {value.partition("[")[0] for value in values}:
        return ComposeError(f"'{name}' is a value and cannot be called", at, "call a network or a block")
    if isinstance(tree, Index):
        return ComposeError(f"unknown network '{show(tree)}'", at, nearest(name, networks))
    remedy = nearest(name, known)
    if not remedy:
        here = ", ".join(networks)
        remedy = f"networks here: {here}; " if here else "blocks are called inside a network; "
        remedy += "`composer blocks` lists the blocks"
    return ComposeError(f"unknown block or network '{name}'", at, remedy)


def no_entry(tree: Attribute) -> ComposeError:
    """A method as Python has them, of something that is no network."""
    block = catalogue().get(tree.name)
    if tree.name in _PYTHON:
        remedy = f"use {_PYTHON[tree.name]}"
    else:
        remedy = f"write {call_form(block)}" if block else "only networks have entries: F.inverse(z)"
    return ComposeError(f"'{show(tree.base)}' has no '.{tree.name}'", tree.at, remedy)


def call_form(block: Block) -> str:
    """How a block is called: `resize(features, height, width, mode)`."""
    from composer.signature import parse_signature

    ports = [port.kind for port in parse_signature(block.signature).inputs if not port.optional]
    doubled = len(set(ports)) < len(ports)
    names = [f"{kind}{n}" if doubled else kind for n, kind in enumerate(ports, 1)]
    return f"{block.name}({', '.join([*names, *(s.name for s in block.settings if s.required)])})"


def unknown_value(name: str, shown: str, at: Place, names: Collection[str], remedy: str = "") -> ComposeError:
    """`name` (of `shown`, as it was written) stands for no value."""
    bases = list(dict.fromkeys(n.partition("[")[0] for n in names))
    if name in bases:
        fulls = [n for n in names if n.partition("[")[0] == name]
        return ComposeError(f"there is no '{shown}'", at, f"there is {', '.join(fulls[:8])}")
    close = closest(name, bases)
    return ComposeError(f"unknown value '{shown}'", at, f"did you mean '{close}'?" if close else remedy)


def _all(pattern: str, fulls: Sequence[str]) -> str:
    shown = list(fulls[:6]) + ["..."] * (len(fulls) > 6)
    return f"{pattern} is {', '.join(shown)}"


def meant_as_text(tree: Expression, block: Block | None) -> ComposeError | None:
    """The error for a name where `block` takes a text of that spelling, or None: `adversarial(score, real)`."""
    name = base_name(tree.function) if isinstance(tree, Call) else base_name(tree)
    if block is None or not isinstance(tree, (Name, Call)):
        return None
    texts = [text for setting in block.settings for text in (*setting.choices, *setting.examples)]
    if name not in {str(text).partition("(")[0] for text in texts if isinstance(text, str)}:
        return None
    return ComposeError(f"'{show(tree)}' is a text here", tree.at, f'write it in quotes: "{show(tree)}"')
