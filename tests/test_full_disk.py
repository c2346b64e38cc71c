"""A disk that is full at any moment: one message, exit status 2, earlier checkpoints whole, and the run goes on."""

from __future__ import annotations

import errno
import io
import os
from pathlib import Path

import pytest
from tiny_run import TINY, make_tiny, settings, start, state

from composer import checkpoint, log
from composer.cli import main

# What a run writes: a part of the file's path, and which of the writes to such files fails (the last one of a run that
# makes checkpoints of iterations 2 and 4).
WRITES = [
    ("environment.json", 1),
    ("graph.yaml", 1),
    ("plan.txt", 1),
    ("log.jsonl", 1),
    ("log.jsonl", 4),
    ("events/", 1),
    ("events/", 2),
    ("samples/", 1),
    ("samples/", 5),
    ("iteration-0000002.safetensors", 1),
    ("iteration-0000002.json", 1),
    ("iteration-0000004.safetensors", 1),
    ("iteration-0000004.json", 1),
    ("scores.json", 1),
]


class Disk:
    """Refuses the nth write to files with `part` in their path, and every later write to whatever file."""

    def __init__(self, monkeypatch, part, number):
        self.part, self.left, self.full, self.met = part, number, False, 0
        for owner, name in ((Path, "write_bytes"), (checkpoint, "save_file"), (os, "fsync")):
            monkeypatch.setattr(owner, name, self._watched(getattr(owner, name)))
        raw = io.FileIO

        class Raw(raw):
            def write(inner, data):
                self.refuse(str(inner.name))
                return super().write(data)

        monkeypatch.setattr(log, "open", lambda path, mode, buffering: Raw(path, mode), raising=False)
        monkeypatch.setattr(
            "tensorboardX.record_writer.open_file", lambda path: io.BufferedWriter(Raw(path, "wb"), buffer_size=16)
        )

    def _watched(self, function):
        def writing(*args):
            target = next(a for a in args if isinstance(a, (Path, int)))
            self.refuse(os.readlink(f"/proc/self/fd/{target}") if isinstance(target, int) else str(target))
            return function(*args)

        return writing

    def refuse(self, path):
        self.met += 1
        if self.part in path.replace(".tmp-", ""):
            self.left -= 1
        if self.full or self.left <= 0:
            self.full = True
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture(scope="module")
def method(tmp_path_factory):
    """A graph, its data, and what a run on a large disk ends with."""
    folder = tmp_path_factory.mktemp("method")
    graph, data = make_tiny(folder, TINY.replace("iterations: 8", "iterations: 4"))
    start(settings(graph, data, out=folder / "quiet", sample_every=2))
    return graph, data, state(folder / "quiet")


@pytest.mark.parametrize(("part", "number"), WRITES)
def test_a_full_disk_is_one_message(method, tmp_path, monkeypatch, capsys, part, number):
    graph, data, quiet = method
    out = tmp_path / "out"
    words = ["run", graph, "--out", str(out), "--checkpoint-every", "2", "--sample-every", "2", "--device", "cpu"]
    if part != "scores.json":  # only a run on the demo data is scored
        words += ["--data", *data, "--workers", "0"]
    with monkeypatch.context() as patched:
        disk = Disk(patched, part, number)
        assert main(words) == 2
        assert disk.full
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "Traceback" not in said
    assert "the disk is full while writing '" in said and part in said
    saved = checkpoint.saved(out / "checkpoints")
    expected = [2, 4] if part == "scores.json" else [2] if "0004" in part or (part, number) in LATE else []
    assert [c.iteration for c in saved] == expected
    assert all(checkpoint.is_whole(c) for c in saved)
    assert not [path for path in out.rglob("*") if path.name.startswith(".tmp")]
    assert main([*words, "--resume"]) == 0
    assert state(out) == quiet or part == "scores.json"


LATE = [("log.jsonl", 4), ("samples/", 5)]  # after the checkpoint of iteration 2


def test_a_line_that_the_disk_took_a_part_of_is_written_on(tmp_path, monkeypatch):
    class Short(io.FileIO):
        def write(self, data):
            return super().write(data[:7])

    monkeypatch.setattr(log, "open", lambda path, mode, buffering: Short(path, mode), raising=False)
    writing = log.Log(tmp_path / "log.jsonl")
    for iteration in range(3):
        writing.write({"iteration": iteration, "terms": {}})
    writing.close()
    monkeypatch.undo()
    assert [line["iteration"] for line in log.read(tmp_path / "log.jsonl")] == [0, 1, 2]
