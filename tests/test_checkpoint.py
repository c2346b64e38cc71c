"""Checkpoints are whole or not there, and the newest whole one is found."""

from __future__ import annotations

import errno
import json
import resource

import pytest
import torch
from safetensors import SafetensorError

from composer import checkpoint
from composer.errors import ComposeError
from composer.files import explain, remove_leftovers, replacing, write_atomically

TENSORS = {
    "weight": torch.arange(6.0).reshape(2, 3).t(),  # not contiguous
    "step": torch.tensor(7, dtype=torch.int64),
    "half": torch.tensor([1.5, -0.0], dtype=torch.bfloat16),
    "none": torch.zeros(0, 3),
    "double": torch.tensor([1 / 3, float("inf")], dtype=torch.float64),
}
META = {"iteration": 3, "rate": 0.1 + 0.2, "names": ["a", "b"], "deep": {"x": None}}


def test_gives_back_what_was_saved(tmp_path):
    made = checkpoint.save(tmp_path, 3, TENSORS, META)
    tensors, meta = made.load()
    assert meta == META
    assert tensors.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert tensors[name].dtype == tensor.dtype
        assert torch.equal(tensors[name], tensor)
    assert torch.signbit(tensors["half"])[1]


def test_keeps_the_last_ones_and_every_nth(tmp_path):
    for iteration in range(1, 12):
        checkpoint.save(tmp_path, iteration, TENSORS, {}, keep=2, keep_every=4)
    assert [c.iteration for c in checkpoint.saved(tmp_path)] == [4, 8, 10, 11]
    assert len(list(tmp_path.iterdir())) == 8


def test_one_checkpoint_is_always_kept(tmp_path):
    checkpoint.save(tmp_path, 1, TENSORS, {}, keep=0)
    assert checkpoint.latest(tmp_path).iteration == 1


def _cut(path):
    path.write_bytes(path.read_bytes()[:-1])


def _flip(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("spoil", [_cut, _flip, lambda path: path.unlink(), lambda path: path.write_bytes(b"")])
@pytest.mark.parametrize("which", ["tensors", "description"])
def test_the_newest_whole_one_is_found(tmp_path, spoil, which):
    checkpoint.save(tmp_path, 1, TENSORS, META)
    newest = checkpoint.save(tmp_path, 2, TENSORS, META)
    assert checkpoint.latest(tmp_path).iteration == 2
    path = getattr(newest, which)
    if spoil is _flip and which == "description":
        path.write_text(path.read_text().replace('"iteration": 2,', '"iteration": 3,', 1))
    else:
        spoil(path)
    assert checkpoint.latest(tmp_path).iteration == 1
    checkpoint.clear(tmp_path, after=1)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["iteration-0000001.json", "iteration-0000001.safetensors"]


def test_an_empty_or_missing_folder_has_none(tmp_path):
    assert checkpoint.latest(tmp_path) is None
    assert checkpoint.latest(tmp_path / "nowhere") is None
    checkpoint.clear(tmp_path / "nowhere")


def test_what_a_killed_process_left_is_removed(tmp_path):
    made = checkpoint.save(tmp_path, 4, TENSORS, META)
    (tmp_path / ".tmp-iteration-0000005.json").write_text("{")
    (tmp_path / ".tmpXyZ").write_text("")
    (tmp_path / "iteration-0000005.safetensors").write_bytes(made.tensors.read_bytes())
    (tmp_path / "notes.txt").write_text("mine")
    checkpoint.clear(tmp_path, after=4)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "iteration-0000004.json",
        "iteration-0000004.safetensors",
        "notes.txt",
    ]


def test_a_full_disk_leaves_earlier_checkpoints_whole(tmp_path, monkeypatch):
    checkpoint.save(tmp_path, 1, TENSORS, META)
    before = sorted(p.name for p in tmp_path.iterdir())

    def full(tensors, path):
        path.write_bytes(b"half of it")
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(OSError, match="No space left") as caught:
        checkpoint.save(tmp_path, 2, TENSORS, META)
    assert caught.value.errno == errno.ENOSPC
    assert "the disk is full" in str(explain(caught.value))
    assert sorted(p.name for p in tmp_path.iterdir()) == before
    assert checkpoint.latest(tmp_path).iteration == 1


def test_a_file_that_the_system_cuts_short_is_no_checkpoint(tmp_path):
    checkpoint.save(tmp_path, 1, TENSORS, META)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        with pytest.raises(OSError, match="too large") as caught:
            checkpoint.save(tmp_path, 2, {"large": torch.zeros(100_000)}, META)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.errno == errno.EFBIG
    assert [c.iteration for c in checkpoint.saved(tmp_path)] == [1]
    assert checkpoint.latest(tmp_path).iteration == 1


def test_tensors_that_share_memory_are_refused_and_leave_nothing(tmp_path):
    shared = torch.zeros(3)
    with pytest.raises(RuntimeError, match="share memory"):
        checkpoint.save(tmp_path, 1, {"a": shared, "b": shared}, {})
    assert list(tmp_path.iterdir()) == []


def test_numbers_that_are_not_finite_are_no_json(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        checkpoint.save(tmp_path, 1, TENSORS, {"rate": float("nan")})
    assert checkpoint.latest(tmp_path) is None


def test_a_file_is_replaced_as_a_whole(tmp_path):
    target = tmp_path / "plan.txt"
    write_atomically(target, "first")
    with pytest.raises(KeyError), replacing(target) as temporary:
        temporary.write_text("half")
        raise KeyError
    assert target.read_text() == "first"
    assert list(tmp_path.iterdir()) == [target]
    assert json.dumps(target.stat().st_mode & 0o044) != "0"  # others may read it


def test_a_real_full_device_is_said_in_words(tmp_path):
    (tmp_path / ".tmp-x").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space") as caught:
        write_atomically(tmp_path / "x", "text" * 10000)
    assert "--resume" in str(explain(caught.value))
    remove_leftovers(tmp_path)
    assert list(tmp_path.iterdir()) == []


# -- which one ---------------------------------------------------------------------------------------------------


@pytest.fixture
def run(tmp_path):
    """The folder of a run with checkpoints of 10, 20 and 30 iterations, of which validation found that of 20 best."""
    for iteration in (10, 20, 30):
        checkpoint.save(tmp_path / "checkpoints", iteration, TENSORS, {})
    (tmp_path / "best.json").write_text('{"iteration": 20, "metric": "l1", "value": 0.5}')
    return tmp_path


@pytest.mark.parametrize(("which", "iteration"), [("latest", 30), ("best", 20), ("10", 10), ("0010", 10)])
def test_a_checkpoint_is_chosen(run, which, iteration):
    assert checkpoint.chosen(run, which).iteration == iteration
    assert checkpoint.chosen(run).iteration == 30


def test_what_is_not_there_is_refused_with_what_is(run):
    for which, words in (
        ("15", r"has no checkpoint of iteration 15; there are: 10, 20, 30 \(best: 20\)"),
        ("newest", "'newest' is no checkpoint; best, latest, or one of: 10, 20, 30"),
        ("-1", "'-1' is no checkpoint"),
    ):
        with pytest.raises(ComposeError, match=words):
            checkpoint.chosen(run, which)
    _flip(run / "checkpoints/iteration-0000020.safetensors")
    with pytest.raises(ComposeError, match=r"the checkpoint of iteration 20 in '.*' is damaged; there are: 10, 20, 30"):
        checkpoint.chosen(run, "best")
    (run / "best.json").write_text('{"iteration": 40}')
    with pytest.raises(ComposeError, match="has no checkpoint of iteration 40"):
        checkpoint.chosen(run, "best")
    (run / "best.json").write_text("{")
    with pytest.raises(ComposeError, match=r"best\.json' cannot be read"):
        checkpoint.chosen(run, "best")
    assert checkpoint.protected(run) == frozenset()
    (run / "best.json").unlink()
    with pytest.raises(ComposeError, match="has no best checkpoint: nothing was validated; there are: 10, 20, 30"):
        checkpoint.chosen(run, "best")
    with pytest.raises(ComposeError, match="has no whole checkpoint yet"):
        checkpoint.chosen(run / "nowhere")


def test_the_best_one_is_never_removed(run):
    folder = run / "checkpoints"
    for iteration in (40, 50, 60):
        checkpoint.save(folder, iteration, TENSORS, {}, keep=2, protected=checkpoint.protected(run))
    assert [c.iteration for c in checkpoint.saved(folder)] == [20, 50, 60]
