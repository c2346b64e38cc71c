"""LPIPS: how different two pictures look to a network that was trained to name things.

Features of five layers are brought to length 1 at each place, and their squared differences are added up with learned
weights. Two files make it: the convolutions of AlexNet or VGG16 as torchvision publishes them, and the learned weights
of the layers, a few kilobytes that the packages torchmetrics and lpips carry.
Source: The Unreasonable Effectiveness of Deep Features as a Perceptual Metric (arXiv:1801.03924), eq. 1.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from composer.errors import ComposeError
from composer.measure.weights import WeightFile, read_state

SHIFT = (-0.030, -0.088, -0.188)
SCALE = (0.458, 0.448, 0.450)
SMALL = 1e-10
SMALLEST = 32  # side of a picture, pixels: less would vanish in the halvings

# A layer is a convolution (number in the file, stride, padding), "pool", or "tap": features are taken here.
Layer = tuple[int, int, int] | str
_ALEX: Sequence[Layer] = (
    *((0, 4, 2), "tap", "pool", (3, 1, 2), "tap", "pool"),
    *((6, 1, 1), "tap", (8, 1, 1), "tap", (10, 1, 1), "tap"),
)
_VGG: Sequence[Layer] = (
    *((0, 1, 1), (2, 1, 1), "tap", "pool", (5, 1, 1), (7, 1, 1), "tap", "pool"),
    *((10, 1, 1), (12, 1, 1), (14, 1, 1), "tap", "pool", (17, 1, 1), (19, 1, 1), (21, 1, 1), "tap", "pool"),
    *((24, 1, 1), (26, 1, 1), (28, 1, 1), "tap"),
)
_NETWORKS = {"alex": (_ALEX, 3, (64, 3, 11, 11)), "vgg": (_VGG, 2, (64, 3, 3, 3))}  # layers, pool, first kernel


class Perceptual(nn.Module):
    """The distance of two batches of pictures [b, 3, h, w] in [-1, 1]: [b], 0 for equal ones."""

    def __init__(self, name: str, state: Mapping[str, Tensor], heads: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.network = name
        self.layers, self.pool, _ = _NETWORKS[name]
        for layer in self.layers:
            if isinstance(layer, tuple):
                for part in ("weight", "bias"):
                    self.register_buffer(f"{part}_{layer[0]}", state[f"features.{layer[0]}.{part}"].float())
        for number in range(5):
            self.register_buffer(f"head_{number}", heads[f"lin{number}.model.1.weight"].float())
        self.register_buffer("shift", torch.tensor(SHIFT).view(1, 3, 1, 1))
        self.register_buffer("scale", torch.tensor(SCALE).view(1, 3, 1, 1))

    def features(self, pictures: Tensor) -> list[Tensor]:
        """The features of five layers, of length 1 at each place."""
        value = (pictures - self.get_buffer("shift")) / self.get_buffer("scale")
        found = []
        for layer in self.layers:
            if isinstance(layer, tuple):
                number, stride, padding = layer
                weight, bias = self.get_buffer(f"weight_{number}"), self.get_buffer(f"bias_{number}")
                value = functional.relu(functional.conv2d(value, weight, bias, stride, padding))
            elif layer == "pool":
                value = functional.max_pool2d(value, self.pool, 2)
            else:
                found.append(value / (value.square().sum(1, keepdim=True).sqrt() + SMALL))
        return found

    def forward(self, one: Tensor, other: Tensor) -> Tensor:
        pairs = zip(self.features(one), self.features(other), strict=True)
        parts = [
            functional.conv2d((a - b).square(), self.get_buffer(f"head_{number}")).mean((1, 2, 3))
            for number, (a, b) in enumerate(pairs)
        ]
        return torch.stack(parts).sum(0)


def open_perceptual(file: Path, heads: Path | None, device: torch.device) -> tuple[Perceptual, WeightFile, WeightFile]:
    """LPIPS from a file of AlexNet or VGG16 and one of its heads, which the packages around carry."""
    state, described = read_state(file)
    first = state.get("features.0.weight")
    shape = tuple(first.shape) if first is not None else ()
    name = next((name for name, (_, _, kernel) in _NETWORKS.items() if kernel == shape), None)
    if name is None or any(f"features.{layer[0]}.bias" not in state for layer in _convolutions(name)):
        raise ComposeError(
            f"'{file}' holds no AlexNet and no VGG16 as LPIPS uses them",
            remedy="it is torchvision's alexnet-owt-7be5be79.pth or vgg16-397923af.pth",
        )
    head_file = heads or _carried(name)
    learned, described_heads = read_state(head_file)
    channels = [state[f"features.{number}.bias"].numel() for number in _tapped(name)]
    shapes = [tuple(learned[f"lin{n}.model.1.weight"].shape) for n in range(5) if f"lin{n}.model.1.weight" in learned]
    if shapes != [(1, c, 1, 1) for c in channels]:
        raise ComposeError(f"'{head_file}' does not hold the heads of LPIPS for {name}", remedy=f"use {name}.pth")
    return Perceptual(name, state, learned).to(device).eval(), described, described_heads


def _convolutions(name: str) -> list[tuple[int, int, int]]:
    return [layer for layer in _NETWORKS[name][0] if isinstance(layer, tuple)]


def _tapped(name: str) -> list[int]:
    """The convolutions right before the taps."""
    layers = _NETWORKS[name][0]
    return [layers[i - 1][0] for i, layer in enumerate(layers) if layer == "tap"]  # type: ignore[misc]


def _carried(name: str) -> Path:
    """The heads that torchmetrics or lpips brings along; neither is imported."""
    for package, inside in (("torchmetrics", "functional/image/lpips_models"), ("lpips", "weights/v0.1")):
        found = importlib.util.find_spec(package)
        for folder in (found.submodule_search_locations or ()) if found else ():
            path = Path(folder) / inside / f"{name}.pth"
            if path.is_file():
                return path
    raise ComposeError(
        f"LPIPS needs the learned weights of its layers, {name}.pth of version 0.1",
        remedy="pip install 'composer-translation[eval]', which brings them, or give --weights lpips-heads=PATH",
    )
