"""Networks that turn pictures into features for distances of sets, opened from a file that the user names.

Three kinds of files are known. Weights of the Inception network of 2015 are put into torch-fidelity's network, which
resizes as TensorFlow 1 did: that is the FID of papers. A TorchScript file or one of `torch.export` is any other
network: it is called with pictures uint8 [n, 3, h, w] and gives features [n, d]; whatever it does to them is inside it.
"""

from __future__ import annotations

import io
import warnings
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from composer.errors import ComposeError
from composer.measure.sets import Features
from composer.measure.weights import STANDARD, WeightFile, describe, read_state
from composer.torchvision_schemas import import_torchvision

AT_ONCE = 16  # pictures
_LAST = "fc.weight"
_LAST_SHAPE = (1008, 2048)  # with the classes of 2015


@dataclass(frozen=True)
class Extractor:
    """`call`: pictures uint8 [n, 3, h, w] to features [n, d]. `resize`: what is done to the pictures first."""

    call: Callable[[Tensor], Any]
    file: WeightFile
    network: str
    resize: str

    def features(self, pictures: Iterable[Tensor], device: torch.device) -> Features:
        """Features [n, d] of pictures uint8 [3, h, w], of which only a few are held at a time.

        Raises ComposeError when the network gives something else.
        """
        found, waiting = [], []
        for picture in pictures:
            waiting.append(picture)
            if len(waiting) == AT_ONCE:
                found.append(self._some(torch.stack(waiting).to(device)))
                waiting = []
        if waiting:
            found.append(self._some(torch.stack(waiting).to(device)))
        return np.concatenate(found)

    def _some(self, batch: Tensor) -> Features:
        try:
            with torch.no_grad():
                made = self.call(batch)
        except (RuntimeError, ValueError, TypeError) as error:
            words = str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
            raise ComposeError(f"'{self.file.file}' fails on pictures uint8 {list(batch.shape)}: {words}") from None
        made = made[0] if isinstance(made, tuple | list) and len(made) == 1 else made
        if not isinstance(made, Tensor) or made.ndim != 2 or len(made) != len(batch):
            raise ComposeError(
                f"'{self.file.file}' does not give features [n, d] for pictures [n, 3, h, w]",
                remedy="export a network that takes uint8 [n, 3, h, w] and gives one row of numbers for each",
            )
        if not bool(torch.isfinite(made).all()):
            raise ComposeError(f"'{self.file.file}' gives features that are not finite", remedy="use another network")
        return np.asarray(made.detach().cpu().double().numpy(), np.float64)


def open_extractor(path: Path, device: torch.device) -> Extractor:
    """The network in a file. Raises ComposeError: unreadable, of another kind, or torch-fidelity is missing."""
    kind = _kind(path)
    if kind == "weights":
        return _inception(path, device)
    file = describe(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # TorchScript is on its way out; files of it are still what there is
            if kind == "script":
                network: Any = torch.jit.load(str(path), map_location=device).eval()  # type: ignore[no-untyped-call]
            else:
                network = torch.export.load(path).module().to(device)
    except Exception as error:  # a foreign file may fail in any way
        words = str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
        raise ComposeError(f"'{path}' holds no network that can be loaded: {words}") from None
    return Extractor(network, file, "of the file", "none but what the network does itself")


def _kind(path: Path) -> str:
    """script, export or weights, by what a zip archive holds."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except OSError as error:
        raise ComposeError(f"cannot read '{path}': {error.strerror}") from None
    except zipfile.BadZipFile:
        return "weights"
    if any("/code/" in name for name in names):
        return "script"
    exported = ("serialized_exported_program.json", "models/model.json", "archive_format")
    return "export" if any(name.endswith(exported) for name in names) else "weights"


def _inception(path: Path, device: torch.device) -> Extractor:
    state, file = read_state(path)
    if _LAST not in state or tuple(state[_LAST].shape) != _LAST_SHAPE:
        raise ComposeError(
            f"'{path}' does not hold the Inception network of the FID",
            remedy="torchvision's Inception is another one; it is weights-inception-2015-12-05-6726825d.pth, "
            "or a TorchScript or torch.export file",
        )
    import_torchvision()
    try:
        from torch_fidelity import feature_extractor_inceptionv3 as fidelity
    except ImportError as error:
        raise ComposeError(
            "torch-fidelity is not installed: it has the network of the FID",
            remedy="pip install 'composer-translation[eval]'",
        ) from error
    # Its constructor reads a file without care; these bytes are tensors only, written a moment ago.
    written = io.BytesIO()
    torch.save(state, written)
    written.seek(0)
    try:
        network = fidelity.FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], written).to(device)
    except RuntimeError as error:
        words = " ".join(str(error).split())[:200]
        raise ComposeError(f"'{path}' does not fit the Inception network of the FID: {words}") from None
    file = WeightFile(file.file, file.sha256, file.sha256 == STANDARD["inception"])
    return Extractor(network, file, "Inception 2015, 2048 features", "bilinear to 299 x 299 as TensorFlow 1 did")
