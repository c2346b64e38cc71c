"""Recipes of random networks for maps: norms that a map scales and shifts, coarse to fine, pyramids of features."""

from __future__ import annotations

from typing import Any

from composer.testing.layers import SMOOTH, Made, norm
from composer.testing.world import Kind, World

Sizes = tuple[int, int, int]
BESIDE_SPECTRAL = ("batch", "instance", "none")  # what a spatial norm may divide by


# -- a picture or features, and a map beside them ---------------------------------------------------------------


def spatial(world: World, takes: Any) -> Made:
    """A residual block whose norms follow the second argument, of whatever size, then a layer."""
    (c, h, w), _ = takes
    up = h <= 8 and world.maybe()
    values = {"h": _spatial_residual(world, "x", "z", up=up), "y": f"conv(tanh(h), {c})"}
    if world.maybe():
        kind = world.choose(BESIDE_SPECTRAL)
        values |= {"k": f'spatial_norm(h, z, width=2, norm="{kind}")', "y": f"conv(tanh(k), {c})"}
    times = 2 if up else 1
    return {"inputs": "x, z", "values": values, "output": "y"}, Kind((c, times * h, times * w)), 0


def semantic(world: World, takes: Any) -> Made:
    """From a map alone: it is the first features, at a quarter of its size, and scales and shifts what follows."""
    ((_, h, w),) = takes
    values = {
        "start": "conv(subsample(z, 4), 4)",
        "head": _spatial_residual(world, "start", "z", up=True),
        "fine": f"repeat({world.number(0, 1)}, {_spatial_residual(world, 'head', 'z')})",
    }
    output = 'conv(leaky_relu(fine), 3, activation="tanh")'
    return {"inputs": "z", "values": values, "output": output}, Kind((3, h // 2, w // 2)), 0


def _spatial_residual(world: World, x: str, z: str, up: bool = False) -> str:
    more = f', norm="{world.choose(BESIDE_SPECTRAL)}", activation="{world.choose(SMOOTH)}"'
    more += ", up=true" if up else ""
    more += ", spectral=false" if world.maybe() else ""
    more += world.choose(["", ", out=2", ", narrow=1"])
    return f"spatial_residual({x}, {z}, hidden=2{more})"


# -- a picture, and a code beside it ----------------------------------------------------------------------------


def latent(world: World, takes: Any) -> Made:
    """A generator that sees a code at its first level or at all."""
    (c, h, w), _ = takes
    body = {"block": "latent_unet", "out": c, "width": 2, "depth": 2, "code_at": world.choose(["all", "first"])}
    body |= {"norm": norm(world), "upsample": world.choose(["transposed", "bilinear"]), "activation": "tanh"}
    body |= {"dropout": world.choose([0, 0.3]), "rectified_skips": world.maybe(4)}
    return body, Kind((c, h, w)), 0


def restyled(world: World, takes: Any) -> Made:
    (c, h, w), _ = takes
    layers = ["adaptive_residual_stack(start, z, blocks=1, activation='tanh')", "adaptive_residual(start, z)"]
    values = {"start": "conv(x, 2)", "y": f"conv(tanh({world.choose(layers)}), {c})"}
    return {"inputs": "x, z", "values": values, "output": "y"}, Kind((c, h, w)), 0


def style_generator(world: World, takes: Any) -> Made:
    (c, h, w), _ = takes
    body = {"block": "style_generator", "out": c, "width": 2, "widest": 4, "down": 1, "middle": 1, "skips": [h]}
    return body | {"activation": "tanh"}, Kind((c, h, w)), 0


# -- one picture ------------------------------------------------------------------------------------------------


def coarse_to_fine(world: World, takes: Any) -> Made:
    ((_, h, w),) = takes
    body = {"block": "coarse_to_fine", "out": 3, "width": 2, "down": 1, "blocks": world.number(0, 1)}
    body |= {"enhancers": world.number(0, 1), "enhancer_blocks": world.number(0, 1), "norm": norm(world)}
    return body, Kind((3, h, w)), 0


def layers(world: World, takes: Any) -> Made:
    """Layers that halve or double, then others that keep the size."""
    ((c, h, w),) = takes
    out = 2
    to: dict[str, tuple[int, int]] = {
        f'conv_transpose({out}, norm="{norm(world)}", activation="tanh")': (2 * h, 2 * w),
        f'upsample_conv({out}, kernel=5, norm="{norm(world)}", activation="tanh")': (2 * h, 2 * w),
        f'preactivated_residual({out}, norm="{norm(world)}", down=true)': (h // 2, w // 2),
        f'halving_residual({out}, norm="{norm(world)}", activation="tanh")': (h // 2, w // 2),
    }
    one = world.choose(list(to)[2 if h > 8 or h % 2 else 0 : 4 if h % 2 == 0 else 2])
    kind = world.choose(["batch", "instance", "layer_plain"])
    chain = [one, world.choose([f'norm(kind="{kind}")', "layer_norm()", "reversible_stack(blocks=1)"]), f"conv({c})"]
    return {"chain": chain}, Kind((c, *to[one])), 0


def pyramid(world: World, takes: Any) -> Made:
    """A judge of two sizes that gives all its layers of each."""
    ((_, h, w),) = takes
    body = {"block": "patch_pyramid", "width": 2, "layers": 1, "scales": 2, "norm": norm(world)}
    scales = tuple(_pyramid_scale((h + half) // (1 + half), (w + half) // (1 + half)) for half in (0, 1))
    return body, Kind((), items=scales), 0


def _pyramid_scale(h: int, w: int) -> Kind:
    """Two halves, rounded up and one more, of which the second keeps its size but one; then a score for each."""
    h, w = h // 2 + 1, w // 2 + 1
    return Kind((), items=(Kind((2, h, w)), Kind((4, h + 1, w + 1)), Kind((1, h + 2, w + 2))))


def patch_scales(world: World, takes: Any) -> Made:
    ((_, h, w),) = takes
    body = {"block": "patch_scales", "width": 2, "layers": 1, "scales": 2, "norm": norm(world)}
    return body, Kind((), items=(Kind((1, h // 2 - 2, w // 2 - 2)), Kind((1, h // 4 - 2, w // 4 - 2)))), 0


def features(world: World, takes: Any) -> Made:
    """A feature network that gives five of its layers."""
    ((_, h, w),) = takes
    items = tuple(Kind((2, h // 2**level, w // 2**level)) for level in range(5))
    return {"block": "vgg19", "widths": [2] * 13}, Kind((), items=items), 0


def encoder(world: World, takes: Any) -> Made:
    """Two codes out of one picture, as a mean and a logarithm of a variance are made."""
    settings = f'grow=2, widest=4, norm="{norm(world)}", activation="{world.choose(SMOOTH)}"'
    values = {
        "first": "conv(x, 2, kernel=4, stride=2)",
        "seen": f"repeat({world.number(1, 2)}, halving_residual(first, {settings}))",
        "flat": world.choose(["global_average(seen)", "flatten(local_average(seen, 1))", "conv_whole(seen, out=2)"]),
        "mu": "linear(flat, 2)",
        "logvar": "linear(flat, 2)",
    }
    return (
        {"inputs": "x", "values": values, "output": "mu, logvar"},
        Kind((), word="parts", items=(Kind((2,)), Kind((2,)))),
        0,
    )


def flow(world: World, takes: Any) -> Made:
    """What can be undone, and how much it stretched each row."""
    ((c, h, w),) = takes
    body = {"block": "coupling_flow", "width": 2, "couplings": world.number(1, 2), "norm": "instance"}
    return body, Kind((), word="parts", items=(Kind((c, h, w)), Kind(()))), 0
