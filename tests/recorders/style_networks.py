"""Networks of the method with content and style codes (arXiv:1804.04732), with the released code's names."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from .latent_networks import ACTIVATIONS, Judge, Layer, Residual, Several


class Shifted(nn.Module):
    """Instance normalization whose scale and shift are put in from outside; its buffers are never used."""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.scale: Tensor | None = None
        self.shift: Tensor | None = None
        self.register_buffer("running_mean", torch.zeros(c))
        self.register_buffer("running_var", torch.ones(c))

    def forward(self, x: Tensor) -> Tensor:
        assert self.scale is not None and self.shift is not None
        mean = x.mean((2, 3), keepdim=True)
        variance = ((x - mean) ** 2).mean((2, 3), keepdim=True)
        return (x - mean) / torch.sqrt(variance + 1e-5) * self.scale[..., None, None] + self.shift[..., None, None]


class Spectral(nn.Module):
    """A convolution divided by an estimate of its largest singular value, one step of power iteration a call."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        weight = conv.weight.data
        del conv.weight
        self.module = conv
        conv.weight_bar = nn.Parameter(weight)
        conv.weight_u = nn.Parameter(torch.randn(len(weight)), requires_grad=False)
        conv.weight_v = nn.Parameter(torch.randn(weight[0].numel()), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        conv = self.module
        rows = conv.weight_bar.reshape(len(conv.weight_bar), -1)
        with torch.no_grad():
            v = rows.t().mv(conv.weight_u)
            v = v / (v.norm() + 1e-12)
            u = rows.mv(v)
            u = u / (u.norm() + 1e-12)
            conv.weight_u.data, conv.weight_v.data = u.clone(), v.clone()
        weight = conv.weight_bar / u.dot(rows.mv(v))
        return functional.conv2d(x, weight, conv.bias, conv.stride, conv.padding)


def make_spectral(judge: Judge) -> None:
    """Every convolution but the first and the last of each scale."""
    for cnn in judge.cnns:
        for layer in list(cnn)[1:-1]:
            layer.conv = Spectral(layer.conv)


class Linear(nn.Module):
    def __init__(self, c: int, out: int, activ: str) -> None:
        super().__init__()
        self.fc = nn.Linear(c, out)
        self.activation = ACTIVATIONS[activ]()

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.fc(x))


class StyleEncoder(nn.Module):
    def __init__(self, c: int, dim: int, style_dim: int, activ: str, pad_type: str) -> None:
        super().__init__()
        layers: list[nn.Module] = [Layer(c, dim, 7, 1, 3, "none", activ, pad_type)]
        for wide, next_wide in ((dim, 2 * dim), (2 * dim, 4 * dim), (4 * dim, 4 * dim), (4 * dim, 4 * dim)):
            layers.append(Layer(wide, next_wide, 4, 2, 1, "none", activ, pad_type))
        self.model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Conv2d(4 * dim, style_dim, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)


class Styled(nn.Module):
    """The networks of one domain: style encoder, content encoder, decoder, and the map from styles to its norms."""

    def __init__(
        self, c: int, dim: int, style_dim: int, n_downsample: int, n_res: int, activ: str, pad_type: str, mlp_dim: int
    ) -> None:
        super().__init__()
        self.enc_style = StyleEncoder(c, dim, style_dim, activ, pad_type)
        layers = [Layer(c, dim, 7, 1, 3, "in", activ, pad_type)]
        for _ in range(n_downsample):
            layers.append(Layer(dim, 2 * dim, 4, 2, 1, "in", activ, pad_type))
            dim *= 2
        self.enc_content = Several(*layers, Several(*(Residual(dim, activ, pad_type) for _ in range(n_res))))
        blocks = [Residual(dim, activ, pad_type) for _ in range(n_res)]
        for block in blocks:
            for layer in block.model:
                layer.norm = Shifted(dim)
        numbers = 4 * n_res * dim
        dec: list[nn.Module] = [Several(*blocks)]
        for _ in range(n_downsample):
            dec += [nn.Upsample(scale_factor=2), Layer(dim, dim // 2, 5, 1, 2, "ln", activ, pad_type)]
            dim //= 2
        self.dec = Several(*dec, Layer(dim, c, 7, 1, 3, "none", "tanh", pad_type))
        self.mlp = Several(
            Linear(style_dim, mlp_dim, activ), Linear(mlp_dim, mlp_dim, activ), Linear(mlp_dim, numbers, "none")
        )

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.enc_content(x), self.enc_style(x)

    def decode(self, content: Tensor, style: Tensor) -> Tensor:
        numbers: Any = self.mlp(style.reshape(len(style), -1))
        for module in self.dec.modules():
            if isinstance(module, Shifted):
                c = len(module.running_mean)
                module.shift, module.scale, numbers = numbers[:, :c], numbers[:, c : 2 * c], numbers[:, 2 * c :]
        assert not numbers.numel()
        return self.dec(content)
