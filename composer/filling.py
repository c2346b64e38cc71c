"""A number where a block needs a value: it stands for a value full of it, shaped like another argument."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from composer.block import Block
from composer.nodes import Node
from composer.signature import INTEGER_KINDS, Port, parse_signature

if TYPE_CHECKING:
    from composer.elaborate import Elaborator


def takes_number(block: Block, position: int) -> bool:
    """Whether a number may stand at `position`: the input has no sizes of its own, or those of another one."""
    ports = parse_signature(block.signature).inputs
    port = ports[position]
    if port.axes is None:
        return True
    return block.role in ("function", "loss") and any(
        _alike(port, other) or _labels(port, other) for number, other in enumerate(ports) if number != position
    )


def fill(elaborator: Elaborator, block: Block, args: Sequence[Node]) -> list[Node]:
    """`bce(D(x), 1)` is `bce(D(x), full_like(D(x), 1))`, `cross_entropy(D(x), 2)` likewise with `labels_like`."""
    ports = parse_signature(block.signature).inputs[: len(args)]
    found = list(args)
    for position, (port, arg) in enumerate(zip(ports, args, strict=True)):
        if not arg.scalar or port.axes is None:
            continue
        for other, like in zip(ports, args, strict=True):
            if like.scalar or not (_alike(port, other) or _labels(port, other)):
                continue
            maker = "full_like" if _alike(port, other) else "labels_like"
            value = arg.setting("value") if arg.op == "number" else arg
            text = f"{maker}({like.text}, {arg.text})"
            found[position] = elaborator.table.node("apply", maker, arg.place, text, [like], {"value": value})
            break
    return found


def _alike(port: Port, other: Port) -> bool:
    """Whether both inputs have the same sizes by contract."""
    return port.axes == other.axes and not (port.listed or other.listed)


def _labels(port: Port, other: Port) -> bool:
    """Whether `port` is the label of each row of scores `other`: `label[b ...]` beside `logits[b k ...]`."""
    if port.kind not in INTEGER_KINDS or not port.axes or not other.axes or len(other.axes) != len(port.axes) + 1:
        return False
    return port.axes == (other.axes[0], *other.axes[2:])
