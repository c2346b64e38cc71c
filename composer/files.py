"""Files that are either whole or not there.

Whatever a run leaves behind is written under a temporary name in the same folder, flushed to the disk and
renamed, so that a `kill -9` or a full disk at any moment leaves the previous file as it was. Temporary names
start with `.tmp`, which is how leftovers are recognised.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from composer.errors import ComposeError

TEMPORARY = ".tmp"  # safetensors writes `.tmpXXXXXX` of its own beside the file, so the prefix is the same
DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextlib.contextmanager
def naming(path: Path, temporary: Path | None = None) -> Iterator[None]:
    """Within it an error of the system says which file it is about; writing to an open file does not by itself."""
    try:
        yield
    except OSError as error:
        if error.filename is None or str(error.filename) == str(temporary):
            error.filename = str(path)
        raise


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path to write; when the block ends well it is flushed and becomes `path`.

    >>> with replacing(Path("notes.txt")) as temporary:   # doctest: +SKIP
    ...     temporary.write_text("whole or not at all")
    """
    temporary = path.with_name(f"{TEMPORARY}-{path.name}")
    try:
        with naming(path, temporary):
            yield temporary
            with open(temporary, "rb+") as file:
                os.fsync(file.fileno())
            temporary.chmod(0o666 & ~_umask())  # libraries create private files; a run folder is shared like any other
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    with naming(path):
        sync_folder(path.parent)


def write_atomically(path: Path, content: str | bytes) -> None:
    """Make `path` hold `content`; text is written as UTF-8."""
    with replacing(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries, so that a renamed file is found after a power cut."""
    if os.name != "posix":
        return  # other systems cannot open a folder for this
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove_leftovers(folder: Path) -> None:
    """Remove what a killed process left half written in `folder`."""
    if folder.is_dir():
        for path in folder.iterdir():
            if path.name.startswith(TEMPORARY) and path.is_file():
                path.unlink(missing_ok=True)


def explain(error: OSError) -> ComposeError:
    """An error of the file system in the words of this project."""
    where = f"'{error.filename}'" if error.filename else "a file"
    if error.errno in DISK_FULL:
        return ComposeError(
            f"the disk is full while writing {where}",
            remedy="free some space and continue with --resume; what was saved before is whole",
        )
    return ComposeError(f"{where}: {error.strerror or error}")


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
