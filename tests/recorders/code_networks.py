"""Networks of paired translation with a code (arXiv:1711.11586), with the released code's names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

Norm = Callable[[int], nn.Module]
NORMS: dict[str, Norm] = {"batch": nn.BatchNorm2d, "instance": nn.InstanceNorm2d}
RISES: dict[str, Callable[[], nn.Module]] = {
    "relu": lambda: nn.ReLU(True), "elu": lambda: nn.ELU(inplace=True), "lrelu": lambda: nn.LeakyReLU(0.2, True),
}  # fmt: skip


def doubling(c: int, out: int, way: str) -> list[nn.Module]:
    if way == "basic":
        return [nn.ConvTranspose2d(c, out, 4, 2, 1)]
    return [nn.Upsample(scale_factor=2, mode="bilinear"), nn.ReflectionPad2d(1), nn.Conv2d(c, out, 3)]


class InputLevel(nn.Module):
    """One level of the U-Net that has the code beside its image only; what is inside it stands in the middle."""

    def __init__(self, c: int, inner: int, out: int, below: nn.Module | None, outermost: bool, config: dict[str, Any]):
        super().__init__()
        norm, rise = NORMS[config["norm"]], RISES[config["nl"]]
        self.outermost = outermost
        raised = doubling(inner if below is None else 2 * inner, out, config["upsample"])
        layers: list[nn.Module] = [] if outermost else [nn.LeakyReLU(0.2, True)]
        layers.append(nn.Conv2d(c, inner, 4, 2, 1))
        if below is not None:
            layers += ([] if outermost else [norm(inner)]) + [below]
        layers += [rise(), *raised, nn.Tanh() if outermost else norm(out)]
        self.model = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x) if self.outermost else torch.cat([self.model(x), x], 1)  # x as the first layer left it


class EveryLevel(nn.Module):
    """One level of the U-Net that has the code at every level."""

    def __init__(self, c: int, inner: int, out: int, below: nn.Module | None, outermost: bool, config: dict[str, Any]):
        super().__init__()
        norm, rise = NORMS[config["norm"]], RISES[config["nl"]]
        self.outermost = outermost
        down: list[nn.Module] = [] if outermost else [nn.LeakyReLU(0.2, True)]
        down.append(nn.Conv2d(c + config["nz"], inner, 4, 2, 1))
        if below is not None and not outermost:
            down.append(norm(inner))
        raised = doubling(inner if below is None else 2 * inner, out, config["upsample"])
        self.down = nn.Sequential(*down)
        self.submodule = below
        self.up = nn.Sequential(rise(), *raised, nn.Tanh() if outermost else norm(out))

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        planes = code[:, :, None, None].expand(*code.shape, *x.shape[2:])
        inner = self.down(torch.cat([x, planes], 1))
        up = self.up(inner if self.submodule is None else self.submodule(inner, code))
        return up if self.outermost else torch.cat([up, x], 1)


class Generator(nn.Module):
    """Levels nested in each other, the innermost built first."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        self.everywhere = config["where_add"] == "all"
        kind: Any = EveryLevel if self.everywhere else InputLevel
        least = 6 if self.everywhere else 5
        levels = max(least, int(config["netG"].removeprefix("unet_d")))
        w = config["ngf"]
        level = kind(8 * w, 8 * w, 8 * w, None, False, config)
        for _ in range(levels - 5):
            level = kind(8 * w, 8 * w, 8 * w, level, False, config)
        for wide in (4 * w, 2 * w, w):
            level = kind(wide, 2 * wide, wide, level, False, config)
        c = config["input_nc"] + (0 if self.everywhere else config["nz"])
        self.model = kind(c, w, config["output_nc"], level, True, config)

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        if self.everywhere:
            return self.model(x, code)
        planes = code[:, :, None, None].expand(*code.shape, *x.shape[2:])
        return self.model(torch.cat([x, planes], 1))


class Halving(nn.Module):
    def __init__(self, c: int, out: int, norm: Norm) -> None:
        super().__init__()
        last = nn.Sequential(nn.Conv2d(c, out, 3, 1, 1), nn.AvgPool2d(2))
        self.conv = nn.Sequential(
            norm(c), nn.LeakyReLU(0.2), nn.Conv2d(c, c, 3, 1, 1), norm(c), nn.LeakyReLU(0.2), last
        )
        self.shortcut = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(c, out, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x) + self.shortcut(x)


class Encoder(nn.Module):
    """An image to mean and log variance of a code."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        norm, w = NORMS[config["norm"]], config["nef"]
        kind, number = config["netE"].split("_n")
        layers: list[nn.Module] = [nn.Conv2d(config["output_nc"], w, 4, 2, 1)]
        wide = w
        if kind == "resnet":
            for n in range(1, int(number)):
                before, wide = wide, w * min(4, n + 1)
                layers.append(Halving(before, wide, norm))
            layers.append(nn.LeakyReLU(0.2))
        else:
            layers.append(nn.LeakyReLU(0.2))
            for n in range(1, int(number)):
                before, wide = wide, w * min(2**n, 4)
                layers += [nn.Conv2d(before, wide, 4, 2, 1), norm(wide), nn.LeakyReLU(0.2)]
        self.conv = nn.Sequential(*layers, nn.AvgPool2d(8))
        self.fc = nn.Sequential(nn.Linear(wide, config["nz"]))
        self.fcVar = nn.Sequential(nn.Linear(wide, config["nz"]))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        seen = self.conv(x).flatten(1)
        return self.fc(seen), self.fcVar(seen)


class Judges(nn.Module):
    """Patch networks for an image at several sizes; a single one gives its score alone."""

    def __init__(self, kind: str, config: dict[str, Any]) -> None:
        super().__init__()
        norm, number = NORMS[config["norm"]], config["num_Ds"]
        c = config["output_nc"] + (config["input_nc"] if config["conditional_D"] else 0)
        layers = {"basic_128_multi": 2, "basic_256_multi": 3}[kind]
        self.names = ["model"] if number == 1 else [f"model_{k}" for k in range(number)]
        self.halve = nn.AvgPool2d(3, 2, 1, count_include_pad=False)
        for k, name in enumerate(self.names):
            w = round(config["ndf"] / 2**k)
            stages: list[nn.Module] = [nn.Conv2d(c, w, 4, 2, 1), nn.LeakyReLU(0.2)]
            wide = w
            for n in range(1, layers + 1):
                before, wide = wide, w * min(2**n, 8)
                stages += [nn.Conv2d(before, wide, 4, 2 if n < layers else 1, 1), norm(wide), nn.LeakyReLU(0.2)]
            self.add_module(name, nn.Sequential(*stages, nn.Conv2d(wide, 1, 4, 1, 1)))

    def forward(self, x: Tensor) -> Any:
        scores = []
        for k, name in enumerate(self.names):
            x = self.halve(x) if k else x
            scores.append(getattr(self, name)(x))
        return scores if len(scores) > 1 else scores[0]
