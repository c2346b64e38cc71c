"""What the machine has left: memory of a device, space on a disk; and bytes in words."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

# Limits that a scheduler or a container sets, and the groups that this process belongs to.
GROUPS, OWN_GROUPS = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
NEW_FILES = ("memory.max", "memory.current", "inactive_file")
OLD_FILES = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")


def free_memory(device: str = "cpu") -> int | None:
    """Bytes that a program may still take on `cpu`, `cuda` or `cuda:1`; None where that cannot be known.

    Of the main memory what the system calls available, or what the limit of this group of processes leaves of it.
    """
    if device.startswith("cuda"):
        import torch

        return int(torch.cuda.mem_get_info(torch.device(device))[0]) if torch.cuda.is_available() else None
    if device != "cpu":
        return None
    found = [size for size in (_available(), _left_of_limit()) if size is not None]
    return min(found) if found else None


def free_disk(place: Path) -> int | None:
    """Bytes that may still be written to `place`, which need not exist yet."""
    for folder in (place.absolute(), *place.absolute().parents):
        if folder.exists():
            try:
                return shutil.disk_usage(folder).free
            except OSError:
                return None
    return None


def size(count: float) -> str:
    """`812 MB`, `3.4 GB`: decimal units, as disks and GPUs are sold by."""
    value, unit = float(count), "bytes"
    for larger in ("kB", "MB", "GB", "TB", "PB"):
        if abs(value) < 999.5:
            break
        value, unit = value / 1000, larger
    return f"{value:.0f} {unit}" if value >= 99.95 or unit == "bytes" else f"{value:.3g} {unit}"


def _available() -> int | None:
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            name, _, value = line.partition(":")
            if name == "MemAvailable":
                return int(value.split()[0]) * 1024
    except (OSError, ValueError, IndexError):
        pass  # not Linux, or not readable here
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def _left_of_limit() -> int | None:
    """What the limits on this group of processes, and on the groups around it, leave."""
    try:
        lines = OWN_GROUPS.read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    found = []
    for line in lines:
        _, kinds, path = line.split(":", 2)
        if kinds not in ("", "memory"):
            continue
        root = GROUPS / kinds
        own = root / path.strip("/")
        for folder in (own, *own.parents):
            left = _left_of_group(folder, *(OLD_FILES if kinds else NEW_FILES))
            if left is not None:
                found.append(left)
            if folder == root:
                break
    return min(found) if found else None


def _left_of_group(folder: Path, limit: str, used: str, droppable: str) -> int | None:
    try:
        most, now = int((folder / limit).read_text()), int((folder / used).read_text())
        stat = (folder / "memory.stat").read_text().splitlines()
    except (OSError, ValueError):
        return None  # not visible from here, or a group without a limit ("max")
    # Pages of files count as used, and are dropped when memory is short.
    dropped = next((int(line.split()[1]) for line in stat if line.split()[:1] == [droppable]), 0)
    return max(0, most - now + dropped)
