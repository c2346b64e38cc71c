"""Content codes exchanged, styles drawn anew in each phase: discriminators, then encoders and decoders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

from .latent import OTHER, changed_config
from .latent_networks import Features, Judge
from .style_networks import Styled, make_spectral
from .trace import Trace, draw_weights

CONFIG: dict[str, Any] = {
    "hyperparameters": {
        "beta1": 0.5, "beta2": 0.999, "display_size": 1, "init": "kaiming", "lr_policy": "step", "lr": 0.001,
        "weight_decay": 0.0001, "step_size": 2, "gamma": 0.5, "gan_w": 1, "recon_x_w": 10, "recon_s_w": 1,
        "recon_c_w": 1, "recon_x_cyc_w": 0, "vgg_w": 0, "input_dim_a": 3, "input_dim_b": 3,
        "gen": {"dim": 2, "mlp_dim": 5, "style_dim": 3, "activ": "relu", "n_downsample": 1, "n_res": 1,
                "pad_type": "reflect"},
        "dis": {"dim": 2, "norm": "none", "activ": "lrelu", "n_layer": 2, "gan_type": "lsgan", "num_scales": 2,
                "pad_type": "reflect"},
    },
    "seed": 0, "batch_size": 2, "image_size": [32, 32], "vgg_base_channels": None, "dtype": "float64",
}  # fmt: skip


def record(folder: Path, iterations: int = 2, seed: int = 0, **changed: Any) -> Path:
    """Train a few iterations and write the trace."""
    config = changed_config(CONFIG, changed)
    hyper, rows = config["hyperparameters"], config["batch_size"]
    trace = Trace(seed)
    gens = {d: Styled(hyper[f"input_dim_{d}"], **hyper["gen"]) for d in "ab"}
    spectral = hyper["dis"]["norm"] == "sn"
    judging = {**hyper["dis"], "norm": "none"} if spectral else hyper["dis"]
    dises = {d: Judge(hyper[f"input_dim_{d}"], **judging) for d in "ab"}
    if spectral:
        for judge in dises.values():
            make_spectral(judge)
    networks: dict[str, Any] = {f"gen_{d}": gens[d] for d in "ab"} | {f"dis_{d}": dises[d] for d in "ab"}
    if hyper["vgg_w"] > 0:
        networks["vgg"] = Features(config["vgg_base_channels"])
    draw_weights(networks, trace.generator)
    trace.weights("init", networks)
    settings = {"betas": (hyper["beta1"], hyper["beta2"]), "weight_decay": hyper["weight_decay"], "lr": hyper["lr"]}
    dis_opt, gen_opt = (
        torch.optim.Adam([p for d in "ab" for p in own[d].parameters() if p.requires_grad], **settings)
        for own in (dises, gens)
    )

    def drawn(name: str) -> Any:
        shape = (rows, hyper["gen"]["style_dim"], 1, 1)
        return {d: trace.normal(f"{name}/s_{d}", shape).float().double() for d in "ab"}

    for i in range(iterations):
        for optimizer in (dis_opt, gen_opt):
            optimizer.param_groups[0]["lr"] = hyper["lr"] * hyper["gamma"] ** ((i + 1) // hyper["step_size"])
        x = {}
        for d in "ab":
            x[d] = trace.images(rows, hyper[f"input_dim_{d}"], *config["image_size"]).float().double()
            trace.put(f"batch/{i}/x_{d}", x[d])
        losses: dict[str, Any] = {}
        values: dict[str, Any] = {}
        style = drawn(f"draw/{i}/dis")
        with torch.no_grad():
            fake = {d: gens[d].decode(gens[o].encode(x[o])[0], style[d]) for d, o in OTHER.items()}
        for d, o in OTHER.items():
            values[f"dis/x_{o}{d}"] = fake[d]
            losses[f"dis/{d}"] = dises[d].loss(fake[d], False) + dises[d].loss(x[d], True)
        losses["dis/total"] = hyper["gan_w"] * (losses["dis/a"] + losses["dis/b"])
        dis_opt.zero_grad()
        losses["dis/total"].backward()
        dis_opt.step()

        total: Any = 0
        style = drawn(f"draw/{i}/gen")
        codes = {d: gens[d].encode(x[d]) for d in "ab"}
        made = {d: gens[d].decode(codes[o][0], style[d]) for d, o in OTHER.items()}  # by the domain they go to
        again = {d: gens[d].encode(made[d]) for d in "ab"}
        for d, o in OTHER.items():
            own = gens[d].decode(*codes[d])
            values |= {f"gen/c_{d}": codes[d][0], f"gen/s_{d}_prime": codes[d][1], f"gen/s_{d}_recon": again[d][1],
                       f"gen/x_{d}_recon": own, f"gen/x_{o}{d}": made[d]}  # fmt: skip
            terms = {
                f"gen/recon_x_{d}": (hyper["recon_x_w"], functional.l1_loss(own, x[d])),
                f"gen/recon_s_{d}": (hyper["recon_s_w"], functional.l1_loss(again[d][1], style[d])),
                f"gen/recon_c_{d}": (hyper["recon_c_w"], functional.l1_loss(again[o][0], codes[d][0])),
                f"gen/adv_{d}": (hyper["gan_w"], dises[d].loss(made[d], True)),
            }
            if hyper["recon_x_cyc_w"] > 0:
                back = gens[d].decode(again[o][0], codes[d][1])
                values[f"gen/x_{d}{o}{d}"] = back
                terms[f"gen/cycrecon_x_{d}"] = (hyper["recon_x_cyc_w"], functional.l1_loss(back, x[d]))
            if hyper["vgg_w"] > 0:
                terms[f"gen/vgg_{d}"] = (hyper["vgg_w"], networks["vgg"].distance(made[d], x[o]))
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
        styles = trace.normal(f"draw/{last}/test/s", (2, hyper["gen"]["style_dim"], 1, 1)).float().double()
        content = gens["a"].encode(x["a"][:1])[0]
        for k in range(2):
            trace.put(f"value/{last}/test/x_ab_style{k}", gens["b"].decode(content, styles[k : k + 1]))
        guided = gens["b"].decode(content, gens["b"].encode(x["b"][:1])[1])
        trace.put(f"value/{last}/test/x_ab_guided", guided)
    return trace.save(folder, "munit", config, iterations)
