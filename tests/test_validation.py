"""Validation during training: it changes nothing, stops change nothing in it, and the best checkpoint is kept."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from measured_run import make_data, make_run
from tiny_run import state

from composer import checkpoint, log
from composer.errors import ComposeError
from composer.events import Event, _whole_before
from composer.measure.evaluate import EvalSettings, evaluate
from composer.measure.validation import FILE

WATCHED = {"validate_every": 2, "validate": ("l1", "psnr"), "iterations": 8, "keep": 1, "checkpoint_every": 3}


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return make_data(tmp_path_factory.mktemp("data") / "pictures", test=3)


@pytest.fixture(scope="module")
def quiet(data, tmp_path_factory) -> Path:
    """The folder of a run that was watched and never stopped."""
    root = tmp_path_factory.mktemp("quiet")
    make_run(root, data, root / "run", **WATCHED)
    return root / "run"


def watched(run: Path) -> tuple[list[dict[str, object]], dict[str, object], list[int]]:
    """What validation leaves: lines, the best one, and the checkpoints that are kept."""
    best = json.loads((run / "best.json").read_text(encoding="utf-8"))
    return list(log.read(run / FILE)), best, [one.iteration for one in checkpoint.saved(run / "checkpoints")]


def test_validation_does_not_change_training(data, quiet, tmp_path) -> None:
    make_run(tmp_path, data, tmp_path / "run", iterations=8, keep=1, checkpoint_every=3)
    assert state(tmp_path / "run") == state(quiet)
    assert not (tmp_path / "run" / FILE).exists() and not (tmp_path / "run" / "best.json").exists()


def test_lines_and_the_best_checkpoint(quiet) -> None:
    lines, best, kept = watched(quiet)
    assert [line["iteration"] for line in lines] == [2, 4, 6, 8]
    values = {line["iteration"]: line["values"]["l1"] for line in lines}  # type: ignore[index]
    assert best == {"iteration": min(values, key=values.__getitem__), "metric": "l1", "value": min(values.values())}
    assert kept == sorted({best["iteration"], 8}), "the best one and the newest"
    assert set(lines[0]["values"]) == {"l1", "psnr"}  # type: ignore[call-overload]


def test_the_line_says_what_eval_says_of_the_same_checkpoint(quiet, tmp_path) -> None:
    shutil.copytree(quiet, tmp_path / "run")
    found = evaluate(EvalSettings(tmp_path / "run", checkpoint="best"))
    lines, best, _ = watched(quiet)
    line = next(line for line in lines if line["iteration"] == best["iteration"])
    assert found["values"]["l1"]["mean"] == line["values"]["l1"]  # type: ignore[index]
    assert found["run"]["best_by"].startswith("validation l1")
    assert found["notes"] == ["the checkpoint was chosen on these same pictures: the numbers are a little too good"]


def test_stopping_and_continuing_changes_nothing(data, quiet, tmp_path) -> None:
    for iterations in (1, 3, 4, 7, 8):
        make_run(tmp_path, data, tmp_path / "run", **{**WATCHED, "iterations": iterations, "resume": True})
    assert watched(tmp_path / "run") == watched(quiet)
    assert state(tmp_path / "run") == state(quiet)
    assert scalars(tmp_path / "run") == scalars(quiet)


def scalars(run: Path) -> list[tuple[int, str, float]]:
    """What TensorBoard is told of validation, over all starts."""
    found = []
    for path in sorted((run / "events").iterdir()):
        content = path.read_bytes()
        while content:
            length = int.from_bytes(content[:8], "little")
            event = Event.FromString(content[12 : 12 + length])
            found += [(event.step, v.tag, v.simple_value) for v in event.summary.value if "validation" in v.tag]
            content = content[16 + length :]
    assert _whole_before(b"", 0) == (0, 0)
    return found


def test_tensorboard_is_told(quiet) -> None:
    steps = [step for step, tag, _ in scalars(quiet) if tag == "validation/a2b/l1"]
    assert steps == [1, 3, 5, 7]


def test_a_run_killed_before_any_change_of_its_files_keeps_its_best(data, quiet, tmp_path, monkeypatch) -> None:
    """The folder is copied before every rename, flush and removal: what `kill -9` at that moment would leave."""
    out, copies = tmp_path / "run", []

    def before(function):
        def noting(*args, **more):
            if out.exists():
                copies.append(tmp_path / f"killed-{len(copies)}")
                shutil.copytree(out, copies[-1])
            return function(*args, **more)

        return noting

    with monkeypatch.context() as patched:
        for owner, name in ((Path, "replace"), (Path, "unlink"), (os, "fsync")):
            patched.setattr(owner, name, before(getattr(owner, name)))
        make_run(tmp_path, data, out, **WATCHED)
    wanted = watched(quiet)
    assert watched(out) == wanted
    different = {_contents(copy): copy for copy in copies if (copy / "validation.jsonl").exists()}
    assert len(different) > 8
    for copy in list(different.values())[::3]:
        make_run(tmp_path, data, copy, **{**WATCHED, "resume": True})
        assert watched(copy) == wanted


def _contents(folder: Path) -> tuple[tuple[str, bytes], ...]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.parent.name in ("checkpoints", folder.name))
    return tuple(sorted((str(path.relative_to(folder)), path.read_bytes()) for path in files))


def test_said_while_training(data, tmp_path) -> None:
    said = make_run(tmp_path, data, tmp_path / "run", validate_every=2)
    assert "validation after 2 iterations: a2b  l1 " in said and "ssim" in said
    assert "(best so far)" in said


def test_what_cannot_be_validated_is_said_before_training(data, tmp_path) -> None:
    bare = make_data(tmp_path / "bare", test=0)
    unlike = make_data(tmp_path / "unlike", test=2)
    (unlike / "testB" / "scene0.png").rename(unlike / "testB" / "other.png")
    for where, more, words in (
        (bare, {}, "has no test part; name some with --test-data DIR"),
        (unlike, {}, r"needs the truth of each test picture.*1 of 2 files.*FID"),
        (data, {"validate": ("fid",)}, "'fid' cannot be measured during training; it needs weights"),
        (data, {"validate": ("l2",)}, "'l2' cannot be measured during training; known here: l1, psnr, ssim"),
        (data, {"validate_as": "b2a"}, "no translation 'b2a'"),
        (data, {"validate_every": 0, "validate": ("l1",)}, "add --validate-every N"),
    ):
        with pytest.raises(ComposeError, match=words):
            make_run(tmp_path, where, tmp_path / "run", **{"validate_every": 2, **more})  # type: ignore[arg-type]
        assert not (tmp_path / "run").exists(), "a run that cannot start leaves nothing in the way of the next try"


def test_a_best_checkpoint_outlives_the_pruning_of_others(tmp_path) -> None:
    import torch

    for iteration in (1, 2, 3, 4):
        checkpoint.save(tmp_path, iteration, {"x": torch.ones(1)}, {}, keep=1, protected=frozenset({2}))
    assert [one.iteration for one in checkpoint.saved(tmp_path)] == [2, 4]
