"""One generator for many domains and styles: two steps of the discriminator, two of the generator, moving averages."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from .trace import Trace, draw_weights

CONFIG: dict[str, Any] = {
    "img_size": 32, "ch_base": 128, "max_conv_dim": 6, "map_hidden": 5, "num_domains": 2, "latent_dim": 3,
    "style_dim": 4, "w_hpf": 0, "batch_size": 2, "iters": 3, "lambda_reg": 1.0, "lambda_cyc": 2.0, "lambda_sty": 0.5,
    "lambda_ds": 1.0, "ds_iter": 2, "lr": 0.001, "f_lr": 0.0001, "beta1": 0.0, "beta2": 0.99, "weight_decay": 0.01,
    "note": "",
}  # fmt: skip


class Res(nn.Module):
    """A block that halves or keeps the size."""

    def __init__(self, c: int, out: int, norm: bool, down: bool) -> None:
        super().__init__()
        self.down = down
        self.conv1, self.conv2 = nn.Conv2d(c, c, 3, 1, 1), nn.Conv2d(c, out, 3, 1, 1)
        if norm:
            self.norm1, self.norm2 = nn.InstanceNorm2d(c, affine=True), nn.InstanceNorm2d(c, affine=True)
        if c != out:
            self.conv1x1 = nn.Conv2d(c, out, 1, 1, 0, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        short = self.conv1x1(x) if hasattr(self, "conv1x1") else x
        for number in (1, 2):
            if hasattr(self, "norm1"):
                x = getattr(self, f"norm{number}")(x)
            x = getattr(self, f"conv{number}")(functional.leaky_relu(x, 0.2))
            if number == 1 and self.down:
                x, short = functional.avg_pool2d(x, 2), functional.avg_pool2d(short, 2)
        return (x + short) / math.sqrt(2)


class Shifted(nn.Module):
    def __init__(self, c: int, style: int) -> None:
        super().__init__()
        self.fc = nn.Linear(style, 2 * c)

    def forward(self, x: Tensor, s: Tensor) -> Tensor:
        gamma, beta = self.fc(s)[..., None, None].chunk(2, 1)
        return (1 + gamma) * functional.instance_norm(x) + beta


class StyledRes(nn.Module):
    """A block that doubles or keeps the size; with `sharp` nothing is added to what it makes."""

    def __init__(self, c: int, out: int, style: int, up: bool, sharp: bool) -> None:
        super().__init__()
        self.up, self.sharp = up, sharp
        self.conv1, self.conv2 = nn.Conv2d(c, out, 3, 1, 1), nn.Conv2d(out, out, 3, 1, 1)
        self.norm1, self.norm2 = Shifted(c, style), Shifted(out, style)
        if c != out:
            self.conv1x1 = nn.Conv2d(c, out, 1, 1, 0, bias=False)

    def forward(self, x: Tensor, s: Tensor) -> Tensor:
        def larger(y: Tensor) -> Tensor:
            return y.repeat_interleave(2, 2).repeat_interleave(2, 3) if self.up else y

        inner = self.conv1(larger(functional.leaky_relu(self.norm1(x, s), 0.2)))
        inner = self.conv2(functional.leaky_relu(self.norm2(inner, s), 0.2))
        if self.sharp:
            return inner
        short = larger(x)
        return (inner + (self.conv1x1(short) if hasattr(self, "conv1x1") else short)) / math.sqrt(2)


class HighPass(nn.Module):
    def __init__(self, strength: float) -> None:
        super().__init__()
        rows = torch.tensor([[-1.0, -1, -1], [-1, 8, -1], [-1, -1, -1]])
        self.register_buffer("filter", rows / strength)
        self.strength = strength

    def forward(self, x: Tensor) -> Tensor:
        wide = functional.pad(x, [1] * 4)
        around = sum(wide[:, :, i : i + x.shape[2], j : j + x.shape[3]] for i in range(3) for j in range(3))
        return (9 * x - around) / self.strength


class Generator(nn.Module):
    def __init__(self, size: int, base: int, widest: int, style: int, strength: float) -> None:
        super().__init__()
        c = base // size
        self.from_rgb = nn.Conv2d(3, c, 3, 1, 1)
        self.encode, self.decode = nn.ModuleList(), nn.ModuleList()
        self.to_rgb = nn.Sequential(nn.InstanceNorm2d(c, affine=True), nn.LeakyReLU(0.2), nn.Conv2d(c, 3, 1))
        up: list[nn.Module] = []
        for _ in range(int(math.log2(size)) - 4 + (strength > 0)):
            out = min(2 * c, widest)
            self.encode.append(Res(c, out, True, True))
            up.insert(0, StyledRes(out, c, style, True, strength > 0))
            c = out
        for _ in range(2):
            self.encode.append(Res(c, c, True, False))
            up.insert(0, StyledRes(c, c, style, False, strength > 0))
        self.decode.extend(up)
        if strength > 0:
            self.hpf = HighPass(strength)

    def forward(self, x: Tensor, s: Tensor, masks: tuple[Tensor, Tensor] | None) -> Tensor:
        x = self.from_rgb(x)
        cache = {}
        for block in self.encode:
            cache[x.shape[2]] = x
            x = block(x)
        for block in self.decode:
            x = block(x, s)
            if masks is not None and x.shape[2] in (32, 64, 128):
                mask = functional.interpolate(masks[x.shape[2] > 32], size=x.shape[2], mode="bilinear")
                x = x + self.hpf(mask * cache[x.shape[2]])
        return self.to_rgb(x)


class Mapping(nn.Module):
    def __init__(self, latent: int, hidden: int, style: int, domains: int) -> None:
        super().__init__()

        def layers(first: int, last: int, final: list[nn.Module]) -> nn.Sequential:
            sizes = [first, hidden, hidden, hidden, last]
            found: list[nn.Module] = []
            for a, b in itertools.pairwise(sizes):
                found += [nn.Linear(a, b), nn.ReLU()]
            return nn.Sequential(*found[:-1], *final)

        self.shared = layers(latent, hidden, [nn.ReLU()])
        self.unshared = nn.ModuleList([layers(hidden, style, []) for _ in range(domains)])

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        h = self.shared(z)
        return torch.stack([branch(h) for branch in self.unshared], 1)[torch.arange(len(y)), y]


def trunk(size: int, base: int, widest: int) -> tuple[list[nn.Module], int]:
    c = base // size
    layers: list[nn.Module] = [nn.Conv2d(3, c, 3, 1, 1)]
    for _ in range(int(math.log2(size)) - 2):
        out = min(2 * c, widest)
        layers.append(Res(c, out, False, True))
        c = out
    return [*layers, nn.LeakyReLU(0.2), nn.Conv2d(c, c, 4, 1, 0), nn.LeakyReLU(0.2)], c


class Encoder(nn.Module):
    def __init__(self, size: int, base: int, widest: int, style: int, domains: int) -> None:
        super().__init__()
        layers, c = trunk(size, base, widest)
        self.shared = nn.Sequential(*layers)
        self.unshared = nn.ModuleList([nn.Linear(c, style) for _ in range(domains)])

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        h = self.shared(x).flatten(1)
        return torch.stack([branch(h) for branch in self.unshared], 1)[torch.arange(len(y)), y]


class Judge(nn.Module):
    def __init__(self, size: int, base: int, widest: int, domains: int) -> None:
        super().__init__()
        layers, c = trunk(size, base, widest)
        self.main = nn.Sequential(*layers, nn.Conv2d(c, domains, 1, 1, 0))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.main(x).flatten(1)[torch.arange(len(y)), y]


def make(config: dict[str, Any]) -> dict[str, nn.Module]:
    sizes = (config["img_size"], config["ch_base"], config["max_conv_dim"])
    style, domains = config["style_dim"], config["num_domains"]
    return {
        "generator": Generator(*sizes, style, config["w_hpf"]),
        "mapping_network": Mapping(config["latent_dim"], config["map_hidden"], style, domains),
        "style_encoder": Encoder(*sizes, style, domains),
        "discriminator": Judge(*sizes, domains),
    }


def summary(x: Tensor) -> Tensor:
    rows = x.detach().flatten(1)
    return torch.stack([rows.mean(1), rows.std(1, unbiased=False)], 1)


def entropy(score: Tensor, real: bool) -> Tensor:
    return functional.binary_cross_entropy_with_logits(score, torch.full_like(score, float(real)))


def record(folder: Path, iterations: int = 3, seed: int = 0, **changed: Any) -> Path:
    """Train a few iterations and write the trace."""
    config = {**CONFIG, **changed}
    trace = Trace(seed)
    size, rows, domains = config["img_size"], config["batch_size"], config["num_domains"]
    nets = make(config)
    g, f, e, d = nets.values()
    averages = {f"{name}_ema": net for name, net in make(config).items() if name != "discriminator"}
    everything = {**nets, **averages}
    draw_weights(everything, trace.generator)
    trace.weights("init", everything)
    optimizers = {
        name: torch.optim.Adam(
            net.parameters(), config["f_lr"] if name == "mapping_network" else config["lr"],
            (config["beta1"], config["beta2"]), weight_decay=config["weight_decay"],
        )
        for name, net in nets.items()
    }  # fmt: skip
    weight = config["lambda_ds"]
    for i in range(iterations):

        def images(name: str, i: int = i) -> Tensor:
            x = trace.images(rows, 3, size, size).float().double()
            trace.put(f"batch/{i}/{name}", x)
            return x

        def masks(name: str, i: int = i) -> tuple[Tensor, Tensor] | None:
            if not config["w_hpf"] > 0:
                return None
            found = [torch.rand(rows, 1, size // 4, size // 4, generator=trace.generator).double() for _ in range(2)]
            for number, one in enumerate(found):
                trace.put(f"draw/{i}/{name}/{number}", one)
            return found[0].float().double(), found[1].float().double()

        x, x_ref, x_ref2 = (images(name) for name in ("x_src", "x_ref", "x_ref2"))
        y, y_ref = (torch.randint(domains, (rows,), generator=trace.generator) for _ in range(2))
        trace.put(f"batch/{i}/y_src", y)
        trace.put(f"batch/{i}/y_ref", y_ref)
        z, z2 = (
            trace.normal(f"draw/{i}/{name}", (rows, config["latent_dim"])).float().double()
            for name in ("z_trg", "z_trg2")
        )
        kept = masks("mask_x_src")
        terms: dict[str, Any] = {}
        values: dict[str, Any] = {"lambda_ds": weight}
        for way, short in (("latent", "lat"), ("ref", "ref")):
            style = f(z, y_ref) if way == "latent" else e(x_ref, y_ref)
            real = x.clone().requires_grad_()
            score = d(real, y)
            (slope,) = torch.autograd.grad(score.sum(), real, create_graph=True)
            fake = g(x, style, kept).detach()
            terms[f"D/{way}/real"], terms[f"D/{way}/fake"] = entropy(score, True), entropy(d(fake, y_ref), False)
            terms[f"D/{way}/reg"] = 0.5 * slope.pow(2).flatten(1).sum(1).mean()
            terms[f"D/{way}/total"] = (
                terms[f"D/{way}/real"] + terms[f"D/{way}/fake"] + config["lambda_reg"] * terms[f"D/{way}/reg"]
            )
            values[f"D_{short}/s_trg"], values[f"D_{short}/x_fake/mean_std"] = style, summary(fake)
            d.zero_grad()
            terms[f"D/{way}/total"].backward()
            optimizers["discriminator"].step()
        for way, short in (("latent", "lat"), ("ref", "ref")):
            latent = way == "latent"
            style = f(z, y_ref) if latent else e(x_ref, y_ref)
            style2 = f(z2, y_ref) if latent else e(x_ref2, y_ref)
            fake = g(x, style, kept)
            seen, own = e(fake, y_ref), e(x, y)
            other = g(x, style2, kept).detach()
            back = g(fake, own, masks(f"mask_x_fake_{way}"))
            terms[f"G/{way}/adv"] = entropy(d(fake, y_ref), True)
            terms[f"G/{way}/sty"], terms[f"G/{way}/ds"] = (seen - style).abs().mean(), (fake - other).abs().mean()
            terms[f"G/{way}/cyc"] = (back - x).abs().mean()
            terms[f"G/{way}/total"] = (
                terms[f"G/{way}/adv"] + config["lambda_sty"] * terms[f"G/{way}/sty"] - weight * terms[f"G/{way}/ds"]
                + config["lambda_cyc"] * terms[f"G/{way}/cyc"]
            )  # fmt: skip
            values |= {
                f"G_{short}/s_trg": style, f"G_{short}/s_trg2": style2, f"G_{short}/s_pred": seen,
                f"G_{short}/s_org": own, f"G_{short}/x_fake/mean_std": summary(fake),
                f"G_{short}/x_fake2/mean_std": summary(other), f"G_{short}/x_rec/mean_std": summary(back),
            }  # fmt: skip
            for net in nets.values():
                net.zero_grad()
            terms[f"G/{way}/total"].backward()
            for name in ("generator", "mapping_network", "style_encoder") if latent else ("generator",):
                optimizers[name].step()
        with torch.no_grad():
            for name, net in averages.items():
                for mine, theirs in zip(net.parameters(), nets[name.removesuffix("_ema")].parameters(), strict=True):
                    mine.copy_(theirs + 0.999 * (mine - theirs))
        if weight > 0:
            weight -= config["lambda_ds"] / config["ds_iter"]
        for name, term in terms.items():
            trace.put(f"loss/{i}/{name}", term)
        for name, value in values.items():
            trace.put(f"value/{i}/{name}", value)
    trace.weights("final", everything)
    return trace.save(folder, "stargan_v2", config, iterations)
