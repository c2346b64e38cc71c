"""Which lines of `values` a random graph is made of, and how often."""

from __future__ import annotations

from collections.abc import Callable

from composer.testing import drawn_values as drawn
from composer.testing import gathered, maps, values
from composer.testing.values import Made
from composer.testing.world import World

Operation = Callable[[World, str], Made]
COMMON: tuple[Operation, ...] = (
    values.call, values.call, values.call, values.call, values.sums, drawn.noise, drawn.noise, drawn.code,
    values.function, drawn.mixed, drawn.pool, drawn.ring, values.stopped, values.repeated, values.beside,
    values.stacked, values.halves, values.cut, values.listed, values.item, values.features, values.slope,
    drawn.shuffled, drawn.mirrored,
)  # fmt: skip
OF_MAPS: tuple[Operation, ...] = (
    maps.classes, maps.coloured, maps.coloured, maps.outlines, maps.averaged, maps.averaged, maps.painted,
    gathered.of_classes, gathered.of_clusters,
)  # fmt: skip
OTHERS: tuple[Operation, ...] = (
    values.combined, values.together, maps.picked, maps.chosen, maps.resized, maps.resized, maps.noise_map,
    maps.laid_out, maps.spread_out, maps.profile, maps.chosen_pixels, maps.shaped, maps.ranged, gathered.a_mean,
    gathered.for_each_row,
)  # fmt: skip


def add_value(world: World) -> None:
    """One more line, or nothing where the chosen operation does not fit what there is."""
    context = world.context()
    groups = [COMMON, COMMON, OTHERS]
    if any(v.kind.is_id_map for v in world.values):
        groups.append(OF_MAPS)
    made = world.choose(world.choose(groups))(world, context)
    if made is not None:
        value = world.define(world.new_name("z" if made[1] == "draw" else "v"), context, *made)
        if world.maybe(2):
            world.lifetime[value.pattern] = world.choose(
                ["phase", "iteration"] if value.op == "draw" else ["iteration", "phase"]
            )
