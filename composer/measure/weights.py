"""Files of weights that a user names: read without running anything in them, and told apart by their SHA-256."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from composer.errors import ComposeError


@dataclass(frozen=True)
class WeightFile:
    """What a file is. `file`: its name without folders, `standard`: it is the published one."""

    file: str
    sha256: str
    standard: bool | None = None


# The published file's SHA-256, or the first eight digits of it that its own name tells; heads are of version 0.1.
STANDARD = {
    "alex heads": "df73285e",
    "vgg heads": "a78928a0",
    "inception": "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
    "alex": "7be5be79",
    "vgg": "397923af",
}

# What is missing, in words: which file, and how it is known.
ADVICE = {
    "inception": "FID and KID need the Inception network of 2015 as PyTorch weights: the file "
    "weights-inception-2015-12-05-6726825d.pth that the project torch-fidelity publishes with its release v0.2.0 "
    f"(pytorch-fid's pt_inception-2015-12-05-6726825d.pth is the same), 95,628,359 bytes, SHA-256 "
    f"{STANDARD['inception']}. Put it anywhere and give --weights inception=PATH",
    "lpips": "LPIPS needs the weights of AlexNet (or VGG16) that torchvision publishes: alexnet-owt-7be5be79.pth, its "
    "SHA-256 begins with 7be5be79 (or vgg16-397923af.pth, 397923af); torchvision.models.AlexNet_Weights says where it "
    "is. Put it anywhere and give --weights lpips=PATH",
}


def describe(path: Path) -> WeightFile:
    """Name and SHA-256 of a file. Raises ComposeError when it cannot be read."""
    try:
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ComposeError(f"cannot read the weights '{path}': {error.strerror}") from None
    return WeightFile(path.name, digest, any(digest.startswith(known) for known in STANDARD.values()))


def read_state(path: Path) -> tuple[dict[str, Tensor], WeightFile]:
    """The tensors of a file by name (.safetensors, or what torch.save wrote), and what it is.

    A file that would run code when it is read is refused.
    """
    described = describe(path)
    found: Any = None
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            found = load_file(path)
        else:
            found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a foreign file may fail in any way
        words = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ComposeError(f"'{path}' is no file of weights that can be read: {words}") from None
    for key in ("state_dict", "model"):
        if isinstance(found, dict) and isinstance(found.get(key), dict):
            found = found[key]
    if not isinstance(found, dict) or not all(isinstance(value, Tensor) for value in found.values()):
        raise ComposeError(f"'{path}' does not hold tensors by name")
    return {str(name): value for name, value in found.items()}, described
