"""One process a run: a lock on its folder, which the system gives back when the process ends, in whatever way.

`run.lock` is held with `flock` and says who holds it. The file alone means nothing: what `kill -9` leaves of it holds
nobody up. Linux passes `flock` on to the server of a network folder (NFS), so it also holds between machines. Where a
file system has no locks, a process that lives on this machine is respected; of another machine nothing can be known.
"""

from __future__ import annotations

import contextlib
import datetime
import errno
import json
import os
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from composer.errors import ComposeError

NAME = "run.lock"
_HELD = (errno.EAGAIN, errno.EACCES)  # the second one is how some network folders say it
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)


def refuse_several_processes(environment: Mapping[str, str]) -> None:
    """A ComposeError under launchers such as torchrun that start one run as several processes."""
    size = environment.get("WORLD_SIZE", "")
    if size.isdigit() and int(size) > 1:
        rank = environment.get("RANK", "?")
        raise ComposeError(
            f"this is process {rank} of {size} (WORLD_SIZE={size}), and one run is one process so far",
            remedy="start it without the launcher: composer run ...; other seeds or graphs may run beside it",
        )


@contextlib.contextmanager
def held(folder: Path) -> Iterator[str]:
    """Hold the lock of a run's folder; gives what the user should know of it, mostly "".

    A ComposeError that names the holder when another process has it.
    """
    path = folder / NAME
    handle, note = _take(path)
    try:
        with contextlib.suppress(OSError):  # on a full disk it holds without words
            os.truncate(handle, 0)
            os.pwrite(handle, json.dumps(_self()).encode() + b"\n", 0)
        yield note
    finally:
        # While it is held: whoever opened this file before finds, once it has the lock, that it is not there any more.
        path.unlink(missing_ok=True)
        os.close(handle)


def _take(path: Path) -> tuple[int, str]:
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            locked = _lock(handle)
            if locked is None:
                raise _refusal(path, _read(handle))
            if _is_file(handle, path):
                return handle, "" if locked else _without_locks(path, _read(handle))
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)  # the holder ended between our opening and our locking, and took the file with it


def _lock(handle: int) -> bool | None:
    """True: ours now; None: somebody else's; False: there are no locks here."""
    try:
        import fcntl
    except ImportError:
        return False  # not a POSIX system
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _HELD:
            return None
        if error.errno in _NO_LOCKS:
            return False
        raise
    return True


def _is_file(handle: int, path: Path) -> bool:
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    mine = os.fstat(handle)
    return (mine.st_ino, mine.st_dev) == (there.st_ino, there.st_dev)


def _without_locks(path: Path, holder: dict[str, Any]) -> str:
    """For file systems without locks: refuse while the last holder lives on this machine, else say what is unknown."""
    born = _born(holder.get("pid")) if holder.get("host") == socket.gethostname() else ""
    if born and born == holder.get("born"):
        raise _refusal(path, holder)
    note = f"'{path.parent}' is on a file system without locks: see to it that no other process uses it"
    return f"{note} (last: {_words(holder)})" if holder else note


def _refusal(path: Path, holder: dict[str, Any]) -> ComposeError:
    return ComposeError(
        f"'{path.parent}' is in use by {_words(holder)}",
        remedy="wait for it or stop it (it then makes a checkpoint), or name another folder with --out",
    )


def _words(holder: dict[str, Any]) -> str:
    if not holder:
        return "another process"
    return f"process {holder.get('pid')} on {holder.get('host')}, since {holder.get('since')}"


def _self() -> dict[str, Any]:
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    return {"pid": os.getpid(), "host": socket.gethostname(), "since": now, "born": _born(os.getpid())}


def _born(process: Any) -> str:
    """When a living process of this machine was started, in a form that no later one of the same number has."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        # Fields are counted behind the program's name, which may hold anything.
        return f"{boot}/{Path(f'/proc/{process}/stat').read_text().rpartition(')')[2].split()[19]}"
    except (OSError, IndexError):
        return ""


def _read(handle: int) -> dict[str, Any]:
    os.lseek(handle, 0, os.SEEK_SET)
    try:
        found = json.loads(os.read(handle, 4096))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
