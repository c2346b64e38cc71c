"""The test kit: what holds Composer's compiler and blocks to their contracts, for blocks of your own too.

- `check_block("my_block")` (`laws`): holds a block to its contract and to the laws of its kind (needs `hypothesis`);
- `interpreter`: a second, slow, obviously right meaning of a graph, to compare programs with;
- `strategies`: hypothesis strategies for random graphs and their batches (needs `hypothesis`);
- `compare`: how far two sets of tensors are apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from composer.testing.laws import check_block

__all__ = ["check_block"]


def __getattr__(name: str) -> Any:
    """`check_block` brings hypothesis and torch along, so it is imported when it is asked for."""
    if name == "check_block":
        from composer.testing.laws import check_block

        return check_block
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
