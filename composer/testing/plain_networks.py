"""Recipes of random networks: generators, judges and encoders of images, and networks of codes."""

from __future__ import annotations

from typing import Any

from composer.testing.layers import Made, layer, norm
from composer.testing.world import Kind, World

# -- features to features of the same size ----------------------------------------------------------------------


def same_chain(world: World, takes: Any) -> Made:
    ((c, h, w),) = takes
    layers = [layer(world, 2)]
    if world.maybe():
        layers.append(f'residual(norm="{norm(world)}", dropout={world.choose([0, 0.3, 0.3])}, activation="tanh")')
    if world.maybe(3):
        layers.append(f"repeat({world.number(1, 2)}, {layer(world, 2)})")
    layers.append(layer(world, c, False))
    return {"chain": layers}, Kind((c, h, w)), 2


def same_wired(world: World, takes: Any) -> Made:
    ((c, h, w),) = takes
    values = {"h": layer(world, 2).replace("(", "(x, ", 1)}
    last = "h"
    if world.maybe():
        values["k"] = f"dropout(tanh(h), p={world.choose([0.3, 0])})"
        last = "k"
    values["y"] = layer(world, c, False).replace("(", f"({last}, ", 1)
    output = world.choose(["y", "y + 0.5 * x"])
    return {"inputs": "x", "values": values, "output": output}, Kind((c, h, w)), 0


def stack(world: World, takes: Any) -> Made:
    ((c, h, w),) = takes
    body = {"block": "residual_stack", "blocks": world.number(1, 2), "norm": norm(world), "activation": "tanh"}
    if world.maybe():
        body |= {"dropout": 0.3, "dropout_at": world.choose(["middle", "end"])}
    return body, Kind((c, h, w)), 0


def unet(world: World, takes: Any) -> Made:
    ((c, h, w),) = takes
    body = {"block": "unet", "out": c, "width": 2, "depth": 2, "norm": norm(world), "skips": not world.maybe(4)}
    return body, Kind((c, h, w)), 0


def resnet(world: World, takes: Any) -> Made:
    ((c, h, w),) = takes
    body = {"block": "resnet_generator", "out": c, "width": 2, "blocks": world.number(0, 1), "down": 1}
    body |= {"norm": norm(world), "dropout": world.choose([0, 0.3, 0.3]), "antialias": world.maybe(4)}
    return body, Kind((c, h, w)), 6


# -- features to something else ---------------------------------------------------------------------------------


def down(world: World, takes: Any) -> Made:
    ((_, h, w),) = takes
    body = {"block": "content_encoder", "width": 2, "down": 1, "residual": world.number(0, 1), "norm": norm(world)}
    return body | {"activation": "tanh"}, Kind((4, h // 2, w // 2)), 0


def down_chain(world: World, takes: Any) -> Made:
    ((_, h, w),) = takes
    chain = [layer(world, 2), layer(world, 4, kernel=4, stride=2, padding=1)]
    return {"chain": chain}, Kind((4, h // 2, w // 2)), 2


def up(world: World, takes: Any) -> Made:
    ((_, h, w),) = takes
    body = {"block": "decoder", "out": 3, "up": 1, "residual": world.number(0, 1), "norm": norm(world), "kernel": 3}
    return body | {"activation": "tanh"}, Kind((3, 2 * h, 2 * w)), 0


def patches(world: World, takes: Any) -> Made:
    ((_, h, w),) = takes
    return (
        {"block": "patch_discriminator", "width": 2, "layers": 1, "norm": norm(world)},
        Kind((1, h // 2 - 2, w // 2 - 2)),
        0,
    )


def pixels(world: World, takes: Any) -> Made:
    ((_, h, w),) = takes
    return {"block": "pixel_discriminator", "width": 2, "norm": norm(world)}, Kind((1, h, w)), 0


def scales(world: World, takes: Any) -> Made:
    ((_, h, w),) = takes
    body = {"block": "multiscale_discriminator", "width": 2, "layers": 1, "scales": 2}
    items = (Kind((1, h // 2, w // 2)), Kind((1, (h + 1) // 4, (w + 1) // 4)))
    return body, Kind((), items=items), 0


def style(world: World, takes: Any) -> Made:
    out = world.number(2, 3)
    return {"block": "style_encoder", "out": out, "width": 2, "down": 1, "activation": "silu"}, Kind((out,)), 0


def style_wired(world: World, takes: Any) -> Made:
    last = ["linear(seen, 2)", "linear_by_label(seen, argmax(seen), classes=2, out=2)"]
    values = {"h": layer(world, 2, stride=2).replace("(", "(x, ", 1), "seen": "global_average(h)"}
    values["y"] = world.choose(last)
    return {"inputs": "x", "values": values, "output": "y"}, Kind((2,)), 0


def vgg(world: World, takes: Any) -> Made:
    ((_, h, w),) = takes
    return {"block": "vgg16", "width": 2, "stages": 2, "pools": 1}, Kind((4, h // 2, w // 2)), 0


# -- codes, and two arguments -----------------------------------------------------------------------------------


def code_chain(world: World, takes: Any) -> Made:
    ((n,),) = takes
    return {"chain": ['linear(4, activation="tanh")', f"linear({n})"]}, Kind((n,)), 2


def code_to_map(world: World, takes: Any) -> Made:
    values = {"h": 'conv(spread(x, 8, 8), 2, activation="tanh")', "y": "conv(h, 3)"}
    return {"inputs": "x", "values": values, "output": "y"}, Kind((3, 8, 8)), 0


def styled(world: World, takes: Any) -> Made:
    (c, h, w), _ = takes
    values = {"h": layer(world, 2).replace("(", "(x, ", 1), "k": "tanh(adaptive_norm(h, z))", "y": f"conv(k, {c})"}
    return {"inputs": "x, z", "values": values, "output": "y"}, Kind((c, h, w)), 0


def joined(world: World, takes: Any) -> Made:
    (c, h, w), _ = takes
    values = {"h": layer(world, 2).replace("(", "(concat(x, z), ", 1), "y": f"conv(h, {c})"}
    return {"inputs": "x, z", "values": values, "output": "y"}, Kind((c, h, w)), 0
