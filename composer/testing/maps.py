"""Random lines of `values` about maps: of classes and of instances, and pictures at other sizes and as spectra."""

from __future__ import annotations

from math import isqrt

from composer.testing.values import Made, a_map, like, plain
from composer.testing.world import Formed, Kind, Value, World, here

LARGEST_ID = 5  # random batches have ids below it
MOST_NUMBERS = 64  # that are laid out in a row


def id_map(world: World, context: str, of: Formed | None = None) -> Formed | None:
    """Classes or ids of pixels; with `of`, of the pixels of those features."""

    def fits(value: Value) -> bool:
        alike = of is None or (value.kind.rows == of.kind.rows and value.kind.sizes == of.kind.sizes[1:])
        return value.kind.is_id_map and alike

    return world.some(context, fits)


def label_map(world: World, context: str, of: Formed | None = None) -> Formed | None:
    """Classes of pixels; with `of`, classes that its channels may be the scores of."""

    def fits(value: Value) -> bool:
        if of is None:
            return value.kind.is_label_map
        alike = value.kind.rows == of.kind.rows and value.kind.sizes == of.kind.sizes[1:]
        return value.kind.is_label_map and alike and value.kind.top <= of.kind.sizes[0]

    return world.some(context, fits)


# -- classes and instances --------------------------------------------------------------------------------------


def classes(world: World, context: str) -> Made:
    """Classes of instances, or those that scores are highest for."""
    one = world.some(context, lambda v: v.kind.is_id_map or (v.kind.is_map and v.kind.sizes[0] > 1))
    if one is None:
        return None
    if one.kind.is_map:
        c, h, w = one.kind.sizes
        return one.constant(f"argmax({one.text})", Kind((h, w), one.kind.rows, "label", top=c)), "other"
    kind = Kind(one.kind.sizes, one.kind.rows, "label", top=max(one.kind.top, LARGEST_ID))
    return one.constant(world.choose(["class_of({})", "class_of({}, per=2)"]).format(one.text), kind), "other"


def coloured(world: World, context: str) -> Made:
    """A channel for each class, and often the outlines beside them."""
    one = label_map(world, context)
    if one is None:
        return None
    hot, channels = f"one_hot({one.text}, {one.kind.top})", one.kind.top
    if world.maybe():
        hot, channels = f"concat({hot}, edges({one.text}))", channels + 1
    return one.constant(hot, Kind((channels, *one.kind.sizes), one.kind.rows)), "other"


def outlines(world: World, context: str) -> Made:
    one = id_map(world, context)
    if one is None:
        return None
    return one.constant(f"edges({one.text})", Kind((1, *one.kind.sizes), one.kind.rows)), "other"


def averaged(world: World, context: str) -> Made:
    """Every segment in its mean colour."""
    one = a_map(world, context)
    ids = id_map(world, context, one)
    if one is None or ids is None:
        return None
    return one.over(f"segment_mean({one.text}, {ids.text})"), "other"


def painted(world: World, context: str) -> Made:
    """At every pixel a row of a batch of codes."""
    one, label = world.some(context, lambda v: v.kind.is_code), id_map(world, context)
    if one is None or label is None:
        return None
    kind = Kind((*one.kind.sizes, *label.kind.sizes), label.kind.rows)
    return one.over(f"paint({one.text}, {label.text})", kind), "other"


def picked(world: World, context: str) -> Made:
    """Channels at random pixels, a row each."""
    one = a_map(world, context)
    if one is None or one.kind.rows[0] > 1 or one.kind.sizes[1] * one.kind.sizes[2] < 2:
        return None
    pixels = Formed(f"positions({one.text}, 2)", Kind((), (0, 2), "index"))
    at = world.define(world.new_name("z"), context, pixels, "draw")
    kind = Kind(one.kind.sizes[:1], (2 * one.kind.rows[0], 2 * one.kind.rows[1]))
    return one.over(f"pick({one.text}, {here(at.name, context)})", kind), "other"


def chosen(world: World, context: str) -> Made:
    """Rows by random numbers."""
    one = plain(world, context)
    if one is None or not one.kind.is_known:
        return None
    count = world.number(1, 3)
    many = one.kind.rows[0] * world.batch + one.kind.rows[1]
    text = f"integers({count}, 0, {many})"
    at = world.define(world.new_name("z"), context, Formed(text, Kind((), (0, count), "index")), "draw")
    return one.over(f"take({one.text}, {here(at.name, context)})", Kind(one.kind.sizes, (0, count))), "other"


# -- other sizes ------------------------------------------------------------------------------------------------


def resized(world: World, context: str) -> Made:
    """Features at another size."""
    one = a_map(world, context)
    if one is None:
        return None
    c, h, w = one.kind.sizes
    forms = {"resize({}, 8, 8, mode='nearest')": (8, 8), "resize({}, 4, 6, mode='bilinear')": (4, 6)}
    if h > 1 and w > 1:
        forms |= {"local_average({})": (h // 2, w // 2), "blur_pool({})": ((h + 1) // 2, (w + 1) // 2)}
        forms |= {"average_pool({})": ((h + 1) // 2, (w + 1) // 2), "resize({}, 2, 2, mode='area')": (2, 2)}
    if h % 2 == 0 and w % 2 == 0:
        forms |= {"subsample({})": (h // 2, w // 2)}
    if h <= 8 and w <= 8:
        forms |= {"upsample({})": (2 * h, 2 * w), "upsample({}, 2, mode='bilinear')": (2 * h, 2 * w)}
    form = world.choose(list(forms))
    return one.over(form.format(one.text), Kind((c, *forms[form]), one.kind.rows)), "other"


def noise_map(world: World, context: str) -> Made:
    side = world.choose([world.size, 4, 1])
    one = world.some(context, lambda v: v.kind.rows == (1, 0) and not v.kind.is_list) if world.maybe(4) else None
    rows = f", rows={one.text}" if one is not None else ""
    return Formed(f"normal_map(2, {side}, {side}{rows})", Kind((2, side, side))), "draw"


def laid_out(world: World, context: str) -> Made:
    """A map as a row of numbers."""
    one = a_map(world, context)
    if one is None:
        return None
    c, h, w = one.kind.sizes
    if c * h * w > MOST_NUMBERS:
        return one.over(f"global_average({one.text})", Kind((c,), one.kind.rows)), "other"
    return one.over(f"flatten({one.text})", Kind((c * h * w,), one.kind.rows)), "other"


def spread_out(world: World, context: str) -> Made:
    """A row of numbers as a map."""
    one = world.some(context, lambda v: v.kind.is_code)
    if one is None:
        return None
    (n,) = one.kind.sizes
    to = world.some(context, lambda v: v.kind.is_map and v.kind.rows == one.kind.rows)
    forms = {f"spread({one.text}, 4, 4)": (n, 4, 4), f"unflatten({one.text}, 1, {n})": (1, 1, n)}
    if to is not None:
        _, h, w = to.kind.sizes
        forms[f"spread_like({one.text}, {to.text})"] = (n, h, w)
    form = world.choose(list(forms))
    return one.over(form, Kind(forms[form], one.kind.rows)), "other"


def profile(world: World, context: str) -> Made:
    """How much there is of each frequency."""
    one = world.some(context, lambda v: v.kind.is_map and rings(v.kind) >= 2)
    if one is None:
        return None
    settings = world.choose(["", ", eps=0.01", ", kind='power', scale='none'", ", scale='first'", ", kind='power'"])
    return one.over(f"radial_profile({one.text}{settings})", Kind((rings(one.kind),), one.kind.rows)), "other"


def rings(kind: Kind) -> int:
    """How many frequencies the profile of a map has."""
    _, h, w = kind.sizes
    return isqrt((h - 1) ** 2 + (w - 1) ** 2) // 2 - 1


def chosen_pixels(world: World, context: str) -> Made:
    """One value where a third is not zero, another elsewhere."""
    one = a_map(world, context)
    other, mask = (like(world, context, one) if one else None for _ in range(2))
    if one is None or other is None or mask is None:
        return None
    return one.over(f"where({mask.text}, {one.text}, {other.text})", None, other), "other"


def shaped(world: World, context: str) -> Made:
    """Functions of maps alone."""
    one = a_map(world, context)
    if one is None:
        return None
    c, h, w = one.kind.sizes
    if c > 1 and world.maybe():
        return one.over(f"channel_mean({one.text})", Kind((1, h, w), one.kind.rows)), "other"
    if c * h * w > 1 and world.maybe():
        return one.over(f"{one.text} / (1 + deviation({one.text}))"), "other"
    other = like(world, context, one)
    if other is not None and world.maybe():
        means = f"global_average({other.text}), global_average({one.text})"
        return one.over(f"modulate({one.text}, {means})", None, other), "other"
    return one.over(f"normalize({one.text})"), "other"


def ranged(world: World, context: str) -> Made:
    """The same numbers in another range."""
    one = a_map(world, context)
    if one is None:
        return None
    forms = ["imagenet_range({})", "caffe_range(0.01 * {})"] if one.kind.sizes[0] == 3 else []
    return one.over(world.choose(["softmax({})", "unit_length(1 + {})", *forms]).format(one.text)), "other"
