"""One-sided translation with patches that are told apart in the generator's own features."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from .patch_networks import NORMS, Block, gan_loss
from .trace import Trace, draw_weights, gradient_norm, sum_of_weights

CONFIG: dict[str, Any] = {
    "CUT_mode": "CUT", "netG": "resnet_b2", "netD": "n_layers", "n_layers_D": 1, "ngf": 2, "ndf": 2,
    "normG": "instance", "normD": "instance", "no_antialias": False, "no_antialias_up": False, "no_dropout": True,
    "input_nc": 3, "output_nc": 3, "crop_size": 16, "batch_size": 2, "direction": "AtoB", "gan_mode": "lsgan",
    "lambda_GAN": 1.0, "lambda_NCE": 1.0, "nce_idt": True, "nce_layers": "0,4,8,12,13",
    "nce_includes_all_negatives_from_minibatch": False, "netF": "mlp_sample", "netF_nc": 4, "nce_T": 0.07,
    "num_patches": 9, "flip_equivariance": False, "lr": 0.001, "beta1": 0.5, "beta2": 0.999, "n_epochs": 1,
    "n_epochs_decay": 3, "epoch_count": 1, "lr_policy": "linear", "pool_size": 0, "adam_eps": 1e-8, "note": "",
}  # fmt: skip


def kernel(line: list[float], c: int) -> Tensor:
    """The outer product of a line with itself over 16, for each of `c` channels."""
    one = torch.tensor(line, dtype=torch.float64)
    return torch.outer(one, one).div(16)[None, None].repeat(c, 1, 1, 1)


class Shrink(nn.Module):
    """A fixed blur of [1 2 1] x [1 2 1] and every second pixel. Its buffer is a name only."""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.register_buffer("filt", torch.zeros(c, 1, 3, 3))

    def forward(self, x: Tensor) -> Tensor:
        wide = functional.pad(x, [1] * 4, "reflect")
        return functional.conv2d(wide, kernel([1.0, 2.0, 1.0], x.shape[1]), stride=2, groups=x.shape[1])


class Grow(nn.Module):
    """Twice the size by [1 3 3 1] x [1 3 3 1] on zeros between the pixels, borders repeated."""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.register_buffer("filt", torch.zeros(c, 1, 4, 4))

    def forward(self, x: Tensor) -> Tensor:
        wide = functional.pad(x, [1] * 4, "replicate")
        filt = kernel([1.0, 3.0, 3.0, 1.0], x.shape[1])
        return functional.conv_transpose2d(wide, filt, stride=2, padding=3, groups=x.shape[1])


class Generator(nn.Module):
    """The residual generator in one flat list; `layers` of it are what the list gives, changed in place by a ReLU."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        width, norm, bias = config["ngf"], config["normG"], config["normG"] == "instance"
        make = NORMS[norm]
        layers: list[nn.Module] = [nn.ReflectionPad2d(3), nn.Conv2d(config["input_nc"], width, 7, bias=bias)]
        layers += [make(width), nn.ReLU(True)]
        for wide in (width, 2 * width):
            if config["no_antialias"]:
                layers += [nn.Conv2d(wide, 2 * wide, 3, 2, 1, bias=bias), make(2 * wide), nn.ReLU(True)]
            else:
                layers += [
                    nn.Conv2d(wide, 2 * wide, 3, 1, 1, bias=bias),
                    make(2 * wide),
                    nn.ReLU(True),
                    Shrink(2 * wide),
                ]
        layers += [Block(4 * width, norm) for _ in range(int(config["netG"][8:]))]
        for wide in (4 * width, 2 * width):
            if config["no_antialias_up"]:
                raised = nn.ConvTranspose2d(wide, wide // 2, 3, 2, 1, output_padding=1, bias=bias)
                layers += [raised, make(wide // 2), nn.ReLU(True)]
            else:
                layers += [Grow(wide), nn.Conv2d(wide, wide // 2, 3, 1, 1, bias=bias), make(wide // 2), nn.ReLU(True)]
        layers += [nn.ReflectionPad2d(3), nn.Conv2d(width, config["output_nc"], 7), nn.Tanh()]
        self.model = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)

    def tapped(self, x: Tensor, taps: list[int]) -> list[Tensor]:
        found = []
        for number, layer in enumerate(self.model):
            x = layer(x)
            if number in taps:
                found.append(x)
            if number == taps[-1]:
                break
        return found


class Judge(nn.Module):
    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        width, make, bias = config["ndf"], NORMS[config["normD"]], config["normD"] == "instance"
        count = config["n_layers_D"] if config["netD"] == "n_layers" else 3
        soft = not config["no_antialias"]
        stride = 1 if soft else 2
        layers: list[nn.Module] = [nn.Conv2d(config["output_nc"], width, 4, stride, 1), nn.LeakyReLU(0.2)]
        layers += [Shrink(width)] if soft else []
        for n in range(1, count + 1):
            before, wide = width * min(2 ** (n - 1), 8), width * min(2**n, 8)
            layers += [nn.Conv2d(before, wide, 4, stride if n < count else 1, 1, bias=bias), make(wide)]
            layers += [nn.LeakyReLU(0.2), *([Shrink(wide)] if soft and n < count else [])]
        self.model = nn.Sequential(*layers, nn.Conv2d(wide, 1, 4, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)


class Heads(nn.Module):
    """A map of two layers for each tapped layer."""

    def __init__(self, widths: list[int], out: int) -> None:
        super().__init__()
        for number, width in enumerate(widths):
            setattr(self, f"mlp_{number}", nn.Sequential(nn.Linear(width, out), nn.ReLU(), nn.Linear(out, out)))

    def forward(self, features: list[Tensor], ids: list[Tensor]) -> list[Tensor]:
        found = []
        for number, (feature, chosen) in enumerate(zip(features, ids, strict=True)):
            rows = feature.permute(0, 2, 3, 1).flatten(1, 2)[:, chosen].flatten(0, 1)
            code = getattr(self, f"mlp_{number}")(rows)
            found.append(code / (code.pow(2).sum(1, keepdim=True).sqrt() + 1e-7))
        return found


def contrast(q: Tensor, k: Tensor, groups: int, temperature: float) -> Tensor:
    """Cross entropy of each query's own key among the keys of its group, whose place there holds -10."""
    k = k.detach()
    own = (q * k).sum(1, keepdim=True)
    left, right = q.view(groups, -1, q.shape[1]), k.view(groups, -1, k.shape[1])
    others = torch.bmm(left, right.transpose(2, 1))
    others = others.masked_fill(torch.eye(left.shape[1], dtype=torch.bool)[None], -10.0).view(len(q), -1)
    scores = torch.cat([own, others], 1) / temperature
    return functional.cross_entropy(scores, torch.zeros(len(q), dtype=torch.long))


def adversary(mode: str, score: Tensor, real: bool) -> Tensor:
    if mode == "nonsaturating":
        return functional.softplus(-score if real else score).flatten(1).mean(1).mean()
    return gan_loss(mode, score, real)


def record(folder: Path, iterations: int = 3, seed: int = 0, **changed: Any) -> Path:
    """Train a few iterations and write the trace."""
    fast = changed.get("CUT_mode") == "FastCUT"
    config = {
        **CONFIG,
        **({"nce_idt": False, "lambda_NCE": 10.0, "flip_equivariance": True} if fast else {}),
        **changed,
    }
    trace = Trace(seed)
    taps = [int(tap) for tap in config["nce_layers"].split(",")]
    rows, size, mode = config["batch_size"], config["crop_size"], config["gan_mode"]
    channels = config["input_nc"]
    g, d = Generator(config), Judge(config)
    widths = [feature.shape[1] for feature in g.double().tapped(torch.zeros(2, channels, size, size).double(), taps)]
    networks: dict[str, nn.Module] = {"G": g, "F": Heads(widths, config["netF_nc"]), "D": d}
    heads = networks["F"]
    draw_weights(networks, trace.generator)
    trace.weights("init", networks)
    betas = (config["beta1"], config["beta2"])
    optimizers = {
        n: torch.optim.Adam(m.parameters(), lr=config["lr"], betas=betas, eps=config["adam_eps"])
        for n, m in networks.items()
    }
    for i in range(iterations):
        passed = max(0, i + config["epoch_count"] - config["n_epochs"])
        rate = config["lr"] * (1 - passed / (config["n_epochs_decay"] + 1))
        for name, optimizer in optimizers.items():
            optimizer.param_groups[0]["lr"] = rate
            trace.put(f"lr/{i}/{name}", rate)
        data = {n: trace.images(rows, channels, size, size).float().double() for n in "AB"}
        for n, images in data.items():
            trace.put(f"batch/{i}/{n}", images)
        a, b = (data["A"], data["B"]) if config["direction"] == "AtoB" else (data["B"], data["A"])
        mirrored = False
        if config["flip_equivariance"]:
            mirrored = i % 2 == 0
            trace.put(f"draw/{i}/flip", torch.tensor(int(mirrored)))
        given = torch.cat([a, b]) if config["nce_idt"] else a
        made = g(given.flip(3) if mirrored else given)
        fake = made[:rows]
        losses = {"D_fake": adversary(mode, d(fake.detach()), False), "D_real": adversary(mode, d(b), True)}
        losses["total_D"] = 0.5 * (losses["D_fake"] + losses["D_real"])
        for network in networks.values():
            network.zero_grad()
        losses["total_D"].backward()
        trace.put(f"grad/{i}/D", gradient_norm(d))
        optimizers["D"].step()

        losses["G_GAN"] = adversary(mode, d(fake), True)
        pairs = {"NCE": (a, fake)} | ({"NCE_Y": (b, made[rows:])} if config["nce_idt"] else {})
        for name, (source, target) in pairs.items():
            features = g.tapped(target, taps)
            features = [f.flip(3) for f in features] if mirrored else features
            keys = g.tapped(source, taps)
            ids = []
            for tap, key in zip(taps, keys, strict=True):
                pixels = key.shape[2] * key.shape[3]
                ids.append(torch.randperm(pixels, generator=trace.generator)[: config["num_patches"]])
                trace.put(f"draw/{i}/patch_ids/{name}/layer{tap}", ids[-1])
            k, q = heads(keys, ids), heads(features, ids)
            groups = 1 if config["nce_includes_all_negatives_from_minibatch"] else rows
            terms = [contrast(one, other, groups, config["nce_T"]) for one, other in zip(q, k, strict=True)]
            losses[name] = torch.stack(terms).mean()
            for tap, one, other, term in zip(taps, q, k, terms, strict=True):
                losses[f"{name}/layer{tap}"] = term
                trace.put(f"value/{i}/feat_q/{name}/layer{tap}", one)
                trace.put(f"value/{i}/feat_k/{name}/layer{tap}", other)
        shared = sum(losses[name] for name in pairs) / len(pairs)
        losses["total_G_F"] = config["lambda_GAN"] * losses["G_GAN"] + config["lambda_NCE"] * shared
        for network in networks.values():
            network.zero_grad()
        losses["total_G_F"].backward()
        for name in "GF":
            trace.put(f"grad/{i}/{name}", gradient_norm(networks[name]))
            optimizers[name].step()
        for name, loss in losses.items():
            trace.put(f"loss/{i}/{name}", loss)
        trace.put(f"value/{i}/fake_B", fake)
        if config["nce_idt"]:
            trace.put(f"value/{i}/idt_B", made[rows:])
        for name, network in networks.items():
            trace.put(f"check/{i}/{name}", sum_of_weights(network))
    trace.weights("final", networks)
    image = trace.images(1, channels, size, size).float().double()
    trace.put("test/source", image)
    with torch.no_grad():
        trace.put("test/fake_eval_mode", g.eval()(image))
        trace.put("test/fake_train_mode", g.train()(image))
    return trace.save(folder, "fastcut" if fast else "cut", config, iterations)
