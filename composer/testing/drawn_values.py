"""Random lines of `values`: random numbers, and state."""

from __future__ import annotations

from composer.testing.values import Made, a_map, like, plain
from composer.testing.world import Formed, Kind, World, here


def noise(world: World, context: str) -> Made:
    one = plain(world, context)
    if one is None or not one.kind.is_known:
        return None
    text = world.choose(["normal_like({})", "uniform_like({}, -1, 1)"]).format(one.text)
    return Formed(text, one.kind), "draw"


def code(world: World, context: str) -> Made:
    size = world.number(2, 3)
    one = world.some(context, lambda v: v.kind.rows == (1, 0) and not v.kind.is_list) if world.maybe(4) else None
    rows = f", rows={one.text}" if one is not None else ""
    return Formed(f"{world.choose(['normal', 'uniform'])}({size}{rows})", Kind((size,))), "draw"


def shuffled(world: World, context: str) -> Made:
    """Rows in another order."""
    one = plain(world, context)
    if one is None:
        return None
    order = world.define(
        world.new_name("z"), context, Formed(f"permutation(rows={one.text})", Kind((), one.kind.rows, "index")), "draw"
    )
    return one.over(f"take({one.text}, {here(order.name, context)})"), "other"


def mirrored(world: World, context: str) -> Made:
    one = world.some(context, lambda v: v.kind.is_map or v.kind.is_list)
    if one is None:
        return None
    coin = world.define(world.new_name("z"), context, Formed("coin(0.5)", Kind((), (0, 1), "coin")), "draw")
    return one.over(f"flip({one.text}, {here(coin.name, context)})"), "other"


def mixed(world: World, context: str) -> Made:
    """An interpolation with a random share for each row."""
    one = plain(world, context)
    other = like(world, context, one) if one else None
    if one is None or other is None:
        return None
    share = world.define(
        world.new_name("z"), context, Formed(f"shares(rows={one.text})", Kind((), one.kind.rows, "share")), "draw"
    )
    return one.over(f"lerp({one.text}, {other.text}, {here(share.name, context)})", None, other), "other"


def pool(world: World, context: str) -> Made:
    one = a_map(world, context)
    if one is None:
        return None
    return one.constant(f"history({one.text}, size={world.number(1, 3)})"), "state"


def ring(world: World, context: str) -> Made:
    one = world.some(context, lambda v: v.kind.is_code)
    if one is None:
        return None
    size = world.number(2, 5)
    return Formed(f"queue({one.text}, size={size})", Kind(one.kind.sizes, (0, size))), "state"
