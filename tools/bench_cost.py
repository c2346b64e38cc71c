"""What an iteration costs: `python tools/bench.py cost [--write FILE | --check FILE] [--only counts] [--json FILE]`.

Counts: the emitted step of every bundled graph runs with the graph's own defaults on the meta device, where tensors
have shapes and no numbers, and hooks count what it does with its networks (`call_counter`). They are exact, the same
on every machine, and stand beside the authors' numbers, which docs/cost.yaml derives. Times and memory: every case
runs in fresh processes of one thread, round after round, so that a busy hour of the machine hits all alike.

FILE is a page with two places, `<!-- counts -->` and `<!-- times -->`, each up to the next `<!-- end -->`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from call_counter import Work, counting
from cost_page import counts_text, placed, read_data, times_text

import composer
from composer.document import bundled_graphs

LOOK = 240  # iterations in which a period of the phases is looked for
MOST_ITERATIONS = 24  # that one process measures
ENOUGH = 3.0  # seconds of processor time after which a process measures no further period

# -- counts ---------------------------------------------------------------------------------------------------------


def phases_of_a_period(program: Any) -> list[Any]:
    """The phases of each iteration until they repeat; of `LOOK` iterations where they do not."""
    sets = [program.active(number) for number in range(LOOK)]
    period = next((p for p in range(1, LOOK // 2) if sets[p:] == sets[:-p]), LOOK)
    return sets[:period]


def shares_of_iterations(program: Any) -> dict[int, float]:
    """An iteration for each set of phases that run together, and what share of the iterations is like it."""
    found = phases_of_a_period(program)
    return {found.index(one): found.count(one) / len(found) for one in dict.fromkeys(found)}


def count(program: Any, batch: Mapping[str, Any]) -> dict[str, Work]:
    """Work of a mean iteration by network; rows in batches, the passes over the data left out."""
    for one in (*program.due_passes(False), *program.due_passes(True)):
        program.run_pass(one.name, [batch])
    program.passing.done = set(program.passes)
    found: dict[str, Work] = {}
    averages = {f"average of {name}": network for name, network in program.averages.items()}
    for number, share in shares_of_iterations(program).items():
        program.iteration = number
        with counting({**program.networks, **averages}) as counter:
            program.step([batch] * program.batches(number))
        for name, work in counter.work().items():
            found[name] = found.get(name, Work()) + work * share
    for work in found.values():
        work.rows /= program.training.batch
    return found


def families(work: Mapping[str, Work]) -> dict[str, tuple[int, Work]]:
    """`G[a,b]` and `G[b,a]` together as `G`: how many there are, and their work."""
    found: dict[str, tuple[int, Work]] = {}
    for name, one in work.items():
        start, _, rest = name.partition("[")
        family = start + rest.rpartition("]")[2]
        number, before = found.get(family, (0, Work()))
        found[family] = number + 1, before + one
    return found


def counts(graph: str) -> dict[str, tuple[int, Work]]:
    """What a bundled graph does at its defaults, by family of networks."""
    from composer.estimate import empty_batch
    from composer.live_bytes import LiveBytes

    program = composer.compile(graph, device="meta")
    batch = empty_batch(program)
    with LiveBytes("meta"):  # answers code that asks a tensor for its number
        return families(count(program, batch))


# -- times and memory -----------------------------------------------------------------------------------------------


def cases(data: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every bundled graph as its demo, and those with `settings` in the data with these."""
    yield from ({"graph": graph, "given": {"preset": "demo"}, "name": "demo"} for graph in bundled_graphs())
    for graph, entry in data["graphs"].items():
        if "settings" in entry:
            yield {"graph": graph, "given": {"settings": entry["settings"]}, "name": "wide"}


def one(task: Mapping[str, Any]) -> dict[str, Any]:
    """Measure one case in this process: seconds of the processor for a mean iteration, and memory."""
    import time

    import torch

    from composer.peak_memory import peak_memory
    from composer.testing.batches import batch_for

    torch.set_num_threads(1)
    program = composer.compile(task["graph"], **task["given"])
    batch = batch_for(program)
    period = len(phases_of_a_period(program))
    times: list[float] = []
    while len(times) < 3 or (len(times) * period < MOST_ITERATIONS and sum(times) * period < ENOUGH):
        warming = program.iteration == 0
        start = time.process_time()
        for _ in range(period):
            program.step([batch] * program.batches(program.iteration))
        if not warming:  # the first ones load libraries and make the state of optimizers
            times.append((time.process_time() - start) / period)
    peak = peak_memory(torch.device("cpu"))
    return {
        "graph": task["graph"],
        "name": task["name"],
        "batch": [program.training.batch, max(f.args[-1] for s in program.inputs.values() for f in s.fields)],
        "seconds": statistics.median(times),
        "process": peak.get("peak_memory", 0),
    }


def measure(data: Mapping[str, Any], rounds: int) -> list[dict[str, Any]]:
    """All cases, `rounds` times in turn, each in a fresh process."""
    from composer.estimate import estimate

    rows: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for _ in range(rounds):
        for task in cases(data):
            done = subprocess.run([sys.executable, __file__, json.dumps(task)], capture_output=True, text=True)
            if done.returncode:
                raise SystemExit(f"{task}: {done.stderr[-2000:]}")
            rows.setdefault((task["graph"], task["name"]), []).append(json.loads(done.stdout.splitlines()[-1]))
            print(rows[task["graph"], task["name"]][-1], flush=True)
    found = []
    for task, same in zip(cases(data), rows.values(), strict=True):
        expected = estimate(composer.compile(task["graph"], device="meta", **task["given"]))
        seconds = sorted(row["seconds"] for row in same)
        spread = {"seconds": statistics.median(seconds), "fastest": seconds[0], "slowest": seconds[-1]}
        memory = {"tensors": expected.moments["iteration"], "process": max(row["process"] for row in same)}
        found.append({**same[0], **spread, **memory})
    return found


def cost(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Count, measure, and write or check the page."""
    data = read_data()
    counted = {graph: counts(graph) for graph in bundled_graphs()}
    text = counts_text(data, counted)
    if arguments.check:
        page = Path(arguments.check).read_text(encoding="utf-8")
        if placed(page, "counts", text) != page:
            raise SystemExit(f"{arguments.check} is out of date: python tools/bench.py cost --write {arguments.check}")
        print(f"{arguments.check}: the counts are up to date")
        return []
    print(text, flush=True)
    rows = [] if arguments.only == "counts" else measure(data, arguments.rounds)
    timed = times_text(rows, arguments.rounds) if rows else ""
    print(timed)
    if arguments.write:
        path = Path(arguments.write)
        page = placed(path.read_text(encoding="utf-8"), "counts", text)
        path.write_text(placed(page, "times", timed) if timed else page, encoding="utf-8")
    found = {graph: {name: asdict(work) for name, (_, work) in ours.items()} for graph, ours in counted.items()}
    return [*({"graph": graph, "counts": work} for graph, work in found.items()), *rows]


if __name__ == "__main__":
    print(json.dumps(one(json.loads(sys.argv[1]))))
