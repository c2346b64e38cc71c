"""The part of torch that makes a folder when it is imported, imported without that.

Every optimizer imports `torch._dynamo`, and that makes a folder for compiled kernels, `torchinductor_USER`, in the
system's temporary folder. A run writes nowhere but to its own folder, and some machines have no place else to write.
"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

import torch

_PLACE = "TORCHINDUCTOR_CACHE_DIR"


def import_dynamo() -> None:
    """Import it now, with a folder that exists as the place of its kernels; later it has the place it always has."""
    if "torch._dynamo" in sys.modules:
        return
    before = os.environ.get(_PLACE)
    os.environ[_PLACE] = before or str(Path(torch.__file__).parent)
    try:
        importlib.import_module("torch._dynamo")
    finally:
        if before is None:
            os.environ.pop(_PLACE, None)
