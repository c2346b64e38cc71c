"""Networks of the label-map-to-photograph loop, in plain torch with the names of the authors' code."""

from __future__ import annotations

import itertools
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import spectral_norm

FIRSTS = (0, 2, 7, 12, 21, 30)  # layers of the five slices


def leaky(x: Tensor) -> Tensor:
    return functional.leaky_relu(x, 0.2)


class Spade(nn.Module):
    def __init__(self, kind: str, kernel: int, c: int, labels: int, hidden: int) -> None:
        super().__init__()
        make = nn.InstanceNorm2d if kind == "instance" else nn.BatchNorm2d
        self.param_free_norm = make(c, affine=False)
        self.mlp_shared = nn.Sequential(nn.Conv2d(labels, hidden, kernel, padding=kernel // 2), nn.ReLU())
        self.mlp_gamma = nn.Conv2d(hidden, c, kernel, padding=kernel // 2)
        self.mlp_beta = nn.Conv2d(hidden, c, kernel, padding=kernel // 2)

    def forward(self, x: Tensor, seg: Tensor) -> Tensor:
        h = self.mlp_shared(functional.interpolate(seg, size=x.shape[2:], mode="nearest"))
        return self.param_free_norm(x) * (1 + self.mlp_gamma(h)) + self.mlp_beta(h)


class Block(nn.Module):
    def __init__(self, fin: int, fout: int, config: dict[str, Any], labels: int) -> None:
        super().__init__()
        norm = config["norm_G"]
        spectral = norm.startswith("spectral")
        kind = norm.removeprefix("spectral").removeprefix("spade")[:-3]
        kernel = int(norm[-1])
        mid = min(fin, fout)

        def wrapped(conv: nn.Conv2d) -> nn.Module:
            return spectral_norm(conv) if spectral else conv

        self.conv_0 = wrapped(nn.Conv2d(fin, mid, 3, padding=1))
        self.conv_1 = wrapped(nn.Conv2d(mid, fout, 3, padding=1))
        self.norm_0 = Spade(kind, kernel, fin, labels, config["spade_hidden"])
        self.norm_1 = Spade(kind, kernel, mid, labels, config["spade_hidden"])
        self.learned = fin != fout
        if self.learned:
            self.conv_s = wrapped(nn.Conv2d(fin, fout, 1, bias=False))
            self.norm_s = Spade(kind, kernel, fin, labels, config["spade_hidden"])

    def forward(self, x: Tensor, seg: Tensor) -> Tensor:
        short = self.conv_s(self.norm_s(x, seg)) if self.learned else x
        inner = self.conv_0(leaky(self.norm_0(x, seg)))
        return short + self.conv_1(leaky(self.norm_1(inner, seg)))


class Generator(nn.Module):
    def __init__(self, config: dict[str, Any], labels: int) -> None:
        super().__init__()
        w, self.kind = config["ngf"], config["num_upsampling_layers"]
        levels = {"normal": 5, "more": 6, "most": 7}[self.kind]
        self.sw = config["crop_size"] // 2**levels
        self.sh = round(self.sw / config["aspect_ratio"])
        self.vae, self.wide = config["use_vae"], 16 * w
        if self.vae:
            self.fc: nn.Module = nn.Linear(config["z_dim"], 16 * w * self.sw * self.sh)
        else:
            self.fc = nn.Conv2d(labels, 16 * w, 3, padding=1)
        self.head_0 = Block(16 * w, 16 * w, config, labels)
        self.G_middle_0 = Block(16 * w, 16 * w, config, labels)
        self.G_middle_1 = Block(16 * w, 16 * w, config, labels)
        self.up_0 = Block(16 * w, 8 * w, config, labels)
        self.up_1 = Block(8 * w, 4 * w, config, labels)
        self.up_2 = Block(4 * w, 2 * w, config, labels)
        self.up_3 = Block(2 * w, w, config, labels)
        if self.kind == "most":
            self.up_4 = Block(w, w // 2, config, labels)
        self.conv_img = nn.Conv2d(w // 2 if self.kind == "most" else w, config["output_nc"], 3, padding=1)

    def forward(self, seg: Tensor, z: Tensor | None) -> Tensor:
        if z is None:
            x = self.fc(functional.interpolate(seg, size=(self.sh, self.sw), mode="nearest"))
        else:
            x = self.fc(z).view(-1, self.wide, self.sh, self.sw)

        def up(x: Tensor) -> Tensor:
            return functional.interpolate(x, scale_factor=2, mode="nearest")

        x = self.G_middle_0(up(self.head_0(x, seg)), seg)
        x = self.G_middle_1(up(x) if self.kind != "normal" else x, seg)
        for block in (self.up_0, self.up_1, self.up_2, self.up_3):
            x = block(up(x), seg)
        if self.kind == "most":
            x = self.up_4(up(x), seg)
        return torch.tanh(self.conv_img(leaky(x)))


def normed(conv: nn.Conv2d, norm: str) -> nn.Module:
    """The convolution with a spectral norm and what stands behind the word; without its bias where that is a norm."""
    rest = norm.removeprefix("spectral")
    if rest == "none":
        return spectral_norm(conv)
    plain = nn.Conv2d(conv.in_channels, conv.out_channels, conv.kernel_size, conv.stride, conv.padding, bias=False)
    c = conv.out_channels
    after = nn.InstanceNorm2d(c, affine=False) if rest == "instance" else nn.BatchNorm2d(c, affine=True)
    return nn.Sequential(spectral_norm(plain), after)


class Patches(nn.Module):
    def __init__(self, config: dict[str, Any], c: int) -> None:
        super().__init__()
        wide, self.layers = config["ndf"], config["n_layers_D"]
        self.model0 = nn.Sequential(nn.Conv2d(c, wide, 4, 2, 2), nn.LeakyReLU(0.2))
        for n in range(1, self.layers):
            before, wide = wide, min(2 * wide, 512)
            conv = nn.Conv2d(before, wide, 4, 1 if n == self.layers - 1 else 2, 2)
            setattr(self, f"model{n}", nn.Sequential(normed(conv, config["norm_D"]), nn.LeakyReLU(0.2)))
        setattr(self, f"model{self.layers}", nn.Sequential(nn.Conv2d(wide, 1, 4, 1, 2)))

    def forward(self, x: Tensor) -> list[Tensor]:
        found = [x]
        for n in range(self.layers + 1):
            found.append(getattr(self, f"model{n}")(found[-1]))
        return found[1:]


class Judge(nn.Module):
    def __init__(self, config: dict[str, Any], c: int) -> None:
        super().__init__()
        self.count = config["num_D"]
        for s in range(self.count):
            setattr(self, f"discriminator_{s}", Patches(config, c))

    def forward(self, x: Tensor) -> list[list[Tensor]]:
        found = []
        for s in range(self.count):
            found.append(getattr(self, f"discriminator_{s}")(x))
            x = functional.avg_pool2d(x, 3, 2, 1, count_include_pad=False)
        return found


class Encoder(nn.Module):
    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        w, z = config["ngf"], config["z_dim"]
        for n, (a, b) in enumerate(itertools.pairwise((3, w, 2 * w, 4 * w, 8 * w, 8 * w, 8 * w)), start=1):
            setattr(self, f"layer{n}", normed(nn.Conv2d(a, b, 3, 2, 1), config["norm_E"]))
        self.fc_mu, self.fc_var = nn.Linear(8 * w * 16, z), nn.Linear(8 * w * 16, z)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if x.shape[2:] != (256, 256):
            x = functional.interpolate(x, size=(256, 256), mode="bilinear")
        for n in range(1, 7):
            x = leaky(getattr(self, f"layer{n}")(x))
        return self.fc_mu(x.flatten(1)), self.fc_var(x.flatten(1))


class Vgg(nn.Module):
    """Frozen; the five slices end behind the first convolution of each stage."""

    def __init__(self, widths: list[Any]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        c = 3
        for width in widths:
            layers += [nn.MaxPool2d(2)] if width == "M" else [nn.Conv2d(c, width, 3, padding=1), nn.ReLU()]
            c = c if width == "M" else width
        for k, (first, last) in enumerate(itertools.pairwise(FIRSTS), start=1):
            part = nn.Sequential()
            for number in range(first, last):
                part.add_module(str(number), layers[number])
            setattr(self, f"slice{k}", part)
        self.requires_grad_(False)

    def distance(self, x: Tensor, y: Tensor) -> Tensor:
        total = torch.zeros((), dtype=x.dtype)
        for k, weight in zip(range(1, 6), (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1), strict=True):
            part = getattr(self, f"slice{k}")
            x, y = part(x), part(y)
            total = total + weight * (x - y.detach()).abs().mean()
        return total
