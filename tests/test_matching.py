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


LAYERS = "x[b h] -> (x[b {width} h]*{first}, (x[b {width*2**(group + 1)} {h//2**(group + 1)}]*{2}, y[b 1])*{down})"


def test_lists_in_parentheses_are_one_list() -> None:
    found = met(LAYERS, (Rows(), 8), width=4, first=1, down=2)
    assert str(found) == "(x[b 4 8], x[b 8 4], x[b 8 4], y[b 1], x[b 16 2], x[b 16 2], y[b 1])"
    assert str(met("x[b h] -> (x[b h], y[b {h*h}]*{n}), z[]", (Rows(), 8), n=0)) == "(x[b 8]), z"
    one = met("x[b h] -> (x[b {h//2**group} {item + 1}]*{n}, score[b 1])*{scales}", (Rows(), 8), n=2, scales=2)
    assert str(one) == "((x[b 8 1], x[b 8 2], score[b 1]), (x[b 4 1], x[b 4 2], score[b 1]))"


def test_what_is_not_known_of_lists_is_left_open() -> None:
    assert str(met("x[b h] -> (x[b h]*, y[b 2])", (Rows(), 8))) == "list of value[...]"
    assert str(met("x[b h] -> (x[b {h//2**group}], y[b 2])*", (Rows(), 8))) == "list of (x[b ?], y[b 2])"
    assert str(met("x[b h] -> (x[b h]*{h}, y[b 2])*{2}", (Rows(), None))) == "(list of value[...], list of value[...])"
    assert str(met("x[b h] -> x[b h]*{h} at taps", (Rows(), None), taps=[1, 0])) == "(value[...], value[...])"
    assert str(met("x[b h] -> x[b {1 if group is None else 2}]*{1}", (Rows(), 8), group=None)) == "(x[b 1])"


def test_layers_are_picked_by_their_numbers() -> None:
    known = {"width": 4, "first": 1, "down": 2}
    assert str(met(LAYERS + " at taps", (Rows(), 8), **known, taps=[6, 0, 4])) == "(y[b 1], x[b 4 8], x[b 16 2])"
    assert str(met("x[b h] -> x[b {item + 1}]*{n} at which where n > 1", (Rows(), 8), n=3, which=(2,))) == "(x[b 3])"
    whole = match(parse_signature(LAYERS + " at taps"), [Tensor("x", (Rows(), 8))], {**known, "taps": [0]})
    assert whole.layers == 7


@pytest.mark.parametrize(
    ("taps", "words"),
    [
        ([7], "there is no layer 7"),
        ([0, -1], "there is no layer -1"),
        ([1.0], "'taps' has 1.0, which is no whole number"),
        ([True], "'taps' has true, which is no whole number"),
        (["x"], "'taps' has 'x', which is no whole number"),
        ([], "'taps' names no layer"),
        (3, "'taps' is 3, not a list of numbers of layers"),
        (None, "'taps' is a number that changes in the run, not a list"),
    ],
)
def test_layers_that_are_none_are_refused(taps: Any, words: str) -> None:
    with pytest.raises(Mismatch, match=words) as found:
        met(LAYERS + " at taps", (Rows(), 8), width=4, first=1, down=2, taps=taps)
    assert "layers" in found.value.remedy
    with pytest.raises(Mismatch, match="needs 'taps', the numbers of the layers to give"):
        met(LAYERS + " at taps", (Rows(), 8), width=4, first=1, down=2)


@pytest.mark.parametrize(
    ("contract", "words"),
    [
        ("x[b] -> x[b]* at taps", "behind one list"),
        ("x[b] -> (x[b]*) at taps", "behind one list"),
        ("x[b] -> (x[b])*{2} at taps", "behind one list"),
        ("x[b] -> x[b] at taps", "behind one list"),
        ("x[b] -> x[b]*{2}, y[b] at taps", "behind one list"),
        ("x[b] -> x[b]*{2} at two words", "behind one list"),
        ("(x[b]) -> x[b]", "among the outputs"),
        ("x[b] -> (x[b]", "is not closed"),
        ("x[b] -> x[b", "is not closed"),
        ("x[b] -> ()", "in parentheses stand kinds"),
        ("x[b] -> (x[b]?)", "in parentheses stand kinds"),
    ],
)
def test_contracts_of_lists_that_mean_nothing_are_refused(contract: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_signature(contract)


def test_a_list_too_long_is_refused_however_it_is_written() -> None:
    for contract in ("x[b] -> x[b]*{n*n}", "x[b] -> (x[b], (x[b]*{n})*{n})", "x[b] -> ((((x[b])*{n})*{n})*{n})"):
        with pytest.raises(Mismatch, match="would give a list of"):
            met(contract, (Rows(),), n=1000)


def test_sizes_may_come_from_a_list_of_settings() -> None:
    found = met("x[b h] -> x[b {widths[item]} h]*{len(widths)}", (Rows(), 8), widths=[3, 5])
    assert str(found) == "(x[b 3 8], x[b 5 8])"


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
