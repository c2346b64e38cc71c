"""Where to compute, and how to get the same bits there each time."""

from __future__ import annotations

import os
import warnings

import torch

from composer.errors import ComposeError


def pick_device(name: str) -> torch.device:
    """`auto` is a GPU when there is one. ComposeError when the asked one is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ComposeError(f"unknown device '{name}'", remedy="use auto, cpu or cuda") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ComposeError("there is no CUDA device here", remedy="use --device cpu or auto")
    return device


def be_repeatable(device: torch.device) -> None:
    """Ask for the algorithms that give the same bits each time; a GPU has faster ones that do not."""
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.deterministic = True
        torch.use_deterministic_algorithms(True, warn_only=True)
        # The few that have no such algorithm (the gradient of mirrored borders) are named in docs/runs.md instead.
        warnings.filterwarnings("ignore", message=".*does not have a deterministic implementation")
