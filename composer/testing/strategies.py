"""Hypothesis strategies: random valid graphs, blocks with settings.

    @given(graphs())
    def test_something(text):
        program = composer.compile("random", text=text)

The graphs are built from the catalogue, with networks in all three forms, indices, draws, states, lifetimes, several
phases, penalties on gradients and averages; images have 8 or 16 pixels and networks a width of 2, so that an iteration
takes milliseconds.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import yaml
from hypothesis import strategies as st

from composer.block import Block, Setting, catalogue
from composer.testing.gathered import add_passes
from composer.testing.operations import add_value
from composer.testing.phases import add_averages, add_optimizers, add_phases
from composer.testing.values import call
from composer.testing.world import Kind, Value, World

LARGEST = 4  # how far above its smallest value an unbounded whole number goes


@st.composite
def graphs(draw: st.DrawFn, *, most_values: int = 10) -> str:
    """The text of a random valid graph, with up to about `most_values` lines of values."""
    return build(lambda low, high: draw(st.integers(low, high)), most_values)


def random_graph(seed: int, *, most_values: int = 10) -> str:
    """The text of the random graph number `seed`: every one unlike the others, for long searches without hypothesis."""
    return build(random.Random(seed).randint, most_values)


def build(number: Callable[[int, int], int], most_values: int) -> str:
    """A graph out of choices: `number(low, high)`."""
    indexed = bool(number(0, 1))
    world = World(number, indexed, number(1, 4), (8, 16)[number(0, 1)])
    inputs = _inputs(world)
    _first_calls(world)
    for _ in range(world.number(1, most_values)):
        add_value(world)
    phases = add_phases(world)
    graph: dict[str, Any] = {"composer": 1, "name": "random", "params": {"size": world.size, "weight": 2}}
    if indexed:
        graph["index"] = {"d": ["a", "b"], "s,t": [["a", "b"], ["b", "a"]]}
    graph |= {"inputs": inputs, "networks": world.network_lines, "values": world.value_lines}
    if world.lifetime:
        graph["lifetime"] = world.lifetime
    passes = add_passes(world)
    if passes:
        graph["passes"] = passes
    graph |= {"phases": phases, "optimizers": add_optimizers(world)}
    averages = add_averages(world)
    if averages:
        graph["averages"] = averages
    graph["training"] = {"iterations": 6, "batch": world.batch}
    if world.maybe(3):
        graph["training"]["epoch_iterations"] = 2
    if world.maybe(3):
        graph["training"]["learning_rate"] = "constant_then_linear(1, 2)"
    graph["show"] = _show(world)
    return str(yaml.dump(graph, Dumper=_Plain, sort_keys=False, width=1000))


class _Plain(yaml.SafeDumper):
    """Writes equal parts out each time: graphs have no anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


BESIDE = ("", "mi", "mik", "i", "m")  # what may come with a picture: a map of classes, one of ids, a class
CLASSES = 3


def _inputs(world: World) -> dict[str, Any]:
    """One stream of pairs, or one stream for each domain; often with maps beside the pictures, of the same rows."""
    image = Kind((3, world.size, world.size))
    pixels = (world.size, world.size)
    index, at = ("d", "[d]") if world.indexed else ("", "")
    fields = {"x": ("image(3, size, size)", image)}
    if not world.indexed:
        fields["y"] = fields["x"]
    more = {
        "m": (f"label_map({CLASSES}, size, size)", Kind(pixels, word="label", top=CLASSES)),
        "i": ("ids(size, size)", Kind(pixels, word="ids")),
        "k": (f"label({CLASSES})", Kind((), word="label", top=CLASSES)),
    }
    fields |= {letter: more[letter] for letter in world.choose(BESIDE)}
    world.values += [Value(name, index, kind, "input") for name, (_, kind) in fields.items()]
    return {"domain[d]" if world.indexed else "pair": {name + at: text for name, (text, _) in fields.items()}}


def _first_calls(world: World) -> None:
    """Values that networks make, until there are two networks and one of them is trained."""
    for _ in range(20):
        context = world.context()
        made = call(world, context)
        if made is not None:
            world.define(world.new_name(), context, *made)
        if len(world.networks) > 1 and any(n.trained for n in world.networks):
            return
    raise AssertionError("one network in eight is frozen; twenty in a row are not")


def _show(world: World) -> list[str]:
    texts = [world.refer(v, "").text for v in world.values if v.kind.is_map or v.kind.is_label_map]
    return texts[:3]


def settings_of(block: Block) -> st.SearchStrategy[dict[str, Any]]:
    """Valid settings of a block: the required ones, and any of the others."""
    required = {s.name: values_of(s) for s in block.settings if s.required}
    optional = {s.name: values_of(s) for s in block.settings if not s.required and s.type != "any"}
    return st.fixed_dictionaries(required, optional=optional)


def values_of(setting: Setting) -> st.SearchStrategy[Any]:
    """Valid values of a setting, small ones first."""
    one: st.SearchStrategy[Any]
    if setting.choices:
        one = st.sampled_from(setting.choices)
    elif setting.type == "bool":
        one = st.booleans()
    elif setting.type == "int":
        low = int(setting.low if setting.low is not None else 0)
        high = min(low + LARGEST, int(setting.high)) if setting.high is not None else low + LARGEST
        one = st.integers(low, high)
    elif setting.type == "float":
        low_share = setting.low if setting.low is not None else 0.0
        one = st.floats(low_share, min(setting.high if setting.high is not None else low_share + 1, low_share + 1))
    else:
        one = st.just(setting.default)  # texts and lists have a meaning that their block knows
    return st.one_of(st.none(), one) if setting.optional else one


@st.composite
def blocks(draw: st.DrawFn, *, role: str | None = None) -> tuple[Block, dict[str, Any]]:
    """A block of the catalogue (of a role: module, function, loss, draw, state) with valid settings."""
    import composer.blocks  # noqa: F401  # registers the bundled ones

    offered = sorted((b for b in catalogue().values() if role in (None, b.role)), key=lambda b: b.name)
    block = draw(st.sampled_from(offered))
    return block, draw(settings_of(block))
