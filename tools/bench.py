"""Measurements of speed: `python tools/bench.py overhead|start|memory|data|estimate|instances|cost|pace`.

Never part of a timed test.

Ratios are paired: the two sides take turns, so that a noisy machine hits both alike; the A/A ratio (a side against
itself) says how much noise is left.
"""

from __future__ import annotations

import argparse
import copy
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence

import bench_cost
import bench_data
import bench_estimate
import bench_instances
import bench_pace
import hand_loops
import torch
from torch import Tensor

import composer
from composer.document import bundled_graphs

TWINS = {  # what the networks of a graph are called -> its twin by hand
    frozenset({"G", "D"}): hand_loops.paired_step,
    frozenset(
        {*(f"{n}[{d}]" for n in ("E", "G", "front") for d in "ab"), "shared_E", "shared_G", "trunk"}
    ): hand_loops.shared_latent_step,
}


def twins() -> dict[str, Callable[..., hand_loops.Step]]:
    """Bundled graphs that have a twin by hand."""
    found = {}
    for graph in bundled_graphs():
        read = composer.check(graph, preset="demo").graph
        names = frozenset(read.networks)
        if names in TWINS and all(field.kind == "image" for stream in read.streams for field in stream.fields):
            found[graph] = TWINS[names]
    return found


def batch_for(program: composer.program.Program, rows: int) -> dict[str, Tensor]:  # type: ignore[name-defined]
    generator = torch.Generator().manual_seed(0)
    fields = [f for s in program.inputs.values() for f in s.fields]
    return {f.name: (torch.rand(rows, *f.args, generator=generator) * 2 - 1).to(program.device) for f in fields}


CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


def paired_ratio(left: Callable[[], None], right: Callable[[], None], pairs: int, clock: Callable[[], float]) -> float:
    """Median of time(left) / time(right) over interleaved pairs; who goes first alternates."""
    ratios = []
    for number in range(pairs):
        times = {}
        for side in ((left, right), (right, left))[number % 2]:
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            start = clock()
            side()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            times[side] = clock() - start
        ratios.append(times[left] / times[right])
    return statistics.median(ratios)


def overhead(arguments: argparse.Namespace) -> list[dict[str, object]]:
    """Compiled step against hand loop, and hand loop against its own copy."""
    rows = []
    clock = CLOCKS[arguments.clock]
    for graph, make in twins().items():
        paired = make is hand_loops.paired_step
        for size in (None, 128):
            settings: dict[str, object] = {} if size is None else {"params.size": size, "params.load": size}
            if paired and size == 128:
                settings["params.depth"] = 7
            settings["params.dropout"] = 0
            if size is not None and not paired:
                settings["params.batch"] = 1
            program = composer.compile(graph, preset="demo", settings=settings, device=arguments.device)
            batch = batch_for(program, program.training.batch)
            by_hand = [make(copy.deepcopy(program.networks)) for _ in range(2)]

            def compiled(program: object = program, batch: Mapping[str, Tensor] = batch) -> None:
                program.step(batch)  # type: ignore[attr-defined]

            sides = [compiled, lambda t=by_hand[0], b=batch: t(b), lambda t=by_hand[1], b=batch: t(b)]
            for side in sides:
                for _ in range(3):
                    side()
            ours = [paired_ratio(sides[0], sides[1], arguments.pairs, clock) for _ in range(arguments.repeats)]
            same = [paired_ratio(sides[1], sides[2], arguments.pairs, clock) for _ in range(arguments.repeats)]
            row = {
                "graph": graph,
                "size": size or program.graph.params["size"],
                "ratio": round(statistics.median(ours), 4),
                "low": round(min(ours), 4),
                "high": round(max(ours), 4),
                "same_low": round(min(same), 4),
                "same_high": round(max(same), 4),
            }
            rows.append(row)
            print(row, flush=True)
    return rows


def start(arguments: argparse.Namespace) -> list[dict[str, object]]:
    """Cold start of commands, and the time of each further file of a check."""
    rows: list[dict[str, object]] = []
    graphs = list(bundled_graphs())
    for command in (["--help"], ["check", graphs[0]], ["check", *graphs]):
        times = []
        for _ in range(arguments.repeats):
            begin = time.perf_counter()
            subprocess.run([sys.executable, "-m", "composer", *command], check=True, capture_output=True)
            times.append(time.perf_counter() - begin)
        rows.append(
            {
                "command": " ".join(command),
                "median_s": round(statistics.median(times), 3),
                "best_s": round(min(times), 3),
            }
        )
        print(rows[-1], flush=True)
    return rows


def memory(arguments: argparse.Namespace) -> list[dict[str, object]]:
    """Resident memory over many iterations of a small program: it must stay flat."""
    import resource

    small = {"params.size": 32, "params.load": 32, "params.width": 4}
    checked = {graph: composer.check(graph, preset="demo").graph for graph in bundled_graphs()}
    pooled = next(name for name, graph in checked.items() if any(node.op == "state" for node in graph.values.values()))
    program = composer.compile(pooled, preset="demo", settings=small)
    batch = batch_for(program, 1)
    rows = []
    for number in range(2001):
        program.step(batch)
        if number in (50, 1000, 2000):
            rows.append({"iteration": number, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024})
            print(rows[-1], flush=True)
    return rows


def data(arguments: argparse.Namespace) -> list[dict[str, object]]:
    """How fast data comes, and the share of a run that is computing."""
    return bench_data.data(arguments, list(twins()))


MEASURES: dict[str, Callable[[argparse.Namespace], Sequence[Mapping[str, object]]]] = {
    "overhead": overhead,
    "start": start,
    "memory": memory,
    "data": data,
    "estimate": bench_estimate.estimate,
    "instances": bench_instances.instances,
    "cost": bench_cost.cost,
    "pace": bench_pace.pace,
}
PAIRS = {"pace": 2}  # of processes, not of calls


def main(given: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=list(MEASURES))
    parser.add_argument("graphs", nargs="*", help="pace: graphs to run, as their demo (default: all bundled ones)")
    parser.add_argument("--pairs", type=int, default=0)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--clock", choices=sorted(CLOCKS), default="wall", help="cpu: of this process, one thread")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--json", default="", metavar="FILE", help="write the rows there")
    parser.add_argument("--rounds", type=int, default=3, help="cost: how often each case is measured")
    parser.add_argument("--only", choices=["counts"], help="cost: counts alone, no times")
    parser.add_argument("--write", default="", metavar="FILE", help="cost: renew the tables of this page")
    parser.add_argument("--check", default="", metavar="FILE", help="cost: fail if the page's counts are out of date")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="pace: as for composer run")
    parser.add_argument("--iterations", type=int, default=10, help="pace: timed ones of a run, after its first")
    arguments = parser.parse_args(given)
    arguments.pairs = arguments.pairs or PAIRS.get(arguments.what, 60)
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    rows = MEASURES[arguments.what](arguments)
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(rows, file, indent=1)


if __name__ == "__main__":
    main()
