"""Types made of types: lists turned inside out, arithmetic on values of unlike sizes."""

from __future__ import annotations

from collections.abc import Sequence

from composer.block import Block
from composer.nodes import Node
from composer.signature import Dim, Mismatch, Series, Tensor, Type, parse_signature


def is_open(found: Type) -> bool:
    """Whether a type leaves a size, or the number of items of a list, open."""
    if isinstance(found, Tensor):
        return found.dims is None or None in found.dims
    return found.items is None or any(is_open(item) for item in found.items)


def has_series(args: Sequence[Type]) -> bool:
    return any(isinstance(a, Series) for a in args)


def outside_in(each: Type | None, items: list[Type] | None, block: Block) -> Type:
    """A list of results; of a block that gives parts (split), the parts, each a list."""
    first = parse_signature(block.signature).outputs[0]
    in_parts = first.listed or bool(first.parts)
    if items is None:
        assert each is not None
        if in_parts and isinstance(each, Series) and each.items is not None:
            return Series(tuple(Series(None, part) for part in each.items))
        return Series(None, each)
    if in_parts and items and all(isinstance(i, Series) and i.items is not None for i in items):
        count = len(items[0].items or ())  # type: ignore[union-attr]
        return Series(tuple(Series(tuple((i.items or ())[n] for i in items)) for n in range(count)))  # type: ignore[union-attr]
    if items and all(isinstance(i, Tensor) and i.dims == () for i in items):
        return items[0]
    return Series(tuple(items))


def tensors_of(found: Type) -> list[Tensor]:
    if isinstance(found, Tensor):
        return [found]
    return [t for i in (found.items or ()) for t in tensors_of(i)]


def broadcast(args: Sequence[Type], node: Node) -> Type:
    tensors = []
    for one in args:
        if not isinstance(one, Tensor):
            raise Mismatch(f"'{node.target}' needs single values, got {one}", remedy="take items: f[0]")
        tensors.append(one)
    real = [t for t in tensors if t.kind != "number"]
    kind = real[0].kind if real else "number"
    if any(t.dims is None for t in tensors):
        return Tensor(kind, None)
    rank = max(len(t.dims or ()) for t in tensors)
    result: list[Dim] = []
    for position in range(rank):
        sizes = []
        for one in tensors:
            dims = one.dims or ()
            offset = position - (rank - len(dims))
            if offset >= 0:
                sizes.append(dims[offset])
        known = {s for s in sizes if s is not None and s != 1}
        if len(known) > 1:
            shown = " and ".join(str(t) for t in tensors)
            raise Mismatch(f"{shown} do not fit each other", remedy="sizes must be equal, or 1")
        result.append(known.pop() if known else (None if None in sizes else 1))
    return Tensor(kind, tuple(result))
