"""How far two training runs are apart, and how much of that rounding alone explains."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from composer.program import Program
from composer.testing.batches import pass_batches

Batch = Mapping[str, Tensor]
Trace = dict[str, Tensor]

SLIGHTLY = 1e-14  # what starting weights are changed by, relative to themselves, to see what rounding does
TRIALS = 4  # a comparison with zero falls either way: one trial may miss it
FACTOR = 100.0  # rounding may do this much more than it did in the trials


def distance(one: Tensor, other: Tensor) -> float:
    """The largest difference of two tensors relative to the largest number in either, at least 1e-3.

    0 where both are NaN or the same infinity; infinite where shapes or kinds differ or only one is a number.
    """
    if one.shape != other.shape or one.is_floating_point() != other.is_floating_point():
        return math.inf
    one, other = one.double(), other.double()
    differ = ~((one == other) | (one.isnan() & other.isnan()))
    if not bool(differ.any()):
        return 0.0
    if not bool((one.isfinite() & other.isfinite() | ~differ).all()):
        return math.inf
    one, other = one[differ], other[differ]
    scale = max(float(one.abs().max()), float(other.abs().max()), 1e-3)
    return float((one - other).abs().max()) / scale


def differences(one: Mapping[str, Tensor], other: Mapping[str, Tensor], within: float = 0.0) -> dict[str, float]:
    """Names whose tensors are further apart than `within`, or that only one of the two has, with their distance."""
    found = {}
    for name in [*one, *(n for n in other if n not in one)]:
        far = distance(one[name], other[name]) if name in one and name in other else math.inf
        if far > within:
            found[name] = far
    return found


def train(program: Program, batches: Sequence[Sequence[Batch]], ended: bool = True) -> Trace:
    """Train a program; gives every term, weight and total of every iteration, and the state at the end.

    Passes over the data are made when they are due, on the batches of `pass_batches`; those at the end when this is
    where training has `ended`.
    """
    found: Trace = {}
    for batch in batches:
        _run_passes(program)
        number = program.iteration
        result = program.step(batch)
        for name, term in result.terms.items():
            found[f"terms/{number}/{name}"] = term.loss
            found[f"weights/{number}/{name}"] = torch.as_tensor(term.weight, dtype=torch.float64).cpu()
        found |= {f"totals/{number}/{name}": total for name, total in result.totals.items()}
    if ended:
        _run_passes(program, ended)
    return found | program.state()[0]


def _run_passes(program: Program, ended: bool = False) -> None:
    for one in program.due_passes(ended):
        program.run_pass(one.name, pass_batches(program, one.name))


def sensitivity(make: Callable[[], Program], batches: Sequence[Sequence[Batch]]) -> dict[str, float]:
    """How far training goes astray, by name, when starting weights are changed by a little more than rounding.

    A bias in front of a normalization has a gradient of nothing but rounding errors, which an optimizer may blow up;
    a value at the kink of an activation may fall on either side. There two correct programs differ.
    """
    exact = train(make(), batches)
    found = dict.fromkeys(exact, 0.0)
    for trial in range(TRIALS):
        generator = torch.Generator().manual_seed(trial)
        program = make()
        with torch.no_grad():
            for network in program.networks.values():
                for weight in network.parameters():
                    weight.mul_(1 + SLIGHTLY * torch.randn(weight.shape, generator=generator).to(weight))
        for name, far in differences(exact, train(program, batches)).items():
            found[name] = max(found.get(name, 0.0), far)
    return found


def disagreements(
    one: Mapping[str, Tensor],
    other: Mapping[str, Tensor],
    make: Callable[[], Program],
    batches: Sequence[Sequence[Batch]],
    within: float = 1e-9,
) -> dict[str, float]:
    """What two traces of the same graph differ in by more than `within` and more than rounding explains.

    `make` compiles the graph; it is asked only when there are differences.
    """
    found = differences(one, other, within)
    if not found:
        return found
    excused = sensitivity(make, batches)
    return {name: far for name, far in found.items() if far > FACTOR * excused.get(name, 0.0)}
