"""Laws that some losses declare: `@block(..., role="loss", laws=("symmetric", "homogeneous 2 if mode == 'l2'"))`.

The words, each with an optional `if CONDITION` over the settings:

- `zero at V` (all inputs V), `zero at equal`, `zero at constant` (each channel of each row), `zero at unit rows`,
  `zero when sure` (logits of +-100 for labels or targets that they fit): where the optimum is;
- `least at equal`: the optimum, without being zero;
- `unbounded`, `of any sign`, `nonnegative` (which holds without being said unless one of the others is): the sign;
- `at most V`; `falls`, `rises` (when a number is added to all scores);
- `homogeneous N` (k times the inputs give k^N times the loss); `invariant to shifts` (of all inputs alike);
- `symmetric` (two inputs exchanged); `adds over lists`, `averages over lists`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from composer.arithmetic import evaluate_arithmetic
from composer.testing.contracts.cases import WITHOUT_GRADIENT
from composer.testing.contracts.rows import ports_of
from composer.testing.contracts.trials import Broken, Trial, mapped, tensors

Check = Callable[[Trial, float], None]
CLOSE = 1e-9


def loss_of(found: Trial, values: list[Any], dtype: torch.dtype = torch.float64) -> Tensor:
    result: Tensor = found.run(values, None, dtype)
    return result


def close(one: Tensor, other: Tensor | float) -> bool:
    other = torch.as_tensor(other, dtype=one.dtype)
    return bool((one - other).abs() <= CLOSE * (1 + one.abs() + other.abs()))


def real(found: Trial, values: list[Any], change: Callable[[Tensor], Tensor]) -> list[Any]:
    """The arguments with every number changed; masks and whole numbers stay."""
    ports = ports_of(found, values)
    return [
        value if port.kind in WITHOUT_GRADIENT else mapped(value, lambda t: change(t) if t.is_floating_point() else t)
        for value, port in zip(values, ports, strict=True)
    ]


def obeys_its_declared_laws(found: Trial) -> None:
    """What `laws` says, and without another word of the sign: zero or more."""
    if not found.block.laws:
        raise Broken("declares nothing about itself: @block(..., laws=(...)) says where it is zero, and more")
    active = list(active_laws(found))
    for name, number in active:
        DECLARED[name](found, number)
    if not {"unbounded", "of any sign"} & {name for name, _ in active}:
        _nonnegative(found, 0.0)


def active_laws(found: Trial) -> list[tuple[str, float]]:
    """The declared laws whose conditions hold for the settings: a name, and its number where it has one."""
    active = []
    for text in found.block.laws:
        name, _, condition = text.partition(" if ")
        if condition and not evaluate_arithmetic(condition, found.case.settings):
            continue
        number = re.search(r"-?\d+(\.\d+)?$", name)
        word = name[: number.start()].strip() if number else name
        if word not in DECLARED:
            raise Broken(f"unknown law '{name}'; known here: {', '.join(sorted(DECLARED))}")
        active.append((word, float(number.group()) if number else 0.0))
    return active


def _zero(found: Trial, values: list[Any], where: str) -> None:
    result = loss_of(found, values)
    if not bool(result.abs() <= CLOSE):
        raise Broken(f"is {result.item():.3g} {where}, not zero")


def _zero_at(found: Trial, number: float) -> None:
    values = real(found, found.arguments(), lambda t: torch.full_like(t, number))
    _zero(found, values, f"at {number:g}")


def _zero_at_equal(found: Trial, _: float) -> None:
    one, other, *more = found.arguments()
    _zero(found, [one, one, *more], "for equal inputs")
    if not bool(loss_of(found, [one, other]) > 0):
        raise Broken("is zero for inputs that are not equal")


def _least_at_equal(found: Trial, _: float) -> None:
    one, other, *more = found.arguments()
    leaves = [t.requires_grad_() for t in tensors(one)]
    least = loss_of(found, [one, mapped(one, lambda t: t.detach()), *more])
    if bool(least > loss_of(found, [one, other, *more])):
        raise Broken("is less for inputs that are not equal")
    if any(float(g.abs().max()) > CLOSE for g in torch.autograd.grad(least, leaves)):
        raise Broken("has a gradient for equal inputs")


def _zero_at_constant(found: Trial, _: float) -> None:
    _zero(found, real(found, found.arguments(), lambda t: t[:, :, :1, :1].expand_as(t)), "where all pixels are alike")


def _zero_at_unit_rows(found: Trial, _: float) -> None:
    def unit(t: Tensor) -> Tensor:
        flat = t.reshape(t.shape[0], -1) + 0.1
        length: Tensor = torch.linalg.vector_norm(flat, dim=1, keepdim=True)
        return (flat / length).view(t.shape)

    _zero(found, real(found, found.arguments(), unit), "for rows of length 1")


def _zero_when_sure(found: Trial, _: float) -> None:
    logits, target, *more = found.arguments()
    if target.is_floating_point():
        target = target.round()
        sure = 200 * target - 100
    else:
        sure = torch.full_like(logits, -100.0).scatter_(1, target.unsqueeze(1), 100.0)
    _zero(found, [sure, target, *more], "for logits that are sure")


def _nonnegative(found: Trial, _: float) -> None:
    result = loss_of(found, found.arguments())
    if not bool(result >= -CLOSE):
        raise Broken(f"is {result.item():.3g}, less than zero")


def _unbounded(found: Trial, _: float) -> None:
    values = found.arguments()
    high, low = (real(found, values, partial(torch.full_like, fill_value=extreme)) for extreme in (1e4, -1e4))
    if min(float(loss_of(found, high)), float(loss_of(found, low))) > -1e3:
        raise Broken("has a lower bound")


def _at_most(found: Trial, number: float) -> None:
    for values in (found.arguments(), real(found, found.arguments(), lambda t: 100 * t)):
        if not bool(loss_of(found, values) <= number + CLOSE):
            raise Broken(f"is more than {number:g}")


def _shifted(found: Trial, by: float) -> tuple[Tensor, Tensor]:
    values = found.arguments()
    return loss_of(found, values), loss_of(found, real(found, values, lambda t: t + by))


def _falls(found: Trial, _: float) -> None:
    before, after = _shifted(found, 3.0)
    if not bool(after < before):
        raise Broken("does not fall with its scores")


def _rises(found: Trial, _: float) -> None:
    before, after = _shifted(found, 3.0)
    if not bool(after > before):
        raise Broken("does not rise with its scores")


def _invariant_to_shifts(found: Trial, _: float) -> None:
    if not close(*_shifted(found, 0.75)):
        raise Broken("changes when all inputs are shifted alike")


def _homogeneous(found: Trial, degree: float) -> None:
    values = found.arguments()
    for factor in (0.5, 3.0):
        scaled = loss_of(found, real(found, values, partial(torch.mul, other=factor)))
        if not close(scaled, loss_of(found, values) * factor**degree):
            raise Broken(f"does not scale by {factor:g}^{degree:g} when its inputs scale by {factor:g}")


def _symmetric(found: Trial, _: float) -> None:
    one, other, *more = found.arguments()
    if not close(loss_of(found, [one, other, *more]), loss_of(found, [other, one, *more])):
        raise Broken("changes when its inputs are exchanged")


def _over_lists(found: Trial, mean: bool) -> None:
    values = found.arguments()
    if found.case.form != "list":
        return
    items = list(zip(*values, strict=True))
    alone = torch.stack([loss_of(found, list(item)) for item in items])
    if not close(loss_of(found, values), alone.mean() if mean else alone.sum()):
        raise Broken(f"is not the {'mean' if mean else 'sum'} of what it gives for the items of a list")


DECLARED: dict[str, Check] = {
    "zero at": _zero_at,
    "zero at equal": _zero_at_equal,
    "zero at constant": _zero_at_constant,
    "zero at unit rows": _zero_at_unit_rows,
    "zero when sure": _zero_when_sure,
    "least at equal": _least_at_equal,
    "nonnegative": _nonnegative,
    "of any sign": lambda found, _: None,
    "unbounded": _unbounded,
    "at most": _at_most,
    "falls": _falls,
    "rises": _rises,
    "homogeneous": _homogeneous,
    "invariant to shifts": _invariant_to_shifts,
    "symmetric": _symmetric,
    "adds over lists": lambda found, _: _over_lists(found, mean=False),
    "averages over lists": lambda found, _: _over_lists(found, mean=True),
}
