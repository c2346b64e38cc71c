"""Nodes -> a clean graph file: the order of keys is kept, texts are quoted only where they must be.

Calls stand on lines of their own; short settings are written in braces, as in `G: {block: unet, out: 3}`. Reading
what was written gives an equal tree.
"""

from __future__ import annotations

import re

from composer.scalars import brackets_match, read_scalar, write_text
from composer.tree import Leaf, Mapping, Node, Sequence, plain

WIDTH = 120
_FLOW_TEXT = re.compile(r"[=A-Za-z0-9_.(-]([A-Za-z0-9_=.()+*/%-]| (?! ))*(?<! )")  # may stand between commas
_FLOW_WORD = re.compile(r"[=A-Za-z0-9_.+-]+")
_BRACES = ("networks", "optimizers", "averages", "translate", "training")
_WIRING = ("values", "minimize", "collect")


def write_yaml(root: Mapping) -> str:
    """`root` as the text of a file, a blank line between sections."""
    blocks: list[str] = []
    for key, node in root:
        braces = key.text in _BRACES
        lines = _entry(key.text, node, 0, key.text == "training", braces)
        alone = len(lines) == 1 and key.text != "training"
        if blocks and not (alone and "\n" not in blocks[-1]):
            lines.insert(0, "")
        blocks.append("\n".join(lines))
    return "\n".join(blocks) + "\n" if blocks else "{}\n"


def _entry(name: str, node: Node, indent: int, flow: bool, braces: bool) -> list[str]:
    """The lines of `name: node`; `flow` allows braces for `node` itself, `braces` for what is below it."""
    head = " " * indent + write_text(name, key=True) + ":"
    inline = _inline(node, flow and name not in _WIRING)
    if inline is not None and (isinstance(node, Leaf) or len(head) + len(inline) < WIDTH):
        return [f"{head} {inline}"]
    return [head, *_block(node, indent + 2, braces)]


def _block(node: Node, indent: int, braces: bool) -> list[str]:
    lines: list[str] = []
    if isinstance(node, Mapping):
        for key, value in node:
            lines += _entry(key.text, value, indent, braces, braces)
    elif isinstance(node, Sequence):
        for item in node:
            inline = _inline(item, False)
            if inline is not None:
                lines.append(" " * indent + f"- {inline}")
            else:
                below = _block(item, indent + 2, False)
                lines += [" " * indent + "- " + below[0].lstrip(), *below[1:]]
    return lines


def _inline(node: Node, flow: bool) -> str | None:
    """`node` on one line, or None when it takes several."""
    if isinstance(node, Leaf):
        return _scalar(node)
    if not len(node):
        return "{}" if isinstance(node, Mapping) else "[]"
    if isinstance(node, Mapping) and not flow:
        return None
    return _braced(node)


def _braced(node: Node) -> str | None:
    """`node` in flow style, or None when something in it has commas or brackets of its own."""
    if isinstance(node, Leaf):
        text = _scalar(node)
        if not isinstance(node.value, str) or text[0] in "\"'":
            return text
        return text if _FLOW_TEXT.fullmatch(text) and brackets_match(text) else None
    if isinstance(node, Sequence):
        items = [_braced(item) for item in node]
        if any(not _is_word(item) for item in node if isinstance(item, Leaf)):
            return None
        return None if None in items else "[" + ", ".join(str(item) for item in items) + "]"
    pairs = [(write_text(key.text, key=True), _braced(value)) for key, value in node]
    if any(value is None or not _FLOW_WORD.fullmatch(key) for key, value in pairs):
        return None
    return "{" + ", ".join(f"{key}: {value}" for key, value in pairs) + "}"


def _is_word(leaf: Leaf) -> bool:
    return not isinstance(leaf.value, str) or bool(_FLOW_WORD.fullmatch(leaf.value))


def _scalar(leaf: Leaf) -> str:
    value = leaf.value
    if isinstance(value, str):
        return write_text(value)
    if value is None:
        return "null"
    again = read_scalar(leaf.text)
    if type(again) is type(value) and again == value:  # 2e-4 stays as it was written
        return leaf.text
    return str(value).lower() if isinstance(value, bool) else repr(value)


def written_alike(one: Node, other: Node) -> bool:
    """Whether two trees say the same: equal data of equal types, in equal order."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        pairs = zip(one, other, strict=False)
        return one.keys() == other.keys() and all(written_alike(a, b) for (_, a), (_, b) in pairs)
    if isinstance(one, Sequence) and isinstance(other, Sequence):
        return len(one) == len(other) and all(map(written_alike, one, other))
    return type(plain(one)) is type(plain(other)) and plain(one) == plain(other)
