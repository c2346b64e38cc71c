"""How a run is stopped: signals, wall time, a second process, launchers of several processes."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch
from tiny_run import ROOT, make_tiny, settings, start, state

from composer import checkpoint, finite, run_lock
from composer.cli import main
from composer.display import Plain
from composer.errors import ComposeError
from composer.interrupt import SIGNALS, Interrupts, continuing, importing
from composer.program import Program
from composer.run import run
from composer.run_settings import read_graph
from composer.wall_time import TIME_IS_UP, Deadline, seconds


@pytest.fixture
def tiny(tmp_path):
    return make_tiny(tmp_path / "method")


def words(tiny, out, *more):
    graph, data = tiny
    fixed = ["--device", "cpu", "--workers", "0", "--sample-every", "0"]
    return ["run", graph, "--data", *data, "--out", str(out), *fixed, *more]


# -- signals -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SIGNALS)
def test_every_signal_that_asks_to_stop_ends_with_a_checkpoint(tiny, tmp_path, monkeypatch, name):
    number = getattr(signal, name)
    before = signal.getsignal(number)
    monkeypatch.setattr(Program, "step", _then(Program.step, 3, lambda: os.kill(os.getpid(), number)))
    status, said = start(settings(*tiny, out=tmp_path / "out", checkpoint_every=0, sample_every=0))
    assert status == 128 + number
    assert f"{name}: saving a checkpoint, then leaving" in said
    assert checkpoint.latest(tmp_path / "out/checkpoints").iteration == 4
    assert signal.getsignal(number) == before
    assert not (tmp_path / "out/run.lock").exists()


def _then(step, iteration, act):
    """`Program.step` that does something while it trains `iteration`."""

    def stepping(self, *args, **more):
        if self.iteration == iteration:
            act()
        return step(self, *args, **more)

    return stepping


def test_the_first_signal_says_how_it_ends():
    with Interrupts() as asked:
        os.kill(os.getpid(), signal.SIGUSR1)
        os.kill(os.getpid(), signal.SIGTERM)
        assert (asked.status, asked.name) == (138, "SIGUSR1")


def test_a_signal_before_training_leaves_at_once(tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("composer.run.prepare_data", lambda *_: os.kill(os.getpid(), signal.SIGUSR1))
    assert main(words(tiny, tmp_path / "out")) == 138
    assert capsys.readouterr().err == "stopped by SIGUSR1\n"
    assert not (tmp_path / "out").exists()


def test_ctrl_c_while_libraries_are_imported():
    code = (
        "import os, signal; from composer.interrupt import importing\n"
        "try:\n    with importing(): os.kill(os.getpid(), signal.SIGINT)\n"
        "except BaseException: print('swallowed')"
    )
    done = subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": str(ROOT)}, capture_output=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"interrupted\n")
    with importing():
        assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("where", ["replace", "fsync"])
def test_a_second_ctrl_c_while_saving_does_no_harm(tiny, tmp_path, monkeypatch, where):
    """The first one comes in iteration 3, the second one while the checkpoint that it asked for is written."""
    start(settings(*tiny, out=tmp_path / "quiet"))
    monkeypatch.setattr(Program, "step", _then(Program.step, 3, lambda: os.kill(os.getpid(), signal.SIGINT)))
    owner = Path if where == "replace" else os
    function = getattr(owner, where)

    def interrupted(target, *args):
        done = list((tmp_path / "out/checkpoints").glob("iteration-*2.json"))
        if done and "checkpoints" in str(target if where == "replace" else os.readlink(f"/proc/self/fd/{target}")):
            os.kill(os.getpid(), signal.SIGINT)
        return function(target, *args)

    monkeypatch.setattr(owner, where, interrupted)
    assert main(words(tiny, tmp_path / "out", "--checkpoint-every", "2")) == 130
    monkeypatch.undo()
    assert checkpoint.latest(tmp_path / "out/checkpoints").iteration == 2
    assert not [p for p in (tmp_path / "out").rglob("*") if p.name.startswith(".tmp")]
    start(settings(*tiny, out=tmp_path / "out", resume=True))
    assert state(tmp_path / "out") == state(tmp_path / "quiet")


class Gone:
    """A stream that cannot be written to after so many lines."""

    def __init__(self, lines, number):
        self.lines, self.number = lines, number

    def write(self, text):
        self.lines -= text.count("\n")
        if self.lines < 0:
            raise OSError(self.number, os.strerror(self.number))

    def flush(self):
        pass


@pytest.mark.parametrize(("number", "status", "done"), [(errno.EPIPE, 141, 1), (errno.EIO, 0, 8), (errno.ENOSPC, 0, 8)])
def test_nobody_reads_any_more(tiny, tmp_path, number, status, done):
    outcome = run(settings(*tiny, out=tmp_path / "out", sample_every=0), Plain(Gone(5, number)))
    assert (outcome.status, outcome.iteration) == (status, done)
    assert checkpoint.latest(tmp_path / "out/checkpoints").iteration == done


@pytest.mark.parametrize(("name", "number"), [("SIGINT", errno.EPIPE), ("SIGHUP", errno.EIO)])
def test_a_signal_that_ends_the_reader_too(tiny, tmp_path, monkeypatch, name, number):
    """`composer run ... | tee log` at Ctrl-C, and a terminal that is closed: nobody hears that a checkpoint is made."""
    asked = getattr(signal, name)
    monkeypatch.setattr(Program, "step", _then(Program.step, 3, lambda: os.kill(os.getpid(), asked)))
    outcome = run(settings(*tiny, out=tmp_path / "out", sample_every=0), Plain(Gone(6, number)))
    assert (outcome.status, outcome.iteration) == (128 + asked, 4)
    assert checkpoint.latest(tmp_path / "out/checkpoints").iteration == 4


def test_the_standard_output_is_given_up_with_its_reader():
    code = (
        "import sys; from composer.display import open_display; from composer.patient import Patient\n"
        "said = Patient(open_display(), sys.stdout)\n"
        "input(); said.note('one'); said.note('two'); print('three'); sys.exit(said.status)"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, env={"PYTHONPATH": str(ROOT)}, stdin=-1, stdout=-1, stderr=-1, text=True) as process:
        process.stdout.close()
        process.stdin.write("go\n")
        process.stdin.close()
        assert process.stderr.read() == ""
        assert process.wait(60) == 141


# -- wall time ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("23h", 82800),
        ("90m", 5400),
        ("1h30m", 5400),
        ("3600s", 3600),
        ("2d", 172800),
        ("1d12h", 129600),
        ("1.5h", 5400),
    ],
)
def test_durations(text, expected):
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "0s", "23", "h", "30m1h", "-1h", "1 h", "1h 30m", "ten"])
def test_what_is_no_duration(text):
    with pytest.raises(ValueError, match="is no duration such as 23h"):
        seconds(text)


def test_a_wrong_duration_is_refused(tiny, tmp_path, capsys):
    assert main(words(tiny, tmp_path / "out", "--stop-after", "soon")) == 2
    assert "--stop-after: 'soon' is no duration such as 23h, 90m, 1h30m, 3600s or 2d" in capsys.readouterr().err


def test_time_is_up_before_the_end(tiny, tmp_path, capsys):
    """It asks for less than the start takes: one iteration is made all the same, so that every start gets on."""
    start(settings(*tiny, out=tmp_path / "quiet", sample_every=0))
    for done in range(1, 4):
        more = ["--stop-after", "0.01s", *(["--resume"] if done > 1 else [])]
        assert main(words(tiny, tmp_path / "out", *more)) == TIME_IS_UP == 75
        assert checkpoint.latest(tmp_path / "out/checkpoints").iteration == done
    said = capsys.readouterr().out
    assert "time is nearly up: saving a checkpoint" in said and "stopped at iteration 3; continue with --resume" in said
    assert main(words(tiny, tmp_path / "out", "--stop-after", "1h", "--resume")) == 0
    assert state(tmp_path / "out") == state(tmp_path / "quiet")


def test_the_last_checkpoint_fits_before_the_deadline():
    """Iterations of 1 s, checkpoints of 3 s: with 20 s to go it trains on, with 10 s it stops."""
    now = time.monotonic()
    deadline = Deadline(1000, started=now, state_bytes=10**9)
    assert not deadline.reached()
    deadline.iterated(30.0)  # the first one warms up
    assert deadline.needed == pytest.approx(5 + 50 + 45)  # a gigabyte at 20 MB/s
    deadline.iterated(1.0)
    deadline.saved(3.0)
    deadline.saved(2.0)
    assert deadline.needed == pytest.approx(5 + 4.5 + 1.5)
    for left, reached in ((20.0, False), (11.5, False), (10.5, True), (-5.0, True)):
        moved = Deadline(1000, started=now - 1000 + left)
        moved.iterated(30.0)
        moved.iterated(1.0)
        moved.saved(3.0)
        assert moved.reached() is reached
    never = Deadline(None)
    never.iterated(1.0)
    assert not never.reached()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            ["/usr/bin/composer", "run", "g.yaml", "--seed", "1"],
            "composer run g.yaml --seed 1 --out 'runs/a b' --resume",
        ),
        (["x/composer/__main__.py", "run", "g", "--out", "o"], "python -m composer run g --out o --resume"),
        (["composer", "run", "g", "--out=o", "--resume"], "composer run g --out=o --resume"),
        (["composer", "run", "g", "--data", "my dir"], "composer run g --data 'my dir' --out 'runs/a b' --resume"),
        (["pytest", "run"], ""),
        (["composer", "verify-resume", "g"], ""),
        ([], ""),
    ],
)
def test_the_command_that_continues(words, expected):
    assert continuing(words, Path("runs/a b")) == expected


def test_the_command_that_continues_is_said_and_continues(tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["bin/composer", *words(tiny, tmp_path / "out", "--stop-after", "0.1s")])
    assert main() == 75
    again = shlex.split(capsys.readouterr().out.splitlines()[-1])
    assert again[:2] == ["composer", "run"]
    assert main([word for word in again[1:] if word not in ("--stop-after", "0.1s")]) == 0
    assert checkpoint.latest(tmp_path / "out/checkpoints").iteration == 8


STUBS = {
    "composer": "trap 'exit 138' USR1; echo >> said; until [ -e done ]; do read -t 0.02 < <(:); done; exit $(< done)",
    "scontrol": 'echo "$@" >> said',
}


@pytest.mark.parametrize(
    ("ends", "status", "again"), [(None, 138, True), ("75", 75, True), ("0", 0, False), ("3", 3, False)]
)
def test_the_cluster_script_of_the_docs(tmp_path, ends, status, again):
    """SLURM sends its signal to the script alone; it passes it on, waits for the checkpoint and asks to run again."""
    (script,) = re.findall(r"^```bash\n(.*?)^```", (ROOT / "docs/runs.md").read_text(encoding="utf-8"), re.S | re.M)
    for name, text in STUBS.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{text}\n")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "script").write_text(script)
    environment = {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", "SLURM_JOB_ID": "42"}
    process = subprocess.Popen(["bash", "script"], cwd=tmp_path, env=environment)
    until = time.monotonic() + 30
    while not (tmp_path / "said").exists() and time.monotonic() < until:
        time.sleep(0.01)
    if ends is None:
        process.send_signal(signal.SIGUSR1)
    else:
        (tmp_path / "done").write_text(ends)
    assert process.wait(30) == status
    assert ("requeue 42" in (tmp_path / "said").read_text()) is again


# -- one process a run -------------------------------------------------------------------------------------------


def test_a_second_process_is_refused_and_told_by_whom(tiny, tmp_path, monkeypatch, capsys):
    out, met = tmp_path / "out", []

    def second():
        met.append(main(words(tiny, out, "--resume")))
        met.append(
            main(["translate", str(out), str(tmp_path / "method/a"), "--out", str(tmp_path / "t"), "--device=cpu"])
        )

    monkeypatch.setattr(Program, "step", _then(Program.step, 3, second))
    start(settings(*tiny, out=out, sample_every=0))
    assert met == [2, 0]  # reading commands are not refused
    said = capsys.readouterr().err
    assert f"'{out}' is in use by process {os.getpid()} on " in said
    assert "name another folder with --out" in said
    assert not (out / "run.lock").exists()


def test_the_lock_dies_with_its_process(tmp_path):
    """`kill -9` leaves the file, which holds nobody up."""
    code = (
        "import sys, time; from pathlib import Path; from composer import run_lock\n"
        "with run_lock.held(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        with pytest.raises(ComposeError, match=f"in use by process {process.pid} on "), run_lock.held(tmp_path):
            pass
        process.kill()
        process.wait()
    assert (tmp_path / "run.lock").exists()
    with run_lock.held(tmp_path) as note:
        assert note == ""
        assert json.loads((tmp_path / "run.lock").read_text())["pid"] == os.getpid()
    assert list(tmp_path.iterdir()) == []


def test_a_lock_is_never_held_twice(tmp_path):
    """Threads that take and give it back as fast as they can: the file comes and goes under their hands."""
    inside, most, taken = [], [], []

    def take():
        own = 0
        while own < 40:  # of its own, not of so many tries: how many of those find it taken is up to the scheduler
            try:
                with run_lock.held(tmp_path):
                    inside.append(1)
                    most.append(len(inside))
                    taken.append(1)
                    inside.pop()
                    own += 1
            except ComposeError:
                pass

    threads = [threading.Thread(target=take) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) > 100 and max(most) == 1


def test_a_file_system_without_locks(tmp_path, monkeypatch):
    def flock(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    held = run_lock.held(tmp_path)
    assert "is on a file system without locks" in held.__enter__()
    with pytest.raises(ComposeError, match=f"in use by process {os.getpid()} on "), run_lock.held(tmp_path):
        pass
    file = tmp_path / "run.lock"
    holder = json.loads(file.read_text())
    for change in ({"born": "another boot/1"}, {"pid": 2**22 + 1}, {"host": "elsewhere"}, None):
        file.write_text("{" if change is None else json.dumps({**holder, **change}))
        with run_lock.held(tmp_path) as note:
            assert ("elsewhere" in note) is (change == {"host": "elsewhere"})


def test_two_first_starts_in_one_folder(tiny, tmp_path):
    """The second one comes after the first took the folder and before it wrote anything."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out/.tmp-environment.json").write_text("{")
    with run_lock.held(tmp_path / "out"), pytest.raises(ComposeError, match="is in use by process"):
        start(settings(*tiny, out=tmp_path / "out"))
    assert (tmp_path / "out/.tmp-environment.json").exists()
    assert start(settings(*tiny, out=tmp_path / "out", iterations=1))[0] == 0


def test_several_processes_are_refused(tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    assert main(words(tiny, tmp_path / "out")) == 2
    assert "this is process 1 of 2 (WORLD_SIZE=2), and one run is one process so far" in capsys.readouterr().err
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert main(words(tiny, tmp_path / "out", "--iterations", "1")) == 0


# -- numbers that are not finite, and memory ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("phase", "network", "words_of_it"),
    [
        (
            "translate",
            "G",
            "iteration 3 left weights of norm nan in 'G' (phase translate), though every term is finite",
        ),
        (
            "judge",
            "D",
            "/fool' of phase 'translate' is nan at iteration 3, after phase 'judge' left weights of norm nan",
        ),
    ],
)
def test_a_gradient_that_is_not_finite(tiny, tmp_path, monkeypatch, capsys, phase, network, words_of_it):
    """Every term of the phase is finite; the derivative of the square root at 0 is not."""
    step = Program.train

    def spoiling(self, run, terms, result):
        if self.iteration == 3 and run.phase.name == phase and run.repeat == run.phase.repeat - 1:
            bad = next(self.networks[network].parameters()).sum()
            (weight, loss), *others = terms
            terms = [(weight, loss + ((bad - bad.detach()) ** 2).sqrt()), *others]
        return step(self, run, terms, result)

    monkeypatch.setattr(Program, "train", spoiling)
    assert main(words(tiny, tmp_path / "out", "--checkpoint-every", "2")) == 3
    said = capsys.readouterr().err
    assert words_of_it in said
    assert "the checkpoint of iteration 2 is kept" in said


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_the_norm_of_weights_shows_every_kind(bad):
    network = torch.nn.Linear(3, 2)
    weights = finite.Weights({"G": network, "frozen": torch.nn.Linear(2, 2).requires_grad_(False)})
    whole = torch.cat([p.detach().flatten() for p in network.parameters()])
    assert weights.norms() == {"G": pytest.approx(float(whole.norm()))}
    network.bias.data[1] = bad
    assert not torch.isfinite(weights.norms()["G"])


@pytest.mark.parametrize(
    ("what", "said"), [("weight", "weight of term 'judge/fake'"), ("rate", "rate of optimizer 'default'")]
)
def test_laws_that_leave_the_finite_numbers(tiny, tmp_path, monkeypatch, what, said):
    step = Program.step

    def spoiling(self, *args, **more):
        result = step(self, *args, **more)
        if result.iteration == 3 and what == "rate":
            result.rates["default"] = float("inf")
        elif result.iteration == 3:
            result.terms["judge/fake"] = type(result.terms["judge/fake"])(torch.zeros(()), float("nan"))
        return result

    monkeypatch.setattr(Program, "step", spoiling)
    with pytest.raises(ComposeError, match=said) as caught:
        start(settings(*tiny, out=tmp_path / "out"))
    assert caught.value.exit_status == 3


def test_out_of_memory_names_what_is_set(tiny, tmp_path, monkeypatch, capsys):
    def failing(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Program, "step", failing)
    assert main(words(tiny, tmp_path / "out", "--set", "training.batch=6")) == 2
    said = capsys.readouterr().err
    assert "out of memory while training 'tiny' on cpu (batch 6, pictures of 3 x 8 x 8, width 2)" in said
    assert "lower one of these: --set training.batch=3, --set params.size=4, --set params.width=1" in said
    assert read_graph(settings(*tiny)).graph.training.batch == 2
