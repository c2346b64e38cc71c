"""What the recipes of random networks have in common: norms, activations, layers as they are written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from composer.testing.world import Kind, World

Made = tuple[dict[str, Any], Kind, int]  # body in YAML, what one row gives, layers that `features` knows
Recipe = Callable[[World, Any], Made]
NORMS = (
    "none", "batch", "instance", "batch", "layer", "spectral", "spectral_batch", "spectral_instance", "layer_plain",
    "instance_tracked",
)  # fmt: skip
SMOOTH = ("tanh", "leaky_relu(0.2)", "silu")


def norm(world: World) -> str:
    return world.choose(NORMS)


def layer(world: World, out: int, activation: bool = True, **more: Any) -> str:
    settings: dict[str, Any] = {"kernel": 3, **more}
    if activation:
        settings |= {"norm": norm(world), "activation": world.choose(SMOOTH)}
    return f"conv({out}, {', '.join(f'{k}={text(v)}' for k, v in settings.items())})"


def text(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)
