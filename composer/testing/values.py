"""Random lines of `values`: calls, draws, states, arithmetic and functions over what there is already."""

from __future__ import annotations

from composer.testing.networks import new_network
from composer.testing.world import Formed, Kind, Net, Value, World, here, named

Made = tuple[Formed, str] | None  # the expression and what kind of node it is: call, draw, state, other


def a_map(world: World, context: str) -> Formed | None:
    return world.some(context, lambda v: v.kind.is_map)


def like(world: World, context: str, one: Formed) -> Formed | None:
    """Another value of the same kind, or the same one."""
    return world.some(context, lambda v: v.kind == one.kind) if one.kind.is_known else None


def plain(world: World, context: str) -> Formed | None:
    return world.some(context, lambda v: v.kind.is_real)


# -- networks ---------------------------------------------------------------------------------------------------


def call(world: World, context: str) -> Made:
    """A network, new or not, called on a value."""
    one = world.some(context, lambda v: v.kind.is_map or v.kind.is_code)
    if one is None:
        return None
    args = [one]
    if world.maybe(4) and one.kind.is_map:
        second = world.some(context, lambda v: v.kind.rows == one.kind.rows and (v.kind.is_code or v.kind.is_map))
        args += [second] if second is not None else []
    return _net_called(world, context, args)


def _net_called(world: World, context: str, args: list[Formed]) -> Made:
    takes = tuple(a.kind.sizes for a in args)
    known = [n for n in world.networks if n.takes == takes]
    net = world.choose(known) if known and world.maybe(2) else new_network(world, takes)
    if net is None:
        return None
    made = called(world, context, net, args)
    if net.gives.word == "parts" and world.maybe(2):
        whole = made.text.rpartition("[")[0]
        _name_parts(world, context, made.over(whole, net.gives.in_rows(made.kind.rows)))
        return None
    return made, "call"


def combined(world: World, context: str) -> Made:
    """A network called on a map and a code, often a random one."""
    one = a_map(world, context)
    if one is None:
        return None
    other = world.some(context, lambda v: v.kind.is_code and v.kind.rows == one.kind.rows)
    if other is None or world.maybe(2):
        code = Formed(f"{world.choose(['normal', 'uniform'])}(2, rows={one.text})", Kind((2,), one.kind.rows))
        other = Formed(here(world.define(world.new_name("z"), context, code, "draw").name, context), code.kind)
    return _net_called(world, context, [one, other])


def together(world: World, context: str) -> Made:
    """Two values judged as one batch: the network's batch statistics are those of both."""
    one = world.some(context, lambda v: v.kind.is_map and v.kind.rows == (1, 0))
    other = like(world, context, one) if one else None
    if one is None or other is None:
        return None
    both = one.over(f"stack({one.text}, {other.text})", one.kind.in_rows((2, 0)), other)
    made = _net_called(world, context, [both])
    if made is not None:
        _cut_in_two(world, context, made[0])
    return None


def called(world: World, context: str, net: Net, args: list[Formed]) -> Formed:
    """A call of `net`, or of its average; of several values that it gives at once one."""
    first = args[0]
    name = named(net.name, world.symbols(net.index, context))
    gives = net.gives.in_rows(first.kind.rows)
    text = f"({', '.join(a.text for a in args)})"
    if gives.word == "parts":
        part = world.number(0, len(gives.items) - 1)
        gives, text = gives.items[part], f"{text}[{part}]"
    if world.maybe(10):
        world.averages.setdefault(net.pattern, 0.9)
        return first.over(f"average({name}){text}", gives, *args[1:])
    found = first.over(f"{name}{text}", gives, *args[1:])
    return Formed(found.text, gives, found.paths, found.networks | ({net.pattern} if net.trained else set()))


def features(world: World, context: str) -> Made:
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


# -- functions --------------------------------------------------------------------------------------------------


def sums(world: World, context: str) -> Made:
    one = plain(world, context)
    other = like(world, context, one) if one else None
    if one is None or other is None:
        return None
    form = world.choose(["{} + {}", "0.5 * {} - 0.5 * {}", "{} * tanh({})", "lerp({}, {}, 0.3)", "total([{}, {}])"])
    return one.over(form.format(one.text, other.text), None, other), "other"


FUNCTIONS = (
    "tanh({})", "sigmoid({})", "leaky_relu({})", "square({})", "-{}", "{} / 2", "abs({})", "relu({})", "exp(tanh({}))",
    "clamp({}, -1, 1)", "sqrt(1 + square({}))", "log(1 + square({}))",
)  # fmt: skip


def function(world: World, context: str) -> Made:
    one = plain(world, context)
    if one is None:
        return None
    form = world.choose(FUNCTIONS)
    return one.over(form.format(one.text)), "other"


def stopped(world: World, context: str) -> Made:
    one = world.some(context, lambda v: v.kind.is_real or v.kind.is_list)
    return None if one is None else (one.constant(f"stop({one.text})"), "other")


def repeated(world: World, context: str) -> Made:
    """The same call or draw again."""
    one = world.some(context, lambda v: v.op in ("call", "draw") and v.kind.is_real)
    if one is None:
        return None
    others = frozenset(p for p in one.paths if named(*p) != one.text)  # the new one does not depend on the first
    return Formed(f"again({one.text})", one.kind, others, one.networks), "call"


def beside(world: World, context: str) -> Made:
    one = a_map(world, context)
    if one is None:
        return None
    fits = (one.kind.rows, one.kind.sizes[1:])
    other = world.some(context, lambda v: v.kind.is_map and (v.kind.rows, v.kind.sizes[1:]) == fits)
    assert other is not None
    kind = Kind((one.kind.sizes[0] + other.kind.sizes[0], *one.kind.sizes[1:]), one.kind.rows)
    return one.over(f"concat({one.text}, {other.text})", kind, other), "other"


def stacked(world: World, context: str) -> Made:
    one = plain(world, context)
    if one is None or not one.kind.is_known or one.kind.rows[0] > 2:
        return None
    other = world.some(context, lambda v: v.kind.is_real and v.kind.sizes == one.kind.sizes)
    assert other is not None
    rows = (one.kind.rows[0] + other.kind.rows[0], one.kind.rows[1] + other.kind.rows[1])
    return one.over(f"stack({one.text}, {other.text})", Kind(one.kind.sizes, rows), other), "other"


def halves(world: World, context: str) -> Made:
    """The second half of a stack; the first gets a name too."""
    one = world.some(context, lambda v: _is_twice(v.kind))
    if one is not None:
        _cut_in_two(world, context, one)
    return None


def _cut_in_two(world: World, context: str, one: Formed) -> None:
    part = one.kind.in_rows((1, one.kind.rows[1] // 2))
    _name_parts(world, context, one.over(f"split({one.text}, 2)", Kind((), word="parts", items=(part, part))))


def _name_parts(world: World, context: str, whole: Formed) -> None:
    """Several values of one call, each with a name."""
    names = [world.new_name(letter) for letter in "uw"]
    world.value_lines[", ".join(here(name, context) for name in names)] = whole.text
    for name, kind in zip(names, whole.kind.items, strict=True):
        world.values.append(Value(name, context, kind, "other", whole.paths, whole.networks))
        if world.maybe(5):
            world.lifetime[here(name, context)] = "iteration"


def _is_twice(kind: Kind) -> bool:
    """Whether this is a batch and another one after it, or a list of such."""
    if kind.is_list:
        return all(item.rows == kind.rows and _is_twice(item) for item in kind.items)
    return kind.is_real and kind.rows[0] == 2 and kind.rows[1] % 2 == 0


def cut(world: World, context: str) -> Made:
    """Some rows, or some channels."""
    one = a_map(world, context)
    if one is None:
        return None
    if world.maybe():
        return one.over(f"rows({one.text}, 0, 1)", Kind(one.kind.sizes, (0, 1))), "other"
    last = one.kind.sizes[0] - 1
    return one.over(f"channels({one.text}, {last}, 1)", Kind((1, *one.kind.sizes[1:]), one.kind.rows)), "other"


def listed(world: World, context: str) -> Made:
    """A list of two values."""
    one, other = plain(world, context), plain(world, context)
    if one is None or other is None:
        return None
    return one.over(
        f"[{one.text}, {other.text}]", Kind((), one.kind.rows, items=(one.kind, other.kind)), other
    ), "other"


def item(world: World, context: str) -> Made:
    one = world.some(context, lambda v: v.kind.is_list)
    if one is None:
        return None
    number = world.number(0, len(one.kind.items) - 1)
    return one.over(f"{one.text}[{number}]", one.kind.items[number]), "other"


def slope(world: World, context: str) -> Made:
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
