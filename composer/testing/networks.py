"""Random networks in the three forms of the language, small enough that a step takes milliseconds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from composer.testing.world import Kind, Net, World

Made = tuple[dict[str, Any], Kind, int]  # body in YAML, what one row gives, layers that `features` knows
Recipe = Callable[[World, Any], Made]
NORMS = ("none", "batch", "instance", "batch", "layer")
SMOOTH = ("tanh", "leaky_relu(0.2)", "silu")


def new_network(world: World, takes: tuple[tuple[int, ...], ...]) -> Net | None:
    """Declare a network for arguments of these sizes, or None where no recipe fits."""
    recipes = _recipes(world, takes)
    if not recipes:
        return None
    body, gives, taps = world.choose(recipes)(world, takes)
    index = world.choose(["d", "s,t", ""]) if world.indexed else ""
    if world.maybe(4):
        body["init"] = world.choose(["normal(0.3)", "kaiming", "normal(0.02, norm=0.02)", "xavier(1)", "orthogonal(1)"])
    trained = not world.maybe(8)
    if not trained:
        body["frozen"] = True
    elif world.maybe(12):
        body["mode"] = "eval"
    net = Net(f"N{len(world.networks) + 1}", index, takes, gives, taps, trained)
    world.network_lines[net.pattern] = body
    world.networks.append(net)
    return net


def _recipes(world: World, takes: tuple[tuple[int, ...], ...]) -> list[Recipe]:
    if len(takes) == 2:
        first, second = takes
        if len(first) == 3 and len(second) == 1:
            return [_styled]
        return [_joined] if len(first) == 3 and len(second) == 3 and first[1:] == second[1:] else []
    (sizes,) = takes
    if len(sizes) == 1:
        return [_code_chain, _code_to_map]
    c, h, w = sizes
    if h != w or h < 4:
        return [_pixels] if h * w > 1 else []
    found: list[Recipe] = [_same_chain, _same_wired, _pixels, _stack]
    if h >= 8 and h % 4 == 0:
        found += [_unet, _resnet, _patches, _scales, _down, _down_chain, _style, _style_wired, _vgg]
    if h in (4, 8) and c % 2 == 0:
        found += [_up]
    return found


def _norm(world: World) -> str:
    return world.choose(NORMS)


def _layer(world: World, out: int, activation: bool = True, **more: Any) -> str:
    settings: dict[str, Any] = {"kernel": 3, **more}
    if activation:
        settings |= {"norm": _norm(world), "activation": world.choose(SMOOTH)}
    return f"conv({out}, {', '.join(f'{k}={_text(v)}' for k, v in settings.items())})"


def _text(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


# -- features to features of the same size ----------------------------------------------------------------------


def _same_chain(world: World, takes: Any) -> Made:
    ((c, h, w),) = takes
    layers = [_layer(world, 2)]
    if world.maybe():
        layers.append(f'residual(norm="{_norm(world)}", dropout={world.choose([0, 0.3, 0.3])}, activation="tanh")')
    if world.maybe(3):
        layers.append(f"repeat({world.number(1, 2)}, {_layer(world, 2)})")
    layers.append(_layer(world, c, False))
    return {"chain": layers}, Kind((c, h, w)), 2


def _same_wired(world: World, takes: Any) -> Made:
    ((c, h, w),) = takes
    values = {"h": _layer(world, 2).replace("(", "(x, ", 1)}
    last = "h"
    if world.maybe():
        values["k"] = f"dropout(tanh(h), p={world.choose([0.3, 0])})"
        last = "k"
    values["y"] = _layer(world, c, False).replace("(", f"({last}, ", 1)
    output = world.choose(["y", "y + 0.5 * x"])
    return {"inputs": "x", "values": values, "output": output}, Kind((c, h, w)), 0


def _stack(world: World, takes: Any) -> Made:
    ((c, h, w),) = takes
    body = {"block": "residual_stack", "blocks": world.number(1, 2), "norm": _norm(world), "activation": "tanh"}
    if world.maybe():
        body |= {"dropout": 0.3, "dropout_at": world.choose(["middle", "end"])}
    return body, Kind((c, h, w)), 0


def _unet(world: World, takes: Any) -> Made:
    ((c, h, w),) = takes
    body = {"block": "unet", "out": c, "width": 2, "depth": 2, "norm": _norm(world), "skips": not world.maybe(4)}
    return body, Kind((c, h, w)), 0


def _resnet(world: World, takes: Any) -> Made:
    ((c, h, w),) = takes
    body = {"block": "resnet_generator", "out": c, "width": 2, "blocks": world.number(0, 1), "down": 1}
    body |= {"norm": _norm(world), "dropout": world.choose([0, 0.3, 0.3]), "antialias": world.maybe(4)}
    return body, Kind((c, h, w)), 6


# -- features to something else ---------------------------------------------------------------------------------


def _down(world: World, takes: Any) -> Made:
    ((_, h, w),) = takes
    body = {"block": "content_encoder", "width": 2, "down": 1, "residual": world.number(0, 1), "norm": _norm(world)}
    return body | {"activation": "tanh"}, Kind((4, h // 2, w // 2)), 0


def _down_chain(world: World, takes: Any) -> Made:
    ((_, h, w),) = takes
    chain = [_layer(world, 2), _layer(world, 4, kernel=4, stride=2, padding=1)]
    return {"chain": chain}, Kind((4, h // 2, w // 2)), 2


def _up(world: World, takes: Any) -> Made:
    ((_, h, w),) = takes
    body = {"block": "decoder", "out": 3, "up": 1, "residual": world.number(0, 1), "norm": _norm(world), "kernel": 3}
    return body | {"activation": "tanh"}, Kind((3, 2 * h, 2 * w)), 0


def _patches(world: World, takes: Any) -> Made:
    ((_, h, w),) = takes
    return (
        {"block": "patch_discriminator", "width": 2, "layers": 1, "norm": _norm(world)},
        Kind((1, h // 2 - 2, w // 2 - 2)),
        0,
    )


def _pixels(world: World, takes: Any) -> Made:
    ((_, h, w),) = takes
    return {"block": "pixel_discriminator", "width": 2, "norm": _norm(world)}, Kind((1, h, w)), 0


def _scales(world: World, takes: Any) -> Made:
    ((_, h, w),) = takes
    body = {"block": "multiscale_discriminator", "width": 2, "layers": 1, "scales": 2}
    items = (Kind((1, h // 2, w // 2)), Kind((1, (h + 1) // 4, (w + 1) // 4)))
    return body, Kind((), items=items), 0


def _style(world: World, takes: Any) -> Made:
    out = world.number(2, 3)
    return {"block": "style_encoder", "out": out, "width": 2, "down": 1, "activation": "silu"}, Kind((out,)), 0


def _style_wired(world: World, takes: Any) -> Made:
    values = {"h": _layer(world, 2, stride=2).replace("(", "(x, ", 1), "y": "linear(global_average(h), 2)"}
    return {"inputs": "x", "values": values, "output": "y"}, Kind((2,)), 0


def _vgg(world: World, takes: Any) -> Made:
    ((_, h, w),) = takes
    return {"block": "vgg16", "width": 2, "stages": 2, "pools": 1}, Kind((4, h // 2, w // 2)), 0


# -- codes, and two arguments -----------------------------------------------------------------------------------


def _code_chain(world: World, takes: Any) -> Made:
    ((n,),) = takes
    return {"chain": ['linear(4, activation="tanh")', f"linear({n})"]}, Kind((n,)), 2


def _code_to_map(world: World, takes: Any) -> Made:
    values = {"h": 'conv(spread(x, 8, 8), 2, activation="tanh")', "y": "conv(h, 3)"}
    return {"inputs": "x", "values": values, "output": "y"}, Kind((3, 8, 8)), 0


def _styled(world: World, takes: Any) -> Made:
    (c, h, w), _ = takes
    values = {"h": _layer(world, 2).replace("(", "(x, ", 1), "k": "tanh(adaptive_norm(h, z))", "y": f"conv(k, {c})"}
    return {"inputs": "x, z", "values": values, "output": "y"}, Kind((c, h, w)), 0


def _joined(world: World, takes: Any) -> Made:
    (c, h, w), _ = takes
    values = {"h": _layer(world, 2).replace("(", "(concat(x, z), ", 1), "y": f"conv(h, {c})"}
    return {"inputs": "x, z", "values": values, "output": "y"}, Kind((c, h, w)), 0
