"""Images from noise with the released form of the spectral term, an iteration at a time: D, then sometimes G."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from .trace import Trace, draw_weights

CONFIG: dict[str, Any] = {
    "image_size": 32, "n_upsamplings": 3, "n_downsamplings": 3, "batch": 3, "dim": 2, "z_dim": 3,
    "adversarial_loss_mode": "lsgan", "gradient_penalty_mode": "none", "gradient_penalty_weight": 10.0,
    "d_norm": "batch_norm", "n_d": 1, "lambda_freq": 0.5, "lr": 2e-3, "betas": [0.5, 0.999], "epsilon": 1e-8,
    "units": [[20, 28, 2], [17, 12, 3]],
}  # fmt: skip


class Net(nn.Module):
    def __init__(self, layers: list[nn.Module]) -> None:
        super().__init__()
        self.net = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


def generator(config: dict[str, Any]) -> nn.Module:
    dim, n = config["dim"], config["n_upsamplings"]
    widths = [min(dim * 2 ** (n - 1 - i), 16 * dim) for i in range(n)]
    layers: list[nn.Module] = []
    before = config["z_dim"]
    for i, wide in enumerate(widths):
        raised = nn.ConvTranspose2d(before, wide, 4, 2 if i else 1, 1 if i else 0, bias=False)
        layers.append(nn.Sequential(raised, nn.BatchNorm2d(wide), nn.ReLU()))
        before = wide
    layers.append(nn.Upsample(scale_factor=2))
    layers += [nn.Conv2d(before, before, 5, 1, 2), nn.Conv2d(before, before, 5, 1, 2), nn.Conv2d(before, 3, 5, 1, 2)]
    return Net([*layers, nn.Tanh()])


def judge(config: dict[str, Any]) -> nn.Module:
    dim = config["dim"]
    layers: list[nn.Module] = [nn.Conv2d(3, dim, 4, 2, 1), nn.LeakyReLU(0.2)]
    wide = dim
    for i in range(config["n_downsamplings"] - 1):
        before, wide = wide, min(dim * 2 ** (i + 1), 16 * dim)
        norm = nn.BatchNorm2d(wide) if config["d_norm"] == "batch_norm" else nn.GroupNorm(1, wide)
        layers.append(nn.Sequential(nn.Conv2d(before, wide, 4, 2, 1, bias=False), norm, nn.LeakyReLU(0.2)))
    return Net([*layers, nn.Conv2d(wide, 1, 4)])


def raw_profile(images: Tensor, epsilon: float) -> np.ndarray:
    """The profiles of images by loops over rings, in numpy."""
    found = []
    for image in images.detach().numpy():
        grey = 0.2989 * image[0] + 0.5870 * image[1] + 0.1140 * image[2]
        level = 20 * np.log(np.abs(np.fft.fftshift(np.fft.fft2(grey)) + epsilon))
        high, wide = level.shape
        y, x = np.indices(level.shape)
        ring = np.hypot(x - (wide - 1) / 2, y - (high - 1) / 2).astype(int)
        found.append([level[ring == k].mean() for k in range(1, ring.max())])
    return np.array(found)


def ranged(profile: np.ndarray) -> Tensor:
    low, high = profile.min(1, keepdims=True), profile.max(1, keepdims=True)
    return torch.from_numpy((profile - low) / (high - low))


def terms(mode: str, score: Tensor, goal: str) -> Tensor:
    if mode == "wgan":
        return score.mean() if goal == "fake" else -score.mean()
    wanted = torch.full_like(score, 0.0 if goal == "fake" else 1.0)
    return (functional.mse_loss if mode == "lsgan" else functional.binary_cross_entropy_with_logits)(score, wanted)


def penalty(mode: str, d: nn.Module, point: Tensor) -> Tensor:
    point = point.detach().requires_grad_()
    score = d(point)
    (slope,) = torch.autograd.grad(score, point, torch.ones_like(score), create_graph=True)
    off = slope.flatten(1).norm(2, dim=1) - 1
    return (off.clamp(min=0) if mode == "wgan-lp" else off).square().mean()


def record(folder: Path, iterations: int = 3, seed: int = 0, **changed: Any) -> Path:
    """Train a few iterations and write the trace."""
    config = {**CONFIG, **changed}
    trace = Trace(seed)
    networks = {"G": generator(config), "D": judge(config)}
    draw_weights(networks, trace.generator)
    trace.weights("init", networks)
    g, d = networks["G"], networks["D"]
    optimizers = {n: torch.optim.Adam(m.parameters(), config["lr"], config["betas"]) for n, m in networks.items()}
    rows, size, epsilon = config["batch"], config["image_size"], config["epsilon"]
    mode, kind = config["adversarial_loss_mode"], config["gradient_penalty_mode"]

    def code(name: str) -> Tensor:
        return trace.normal(name, (rows, config["z_dim"], 1, 1)).float().double()

    for i in range(iterations):
        x = trace.images(rows, 3, size, size).float().double()
        trace.put(f"batch/{i}/image", x)
        fake = g(code(f"draw/{i}/z_D")).detach()
        losses = {"d_real": terms(mode, d(x), "real"), "d_fake": terms(mode, d(fake), "fake"), "gp": torch.zeros(())}
        if kind != "none":
            alpha = torch.rand((rows, 1, 1, 1), generator=trace.generator).double()
            trace.put(f"draw/{i}/alpha", alpha)
            end = fake
            if kind == "dragan":
                beta = torch.rand(x.shape, generator=trace.generator).double()
                trace.put(f"draw/{i}/beta", beta)
                end = x + 0.5 * x.std() * beta
            losses["gp"] = penalty(kind, d, x + alpha * (end - x))
        d.zero_grad()
        (losses["d_real"] + losses["d_fake"] + config["gradient_penalty_weight"] * losses["gp"]).backward()
        optimizers["D"].step()
        if (i + 1) % config["n_d"] == 0:
            made = g(code(f"draw/{i}/z_G"))
            losses["g_adv"] = terms(mode, d(made), "real")
            losses["total_G"] = losses["g_adv"]
            if config["lambda_freq"]:
                spectra = {n: ranged(raw_profile(images, epsilon)) for n, images in (("real", x), ("fake", made))}
                losses["bce_released"] = functional.binary_cross_entropy(spectra["real"], spectra["fake"])
                losses["total_G"] = losses["g_adv"] * (1 + config["lambda_freq"] * losses["bce_released"])
                for name, profile in spectra.items():
                    trace.put(f"value/{i}/psd_{name}", profile)
            g.zero_grad()
            losses["total_G"].backward()
            optimizers["G"].step()
            trace.put(f"value/{i}/fake_G", made)
        trace.put(f"value/{i}/stepped_G", torch.tensor(int((i + 1) % config["n_d"] == 0)))
        for name, loss in losses.items():
            trace.put(f"loss/{i}/{name}", loss)
    trace.weights("final", networks)
    for j, (high, wide, count) in enumerate(config["units"]):
        images = {n: trace.images(count, 3, high, wide).float().double() for n in ("real", "fake")}
        raw = {n: raw_profile(x, epsilon) for n, x in images.items()}
        for name, x in images.items():
            trace.put(f"unit/{j}/{name}", x)
            trace.put(f"unit/{j}/profile_raw_{name}", raw[name])
            trace.put(f"unit/{j}/profile_{name}", ranged(raw[name]))
        real, made = ranged(raw["real"]), ranged(raw["fake"])
        trace.put(f"unit/{j}/bce_released", functional.binary_cross_entropy(real, made))
        trace.put(f"unit/{j}/bce_paper", functional.binary_cross_entropy(made, real.mean(0).expand_as(made)))
    return trace.save(folder, "spectral_regularization", config, iterations)
