"""Every block of the catalogue is held to its contract; a new block is covered without writing a test."""

from __future__ import annotations

import pytest

import composer.blocks  # noqa: F401  # registers the bundled blocks
from composer.block import catalogue
from composer.testing import check_block


@pytest.mark.parametrize("name", sorted(catalogue()))
def test_the_laws_of(name: str) -> None:
    check_block(name)
