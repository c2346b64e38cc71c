"""Laws of modules: what they start from, what they save, their entry points and parts."""

from __future__ import annotations

import inspect
import typing
from typing import Any

import torch
from torch import nn

from composer.block import Examples
from composer.blocks.random import drawing
from composer.matching import match
from composer.signature import parse_signature
from composer.testing.contracts.cases import arguments, types_of
from composer.testing.contracts.promises import compare_with_promise, same
from composer.testing.contracts.trials import REFUSALS, Broken, SameForRows, Trial, build, tensors


def starts_from_its_generator(found: Trial) -> None:
    """Starting weights are a function of the generator of `initialize`, not of the one that constructors use."""
    one, other = (build(found.case, found.found.axes, constructor=name).state_dict() for name in ("one", "other"))
    for name, value in one.items():
        if not torch.equal(value, other[name]):
            raise Broken(f"'{name}' starts from torch's own generator: draw it in draw_initial(generator)")


def saves_what_it_learns(found: Trial) -> None:
    """`state_dict` has everything that outputs depend on, and parts are groups of parameters."""
    one, other = found.module("one"), found.module("other")
    assert one is not None and other is not None
    values = found.arguments()
    found.run(values, one)  # running statistics move
    other.load_state_dict(one.state_dict())
    if not same(*(list(tensors(found.run(values, module.eval()))) for module in (one, other))):
        raise Broken("has numbers that its state_dict does not hold")
    parts = [p for name in found.block.parts for p in one.part(name)]  # type: ignore[operator]
    if len(parts) != len({id(p) for p in parts}) or not {id(p) for p in parts} <= {id(p) for p in one.parameters()}:
        raise Broken(f"its parts {found.block.parts} are not groups of its parameters, each in one")


def offers_its_entries(found: Trial) -> None:
    """Every entry point gives what its own contract promises; settings of it are taken from their `Examples`.

    Where a contract picks layers (`at taps`), every one that it counts is held to it, and there are no others.
    """
    for name, text in found.block.entries.items():
        signature = parse_signature(text)
        method = getattr(found.block.load(), name)
        for number in range(2):
            more = entry_settings(method, 1 + len(signature.inputs), number, signature.picked)
            # Its own contract may ask for no multiples, and then it is given smaller images than a call.
            for scale in (found.scale, 2 * found.scale, 4 * found.scale):
                values = arguments(found.case, scale, signature)
                try:
                    promised = match(signature, types_of(values, signature), {**found.case.settings, **more})
                    if promised.layers:
                        chosen = range(promised.layers) if number == 0 else (found.case.seed % promised.layers, 0)
                        more[signature.picked] = list(chosen)
                        promised = match(signature, types_of(values, signature), {**found.case.settings, **more})
                    enter = getattr(build(found.case, {**found.found.axes, **promised.axes}), name)  # or not all axes
                    with drawing(SameForRows(found.case.seed)):
                        out = enter(*values, **more)
                except REFUSALS as error:
                    said = error
                    continue
                compare_with_promise(promised.output, out)
                if promised.layers:
                    _knows_no_other_layer(enter, values, {**more, signature.picked: [promised.layers]}, name)
                break
            else:
                raise Broken(f"'{name}' refuses what its contract allows: {said}")


def _knows_no_other_layer(enter: Any, values: list[Any], more: dict[str, Any], name: str) -> None:
    """A layer behind the last one that a contract counts is refused."""
    try:
        enter(*values, **more)
    except REFUSALS:
        return
    raise Broken(f"'{name}' gives a layer behind those that its contract counts")


def entry_settings(method: Any, tensors_taken: int, number: int, picked: str) -> dict[str, Any]:
    """What a method takes beside itself and tensors: the values of `Examples`, in turn, and the first layer."""
    hints = typing.get_type_hints(method, include_extras=True)
    found = {}
    for name in list(inspect.signature(method).parameters)[tensors_taken:]:
        if name == picked:
            found[name] = [0]
            continue
        examples = [e for e in getattr(hints.get(name), "__metadata__", ()) if isinstance(e, Examples)]
        if not examples:
            raise Broken(f"nothing is known of '{name}': write Annotated[..., Examples(...)] with some values")
        found[name] = examples[0].values[number % len(examples[0].values)]
    return found


def owners(module: nn.Module) -> dict[str, nn.Module]:
    """The module that each parameter belongs to directly, by the parameter's full name."""
    return {
        f"{place}.{name}".lstrip("."): part
        for place, part in module.named_modules()
        for name, _ in part.named_parameters(recurse=False)
    }
