"""Feeding named values: the graph in which a value is given instead of computed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from composer.errors import ComposeError, nearest
from composer.nodes import Graph, Node


def feed(graph: Graph, names: Iterable[str]) -> Graph:
    """`graph` with the named values as inputs of the same names; what only they needed is gone."""
    replaced: dict[Node, Node] = {}
    for name in names:
        node = graph.values.get(name)
        if node is None:
            raise ComposeError(f"unknown value '{name}'", remedy=nearest(name, graph.values))
        replaced[node] = replace(node, op="input", target=name, args=(), settings=(), entry="", average=False)

    def changed(root: Node) -> Node:
        """The same expression over the fed values; children before parents, without recursion."""
        stack = [root]
        while stack:
            node = stack[-1]
            if node in replaced:
                stack.pop()
                continue
            children = [*node.args, *(v for _, v in node.settings if isinstance(v, Node))]
            waiting = [c for c in children if c not in replaced]
            if waiting:
                stack.extend(waiting)
                continue
            stack.pop()
            args = tuple(replaced[a] for a in node.args)
            settings = tuple((k, replaced[v] if isinstance(v, Node) else v) for k, v in node.settings)
            same = args == node.args and settings == node.settings
            replaced[node] = node if same else replace(node, args=args, settings=settings)
        return replaced[root]

    phases = tuple(
        replace(
            phase,
            first=tuple(changed(n) for n in phase.first),
            terms=tuple(replace(t, loss=changed(t.loss), weight=changed(t.weight)) for t in phase.terms),
        )
        for phase in graph.phases
    )
    return replace(
        graph,
        phases=phases,
        values={name: changed(node) for name, node in graph.values.items()},
        lifetime={changed(node): kind for node, kind in graph.lifetime.items()},
    )
