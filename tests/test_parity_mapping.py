"""What mappings of recorded traces may say: forms of draws, other mappings they start from, conditions, choices."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from composer.errors import ComposeError, Place
from composer.expression import parse_expression

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

from parity_parts.apart import evaluated  # noqa: E402
from parity_parts.entries import Draw, Given, Reading  # noqa: E402
from parity_parts.formula import value_of  # noqa: E402
from parity_parts.mapping import MethodMapping, Resolved  # noqa: E402
from parity_parts.replay import _read, formed  # noqa: E402
from parity_parts.selftest import falsify_fed  # noqa: E402

BASE = """
graph: "{where(two, \\"cut\\", \\"fastcut\\")}"
config: {width: 4, two: true}
settings:
  - params.width: width
  - when: not two
    params.blocks: 1
draws:
  plain: a
  rows: {to: b, as: rows}
translate:
  image:
    as: "{where(two, \\"a2b\\", \\"b2a\\")}"
    of: {"x[{width}]": batch}
    draws: {"z[{width}]": {of: drawn, row: width - 4}}
weights: []
absent: {L: it is fed}
missing:
  for: {i: range(iterations)}
  when: i % 2 > 0
  loss/{i}/G: there is no step
"""


def resolved(folder: Path, text: str, name: str = "own", **config: object) -> Resolved:
    (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return MethodMapping(folder / f"{name}.yaml").resolve(config, 1, {})


def test_a_graph_and_settings_depend_on_the_configuration(tmp_path: Path) -> None:
    one, other = resolved(tmp_path, BASE), resolved(tmp_path, BASE, two=False)
    assert (one.graph, other.graph) == ("cut", "fastcut")
    assert one.settings == {"params.width": 4}
    assert other.settings == {"params.width": 4, "params.blocks": 1}


def test_draws_have_forms(tmp_path: Path) -> None:
    found = resolved(tmp_path, BASE)
    assert found.draws == {"plain": Draw("a"), "rows": Draw("b", "rows")}
    (use,) = found.translate.values()
    assert (use.name, use.inputs, use.given) == ("a2b", {"x[4]": "batch"}, {"z[4]": Given("drawn", 0)})
    assert found.absent == {"L": "it is fed"}
    assert MethodMapping(tmp_path / "own.yaml").resolve({}, 3, {}).missing == {"loss/1/G": "there is no step"}
    with pytest.raises(ComposeError, match="'rowz' is no form of a draw"):
        resolved(tmp_path, BASE.replace("as: rows", "as: rowz"))
    array = np.zeros((2, 3, 1, 1))
    assert [tuple(formed(array, form).shape) for form in ("", "rows", "flat")] == [(2, 3, 1, 1), (2, 3), (6,)]


def test_a_mapping_starts_from_another(tmp_path: Path) -> None:
    resolved(tmp_path, BASE, "base")
    found = resolved(tmp_path, "extends: base\ngraph: munit\nconfig: {width: 8, more: 1}\ntranslate: {}\n")
    assert (found.graph, found.settings, found.translate) == ("munit", {"params.width": 8}, {})
    assert found.draws == {"plain": Draw("a"), "rows": Draw("b", "rows")}
    with pytest.raises(ComposeError, match="does not know the config key 'mre'"):
        resolved(tmp_path, "extends: base\n", mre=1)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('joined([3, 5], "F[_]", ", ")', "F[3], F[5]"),
        ('joined(numbers("3,5"), filled("nce[?,_]", "a"), " + ")', "nce[a,3] + nce[a,5]"),
        ("halvings(256, 16)", 4),
        ('items(without([3, "M", 5, 7], "M"), 2)', [3, 5]),
        ("lowered(1, 0.5, 7)", 0),
        ("lowered(2, 0.5, 3)", 0.5),
    ],
)
def test_functions_of_mappings(text: str, value: object) -> None:
    assert value_of(parse_expression(text, Place("mapping")), {}) == value


def test_values_are_brought_into_the_recorded_form() -> None:
    x = torch.arange(6.0).view(2, 3)
    found = {"one/x": x, "one/y": x[:, :2], "weight/one/term": 0.25, "rate/default": 0.5}

    def read(text: str, *shape: int) -> object:
        return _read(Reading(parse_expression(text, Place("mapping"))), found, shape)

    assert read("pixel(one.x)").shape == (2, 3, 1, 1)  # type: ignore[attr-defined]
    assert read("fitting(one.x, one.y)", 2, 2).shape == (2, 2)  # type: ignore[attr-defined]
    assert np.allclose(read("mean_std(one.x)"), [[1, (2 / 3) ** 0.5], [4, (2 / 3) ** 0.5]])  # type: ignore[arg-type]
    assert read("-1 * 'weight/one/term'") == -0.25
    assert read("rate.default") == 0.5


def test_blocks_are_called_on_arrays_by_themselves(tmp_path: Path) -> None:
    text = BASE + 'apart: {made: {is: "IS", of: {x: "in/{width}"}}}\n'

    def made(expression: str) -> np.ndarray:
        found = resolved(tmp_path, text.replace("IS", expression)).apart["made"]
        return evaluated(found, {"in/4": np.array([[3.0, -4.0]], np.float32)})

    assert made("square_norm(x)") == 25.0
    assert made("grad(mean_square(relu(x)), x)").tolist() == [[3.0, 0.0]]
    assert made("unit_gradient(x, eps=0)") == 16.0
    for expression, problem in (
        ("l1(y, x)", "unknown name 'y'"),
        ("normal(3)", "'normal' is no function and no loss"),
        ("squire(x)", "unknown block 'squire'"),
        ("x + x", "has no value by itself"),
    ):
        with pytest.raises(ComposeError, match=problem):
            made(expression)
    with pytest.raises(ComposeError, match="the trace has no in/4"):
        evaluated(resolved(tmp_path, text.replace("IS", "square(x)")).apart["made"], {})
    with pytest.raises(ComposeError, match="'is' and 'of' are needed"):
        resolved(tmp_path, BASE + "apart: {made: {is: square(x)}}\n")


def test_coins_are_turned_over_when_they_are_falsified() -> None:
    assert falsify_fed(np.array(1)) == 0 and falsify_fed(np.array(0)) == 1
    assert list(falsify_fed(np.array([2, 0]))) == [3, 1]
