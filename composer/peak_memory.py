"""The most memory that training took at any time: of the GPU where one computes, else of this process."""

from __future__ import annotations

import sys
from pathlib import Path

import torch

STATUS = Path("/proc/self/status")


def start_watching(device: torch.device) -> None:
    """Begin a new peak, where the device counts one."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def peak_memory(device: torch.device) -> dict[str, int | str]:
    """`peak_memory` in bytes and whose it is; nothing where the system does not say.

    On a GPU: what tensors took. Otherwise what the process took of the machine's memory, with Python and all
    libraries, and without the processes that load data.
    """
    if device.type == "cuda":
        return {"peak_memory": torch.cuda.max_memory_allocated(device), "memory_of": "gpu"}
    found = _peak_of_process()
    return {"peak_memory": found, "memory_of": "process"} if found else {}


def _peak_of_process() -> int:
    try:
        # Other counts of Linux go on from the process that started this one.
        for line in STATUS.read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        return _counted()
    return _counted()


def _counted() -> int:
    try:
        import resource
    except ImportError:
        return 0  # not on this system
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
