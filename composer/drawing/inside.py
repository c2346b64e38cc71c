"""A network that is wired in the graph, down to its layers."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

from composer.drawing.counts import bare_module, size
from composer.drawing.scene import Arrow, Box, Scene
from composer.drawing.style import TIMES
from composer.drawing.words import count_text, rows_note, shape_text
from composer.nodes import Network, Node, Wiring, reachable
from composer.shapes import Bound, Shaped

LINE = 30  # characters of a line in a box


def wired_scene(shaped: Shaped, network: Network, wiring: Wiring, *, expand: bool = False) -> Scene:
    """The picture of a wiring; equal layers in a row are one box with their number, unless expanded."""
    module = bare_module(shaped, network.name)
    bound = shaped.bound[network.name]
    nodes = [n for n in reachable(list(wiring.outputs)) if n.op not in ("number", "list", "item")]
    users = {node: sum(node in other.args for other in nodes) + wiring.outputs.count(node) for node in nodes}
    sizes = {name: size(layer) for name, layer in module.get_submodule("layers").named_children()}
    first_of: dict[Node, Node] = {}  # of a row of equal layers
    rows: dict[Node, list[Node]] = {}
    for node in nodes:
        before = node.args[0] if len(node.args) == 1 else None
        row = rows.get(first_of.get(before, before)) if before is not None else None
        if not expand and row and users[row[-1]] == 1 and _equal(row[-1], node, wiring, bound, sizes):
            first_of[node] = row[0]
            row.append(node)
        elif node.op == "layer":
            first_of[node] = node
            rows[node] = [node]
    boxes: list[Box] = []
    arrows: list[Arrow] = []
    names = {node: name for name, node in wiring.values.items()}
    ends: dict[Node, str] = {}  # where arrows from a node start: at the text of its result

    def box(kind: str, title: str, detail: str = "") -> str:
        boxes.append(Box(f"n{len(boxes)}", kind, title, detail))
        return boxes[-1].key

    for node in nodes:
        if node.op == "layer" and first_of[node] is not node:
            continue
        row = rows.get(node, [node])
        shape = shape_text(bound.types.get(row[-1]))
        if node.op == "input":
            ends[node] = box("input", node.text, shape)
            continue
        is_layer = node.op == "layer"
        key = box("layer", *_layer(wiring, row, sizes)) if is_layer else box("function", node.target or node.op)
        for source in _sources(node):
            arrows.append(Arrow(ends[source], key))
        text = box("value", names.get(row[-1], ""), shape) if shape or row[-1] in names else key
        if text != key:
            arrows.append(Arrow(key, text))
        ends.update(dict.fromkeys(row, text))
    for output in wiring.outputs:
        key = box("output", "output")
        arrows += [Arrow(ends[source], key) for source in _sources(output, itself=True)]
    about = f"a network of {shaped.graph.name}, {size(module):,} parameters"
    details = [one.detail for one in boxes if one.kind == "value" and one.detail]
    return Scene(network.name, about, tuple(boxes), tuple(arrows), notes=rows_note(details))


def _sources(node: Node, *, itself: bool = False) -> list[Node]:
    """The nodes with boxes that a node is made of, through lists and their items."""
    found: dict[Node, None] = {}
    waiting = [node] if itself else list(node.args)
    while waiting:
        one = waiting.pop(0)
        if one.op in ("list", "item"):
            waiting = [*one.args, *waiting]
        elif one.op != "number":
            found[one] = None
    return list(found)


def _equal(one: Node, other: Node, wiring: Wiring, bound: Bound, sizes: Mapping[str, int]) -> bool:
    """Whether two layers are the same but for their weights, and keep the shape."""
    if one.op != "layer" or other.op != "layer":
        return False
    first, second = wiring.layers[one.target], wiring.layers[other.target]
    same = first.block == second.block and first.settings == second.settings
    same = same and sizes.get(one.target) == sizes.get(other.target)
    return same and shape_text(bound.types.get(one)) == shape_text(bound.types.get(other))


def _layer(wiring: Wiring, row: list[Node], sizes: Mapping[str, int]) -> tuple[str, str]:
    """Title and details of a layer, or of a row of equal ones."""
    layer = wiring.layers[row[0].target]
    settings = ", ".join(f"{key}={value}" for key, value in layer.settings.items())
    count = sizes.get(row[0].target, 0)
    lines = textwrap.wrap(settings, LINE)
    if count:
        lines.append(count_text(count) + (" each" if len(row) > 1 else ""))
    return (f"{len(row)} {TIMES} " if len(row) > 1 else "") + layer.block, "\n".join(lines)
