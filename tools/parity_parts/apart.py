"""Arrays that blocks make of recorded arrays by themselves, beside the training: a loss on images of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from composer.block import look_up
from composer.errors import ComposeError, nearest
from composer.expression import Call, Constant, Expression, Name, show
from composer.tree import Node

from .case import Arrays
from .entries import as_mapping, as_text
from .formula import Scope, fill, parse


@dataclass(frozen=True)
class Apart:
    """`tree`, calls of blocks and `grad(loss, x)`, over recorded arrays by the names it uses."""

    tree: Expression
    arrays: Mapping[str, str]


def read_apart(node: Node, scope: Scope) -> Apart:
    """`{is: EXPRESSION, of: {NAME: ARRAY}}`."""
    group = as_mapping(node, ("is", "of"))
    chosen, of = group.get("is"), group.get("of")
    if chosen is None or of is None:
        raise ComposeError("'is' and 'of' are needed", group.place)
    text = fill(as_text(chosen), scope, chosen.place)
    arrays = {key.text: fill(as_text(array), scope, array.place) for key, array in as_mapping(of)}
    return Apart(parse(text, chosen.place), arrays)


def evaluated(apart: Apart, arrays: Arrays) -> np.ndarray:
    """What the blocks give, in float64."""
    values: dict[str, Tensor] = {}
    for name, array in apart.arrays.items():
        if array not in arrays:
            raise ComposeError(f"the trace has no {array}")
        values[name] = torch.from_numpy(np.array(arrays[array], np.float64)).requires_grad_()

    def find(tree: Expression) -> Any:
        match tree:
            case Constant():
                return tree.value
            case Name():
                if tree.id not in values:
                    raise ComposeError(f"unknown name '{tree.id}'", tree.at, nearest(tree.id, values))
                return values[tree.id]
            case Call(function=Name(id="grad"), arguments=(of, by), keywords=()):
                (found,) = torch.autograd.grad(find(of).sum(), find(by))
                return found
            case Call(function=Name()):
                block = look_up(tree.function.id)
                if block.role not in ("function", "loss"):
                    raise ComposeError(f"'{block.name}' is no function and no loss", tree.at)
                settings = {key: find(value) for key, value in tree.keywords}
                return block.load()(*(find(argument) for argument in tree.arguments), **settings)
        raise ComposeError(f"'{show(tree)}' has no value by itself", tree.at, "call blocks on arrays")

    return find(apart.tree).detach().numpy()  # type: ignore[no-any-return]
