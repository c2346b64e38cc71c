"""Where the files of one field are: a folder, a pattern with wildcards, or a list with a path a line."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Sequence
from pathlib import Path

from composer.data.decode import SUFFIXES, Unreadable, listed, probe, shown
from composer.data.files import list_folders, list_images
from composer.errors import ComposeError, Place
from composer.fields import Field

TRAIN = ("train", "training")
TEST = ("test", "val", "valid", "validation", "testing")
LISTS = (".txt", ".lst", ".list")


def form_of(origin: Path) -> str:
    """`folder`, `pattern` or `list`."""
    if os.path.isdir(origin):
        return "folder"
    if is_pattern(str(origin)):
        return "pattern"
    return "list" if origin.suffix.lower() in LISTS else "folder"


def is_pattern(text: str) -> bool:
    """Whether a text has wildcards and is not the name of something that is there."""
    return glob.has_magic(text) and not os.path.exists(text)


def list_files(column: Field, origin: Path) -> list[Path]:
    """The files of a field, sorted by name, or in the order of their list. Raises ComposeError when there are none."""
    form = form_of(origin)
    if form == "pattern":
        return _by_pattern(str(origin))
    if form == "list":
        return _by_list(origin)
    found = in_folder(origin)
    if not found:
        suffixes = " ".join(sorted(SUFFIXES))
        what = "pictures" if column.kind == "image" else "maps"
        raise ComposeError(
            f"no {what} in '{shown(origin)}': it holds {contents(origin)}", remedy=f"{what} are files named {suffixes}"
        )
    return found


def in_folder(folder: Path) -> list[Path]:
    """The files in a folder and its folders, save in those that are named for tests; none where there are none."""
    return list_images(folder, recursive=True, skip=TEST)


def root_of(origin: Path) -> Path:
    """The folder that the files of an origin lie in, at any depth."""
    form = form_of(origin)
    if form == "folder":
        return origin
    if form == "list":
        return origin.parent
    start = re.split(r"[*?\[]", str(origin))[0]
    return Path(start) if start.endswith(os.sep) else Path(start).parent


def _by_pattern(pattern: str) -> list[Path]:
    matched = [Path(text) for text in glob.glob(pattern, recursive=True)]
    files = [path for path in matched if not path.is_dir() and not path.name.startswith(".")]
    found = [path for path in files if path.suffix.lower() in SUFFIXES]
    if found:
        return sorted(found)
    if files:
        raise ComposeError(
            f"'{shown(pattern)}' fits {listed([path.name for path in sorted(files)], 3)}, and none is a picture",
            remedy=f"pictures are files named {' '.join(sorted(SUFFIXES))}",
        )
    folder = root_of(Path(pattern))
    while not os.path.isdir(folder):
        folder = folder.parent
    raise ComposeError(
        f"no file fits '{shown(pattern)}'",
        remedy=f"'{shown(folder)}' holds {contents(folder)}; `**` stands for folders of any depth, case counts",
    )


def _by_list(path: Path) -> list[Path]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise ComposeError(f"cannot read the list '{shown(path)}': {error.strerror}") from None
    except UnicodeDecodeError:
        raise ComposeError(f"'{shown(path)}' is no list: it is no text in UTF-8") from None
    named = [(n, line.strip()) for n, line in enumerate(lines, start=1) if line.strip() and line.strip()[0] != "#"]
    if not named:
        raise ComposeError(f"the list '{shown(path)}' is empty", remedy="it has a path a line, relative to itself")
    found = [(number, path.parent / os.path.expanduser(name)) for number, name in named]
    missing = [(number, one) for number, one in found if not os.path.lexists(one)]
    if missing:
        names = listed((f"'{shown(one)}' (line {number})" for number, one in missing), 5)
        raise ComposeError(
            f"{len(missing)} of {len(found)} files of the list are not there: {names}",
            Place(shown(path), missing[0][0]),
            "paths are relative to the list",
        )
    wrong = [(number, one) for number, one in found if one.suffix.lower() not in SUFFIXES]
    if wrong:
        raise ComposeError(
            f"'{shown(wrong[0][1])}' is no picture",
            Place(shown(path), wrong[0][0]),
            f"pictures are files named {' '.join(sorted(SUFFIXES))}",
        )
    return [one for _, one in found]


def contents(folder: Path) -> str:
    """What a folder holds, in words."""
    folders = [f"{path.name}/ ({_inside(path)})" for path in list_folders(folder)]
    pictures = list_images(folder)
    others = [path for path in folder.iterdir() if path.is_file() and path not in set(pictures)]
    suffixes = sorted({path.suffix or path.name for path in others if not path.name.startswith(".")})
    parts = [listed(folders, 6)] if folders else []
    parts += [_pictures(pictures)] if pictures else []
    parts += [f"other files ({listed(suffixes, 5)})"] if suffixes else []
    return " and ".join(parts) or "nothing"


def _inside(folder: Path) -> str:
    pictures, folders = list_images(folder), [f"{path.name}/" for path in list_folders(folder)]
    return _pictures(pictures) if pictures else listed(folders, 4) if folders else "no pictures"


def _pictures(paths: Sequence[Path]) -> str:
    try:
        info = probe(paths[0])
    except Unreadable:
        return f"{len(paths)} pictures"
    return f"{len(paths)} pictures, {info.width} x {info.height}" if len(paths) > 1 else "1 picture"
