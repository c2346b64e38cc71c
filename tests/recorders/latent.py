"""Two autoencoders whose codes are exchanged, the later code: discriminators, then autoencoders on new noise."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

from .latent_networks import Autoencoder, Features, Judge
from .trace import Trace, draw_weights

CONFIG: dict[str, Any] = {
    "hyperparameters": {
        "beta1": 0.5, "beta2": 0.999, "display_size": 1, "init": "kaiming", "lr_policy": "step", "lr": 0.001,
        "weight_decay": 0.0001, "step_size": 2, "gamma": 0.5, "gan_w": 1, "recon_x_w": 10, "recon_h_w": 0,
        "recon_kl_w": 0.01, "recon_x_cyc_w": 10, "recon_kl_cyc_w": 0.01, "vgg_w": 0, "input_dim_a": 3,
        "input_dim_b": 3,
        "gen": {"dim": 2, "activ": "relu", "n_downsample": 1, "n_res": 1, "pad_type": "reflect"},
        "dis": {"dim": 2, "norm": "none", "activ": "lrelu", "n_layer": 2, "gan_type": "lsgan", "num_scales": 2,
                "pad_type": "reflect"},
    },
    "seed": 0, "batch_size": 2, "image_size": [16, 16], "vgg_base_channels": None, "dtype": "float64",
}  # fmt: skip
OTHER = {"a": "b", "b": "a"}


def changed_config(base: dict[str, Any], changed: dict[str, Any]) -> dict[str, Any]:
    """`base` with dotted keys changed: `{"gen.dim": 4}` means hyperparameters.gen.dim."""
    config = copy.deepcopy(base)
    for key, value in changed.items():
        *above, last = key.split(".")
        below = config if last in config else config["hyperparameters"]
        for part in above:
            below = below[part]
        below[last] = value
    return config


def record(folder: Path, iterations: int = 2, seed: int = 0, **changed: Any) -> Path:
    """Train a few iterations and write the trace."""
    config = changed_config(CONFIG, changed)
    hyper = config["hyperparameters"]
    trace = Trace(seed)
    gens = {d: Autoencoder(hyper[f"input_dim_{d}"], **hyper["gen"]) for d in "ab"}
    dises = {d: Judge(hyper[f"input_dim_{d}"], **hyper["dis"]) for d in "ab"}
    networks: dict[str, Any] = {f"gen_{d}": gens[d] for d in "ab"} | {f"dis_{d}": dises[d] for d in "ab"}
    if hyper["vgg_w"] > 0:
        networks["vgg"] = Features(config["vgg_base_channels"])
    draw_weights(networks, trace.generator)
    trace.weights("init", networks)
    settings = {"betas": (hyper["beta1"], hyper["beta2"]), "weight_decay": hyper["weight_decay"], "lr": hyper["lr"]}
    dis_opt = torch.optim.Adam([p for d in "ab" for p in dises[d].parameters()], **settings)
    gen_opt = torch.optim.Adam([p for d in "ab" for p in gens[d].parameters()], **settings)
    for i in range(iterations):
        for optimizer in (dis_opt, gen_opt):
            optimizer.param_groups[0]["lr"] = hyper["lr"] * hyper["gamma"] ** ((i + 1) // hyper["step_size"])
        x = {}
        for d in "ab":
            x[d] = trace.images(config["batch_size"], hyper[f"input_dim_{d}"], *config["image_size"]).float().double()
            trace.put(f"batch/{i}/x_{d}", x[d])
        losses: dict[str, Any] = {}
        values: dict[str, Any] = {}
        codes = {d: gens[d].enc(x[d]) for d in "ab"}
        noise = {d: trace.normal(f"draw/{i}/dis/n_{d}", codes[d].shape).float().double() for d in "ab"}
        for d, o in OTHER.items():
            fake = gens[d].dec(codes[o] + noise[o])
            values[f"dis/x_{o}{d}"] = fake
            losses[f"dis/{d}"] = dises[d].loss(fake.detach(), False) + dises[d].loss(x[d], True)
        losses["dis/total"] = hyper["gan_w"] * (losses["dis/a"] + losses["dis/b"])
        dis_opt.zero_grad()
        losses["dis/total"].backward()
        dis_opt.step()

        total: Any = 0
        codes = {d: gens[d].enc(x[d]) for d in "ab"}
        noisy = {d: codes[d] + trace.normal(f"draw/{i}/gen/n_{d}", codes[d].shape).float().double() for d in "ab"}
        fakes = {d: gens[OTHER[d]].dec(noisy[d]) for d in "ab"}  # by the domain they come from
        for d, o in OTHER.items():
            own = gens[d].dec(noisy[d])
            again = gens[o].enc(fakes[d])
            noise2 = trace.normal(f"draw/{i}/gen/n_{d}_recon", again.shape).float().double()
            back = gens[d].dec(again + noise2)
            values |= {f"gen/h_{d}": codes[d], f"gen/x_{d}_recon": own, f"gen/x_{d}{o}": fakes[d],
                       f"gen/x_{d}{o}{d}": back}  # fmt: skip
            terms = {
                f"gen/recon_x_{d}": (hyper["recon_x_w"], functional.l1_loss(own, x[d])),
                f"gen/recon_kl_{d}": (hyper["recon_kl_w"], (codes[d] ** 2).mean()),
                f"gen/cyc_x_{d}": (hyper["recon_x_cyc_w"], functional.l1_loss(back, x[d])),
                f"gen/recon_kl_cyc_{d}{o}{d}": (hyper["recon_kl_cyc_w"], (again**2).mean()),
                f"gen/adv_{d}": (hyper["gan_w"], dises[d].loss(fakes[o], True)),
            }
            if hyper["vgg_w"] > 0:
                terms[f"gen/vgg_{d}"] = (hyper["vgg_w"], networks["vgg"].distance(fakes[o], x[o]))
            else:
                losses[f"gen/vgg_{d}"] = 0.0
            total = total + sum(weight * loss for weight, loss in terms.values())
            losses |= {name: loss for name, (_, loss) in terms.items()}
        losses["gen/total"] = total
        gen_opt.zero_grad()
        total.backward()
        gen_opt.step()
        for name, loss in losses.items():
            trace.put(f"loss/{i}/{name}", loss)
        for name, value in values.items():
            trace.put(f"value/{i}/{name}", value)
    trace.weights("final", networks)
    last = iterations - 1
    with torch.no_grad():
        for d, o in OTHER.items():
            code = gens[d].eval().enc(x[d][:1])
            trace.normal(f"draw/{last}/test/unused_noise_{d}", code.shape)
            trace.put(f"value/{last}/test/x_{d}{o}", gens[o].eval().dec(code))
    return trace.save(folder, "unit", config, iterations)
