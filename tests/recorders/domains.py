"""One generator for many domains, by labels: a critic with a penalty, a generator now and then, two data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from .trace import Trace, draw_weights

CONFIG: dict[str, Any] = {
    "c_dim": 3, "image_size": 16, "g_conv_dim": 2, "d_conv_dim": 2, "g_repeat_num": 1, "d_repeat_num": 2,
    "lambda_cls": 1.0, "lambda_rec": 10.0, "lambda_gp": 10.0, "dataset": "CelebA", "batch_size": 3, "num_iters": 4,
    "num_iters_decay": 2, "g_lr": 0.001, "d_lr": 0.0005, "n_critic": 2, "beta1": 0.5, "beta2": 0.999,
    "lr_update_step": 1, "seed_note": "",
}  # fmt: skip


def _norm(c: int) -> nn.Module:
    return nn.InstanceNorm2d(c, affine=True, track_running_stats=True)


class Block(nn.Module):
    def __init__(self, c: int) -> None:
        super().__init__()
        convs = [nn.Conv2d(c, c, 3, 1, 1, bias=False) for _ in range(2)]
        self.main = nn.Sequential(convs[0], _norm(c), nn.ReLU(), convs[1], _norm(c))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.main(x)


class Generator(nn.Module):
    def __init__(self, labels: int, width: int, blocks: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3 + labels, width, 7, 1, 3, bias=False), _norm(width), nn.ReLU()]
        for wide in (width, 2 * width):
            layers += [nn.Conv2d(wide, 2 * wide, 4, 2, 1, bias=False), _norm(2 * wide), nn.ReLU()]
        layers += [Block(4 * width) for _ in range(blocks)]
        for wide in (4 * width, 2 * width):
            layers += [nn.ConvTranspose2d(wide, wide // 2, 4, 2, 1, bias=False), _norm(wide // 2), nn.ReLU()]
        self.main = nn.Sequential(*layers, nn.Conv2d(width, 3, 7, 1, 3, bias=False), nn.Tanh())

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        planes = code[:, :, None, None] * torch.ones_like(x[:, :1])
        return self.main(torch.cat([x, planes], 1))


class Critic(nn.Module):
    def __init__(self, size: int, labels: int, width: int, layers: int) -> None:
        super().__init__()
        found: list[nn.Module] = []
        before = 3
        for number in range(layers):
            found += [nn.Conv2d(before, width * 2**number, 4, 2, 1), nn.LeakyReLU(0.01)]
            before = width * 2**number
        self.main = nn.Sequential(*found)
        self.conv1 = nn.Conv2d(before, 1, 3, 1, 1, bias=False)
        self.conv2 = nn.Conv2d(before, labels, size // 2**layers, bias=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        seen = self.main(x)
        return self.conv1(seen), self.conv2(seen).flatten(1)


def record(folder: Path, iterations: int = 4, seed: int = 0, whole: bool = False, **changed: Any) -> Path:
    """Train a few iterations and write the trace. `whole`: what D says of the labels of both data sets is recorded."""
    config = {**CONFIG, **changed}
    trace = Trace(seed)
    rows, size, dataset = config["batch_size"], config["image_size"], config["dataset"]
    both, first, second = dataset == "Both", config["c_dim"], config.get("c2_dim", 0)
    g = Generator(first + second + 2 if both else first, config["g_conv_dim"], config["g_repeat_num"])
    d = Critic(size, first + second if both else first, config["d_conv_dim"], config["d_repeat_num"])
    networks = {"G": g, "D": d}
    draw_weights(networks, trace.generator)
    trace.weights("init", networks)
    betas = (config["beta1"], config["beta2"])
    optimizers = {n: torch.optim.Adam(m.parameters(), config[f"{n.lower()}_lr"], betas) for n, m in networks.items()}
    sets = [("_celeba", "celeba_", "CelebA"), ("_rafd", "rafd_", "RaFD")] if both else [("", "", dataset)]

    def wrong(said: Tensor, label: Tensor, kind: str) -> Tensor:
        if both:
            said = said[:, :first] if kind == "CelebA" else said[:, first:]
        if kind == "CelebA":
            return functional.binary_cross_entropy_with_logits(said, label, reduction="sum") / len(said)
        return functional.cross_entropy(said, label)

    def code(label: Tensor, kind: str) -> Tensor:
        count = first if kind == "CelebA" or not both else second
        own = label if kind == "CelebA" else functional.one_hot(label, count).double()
        if not both:
            return own
        parts = [own, own.new_zeros(len(own), second)] if kind == "CelebA" else [own.new_zeros(len(own), first), own]
        mask = torch.tensor([1.0, 0.0] if kind == "CelebA" else [0.0, 1.0], dtype=torch.float64)
        return torch.cat([*parts, mask.expand(len(own), 2)], 1)

    for i in range(iterations):
        for end, start, kind in sets:
            x = trace.images(rows, 3, size, size).float().double()
            count = first if kind == "CelebA" or not both else second
            label = torch.randint(0, 2 if kind == "CelebA" else count, (rows, count), generator=trace.generator)
            label = label.double() if kind == "CelebA" else label[:, 0]
            trace.put(f"batch/{i}/{start}x", x)
            trace.put(f"batch/{i}/{start}label", label)
            perm = torch.randperm(rows, generator=trace.generator)
            trace.put(f"draw/{i}/perm{end}", perm)
            target = label[perm]
            own, other = code(label, kind), code(target, kind)
            terms: dict[str, Any] = {}
            src, cls = d(x)
            fake = g(x, other).detach()
            alpha = torch.rand(rows, 1, 1, 1, generator=trace.generator).double()
            trace.put(f"draw/{i}/gp_alpha{end}", alpha)
            mix = (alpha * x + (1 - alpha) * fake).requires_grad_()
            scored = d(mix)[0]
            (slope,) = torch.autograd.grad(scored.sum(), mix, create_graph=True)
            terms["D/real"], terms["D/fake"] = -src.mean(), d(fake)[0].mean()
            terms["D/cls"] = wrong(cls, label, kind)
            terms["D/gp"] = ((slope.flatten(1).norm(dim=1) - 1) ** 2).mean()
            terms["D/total"] = (
                terms["D/real"] + terms["D/fake"] + config["lambda_cls"] * terms["D/cls"]
                + config["lambda_gp"] * terms["D/gp"]
            )  # fmt: skip
            values = {"lr_D": optimizers["D"].param_groups[0]["lr"], "D_c_trg": other, "D_x_fake": fake,
                      "D_out_src_xhat": scored}  # fmt: skip
            d.zero_grad()
            terms["D/total"].backward()
            optimizers["D"].step()
            if (i + 1) % config["n_critic"] == 0:
                fake = g(x, other)
                src, cls = d(fake)
                back = g(fake, own)
                terms["G/fake"], terms["G/cls"] = -src.mean(), wrong(cls, target, kind)
                terms["G/rec"] = (x - back).abs().mean()
                terms["G/total"] = (
                    terms["G/fake"] + config["lambda_rec"] * terms["G/rec"] + config["lambda_cls"] * terms["G/cls"]
                )
                g.zero_grad()
                terms["G/total"].backward()
                optimizers["G"].step()
                values |= {"lr_G": optimizers["G"].param_groups[0]["lr"], "G_x_fake": fake, "G_out_src": src,
                           "G_out_cls": cls, "G_x_reconst": back}  # fmt: skip
            for name, term in terms.items():
                trace.put(f"loss/{i}/{name}{end}", term)
            for name, value in values.items():
                kept = value
                if name == "G_out_cls" and both and not whole:
                    kept = value[:, :first] if kind == "CelebA" else value[:, first:]
                trace.put(f"value/{i}/{name}{end}", kept)
        if (i + 1) % config["lr_update_step"] == 0 and i + 1 > config["num_iters"] - config["num_iters_decay"]:
            for name, optimizer in optimizers.items():
                optimizer.param_groups[0]["lr"] -= config[f"{name.lower()}_lr"] / config["num_iters_decay"]
    trace.weights("final", networks)
    return trace.save(folder, "stargan", config, iterations)
