"""The unpaired patch GAN with cycles, identity terms and image pools: both generators, then both discriminators."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from .patch_networks import gan_loss, generator, judge
from .trace import Trace, draw_weights, gradient_norm, linear_factor, sum_of_weights

CONFIG: dict[str, Any] = {
    "n_epochs": 1, "n_epochs_decay": 3, "netG": "resnet_b1", "netD": "n_layers", "n_layers_D": 1, "ngf": 2, "ndf": 2,
    "norm": "instance", "crop_size": 32, "batch_size": 2, "lr": 0.001, "no_dropout": True, "direction": "AtoB",
    "pool_size": 3, "lambda_A": 10.0, "lambda_B": 7.0, "lambda_identity": 0.5, "gan_mode": "lsgan", "beta1": 0.5,
    "beta2": 0.999, "adam_eps": 1e-8,
}  # fmt: skip


class Pool:
    """Earlier images, handed out in place of new ones half of the time once there are `size`."""

    def __init__(self, size: int, trace: Trace) -> None:
        self.size, self.trace = size, trace
        self.images: list[Tensor] = []

    def query(self, batch: Tensor, name: str) -> Tensor:
        us: list[float] = []
        slots: list[int] = []
        given = []
        for image in batch.detach():
            if self.size == 0:
                given.append(image)
                continue
            if len(self.images) < self.size:
                self.images.append(image.clone())
                given.append(image)
                continue
            u = float(torch.rand((), generator=self.trace.generator))
            us.append(u)
            slots.append(int(torch.randint(self.size, (), generator=self.trace.generator)) if u > 0.5 else -1)
            if u > 0.5:
                given.append(self.images[slots[-1]])
                self.images[slots[-1]] = image.clone()
            else:
                given.append(image)
        self.trace.put(f"{name}/u", torch.tensor(us, dtype=torch.float64))
        self.trace.arrays[f"{name}/u"] = self.trace.arrays[f"{name}/u"].astype("float64")
        self.trace.put(f"{name}/id", torch.tensor(slots, dtype=torch.int64))
        return torch.stack(given)


def record(folder: Path, iterations: int = 3, seed: int = 0, **changed: Any) -> Path:
    """Train a few iterations and write the trace."""
    config = {**CONFIG, **changed}
    trace = Trace(seed)
    networks = {n: generator(config, 3, 3) for n in ("G_A", "G_B")} | {n: judge(config, 3) for n in ("D_A", "D_B")}
    g_a, g_b, d_a, d_b = networks.values()
    draw_weights(networks, trace.generator)
    trace.weights("init", networks)
    betas = (config["beta1"], config["beta2"])
    optimizers = {
        name: torch.optim.Adam(
            [p for n in own for p in n.parameters()], lr=config["lr"], betas=betas, eps=config["adam_eps"]
        )
        for name, own in (("G", (g_a, g_b)), ("D", (d_a, d_b)))
    }
    pools = {n: Pool(config["pool_size"], trace) for n in "AB"}
    rows, size, mode, share = (config[k] for k in ("batch_size", "crop_size", "gan_mode", "lambda_identity"))
    weight = {"A": config["lambda_A"], "B": config["lambda_B"]}
    for i in range(iterations):
        rate = config["lr"] * linear_factor(i, config["n_epochs"], config["n_epochs_decay"])
        for name, optimizer in optimizers.items():
            optimizer.param_groups[0]["lr"] = rate
            trace.put(f"lr/{i}/{name}", rate)
        data = {n: trace.images(rows, 3, size, size).float().double() for n in "AB"}
        for n, images in data.items():
            trace.put(f"batch/{i}/{n}", images)
        a, b = (data["A"], data["B"]) if config["direction"] == "AtoB" else (data["B"], data["A"])
        fake_b = g_a(a)
        rec_a = g_b(fake_b)
        fake_a = g_b(b)
        rec_b = g_a(fake_a)
        values = {"fake_B": fake_b, "rec_A": rec_a, "fake_A": fake_a, "rec_B": rec_b}
        losses: dict[str, Any] = {"idt_A": 0.0, "idt_B": 0.0}
        if share > 0:
            values |= {"idt_A": g_a(b), "idt_B": g_b(a)}
            losses |= {"idt_A": functional.l1_loss(values["idt_A"], b), "idt_B": functional.l1_loss(values["idt_B"], a)}
        losses["G_A"], losses["G_B"] = gan_loss(mode, d_a(fake_b), True), gan_loss(mode, d_b(fake_a), True)
        losses["cycle_A"], losses["cycle_B"] = functional.l1_loss(rec_a, a), functional.l1_loss(rec_b, b)
        losses["total_G"] = (
            losses["G_A"] + losses["G_B"] + weight["A"] * losses["cycle_A"] + weight["B"] * losses["cycle_B"]
            + weight["B"] * share * losses["idt_A"] + weight["A"] * share * losses["idt_B"]
        )  # fmt: skip
        for network in networks.values():
            network.zero_grad()
        losses["total_G"].backward()
        trace.put(f"grad/{i}/G", gradient_norm(g_a, g_b))
        optimizers["G"].step()
        d_a.zero_grad()
        d_b.zero_grad()
        for n, judge_of, real, fake in (("A", d_a, b, "B"), ("B", d_b, a, "A")):
            pooled = pools[fake].query(values[f"fake_{fake}"], f"draw/{i}/pool_fake_{fake}")
            trace.put(f"value/{i}/pooled_fake_{fake}", pooled)
            losses[f"D_{n}_real"] = gan_loss(mode, judge_of(real), True)
            losses[f"D_{n}_fake"] = gan_loss(mode, judge_of(pooled), False)
            losses[f"D_{n}"] = 0.5 * (losses[f"D_{n}_real"] + losses[f"D_{n}_fake"])
            losses[f"D_{n}"].backward()
        losses["total_D"] = losses["D_A"] + losses["D_B"]
        trace.put(f"grad/{i}/D", gradient_norm(d_a, d_b))
        optimizers["D"].step()
        for name, loss in losses.items():
            trace.put(f"loss/{i}/{name}", loss)
        for name, value in values.items():
            trace.put(f"value/{i}/{name}", value)
        for name, network in networks.items():
            trace.put(f"check/{i}/{name}", sum_of_weights(network))
    trace.weights("final", networks)
    image = trace.images(1, 3, size, size).float().double()
    trace.put("test/source", image)
    with torch.no_grad():
        trace.put("test/fake_eval_mode", g_a.eval()(image))
        trace.put("test/fake_train_mode", g_a.train()(image))
    return trace.save(folder, "cyclegan", config, iterations)
