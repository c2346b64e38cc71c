"""`composer check --data` and `composer run --dry-run`, and the line before a run that will not fit."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys

import pytest
import torch
from PIL import Image
from tiny_run import make_pictures, make_tiny, settings, start

import composer
from composer import dry_run as dry
from composer import estimate, timing
from composer.cli import main
from composer.testing.batches import batch_for
from composer.timing import Doing, Pace, looked_at, time_grid, time_iterations, time_translations, time_words


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(timing, "TIMED_SECONDS", 0.01)
    monkeypatch.setattr(estimate, "AROUND", {})
    return make_tiny(tmp_path / "method")


def everything(folder):
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*")}


# -- check ---------------------------------------------------------------------------------------------------------


def test_check_reads_the_data_and_writes_nothing(tiny, tmp_path, capsys):
    graph, data = tiny
    before = everything(tmp_path)
    assert main(["check", graph, "--data", *data]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith(f"{graph}: ok (2 networks, 2 phases)")
    assert "  a  5 pictures, 14 wide, 12 high, RGB 8 bit, values 0 to 255" in said
    assert any(line.startswith("  a  float32 [2, 3, 8, 8], -") for line in said)
    assert everything(tmp_path) == before


def test_check_draws_a_grid_where_it_is_asked_to(tiny, tmp_path, capsys):
    graph, data = tiny
    assert main(["check", graph, "--data", *data, "--grid", "batch.png"]) == 0
    assert "wrote batch.png" in capsys.readouterr().out
    with Image.open(tmp_path / "batch.png") as picture:
        assert picture.format == "PNG" and picture.width > 300


@pytest.mark.parametrize("command", [["check"], ["run", "--dry-run"]])
def test_all_broken_files_are_named_and_nothing_is_written(command, tiny, tmp_path, capsys):
    graph, data = tiny
    for name in ("a", "b"):
        for path in sorted((tmp_path / "method" / name).iterdir())[:3]:
            path.write_bytes(path.read_bytes()[:50])
    before = everything(tmp_path)
    assert main([*command, graph, "--data", *data]) == 2
    text = capsys.readouterr().err
    assert text.startswith("6 of 12 rows cannot be read; replace or delete them:") and text.count(".png'") == 6
    assert everything(tmp_path) == before


def test_check_of_data_needs_no_torch(tiny, tmp_path):
    graph, data = tiny
    code = (
        "import sys; from composer.cli import main; "
        f"status = main(['check', {graph!r}, '--data', *{data!r}, '--grid', 'x.png']); "
        "sys.exit(status or ('torch' in sys.modules) * 9)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["check", "unit", "--grid", "x.png"], "--grid is about data, and none is named; add --data DIR"),
        (["check", "unit", "--direction", "b2a"], "--direction is about data"),
        (["check", "unit", "cyclegan", "--data", "D", "--grid", "x.png"], "one grid for 2 graphs"),
        (["check", "unit", "--data", "D", "--grid", "x.jpg"], "'x.jpg' is no name for the grid"),
        (["run", "unit", "--dry-run", "--grid", "no/such/x.png"], "there is no folder 'no/such' for the grid"),
        (["run", "unit", "--grid", "x.png"], "--grid is the picture of a dry run; add --dry-run"),
        (["run", "unit", "--dry-run", "--data", "nowhere"], "nowhere"),
        (["run", "unit", "--dry-run", "--split", "0.1"], "the demo data has some already; leave --split out"),
    ],
)
def test_wrong_requests_are_refused_before_any_work(arguments, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    assert words in capsys.readouterr().err
    assert not everything(tmp_path)


# -- dry run -------------------------------------------------------------------------------------------------------


def test_a_dry_run_says_what_a_run_takes_and_leaves_its_picture_only(tiny, tmp_path, capsys):
    graph, data = tiny
    before = everything(tmp_path)
    assert main(["run", graph, "--data", *data, "--dry-run", "--workers", "0", "--sample-every", "5"]) == 0
    said = capsys.readouterr().out
    assert everything(tmp_path) - before == {"tiny-dry-run.png"}
    words = ["wrote tiny-dry-run.png", "memory: ", "expected on cpu", "disk: ", "at most 1 at a time", "time: "]
    assert [word for word in words if word not in said] == []
    assert "for all 8" in said and " for 3 sample grids, and checkpoints" in said
    assert "\n  a picture translated at the size of training: a2b " in said and said.rstrip().endswith(
        "this was a dry run: nothing was trained, no run folder was made"
    )


def test_a_dry_run_of_the_demo_uses_its_preset(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(timing, "TIMED_SECONDS", 0.0)
    arguments = [
        "run",
        "supervised",
        "--dry-run",
        "--set",
        "params.width=4",
        "--grid",
        "mine.png",
        "--keep-every",
        "100",
    ]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert said.startswith("data: built-in demo; preset: demo; device: cpu\n")
    assert "and 25 that stay" in said
    assert everything(tmp_path) == {"mine.png"}


def test_a_folder_that_cannot_be_written_costs_only_the_picture(tiny, tmp_path, monkeypatch, capsys):
    graph, data = tiny

    def refuse(path, content):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("composer.look.write_atomically", refuse)
    assert main(["run", graph, "--data", *data, "--dry-run"]) == 0
    assert "no picture of it: 'tiny-dry-run.png' cannot be written (Permission denied)" in capsys.readouterr().out
    assert main(["run", graph, "--data", *data, "--dry-run", "--grid", "asked.png"]) == 2
    assert "Permission denied" in capsys.readouterr().err


def test_what_does_not_fit_is_not_tried(tiny, tmp_path, monkeypatch, capsys):
    graph, data = tiny
    monkeypatch.setattr(dry, "free_memory", lambda device: 20_000)
    monkeypatch.setattr(dry, "time_iterations", lambda *given: pytest.fail("it was tried"))
    assert main(["run", graph, "--data", *data, "--dry-run"]) == 1
    said = capsys.readouterr().out
    assert "does not fit: " in said and "20 kB are free" in said and "with --set training.batch=1 it needs " in said
    monkeypatch.setattr(dry, "free_memory", lambda device: 2_000)
    assert main(["run", graph, "--data", *data, "--dry-run"]) == 1
    assert "a batch of 1 is not enough: lower params.size, params.width with --set" in capsys.readouterr().out
    monkeypatch.setattr(dry, "free_memory", lambda device: None)
    monkeypatch.setattr(dry, "free_disk", lambda place: 10)
    assert main(["run", graph, "--data", *data, "--dry-run"]) == 1
    assert "does not fit: keep fewer" in capsys.readouterr().out


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("can't allocate memory")])
def test_memory_that_runs_out_after_all_is_said(error, tiny, monkeypatch, capsys):
    graph, data = tiny

    def run_out(*given):
        raise error

    monkeypatch.setattr(dry, "time_iterations", run_out)
    assert main(["run", graph, "--data", *data, "--dry-run"]) == 1
    assert "does not fit: memory ran out in a real iteration; lower params.size" in capsys.readouterr().out


def test_a_run_that_will_not_fit_says_so_and_goes_on(tiny, tmp_path, monkeypatch):
    graph, data = tiny
    monkeypatch.setattr(dry, "free_memory", lambda device: 20_000)
    status, said = start(settings(graph, data, out=tmp_path / "out", iterations=1))
    assert status == 0
    (line,) = (line for line in said.splitlines() if line.startswith("warning: "))
    assert "of memory are expected and 20 kB are free; with --set training.batch=1 it needs" in line
    monkeypatch.setattr(dry, "free_memory", lambda device: 10**12)
    monkeypatch.setattr(dry, "estimate", lambda *given: pytest.fail("nothing has to be computed"))
    _, said = start(settings(graph, data, out=tmp_path / "other", iterations=1))
    assert "warning" not in said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_dry_run_that_is_interrupted_leaves_nothing_behind(number, tiny, tmp_path, monkeypatch, capsys):
    graph, data = tiny
    before = everything(tmp_path), signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr("composer.program.Program.step", lambda *given: os.kill(os.getpid(), number))
    assert main(["run", graph, "--data", *data, "--dry-run", "--grid", "batch.png"]) == 128 + number
    assert capsys.readouterr().err in ("interrupted\n", "stopped by SIGTERM\n")
    assert (everything(tmp_path) - {"batch.png"}, signal.getsignal(signal.SIGTERM)) == before


# -- times ---------------------------------------------------------------------------------------------------------


class Batches:
    """A loader that notes how many batches were taken; waiting for one that was made before takes less."""

    def __init__(self, program) -> None:
        self.program, self.waited, self.taken = program, 0.0, 0

    def batches(self, start: int):
        while True:
            self.taken += 1
            self.waited += 0.25
            yield batch_for(self.program, self.taken)

    def batch(self, number: int):
        assert number < self.taken
        self.waited += 0.05


def test_every_set_of_phases_is_timed_as_often_as_it_comes(tiny, monkeypatch):
    graph, _ = tiny
    program = composer.compile(graph)
    monkeypatch.setattr(timing, "TIMED_SECONDS", 0.0)
    monkeypatch.setattr(timing, "_one", lambda p, stream, number, w: [stream.next(1), 10.0 if number == 1 else 2.0][1])
    loader = Batches(program)
    pace = time_iterations(program, loader, total=8)
    assert pace.timed == 4 and loader.taken == 6  # one to warm up and two to measure, of each
    assert pace.iteration == pytest.approx((4 * 10 + 4 * 2) / 8) and pace.waiting == pytest.approx(0.25)
    assert pace.later is None


def test_what_is_slow_warms_up_once_and_is_announced(tiny, monkeypatch):
    graph, _ = tiny
    program = composer.compile(graph)
    monkeypatch.setattr(timing, "_one", lambda p, stream, number, w: [stream.next(2), 75.0][1])
    loader, told = Batches(program), []
    pace = time_iterations(program, loader, 8, True, lambda what, seconds=0.0: told.append((what, seconds)))
    assert (pace.iteration, pace.timed) == (75, 2) and loader.taken == 6
    assert told == [("a first iteration", 0.0), ("an iteration, 1 of 2", 75.0), ("an iteration, 2 of 2", 75.0)]
    assert pace.later == pytest.approx(0.05 * sum(program.batches(number) for number in range(8)) / 8)


def test_phases_are_looked_at_in_all_parts_of_a_long_run():
    assert list(looked_at(0)) == [0] and list(looked_at(1000)) == list(range(1000))
    found = looked_at(400_000)
    assert len(found) == 1000 and [found[0], found[250], found[500]] == [0, 100_000, 200_000] and found[-1] == 399_999


def test_later_epochs_do_not_wait_for_data_again():
    pace = Pace(1.0, 0.4, 5, 0.1, 100)
    assert pace.seconds(100) == pytest.approx(100) and pace.seconds(300) == pytest.approx(100 + 200 * 0.7)
    words = time_words(pace, 300, 0)
    assert words.startswith(
        "time: 1 s an iteration (40 % of it waiting for data, 10 % after the first epoch), 12:10 for"
    )
    assert Pace(1.0, 0.4, 5).seconds(300) == 300 and "epoch" not in time_words(Pace(1.0, 0.4, 5), 300, 2)
    assert "epoch" not in time_words(Pace(1.0, 0.001, 5, 0.002, 100), 300, 0)
    assert "time: 134 s an iteration" in time_words(Pace(134.2, 0.0, 1), 5, 0)


@pytest.mark.parametrize("terminal", [True, False])
def test_what_is_timed_is_said_while_it_lasts(terminal):
    stream = io.StringIO()
    stream.isatty = lambda: terminal
    doing = Doing(stream)
    doing("a first iteration")
    doing("an iteration", 75.0)
    doing.close()
    doing.close()
    line = "timing an iteration, about 1:15"
    assert stream.getvalue() == (
        f"\rtiming a first iteration\r{line}\r{' ' * len(line)}\r" if terminal else f"{line}\n"
    )


def test_translations_are_timed_with_what_a_pass_at_the_end_gathers(monkeypatch):
    monkeypatch.setattr(timing, "TIMED_SECONDS", 0.0)
    small = {"params.size": 32, "params.image_width": 32, "params.width": 4, "params.judge_width": 4}
    program = composer.compile("pix2pixhd", preset="demo", variants=["features"], settings=small)
    values = batch_for(program)
    program.step(values)
    assert set(time_translations(program, values, 60.0)) == {"sampled", "chosen", "encoded", "encode"}
    assert list(time_translations(program, values, 0.0)) == ["sampled"]  # no further one when time is up
    assert time_grid(program, values) > 0


def test_a_slow_translation_runs_once(tiny, monkeypatch):
    graph, _ = tiny
    program = composer.compile(graph)
    now = iter(range(0, 10_000, 20))
    monkeypatch.setattr(timing, "clock", lambda: next(now))
    made = []
    monkeypatch.setattr(program, "translate", lambda picture, name: made.append(picture["a"].shape[0]))
    assert time_translations(program, batch_for(program), 0.0) == {"a2b": 20} and made == [1]


def test_real_iterations_are_timed(tiny):
    graph, _ = tiny
    program = composer.compile(graph)
    pace = time_iterations(program, Batches(program), total=8)
    assert pace.timed >= 2 and 0 < pace.iteration < 10
    assert torch.isfinite(next(iter(program.networks["G"].parameters()))).all()


def test_a_wrong_pair_is_named(tmp_path, capsys):
    graph, data = make_tiny(tmp_path / "method")
    make_pictures(tmp_path / "method" / "a", "tall", 1, height=400, width=3)
    assert main(["check", graph, "--data", *data]) == 0
    assert "3 to 14 wide, 12 to 400 high" in capsys.readouterr().out
    assert os.listdir(tmp_path) == ["method"]
