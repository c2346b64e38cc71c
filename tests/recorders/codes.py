"""Paired translation with a code, an iteration at a time: G and E first, E without the regression, then each D."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from .code_networks import Encoder, Generator, Judges
from .trace import Trace, draw_weights, gradient_norm, sum_of_weights

CONFIG: dict[str, Any] = {
    "netG": "unet_d5", "netD": "basic_128_multi", "netD2": "basic_128_multi", "netE": "conv_n2", "num_Ds": 2,
    "use_same_D": False, "conditional_D": False, "where_add": "input", "upsample": "basic", "nl": "relu",
    "norm": "instance", "nz": 3, "ngf": 2, "ndf": 2, "nef": 2, "input_nc": 3, "output_nc": 3, "crop_size": 32,
    "batch_size": 2, "direction": "AtoB", "gan_mode": "lsgan", "lambda_L1": 10.0, "lambda_GAN": 1.0,
    "lambda_GAN2": 1.0, "lambda_z": 0.5, "lambda_kl": 0.01, "use_dropout": False, "lr": 0.001, "beta1": 0.5,
    "beta2": 0.999, "adam_eps": 1e-8, "niter": 1, "niter_decay": 3, "epoch_count": 1, "lr_policy": "linear",
}  # fmt: skip


def gan(mode: str, scores: Any, real: bool) -> Tensor:
    """Summed over what is iterated over: scales, or the rows of a single score."""
    losses = []
    for score in scores:
        wanted = torch.full_like(score, float(real))
        one = functional.mse_loss if mode == "lsgan" else functional.binary_cross_entropy_with_logits
        losses.append(one(score, wanted))
    return torch.stack(losses).sum()


def record(folder: Path, iterations: int = 2, seed: int = 0, **changed: Any) -> Path:
    """Train a few iterations and write the trace."""
    config = {**CONFIG, **changed}
    trace = Trace(seed)
    networks: dict[str, nn.Module] = {
        "G": Generator(config), "E": Encoder(config), "D": Judges(config["netD"], config),
    }  # fmt: skip
    if not config["use_same_D"]:
        networks["D2"] = Judges(config["netD2"], config)
    draw_weights(networks, trace.generator)
    trace.weights("init", networks)
    g, e, d = networks["G"], networks["E"], networks["D"]
    d2 = networks.get("D2", d)
    betas = (config["beta1"], config["beta2"])
    optimizers = {
        n: torch.optim.Adam(m.parameters(), lr=config["lr"], betas=betas, eps=config["adam_eps"])
        for n, m in networks.items()
    }
    mode, half, size, nz = config["gan_mode"], config["batch_size"] // 2, config["crop_size"], config["nz"]
    source, target = ("A", "B") if config["direction"] == "AtoB" else ("B", "A")
    weight = {n: config[f"lambda_{n}"] for n in ("GAN", "GAN2", "L1", "z", "kl")}

    def shown(image: Tensor, given: Tensor) -> Tensor:
        return torch.cat([given, image], 1) if config["conditional_D"] else image

    for i in range(iterations):
        epoch = i + config["epoch_count"]
        rate = config["lr"] * (1 - max(0, epoch - config["niter"]) / (config["niter_decay"] + 1))
        for name, optimizer in optimizers.items():
            optimizer.param_groups[0]["lr"] = rate
            trace.put(f"lr/{i}/{name}", rate)
        a = trace.images(config["batch_size"], config["input_nc"], size, size).float().double()
        b = trace.images(config["batch_size"], config["output_nc"], size, size).float().double()
        trace.put(f"batch/{i}/{source}", a)
        trace.put(f"batch/{i}/{target}", b)
        (a1, a2), (b1, b2) = a.split(half), b.split(half)
        mu, logvar = e(b1)
        eps = trace.normal(f"draw/{i}/eps", mu.shape).float().double()
        z = mu + eps * (logvar / 2).exp()
        z_random = trace.normal(f"draw/{i}/z_random", (half, nz)).float().double()
        fakes = g(a1, z), g(a1, z_random)
        values = {"mu": mu, "logvar": logvar, "z_encoded": z, "fake_B_encoded": fakes[0], "fake_B_random": fakes[1]}
        if weight["z"]:
            values["mu2"] = e(fakes[1])[0]
        losses: dict[str, Any] = {"kl": 0.0, "G_L1": 0.0, "G_GAN": 0.0, "G_GAN2": 0.0}
        if weight["GAN"]:
            losses["G_GAN"] = gan(mode, d(shown(fakes[0], a1)), True)
        if weight["GAN2"]:
            losses["G_GAN2"] = gan(mode, d2(shown(fakes[1], a1)), True)
        if weight["kl"]:
            losses["kl"] = -0.5 * (1 + logvar - mu * mu - logvar.exp()).sum()
        if weight["L1"]:
            losses["G_L1"] = (fakes[0] - b1).abs().mean()
        names = {"GAN": "G_GAN", "GAN2": "G_GAN2", "L1": "G_L1", "kl": "kl"}
        losses["total_EG"] = sum(weight[n] * losses[own] for n, own in names.items())
        for network in networks.values():
            network.zero_grad()
        losses["total_EG"].backward(retain_graph=True)
        if weight["z"]:
            for parameter in e.parameters():
                parameter.requires_grad_(False)
            losses["z_L1"] = (values["mu2"] - z_random).abs().mean()
            losses["total_G_alone"] = weight["z"] * losses["z_L1"]
            losses["total_G_alone"].backward()
            for parameter in e.parameters():
                parameter.requires_grad_(True)
        if weight["GAN"] or weight["L1"] or weight["kl"]:
            trace.put(f"grad/{i}/E", gradient_norm(e))
        trace.put(f"grad/{i}/G", gradient_norm(g))
        optimizers["E"].step()
        optimizers["G"].step()
        d.zero_grad()
        d2.zero_grad()
        reals = shown(b1, a1), shown(b2, a2)
        for number, (end, judge) in enumerate((("", d), ("2", d2))):
            if not weight["GAN" if judge is d else "GAN2"]:
                continue
            losses[f"D{end}_fake"] = gan(mode, judge(shown(fakes[number], a1).detach()), False)
            losses[f"D{end}_real"] = gan(mode, judge(reals[number]), True)
            losses[f"total_D{end}"] = losses[f"D{end}_fake"] + losses[f"D{end}_real"]
            losses[f"total_D{end}"].backward()
        for name in ("D", "D2"):
            if name in networks and weight[f"GAN{name[1:]}"]:
                trace.put(f"grad/{i}/{name}", gradient_norm(networks[name]))
                optimizers[name].step()
        for name, loss in losses.items():
            trace.put(f"loss/{i}/{name}", loss)
        for name, value in values.items():
            trace.put(f"value/{i}/{name}", value)
        for name, network in networks.items():
            trace.put(f"check/{i}/{name}", sum_of_weights(network))
    trace.weights("final", networks)
    tests = {
        "source": trace.images(1, config["input_nc"], size, size).float().double(),
        "target": trace.images(1, config["output_nc"], size, size).float().double(),
    }
    for name, image in tests.items():
        trace.put(f"test/{name}", image)
    with torch.no_grad():
        z = trace.normal("test/z", (1, nz)).float().double()
        trace.put("test/fake_random", g.eval()(tests["source"], z))
        trace.put("test/fake_encoded", g(tests["source"], e.eval()(tests["target"])[0]))
    return trace.save(folder, "bicyclegan", config, iterations)
