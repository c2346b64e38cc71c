"""Random losses over the values of a world."""

from __future__ import annotations

from collections.abc import Callable

from composer.testing.gathered import mean_of
from composer.testing.maps import rings
from composer.testing.values import called, derivative, features, like
from composer.testing.world import Formed, Kind, Net, Value, World

GOALS = ("real", "fake", "fool")
MODES = ("least_squares", "bce", "hinge", "wasserstein")


def fallback(world: World, updated: list[Net], context: str) -> Formed:
    """A term that always exists: a call of an updated network."""
    net = world.choose(updated)
    found = [[v for v in world.values if v.kind.is_real and v.kind.sizes == sizes] for sizes in net.takes]
    rows = sorted(set.intersection(*({v.kind.rows for v in fits} for fits in found)))
    args = [[v for v in fits if v.kind.rows == rows[-1]] for fits in found]
    made = called(world, context, net, [world.refer(world.choose(world.late(fits)), context) for fits in args])
    return made.over(f'adversarial({made.text}, "real", mode="bce")')


Wanted = Callable[[Value], bool]


def loss_of(world: World, updated: list[Net], context: str) -> Formed | None:
    """A loss, mostly one that reaches a network of `updated`."""
    patterns = {n.pattern for n in updated}

    def wanted(value: Value) -> bool:
        return bool(value.networks & patterns)

    return world.choose(LOSSES)(world, updated, context, wanted)


def _judged(world: World, updated: list[Net], context: str, wanted: Wanted) -> Formed | None:
    goal, mode = world.choose(GOALS), world.choose(MODES)
    one = world.some(context, lambda v: wanted(v) and (v.kind.is_real or v.kind.is_list))
    if one is None:
        return None
    scales = ', scales="mean"' if one.kind.is_list and world.maybe() else ""
    return one.over(f'adversarial({one.text}, "{goal}", mode="{mode}"{scales})')


def _call(world: World, updated: list[Net], context: str, wanted: Wanted) -> Formed | None:
    made = fallback(world, updated, context)
    return made


def _inner(world: World, updated: list[Net], context: str, wanted: Wanted) -> Formed | None:
    """Some network called on a value that leads to an updated one."""
    sizes = [n.takes for n in world.networks]
    one = world.some(context, lambda v: wanted(v) and v.kind.is_real and (v.kind.sizes,) in sizes)
    if one is None:
        return None
    net = world.choose([n for n in world.networks if n.takes == (one.kind.sizes,)])
    made = called(world, context, net, [one])
    return made.over(f'adversarial({made.text}, "fool")')


DISTANCES = (
    "l1({}, {})", "l2({}, {})", "charbonnier({}, {})", "huber({}, {})", "l1({0}, {1}, sigmoid({1}))",
    "bce({}, sigmoid({}))", "bce({}, 1)",
)  # fmt: skip


def _distance(world: World, updated: list[Net], context: str, wanted: Wanted) -> Formed | None:
    return _two_alike(world, context, lambda v: wanted(v) and v.kind.is_real, DISTANCES)


def _two_alike(world: World, context: str, fits: Wanted, forms: tuple[str, ...]) -> Formed | None:
    one = world.some(context, fits)
    other = like(world, context, one) if one else None
    if one is None or other is None:
        return None
    return one.over(world.choose(forms).format(one.text, other.text), None, other)


def _size(world: World, updated: list[Net], context: str, wanted: Wanted) -> Formed | None:
    one = world.some(context, lambda v: wanted(v) and v.kind.is_real)
    return None if one is None else one.over(f"mean_square({one.text})")


SPREADS = (
    "kl_standard_normal({}, {})", "kl_standard_normal({}, {}, reduction='sum')", "info_nce({}, {}, temperature=1)",
    "attribute_bce({}, sigmoid({}))", "mutual_information(softmax({}), softmax({}))",
)  # fmt: skip


def _spread(world: World, updated: list[Net], context: str, wanted: Wanted) -> Formed | None:
    return _two_alike(world, context, lambda v: wanted(v) and v.kind.is_code, SPREADS)


def _sum(world: World, updated: list[Net], context: str, wanted: Wanted) -> Formed | None:
    one, other = _size(world, updated, context, wanted), _size(world, updated, context, lambda v: True)
    return None if one is None or other is None else one.over(f"({one.text} + 0.5 * {other.text})", None, other)


MATCHED = ("feature_matching({}, stop({}))", "perceptual({}, {})", "feature_matching({}, {}, factor=0.5)")


def _matched(world: World, updated: list[Net], context: str, wanted: Wanted) -> Formed | None:
    one = world.some(context, lambda v: wanted(v) and v.kind.is_list)
    other = world.some(context, lambda v: one is not None and v.kind == one.kind)
    if one is None or other is None or not all(i.is_known for i in one.kind.items):
        return None
    nested = any(item.is_list for item in one.kind.items)
    return one.over((MATCHED[0] if nested else world.choose(MATCHED)).format(one.text, other.text), None, other)


def _penalty(world: World, updated: list[Net], context: str, wanted: Wanted) -> Formed | None:
    """A penalty on a gradient."""
    found = derivative(world, context)
    if found is None:
        return None
    inner = found.text.removeprefix("grad(")[:-1]
    # A vanishing gradient has no finite derivative of its length: the last form adds a little to it.
    return found.over(
        world.choose(
            [
                f"r1({inner})",
                f"square_norm({found.text})",
                f"unit_gradient({found.text}, eps=0.01)",
                f"unit_gradient({found.text}, eps=0.01, one_sided=true)",
            ]
        )
    )


def _inside(world: World, updated: list[Net], context: str, wanted: Wanted) -> Formed | None:
    """What a layer of some network gives."""
    one = features(world, context)
    return None if one is None else one[0].over(f"mean_square({one[0].text})")


def _of_classes(world: World, updated: list[Net], context: str, wanted: Wanted) -> Formed | None:
    """How well scores say the classes of rows or of pixels."""
    one = world.some(context, lambda v: wanted(v) and (v.kind.is_code or v.kind.is_map))
    if one is None:
        return None
    c, *pixels = one.kind.sizes
    fits = (tuple(pixels), one.kind.rows)
    label = world.some(
        context, lambda v: v.kind.word == "label" and (v.kind.sizes, v.kind.rows) == fits and v.kind.top <= c
    )
    if label is None:
        return one.over(f"cross_entropy({one.text}, {c - 1})")
    forms = ["cross_entropy({}, {})"] if pixels else ["cross_entropy({}, {})", 'adversarial(choose({}, {}), "fake")']
    return one.over(world.choose(forms).format(one.text, label.text))


def _spectrum(world: World, updated: list[Net], context: str, wanted: Wanted) -> Formed | None:
    """How far spectra are from others, or from a mean of others."""
    one = world.some(context, lambda v: wanted(v) and v.kind.is_map and rings(v.kind) >= 2)
    other = like(world, context, one) if one else None
    if one is None or other is None:
        return None
    goal = other.over(f"radial_profile({other.text})", Kind((rings(other.kind),), other.kind.rows))
    if world.maybe():
        mean = mean_of(world, context, goal)
        goal = mean.over(f"repeat_like({mean.text}, {one.text})")
    measure = world.choose(["", ', measure="l2"', ', measure="l1"'])
    return one.over(f"profile_distance(radial_profile({one.text}), {goal.text}{measure})", None, goal)


def _mean(world: World, updated: list[Net], context: str, wanted: Wanted) -> Formed | None:
    """How far the mean of a batch is from another mean."""
    one = world.some(context, lambda v: wanted(v) and v.kind.is_real and v.kind.is_known)
    if one is None:
        return None
    sizes = one.kind.sizes
    other = world.some(context, lambda v: v.kind.word == "whole" and v.kind.sizes == sizes)
    if other is None or world.maybe():
        alike = world.some(context, lambda v: v.kind.is_real and v.kind.sizes == sizes)
        other = mean_of(world, context, alike or one)
    return one.over(f"l2(mean({one.text}), {other.text})", None, other)


def _picture(world: World, updated: list[Net], context: str, wanted: Wanted) -> Formed | None:
    """What only pictures have: neighbours."""
    one = world.some(context, lambda v: wanted(v) and v.kind.is_map and min(v.kind.sizes[1:]) > 2)
    other = like(world, context, one) if one else None
    if one is None or other is None:
        return None
    forms = ["total_variation({0})", "gradient_difference({}, {})", "ssim({}, {}, window=3)"]
    if min(one.kind.sizes[1:]) > 4:
        forms.append("ms_ssim({}, {}, window=3, weights=[0.5, 0.5])")
    form = world.choose(forms)
    return one.over(form.format(one.text, other.text), None, other)


def _flow(world: World, updated: list[Net], context: str, wanted: Wanted) -> Formed | None:
    """How likely it is what a flow gives, with the volume that it lost."""
    one = world.some(context, lambda v: wanted(v) and v.kind.is_map)
    if one is None:
        return None
    lost = world.some(context, lambda v: v.kind == Kind((), one.kind.rows))
    return None if lost is None else one.over(f"flow_nll({one.text}, {lost.text})", None, lost)


LOSSES = (
    _judged, _call, _call, _inner, _distance, _distance, _size, _spread, _spread, _sum, _matched, _matched, _penalty,
    _penalty, _inside, _of_classes, _spectrum, _mean, _picture, _flow,
)  # fmt: skip
