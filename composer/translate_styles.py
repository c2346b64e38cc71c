"""The styles that each picture is translated in: given values, draws, and what lies between two of them.

What makes a style is known from the graph: it is the last values that the picture has no part in. They may be a code
that was drawn, what a network made of it, the code of a reference picture, or a vector of attributes; between two
styles these values change evenly, everything after them is computed as ever.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from composer.errors import ComposeError
from composer.nodes import Node, reachable
from composer.translate_given import Given, Value, draws_of


@dataclass(frozen=True)
class Style:
    """One way to translate a picture: values of its other inputs, seeds of draws by name, the seed of the rest.

    In place of a seed a draw may have some of its numbers, by their places; the others are of the seed of the rest.

    With `end` it lies that `share` of the way from this one to another. `pictures` show it, `title` names it.
    """

    title: str
    inputs: Mapping[str, Tensor]
    draws: Mapping[str, int | Mapping[int, int]]
    seed: int
    pictures: tuple[Tensor, ...] = ()
    end: Style | None = None
    share: float = 0.0


def plan_styles(
    program: Any, name: str, given: Given, seed: int, samples: int | None = None, interpolate: int | None = None
) -> list[Style]:
    """The styles that are asked for: given values, one after the other, each with every sample.

    `samples`: so many draws, of the seeds from `seed` on (None: as many as the graph says). `interpolate`: so many
    steps from one style to another, both among them; without two given values, of two samples.
    """
    several = {key: values for key, values in given.items() if len(values) > 1}
    count = max((len(values) for values in several.values()), default=1)
    uneven = [f"{len(values)} of {key}" for key, values in several.items()]
    if len({len(values) for values in several.values()}) > 1:
        raise ComposeError(
            f"values that are given go together one by one, and there are {' and '.join(uneven)}",
            remedy="give as many of each, or one for all",
        )
    draws = _draws_anything(program, name, given)
    if samples is not None and samples > 1 and not draws:
        raise _draws_nothing(program, name, "every sample would be the same")
    if samples is None:
        samples = program.translations[name].samples if draws else 1
        samples = samples if interpolate is None else (2 if count == 1 and draws else 1)
    rows = [{key: values[i if len(values) > 1 else 0] for key, values in given.items()} for i in range(count)]
    styles = [_style(row, several, seed + k, k + 1 if samples > 1 else 0) for row in rows for k in range(samples)]
    return styles if interpolate is None else _between(program, name, styles, interpolate)


def _style(row: Mapping[str, Value], several: Mapping[str, Any], seed: int, number: int) -> Style:
    """`number` of the sample, 0 where there is one. Titles say what differs, or what there is."""
    titles = [value.title for key, value in row.items() if key in several or not several]
    return Style(
        " ".join([*titles, *([str(number) if titles else f"style {number}"] if number else [])]),
        {key: value.value for key, value in row.items() if isinstance(value.value, Tensor)},
        {key: value.value for key, value in row.items() if not isinstance(value.value, Tensor)},
        seed,
        tuple(value.picture for value in row.values() if value.picture is not None),
    )


def _draws_anything(program: Any, name: str, given: Given) -> bool:
    """Whether another seed can give another picture."""
    whole = {key for key, values in given.items() if not any(isinstance(one.value, Mapping) for one in values)}
    if set(draws_of(program, name)) - whole:
        return True
    translation = program.translations[name]
    called = {node.target for node in reachable([translation.node]) if node.op == "call"}
    inside = {one for one in called & program.drawing if not program.graph.networks[one].frozen}
    return bool(inside) and translation.mode == "train"


def _draws_nothing(program: Any, name: str, so: str) -> ComposeError:
    others = [one for one in program.translations if draws_of(program, one)]
    say = f"a translation that draws is {', '.join(others)}: --as {others[0]}" if others else "no translation draws"
    return ComposeError(f"'{name}' draws nothing that is not given: {so}", remedy=say)


def _between(program: Any, name: str, ends: list[Style], count: int) -> list[Style]:
    if len(ends) == 1:
        raise _draws_nothing(program, name, "there are no two styles to go between; give two values of one input")
    if len(ends) > 2:
        titles = ", ".join(f"'{one.title}'" for one in ends[:12])
        raise ComposeError(
            f"--interpolate goes from one style to another, and there are {len(ends)}: {titles}", remedy="ask for two"
        )
    if count < 2:
        raise ComposeError("--interpolate needs 2 steps at least, the two styles", remedy="e.g. --interpolate 7")
    first, last = ends
    shares = [step / (count - 1) for step in range(count)]
    # References stand over the ends, which they are.
    steps = [replace(first, title=f"{share:.2g}", pictures=(), end=last, share=share) for share in shares]
    steps[0] = replace(steps[0], title=first.title, pictures=first.pictures)
    steps[-1] = replace(steps[-1], title=last.title, pictures=last.pictures)
    return steps


def translate_in(program: Any, name: str, source: str, image: Tensor, style: Style) -> Tensor:
    """Images [1, c, h, w] that go into the input `source`, translated in a style."""
    if style.end is None:
        batch = {source: image, **style.inputs}
        return program.translate(batch, as_=name, seed=style.seed, draws=_drawn(program, name, batch, style))  # type: ignore[no-any-return]
    translation = program.translations[name]
    nodes = style_values(translation.node, source)
    first, last = (_values(program, name, nodes, {source: image, **one.inputs}, one) for one in (style, style.end))
    mixed = [_mix(name, a, b, style.share) for a, b in zip(first, last, strict=True)]
    stand_ins = {node: _stand_in(node, number) for number, node in enumerate(nodes)}
    root = _replaced(translation.node, stand_ins)
    batch = {source: image, **style.inputs, **{stand_ins[n].target: v for n, v in zip(nodes, mixed, strict=True)}}
    (found,) = program.evaluator.compute(
        [root], batch, None, ("translate", style.seed), translation.mode, use_averages=True
    )
    return found  # type: ignore[no-any-return]


def style_values(root: Node, source: str) -> list[Node]:
    """The last values before `root` in which the input `source` has no part; of draws it only gives the size."""
    touched = set()
    for node in reachable([root]):
        if node.op != "draw" and (
            (node.op == "input" and node.target == source) or any(one in touched for one in _children(node))
        ):
            touched.add(node)
    edge = {one: None for node in touched for one in _children(node) if one not in touched}
    edge = edge if root in touched else {root: None}
    return [node for node in reachable([root]) if node in edge and _varies(node)]


def _varies(node: Node) -> bool:
    return not node.scalar and any(one.op in ("input", "draw") for one in reachable([node]))


def _children(node: Node) -> list[Node]:
    return [*node.args, *(value for _, value in node.settings if isinstance(value, Node))]


def _drawn(program: Any, name: str, batch: Mapping[str, Tensor], style: Style) -> dict[str, Tensor]:
    """What is drawn where a draw has a seed of its own."""
    nodes = {node.name: node for node in reachable([program.translations[name].node]) if node.op == "draw"}
    found = {}
    for key, chosen in style.draws.items():
        seed = chosen if isinstance(chosen, int) else style.seed
        (numbers,) = program.evaluator.compute([nodes[key]], batch, None, ("translate", seed))
        found[key] = numbers.clone()
        for place, number in {} if isinstance(chosen, int) else chosen.items():
            found[key][place] = number
    return found


def _values(program: Any, name: str, nodes: list[Node], batch: Mapping[str, Tensor], style: Style) -> tuple[Any, ...]:
    """The values that make a style."""
    draws = {key: v for key, v in _drawn(program, name, batch, style).items() if key in _draws_below(nodes)}
    mode = program.translations[name].mode
    return program.evaluator.compute(  # type: ignore[no-any-return]
        nodes, batch, draws, ("translate", style.seed), mode, use_averages=True
    )


def _draws_below(nodes: list[Node]) -> set[str]:
    return {node.name for node in reachable(nodes) if node.op == "draw"}


def _mix(name: str, first: Any, last: Any, share: float) -> Any:
    """The ends themselves at 0 and 1."""
    if share in (0, 1):
        return last if share else first
    if isinstance(first, Tensor) and first.is_floating_point():
        return torch.lerp(first, last, share)
    if isinstance(first, Tensor) and torch.equal(first, last):
        return first
    raise ComposeError(
        f"the styles of '{name}' are whole numbers, and nothing lies between them",
        remedy="leave --interpolate out",
    )


def _stand_in(node: Node, number: int) -> Node:
    return replace(node, op="input", target=f"style value {number}", args=(), settings=(), entry="", average=False)


def _replaced(root: Node, made: Mapping[Node, Node]) -> Node:
    """The value `root` with other values in the place of some that it needs."""
    found = dict(made)
    for node in reachable([root]):
        if node not in found:
            args = tuple(found[one] for one in node.args)
            settings = tuple((key, found[one] if isinstance(one, Node) else one) for key, one in node.settings)
            same = args == node.args and settings == node.settings
            found[node] = node if same else replace(node, args=args, settings=settings)
    return found[root]
