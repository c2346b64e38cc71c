"""Networks of the shared-latent method (arXiv:1703.00848), with the released code's names: one generator, one judge."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


def group(*layers: nn.Module) -> nn.Module:
    """Layers behind the name `model`."""
    outer = nn.Sequential()
    outer.add_module("model", nn.Sequential(*layers))
    return outer


def leaky(c: int, out: int, kernel: int, stride: int, pad: int) -> nn.Module:
    return group(nn.Conv2d(c, out, kernel, stride, pad), nn.LeakyReLU())


class Residual(nn.Module):
    def __init__(self, c: int) -> None:
        super().__init__()
        self.model = nn.Sequential(
            nn.Conv2d(c, c, 3, 1, 1), nn.InstanceNorm2d(c), nn.ReLU(), nn.Conv2d(c, c, 3, 1, 1), nn.InstanceNorm2d(c)
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.model(x)


class Generator(nn.Module):
    """Private ends, shared middle."""

    def __init__(
        self, name: str, ch: int, input_dim_a: int, input_dim_b: int, n_enc_front_blk: int, n_enc_res_blk: int,
        n_enc_shared_blk: int, n_gen_shared_blk: int, n_gen_res_blk: int, n_gen_front_blk: int,
    ) -> None:  # fmt: skip
        super().__init__()
        normed = name == "COCOResGen"

        def tail(c: int) -> list[nn.Module]:
            return [nn.InstanceNorm2d(c), nn.ReLU()] if normed else [nn.LeakyReLU()]

        for domain, channels in (("A", input_dim_a), ("B", input_dim_b)):
            layers = [leaky(channels, ch, 7, 1, 3)]
            wide = ch
            for _ in range(n_enc_front_blk - 1):
                layers.append(group(nn.Conv2d(wide, 2 * wide, 3, 2, 1), *tail(2 * wide)))
                wide *= 2
            layers += [Residual(wide) for _ in range(n_enc_res_blk)]
            setattr(self, f"encode_{domain}", nn.Sequential(*layers))
            layers = [Residual(wide) for _ in range(n_gen_res_blk)]
            for _ in range(n_gen_front_blk - 1):
                raised = nn.ConvTranspose2d(wide, wide // 2, 3, 2, 1, output_padding=1)
                layers.append(group(raised, *tail(wide // 2)))
                wide //= 2
            layers += [nn.ConvTranspose2d(wide, channels, 1), nn.Tanh()]
            setattr(self, f"decode_{domain}", nn.Sequential(*layers))
        wide = ch * 2 ** (n_enc_front_blk - 1)
        self.enc_shared = nn.Sequential(*(Residual(wide) for _ in range(n_enc_shared_blk)))
        self.dec_shared = nn.Sequential(*(Residual(wide) for _ in range(n_gen_shared_blk)))


class SharedJudge(nn.Module):
    """Private fronts and one trunk; without shared layers the last layer stands in the fronts."""

    def __init__(
        self, ch: int, input_dim_a: int, input_dim_b: int, n_front_layer: int, n_shared_layer: int, **_: Any
    ) -> None:
        super().__init__()
        self.shares = n_shared_layer > 0
        for domain, channels in (("A", input_dim_a), ("B", input_dim_b)):
            layers = [leaky(channels, ch, 7, 2, 3)]
            wide = ch
            for _ in range(n_front_layer - 1):
                layers.append(leaky(wide, 2 * wide, 3, 2, 1))
                wide *= 2
            layers += [] if self.shares else [nn.Conv2d(wide, 1, 1)]
            setattr(self, f"model_{domain}", nn.Sequential(*layers))
        if self.shares:
            layers = []
            for _ in range(n_shared_layer):
                layers.append(leaky(wide, 2 * wide, 3, 2, 1))
                wide *= 2
            self.model_S = nn.Sequential(*layers, nn.Conv2d(wide, 1, 1))

    def forward(self, x: Tensor, domain: str) -> list[Tensor]:
        x = getattr(self, f"model_{domain}")(x)
        return [(self.model_S(x) if self.shares else x).reshape(-1)]


class PlainJudge(nn.Module):
    """A private network for each domain, or one for each domain and scale."""

    def __init__(self, ch: int, input_dim_a: int, input_dim_b: int, n_layer: int, scales: bool, **_: Any) -> None:
        super().__init__()
        self.prefixes = ["1_", "2_", "4_"] if scales else [""]
        for domain, channels in (("A", input_dim_a), ("B", input_dim_b)):
            for prefix in self.prefixes:
                layers = [leaky(channels, ch, 3, 2, 1)]
                wide = ch
                for _ in range(n_layer - 1):
                    layers.append(leaky(wide, 2 * wide, 3, 2, 1))
                    wide *= 2
                setattr(self, f"model_{prefix}{domain}", nn.Sequential(*layers, nn.Conv2d(wide, 1, 1)))

    def forward(self, x: Tensor, domain: str) -> list[Tensor]:
        scores = []
        for prefix in self.prefixes:
            scores.append(getattr(self, f"model_{prefix}{domain}")(x).reshape(-1))
            x = self.smaller(x)
        return scores

    @staticmethod
    def smaller(x: Tensor) -> Tensor:
        """Blur each channel and take every second pixel; both axes end at the height, as in the released code."""
        line = torch.tensor([1.0, 2.0, 1.0], dtype=x.dtype)
        kernel = torch.outer(line, line) / 16
        padded = functional.pad(x, (1, 1, 1, 1), mode="replicate")
        blurred = torch.cat([functional.conv2d(c, kernel[None, None]) for c in padded.split(1, 1)], 1)
        height = x.shape[2]
        return blurred[:, :, 0:height:2, 0:height:2]


def judge(name: str, **settings: Any) -> nn.Module:
    if name == "COCOSharedDis":
        return SharedJudge(**settings)
    return PlainJudge(scales=name == "COCOMsDis", **settings)
