"""Laws of batches and lists: rows that do not influence each other, lists that are mapped over."""

from __future__ import annotations

from typing import Any

import torch

from composer.signature import Port
from composer.testing.contracts.cases import ROWS
from composer.testing.contracts.promises import same
from composer.testing.contracts.trials import REFUSALS, Broken, Trial, tensors

CLOSE = 1e-9


def keeps_rows_apart(found: Trial) -> None:
    """A row computed alone equals the row in its batch, where the block claims that."""
    if not found.block.is_per_sample(found.case.settings):
        return
    signature = found.case.signature
    outputs = signature.outputs
    if not all(has_rows(port, found) or port.axes is None for port in outputs):
        return
    values = found.arguments()
    cut = [has_rows(port, found) for port in ports_of(found, values)]
    count = max((t.shape[0] for value, c in zip(values, cut, strict=True) if c for t in tensors(value)), default=0)
    whole = list(tensors(found.run(values, found.module())))
    for row in range(count):
        mine = [sliced(value, row) if c else value for value, c in zip(values, cut, strict=True)]
        try:
            alone = list(tensors(found.run(mine, found.module())))
        except REFUSALS as error:
            raise Broken(f"refuses a row alone that it takes in a batch: {error}") from None
        for one, other in zip(whole, alone, strict=True):
            if not torch.allclose(one[row : row + 1].double(), other.double(), rtol=CLOSE, atol=CLOSE):
                raise Broken("gives a row of a batch another result than the row alone")


def ports_of(found: Trial, values: list[Any]) -> list[Port]:
    """The input of the contract that each argument belongs to."""
    ports = list(found.case.signature.inputs)
    spot = next((i for i, p in enumerate(ports) if p.variadic), None)
    if spot is not None:
        ports[spot : spot + 1] = [ports[spot]] * (len(values) - len(ports) + 1)
    return ports[: len(values)]


def has_rows(port: Port, found: Trial) -> bool:
    """Whether the first axis of an input or output is the rows of the batch."""
    if port.axes is None:
        return port.kind == "share" and found.case.seed % 2 == 1 and bool(found.case.rest)
    if not port.axes:
        return False
    first = port.axes[0]
    if first.form == "rest":
        return bool(found.case.rest)
    return first.form == "name" and first.text == ROWS and first.change in ("", ":")


def sliced(value: Any, row: int) -> Any:
    if isinstance(value, list):
        return [sliced(item, row) for item in value]
    return value[row : row + 1]


def maps_over_lists(found: Trial) -> None:
    """A block that maps gives for a list, nested or not, the list of what it gives for the items."""
    if not found.block.maps:
        return
    first, *others = found.arguments()
    second = found.arguments("second")[0]
    module = found.module()
    one, other = (found.run([value, *others], module) for value in (first, second))
    got = found.run([[first, [second]], *others], module)
    wanted: Any = [one, [other]]
    if found.case.signature.outputs[0].listed:  # parts outside, the list inside
        wanted = [[a, [b]] for a, b in zip(one, other, strict=True)]
    if not same(got, wanted):
        raise Broken("does not give for a list what it gives for each item")
