"""The authors' numbers in docs/cost.yaml are what loops written by hand in their order do, counted by the same hooks.

The loops (tests/recorders) are there for their numbers, not for their cost. Where they leave a discriminator unfrozen
that the authors freeze, or differ in what they wrap in no_grad, sums are compared that this does not change.
"""

from __future__ import annotations

import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from recorders import contrast, domains, latent, paired, references, shared, styles, unpaired
from torch import nn

from composer.wired import Entry

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))

import bench_cost
from call_counter import Work, counting
from cost_page import read_data, theirs

Names = dict[str, str]  # a path in what the loop trains -> the network of the graph
DOMAINS = {"a": "A", "b": "B"}
SHARED = {f"gen.encode_{D}": f"E[{d}]" for d, D in DOMAINS.items()}
SHARED |= {f"gen.decode_{D}": f"G[{d}]" for d, D in DOMAINS.items()}
SHARED |= {f"dis.model_{D}": f"front[{d}]" for d, D in DOMAINS.items()}
SHARED |= {"gen.enc_shared": "shared_E", "gen.dec_shared": "shared_G", "dis.model_S": "trunk"}
STYLES = {f"gen_{d}.enc_content": f"C[{d}]" for d in "ab"} | {f"gen_{d}.enc_style": f"S[{d}]" for d in "ab"}
STYLES |= {f"gen_{d}.dec": f"G[{d}]" for d in "ab"} | {f"dis_{d}": f"D[{d}]" for d in "ab"}
LATENT = {f"gen_{d}.enc": f"E[{d}]" for d in "ab"} | {f"gen_{d}.dec": f"G[{d}]" for d in "ab"}
LATENT |= {f"dis_{d}": f"D[{d}]" for d in "ab"} | {"vgg": "V"}
PLAIN = {"G": "G", "D": "D"}
CYCLES = {"G_A": "G[a,b]", "G_B": "G[b,a]", "D_A": "D[b]", "D_B": "D[a]"}
FOUR = {"generator": "G", "mapping_network": "F", "style_encoder": "E", "discriminator": "D"}
BOTH = {"dataset": "Both", "c2_dim": 2, "n_critic": 5}
PATCHES = {f"F.mlp_{n}": f"F[{n}]" for n in range(5)}
LOOPS: dict[str, tuple[Any, Names, dict[str, Any], int]] = {
    "pix2pix": (paired, PLAIN, {}, 1),
    "cyclegan": (unpaired, CYCLES, {}, 1),
    "unit": (shared, SHARED, {}, 1),
    "unit_code": (latent, LATENT, {"vgg_w": 1, "vgg_base_channels": 1}, 1),
    "munit": (styles, STYLES, {}, 1),
    "stargan": (domains, PLAIN, {"n_critic": 5}, 5),
    "stargan_joint": (domains, PLAIN, BOTH, 5),
    "stargan_v2": (references, FOUR, {}, 1),
    "cut": (contrast, PLAIN | PATCHES, {}, 1),
    "fastcut": (contrast, PLAIN | PATCHES, {"CUT_mode": "FastCUT"}, 1),
}
AS_THEIRS = {"unit", "unit_code", "stargan", "stargan_joint"}  # loops that waste what the authors waste
FROZEN = {"vgg"}


def by_hand(graph: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Work]:
    """The work of a mean iteration of the loop, by family; what it does after training is taken out."""
    loop, names, settings, period = LOOPS[graph]
    draw, found = loop.draw_weights, []
    if loop is contrast:
        monkeypatch.setattr(loop.Generator, "features", loop.Generator.tapped, raising=False)
        monkeypatch.setattr(loop.Generator, "tapped", lambda self, *given: Entry(self, "features")(*given))
    for iterations in (period, 2 * period):
        with counting({}) as counter:

            def noted(networks: Any, generator: Any, counter: Any = counter) -> None:
                draw(networks, generator)
                for name in set(networks) & FROZEN:
                    networks[name].requires_grad_(False)
                whole = nn.ModuleDict(networks)
                have = {path for path, _ in whole.named_modules()}
                counter.add({name: whole.get_submodule(path) for path, name in names.items() if path in have})

            monkeypatch.setattr(loop, "draw_weights", noted)
            loop.record(tmp_path / str(iterations), iterations=iterations, **settings)
        monkeypatch.setattr(loop, "draw_weights", draw)
        found.append(bench_cost.families(counter.work()))
    rows = loop.CONFIG["batch_size"]
    work = {name: (many[1] + found[0][name][1] * -1) * (1 / period) for name, many in found[1].items()}
    for one in work.values():
        one.rows /= rows
    return work


@pytest.mark.parametrize("graph", LOOPS)
def test_the_authors_numbers_are_those_of_a_loop_in_their_order(
    graph: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work, authors = by_hand(graph, tmp_path, monkeypatch), theirs(read_data()["graphs"][graph])
    assert set(work) == set(authors)
    for network, found in work.items():
        wanted = authors[network]
        if LOOPS[graph][0] is contrast and network == "F":  # as many rows as patches, of which the loop takes fewer
            found.rows = wanted.rows
        if graph in AS_THEIRS:
            compared = {f.name: (getattr(found, f.name), getattr(wanted, f.name)) for f in fields(Work)}
        else:
            compared = {
                name: (sums(found), sums(wanted))
                for name, sums in {
                    "calls": lambda one: one.calls,
                    "rows": lambda one: one.rows,
                    "slopes": lambda one: one.slopes,
                    "gradients that are stepped with": lambda one: one.weights - one.thrown,
                    "passed through": lambda one: one.inputs + one.thrown,
                    "not passed through": lambda one: one.no_graph + one.unused,
                }.items()
            }
        for name, (got, expected) in compared.items():
            assert got == pytest.approx(expected), f"{network}: {name}"
