"""Making one module of a block: whatever its constructor refuses is said with a place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from composer.block import Block
from composer.errors import ComposeError, Place


def build_block(block: Block, sizes: Mapping[str, Any], settings: Mapping[str, Any], who: str, place: Place) -> Any:
    """A module of `block` for axes of these `sizes`; `who` is what messages call it."""
    try:
        return block.load()(*(sizes[axis] for axis in block.axes), **settings)
    except ComposeError as error:
        if error.place:
            raise
        raise ComposeError(f"{who}: {error.fact}", place, error.remedy) from None
    except Exception as error:  # a block is foreign code, which may raise anything
        first = (str(error) or type(error).__name__).splitlines()[0]
        fact = f"{who}: block '{block.name}' refuses its settings: {first}"
        raise ComposeError(fact, place, f"see `composer blocks {block.name}`") from None
