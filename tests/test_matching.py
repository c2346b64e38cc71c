"""Contracts met by arguments: conditions, sizes of the items of a list, what settings say of rows."""

from __future__ import annotations

from typing import Annotated, Any

import pytest

from composer.block import Block, Examples, Range, block_from_json, block_to_json, describe
from composer.errors import Place
from composer.matching import match
from composer.setting import check_setting
from composer.signature import Mismatch, Rows, Series, Tensor, parse_signature


def met(contract: str, *sizes: Any, **settings: Any) -> Any:
    """What a contract gives for arguments of these sizes."""
    return match(parse_signature(contract), [Tensor("x", s) for s in sizes], settings).output


def test_a_condition_over_settings_is_refused_in_its_own_words() -> None:
    contract = "x[b c h w] -> x[b c h w] where kernel % 2 == 1 and h > 3"
    assert str(met(contract, (Rows(), 3, 8, 8), kernel=3)) == "x[b 3 8 8]"
    with pytest.raises(Mismatch, match="needs kernel % 2 == 1, and kernel is 4"):
        met(contract, (Rows(), 3, 8, 8), kernel=4)
    with pytest.raises(Mismatch, match="needs h > 3, and h is 2"):
        met(contract, (Rows(), 3, 2, 8), kernel=3)


def test_a_condition_on_what_is_not_known_is_let_pass() -> None:
    assert str(met("x[b c] -> x[b c] where c > 3", (Rows(), None))) == "x[b ?]"
    assert str(met("x[b c] -> x[2 c] where 2 <= b", (Rows(), 3))) == "x[2 3]"
    assert str(met("x[b c] -> x[b c] where weights is None or len(weights) == 2", (2, 3), weights=None)) == "x[2 3]"


def test_items_of_a_list_have_sizes_of_their_own() -> None:
    assert str(met("x[b h] -> x[b {h//2**item}]*{n}", (Rows(), 8), n=3)) == "(x[b 8], x[b 4], x[b 2])"
    without_number = met("x[b h] -> x[b {h//2**item} h]*", (Rows(), 8))
    assert isinstance(without_number, Series) and str(without_number) == "list of x[b ? 8]"


def test_whether_rows_are_apart_may_depend_on_settings() -> None:
    one = Block("one", "module", "x[b] -> x[b]", "m", "One", per_sample="norm != 'batch'")
    assert one.is_per_sample({"norm": "instance"}) and not one.is_per_sample({"norm": "batch"})
    assert Block("two", "module", "x[b] -> x[b]", "m", "Two").is_per_sample({})


def paint(
    x: Any, kind: Annotated[str, Examples("relu", "tanh")] = "relu", width: Annotated[int, Range(1, 4)] = 2
) -> None:
    """Paint."""


def test_examples_survive_the_catalogue_and_give_the_names_of_a_text() -> None:
    found = describe(paint, "x[b] -> x[b]", {}, None, None)
    again = block_from_json(block_to_json(found))
    assert again.settings[0].examples == ("relu", "tanh") and again.settings[0].choices == ()
    problem = check_setting(again, "kind", "elu", Place("f.yaml"))
    assert problem is not None and "did you mean 'relu'?" in problem.remedy
    assert check_setting(again, "kind", "tanh", Place("f.yaml")) is None
