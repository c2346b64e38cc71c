"""The frozen values of a built graph: nodes of the data flow, networks, phases, terms, streams."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from composer.errors import ComposeError, Place
from composer.fields import Field, Stream

CONSTANT = ("stop", "state", "draw")  # operations through which no derivative goes


@dataclass(frozen=True, eq=False)
class Node:
    """One value of the data flow. Equal expressions are one node, so identity is equality.

    `op` is one of
    input (target: field), call (target: network), apply (target: function or loss block), draw and state (target:
    block, `name` says which one), layer (target: a layer of a wired network), stop, grad (args: score, x),
    item (settings: number), list, arith (target: operator), number, clock (target: Python text over `clock`),
    collect (target: block, which gathers under `name` in a pass), collected (target: what a pass gathered).
    """

    op: str
    target: str
    args: tuple[Node, ...]
    settings: tuple[tuple[str, Any], ...]
    entry: str
    average: bool
    name: str
    text: str
    place: Place = field(repr=False)
    number: int

    def setting(self, name: str, default: Any = None) -> Any:
        return dict(self.settings).get(name, default)

    def __deepcopy__(self, memo: object) -> Node:
        return self  # a frozen value, and one of many that hang together

    @property
    def scalar(self) -> bool:
        """A plain number of Python at run time, not a tensor."""
        return self.op in ("number", "clock")


@dataclass(frozen=True)
class Call:
    """A name with constant arguments: `normal(0.02)`, `constant_then_linear(100, 100, early=1)`."""

    name: str
    args: tuple[Any, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        parts = [str(a) for a in self.args] + [f"{k}={v}" for k, v in self.settings.items()]
        return f"{self.name}({', '.join(parts)})" if parts else self.name


@dataclass(frozen=True)
class Layer:
    """A layer of a wired network: one call site, which owns its weights. `part`: the line (or link) it stands on."""

    name: str
    block: str
    settings: Mapping[str, Any]
    part: str
    place: Place = field(repr=False, compare=False)


@dataclass(frozen=True)
class Wiring:
    """The inside of a network written in YAML: its inputs, its layers and what it returns."""

    inputs: tuple[Node, ...]
    layers: Mapping[str, Layer]
    outputs: tuple[Node, ...]
    values: Mapping[str, Node] = field(default_factory=dict)
    entries: Mapping[str, tuple[Node, ...]] = field(default_factory=dict)  # other entry points: what they give

    @property
    def roots(self) -> list[Node]:
        """Everything that a call, by whatever entry point, may give."""
        return [*self.outputs, *(node for given in self.entries.values() for node in given)]


@dataclass(frozen=True)
class Network:
    """What owns weights. `block` with `settings`, or a `wiring`."""

    name: str
    block: str
    settings: Mapping[str, Any]
    wiring: Wiring | None
    init: Call
    frozen: bool
    mode: str  # "" (training mode) | train | eval
    weights: str
    place: Place = field(repr=False, compare=False)


@dataclass(frozen=True)
class Term:
    """`weight * loss` of a phase; `into` narrows it to some of the phase's networks."""

    name: str
    weight: Node
    loss: Node
    into: tuple[str, ...]
    text: str
    place: Place = field(repr=False, compare=False)


@dataclass(frozen=True)
class Phase:
    """One minimisation: which networks it updates, its terms in order, and when it runs."""

    name: str
    update: tuple[str, ...]
    terms: tuple[Term, ...]
    first: tuple[Node, ...]
    when: str  # Python text over `clock`, "" = always
    step: str  # likewise: the step is made only when it is true
    repeat: int
    batch: str  # same | new: what a repeated run is fed with
    place: Place = field(repr=False, compare=False)


@dataclass(frozen=True)
class Group:
    """Networks (or parts of them) that share an optimizer's settings."""

    name: str
    networks: tuple[str, ...]
    kind: str
    settings: Mapping[str, Any]
    rate: str  # Python text over `clock`: factor of the learning rate
    clip_norm: float
    clip_value: float
    clip_weights: float
    restart: int | str  # iteration at which the optimizer's state starts anew, -1 = never; or Python text over `clock`
    parts: Mapping[str, Mapping[str, Any]]
    place: Place = field(repr=False, compare=False)


@dataclass(frozen=True)
class Average:
    """A moving average of a network's parameters."""

    network: str
    decay: float
    start: int
    mode: str  # "" = as its network
    buffers: str  # own | copy | epoch
    place: Place = field(repr=False, compare=False)


@dataclass(frozen=True)
class Translation:
    """What the trained model offers: a value and the mode in which its networks run."""

    name: str
    node: Node
    mode: str
    samples: int
    fields: tuple[Field, ...]
    place: Place = field(repr=False, compare=False)


@dataclass(frozen=True)
class Pass:
    """A run over the data without gradients: what it collects, by name, and the states it fills."""

    name: str
    at: str | int  # start | end | the iteration it comes before
    streams: tuple[str, ...]
    batches: int  # 0: all rows of the streams
    collect: Mapping[str, Node]
    fill: tuple[Node, ...]
    mode: str  # of the networks; "" = each its own
    place: Place = field(repr=False, compare=False)

    @property
    def first_iteration(self) -> int:
        """The iteration that it must be run before."""
        return self.at if isinstance(self.at, int) else 0

    @property
    def roots(self) -> tuple[Node, ...]:
        """What is evaluated on every batch."""
        return (*self.collect.values(), *self.fill)


@dataclass(frozen=True)
class Training:
    """How long and in which portions a run trains."""

    epochs: int | None = None
    iterations: int | None = None
    batch: int = 1
    epoch_iterations: int | None = None


@dataclass(frozen=True)
class Graph:
    """A method: everything resolved, expanded and sorted, nothing of it unused."""

    name: str
    about: str
    file: str
    params: Mapping[str, Any]
    streams: tuple[Stream, ...]
    networks: Mapping[str, Network]
    values: Mapping[str, Node]
    lifetime: Mapping[Node, str]
    phases: tuple[Phase, ...]
    groups: tuple[Group, ...]
    averages: Mapping[str, Average]
    training: Training
    translations: Mapping[str, Translation]
    show: tuple[tuple[str, Node], ...]
    patterns: Mapping[str, str]  # full name -> the name as written: fake[a,b] -> fake[s,t]
    passes: Mapping[str, Pass] = field(default_factory=dict)
    warnings: tuple[Any, ...] = ()
    block_files: tuple[str, ...] = ()
    document: Any = field(default=None, repr=False)

    def name_of(self, node: Node) -> str:
        """The name a node was given, or its text."""
        return self._names.get(node, node.text)

    @property
    def _names(self) -> Mapping[Node, str]:
        found = self.__dict__.get("_names_cache")
        if found is None:
            found = {}
            for name, node in self.values.items():
                found.setdefault(node, name)
            self.__dict__["_names_cache"] = found
        return found

    @property
    def training_roots(self) -> list[Node]:
        """What an iteration evaluates: the values of `first`, weights and losses."""
        return [n for p in self.phases for n in (*p.first, *(m for t in p.terms for m in (t.weight, t.loss)))]

    @property
    def roots(self) -> list[Node]:
        """Everything that is ever evaluated: training, passes, translations, columns of samples."""
        others = [t.node for t in self.translations.values()] + [n for _, n in self.show]
        return [*self.training_roots, *(n for p in self.passes.values() for n in p.roots), *others]

    def __str__(self) -> str:
        from composer.listing import list_graph

        return list_graph(self)


def reachable(roots: list[Node] | tuple[Node, ...]) -> list[Node]:
    """Every node that `roots` need, arguments before what uses them."""
    order: list[Node] = []
    seen: set[Node] = set()
    stack: list[tuple[Node, bool]] = [(node, False) for node in reversed(roots)]
    while stack:
        node, done = stack.pop()
        if done:
            order.append(node)
            continue
        if node in seen:
            continue
        seen.add(node)
        stack.append((node, True))
        children = [*node.args, *(v for _, v in node.settings if isinstance(v, Node))]
        stack.extend((child, False) for child in reversed(children) if child not in seen)
    return order


def tapped(wiring: Wiring, taps: Any) -> list[Node]:
    """The nodes that `features(x, taps)` of a wired network gives: by number along the chain, or by name.

    Raises a `ComposeError` for a tap that there is not.
    """
    order = [n for n in reachable(list(wiring.outputs)) if n.op in ("layer", "apply")]
    found = []
    for tap in taps if isinstance(taps, (list, tuple)) and taps else [taps]:
        if isinstance(tap, str) and tap in wiring.values:
            found.append(wiring.values[tap])
        elif isinstance(tap, int) and not isinstance(tap, bool) and 0 <= tap < len(order):
            found.append(order[tap])
        else:
            known = ", ".join(wiring.values) or "it is a chain"
            raise ComposeError(
                f"no layer {tap!r} to tap in a network of {len(order)}",
                remedy=f"taps are numbers from 0 to {len(order) - 1}, or names of its values ({known})",
            )
    return found
