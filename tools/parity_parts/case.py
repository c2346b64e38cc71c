"""A recorded case: a folder with `case.json` (what was configured) and `trace.npz` (what was recorded)."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from composer.errors import ComposeError

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Case:
    """What was recorded. Arrays are named `batch/0/x`, `loss/2/total`, `init/G/conv.weight`."""

    method: str
    name: str
    config: Mapping[str, Any]
    iterations: int
    arrays: Arrays

    @property
    def title(self) -> str:
        return f"{self.method}/{self.name}"


def read_case(folder: Path) -> Case:
    """Read the case in `folder`."""
    try:
        data = json.loads((folder / "case.json").read_text(encoding="utf-8"))
        method, config, iterations = str(data["method"]), dict(data["config"]), int(data["iterations"])
    except OSError as error:
        raise ComposeError(f"cannot read {folder / 'case.json'}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise ComposeError(f"{folder / 'case.json'} is no description of a case: {error!r}") from None
    try:
        with np.load(folder / "trace.npz", allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except OSError as error:
        raise ComposeError(f"cannot read {folder / 'trace.npz'}: {error}") from None
    except (ValueError, zipfile.BadZipFile, EOFError) as error:
        raise ComposeError(f"{folder / 'trace.npz'} is no trace: {error}") from None
    return Case(method, str(data.get("case", folder.name)), config, iterations, arrays)


@dataclass(frozen=True)
class Found:
    """A case folder and whether it was asked for, itself or by its method, not by the folder of all methods."""

    folder: Path
    method: str
    asked: bool


def find_cases(paths: Iterable[Path]) -> list[Found]:
    """The cases of case folders, of method folders and of folders of methods."""
    found: dict[Path, Found] = {}
    for path in paths:
        if (path / "case.json").is_file():
            here = [Found(path, path.resolve().parent.name, True)]
        else:
            below = sorted(file.parent for file in path.glob("*/case.json"))
            here = [Found(folder, path.resolve().name, True) for folder in below]
            if not below:
                further = sorted(file.parent for file in path.glob("*/*/case.json"))
                here = [Found(folder, folder.resolve().parent.name, False) for folder in further]
        if not here:
            raise ComposeError(f"no case in {path}", remedy="give a folder with case.json, or one of such folders")
        for one in here:
            if one.folder.resolve() not in found or one.asked:
                found[one.folder.resolve()] = one
    return list(found.values())
