"""What a hand-written loop records: weights, batches, draws, losses, values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn


class Trace:
    """Arrays by name. Images and weights are kept in float32, single numbers in float64, as recorded traces do."""

    def __init__(self, seed: int = 0) -> None:
        self.arrays: dict[str, np.ndarray] = {}
        self.generator = torch.Generator().manual_seed(seed)

    def put(self, name: str, value: Tensor | float) -> None:
        """Record a number or a tensor."""
        array = np.asarray(value.detach().cpu().numpy() if isinstance(value, Tensor) else value)
        rounded = array.ndim and np.issubdtype(array.dtype, np.floating)
        self.arrays[name] = np.array(array, np.float32) if rounded else np.array(array)

    def weights(self, when: str, networks: Mapping[str, nn.Module]) -> None:
        """Record every entry of the networks' state_dicts: `when` is init or final."""
        for name, network in networks.items():
            for key, value in network.state_dict().items():
                self.put(f"{when}/{name}/{key}", value.float() if value.is_floating_point() else value)

    def images(self, *shape: int) -> Tensor:
        """Smooth-free random images in [-1, 1], numbers that float32 holds."""
        return (torch.rand(shape, generator=self.generator) * 2 - 1).double()

    def normal(self, name: str, shape: torch.Size | tuple[int, ...]) -> Tensor:
        """A draw from the standard normal distribution, recorded."""
        drawn = torch.randn(tuple(shape), generator=self.generator).double()
        self.put(name, drawn)
        return drawn

    def save(self, folder: Path, method: str, config: Mapping[str, Any], iterations: int) -> Path:
        """Write `case.json` and `trace.npz`."""
        folder.mkdir(parents=True, exist_ok=True)
        case = {"method": method, "case": folder.name, "config": config, "iterations": iterations,
                "source": "a loop written by hand: tests/recorders"}  # fmt: skip
        (folder / "case.json").write_text(json.dumps(case, indent=1) + "\n", encoding="utf-8")
        np.savez_compressed(folder / "trace.npz", **self.arrays)
        return folder


def draw_weights(networks: Mapping[str, nn.Module], generator: torch.Generator) -> None:
    """Fill networks with weights that make every part matter: biases, scales and running statistics too."""
    for network in networks.values():
        for key, value in network.state_dict().items():
            if not value.is_floating_point():
                continue
            drawn = torch.randn(value.shape, generator=generator)
            if value.dim() > 1:
                drawn = drawn / (value[0].numel() ** 0.5)
            elif key.endswith("running_var"):
                drawn = 1 + drawn.abs() / 2
            elif key.endswith(("weight", "gamma")):
                drawn = 1 + drawn / 5
            else:
                drawn = drawn / 5
            value.copy_(drawn)
        network.double()


def gradient_norm(*networks: nn.Module) -> float:
    """The l2 norm of all gradients together."""
    squares = [p.grad.square().sum() for n in networks for p in n.parameters() if p.grad is not None]
    return float(torch.stack(squares).sum().sqrt())


def sum_of_weights(network: nn.Module) -> float:
    return sum(float(p.detach().abs().sum()) for p in network.parameters())


def linear_factor(iteration: int, constant: int, decay: int) -> float:
    """Factor of the learning rate where every iteration is an epoch and the rate is stepped at its start."""
    return 1 - max(0, iteration + 2 - constant) / (decay + 1)
