"""Functions that map over lists: of scales, of features at several layers."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any


def over_lists(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let `function` take a list where it takes a tensor: it is called on each item, and gives a list.

    Lists may be nested; several lists go item by item. A tensor beside a list is given to every call.

    >>> over_lists(abs)([-1, [2, -3]])
    [1, [2, 3]]
    """

    @wraps(function)
    def mapped(*arguments: Any, **settings: Any) -> Any:
        lengths = {len(a) for a in arguments if isinstance(a, (list, tuple))}
        if not lengths:
            return function(*arguments, **settings)
        if len(lengths) > 1:
            raise ValueError(f"lists of {' and '.join(map(str, sorted(lengths)))} items cannot go item by item")
        return [
            mapped(*[a[number] if isinstance(a, (list, tuple)) else a for a in arguments], **settings)
            for number in range(lengths.pop())
        ]

    return mapped
