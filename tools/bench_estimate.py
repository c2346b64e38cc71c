"""Expected memory against what a program takes: `python tools/bench.py estimate [--device cuda]`.

Each case runs in a process of its own, two iterations of it. `expected` is computed without the program
(`composer.estimate`); `counted` is the same count of bytes in tensors while the real program runs; `taken` is what the
allocator says: on a GPU its own highest mark, on the CPU the highest resident size of the process over what it was
before the program was built.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

LARGE = 2 * 10**9  # bytes of tensors: graphs that need more are measured at 128 pixels
STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def cases() -> list[tuple[str, dict[str, object]]]:
    """Every bundled graph as its demo, and as large as it is or as is measured in bearable time."""
    import composer
    from composer.document import bundled_graphs
    from composer.estimate import estimate as expected_memory

    found: list[tuple[str, dict[str, object]]] = [(graph, {"preset": "demo"}) for graph in bundled_graphs()]
    for graph in bundled_graphs():
        program = composer.compile(graph, device="meta")
        small = {"params.size": 128, "params.load": 143}
        found.append((graph, {"settings": small} if expected_memory(program).tensors > LARGE else {}))
    return found


def estimate(arguments: argparse.Namespace) -> list[dict[str, object]]:
    """All cases, one process each."""
    rows = []
    for graph, given in cases():
        task = json.dumps({"graph": graph, "given": given, "device": arguments.device, "threads": arguments.threads})
        done = subprocess.run([sys.executable, __file__, task], check=True, capture_output=True, text=True)
        rows.append(json.loads(done.stdout.splitlines()[-1]))
        print(rows[-1], flush=True)
    return rows


def resident(name: str = "VmRSS") -> int:
    """Bytes of the main memory that this process holds now, or held at most (`VmHWM`)."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024


def one(task: dict[str, object]) -> dict[str, object]:
    import time

    import torch

    import composer
    from composer.estimate import empty_batch, measure
    from composer.estimate import estimate as expected_memory
    from composer.machine import size
    from composer.testing.batches import batch_for

    if task["threads"]:
        torch.set_num_threads(int(str(task["threads"])))
    graph, given, device = str(task["graph"]), dict(task["given"]), torch.device(str(task["device"]))  # type: ignore[call-overload]
    started = time.process_time()
    expected = expected_memory(composer.compile(graph, device="meta", **given), device)
    seconds = time.process_time() - started
    _warm_up(device)
    before = resident()
    RESET.write_text("5")  # the highest mark is what it is now
    program = composer.compile(graph, device=device, **given)
    batch = batch_for(program)
    if device.type == "cuda":
        program.step(batch)
        torch.cuda.reset_peak_memory_stats(device)
    for _ in range(2):
        program.step([batch] * program.batches(program.iteration))
    taken = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else resident("VmHWM") - before
    counted = measure(program, [batch], device.type)
    step = expected.moments["iteration"]
    pixels = max(empty_batch(program).values(), key=lambda value: value.numel())
    return {
        "graph": graph,
        "batch": list(pixels.shape),
        "processor seconds": round(seconds, 2),
        "tensors expected": size(step),
        "tensors counted": size(counted.moments["iteration"]),
        "tensors: expected / counted": round(step / counted.moments["iteration"], 3),
        "expected": size(expected.taken(step)),
        "taken": size(taken),
        "expected / taken": round(expected.taken(step) / taken, 3),
    }


def _warm_up(device: object) -> None:
    """A first use of everything loads libraries, whose memory is not the program's."""
    import torch

    net = torch.nn.Conv2d(8, 8, 3).to(device)  # type: ignore[call-overload]
    optimizer = torch.optim.Adam(net.parameters())
    net(torch.zeros(1, 8, 16, 16, device=device)).sum().backward()  # type: ignore[call-overload]
    optimizer.step()


if __name__ == "__main__":
    print(json.dumps(one(json.loads(sys.argv[1]))))
