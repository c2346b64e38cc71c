"""Values of settings as words."""

from __future__ import annotations

from typing import Any


def word(value: Any) -> str:
    """A value as it is read on a page: `none`, `yes`, lists with blanks, pairs with `=`."""
    if value is None:
        return "none"
    if isinstance(value, (list, tuple)):
        return " ".join("=".join(map(word, one)) if isinstance(one, (list, tuple)) else word(one) for one in value)
    return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)
