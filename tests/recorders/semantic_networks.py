"""Networks of coarse-to-fine synthesis from label maps, in plain torch, with the state_dict names of released code."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

NORMS: dict[str, Any] = {"instance": nn.InstanceNorm2d, "batch": nn.BatchNorm2d}


def halve(x: Tensor) -> Tensor:
    return functional.avg_pool2d(x, 3, 2, 1, count_include_pad=False)


class Block(nn.Module):
    def __init__(self, c: int, norm: Any) -> None:
        super().__init__()
        self.conv_block = nn.Sequential(
            nn.ReflectionPad2d(1), nn.Conv2d(c, c, 3), norm(c), nn.ReLU(), nn.ReflectionPad2d(1), nn.Conv2d(c, c, 3),
            norm(c),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv_block(x)


def wide(c: int, out: int, *after: nn.Module) -> list[nn.Module]:
    return [nn.ReflectionPad2d(3), nn.Conv2d(c, out, 7), *after]


def up(c: int, norm: Any) -> list[nn.Module]:
    return [nn.ConvTranspose2d(c, c // 2, 3, 2, 1, output_padding=1), norm(c // 2), nn.ReLU()]


def global_layers(c: int, out: int, ngf: int, down: int, blocks: int, norm: Any) -> list[nn.Module]:
    layers = wide(c, ngf, norm(ngf), nn.ReLU())
    for i in range(down):
        layers += [nn.Conv2d(ngf * 2**i, ngf * 2 ** (i + 1), 3, 2, 1), norm(ngf * 2 ** (i + 1)), nn.ReLU()]
    layers += [Block(ngf * 2**down, norm) for _ in range(blocks)]
    for i in reversed(range(down)):
        layers += up(ngf * 2 ** (i + 1), norm)
    return layers + wide(ngf, out, nn.Tanh())


class Generator(nn.Module):
    """`model`, and for each enhancer n `model{n}_1` and `model{n}_2`."""

    def __init__(self, c: int, config: dict[str, Any]) -> None:
        super().__init__()
        norm, out, ngf = NORMS[config["norm"]], config["output_nc"], config["ngf"]
        self.n = config["n_local_enhancers"] if config["netG"] == "local" else 0
        inner = global_layers(
            c, out, ngf * 2**self.n, config["n_downsample_global"], config["n_blocks_global"], norm
        )  # fmt: skip
        self.model = nn.Sequential(*(inner[:-3] if self.n else inner))
        for n in range(1, self.n + 1):
            width = ngf * 2 ** (self.n - n)
            first = wide(c, width, norm(width), nn.ReLU())
            first += [nn.Conv2d(width, 2 * width, 3, 2, 1), norm(2 * width), nn.ReLU()]
            second = [Block(2 * width, norm) for _ in range(config["n_blocks_local"])] + up(2 * width, norm)
            second += wide(width, out, nn.Tanh()) if n == self.n else []
            setattr(self, f"model{n}_1", nn.Sequential(*first))
            setattr(self, f"model{n}_2", nn.Sequential(*second))

    def forward(self, x: Tensor) -> Tensor:
        levels = [x]
        for _ in range(self.n):
            levels.append(halve(levels[-1]))
        y = self.model(levels[-1])
        for n in range(1, self.n + 1):
            y = getattr(self, f"model{n}_2")(getattr(self, f"model{n}_1")(levels[self.n - n]) + y)
        return y


class Encoder(nn.Module):
    """Features of a photo, then their mean over each instance, one after the other."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        down, norm = config["n_downsample_E"], NORMS[config["norm"]]
        self.model = nn.Sequential(*global_layers(3, config["feat_num"], config["nef"], down, 0, norm))

    def forward(self, image: Tensor, ids: Tensor) -> Tensor:
        found = self.model(image)
        pooled = found.clone()
        for n in range(image.shape[0]):
            for number in ids[n].unique():
                place = (ids[n, 0] == number).nonzero()
                for c in range(found.shape[1]):
                    pooled[n, c, place[:, 0], place[:, 1]] = found[n, c, place[:, 0], place[:, 1]].mean()
        return pooled


class Judge(nn.Module):
    """`scale{i}_layer{j}`; the last scale sees the image as it is."""

    def __init__(self, c: int, config: dict[str, Any]) -> None:
        super().__init__()
        norm, layers = NORMS[config["norm"]], config["n_layers_D"]
        self.scales, self.layers = config["num_D"], layers + 2
        for s in range(self.scales):
            width = config["ndf"]
            parts: list[list[nn.Module]] = [[nn.Conv2d(c, width, 4, 2, 2), nn.LeakyReLU(0.2)]]
            for level in range(1, layers + 1):
                before, width = width, min(2 * width, 512)
                stride = 2 if level < layers else 1
                parts.append([nn.Conv2d(before, width, 4, stride, 2), norm(width), nn.LeakyReLU(0.2)])
            parts.append([nn.Conv2d(width, 1, 4, 1, 2)])
            for number, part in enumerate(parts):
                setattr(self, f"scale{s}_layer{number}", nn.Sequential(*part))

    def forward(self, x: Tensor) -> list[list[Tensor]]:
        found = []
        for s in reversed(range(self.scales)):
            taps, y = [], x
            for layer in range(self.layers):
                y = getattr(self, f"scale{s}_layer{layer}")(y)
                taps.append(y)
            found.append(taps)
            x = halve(x)
        return found


class Features(nn.Module):
    """Five slices, each from the first layer of a stage to that of the next; layers keep their published numbers."""

    def __init__(self, widths: list[Any]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        c = 3
        for width in widths:
            layers += [nn.MaxPool2d(2)] if width == "M" else [nn.Conv2d(c, width, 3, 1, 1), nn.ReLU()]
            c = c if width == "M" else width
        self.slices = []
        for number, (start, end) in enumerate(((0, 2), (2, 7), (7, 12), (12, 21), (21, 30)), start=1):
            part = nn.Sequential()
            for i in range(start, end):
                part.add_module(str(i), layers[i])
            setattr(self, f"slice{number}", part)
        for parameter in self.parameters():
            parameter.requires_grad_(False)

    def forward(self, x: Tensor) -> list[Tensor]:
        found = []
        for number in range(1, 6):
            x = getattr(self, f"slice{number}")(x)
            found.append(x)
        return found


def edges_of(ids: Tensor) -> Tensor:
    """1 where a neighbour has another id; [b 1 h w]."""
    found = torch.zeros_like(ids, dtype=torch.bool)
    h, w = ids.shape[-2:]
    for down, right in ((0, 1), (1, 0)):
        other = ids[..., down:, right:] != ids[..., : h - down, : w - right]
        found[..., down:, right:] |= other
        found[..., : h - down, : w - right] |= other
    return found.double()
