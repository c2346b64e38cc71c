"""The contracts against the code: the whole graph is run once on tensors without data, before anything is allocated.

A block that gives something else than its contract promises, or that refuses a size which its contract allows, is
found here and said with its place, and not after minutes on a GPU.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

import torch
from torch import nn
from torch.nn.modules.module import (
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)

from composer.block import look_up
from composer.building import build_block
from composer.errors import ComposeError, Problem
from composer.limits import LARGEST_NETWORK, LARGEST_TENSOR, MOST_LAYERS
from composer.modules import construct
from composer.nodes import Network, Node, reachable
from composer.shapes import Bound, Shaped
from composer.signature import INTEGER_KINDS, UNKNOWN, Rows, Series, Several, Tensor, Type
from composer.wired import entry_point

Found = Any  # a tensor without data, a list of such, a number


def confirm(shaped: Shaped) -> dict[Node, Type]:
    """Run every node on the meta device and give the types that were seen; problems are raised together."""
    graph = shaped.graph
    batch = graph.training.batch
    problems: list[Problem] = []
    values: dict[Node, Found] = {}
    modules: dict[str, Any] = {}
    with torch.device("meta"), torch.no_grad():
        for node in reachable(graph.roots):
            expected = shaped.types[node]
            try:
                values[node] = _value(node, shaped, values, modules, batch)
            except ComposeError as error:
                problems.extend(error.problems)
                values[node] = _empty(expected, batch)
            except NotImplementedError:
                values[node] = _empty(expected, batch)  # it looks at numbers, which there are none of here
            except Exception as error:  # a block is foreign code; whatever it raises is said with its place
                if "meta tensor" in str(error) or "item()" in str(error):
                    values[node] = _empty(expected, batch)
                    continue
                given = ", ".join(str(shaped.types[a]) for a in node.args)
                first = (str(error) or type(error).__name__).splitlines()[0]
                problems.append(
                    Problem(f"{node.text} fails on {given}: {first}", node.place, "change its sizes or settings")
                )
                values[node] = _empty(expected, batch)
            problem = _compare(node, expected, values[node], batch)
            if problem:
                problems.append(problem)
                values[node] = _empty(expected, batch)
    if problems:
        raise ComposeError.together(problems)
    return {n: _refined(shaped.types[n], v) for n, v in values.items()}


@contextmanager
def _within_limits(network: Network) -> Iterator[None]:
    """Stop the construction of a network that has thousands of layers or billions of weights."""
    layers = weights = 0

    def count_layer(owner: nn.Module, name: str, layer: nn.Module) -> None:
        nonlocal layers
        layers += 1
        if layers > MOST_LAYERS:
            fact = f"network '{network.name}' has more than {MOST_LAYERS} layers"
            raise ComposeError(fact, network.place, "choose fewer blocks or layers")

    def count_weights(owner: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
        nonlocal weights
        weights += 0 if parameter is None else parameter.numel()
        if weights > LARGEST_NETWORK:
            fact = f"network '{network.name}' has more than {LARGEST_NETWORK:,} weights"
            raise ComposeError(fact, network.place, "choose smaller widths or kernels")

    handles = [
        register_module_module_registration_hook(count_layer),
        register_module_parameter_registration_hook(count_weights),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def observe(node: Node, network: Network, bound: Bound, args: Sequence[Type], promised: Type, batch: int) -> Type:
    """What a call of an entry point gives where its contract leaves sizes open: features at several layers."""
    settings = {k: v for k, v in node.settings if k != "*" and not isinstance(v, Node)}
    try:
        with torch.device("meta"), torch.no_grad(), _within_limits(network):
            given = [_empty(one, batch) for one in args]
            module = construct(network, bound)
            found = entry_point(module, node.entry)(*given, *node.setting("*", ()), **settings)
    except IndexError as error:  # a layer that is not there
        raise ComposeError(f"{node.text}: {error}", node.place) from None
    except (RuntimeError, ValueError, TypeError):
        return promised  # what is wrong is said with its place when the graph is confirmed
    return _refined(promised, found)


def _value(node: Node, shaped: Shaped, values: Mapping[Node, Found], modules: dict[str, Any], batch: int) -> Found:
    args = [values[a] for a in node.args]
    settings = {k: values[v] if isinstance(v, Node) else v for k, v in node.settings}
    match node.op:
        case "number":
            return node.setting("value")
        case "clock":
            return 1.0
        case "state":
            _check_state(node, shaped)
            return _empty(shaped.types[node], batch)
        case "input" | "draw" | "collect" | "collected":
            return _empty(shaped.types[node], batch)
        case "stop":
            return args[0]
        case "grad":
            return torch.empty_like(args[1])
        case "item":
            return args[0][node.setting("number")]
        case "list":
            return args
        case "call":
            network = shaped.graph.networks[node.target]
            if node.target not in modules:
                with _within_limits(network):
                    modules[node.target] = construct(network, shaped.bound[node.target])
            module = modules[node.target]
            positional = settings.pop("*", ())
            return entry_point(module, node.entry)(*args, *positional, **settings)
        case "arith":
            return _arithmetic(node.target, args)
    return look_up(node.target).load()(*args, **settings)


def _check_state(node: Node, shaped: Shaped) -> None:
    """Refuse a state that keeps more than any machine has."""
    sizes = shaped.bound[node.name].axes
    module = build_block(look_up(node.target), sizes, dict(node.settings), f"'{node.name}'", node.place)
    count = sum(buffer.numel() for buffer in module.buffers())
    if count > LARGEST_TENSOR:
        raise ComposeError(f"{node.text} would keep {count:.2g} numbers", node.place, "choose a smaller size")


def _arithmetic(symbol: str, args: list[Found]) -> Found:
    if symbol == "neg":
        return -args[0]
    left, right = args
    if symbol == "/":
        return left / right
    if symbol == "*":
        return left * right
    if symbol in ("<", "<=", ">", ">="):
        return left < right
    return left + right


def _empty(found: Type, batch: int) -> Found:
    if isinstance(found, (Series, Several)):
        return [_empty(i, batch) for i in (found.items or ())]
    if found.kind == "number":
        return 1.0
    sizes = [_size(d, batch) for d in (found.dims or ())]
    return torch.empty(sizes, dtype=torch.int64 if found.kind in INTEGER_KINDS else torch.float32)


def _size(size: Any, batch: int) -> int:
    if isinstance(size, Rows):
        return int(Fraction(size.at(batch)))
    return 1 if size is None else int(size)


def _compare(node: Node, expected: Type, found: Found, batch: int) -> Problem | None:
    """What is wrong with a value, held against its contract."""
    if isinstance(expected, Tensor):
        if expected.dims is None or not isinstance(found, torch.Tensor):
            return None
        wanted = [d if d is None else _size(d, batch) for d in expected.dims]
        same = len(wanted) == found.dim() and all(w is None or w == s for w, s in zip(wanted, found.shape, strict=True))
        if same:
            return None
        who = node.target or node.op
        shown = " ".join("?" if w is None else str(w) for w in wanted)
        got = " ".join(str(s) for s in found.shape)
        return Problem(
            f"'{who}' promises [{shown}] and gives [{got}] in {node.text}",
            node.place,
            "its contract is wrong: mend the block",
        )
    if isinstance(found, (list, tuple)) and expected.items is not None:
        if len(found) != len(expected.items):
            return Problem(f"{node.text} promises {len(expected.items)} parts and gives {len(found)}", node.place)
        for one, item in zip(expected.items, found, strict=True):
            problem = _compare(node, one, item, batch)
            if problem:
                return problem
    return None


def _refined(expected: Type, found: Found) -> Type:
    """The contract's type with sizes filled in that it left open."""
    if isinstance(expected, Tensor):
        if not isinstance(found, torch.Tensor):
            return expected
        if expected.dims is None or len(expected.dims) != found.dim():
            return expected
        return Tensor(
            expected.kind, tuple(s if d is None else d for d, s in zip(expected.dims, found.shape, strict=True))
        )
    if isinstance(found, (list, tuple)) and isinstance(expected, Series) and expected.items is None:
        return Series(tuple(_refined(expected.each or UNKNOWN, one) for one in found))
    if isinstance(found, (list, tuple)) and expected.items is not None and len(found) == len(expected.items):
        items = tuple(_refined(e, f) for e, f in zip(expected.items, found, strict=True))
        return Series(items) if isinstance(expected, Series) else Several(items)
    return expected
