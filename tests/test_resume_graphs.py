"""What the bundled graphs for maps, codes and spectra keep beside weights is all there after a stop."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from data_folders import scenes
from tiny_graphs import CASES, STYLED, of
from tiny_run import make_pictures, settings

import composer
from composer import checkpoint
from composer.program import Program
from composer.testing.batches import batches_for
from composer.testing.compare import differences, train
from composer.verify_resume import verify_resume

STOP = 3
ITERATIONS = 5


@pytest.mark.parametrize(("name", "variants", "params", "kept"), CASES)
def test_a_stopped_run_is_continued_bit_for_bit(
    tmp_path: Path, name: str, variants: str, params: dict[str, Any], kept: tuple[str, ...]
) -> None:
    def compiled() -> Program:
        program = composer.compile(name, variants=variants.split(), settings=of(name, params))
        program.epoch_length = 2
        return program

    whole = compiled()
    batches = batches_for(whole, ITERATIONS)
    start, _ = whole.state()
    wanted = train(whole, batches)
    for part in kept:  # it is there, and moved
        assert any(re.search(part, n) and not torch.equal(start[n], t) for n, t in whole.state()[0].items()), part
    first = compiled()
    found = train(first, batches[:STOP], ended=False)
    checkpoint.save(tmp_path, STOP, *first.state())
    saved = checkpoint.latest(tmp_path)
    assert saved is not None
    second = compiled()
    second.load_state(*saved.load())
    found |= train(second, batches[STOP:])
    assert differences(wanted, found) == {}
    assert whole.state()[1] == second.state()[1]


@pytest.mark.parametrize(("name", "variants", "params"), [
    ("bicyclegan", "one_judge", {}), ("pix2pixhd", "features", {}), ("spade", "styled", STYLED),
    ("spectral_regularization", "paper", {}),
])  # fmt: skip
def test_verify_resume_proves_it(tmp_path: Path, name: str, variants: str, params: dict[str, Any]) -> None:
    """The command: data from files, other numbers of workers, checkpoints, logs, passes over all rows."""
    if name in ("pix2pixhd", "spade"):
        data: tuple[str, ...] = (str(scenes(tmp_path / "data", "train", ("a", "b", "c"))),)
    else:
        fields = {"bicyclegan": "ab", "spectral_regularization": "x"}[name]
        for field in fields:
            make_pictures(tmp_path / field, "picture", 3, 40, 40)
        data = tuple(f"{field}={tmp_path / field}" for field in fields)
    given = tuple(of(name, params).items())
    compared = verify_resume(settings(name, data, variants=tuple(variants.split()), settings=given), 1, 1)
    assert sum(one.count for one in compared) > 30
    assert [one for one in compared if one.different] == []
