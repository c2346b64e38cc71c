"""Label maps to photos: everything is computed with the weights before the iteration, then G steps, then D."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from .semantic_networks import Encoder, Features, Generator, Judge, edges_of
from .trace import Trace, draw_weights

CONFIG: dict[str, Any] = {
    "netG": "global", "label_nc": 5, "input_nc": 3, "output_nc": 3, "ngf": 2, "n_downsample_global": 1,
    "n_blocks_global": 1, "n_local_enhancers": 1, "n_blocks_local": 1, "norm": "instance", "no_instance": False,
    "instance_feat": False, "label_feat": False, "load_features": False, "feat_num": 2, "nef": 2, "n_downsample_E": 1,
    "niter_fix_global": 0, "ndf": 2, "n_layers_D": 2, "num_D": 2, "no_lsgan": False, "no_ganFeat_loss": False,
    "no_vgg_loss": False, "lambda_feat": 10.0, "pool_size": 0, "batchSize": 2, "lr": 2e-4, "beta1": 0.5, "niter": 100,
    "niter_decay": 100, "n_clusters": 3, "height": 32, "width": 32, "dtype": "float64",
    "vgg_widths": [3, 3, "M", 4, 4, "M", *[5] * 4, "M", *[5] * 4, "M", *[5] * 4, "M"],
}  # fmt: skip


class Pool:
    """Some of the images that were shown before, in place of new ones."""

    def __init__(self, size: int, trace: Trace) -> None:
        self.size, self.trace, self.kept = size, trace, []

    def ask(self, images: Tensor, i: int) -> Tensor:
        if not self.size:
            return images
        given, shares, places = [], [], []
        for image in images.detach():
            share, place = -1.0, -1
            if len(self.kept) < self.size:
                self.kept.append(image)
            else:
                share = float(torch.rand((), generator=self.trace.generator))
                if share > 0.5:
                    place = int(torch.randint(self.size, (), generator=self.trace.generator))
                    image, self.kept[place] = self.kept[place], image
            given.append(image)
            shares.append(share)
            places.append(place)
        self.trace.arrays[f"draw/{i}/pool_p"] = np.array(shares)
        self.trace.arrays[f"draw/{i}/pool_id"] = np.array(places)
        return torch.stack(given)


def record(folder: Path, iterations: int = 2, seed: int = 0, stale: bool = False, **changed: Any) -> Path:
    """Train a few iterations, each an epoch, and write the trace. `stale`: the first optimizer is kept to the end."""
    config = {**copy.deepcopy(CONFIG), **changed}
    trace = Trace(seed)
    encodes = config["instance_feat"] or config["label_feat"]
    sem_channels = (config["label_nc"] or config["input_nc"]) + (not config["no_instance"])
    features = config["feat_num"] if encodes or config["load_features"] else 0
    nets: dict[str, Any] = {
        "G": Generator(sem_channels + features, config),
        "D": Judge(sem_channels + config["output_nc"], config),
    }
    if not config["no_vgg_loss"]:
        nets["VGG"] = Features(config["vgg_widths"])
    if encodes:
        nets["E"] = Encoder(config)
    draw_weights(nets, trace.generator)
    trace.weights("init", nets)
    settings = {"lr": config["lr"], "betas": (config["beta1"], 0.999)}
    mine = [p for name in ("G", "E") if name in nets for p in nets[name].parameters()]
    first = mine
    if config["netG"] == "local" and config["niter_fix_global"]:
        outer = f"model{config['n_local_enhancers']}"
        first = [p for key, p in nets["G"].named_parameters() if key.startswith(outer)]
        first += list(nets["E"].parameters()) if encodes else []
    opt_g = torch.optim.Adam(first, **settings)
    opt_d = torch.optim.Adam(nets["D"].parameters(), **settings)
    pool, lr = Pool(config["pool_size"], trace), config["lr"]
    batches = [_batch(trace, config, i) for i in range(iterations)]
    for i, batch in enumerate(batches):
        sem, given, values = _inputs(nets, config, batch)
        fake = nets["G"](given)
        values |= {"fake": fake, "lr_G": opt_g.param_groups[0]["lr"], "lr_D": opt_d.param_groups[0]["lr"]}
        shown = nets["D"](pool.ask(torch.cat([sem, fake.detach()], 1), i))
        real = nets["D"](torch.cat([sem, batch["image"]], 1))
        judged = nets["D"](torch.cat([sem, fake], 1))
        for s in range(config["num_D"]):
            values |= {f"pred_fake_pool_scale{s}": shown[s][-1], f"pred_real_scale{s}": real[s][-1]}
        losses = {
            "D_fake": _gan(shown, 0.0, config), "D_real": _gan(real, 1.0, config), "G_GAN": _gan(judged, 1.0, config),
            "G_GAN_Feat_unweighted": 0.0, "G_VGG_unweighted": 0.0,
        }  # fmt: skip
        if not config["no_ganFeat_loss"]:
            share = 4 / (config["n_layers_D"] + 1) / config["num_D"]
            losses["G_GAN_Feat_unweighted"] = sum(
                share * functional.l1_loss(a, b.detach())
                for one, other in zip(judged, real, strict=True)
                for a, b in zip(one[:-1], other[:-1], strict=True)
            )
        if not config["no_vgg_loss"]:
            weights = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1)
            pairs = zip(nets["VGG"](fake), nets["VGG"](batch["image"]), strict=True)
            losses["G_VGG_unweighted"] = sum(
                w * functional.l1_loss(a, b.detach()) for w, (a, b) in zip(weights, pairs, strict=True)
            )
        matched = losses["G_GAN_Feat_unweighted"] + losses["G_VGG_unweighted"]
        losses["total_G"] = losses["G_GAN"] + config["lambda_feat"] * matched
        losses["total_D"] = (losses["D_fake"] + losses["D_real"]) * 0.5
        for parameter in mine:
            parameter.grad = None
        losses["total_G"].backward()
        opt_g.step()
        opt_d.zero_grad()
        losses["total_D"].backward()
        opt_d.step()
        for name, loss in losses.items():
            trace.put(f"loss/{i}/{name}", loss)
        for name, value in values.items():
            trace.put(f"value/{i}/{name}", value)
        if config["netG"] == "local" and config["niter_fix_global"] == i + 1 and not stale:
            opt_g = torch.optim.Adam(mine, **settings)
        if i + 1 > config["niter"]:
            lr -= config["lr"] / config["niter_decay"]
            for optimizer in (opt_g, opt_d):
                optimizer.param_groups[0]["lr"] = lr
    trace.weights("final", {name: net for name, net in nets.items() if name != "VGG"})
    with torch.no_grad():
        _test(trace, nets, config, batches[0])
    if config["niter_fix_global"] and not stale:
        with np.load(record(folder / "stale", iterations, seed, True, **changed) / "trace.npz") as other:
            for name in (name for name in other.files if "/total_" in name):
                trace.arrays[f"alt_stale_optimizer/{name}"] = other[name]
    return trace.save(folder, "pix2pixhd", config, iterations)


def _gan(found: list[list[Tensor]], target: float, config: dict[str, Any]) -> Tensor:
    wanted = [(scale[-1], torch.full_like(scale[-1], target)) for scale in found]
    if config["no_lsgan"]:
        return sum(functional.binary_cross_entropy(torch.sigmoid(s), t) for s, t in wanted)  # type: ignore[return-value]
    return sum(functional.mse_loss(s, t) for s, t in wanted)  # type: ignore[return-value]


def _batch(trace: Trace, config: dict[str, Any], i: int) -> dict[str, Tensor]:
    shape = (config["batchSize"], 1, config["height"], config["width"])
    coarse = torch.randint(max(1, config["label_nc"]), (shape[0], 1, 4, 4), generator=trace.generator)
    label = functional.interpolate(coarse.double(), shape[2:], mode="nearest").long()
    thing = (torch.rand(shape[0], 1, 8, 8, generator=trace.generator) * 3).floor()
    number = functional.interpolate(thing.double(), shape[2:], mode="nearest").long()
    batch = {
        "inst": torch.where(number > 0, label * 1000 + number, label),
        "label": label
        if config["label_nc"]
        else trace.images(shape[0], config["input_nc"], *shape[2:]).float().double(),
        "image": trace.images(shape[0], 3, *shape[2:]).float().double(),
    }
    if config["load_features"]:
        batch["feat"] = trace.images(shape[0], config["feat_num"], *shape[2:]).float().double()
    for name, value in batch.items():
        if name != "inst" or not config["no_instance"]:
            trace.put(f"batch/{i}/{name}", value)
    return batch


def _inputs(
    nets: dict[str, Any], config: dict[str, Any], batch: dict[str, Tensor]
) -> tuple[Tensor, Tensor, dict[str, Any]]:
    """What D is told, what G sees, and values on the way."""
    values: dict[str, Any] = {}
    hot = batch["label"]
    if config["label_nc"]:
        hot = functional.one_hot(hot[:, 0], config["label_nc"]).permute(0, 3, 1, 2).double()
    sem = hot
    if not config["no_instance"]:
        values["edge"] = edges_of(batch["inst"])
        sem = torch.cat([hot, values["edge"]], 1)
    given = sem
    if "E" in nets:
        values["feat_map"] = nets["E"](batch["image"], batch["label" if config["label_feat"] else "inst"])
        given = torch.cat([sem, values["feat_map"]], 1)
    elif config["load_features"]:
        given = torch.cat([sem, batch["feat"]], 1)
    return sem, given, values


def _test(trace: Trace, nets: dict[str, Any], config: dict[str, Any], batch: dict[str, Tensor]) -> None:
    """What the trained networks make of the first image."""
    row = {name: value[:1] for name, value in batch.items()}
    sem, given, values = _inputs(nets, config, row)
    if "E" not in nets:
        trace.put("value/test/fake", nets["G"](given))
        return
    trace.put("value/test/fake_encoded", nets["G"](given))
    trace.put("value/test/feat_map_encoded", values["feat_map"])
    if config["label_feat"]:
        return
    classes = range(config["label_nc"])
    counts = {c: 1 + int(torch.randint(config["n_clusters"], (), generator=trace.generator)) for c in classes}
    centres = {c: torch.rand(counts[c], config["feat_num"], generator=trace.generator).double() for c in classes}
    for c in classes:
        trace.put(f"value/test/centers_label{c}", centres[c])
        trace.put(f"value/test/features_label{c}", torch.cat([centres[c], torch.ones(counts[c], 1)], 1))
    painted, picks, numbers = torch.zeros_like(values["feat_map"]), [], row["inst"].unique().tolist()
    for number in numbers:
        c = number if number < 1000 else number // 1000
        picks.append(int(torch.randint(counts[c], (), generator=trace.generator)))
        mask = row["inst"] == number
        rounded = centres[c][picks[-1]].float().double()
        painted = torch.where(mask, rounded[None, :, None, None], painted)
    trace.put("draw/test/cluster_pick_per_sorted_instance", torch.tensor(picks))
    trace.put("draw/test/sorted_instances", torch.tensor(numbers))
    trace.put("value/test/fake_sampled", nets["G"](torch.cat([sem, painted], 1)))
