"""Training steps written by hand, as a careful author would: what the compiled steps are measured against.

Each takes the networks of a program (so that weights are equal) and gives a function `step(batch)`. They save what
the plan saves: one forward of the generator serves both phases where it may, nothing that is not trained builds a
graph, no gradient is computed that is not used.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

Step = Callable[[Mapping[str, Tensor]], None]


def _bce(score: Tensor, wanted: float) -> Tensor:
    return functional.binary_cross_entropy_with_logits(score, torch.full_like(score, wanted))


def _optimizer(networks: list[nn.Module], lr: float, weight_decay: float = 0.0) -> torch.optim.Adam:
    parameters = list(itertools.chain.from_iterable(n.parameters() for n in networks))
    return torch.optim.Adam(parameters, lr=lr, betas=(0.5, 0.999), weight_decay=weight_decay)


def paired_step(networks: Mapping[str, nn.Module], lr: float = 2e-4, l1_weight: float = 100) -> Step:
    """Conditional patch GAN and L1 on pairs `a`, `b`: D on fake and real, then G by the updated D."""
    g, d = networks["G"], networks["D"]
    g_optimizer, d_optimizer = _optimizer([g], lr), _optimizer([d], lr)
    d_parameters = list(d.parameters())

    def step(batch: Mapping[str, Tensor]) -> None:
        a, b = batch["a"], batch["b"]
        fake = g(a)
        fake_score = d(torch.cat([a, fake.detach()], 1))
        real_score = d(torch.cat([a, b], 1))
        (0.5 * _bce(fake_score, 0.0) + 0.5 * _bce(real_score, 1.0)).backward()
        d_optimizer.step()
        d_optimizer.zero_grad()
        for p in d_parameters:
            p.requires_grad_(False)
        fool = _bce(d(torch.cat([a, fake], 1)), 1.0)
        (fool + l1_weight * functional.l1_loss(fake, b)).backward()
        g_optimizer.step()
        g_optimizer.zero_grad()
        for p in d_parameters:
            p.requires_grad_(True)

    return step


def shared_latent_step(networks: Mapping[str, nn.Module], lr: float = 1e-4, weight_decay: float = 1e-4) -> Step:
    """Two VAEs with a shared middle and a GAN in each domain, weights 10, 100, 100, 0.1, 0.1."""
    n = networks
    encoders, decoders = {d: n[f"E[{d}]"] for d in "ab"}, {d: n[f"G[{d}]"] for d in "ab"}
    fronts, trunk, shared_e, shared_g = {d: n[f"front[{d}]"] for d in "ab"}, n["trunk"], n["shared_E"], n["shared_G"]
    g_optimizer = _optimizer([*encoders.values(), shared_e, shared_g, *decoders.values()], lr, weight_decay)
    judges = [fronts["a"], fronts["b"], trunk]
    d_optimizer = _optimizer(judges, lr, weight_decay)
    d_parameters = [p for j in judges for p in j.parameters()]

    def noisy(code: Tensor) -> Tensor:
        return code + torch.randn(code.shape)

    def step(batch: Mapping[str, Tensor]) -> None:
        x = {d: batch[f"x[{d}]"] for d in "ab"}
        rows = x["a"].shape[0]
        h = shared_e(torch.cat([encoders["a"](x["a"]), encoders["b"](x["b"])]))  # serves both phases
        total: Tensor | float = 0.0
        with torch.no_grad():
            code = shared_g(noisy(h.detach()))
            fakes = {"a": decoders["a"](code)[rows:], "b": decoders["b"](code)[:rows]}
        for d in "ab":
            score = trunk(fronts[d](torch.cat([x[d], fakes[d]])))
            total = total + 10 * _bce(score[:rows], 1.0) + 10 * _bce(score[rows:], 0.0)
        total.backward()  # type: ignore[union-attr]
        d_optimizer.step()
        d_optimizer.zero_grad()
        for p in d_parameters:
            p.requires_grad_(False)
        z = noisy(h)
        code = shared_g(z)
        out = {d: decoders[d](code) for d in "ab"}
        own, fake = {"a": out["a"][:rows], "b": out["b"][rows:]}, {"a": out["a"][rows:], "b": out["b"][:rows]}
        total = 0.2 * z.square().mean()
        for s, t in (("a", "b"), ("b", "a")):
            total = total + 10 * _bce(trunk(fronts[t](fake[t])), 1.0) + 100 * functional.l1_loss(own[s], x[s])
            z2 = noisy(shared_e(encoders[t](fake[t])))
            total = total + 100 * functional.l1_loss(decoders[s](shared_g(z2)), x[s]) + 0.1 * z2.square().mean()
        total.backward()
        g_optimizer.step()
        g_optimizer.zero_grad()
        for p in d_parameters:
            p.requires_grad_(True)

    return step
