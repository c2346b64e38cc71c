"""Networks written in YAML, as modules: a chain or a graph of layers, each call site with its own weights."""

from __future__ import annotations

import linecache
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from composer.block import look_up
from composer.emit import identifier
from composer.errors import ComposeError
from composer.nodes import Node, Wiring, reachable


class Wired(nn.Module):
    """The wiring of one network, run by a generated `forward`.

    `layers` holds the modules under the names that the YAML gives them (a chain: their numbers).
    """

    def __init__(self, name: str, wiring: Wiring, axes: Mapping[str, Mapping[str, Any]]) -> None:
        super().__init__()
        self.wiring = wiring
        self.layers = nn.ModuleDict()
        for layer in wiring.layers.values():
            block = look_up(layer.block)
            sizes = [axes[layer.name][a] for a in block.axes]
            self.layers[layer.name] = block.load()(*sizes, **layer.settings)
        text, functions = _source(wiring)
        file = f"<network {name}>"
        linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
        scope: dict[str, Any] = {key: look_up(block).load() for key, block in functions.items()}
        exec(compile(text, file, "exec"), scope)  # the text is our own, made from checked nodes
        self._run: Callable[..., Any] = scope["forward"]

    def forward(self, *inputs: Any) -> Any:
        return self._run(self.layers, *inputs)

    def features(self, x: Tensor, taps: Sequence[int]) -> list[Tensor]:
        """What the layers numbered `taps` (from 0, in the order of the chain) give; nothing after the last is run."""
        order = [n for n in reachable(list(self.wiring.outputs)) if n.op in ("layer", "apply")]
        if not taps or max(taps) >= len(order) or min(taps) < 0:
            raise ComposeError(
                f"taps {list(taps)} of a chain of {len(order)} layers", remedy="taps are numbered from 0"
            )
        found: list[Tensor] = []
        for number in range(max(taps) + 1):
            node = order[number]
            x = self.layers[node.target](x) if node.op == "layer" else look_up(node.target).load()(x)
            if number in taps:
                found.append(x)
        return found


def _source(wiring: Wiring) -> tuple[str, dict[str, str]]:
    names: dict[Node, str] = {}
    functions: dict[str, str] = {}
    lines: list[str] = []
    for number, node in enumerate(wiring.inputs):
        names[node] = f"x{number}"
    for number, node in enumerate(reachable(list(wiring.outputs))):
        if node in names:
            continue
        args = [names[a] for a in node.args]
        names[node] = f"v{number}"
        match node.op:
            case "layer":
                text = f"layers[{node.target!r}]({', '.join(args)})"
            case "number":
                text = repr(node.setting("value"))
            case "item":
                text = f"{args[0]}[{node.setting('number')}]"
            case "list":
                text = f"[{', '.join(args)}]"
            case "arith":
                text = f"-{args[0]}" if node.target == "neg" else f"{args[0]} {node.target} {args[1]}"
            case "apply":
                word = identifier(node.target)
                functions[word] = node.target
                text = f"{word}({', '.join([*args, *(f'{k}={v!r}' for k, v in node.settings)])})"
            case _:
                raise ComposeError(
                    f"'{node.text}' has no place inside a network",
                    node.place,
                    "networks are made of layers and functions",
                )
        lines.append(f"    {names[node]} = {text}  # {node.place.file}:{node.place.line}")
    given = ", ".join(names[n] for n in wiring.outputs)
    head = f"def forward(layers, {', '.join(f'x{i}' for i in range(len(wiring.inputs)))}):"
    return "\n".join([head, *lines, f"    return {given}", ""]), functions
