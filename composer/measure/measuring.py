"""Measuring a subject: each picture is translated once, and everything that was asked for is computed on the way."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from composer.errors import ComposeError
from composer.measure.extractors import Extractor
from composer.measure.pairs import PAIR_METRICS, clipped
from composer.measure.perceptual import SMALLEST, Perceptual
from composer.measure.sets import SUBSETS, frechet_distance, kernel_distance
from composer.measure.subject import Subject
from composer.randomness import seed_for

FEW = 2048  # pictures: of fewer the Frechet distance says more of their number than of them


@dataclass(frozen=True)
class Value:
    """A number of the table. `deviation`: over pictures (or subsets); `count`: pictures, or made and true ones.

    `mean` is None where it is not a finite number; `said` tells what it is then.
    """

    mean: float | None
    deviation: float | None
    count: tuple[int, ...]
    less: bool
    meaning: str
    said: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Instruments:
    """What measures beside the numbers of pairs; each needs weights that a user names."""

    extractor: Extractor | None = None
    perceptual: Perceptual | None = None
    heads: str = ""


def measure(
    program: Any,
    subject: Subject,
    *,
    seed: int = 0,
    metrics: Sequence[str] = tuple(PAIR_METRICS),
    instruments: Instruments | None = None,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> dict[str, Value]:
    """The values by name: those of pairs where the truth is known, `lpips`, `fid` and `kid` where there are weights.

    Each picture goes through the program alone, in the translation's own mode, and draws from `seed` and its name, so
    no picture depends on the others or on their order. The program is left as it was.
    """
    instruments = instruments or Instruments()
    usable = [name for name in metrics if subject.pairs and not unfit(subject, name)]
    perceptual = instruments.perceptual if subject.pairs and not unfit_for_perceptual(subject) else None
    found: dict[str, list[float]] = {name: [] for name in usable}
    looks: list[float] = []
    made_bytes: list[Tensor] = []
    for row in range(subject.sources):
        made = translated(program, subject, row, seed)
        if subject.pairs:
            true = subject.truth(subject.pairs[row])
            _check_sizes(subject, made, true)
            for name in usable:
                found[name].append(PAIR_METRICS[name].compute(made, true))
            if perceptual is not None:
                device = perceptual.get_buffer("shift").device
                with torch.no_grad():
                    one, other = (clipped(p).float()[None].to(device) for p in (in_colour(made), in_colour(true)))
                    looks.append(float(perceptual(one, other)))
        if instruments.extractor is not None:
            made_bytes.append(to_bytes(made))
        progress(row + 1, subject.sources)
    values = {name: over_pictures(name, found[name]) for name in usable}
    if looks and perceptual is not None:
        meaning = f"perceptual distance by {perceptual.network}, 0 for equal pictures"
        values["lpips"] = _spread("lpips", looks, True, meaning)
    if instruments.extractor is not None:
        values |= _of_sets(program.device, subject, made_bytes, instruments.extractor, seed)
    return values


def translated(program: Any, subject: Subject, row: int, seed: int) -> Tensor:
    """The translation [c, h, w] of one source row, in [-1, 1], on the CPU."""
    own = seed_for(seed, "measure", subject.names[row])
    made = program.translate(subject.batch(row), as_=subject.translation, seed=own)[0].detach().cpu()
    return subject.signed(made)


def unfit(subject: Subject, name: str) -> str:
    """Why a metric of pairs cannot be computed on pictures of this size, or an empty text."""
    side, least = min(subject.target.args[1:]), PAIR_METRICS[name].smallest
    return f"{name} needs pictures of at least {least} pixels a side, these have {side}" if side < least else ""


def unfit_for_perceptual(subject: Subject) -> str:
    side = min(subject.target.args[1:])
    if subject.target.args[0] not in (1, 3):
        return f"lpips needs pictures of 1 or 3 channels, these have {subject.target.args[0]}"
    return f"lpips needs pictures of at least {SMALLEST} pixels a side, these have {side}" if side < SMALLEST else ""


def over_pictures(name: str, numbers: Sequence[float]) -> Value:
    """Mean and deviation of a metric of pairs over pictures."""
    metric = PAIR_METRICS[name]
    return _spread(name, numbers, metric.less, metric.meaning)


def in_colour(picture: Tensor) -> Tensor:
    """A grey picture with its channel three times."""
    return picture.expand(3, -1, -1) if len(picture) == 1 else picture


def to_bytes(picture: Tensor) -> Tensor:
    """[c, h, w] in [-1, 1] as uint8 [3, h, w], rounded as a file is."""
    if len(picture) not in (1, 3):
        raise ComposeError(f"fid and kid need pictures of 1 or 3 channels, these have {len(picture)}")
    numbers = torch.nan_to_num(clipped(in_colour(picture)))
    return ((numbers + 1) * 127.5).round().to(torch.uint8)


def _of_sets(
    device: torch.device, subject: Subject, made: Sequence[Tensor], extractor: Extractor, seed: int
) -> dict[str, Value]:
    true = [to_bytes(subject.truth(row)) for row in range(subject.targets)]
    count = (len(made), len(true))
    if min(count) < 2:
        raise ComposeError(f"fid and kid need at least 2 pictures of each kind, there are {count[0]} and {count[1]}")
    one, other = extractor.features(made, device), extractor.features(true, device)
    kid = kernel_distance(one, other, seed=seed)
    details = {"subsets": kid.subsets, "subset_size": kid.size}
    few = f"of fewer than {FEW} pictures: compare only with the same number" if min(count) < FEW else ""
    return {
        "fid": Value(frechet_distance(one, other), None, count, True, "Frechet distance of features", few),
        "kid": Value(
            kid.mean,
            kid.deviation,
            count,
            True,
            f"kernel distance of features, over {kid.subsets} subsets of {kid.size}",
            "" if kid.subsets == SUBSETS else "one subset: no deviation",
            details,
        ),
    }


def _spread(name: str, numbers: Sequence[float], less: bool, meaning: str) -> Value:
    count = (len(numbers),)
    infinite = sum(math.isinf(number) for number in numbers)
    if infinite:
        said = f"{infinite} of {len(numbers)} pictures equal their truth, so {name} is infinite"
        return Value(None, None, count, less, meaning, said)
    if any(math.isnan(number) for number in numbers):
        return Value(None, None, count, less, meaning, "the pictures hold numbers that are not finite")
    mean = math.fsum(numbers) / len(numbers)
    spread = math.fsum((number - mean) ** 2 for number in numbers)
    deviation = math.sqrt(spread / (len(numbers) - 1)) if len(numbers) > 1 else None
    return Value(mean, deviation, count, less, meaning)


def _check_sizes(subject: Subject, made: Tensor, true: Tensor) -> None:
    if made.shape != true.shape:
        raise ComposeError(
            f"translation '{subject.translation}' gives {list(made.shape)} and '{subject.target.name}' is "
            f"{list(true.shape)}: they cannot be compared",
            remedy="name another input with --target",
        )
