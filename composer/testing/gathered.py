"""Random lines of `values` about means: of a batch, followed over iterations, gathered by passes; and the passes."""

from __future__ import annotations

from typing import Any

from composer.testing.maps import LARGEST_ID, id_map, label_map
from composer.testing.values import Made, a_map, plain
from composer.testing.world import Formed, Kind, World, here

TIMES = ("start", "end", "=1", "=2")
CLUSTERS = 2


def whole(*sizes: int) -> Kind:
    """Numbers that belong to no row."""
    return Kind(sizes, (0, 0), "whole")


def a_mean(world: World, context: str) -> Made:
    one = plain(world, context)
    if one is not None and one.kind.is_known:
        mean_of(world, context, one)
    return None


def mean_of(world: World, context: str, one: Formed) -> Formed:
    """A mean over rows, with a name: of a batch, of the batches so far, of a pass."""
    kind = whole(*one.kind.sizes)
    block = world.choose(["mean", "mean_over", "running_mean"])
    if block == "mean_over":
        return world.collect(context, one.constant(f"mean_over({one.text})", kind))
    if block == "running_mean":
        decay = world.choose(["0.9", "1"])
        formed, op = one.constant(f"running_mean({one.text}, decay={decay})", kind), "state"
    else:
        formed, op = one.over(f"mean({one.text})", kind), "other"
    value = world.define(world.new_name(), context, formed, op)
    return Formed(here(value.name, context), kind, formed.paths, formed.networks)


def for_each_row(world: World, context: str) -> Made:
    """A mean, or numbers of one's own, again for every row."""
    one = world.some(context, lambda v: v.kind.word == "whole" and len(v.kind.sizes) == 1)
    rows = plain(world, context)
    if rows is None:
        return None
    if one is None:
        return Formed(f"constant({rows.text}, [0.5, -1])", Kind((2,), rows.kind.rows)), "other"
    return one.over(f"repeat_like({one.text}, {rows.text})", Kind(one.kind.sizes, rows.kind.rows)), "other"


def of_classes(world: World, context: str) -> Made:
    """What pixels of a class are like in the mean, painted at the pixels of a map."""
    one = a_map(world, context)
    label = label_map(world, context, one) if one else None
    to = label_map(world, context)
    if one is None or label is None or to is None:
        return None
    kind = whole(label.kind.top, one.kind.sizes[0])
    means = f"class_mean({one.text}, {label.text}, classes={label.kind.top})"
    table = world.collect(context, one.constant(means, kind))
    return table.over(f"paint({table.text}, {to.text})", Kind((kind.sizes[1], *to.kind.sizes), to.kind.rows)), "other"


def of_clusters(world: World, context: str) -> Made:
    """What instances of a class are like, in a few groups; one of them painted at the pixels of a map."""
    one = a_map(world, context)
    ids = id_map(world, context, one) if one else None
    to = id_map(world, context)
    if one is None or ids is None or to is None:
        return None
    kind = whole(LARGEST_ID, CLUSTERS, one.kind.sizes[0])
    centres = f"class_clusters({one.text}, {ids.text}, classes={LARGEST_ID}, k={CLUSTERS})"
    table = world.collect(context, one.constant(centres, kind))
    each = world.maybe()
    text = f"integers({3 if each else LARGEST_ID}, 0, {CLUSTERS})"
    index = Formed(text, Kind((), (0, 0), "index"))
    name = here(world.define(world.new_name("z"), context, index, "draw").name, context)
    form = f"paint_segments({table.text}, {name}, {to.text})"
    if not each:
        form = f"paint(choose({table.text}, {name}), class_of({to.text}))"
    return table.over(form, Kind((kind.sizes[2], *to.kind.sizes), to.kind.rows)), "other"


def add_passes(world: World) -> dict[str, Any]:
    """One or two passes over all streams for everything that is gathered; some fill a queue."""
    over = "domain[d]" if world.indexed else "pair"
    cut = world.number(0, len(world.collected)) if len(world.collected) > 1 else 0
    found: dict[str, Any] = {}
    for part in (world.collected[cut:], world.collected[:cut]):
        if part:
            body: dict[str, Any] = {"at": world.choose(TIMES), "over": over}
            if world.maybe(4):
                body["mode"] = world.choose(["eval", "train"])
            found[f"q{len(found) + 1}"] = body | {"collect": dict(part)}
    queues = [name for name, text in world.value_lines.items() if text.startswith("queue(")]
    if queues and world.maybe(3):
        found["fill"] = {"at": "start", "over": over, "fill": world.choose(queues)}
    return found
