"""Elementary functions are no boxes of their own: they go into the text of what they make, or of a term."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from composer.drawing.families import split_name
from composer.drawing.style import MINUS, TIMES
from composer.nodes import Graph, Node, Term

LONGEST = 26  # characters of a formula in a box
FUNCTIONS = ("arith", "apply", "grad", "state", "collected")
_SYMBOLS = {"-": MINUS, "*": TIMES, "neg": MINUS}

Leaf = tuple[Node, list[Node]]  # what a formula is over, and the nodes between it and the result


@dataclass(frozen=True)
class Formula:
    """`text` over `leaves`: `+` over h and noise, `l2(normalize)` over two networks' results."""

    text: str
    leaves: list[Leaf]


class Formulas:
    """Which nodes of a graph are boxes, and the formulas between them."""

    def __init__(self, graph: Graph, order: Iterable[Node], losses: Iterable[Node]) -> None:
        self.graph = graph
        self.consumers: dict[Node, list[Node | None]] = {}  # None: a term
        for node in order:
            for arg in [*node.args, *(v for _, v in node.settings if isinstance(v, Node))]:
                self.consumers.setdefault(arg, []).append(node)
        for loss in losses:
            self.consumers.setdefault(loss, []).append(None)

    def named(self, node: Node) -> bool:
        return node.op == "input" or self.graph.name_of(node) in self.graph.values

    def elided(self, node: Node) -> bool:
        """Nodes of which nothing is shown: items, lists, stops. A stop is seen by the dashes of its arrow."""
        return not self.named(node) and node.op in ("item", "list", "stop")

    def absorbed(self, node: Node) -> bool:
        """Functions that are shown in the text of the one formula that uses them."""
        if self.named(node) or node.op not in ("arith", "apply", "grad") or self.elided(node):
            return False
        consumers = self.consumers.get(node, [])
        if all(c is None for c in consumers):
            return True
        return len(consumers) == 1 and consumers[0] is not None and consumers[0].op in ("arith", "apply", "grad")

    def is_box(self, node: Node) -> bool:
        return node.op in FUNCTIONS and not self.named(node) and not self.elided(node) and not self.absorbed(node)

    # -- what a formula is over ---------------------------------------------------------------------------------

    def leaves(self, node: Node) -> list[Leaf]:
        """The boxes that the result of `node` comes from."""
        if node.op in ("number", "clock"):
            return []
        if self.named(node) or node.op in ("input", "draw", "call") or self.is_box(node):
            return [(node, [])]
        return self._below(node)

    def _below(self, node: Node) -> list[Leaf]:
        found: dict[Node, Leaf] = {}
        for arg in [*node.args, *(v for _, v in node.settings if isinstance(v, Node))]:
            for leaf, between in self.leaves(arg):
                found.setdefault(leaf, (leaf, [*between, node]))
        return list(found.values())

    def of(self, node: Node) -> Formula:
        """The formula that makes a named value, or a function's box."""
        return Formula(shortened(self.text(node)), self._below(node))

    def of_term(self, term: Term) -> Formula:
        """100 times l1, over what the loss compares."""
        loss = term.loss
        if self.named(loss) or loss.op == "call" or (self.elided(loss)):
            return Formula(self.weight(term.weight), self.leaves(loss))
        text = self.text(loss)
        base = split_name(term.name)[0]
        words = [v for _, v in loss.settings if isinstance(v, str) and v not in (base, "mean")]
        if words and loss.op == "apply":
            text += " " + ", ".join(words)
        weight = self.weight(term.weight)
        return Formula(shortened(f"{weight} {TIMES} {text}" if weight else text, 48), self._below(loss))

    def weight(self, node: Node) -> str:
        if node.op == "number":
            value = float(node.setting("value"))
            return "" if value == 1 else f"{value:g}".replace("-", MINUS)
        return shortened(node.text.replace("clock.", "").replace("-1 * ", MINUS).replace(" * ", f" {TIMES} "), 36)

    # -- its text -----------------------------------------------------------------------------------------------

    def text(self, node: Node) -> str:
        """The text of a function, without the leaves where arrows show them."""
        match node.op:
            case "arith":
                return self._arithmetic(node)
            case "grad":
                return "gradient"
            case "item" | "list" | "stop":
                return ""
        inner = [self.text(arg) for arg in node.args if self.absorbed(arg)]
        return node.target + (f"({', '.join(dict.fromkeys(inner))})" if inner else "")

    def _arithmetic(self, node: Node) -> str:
        symbol = _SYMBOLS.get(node.target, node.target)
        if len(node.args) == 1:
            return f"{symbol}{self._operand(node.args[0])}" if self.absorbed(node.args[0]) else symbol
        left, right = node.args
        if all(a.op not in ("number", "clock") and not self.absorbed(a) for a in (left, right)):
            return symbol
        if left.op in ("number", "clock") and not self.absorbed(right):
            return f"{self._operand(left)} {symbol}"
        if right.op in ("number", "clock") and not self.absorbed(left):
            return f"{symbol} {self._operand(right)}"
        return f"{self._operand(left)} {symbol} {self._operand(right)}"

    def _operand(self, node: Node) -> str:
        if node.op == "number":
            return f"{float(node.setting('value')):g}"
        if node.op == "clock":
            return node.text
        if self.absorbed(node):
            text = self._written(node) if node.op == "arith" else self.text(node)
            return f"({text})" if node.op == "arith" and node.target in ("+", "-") else text
        if node.op == "call" and not self.named(node):
            return split_name(node.target)[0]
        return split_name(self.graph.name_of(node))[0]

    def _written(self, node: Node) -> str:
        symbol = _SYMBOLS.get(node.target, node.target)
        if len(node.args) == 1:
            return symbol + self._operand(node.args[0])
        return f"{self._operand(node.args[0])} {symbol} {self._operand(node.args[1])}"


def shortened(text: str, longest: int = LONGEST) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"
