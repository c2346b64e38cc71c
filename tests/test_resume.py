"""A run that was stopped, in whatever way and as often as one likes, is the run that was not."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
import torch
from tiny_run import ROOT, command, make_tiny, settings, start, state

from composer import checkpoint, files, log
from composer.cli import main
from composer.interrupt import SIGNALS
from composer.program import Program
from composer.verify_resume import compare, same_bits, verify_resume


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return make_tiny(tmp_path_factory.mktemp("method"))


@pytest.fixture(scope="module")
def quiet(tiny, tmp_path_factory):
    """What an uninterrupted run of eight iterations ends with."""
    out = tmp_path_factory.mktemp("quiet") / "out"
    start(settings(*tiny, out=out))
    return state(out)


@pytest.mark.parametrize("stops", [(1,), (2,), (3, 5), (1, 2, 3, 4, 5, 6, 7)])
def test_stopping_and_continuing_changes_nothing(tiny, quiet, tmp_path, stops):
    for iterations in (*stops, 8):
        torch.manual_seed(iterations)  # nothing may depend on a global generator
        start(settings(*tiny, out=tmp_path / "out", iterations=iterations, resume=True, checkpoint_every=100))
    assert state(tmp_path / "out") == quiet


def test_continuing_a_finished_run_changes_nothing(tiny, quiet, tmp_path):
    for _ in range(2):
        status, said = start(settings(*tiny, out=tmp_path / "out", resume=True))
    assert status == 0
    assert "continued at iteration 8 of 8" in said
    assert state(tmp_path / "out") == quiet


@pytest.mark.parametrize("workers", [(0, 2), (1, 0)])
def test_the_number_of_workers_changes_nothing(tiny, quiet, tmp_path, workers):
    for number, iterations in zip(workers, (3, 8), strict=True):
        start(settings(*tiny, out=tmp_path / "out", iterations=iterations, resume=True, workers=number))
    assert state(tmp_path / "out") == quiet


def test_a_run_killed_before_any_change_of_its_files_is_continued(tiny, quiet, tmp_path, monkeypatch):
    """The folder is copied before every rename, flush and removal: what `kill -9` at that moment would leave."""
    out, copies = tmp_path / "out", []

    def before(function):
        def noting(*args, **more):
            if out.exists():
                copies.append(tmp_path / f"killed-{len(copies)}")
                shutil.copytree(out, copies[-1])
            return function(*args, **more)

        return noting

    with monkeypatch.context() as patched:
        for owner, name in ((Path, "replace"), (Path, "unlink"), (os, "fsync"), (checkpoint, "save_file")):
            patched.setattr(owner, name, before(getattr(owner, name)))
        start(settings(*tiny, out=out, checkpoint_every=3, keep=1))
    assert len(copies) > 40
    different = {_contents(copy): copy for copy in copies}
    for copy in different.values():
        start(settings(*tiny, out=copy, resume=True, checkpoint_every=3, keep=1, sample_every=0))
        assert state(copy) == quiet
        assert not [path for path in copy.rglob("*") if path.name.startswith(files.TEMPORARY)]
        assert len(list((copy / "checkpoints").iterdir())) == 2


def _contents(folder: Path) -> tuple[tuple[str, int], ...]:
    """Names and sizes tell the moments of a run apart, except for a flush that changed nothing one can see."""
    return tuple(sorted((p.relative_to(folder).as_posix(), p.stat().st_size) for p in folder.rglob("*") if p.is_file()))


def test_kill_9_at_any_moment_with_other_workers(tiny, quiet, tmp_path):
    """The same command line in a process of its own, killed a few times, until it is done."""
    graph, data = tiny
    out, chance = tmp_path / "out", random.Random(5)
    words = ["run", graph, "--data", *data, "--out", str(out), "--resume", "--checkpoint-every", "1", "--device", "cpu"]
    for workers in (0, 2):
        process = _start([*words, "--workers", str(workers), "--iterations", "100000"])
        # Killed at some moment after the run is under way.
        reached = len(list(log.read(out / "log.jsonl"))) + 3
        _until(lambda reached=reached: len(list(log.read(out / "log.jsonl"))) >= reached, process)
        time.sleep(chance.random() / 5)
        process.kill()
        process.wait()
    done = checkpoint.latest(out / "checkpoints")
    assert done is not None
    ended = done.iteration + 2
    start(settings(*tiny, out=out, resume=True, iterations=ended))
    start(settings(*tiny, out=tmp_path / "whole", iterations=ended))
    assert state(out) == state(tmp_path / "whole")
    assert [line["iteration"] for line in log.read(out / "log.jsonl")] == list(range(ended))


def test_sigterm_ends_a_process_with_143_and_its_workers(tiny, tmp_path):
    graph, data = tiny
    out = tmp_path / "out"
    process = _start(
        [
            "run",
            graph,
            "--data",
            *data,
            "--out",
            str(out),
            "--iterations",
            "100000",
            "--workers",
            "1",
            "--device",
            "cpu",
        ]
    )
    _until(lambda: len(list(log.read(out / "log.jsonl"))) >= 3, process)
    (worker,) = (int(one) for one in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split())
    for name in SIGNALS:  # a cluster sends them to every process of a job
        os.kill(worker, getattr(signal, name))
    process.send_signal(signal.SIGTERM)
    said, errors = process.communicate(timeout=60)
    assert process.returncode == 143
    assert errors == ""
    assert "\x1b" not in said
    done = checkpoint.latest(out / "checkpoints").iteration
    assert f"stopped at iteration {done}" in said
    assert len(list(log.read(out / "log.jsonl"))) == done
    assert not Path(f"/proc/{worker}").exists()


def _start(words: list[str]) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command(*words), env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def _until(condition, process: subprocess.Popen[str], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.01)


# -- verify-resume -----------------------------------------------------------------------------------------------


def test_verify_resume_proves_it(tiny, capsys):
    graph, data = tiny
    assert main(["verify-resume", graph, "--data", *data, "--iterations", "2", "2", "--device", "cpu"]) == 0
    said = capsys.readouterr().out
    for words in ("tensors of networks", "tensors of states", "log lines", "the same, bit for bit"):
        assert words in said


@pytest.mark.parametrize("lost", ["states/", "averages/", "optimizers/"])
def test_verify_resume_finds_what_is_not_saved(tiny, capsys, monkeypatch, lost):
    """A planted fault: what belongs to a checkpoint is left as a new program has it."""
    load = Program.load_state

    def forgetting(self, tensors, meta):
        own, _ = self.state()
        load(self, {n: own.get(n, torch.zeros_like(t)) if n.startswith(lost) else t for n, t in tensors.items()}, meta)

    monkeypatch.setattr(Program, "load_state", forgetting)
    graph, data = tiny
    assert main(["verify-resume", graph, "--data", *data, "--iterations", "3", "2", "--device", "cpu"]) == 1
    assert "the runs differ" in capsys.readouterr().out


def test_verify_resume_finds_global_generators(tiny, monkeypatch):
    step = Program.step

    def careless(self, batch, draws=None):
        return step(self, [{n: v + 1e-3 * torch.rand(()) for n, v in one.items()} for one in batch], draws)

    monkeypatch.setattr(Program, "step", careless)
    assert any(one.different for one in verify_resume(settings(*tiny), 1, 1))


def test_bits_are_compared(tmp_path):
    nan = torch.tensor([float("nan"), 0.0])
    assert same_bits(nan, nan.clone())
    assert not same_bits(torch.tensor([0.0]), torch.tensor([-0.0]))
    assert not same_bits(torch.zeros(2), torch.zeros(2, dtype=torch.float64))
    assert not same_bits(torch.zeros(2), torch.zeros(1, 2))
    for name in ("one", "other"):
        checkpoint.save(tmp_path / name / "checkpoints", 1, {"networks/x": torch.zeros(2), f"only/{name}": nan}, {})
    found = {one.what: one for one in compare(tmp_path / "one", tmp_path / "other")}
    assert found["tensors of networks"].different == ()
    assert found["tensors of only"].different == ("only/one", "only/other")
