"""The cases of tools/learn.yaml: what a translation is given, and what it has to beat without a network.

A case gives pictures of the scenes in the styles `from` as the field `input`, what is seen in them as the fields
`maps` (`classes` or `instances`), or both. With `made_up: true` nothing is asked back: images come from noise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import learn_score
import numpy as np
import numpy.typing as npt
import torch
from learn_score import Floats, Score

from composer.data.demo_maps import class_map, instance_map

MAPS = {"classes": class_map, "instances": instance_map}
Case = Mapping[str, Any]


def cases_of(experiment: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The cases of an experiment; one with `each` stands for several, with what each of them gives."""
    for case in experiment["cases"]:
        for own in case.get("each", [{}]):
            yield {**{name: value for name, value in case.items() if name != "each"}, **own}


def size_of(program: Any, case: Case) -> int:
    """Pixels to a side of what the case gives."""
    name = case["input"] if "input" in case else next(iter(case["maps"]))
    fields = (field for stream in program.inputs.values() for field in stream.fields)
    return int(next(field for field in fields if field.name == name).args[-1])


def sources(case: Case, size: int, scenes: Sequence[Any]) -> Floats:
    """The scenes in the source styles, in turn."""
    styles = [learn_score.pictures(scenes, size, style) for style in case["from"]]
    return np.stack([styles[number % len(styles)][number] for number in range(len(scenes))])


def maps(case: Case, size: int, scenes: Sequence[Any]) -> dict[str, npt.NDArray[np.int64]]:
    """What is seen in the scenes, by field: `[n, size, size]`."""
    wanted: Mapping[str, str] = case.get("maps", {})
    return {name: np.stack([MAPS[kind](scene, size) for scene in scenes]) for name, kind in wanted.items()}


def translations(program: Any, case: Case, scenes: Sequence[Any]) -> list[Floats]:
    """Samples `[n, 3, size, size]` of the case's sources, one by one as `composer translate` does it."""
    size = size_of(program, case)
    given: dict[str, npt.NDArray[Any]] = dict(maps(case, size, scenes))
    if "input" in case:
        given[case["input"]] = sources(case, size, scenes)
    for name, style in case.get("reference", {}).items():
        given[name] = np.roll(learn_score.pictures(scenes, size, style), 5, axis=0)
    samples = []
    for number in range(case.get("samples", 1)):
        made = []
        for index in range(len(scenes)):
            batch = {name: torch.from_numpy(rows[index])[None] for name, rows in given.items()}
            for name, value in case.get("give", {}).items():
                batch[name] = torch.tensor([value], dtype=torch.int64 if isinstance(value, int) else torch.float32)
            seed = number * len(scenes) + index
            made.append(program.translate(batch, as_=case["as"], seed=seed)[0].float().numpy())
        samples.append(np.stack(made).clip(-1, 1))
    return samples


def scored(program: Any, case: Case, scenes: Sequence[Any]) -> Score:
    return _score(translations(program, case, scenes), case, scenes)


def controls(program: Any, case: Case, scenes: Sequence[Any]) -> dict[str, Score]:
    """What needs no network, `truth` first; the others are to be beaten."""
    size, made_up = size_of(program, case), case.get("made_up")
    truths = [learn_score.pictures(scenes, size, style) for style in case["to"]]
    tricks: dict[str, list[Floats]] = {"truth": truths}
    if "input" in case:
        given = sources(case, size, scenes)
        tricks["colour_map"] = [learn_score.colour_mapped(given, truth) for truth in truths]
        if not made_up:
            tricks["identity"] = [given]
    if "maps" in case:
        tricks["flat"] = [learn_score.flat(truth, scenes) for truth in truths]
    if made_up:
        tricks["mixed"] = [(truth + np.roll(truth, 1, axis=0)) / 2 for truth in truths]
        tricks["mean"] = [np.broadcast_to(truth.mean(axis=0), truth.shape) for truth in truths]
    else:
        tricks["random"] = [np.roll(truth, len(scenes) // 2, axis=0) for truth in truths]
    return {name: _score(images, case, scenes) for name, images in tricks.items()}


def _score(made: Sequence[Floats], case: Case, scenes: Sequence[Any]) -> Score:
    if case.get("made_up"):
        return learn_score.score_made_up(made, scenes, case["to"])
    return learn_score.score(made, scenes, case["to"], knows_flat="maps" in case)
