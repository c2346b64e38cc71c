"""Shaped graph -> modules: every network built with its axes and settings, its starting weights drawn from the seed."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import nn

from composer.block import look_up
from composer.building import build_block
from composer.errors import ComposeError
from composer.nodes import Network, reachable
from composer.randomness import seed_for
from composer.shapes import Bound, Shaped
from composer.wired import Wired


def build_networks(shaped: Shaped, seed: int, device: torch.device, dtype: torch.dtype) -> dict[str, nn.Module]:
    """Every network of the graph. Starting weights are a function of the seed and the network's name alone.

    On the meta device there are shapes and no weights: nothing is allocated or drawn.
    """
    from composer.blocks.random import name_places

    found: dict[str, nn.Module] = {}
    for name, network in shaped.graph.networks.items():
        with torch.random.fork_rng(devices=[]), device if device.type == "meta" else nullcontext():
            # Constructors fill weights from the global generator; what they leave is drawn anew below.
            torch.manual_seed(seed_for(seed, "network", name))
            module = construct(network, shaped.bound[name])
        if device.type != "meta":
            _fill(module, network, torch.Generator().manual_seed(seed_for(seed, "weights", name)))
        name_places(module)
        module.to(device=device, dtype=dtype)
        if network.frozen:
            module.requires_grad_(False)
        set_mode(module, network)
        found[name] = module
    return found


def _fill(module: nn.Module, network: Network, generator: torch.Generator) -> None:
    """Give a network its starting weights, from its rule or from its file."""
    from composer.blocks.initialize import initialize

    try:
        initialize(module, _rule(network), generator)
    except ComposeError as error:
        raise ComposeError(error.fact, network.place, error.remedy) from None
    except (TypeError, ValueError, RuntimeError) as error:
        fact = f"the weights of network '{network.name}' cannot start as '{_rule(network)}': {error}"
        raise ComposeError(fact, network.place, "write init: normal(0.02)") from None
    if network.weights:
        load_weights(module, network)


def _rule(network: Network) -> str:
    parts = [repr(a) for a in network.init.args] + [f"{k}={v!r}" for k, v in network.init.settings.items()]
    return f"{network.init.name}({', '.join(parts)})" if parts else network.init.name


def construct(network: Network, bound: Bound) -> nn.Module:
    """The module of one network, with whatever weights its constructor gives it."""
    if network.wiring is not None:
        return Wired(network.name, network.wiring, {name: layer.axes for name, layer in bound.layers.items()})
    block = look_up(network.block)
    module: nn.Module = build_block(block, bound.axes, network.settings, f"network '{network.name}'", network.place)
    return module


def build_states(shaped: Shaped, seed: int, device: torch.device, dtype: torch.dtype) -> dict[str, nn.Module]:
    """A module for every value that is a state block (pools, queues), by the value's name."""
    found: dict[str, nn.Module] = {}
    for node in reachable(shaped.graph.roots):
        if node.op != "state":
            continue
        block = look_up(node.target)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed_for(seed, "state", node.name))
            sizes = shaped.bound[node.name].axes
            module = build_block(block, sizes, dict(node.settings), f"'{node.name}'", node.place)
        if hasattr(module, "draw_initial"):
            module.draw_initial(torch.Generator().manual_seed(seed_for(seed, "state", node.name)))
        found[node.name] = module.to(device=device, dtype=dtype)
    return found


def set_mode(module: nn.Module, network: Network) -> None:
    """Training mode, unless the network is frozen or says otherwise."""
    module.train(network.mode == "train" or (network.mode != "eval" and not network.frozen))


def averaged(module: nn.Module) -> nn.Module:
    """A copy for a moving average: nobody trains it."""
    return copy.deepcopy(module).requires_grad_(False)


def load_weights(module: nn.Module, network: Network) -> None:
    """Fill a network from `weights: PATH` (safetensors, or a file of `torch.save` read without running code)."""
    path = Path(network.weights)
    if not path.is_file():
        import warnings

        warnings.warn(
            f"{network.place}: no file '{network.weights}' for network '{network.name}': it keeps random weights",
            stacklevel=2,
        )
        return
    try:
        tensors: Mapping[str, Any]
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            tensors = load_file(str(path))
        else:
            tensors = torch.load(path, map_location="cpu", weights_only=True)
        module.load_state_dict(dict(tensors))
    except Exception as error:  # a foreign file may fail in any way; the user needs one message
        first = str(error).splitlines()[0]
        raise ComposeError(
            f"weights '{network.weights}' do not fit network '{network.name}': {first}", network.place
        ) from None


def uses_draws(module: nn.Module) -> bool:
    """Whether a network draws random numbers inside."""
    return any(hasattr(part, "place") and getattr(part, "p", 1) != 0 for part in module.modules())
