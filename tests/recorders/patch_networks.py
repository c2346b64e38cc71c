"""Networks of the paired and the unpaired patch GAN (arXiv:1611.07004, 1703.10593), with the released code's names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

Norm = Callable[[int], nn.Module]
NORMS: dict[str, Norm] = {
    "batch": nn.BatchNorm2d,
    "instance": nn.InstanceNorm2d,
    "none": lambda c: nn.Identity(),
}


class MaskedDropout(nn.Module):
    """Dropout of one half whose masks come from `mask(place, shape)`."""

    def __init__(self) -> None:
        super().__init__()
        self.place = ""
        self.mask: Callable[[str, torch.Size], Tensor] | None = None

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.mask is None:
            return x
        return x * self.mask(self.place, x.shape) / 0.5


class Level(nn.Module):
    """One level of the U-Net with everything inside it."""

    def __init__(self, c: int, inner: int, out: int, below: nn.Module | None, outermost: bool, norm: str, drop: bool):
        super().__init__()
        make, bias = NORMS[norm], norm == "instance"
        self.outermost = outermost
        down = nn.Conv2d(c, inner, 4, 2, 1, bias=bias)
        given = inner if below is None else 2 * inner
        if outermost:
            assert below is not None
            layers = [down, below, nn.ReLU(), nn.ConvTranspose2d(given, out, 4, 2, 1), nn.Tanh()]
        elif below is None:
            up = nn.ConvTranspose2d(given, out, 4, 2, 1, bias=bias)
            layers = [nn.LeakyReLU(0.2), down, nn.ReLU(), up, make(out)]
        else:
            up = nn.ConvTranspose2d(given, out, 4, 2, 1, bias=bias)
            layers = [nn.LeakyReLU(0.2), down, make(inner), below, nn.ReLU(), up, make(out)]
            layers += [MaskedDropout()] if drop else []
        self.model = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x) if self.outermost else torch.cat([x, self.model(x)], 1)


class Unet(nn.Module):
    """A U-Net of `levels` levels, the innermost built first."""

    def __init__(self, c: int, out: int, width: int, levels: int, norm: str, drop: bool) -> None:
        super().__init__()
        level = Level(8 * width, 8 * width, 8 * width, None, False, norm, False)
        for _ in range(levels - 5):
            level = Level(8 * width, 8 * width, 8 * width, level, False, norm, drop)
        for wide in (4 * width, 2 * width, width):
            level = Level(wide, 2 * wide, wide, level, False, norm, False)
        self.model = Level(c, width, out, level, True, norm, False)
        for place, module in self.named_modules():
            if isinstance(module, MaskedDropout):
                module.place = place

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)


class Block(nn.Module):
    def __init__(self, c: int, norm: str) -> None:
        super().__init__()
        make, bias = NORMS[norm], norm == "instance"
        self.conv_block = nn.Sequential(
            nn.ReflectionPad2d(1), nn.Conv2d(c, c, 3, bias=bias), make(c), nn.ReLU(),
            nn.ReflectionPad2d(1), nn.Conv2d(c, c, 3, bias=bias), make(c),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv_block(x)


class Resnet(nn.Module):
    """Two halvings, residual blocks, two doublings, in one flat list."""

    def __init__(self, c: int, out: int, width: int, blocks: int, norm: str) -> None:
        super().__init__()
        make, bias = NORMS[norm], norm == "instance"
        layers: list[Any] = [nn.ReflectionPad2d(3), nn.Conv2d(c, width, 7, bias=bias), make(width), nn.ReLU()]
        for wide in (width, 2 * width):
            layers += [nn.Conv2d(wide, 2 * wide, 3, 2, 1, bias=bias), make(2 * wide), nn.ReLU()]
        layers += [Block(4 * width, norm) for _ in range(blocks)]
        for wide in (4 * width, 2 * width):
            raised = nn.ConvTranspose2d(wide, wide // 2, 3, 2, 1, output_padding=1, bias=bias)
            layers += [raised, make(wide // 2), nn.ReLU()]
        layers += [nn.ReflectionPad2d(3), nn.Conv2d(width, out, 7), nn.Tanh()]
        self.model = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)


class Patches(nn.Module):
    """The patch discriminator with `layers` strided convolutions."""

    def __init__(self, c: int, width: int, layers: int, norm: str) -> None:
        super().__init__()
        make, bias = NORMS[norm], norm == "instance"
        stages: list[Any] = [nn.Conv2d(c, width, 4, 2, 1), nn.LeakyReLU(0.2)]
        wide = width
        for n in range(1, layers + 1):
            before, wide = wide, width * min(2**n, 8)
            stride = 2 if n < layers else 1
            stages += [nn.Conv2d(before, wide, 4, stride, 1, bias=bias), make(wide), nn.LeakyReLU(0.2)]
        self.model = nn.Sequential(*stages, nn.Conv2d(wide, 1, 4, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)


class Pixels(nn.Module):
    """The discriminator of single pixels."""

    def __init__(self, c: int, width: int, norm: str) -> None:
        super().__init__()
        make, bias = NORMS[norm], norm == "instance"
        self.net = nn.Sequential(
            nn.Conv2d(c, width, 1), nn.LeakyReLU(0.2), nn.Conv2d(width, 2 * width, 1, bias=bias), make(2 * width),
            nn.LeakyReLU(0.2), nn.Conv2d(2 * width, 1, 1, bias=bias),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


def generator(config: dict[str, Any], c: int, out: int) -> nn.Module:
    kind, number = config["netG"].split("_")[0], int(config["netG"].split("_")[1][1:])
    drop = not config["no_dropout"]
    if kind == "unet":
        return Unet(c, out, config["ngf"], number, config["norm"], drop)
    return Resnet(c, out, config["ngf"], number, config["norm"])


def judge(config: dict[str, Any], c: int) -> nn.Module:
    if config["netD"] == "pixel":
        return Pixels(c, config["ndf"], config["norm"])
    layers = config["n_layers_D"] if config["netD"] == "n_layers" else 3
    return Patches(c, config["ndf"], layers, config["norm"])


def gan_loss(mode: str, score: Tensor, real: bool) -> Tensor:
    wanted = torch.full_like(score, float(real))
    if mode == "vanilla":
        return functional.binary_cross_entropy_with_logits(score, wanted)
    return functional.mse_loss(score, wanted)
