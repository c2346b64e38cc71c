"""Every block of the catalogue is held to its contract; a new block is covered without writing a test."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator

import hypothesis
import pytest
from broken_blocks import BROKEN, Broken

import composer.blocks  # noqa: F401  # registers the bundled blocks
from composer.block import catalogue
from composer.testing import check_block

EXAMPLES = max(8, hypothesis.settings.default.max_examples // 3)  # a case tries every law


@pytest.mark.parametrize("name", sorted(catalogue()))
def test_the_laws_of(name: str) -> None:
    check_block(name, max_examples=EXAMPLES)


@pytest.fixture
def registered(request: pytest.FixtureRequest) -> Iterator[Broken]:
    """A broken block, known for one test."""
    registry = importlib.import_module("composer.block")  # the attribute `composer.block` is the decorator
    one: Broken = request.param
    one.register()
    yield one
    del registry._BLOCKS[one.name], registry._OBJECTS[one.name]


@pytest.mark.parametrize("registered", BROKEN, ids=lambda one: one.name, indirect=True)
def test_the_laws_find(registered: Broken) -> None:
    with pytest.raises(AssertionError) as found:
        check_block(registered.name, max_examples=30)
    assert re.search(registered.words, str(found.value)), str(found.value)
