"""What stands after `--data`, in parts: `DIR`, `NAME=VALUE`, `FILE.py:NAME`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Item:
    """One word after `--data`; without a name it is the data as a whole."""

    name: str
    value: str

    def __str__(self) -> str:
        return f"{self.name}={self.value}" if self.name else self.value


def read_spec(spec: Sequence[str]) -> list[Item]:
    """The words after `--data`; a path with `=` in it is a path."""
    return [Item(*_parts(item)) for item in spec]


def _parts(item: str) -> tuple[str, str]:
    name, equals, value = item.partition("=")
    if not equals or {"/", os.sep} & set(name) or _exists(item) or not name:
        return "", item
    return name, value


def _exists(path: str) -> bool:
    try:
        return os.path.exists(path)
    except ValueError:  # a path with a zero byte
        return False
