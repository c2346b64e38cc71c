"""Networks of the two-autoencoder method's later code (arXiv:1703.00848), with the released code's names."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

PADS: dict[str, Any] = {"reflect": nn.ReflectionPad2d, "replicate": nn.ReplicationPad2d, "zero": nn.ZeroPad2d}
ACTIVATIONS: dict[str, Any] = {
    "relu": nn.ReLU, "lrelu": lambda: nn.LeakyReLU(0.2), "prelu": nn.PReLU, "selu": nn.SELU, "tanh": nn.Tanh,
    "none": nn.Identity,
}  # fmt: skip


class PerSample(nn.Module):
    """Normalization over a whole sample: the spread with divisor n - 1, eps added to it."""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.gamma, self.beta = nn.Parameter(torch.ones(c)), nn.Parameter(torch.zeros(c))

    def forward(self, x: Tensor) -> Tensor:
        rows = x.flatten(1)
        mean, spread = rows.mean(1), rows.std(1, unbiased=True)
        y = (x - mean[:, None, None, None]) / (spread[:, None, None, None] + 1e-5)
        return y * self.gamma[None, :, None, None] + self.beta[None, :, None, None]


NORMS: dict[str, Any] = {"none": nn.Identity, "bn": nn.BatchNorm2d, "in": nn.InstanceNorm2d, "ln": PerSample}


class Layer(nn.Module):
    """Pad, convolve, normalize, activate."""

    def __init__(self, c: int, out: int, kernel: int, stride: int, pad: int, norm: str, activ: str, pad_type: str):
        super().__init__()
        self.pad = PADS[pad_type](pad)
        self.norm = NORMS[norm](out) if norm != "none" else nn.Identity()
        self.activation = ACTIVATIONS[activ]()
        self.conv = nn.Conv2d(c, out, kernel, stride)

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.norm(self.conv(self.pad(x))))


class Residual(nn.Module):
    def __init__(self, c: int, activ: str, pad_type: str) -> None:
        super().__init__()
        first, second = (Layer(c, c, 3, 1, 1, "in", a, pad_type) for a in (activ, "none"))
        self.model = nn.Sequential(first, second)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.model(x)


class Several(nn.Module):
    """Layers behind the name `model`."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.model = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)


class Autoencoder(nn.Module):
    """Encoder and decoder of one domain."""

    def __init__(self, c: int, dim: int, activ: str, n_downsample: int, n_res: int, pad_type: str) -> None:
        super().__init__()
        enc = [Layer(c, dim, 7, 1, 3, "in", activ, pad_type)]
        for _ in range(n_downsample):
            enc.append(Layer(dim, 2 * dim, 4, 2, 1, "in", activ, pad_type))
            dim *= 2
        self.enc = Several(*enc, Several(*(Residual(dim, activ, pad_type) for _ in range(n_res))))
        dec: list[nn.Module] = [Several(*(Residual(dim, activ, pad_type) for _ in range(n_res)))]
        for _ in range(n_downsample):
            dec += [nn.Upsample(scale_factor=2), Layer(dim, dim // 2, 5, 1, 2, "ln", activ, pad_type)]
            dim //= 2
        self.dec = Several(*dec, Layer(dim, c, 7, 1, 3, "none", "tanh", pad_type))


class Judge(nn.Module):
    """One patch discriminator for each scale."""

    def __init__(
        self, c: int, dim: int, norm: str, activ: str, n_layer: int, gan_type: str, num_scales: int, pad_type: str
    ) -> None:
        super().__init__()
        self.gan_type = gan_type
        self.cnns = nn.ModuleList()
        for _ in range(num_scales):
            layers: list[nn.Module] = [Layer(c, dim, 4, 2, 1, "none", activ, pad_type)]
            wide = dim
            for _ in range(n_layer - 1):
                layers.append(Layer(wide, 2 * wide, 4, 2, 1, norm, activ, pad_type))
                wide *= 2
            self.cnns.append(nn.Sequential(*layers, nn.Conv2d(wide, 1, 1)))

    def forward(self, x: Tensor) -> list[Tensor]:
        scores = []
        for cnn in self.cnns:
            scores.append(cnn(x))
            x = functional.avg_pool2d(x, 3, 2, 1, count_include_pad=False)
        return scores

    def loss(self, x: Tensor, real: bool) -> Tensor:
        wanted = float(real)
        if self.gan_type == "lsgan":
            return sum(((s - wanted) ** 2).mean() for s in self(x))  # type: ignore[return-value]
        parts = [torch.sigmoid(s) for s in self(x)]
        return sum(functional.binary_cross_entropy(p, torch.full_like(p, wanted)) for p in parts)  # type: ignore[return-value]


class Features(nn.Module):
    """VGG-16 to relu5_3 with three poolings."""

    def __init__(self, base: int) -> None:
        super().__init__()
        c = 3
        for stage, (count, times) in enumerate(((2, 1), (2, 2), (3, 4), (3, 8), (3, 8)), 1):
            for number in range(1, count + 1):
                setattr(self, f"conv{stage}_{number}", nn.Conv2d(c, base * times, 3, 1, 1))
                c = base * times

    def forward(self, x: Tensor) -> Tensor:
        for name, conv in self.named_children():
            x = functional.relu(conv(x))
            if name in ("conv1_2", "conv2_2", "conv3_3"):
                x = functional.max_pool2d(x, 2, 2)
        return x

    def distance(self, image: Tensor, wanted: Tensor) -> Tensor:
        a, b = (functional.instance_norm(self(_caffe(x))) for x in (image, wanted))
        return ((a - b) ** 2).mean()


def _caffe(x: Tensor) -> Tensor:
    red, green, blue = x.chunk(3, 1)
    scaled = (torch.cat([blue, green, red], 1) + 1) * 255 * 0.5
    return scaled - torch.tensor([103.939, 116.779, 123.680], dtype=x.dtype)[None, :, None, None]
