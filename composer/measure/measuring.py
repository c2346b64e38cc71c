"""Measuring a subject: each picture is translated once, and everything that was asked for is computed on the way."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from composer.errors import ComposeError
from composer.measure.extractors import Extractor
from composer.measure.pairs import PAIR_METRICS, clipped
from composer.measure.perceptual import SMALLEST, Perceptual
from composer.measure.sets import Features, frechet_distance, kernel_distance
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
    extractor = instruments.extractor
    steps = subject.sources + (subject.targets if extractor else 0)

    def made_pictures() -> Iterator[Tensor]:
        """Each translation once; what concerns pairs is noted on the way."""
        for row in range(subject.sources):
            made = translated(program, subject, row, seed)
            if subject.pairs:
                true = subject.truth(subject.pairs[row])
                _check_sizes(subject, made, true)
                for name in usable:
                    found[name].append(PAIR_METRICS[name].compute(made, true))
                if perceptual is not None:
                    looks.append(_look(perceptual, made, true))
            progress(row + 1, steps)
            yield made

    def true_pictures() -> Iterator[Tensor]:
        for row in range(subject.targets):
            yield to_bytes(subject.truth(row))
            progress(subject.sources + row + 1, steps)

    of_sets: dict[str, Value] = {}
    if extractor is None:
        for _ in made_pictures():
            pass
    else:
        _check_sets(subject)
        features = extractor.features(map(to_bytes, made_pictures()), program.device)
        of_sets = _of_sets(features, extractor.features(true_pictures(), program.device), seed)
    values = {name: over_pictures(name, found[name]) for name in usable}
    if perceptual is not None:
        meaning = f"perceptual distance by {perceptual.network}, 0 for equal pictures"
        values["lpips"] = _spread("lpips", looks, True, meaning)
    return values | of_sets


def _look(perceptual: Perceptual, made: Tensor, true: Tensor) -> float:
    device = perceptual.get_buffer("shift").device
    one, other = (clipped(in_colour(picture)).float()[None].to(device) for picture in (made, true))
    with torch.no_grad():
        return float(perceptual(one, other))


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
    """[c, h, w] in [-1, 1], c 1 or 3, as uint8 [3, h, w], rounded as a file is."""
    numbers = torch.nan_to_num(clipped(in_colour(picture)))
    return ((numbers + 1) * 127.5).round().to(torch.uint8)


def _check_sets(subject: Subject) -> None:
    if subject.target.args[0] not in (1, 3):
        raise ComposeError(f"fid and kid need pictures of 1 or 3 channels, these have {subject.target.args[0]}")
    if min(subject.sources, subject.targets) < 2:
        count = f"{subject.sources} and {subject.targets}"
        raise ComposeError(f"fid and kid need at least 2 pictures of each kind, there are {count}")


def _of_sets(made: Features, true: Features, seed: int) -> dict[str, Value]:
    count = (len(made), len(true))
    kid = kernel_distance(made, true, seed=seed)
    few = f"of fewer than {FEW} pictures: compare only with the same number" if min(count) < FEW else ""
    over = f"kernel distance of features, over {kid.subsets} subsets of {kid.size}"
    details = {"subsets": kid.subsets, "subset_size": kid.size}
    return {
        "fid": Value(frechet_distance(made, true), None, count, True, "Frechet distance of features", few),
        "kid": Value(kid.mean, kid.deviation, count, True, over, details=details),
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
