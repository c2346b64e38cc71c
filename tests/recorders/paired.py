"""The paired patch GAN with L1, an iteration at a time: D on fake and real, then G by the updated D."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from .patch_networks import MaskedDropout, gan_loss, generator, judge
from .trace import Trace, draw_weights, gradient_norm, linear_factor, sum_of_weights

CONFIG: dict[str, Any] = {
    "n_epochs": 1, "n_epochs_decay": 2, "netG": "unet_d5", "netD": "basic", "ngf": 2, "ndf": 2, "norm": "batch",
    "crop_size": 32, "batch_size": 2, "lr": 0.001, "no_dropout": True, "direction": "AtoB", "input_nc": 3,
    "output_nc": 3, "gan_mode": "vanilla", "lambda_L1": 100.0, "beta1": 0.5, "beta2": 0.999, "adam_eps": 1e-8,
}  # fmt: skip


def record(folder: Path, iterations: int = 2, seed: int = 0, **changed: Any) -> Path:
    """Train a few iterations and write the trace."""
    config = {**CONFIG, **changed}
    trace = Trace(seed)
    networks = {
        "G": generator(config, config["input_nc"], config["output_nc"]),
        "D": judge(config, config["input_nc"] + config["output_nc"]),
    }
    g, d = networks["G"], networks["D"]
    draw_weights(networks, trace.generator)
    trace.weights("init", networks)
    start = ""

    def mask(place: str, shape: torch.Size) -> Tensor:
        keep = (torch.rand(shape, generator=trace.generator) < 0.5).long()
        trace.put(f"{start}dropout_mask/{place}", keep)
        return keep.double()

    for module in g.modules():
        if isinstance(module, MaskedDropout):
            module.mask = mask
    betas = (config["beta1"], config["beta2"])
    optimizers = {
        n: torch.optim.Adam(networks[n].parameters(), lr=config["lr"], betas=betas, eps=config["adam_eps"])
        for n in "GD"
    }
    rows, size, mode = config["batch_size"], config["crop_size"], config["gan_mode"]
    source, target = ("A", "B") if config["direction"] == "AtoB" else ("B", "A")
    for i in range(iterations):
        start = f"draw/{i}/"
        rate = config["lr"] * linear_factor(i, config["n_epochs"], config["n_epochs_decay"])
        for name, optimizer in optimizers.items():
            optimizer.param_groups[0]["lr"] = rate
            trace.put(f"lr/{i}/{name}", rate)
        a = trace.images(rows, config["input_nc"], size, size).float().double()
        b = trace.images(rows, config["output_nc"], size, size).float().double()
        trace.put(f"batch/{i}/{source}", a)
        trace.put(f"batch/{i}/{target}", b)
        fake = g(a)
        trace.put(f"value/{i}/fake_B", fake)
        losses = {
            "D_fake": gan_loss(mode, d(torch.cat([a, fake.detach()], 1)), False),
            "D_real": gan_loss(mode, d(torch.cat([a, b], 1)), True),
        }
        losses["total_D"] = 0.5 * (losses["D_fake"] + losses["D_real"])
        d.zero_grad()
        losses["total_D"].backward()
        trace.put(f"grad/{i}/D", gradient_norm(d))
        optimizers["D"].step()
        losses["G_GAN"] = gan_loss(mode, d(torch.cat([a, fake], 1)), True)
        losses["G_L1"] = functional.l1_loss(fake, b)
        losses["total_G"] = losses["G_GAN"] + config["lambda_L1"] * losses["G_L1"]
        g.zero_grad()
        losses["total_G"].backward()
        trace.put(f"grad/{i}/G", gradient_norm(g))
        optimizers["G"].step()
        for name, loss in losses.items():
            trace.put(f"loss/{i}/{name}", loss)
        for name, network in networks.items():
            trace.put(f"check/{i}/{name}", sum_of_weights(network))
    trace.weights("final", networks)
    image = trace.images(1, config["input_nc"], size, size).float().double()
    start = "test/"
    trace.put("test/source", image)
    with torch.no_grad():
        trace.put("test/fake_eval_mode", g.eval()(image))
        trace.put("test/fake_train_mode", g.train()(image))
    return trace.save(folder, "pix2pix", config, iterations)
