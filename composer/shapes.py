"""Graph -> Shaped: kind and sizes of every value, and the axes that each network is built with.

One-way matching along the data flow, from the contracts alone: nothing is allocated and torch is not needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from composer.block import Block, look_up
from composer.combining import broadcast, has_series, is_open, outside_in, tensors_of
from composer.elaborate import Broken
from composer.errors import ComposeError, Place, Problem
from composer.fields import Field
from composer.limits import LARGEST_TENSOR, MOST_ITEMS
from composer.matching import match
from composer.nodes import CONSTANT, Graph, Network, Node, Wiring, reachable, tapped
from composer.signature import INTEGER_KINDS, UNKNOWN, Mismatch, Rows, Series, Several, Tensor, Type, parse_signature

REST = "rest"  # a constructor's name for the sizes that `...` stands for


@dataclass(frozen=True)
class Bound:
    """What a network (or a layer) is built with: its axes, and for a wiring the axes of its layers."""

    axes: Mapping[str, Any]
    place: Place = field(compare=False, repr=False)
    layers: Mapping[str, Bound] = field(default_factory=dict)
    types: Mapping[Node, Type] = field(default_factory=dict)
    inputs: tuple[Type, ...] = ()


@dataclass(frozen=True)
class Shaped:
    """A graph whose values all have a type."""

    graph: Graph
    types: Mapping[Node, Type]
    bound: Mapping[str, Bound]

    def __str__(self) -> str:
        from composer.listing import list_shapes

        return list_shapes(self)


def infer(graph: Graph) -> Shaped:
    """Work out every type; all problems in one `ComposeError`."""
    found = Inference(graph)
    for node in reachable(graph.roots):
        found.add(node)
    for phase in graph.phases:
        for term in phase.terms:
            found.check_loss(term.loss, term.place, f"term '{term.name}'")
            found.check_loss(term.weight, term.place, f"the weight of term '{term.name}'")
    for node in found.types:
        if node.op == "grad" and not leads(*node.args):
            fact = f"'{graph.name_of(node.args[0])}' does not depend on '{graph.name_of(node.args[1])}'"
            found.problems.append(
                Problem(fact, node.place, "take the gradient at a value that the score is computed from")
            )
    if found.problems:
        # One for each place: the other values of an index have the same mistake there, or follow from it.
        raise ComposeError.together({problem.place: problem for problem in reversed(found.problems)}.values())
    return Shaped(graph, found.types, found.bound)


def leads(score: Node, x: Node) -> bool:
    """Whether `score` is computed from `x`, not through stops, states and draws."""
    reached: set[Node] = set()
    for node in reachable([score]):
        if node is x or (node.op not in CONSTANT and any(a in reached for a in node.args)):
            reached.add(node)
    return score is not x and score in reached


def field_type(one: Field) -> Type:
    """The type of an input."""
    rows = Rows()
    if one.kind == "label":
        return Tensor("label", (rows,))
    if one.kind == "label_map":
        return Tensor("label_map", (rows, *one.args[1:]))
    return Tensor(one.kind, (rows, *one.args))


class Inference:
    """Types of nodes, one after the other; `sizes` replaces the sizes of inputs (for translation at any size)."""

    def __init__(self, graph: Graph, bound: Mapping[str, Bound] | None = None) -> None:
        self.graph = graph
        self.types: dict[Node, Type] = {}
        self.bound: dict[str, Bound] = dict(bound or {})
        self.problems: list[Problem] = []
        self.failed: set[Node] = set()
        self.lost: set[str] = set()  # wired networks that failed inside
        self.fields = {f.name: f for s in graph.streams for f in s.fields}
        for translation in graph.translations.values():
            for one in translation.fields:
                self.fields.setdefault(one.name, one)

    def add(self, node: Node) -> None:
        """The type of `node`, whose arguments have theirs."""
        if node in self.types:
            return
        if any(a in self.failed for a in node.args):
            self.types[node] = UNKNOWN  # said already, where it went wrong
            self.failed.add(node)
            return
        try:
            self.types[node] = self.type_of(node)
            self.check_size(node)
            self.check_rows(node)
        except Mismatch as mismatch:
            self.fail(node, Problem(f"{node.text}: {mismatch.fact}", node.place, mismatch.remedy))
        except ComposeError as error:
            self.fail(node, *error.problems)

    def fail(self, node: Node, *problems: Problem) -> None:
        """Note what is wrong with `node`; what needs it has nothing to add."""
        self.problems.extend(problems)
        self.types[node] = UNKNOWN
        self.failed.add(node)

    def check_size(self, node: Node) -> None:
        """Refuse what nobody can mean: billions of numbers, thousands of items."""
        tensors = tensors_of(self.types[node])
        if len(tensors) > MOST_ITEMS:
            fact = f"{node.text} would be a list of {len(tensors)} items"
            raise ComposeError(fact, node.place, f"at most {MOST_ITEMS} are offered")
        for one in tensors:
            count = 1
            for size in one.dims or ():
                count *= size if isinstance(size, int) else int(size.at(self.graph.training.batch) if size else 1)
            if count > LARGEST_TENSOR:
                fact = f"{node.text} would have {float(count):.2g} numbers with a batch of {self.graph.training.batch}"
                raise ComposeError(fact, node.place, "choose smaller sizes")

    def check_rows(self, node: Node) -> None:
        """Refuse parts of rows: a batch of 3 split in two."""
        batch = self.graph.training.batch
        for size in [size for one in tensors_of(self.types[node]) for size in one.dims or () if isinstance(size, Rows)]:
            count = size.at(batch)
            if count.denominator != 1:
                remedy = f"make training.batch a multiple of {size.times.denominator}"
                raise Mismatch(f"{size} rows with a batch of {batch}", remedy=remedy)
            if count < 1:
                raise Mismatch(f"{size} rows with a batch of {batch}", remedy="choose a larger training.batch")

    def check_loss(self, node: Node, place: Place, name: str) -> None:
        """Refuse what is no number where one is minimised, or weighs."""
        found = self.types[node]
        if node in self.failed or (isinstance(found, Tensor) and found.dims in (None, ())):
            return
        self.problems.append(
            Problem(f"{name} is {found}, not one number", place, "a loss gives one: l1(x, y), mean_square(x)")
        )

    def type_of(self, node: Node) -> Type:
        args = [self.types[a] for a in node.args]
        match node.op:
            case "input":
                return field_type(self.fields[node.target]) if node.target in self.fields else UNKNOWN
            case "number" | "clock":
                return Tensor("number", ())
            case "stop":
                return args[0]
            case "grad":
                if not isinstance(args[1], Tensor) or args[1].kind in INTEGER_KINDS:
                    raise Mismatch(f"a derivative is taken at one value of numbers, not at {args[1]}")
                return args[1]
            case "list":
                return Series(tuple(args))
            case "item":
                return self._item(node, args[0])
            case "arith":
                return broadcast(args, node)
            case "call":
                return self.call(node, args)
            case "apply" | "draw" | "state" | "collect":
                return self.apply(node, args)
            case "collected":
                return self.collected(node)
        return UNKNOWN

    def _item(self, node: Node, whole: Type) -> Type:
        number = int(node.setting("number"))
        if isinstance(whole, Tensor):
            if whole.dims is None and whole.kind == UNKNOWN.kind:
                return UNKNOWN
            raise Mismatch(f"{node.args[0].text} is one value ({whole}), not several", remedy="it has no items")
        if isinstance(whole, Series) and whole.items is None:
            return whole.each or UNKNOWN
        items = whole.items or ()
        if not 0 <= number < len(items):
            count = f"{len(items)} part{'s' if len(items) != 1 else ''}"
            raise Mismatch(f"{node.args[0].text} has {count}", remedy="they are numbered from 0")
        return items[number]

    # -- blocks -------------------------------------------------------------------------------------------------

    def apply(self, node: Node, args: Sequence[Type]) -> Type:
        block = look_up(node.target)
        if block.maps and any(isinstance(a, Series) for a in args):
            return self._mapped(node, block, args)
        return self._matched(node, block, args)

    def _mapped(self, node: Node, block: Block, args: Sequence[Type]) -> Type:
        lists = [a for a in args if isinstance(a, Series)]
        if any(a.items is None for a in lists):
            inner = [(a.each or UNKNOWN) if isinstance(a, Series) else a for a in args]
            result = self._mapped(node, block, inner) if has_series(inner) else self._matched(node, block, inner)
            return outside_in(result, None, block)
        lengths = {len(a.items or ()) for a in lists}
        if len(lengths) != 1:
            raise Mismatch(f"is given lists of {' and '.join(map(str, sorted(lengths)))} items")
        found = []
        for number in range(lengths.pop()):
            inner = [(a.items or ())[number] if isinstance(a, Series) else a for a in args]
            found.append(self._mapped(node, block, inner) if has_series(inner) else self._matched(node, block, inner))
        return outside_in(None, found, block)

    def _matched(self, node: Node, block: Block, args: Sequence[Type]) -> Type:
        settings = {s.name: s.default for s in block.settings} | dict(node.settings)
        names = {k: _setting(v) for k, v in settings.items()}
        signature = parse_signature(block.signature)
        if block.role == "draw" and not args and signature.inputs:
            args = [Tensor("value", (Rows(),))]  # a row for each row of the batch
        found = match(signature, args, names)
        if block.role in ("state", "collect"):
            axes = {a: found.axes.get("..." if a == REST else a) for a in block.axes}
            missing = [a for a in axes if axes[a] is None]
            if missing:
                raise Mismatch(f"the size '{missing[0]}' of what it keeps is not known")
            self.bound[node.name] = Bound(axes, node.place)
        return found.output

    def collected(self, node: Node) -> Type:
        """The type of what a pass gathers, whose expression may not have had its turn yet."""
        for one in self.graph.passes.values():
            if node.target in one.collect:
                source = one.collect[node.target]
                below = reachable([source])
                if node in below:
                    raise ComposeError(f"'{node.target}' is gathered from itself", source.place)
                for other in below:
                    self.add(other)
                if source in self.failed:
                    raise Broken(node.target)
                return self.types[source]
        return UNKNOWN

    # -- networks -----------------------------------------------------------------------------------------------

    def call(self, node: Node, args: Sequence[Type]) -> Type:
        network = self.graph.networks[node.target]
        if network.wiring is not None:
            return self._wired(node, network, network.wiring, args)
        block = look_up(network.block)
        text = block.signature
        if node.entry:
            if node.entry not in block.entries:
                known = ", ".join(block.entries) or "none"
                raise ComposeError(f"block '{block.name}' has no entry '{node.entry}'", node.place, f"it has: {known}")
            text = block.entries[node.entry]
        settings = {s.name: s.default for s in block.settings} | dict(network.settings)
        contract = parse_signature(text)
        extra = {k: _setting(v) for k, v in node.settings}
        if contract.picked and "*" in extra and contract.picked not in extra:  # G.features(x, [0, 4])
            extra[contract.picked] = extra["*"][0]
        found = match(contract, args, {**settings, **extra})
        self.bind(network.name, block, found.axes, node.place, node.text)
        if node.entry and is_open(found.output) and not any(is_open(a) for a in args):
            from composer.confirm import observe  # the contract leaves open what torch can say

            return observe(node, network, self.bound[network.name], args, found.output, self.graph.training.batch)
        return found.output

    def bind(self, name: str, block: Block, axes: Mapping[str, Any], place: Place, text: str) -> None:
        """Fix the axes of a network at its first call, compare them at later ones."""
        known = self.bound.get(name)
        mine = {a: axes[a] for a in block.axes if a in axes}
        if known is None:
            missing = [a for a in block.axes if mine.get(a) is None]
            if missing:
                raise ComposeError(
                    f"{text}: the size '{missing[0]}' that {name} is built with is not known here",
                    place,
                    "its input comes from a block that promises nothing about it",
                )
            self.bound[name] = Bound(mine, place)
            return
        for axis, size in mine.items():
            if size is not None and axis in known.axes and known.axes[axis] != size:
                first = f"{known.axes[axis]} {_axis_word(axis)}"
                raise ComposeError(
                    f"{name} was built for {first} (line {known.place.line}), and here gets {size}",
                    place,
                    "one name is one set of weights: use another network or make the inputs agree",
                )

    def _wired(self, node: Node, network: Network, wiring: Wiring, args: Sequence[Type]) -> Type:
        if len(args) != len(wiring.inputs):
            count = len(wiring.inputs)
            form = f"write {network.name}({', '.join(one.target for one in wiring.inputs)})"
            raise Mismatch(f"takes {count} value{'s' if count != 1 else ''}, got {len(args)}", remedy=form)
        if network.name in self.lost:
            raise Broken(network.name)
        inner = Inference(self.graph)
        inner.types.update(zip(wiring.inputs, args, strict=True))
        known = self.bound.get(network.name)
        inner.bound = dict(known.layers) if known else {}
        for one in reachable(wiring.roots):
            if one not in inner.types:
                if one.op == "layer":
                    inner.add_layer(one, wiring)
                else:
                    inner.add(one)
        if inner.problems:
            self.lost.add(network.name)
            called = f" (called on line {node.place.line})" if known is None else f" (in {node.text})"
            raise ComposeError.together(replace(p, fact=p.fact + called) for p in inner.problems)
        if known is None:
            self.bound[network.name] = Bound({}, node.place, inner.bound, inner.types, tuple(args))
        outputs = tuple(inner.types[o] for o in _given(node, network.name, wiring))
        if node.entry == "features":
            return Series(outputs)
        return outputs[0] if len(outputs) == 1 else Several(outputs)

    def add_layer(self, node: Node, wiring: Wiring) -> None:
        layer = wiring.layers[node.target]
        block = look_up(layer.block)
        if any(a in self.failed for a in node.args):
            return self.fail(node)
        args = [self.types[a] for a in node.args]
        settings = {s.name: s.default for s in block.settings} | dict(layer.settings)
        try:
            if block.maps and has_series(args):
                self.types[node] = UNKNOWN
                return
            found = match(parse_signature(block.signature), args, settings)
            self.bind(layer.name, block, found.axes, node.place, node.text)
            self.types[node] = found.output
            self.check_size(node)
        except Mismatch as mismatch:
            self.fail(node, Problem(f"{node.text}: {mismatch.fact}", layer.place, mismatch.remedy))
        except ComposeError as error:
            self.fail(node, *error.problems)


def _given(node: Node, name: str, wiring: Wiring) -> Sequence[Node]:
    """What a call of a wired network gives, by the entry point that it names."""
    if node.entry in wiring.entries:
        return wiring.entries[node.entry]
    if node.entry == "features":
        taps = node.setting("taps", *node.setting("*", [None])[:1])
        try:
            return tapped(wiring, taps)
        except ComposeError as error:
            raise ComposeError(f"{node.text}: {error.fact}", node.place, error.remedy) from None
    if node.entry:
        known = ", ".join(["features", *wiring.entries])
        raise ComposeError(f"'{name}' has no entry '{node.entry}'", node.place, f"it has: {known}")
    return wiring.outputs


def _axis_word(axis: str) -> str:
    words = {"c": "input channels", "s": "numbers of style", "h": "rows of pixels", "w": "columns of pixels"}
    return words.get(axis, f"as its size '{axis}'")


def _setting(value: Any) -> Any:
    return None if isinstance(value, Node) else value
