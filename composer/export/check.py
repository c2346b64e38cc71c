"""A written file against the program it was made from: real pictures, several sizes and batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from composer.data.decode import MODES
from composer.data.pictures import Window, crop_back, pad_to
from composer.errors import ComposeError
from composer.export.contract import Contract
from composer.export.formats import Run
from composer.export.sizes import rounded
from composer.export.trial import Port
from composer.export.wrapped import Recorder, Wrapped
from composer.nodes import Translation

TOLERANCE = 0.5  # of one of 255 levels: more is another computation, not another order of adding
BATCHES = (1, 2)


@dataclass(frozen=True)
class Difference:
    """The largest difference between file and program.

    `numbers`: in [-1, 1], before anything is rounded. `levels`: whole ones of 255, after. `sizes`: of the pictures,
    height and width.
    """

    numbers: float
    levels: int
    sizes: tuple[tuple[int, int], ...]
    batches: tuple[int, ...]

    @property
    def passes(self) -> bool:
        return self.numbers * 127.5 <= TOLERANCE

    def __str__(self) -> str:
        sizes = ", ".join(f"{h}x{w}" for h, w in self.sizes)
        rows = " and ".join(map(str, self.batches))
        levels = f"{self.levels} level{'' if self.levels == 1 else 's'} of 255"
        return f"{sizes} in batches of {rows}: the largest difference is {levels}, {self.numbers:.1e} in [-1, 1]"


@dataclass(frozen=True)
class Subject:
    """What is compared: a translation of a program and the contract of its file."""

    program: Any
    chosen: Translation
    mode: str
    wrapped: Wrapped
    contract: Contract


def compare(subject: Subject, run: Run, pictures: Sequence[Any]) -> Difference:
    """Run the file and the program on the same pictures; `pictures` are of Pillow, at least one."""
    contract = subject.contract
    batches = (contract.batch,) if contract.batch else BATCHES
    numbers, levels = 0.0, 0
    sizes = check_sizes(contract, _trained(subject))
    for number, (height, width) in enumerate(sizes):
        random = torch.Generator().manual_seed(number)
        count = max(len(pictures), max(batches))
        rows = [_row(subject, pictures[i % len(pictures)], height, width, random) for i in range(count)]
        wanted = [_by_program(subject, row) for row in rows]
        for part in (slice(i, i + n) for n in batches for i in range(0, count - n + 1, n)):
            columns = zip(contract.inputs, zip(*rows[part], strict=True), strict=True)
            # What has no rows (a coin for the whole batch) is the first row's in all.
            given = [torch.cat(column) if _has_rows(port) else column[0] for port, column in columns]
            beyond, whole = _difference(*run(given), torch.cat(wanted[part]), contract.output)
            numbers, levels = max(numbers, beyond), max(levels, whole)
    return Difference(numbers, levels, sizes, batches)


def check_sizes(contract: Contract, trained: tuple[int, int]) -> tuple[tuple[int, int], ...]:
    """The size of training, a larger one that is not square, and one that fits no step; or the only one there is."""
    if contract.size is not None:
        return (contract.size,)
    (high, wide), (height, width) = contract.steps, trained
    larger = high.padded(height + 1), wide.padded(max(width, height) + max(wide.step, width // 2) + 1)
    return (height, width), larger, (max(1, height - 3), width + 5)


def _has_rows(port: Port) -> bool:
    return bool(port.dims) and port.dims[0] in ("n", 1)


def _trained(subject: Subject) -> tuple[int, int]:
    name = subject.contract.inputs[0].source
    own = next(t for n, t in subject.program.shaped.types.items() if n.op == "input" and n.target == name)
    return own.dims[-2], own.dims[-1]


def _row(subject: Subject, picture: Any, height: int, width: int, random: torch.Generator) -> list[Tensor]:
    """One row of every input: the picture at this size, made-up labels and codes, and what is drawn for them."""
    open_sizes = {"n": 1, "h": height, "w": width}
    for group in (2, 3, 4):  # pictures of a size of their own
        open_sizes |= {f"h{group}": height + 2 * group + 1, f"w{group}": width + group}
    found: list[Tensor] = []
    for port in subject.contract.inputs:
        if port.kind == "draw":
            continue
        dims = [open_sizes[d] if isinstance(d, str) else d for d in port.dims]
        if port.kind == "image":
            found.append(_pixels(port, dims, picture))
        elif port.dtype == "int64":
            found.append(torch.randint(0, port.classes or 2, dims, generator=random))
        else:
            found.append(torch.randn(dims, generator=random))
    if len(found) < len(subject.contract.inputs):
        recorder = Recorder(generator=random)
        with torch.no_grad():
            subject.wrapped.compute(_prepared(subject, found)[0], recorder)
        found += [tensor for *_, tensor in recorder.drawn]
    return found


def _pixels(port: Port, dims: Sequence[int], picture: Any) -> Tensor:
    """A picture in the form of a port; one with other than 1 to 4 channels is made of its planes over and over."""
    in_bytes = port.dtype == "uint8"
    height, width, channels = dims[1:] if in_bytes else (dims[2], dims[3], dims[1])
    shown = picture.convert(MODES.get(channels, "RGB")).resize((width, height), Image.Resampling.BICUBIC)
    pixels = np.asarray(shown, np.uint8).reshape(height, width, -1)
    pixels = np.resize(pixels.transpose(2, 0, 1), (channels, height, width))
    found = torch.from_numpy(pixels.copy())[None]
    return found.permute(0, 2, 3, 1).contiguous() if in_bytes else found.float() / 255


def _prepared(subject: Subject, row: Sequence[Tensor]) -> tuple[dict[str, Tensor], Window]:
    """The inputs of the graph for one row, padded by what pads for `composer translate`, and where the picture is."""
    form = subject.wrapped.form
    assert form is not None
    batch: dict[str, Tensor] = {}
    window: Window | None = None
    for port, given, tensor in zip(subject.contract.inputs, subject.wrapped.givens, row, strict=False):
        if port.kind == "draw":
            continue
        if port.kind == "image":
            tensor = (tensor.permute(0, 3, 1, 2).float() / 255 if port.dtype == "uint8" else tensor) * 2 - 1
        if given.group >= 0:
            high, wide = form.steps[given.group]
            tensor, where = pad_to(tensor, high.padded(tensor.shape[-2]), wide.padded(tensor.shape[-1]))
            window = window or where
        batch[port.source] = tensor
    assert window is not None
    return batch, window


def _by_program(subject: Subject, row: Sequence[Tensor]) -> Tensor:
    """What the program gives for one row alone, in [-1, 1]: padded, translated and cropped."""
    batch, window = _prepared(subject, row)
    fed: dict[str, list[Tensor]] = {}
    for port, tensor in zip(subject.contract.inputs, row, strict=True):
        if port.kind == "draw":
            fed.setdefault(port.source, []).append(tensor)
    for name, (dims, dtype) in subject.wrapped.blank.items():
        batch.setdefault(name, torch.zeros(1, *dims, dtype=dtype))
    made = subject.program.translate(batch, subject.chosen.name, draws=fed, mode=subject.mode)
    form = subject.wrapped.form
    assert form is not None
    corner = rounded(window.top, form.out[0]), rounded(window.left, form.out[1])
    return crop_back(made, Window(*corner, rounded(window.height, form.out[0]), rounded(window.width, form.out[1])))


def _difference(found: Tensor, exact: Tensor | None, wanted: Tensor, port: Port) -> tuple[float, int]:
    """In [-1, 1] before rounding, and in whole levels after. `exact`: what a file of bytes rounds, 0 to 255."""
    levels = (wanted.double().clamp(-1, 1) + 1) * 127.5
    if port.dtype == "uint8":
        found = found.permute(0, 3, 1, 2).double()
    else:
        found = found.double() * 255
    if found.shape != levels.shape:
        shapes = f"{list(found.shape)} where the program gives {list(levels.shape)}"
        raise ComposeError(f"the exported model gives {shapes}", remedy="fix the size with --size HxW")
    whole = int((found.round() - levels.round()).abs().max()) if torch.isfinite(found).all() else 255
    unrounded = found if exact is None else exact.double()
    beyond = float((unrounded - levels).abs().max()) / 127.5
    # One level is where two numbers beside a half are rounded apart; more is no rounding, whatever was watched.
    return (beyond if beyond == beyond and whole <= 1 else max(2.0, beyond)), whole
