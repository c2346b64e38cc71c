"""Label maps to photographs: generator (and encoder) first, then the discriminator on what the updated one makes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from .layout_networks import Encoder, Generator, Judge, Vgg
from .trace import Trace, draw_weights

CONFIG: dict[str, Any] = {
    "netG": "spade", "norm_G": "spectralspadesyncbatch3x3", "norm_D": "spectralinstance",
    "norm_E": "spectralinstance", "label_nc": 4, "contain_dontcare_label": True, "no_instance": False,
    "output_nc": 3, "ngf": 2, "ndf": 2, "num_D": 2, "n_layers_D": 4, "netD_subarch": "n_layer",
    "num_upsampling_layers": "normal", "crop_size": 64, "aspect_ratio": 1.0, "use_vae": False, "z_dim": 3,
    "gan_mode": "hinge", "lambda_feat": 10.0, "lambda_vgg": 10.0, "lambda_kld": 0.05, "no_TTUR": False, "beta1": 0.0,
    "beta2": 0.9, "lr": 0.0002, "D_steps_per_G": 1, "niter": 50, "niter_decay": 0, "batchSize": 2,
    "init_type": "xavier", "init_variance": 0.02, "spade_hidden": 3, "dtype": "float64", "encoder_conv_layers": None,
    "vgg_widths": [2, 2, "M", 2, 2, "M", 3, 3, 3, 3, "M", 3, 3, 3, 3, "M", 3, 3, 3, 3, "M"],
}  # fmt: skip


def edges(ids: Tensor) -> Tensor:
    wide = functional.pad(ids.double(), [1] * 4, mode="replicate")
    centre = wide[:, :, 1:-1, 1:-1]
    near = [wide[:, :, :-2, 1:-1], wide[:, :, 2:, 1:-1], wide[:, :, 1:-1, :-2], wide[:, :, 1:-1, 2:]]
    return torch.stack([other != centre for other in near]).any(0).double()


def adversarial(mode: str, found: list[list[Tensor]], real: bool, judging: bool) -> Tensor:
    terms = []
    for scale in found:
        score = scale[-1]
        if mode == "hinge" and judging:
            terms.append(functional.relu(1 - score if real else 1 + score).mean())
        elif mode in ("hinge", "w"):
            terms.append(-score.mean() if real else score.mean())
        elif mode == "ls":
            terms.append(((score - float(real)) ** 2).mean())
        else:
            terms.append(functional.binary_cross_entropy_with_logits(score, torch.full_like(score, float(real))))
    return torch.stack(terms).mean()


def record(folder: Path, iterations: int = 3, seed: int = 0, **changed: Any) -> Path:
    """Train a few iterations and write the trace."""
    config = {**CONFIG, **changed}
    high, wide = round(config["crop_size"] / config["aspect_ratio"]), config["crop_size"]
    config |= {"height": high, "width": wide}
    vae, rows, classes = config["use_vae"], config["batchSize"], config["label_nc"] + config["contain_dontcare_label"]
    labels = classes + (not config["no_instance"])
    config["semantic_nc"] = labels
    trace = Trace(seed)
    g, d, vgg = Generator(config, labels), Judge(config, labels + config["output_nc"]), Vgg(config["vgg_widths"])
    networks: dict[str, Any] = {"G": g, "D": d, "VGG": vgg}
    if vae:
        config["encoder_conv_layers"] = 6
        networks["E"] = Encoder(config)
    draw_weights(networks, trace.generator)
    trace.weights("init", networks)
    trained = [*g.parameters(), *(networks["E"].parameters() if vae else [])]
    factors = (1, 1) if config["no_TTUR"] else (0.5, 2)
    optimizers = [
        torch.optim.Adam(own, lr=config["lr"] * factor, betas=(config["beta1"], config["beta2"]))
        for own, factor in zip((trained, d.parameters()), factors, strict=True)
    ]
    first: dict[str, Tensor] = {}
    for i in range(iterations):
        label = torch.randint(classes, (rows, 1, high // 8, wide // 8), generator=trace.generator)
        label = label.repeat_interleave(8, 2).repeat_interleave(8, 3)
        inst = label * 1000 + torch.randint(2, (rows, 1, 1, wide), generator=trace.generator)
        image = trace.images(rows, config["output_nc"], high, wide).float().double()
        given = {"label": label, "image": image, **({} if config["no_instance"] else {"inst": inst})}
        for name, value in given.items():
            trace.put(f"batch/{i}/{name}", value)
        first = first or given

        def semantics(given: dict[str, Tensor]) -> Tensor:
            hot = functional.one_hot(given["label"][:, 0], classes).movedim(-1, 1).double()
            return hot if config["no_instance"] else torch.cat([hot, edges(given["inst"])], 1)

        sem = semantics(given)
        stepping = i % config["D_steps_per_G"] == 0
        terms: dict[str, Any] = {}
        values: dict[str, Any] = {"stepped_G": int(stepping)} | ({"semantics": sem} if i == 0 else {})

        def made(sem: Tensor, image: Tensor, draw: str, short: str) -> tuple[Tensor, Any]:
            if not vae:
                return g(sem, None), None
            mu, logvar = networks["E"](image)
            if short:
                values.update({f"mu_{short}": mu, f"logvar_{short}": logvar})  # noqa: B023  # called at once
            eps = trace.normal(draw, (len(image), config["z_dim"])).float().double()
            return g(sem, mu + (logvar / 2).exp() * eps), (mu, logvar)

        def judged(sem: Tensor, fake: Tensor, image: Tensor) -> tuple[Any, Any]:
            seen = d(torch.cat([torch.cat([sem, fake], 1), torch.cat([sem, image], 1)]))
            return tuple([[part.chunk(2)[n] for part in scale] for scale in seen] for n in (0, 1))  # type: ignore[return-value]

        if stepping:
            fake, code = made(sem, image, f"draw/{i}/eps_G", "G")
            on_fake, on_real = judged(sem, fake, image)
            terms["G_GAN"] = total = adversarial(config["gan_mode"], on_fake, True, False)
            if vae:
                mu, logvar = code
                terms["G_KLD_unweighted"] = -0.5 * (1 + logvar - mu**2 - logvar.exp()).sum()
                total = total + config["lambda_kld"] * terms["G_KLD_unweighted"]
            if config["lambda_feat"]:
                terms["G_GAN_Feat_unweighted"] = torch.stack([
                    (a - b.detach()).abs().mean() / config["num_D"]
                    for one, other in zip(on_fake, on_real, strict=True)
                    for a, b in zip(one[:-1], other[:-1], strict=True)
                ]).sum()  # fmt: skip
                total = total + config["lambda_feat"] * terms["G_GAN_Feat_unweighted"]
            if config["lambda_vgg"]:
                terms["G_VGG_unweighted"] = vgg.distance(fake, image)
                total = total + config["lambda_vgg"] * terms["G_VGG_unweighted"]
            terms["total_G"], values["fake_G"] = total, fake[:1]
            optimizers[0].zero_grad()
            total.backward()
            optimizers[0].step()
        with torch.no_grad():
            fake, _ = made(sem, image, f"draw/{i}/eps_D", "D")
        on_fake, on_real = judged(sem, fake, image)
        terms["D_Fake"] = adversarial(config["gan_mode"], on_fake, False, True)
        terms["D_real"] = adversarial(config["gan_mode"], on_real, True, True)
        terms["total_D"] = terms["D_Fake"] + terms["D_real"]
        optimizers[1].zero_grad()
        terms["total_D"].backward()
        optimizers[1].step()
        if i == 0:
            values["fake_D"] = fake[:1]
        for s, (one, other) in enumerate(zip(on_fake, on_real, strict=True)):
            values[f"pred_D_scale{s}"] = torch.cat([one[-1], other[-1]])
        for name, optimizer in zip("GD", optimizers, strict=True):
            values[f"lr_{name}"] = optimizer.param_groups[0]["lr"]
        if i + 1 > config["niter"]:  # at the end of an epoch
            for optimizer, factor in zip(optimizers, factors, strict=True):
                optimizer.param_groups[0]["lr"] -= config["lr"] * factor / config["niter_decay"]
        for name, term in terms.items():
            trace.put(f"loss/{i}/{name}", term)
        for name, value in values.items():
            trace.put(f"value/{i}/{name}", value)
    trace.weights("final", {name: network for name, network in networks.items() if name != "VGG"})
    for network in networks.values():
        network.eval()
    with torch.no_grad():
        tested, _ = made(semantics(first), first["image"], "draw/test/eps", "")
        trace.put("value/test/fake", tested[:1])
    return trace.save(folder, "spade", config, iterations)
