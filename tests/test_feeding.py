"""Any named value can be fed in; it is then not computed."""

from __future__ import annotations

import torch

import composer
from composer import ComposeError


def program(**settings: object) -> composer.program.Program:  # type: ignore[name-defined]
    small = {"params.size": 32, "params.load": 32, "params.width": 4, "params.judge_width": 4, "params.depth": 5}
    return composer.compile("pix2pix", settings={**small, **settings}, dtype=torch.float64)


def batch() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    return {k: torch.rand(1, 3, 32, 32, generator=generator) * 2 - 1 for k in "ab"}


def test_a_fed_value_is_what_the_terms_see() -> None:
    fed = program().step(batch(), draws={"fake": batch()["b"]})
    assert float(fed.terms["translate/l1"].loss) == 0.0


def test_a_fed_value_is_not_computed() -> None:
    one = program()
    calls = []
    one.networks["G"].register_forward_hook(lambda *_: calls.append(1))
    one.step(batch(), draws={"fake": torch.zeros(1, 3, 32, 32)})
    assert not calls
    one.step(batch())
    assert len(calls) == 1


def test_feeding_the_computed_value_changes_no_loss_of_the_judge() -> None:
    plain = program()
    plain.watch(["fake"])
    result = plain.step(batch())
    again = program().step(batch(), draws={"fake": result.values["judge/fake"]})
    assert torch.equal(again.terms["judge/fake"].loss, result.terms["judge/fake"].loss)


def test_an_unknown_draw_is_an_error() -> None:
    try:
        program().step(batch(), draws={"fakk": torch.zeros(1)})
    except ComposeError as error:
        assert "fakk" in str(error)
    else:
        raise AssertionError("nothing was said")
