"""Two autoencoders that share their middle: one judge for both domains, then one generator, on new noise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from .latent import OTHER, changed_config
from .shared_networks import Generator, judge
from .trace import Trace, draw_weights

CONFIG: dict[str, Any] = {
    "hyperparameters": {
        "lr": 0.001, "ll_direct_link_w": 100, "kl_direct_link_w": 0.1, "ll_cycle_link_w": 100, "kl_cycle_link_w": 0.1,
        "gan_w": 10,
        "gen": {"ch": 2, "input_dim_a": 3, "input_dim_b": 3, "n_enc_front_blk": 2, "n_enc_res_blk": 1,
                "n_enc_shared_blk": 1, "n_gen_shared_blk": 1, "n_gen_res_blk": 1, "n_gen_front_blk": 2,
                "name": "COCOResGen2"},
        "dis": {"name": "COCOSharedDis", "ch": 2, "input_dim_a": 3, "input_dim_b": 3, "n_front_layer": 1,
                "n_shared_layer": 1, "n_layer": 2},
    },
    "seed": 0, "batch_size": 2, "image_size": [16, 16], "dtype": "float64",
    "optimizer": {"kind": "Adam", "lr": 0.001, "betas": [0.5, 0.999], "weight_decay": 0.0001},
}  # fmt: skip


def bce(scores: list[Tensor], real: bool) -> Tensor:
    parts = [torch.sigmoid(s) for s in scores]
    return sum(functional.binary_cross_entropy(p, torch.full_like(p, float(real))) for p in parts)  # type: ignore[return-value]


def record(folder: Path, iterations: int = 2, seed: int = 0, **changed: Any) -> Path:
    """Train a few iterations and write the trace."""
    config = changed_config(CONFIG, changed)
    hyper, rows = config["hyperparameters"], config["batch_size"]
    trace = Trace(seed)
    gen, dis = Generator(**hyper["gen"]), judge(**hyper["dis"])
    networks: dict[str, Any] = {"gen": gen, "dis": dis}
    draw_weights(networks, trace.generator)
    trace.weights("init", networks)
    adam = config["optimizer"]
    settings = {"lr": adam["lr"], "betas": tuple(adam["betas"]), "weight_decay": adam["weight_decay"]}
    optimizers = {n: torch.optim.Adam(network.parameters(), **settings) for n, network in networks.items()}
    encode = {"a": gen.encode_A, "b": gen.encode_B}
    decode = {"a": gen.decode_A, "b": gen.decode_B}

    def noisy(features: Tensor, name: str) -> Tensor:
        h = gen.enc_shared(features)
        return h + trace.normal(name, h.shape).float().double()

    def together(x: dict[str, Tensor], name: str) -> tuple[dict[str, Tensor], Tensor]:
        """Every image in every domain, `ab` being a in the domain of b; and the noisy code."""
        code = noisy(torch.cat([encode["a"](x["a"]), encode["b"](x["b"])]), name)
        common = gen.dec_shared(code)
        found = {}
        for d in "ab":
            decoded = decode[d](common)
            found[f"a{d}"], found[f"b{d}"] = decoded[:rows], decoded[rows:]
        return found, code

    for i in range(iterations):
        x = {}
        for d in "ab":
            channels = hyper["gen"][f"input_dim_{d}"]
            x[d] = trace.images(rows, channels, *config["image_size"]).float().double()
            trace.put(f"batch/{i}/images_{d}", x[d])
        losses: dict[str, Any] = {}
        images, _ = together(x, f"draw/{i}/dis/noise_ab")
        total: Any = 0
        for d, o in OTHER.items():
            trace.put(f"value/{i}/dis/x_{o}{d}", images[f"{o}{d}"])
            scores = dis(torch.cat([x[d], images[f"{o}{d}"]]), d.upper())
            for number, score in enumerate(scores):
                trace.put(f"value/{i}/dis/out_{d}_scale{number}", score)
            halves = [s.chunk(2) for s in scores]
            losses[f"dis/true_{d}"] = bce([real for real, _ in halves], True)
            losses[f"dis/fake_{d}"] = bce([fake for _, fake in halves], False)
            total = total + losses[f"dis/true_{d}"] + losses[f"dis/fake_{d}"]
        losses["dis/total"] = hyper["gan_w"] * total
        dis.zero_grad()
        losses["dis/total"].backward()
        optimizers["dis"].step()

        gen.zero_grad()
        images, code = together(x, f"draw/{i}/gen/noise_ab")
        trace.put(f"value/{i}/gen/shared", code)
        losses["gen/enc_loss"] = (code**2).mean()
        total = 2 * hyper["kl_direct_link_w"] * losses["gen/enc_loss"]
        for d, o in (("b", "a"), ("a", "b")):
            again = noisy(encode[o](images[f"{d}{o}"]), f"draw/{i}/gen/noise_{d}{o}{d}")
            back = decode[d](gen.dec_shared(again))
            trace.put(f"value/{i}/gen/x_{d}{d}", images[f"{d}{d}"])
            trace.put(f"value/{i}/gen/x_{d}{o}", images[f"{d}{o}"])
            trace.put(f"value/{i}/gen/x_{d}{o}{d}", back)
            parts = {
                f"gen/ad_loss_{o}": (hyper["gan_w"], bce(dis(images[f"{d}{o}"], o.upper()), True)),
                f"gen/ll_loss_{d}": (hyper["ll_direct_link_w"], (images[f"{d}{d}"] - x[d]).abs().mean()),
                f"gen/ll_loss_{d}{o}{d}": (hyper["ll_cycle_link_w"], (back - x[d]).abs().mean()),
                f"gen/enc_{d}{o}{d}_loss": (hyper["kl_cycle_link_w"], (again**2).mean()),
            }
            total = total + sum(weight * loss for weight, loss in parts.values())
            losses |= {name: loss for name, (_, loss) in parts.items()}
        losses["gen/total"] = total
        total.backward()
        optimizers["gen"].step()
        for name, loss in losses.items():
            trace.put(f"loss/{i}/{name}", loss)
    trace.weights("final", networks)
    with torch.no_grad():
        for d, o in OTHER.items():
            made = decode[o](gen.dec_shared(gen.enc_shared(encode[d](x[d][:1]))))
            trace.put(f"value/{iterations - 1}/test/x_{d}{o}", made)
    return trace.save(folder, "unit_shared", config, iterations)
