"""Torchvision on machines whose torch is built for the CPU alone and whose torchvision is not.

There `import torchvision` fails with `operator torchvision::nms does not exist`: its compiled part cannot be loaded,
and the module that describes its operators asks for them by name. Declaring the two names is enough for everything
that computes without them. They are declared only after an import has failed for that reason: a torchvision that works
declares them itself, and twice would be an error.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

from composer.errors import ComposeError

_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_NAMES = ("nms", "qnms")
_declared: list[object] = []  # a library forgets its declarations when it is collected


def import_torchvision() -> None:
    """Make `import torchvision` work from here on. Raises ComposeError when it is missing or broken otherwise."""
    try:
        importlib.import_module("torchvision")
        return
    except ImportError as error:
        raise ComposeError("torchvision is not installed", remedy="pip install 'composer-translation[eval]'") from error
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise ComposeError(f"torchvision cannot be imported: {error}") from error
    import torch

    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[name]  # what the failed import left behind
    library: Any = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for name in _NAMES:
        if not hasattr(torch.ops.torchvision, name):
            library.define(f"{name}{_SCHEMA}")
    _declared.append(library)
    importlib.import_module("torchvision")
