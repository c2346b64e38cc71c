"""Random networks in the three forms of the language, small enough that a step takes milliseconds."""

from __future__ import annotations

from composer.testing import map_networks as maps
from composer.testing import plain_networks as plain
from composer.testing.layers import Recipe
from composer.testing.world import Net, World

INITS = ("normal(0.3)", "kaiming", "normal(0.02, norm=0.02)", "xavier(1)", "orthogonal(1)",
         "xavier(0.5, spectral='default_weight')")  # fmt: skip


def new_network(world: World, takes: tuple[tuple[int, ...], ...]) -> Net | None:
    """Declare a network for arguments of these sizes, or None where no recipe fits."""
    recipes = _recipes(takes)
    if not recipes:
        return None
    body, gives, taps = world.choose(recipes)(world, takes)
    index = world.choose(["d", "s,t", ""]) if world.indexed else ""
    if world.maybe(4):
        body["init"] = world.choose(INITS)
    trained = not world.maybe(8)
    if not trained:
        body["frozen"] = True
    elif world.maybe(12):
        body["mode"] = "eval"
    net = Net(f"N{len(world.networks) + 1}", index, takes, gives, taps, trained)
    world.network_lines[net.pattern] = body
    world.networks.append(net)
    return net


def _recipes(takes: tuple[tuple[int, ...], ...]) -> list[Recipe]:
    """What fits the sizes of the arguments, simple ones first."""
    if len(takes) == 2:
        return _of_two(*takes)
    (sizes,) = takes
    if len(sizes) == 1:
        return [plain.code_chain, plain.code_to_map]
    c, h, w = sizes
    if h != w or h < 4:
        return [plain.pixels] if h * w > 1 else []
    found: list[Recipe] = [plain.same_chain, plain.same_wired, plain.pixels, plain.stack, maps.layers, maps.flow]
    if _is_picture(sizes):
        found += [
            plain.unet, plain.resnet, plain.patches, plain.scales, plain.down, plain.down_chain, plain.style,
            plain.style_wired, plain.vgg, maps.coarse_to_fine, maps.pyramid, maps.pyramid, maps.semantic, maps.encoder,
        ]  # fmt: skip
    if h == 16:
        found += [maps.patch_scales, maps.features]
    if h in (4, 8) and c % 2 == 0:
        found += [plain.up, plain.up]
    return found


def _of_two(first: tuple[int, ...], second: tuple[int, ...]) -> list[Recipe]:
    """Recipes for features with a code or a map beside them."""
    if len(first) != 3 or len(second) not in (1, 3):
        return []
    found: list[Recipe] = []
    if len(second) == 1:
        found += [plain.styled]
        if _is_picture(first):
            found += [maps.latent, maps.latent, maps.restyled, maps.style_generator]
    else:
        found += [plain.joined] if first[1:] == second[1:] else []
        found += [maps.spatial] if first[1] * first[2] > 1 else []
    return found


def _is_picture(sizes: tuple[int, ...]) -> bool:
    """A square that can be halved twice."""
    _, h, w = sizes
    return h == w and h >= 8 and h % 4 == 0
