"""Random lines of `values`: calls, draws, states, arithmetic and functions over what there is already."""

from __future__ import annotations

from collections.abc import Callable

from composer.testing.networks import new_network
from composer.testing.world import Formed, Kind, Net, Value, World, named

Op = Callable[[World, str], "tuple[Formed, str] | None"]  # gives the expression and what kind of node it is


def add_value(world: World) -> None:
    """One more line, or nothing where the chosen operation does not fit what there is."""
    context = world.context()
    made = world.choose(OPERATIONS)(world, context)
    if made is not None:
        value = world.define(world.new_name("z" if made[1] == "draw" else "v"), context, *made)
        if world.maybe(2):
            world.lifetime[value.pattern] = world.choose(
                ["phase", "iteration"] if value.op == "draw" else ["iteration", "phase"]
            )


def a_map(world: World, context: str) -> Formed | None:
    return world.some(context, lambda v: v.kind.is_map)


def like(world: World, context: str, one: Formed) -> Formed | None:
    """Another value of the same kind, or the same one."""
    return world.some(context, lambda v: v.kind == one.kind) if one.kind.is_known else None


def plain(world: World, context: str) -> Formed | None:
    return world.some(context, lambda v: v.kind.is_real)


# -- networks ---------------------------------------------------------------------------------------------------


def call(world: World, context: str) -> tuple[Formed, str] | None:
    """A network, new or not, called on a value."""
    one = world.some(context, lambda v: v.kind.is_map or v.kind.is_code)
    if one is None:
        return None
    args = [one]
    if world.maybe(5) and one.kind.is_map:
        second = world.some(context, lambda v: v.kind.rows == one.kind.rows and (v.kind.is_code or v.kind.is_map))
        args += [second] if second is not None else []
    takes = tuple(a.kind.sizes for a in args)
    known = [n for n in world.networks if n.takes == takes]
    if known and world.maybe(2):
        net: Net | None = world.choose(known)
    else:
        net = new_network(world, takes)
    if net is None:
        return None
    return called(world, context, net, args), "call"


def called(world: World, context: str, net: Net, args: list[Formed]) -> Formed:
    """A call of `net`, or of its average."""
    first = args[0]
    name = named(net.name, world.symbols(net.index, context))
    rows = first.kind.rows
    items = tuple(Kind(i.sizes, rows) for i in net.gives.items)
    gives = Kind(net.gives.sizes, rows, items=items)
    text = f"({', '.join(a.text for a in args)})"
    if world.maybe(10):
        world.averages.setdefault(net.pattern, 0.9)
        return first.over(f"average({name}){text}", gives, *args[1:])
    found = first.over(f"{name}{text}", gives, *args[1:])
    return Formed(found.text, gives, found.paths, found.networks | ({net.pattern} if net.trained else set()))


def features(world: World, context: str) -> tuple[Formed, str] | None:
    """What a layer inside a network gives."""
    nets = [
        n for n in world.networks if n.taps and any(v.kind.is_map and v.kind.sizes == n.takes[0] for v in world.values)
    ]
    if not nets:
        return None
    net = world.choose(nets)
    one = world.some(context, lambda v: v.kind.is_map and v.kind.sizes == net.takes[0])
    assert one is not None
    name = named(net.name, world.symbols(net.index, context))
    text = f"{name}.features({one.text}, [{world.number(0, net.taps - 1)}])[0]"
    unknown = Kind((0,), one.kind.rows)  # of a size that nothing else has
    return Formed(text, unknown, one.paths, one.networks | ({net.pattern} if net.trained else set())), "call"


# -- random numbers and state -----------------------------------------------------------------------------------


def noise(world: World, context: str) -> tuple[Formed, str] | None:
    one = plain(world, context)
    if one is None or not one.kind.is_known:
        return None
    text = world.choose(["normal_like({})", "uniform_like({}, -1, 1)"]).format(one.text)
    return Formed(text, one.kind), "draw"


def code(world: World, context: str) -> tuple[Formed, str] | None:
    size = world.number(2, 3)
    one = world.some(context, lambda v: v.kind.rows == (1, 0)) if world.maybe(4) else None
    rows = f", rows={one.text}" if one is not None else ""
    return Formed(f"{world.choose(['normal', 'uniform'])}({size}{rows})", Kind((size,))), "draw"


def shuffled(world: World, context: str) -> tuple[Formed, str] | None:
    """Rows in another order."""
    one = plain(world, context)
    if one is None:
        return None
    order = world.define(
        world.new_name("z"), context, Formed(f"permutation(rows={one.text})", Kind((), one.kind.rows, "index")), "draw"
    )
    return one.over(f"take({one.text}, {order_text(order.name, context)})"), "other"


def mirrored(world: World, context: str) -> tuple[Formed, str] | None:
    one = world.some(context, lambda v: v.kind.is_map or v.kind.is_list)
    if one is None:
        return None
    coin = world.define(world.new_name("z"), context, Formed("coin(0.5)", Kind((), (0, 1), "coin")), "draw")
    return one.over(f"flip({one.text}, {order_text(coin.name, context)})"), "other"


def mixed(world: World, context: str) -> tuple[Formed, str] | None:
    """An interpolation with a random share for each row."""
    one = plain(world, context)
    other = like(world, context, one) if one else None
    if one is None or other is None:
        return None
    share = world.define(
        world.new_name("z"), context, Formed(f"shares(rows={one.text})", Kind((), one.kind.rows, "share")), "draw"
    )
    return one.over(f"lerp({one.text}, {other.text}, {order_text(share.name, context)})", None, other), "other"


def order_text(name: str, context: str) -> str:
    return named(name, tuple(context.split(","))) if context else name


def pool(world: World, context: str) -> tuple[Formed, str] | None:
    one = a_map(world, context)
    if one is None:
        return None
    return one.constant(f"history({one.text}, size={world.number(1, 3)})"), "state"


def ring(world: World, context: str) -> tuple[Formed, str] | None:
    one = world.some(context, lambda v: v.kind.is_code)
    if one is None:
        return None
    size = world.number(2, 5)
    return Formed(f"queue({one.text}, size={size})", Kind(one.kind.sizes, (0, size))), "state"


# -- functions --------------------------------------------------------------------------------------------------


def sums(world: World, context: str) -> tuple[Formed, str] | None:
    one = plain(world, context)
    other = like(world, context, one) if one else None
    if one is None or other is None:
        return None
    form = world.choose(["{} + {}", "0.5 * {} - 0.5 * {}", "{} * tanh({})", "lerp({}, {}, 0.3)"])
    return one.over(form.format(one.text, other.text), None, other), "other"


def function(world: World, context: str) -> tuple[Formed, str] | None:
    one = plain(world, context)
    if one is None:
        return None
    form = world.choose(["tanh({})", "sigmoid({})", "leaky_relu({})", "square({})", "-{}", "{} / 2", "abs({})"])
    return one.over(form.format(one.text)), "other"


def stopped(world: World, context: str) -> tuple[Formed, str] | None:
    one = world.some(context, lambda v: v.kind.is_real or v.kind.is_list)
    return None if one is None else (one.constant(f"stop({one.text})"), "other")


def repeated(world: World, context: str) -> tuple[Formed, str] | None:
    """The same call or draw again."""
    one = world.some(context, lambda v: v.op in ("call", "draw") and v.kind.is_real)
    if one is None:
        return None
    others = frozenset(p for p in one.paths if named(*p) != one.text)  # the new one does not depend on the first
    return Formed(f"again({one.text})", one.kind, others, one.networks), "call"


def beside(world: World, context: str) -> tuple[Formed, str] | None:
    one = a_map(world, context)
    if one is None:
        return None
    fits = (one.kind.rows, one.kind.sizes[1:])
    other = world.some(context, lambda v: v.kind.is_map and (v.kind.rows, v.kind.sizes[1:]) == fits)
    assert other is not None
    kind = Kind((one.kind.sizes[0] + other.kind.sizes[0], *one.kind.sizes[1:]), one.kind.rows)
    return one.over(f"concat({one.text}, {other.text})", kind, other), "other"


def stacked(world: World, context: str) -> tuple[Formed, str] | None:
    one = plain(world, context)
    if one is None or not one.kind.is_known or one.kind.rows[0] > 2:
        return None
    other = world.some(context, lambda v: v.kind.is_real and v.kind.sizes == one.kind.sizes)
    assert other is not None
    rows = (one.kind.rows[0] + other.kind.rows[0], one.kind.rows[1] + other.kind.rows[1])
    return one.over(f"stack({one.text}, {other.text})", Kind(one.kind.sizes, rows), other), "other"


def halves(world: World, context: str) -> tuple[Formed, str] | None:
    """The second half of a stack; the first gets a name too."""
    one = world.some(context, lambda v: v.kind.is_real and v.kind.rows[0] == 2 and v.kind.rows[1] % 2 == 0)
    if one is None:
        return None
    rows = (1, one.kind.rows[1] // 2)
    first, second = world.new_name("u"), world.new_name("w")
    at = order_text("", context)
    world.value_lines[f"{first}{at}, {second}{at}"] = f"split({one.text}, 2)"
    for name in (first, second):
        part = one.over(name, Kind(one.kind.sizes, rows))
        world.values.append(world_value(name, context, part))
        if world.maybe(5):
            world.lifetime[f"{name}{at}"] = "iteration"
    return None


def world_value(name: str, context: str, formed: Formed) -> Value:
    return Value(name, context, formed.kind, "other", formed.paths, formed.networks)


def cut(world: World, context: str) -> tuple[Formed, str] | None:
    """Some rows, or some channels."""
    one = a_map(world, context)
    if one is None:
        return None
    if world.maybe():
        return one.over(f"rows({one.text}, 0, 1)", Kind(one.kind.sizes, (0, 1))), "other"
    last = one.kind.sizes[0] - 1
    return one.over(f"channels({one.text}, {last}, 1)", Kind((1, *one.kind.sizes[1:]), one.kind.rows)), "other"


def listed(world: World, context: str) -> tuple[Formed, str] | None:
    """A list of two values."""
    one, other = plain(world, context), plain(world, context)
    if one is None or other is None:
        return None
    return one.over(
        f"[{one.text}, {other.text}]", Kind((), one.kind.rows, items=(one.kind, other.kind)), other
    ), "other"


def item(world: World, context: str) -> tuple[Formed, str] | None:
    one = world.some(context, lambda v: v.kind.is_list)
    if one is None:
        return None
    number = world.number(0, len(one.kind.items) - 1)
    return one.over(f"{one.text}[{number}]", one.kind.items[number]), "other"


def slope(world: World, context: str) -> tuple[Formed, str] | None:
    """A derivative as a value."""
    found = derivative(world, context)
    return None if found is None else (found, "other")


def derivative(world: World, context: str) -> Formed | None:
    """`grad(score, x)` of a value at one that it is made from, or of a call at its argument."""
    scores = [v for v in world.values if v.paths and (v.kind.is_real or v.kind.is_list)]
    if scores and world.maybe(3):
        score = world.refer(world.choose(scores), context)
    else:
        made = call(world, context)
        if made is None:
            return None
        score = made[0]
    kinds = {v.name: v.kind for v in world.values}
    at = sorted(p for p in score.paths if kinds[p[0]].is_real and kinds[p[0]].is_known and named(*p) != score.text)
    if not at:
        return None
    name, symbols = world.choose(at)
    inner = next(v for v in world.values if v.name == name)
    text = score.text
    if world.maybe(4) and not score.kind.is_list:  # a second path
        text = f"mean_square({text}) + 0.5 * mean_square({named(name, symbols)})"
    return Formed(f"grad({text}, {named(name, symbols)})", inner.kind, score.paths, score.networks | inner.networks)


OPERATIONS: tuple[Op, ...] = (
    call, call, call, call, sums, noise, noise, code, function, mixed, pool, ring, stopped, repeated, beside, stacked,
    halves, cut, listed, item, features, slope, shuffled, mirrored,
)  # fmt: skip
