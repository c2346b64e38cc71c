"""A run: its folder, what it writes, how it ends."""

from __future__ import annotations

import errno
import json
import os
import signal
from pathlib import Path

import pytest
import torch
from PIL import Image
from tensorboardX.proto.event_pb2 import Event
from tiny_run import TINY, make_tiny, settings, start, state

import composer
from composer import checkpoint, events, log
from composer.cli import main
from composer.errors import ComposeError, Diverged
from composer.program import Program
from composer.run_folder import claim


@pytest.fixture
def tiny(tmp_path):
    return make_tiny(tmp_path / "method")


# -- the folder --------------------------------------------------------------------------------------------------


def test_a_run_folder_holds_everything(tiny, tmp_path):
    graph, data = tiny
    status, said = start(settings(graph, data, out=tmp_path / "out", iterations=5))
    assert status == 0
    names = {p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*") if p.is_file()}
    events_file = next(name for name in names if name.startswith("events/"))
    assert names - {events_file} == {
        "graph.yaml",
        "index.html",
        "plan.txt",
        "log.jsonl",
        "environment.json",
        "samples/0000000.png",
        "samples/0000004.png",
        "samples/0000005.png",
        *(f"checkpoints/iteration-000000{n}.{kind}" for n in (2, 4, 5) for kind in ("json", "safetensors")),
    }
    assert "phase translate: update G" in (tmp_path / "out/plan.txt").read_text()
    about = json.loads((tmp_path / "out/environment.json").read_text())
    assert about["settings"]["data"] == list(data)
    assert about["starts"][0]["packages"]["torch"] == torch.__version__
    assert said.splitlines()[0] == f"data: {' '.join(data)}; preset: none; device: cpu"
    composer.check(str(tmp_path / "out/graph.yaml"))


def test_the_resolved_graph_compiles_to_the_same_program(tiny, tmp_path):
    graph, data = tiny
    start(settings(graph, data, out=tmp_path / "out", iterations=1, preset="small", settings=(("lr", "0.5"),)))
    program = composer.compile(str(tmp_path / "out/graph.yaml"))
    assert program.graph.params["width"] == 1
    program.load_state(*_load(tmp_path / "out"))
    assert program.iteration == 1


def test_another_run_never_overwrites_the_first(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    graph, data = tiny
    for name in ("tiny", "tiny-2", "tiny-3"):
        _, said = start(settings(graph, data, iterations=1, sample_every=0))
        assert f"run folder runs/{name}," in said
    _, said = start(settings(graph, data, iterations=2, sample_every=0, resume=True))
    assert "run folder runs/tiny-3, continued at iteration 1 of 2" in said


def test_resume_starts_a_run_where_there_is_none(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    graph, data = tiny
    for out in (None, tmp_path / "named"):
        _, said = start(settings(graph, data, out=out, iterations=1, sample_every=0, resume=True))
        assert "started at iteration 0" in said


def test_a_folder_that_holds_a_run_needs_resume(tiny, tmp_path):
    graph, data = tiny
    given = settings(graph, data, out=tmp_path / "out", iterations=1, sample_every=0)
    start(given)
    with pytest.raises(ComposeError, match=r"holds a run; continue it with --resume, or name another folder"):
        start(given)


def test_other_files_and_other_runs_are_left_alone(tiny, tmp_path):
    graph, data = tiny
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("x")
    (tmp_path / "file").write_text("x")
    for out, words in (("mine", "holds other files"), ("file", "is a file")):
        for resume in (False, True):
            with pytest.raises(ComposeError, match=words):
                claim("tiny", tmp_path / out, resume)
    out = tmp_path / "out"
    start(settings(graph, data, out=out, iterations=1, sample_every=0))
    for more, words in (
        ({"seed": 1}, "was started with seed 0, now it is 1"),
        ({"settings": (("lr", "0.5"),)}, "'lr: 0.01', now it is 'lr: 0.5'"),
        (
            {"data": tuple(reversed([d.replace("a=", "c=").replace("b=", "a=").replace("c=", "b=") for d in data]))},
            "other data",
        ),
    ):
        with pytest.raises(ComposeError, match=words):
            start(settings(graph, **{"data": data, "out": out, "iterations": 2, "resume": True, **more}))
    assert state(out)[1]["program"]["iteration"] == 1


def test_a_folder_of_a_run_that_was_killed_at_once_is_used_again(tiny, tmp_path):
    graph, data = tiny
    out = tmp_path / "out"
    out.mkdir()
    (out / ".tmp-environment.json").write_text("{")
    assert start(settings(graph, data, out=out, iterations=1, sample_every=0))[0] == 0
    assert not list(out.glob(".tmp*"))


def test_mistakes_leave_no_folder(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    graph, data = tiny
    for wrong in ({"data": ("nowhere",)}, {"preset": "huge"}, {"device": "abacus"}, {"settings": (("no", "1"),)}):
        with pytest.raises(ComposeError):
            start(settings(graph, **{"data": data, **wrong}))
    assert not Path("runs").exists()


def test_blocks_of_the_user_are_copied_and_the_copies_are_run(tmp_path):
    text = TINY.replace("inputs:", "blocks: [my_blocks.py]\ninputs:", 1).replace(
        "2 * l1(fake, a)", "2 * my_l1(fake, a)"
    )
    code = (
        "from composer.block import block\n\n"
        '@block("got[...], wanted[...] -> loss[]", role="loss")\n'
        "def my_l1(got, wanted):\n    return (got - wanted).abs().mean()\n"
    )
    graph, data = make_tiny(tmp_path / "method", text)
    (tmp_path / "method/my_blocks.py").write_text(code)
    start(settings(graph, data, out=tmp_path / "out", iterations=1, sample_every=0))
    (copy,) = (tmp_path / "out/blocks").rglob("*.py")
    assert copy.read_text() == code
    assert copy.relative_to(tmp_path / "out").as_posix() in (tmp_path / "out/graph.yaml").read_text()
    (tmp_path / "method/my_blocks.py").unlink()
    composer.check(str(tmp_path / "out/graph.yaml"))


# -- its data ----------------------------------------------------------------------------------------------------


def test_without_data_the_demo_is_run_and_scored(tmp_path):
    graph, _ = make_tiny(tmp_path / "method", TINY.replace("small:", "demo:"))
    _, said = start(settings(graph, (), out=tmp_path / "out", iterations=1, sample_every=0))
    assert said.splitlines()[0] == "data: built-in demo; preset: demo; device: cpu"
    assert "best constant picture" in said and "not passed" in said
    scores = json.loads((tmp_path / "out/scores.json").read_text())
    assert scores["iteration"] == 1 and scores["count"] == 64 and scores["passed"] is False
    assert json.loads((tmp_path / "out/environment.json").read_text())["settings"]["preset"] == "demo"


def test_a_graph_without_the_preset_demo_runs_on_the_demo_data_as_it_is(tiny, tmp_path):
    _, said = start(settings(tiny[0], (), out=tmp_path / "out", iterations=1, sample_every=0))
    assert said.splitlines()[0] == "data: built-in demo; preset: none; device: cpu"
    with pytest.raises(ComposeError, match="--direction swaps the pictures of --data, and there is none"):
        start(settings(tiny[0], (), direction="b2a"))


def test_test_data_is_what_the_samples_show(tiny, tmp_path):
    graph, data = tiny
    other = make_tiny(tmp_path / "other")[1]
    for path in (tmp_path / "other").rglob("*.png"):
        Image.new("RGB", (14, 12), "red").save(path)
    start(settings(graph, data, test_data=other, out=tmp_path / "out", iterations=1))
    shown = Image.open(tmp_path / "out/samples/0000000.png").convert("RGB")
    assert shown.getpixel((6, 30)) == (255, 0, 0)
    assert state(tmp_path / "out")[1]["batches"] == 2


# -- what it writes ----------------------------------------------------------------------------------------------


def test_the_log_has_a_line_for_each_iteration(tiny, tmp_path):
    graph, data = tiny
    start(settings(graph, data, out=tmp_path / "out", iterations=4))
    lines = list(log.read(tmp_path / "out/log.jsonl"))
    assert [line["iteration"] for line in lines] == [0, 1, 2, 3]
    assert list(lines[1]["terms"]) == [
        "judge/real", "judge/fake", "translate#1/fool", "translate#1/keep", "translate#2/fool", "translate#2/keep",
    ]  # fmt: skip
    assert "judge" not in lines[0]["totals"]
    terms = lines[1]["terms"]
    assert terms["translate#1/keep"]["weight"] == 2
    assert lines[1]["totals"]["judge"] == pytest.approx(
        sum(terms[f"judge/{t}"]["loss"] * terms[f"judge/{t}"]["weight"] for t in ("real", "fake"))
    )
    assert lines[3]["terms"]["judge/real"]["weight"] == 1.25
    assert lines[0]["rates"] == {"default": 0.01}
    assert (
        lines[3]["epoch"]
        == 3 // json.loads((tmp_path / "out/environment.json").read_text())["settings"]["epoch_length"]
    )


def test_the_log_is_cut_at_a_line_that_is_not_whole(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text('{"iteration": 0}\n{"iteration": 1}\n{"iteration": 2}\n{"itera')
    assert len(list(log.read(path))) == 3
    log.cut(path, 2)
    assert path.read_text() == '{"iteration": 0}\n{"iteration": 1}\n'
    log.cut(tmp_path / "none", 2)


def test_tensorboard_events_are_cut_back(tmp_path):
    for first, last in ((0, 6), (4, 9)):
        writer = events.Events(tmp_path, first)
        for iteration in range(first, last):
            writer.scalars(iteration, {"loss": float(iteration)})
        writer.close()
        if first == 0:
            events.cut(tmp_path, 4)
    newest = sorted(tmp_path.iterdir())[-1]
    newest.write_bytes(newest.read_bytes()[:-3])
    assert _steps(tmp_path) == [0, 1, 2, 3, 4, 5, 6, 7]
    events.cut(tmp_path, 4)
    assert _steps(tmp_path) == [0, 1, 2, 3]
    assert len(list(tmp_path.iterdir())) == 1


def _steps(folder):
    found = []
    for path in sorted(folder.iterdir()):
        content, at = path.read_bytes(), 0
        while at + 12 <= len(content):
            length = int.from_bytes(content[at : at + 8], "little")
            if at + 16 + length > len(content):
                break
            event = Event.FromString(content[at + 12 : at + 12 + length])
            found += [event.step] if event.HasField("summary") else []
            at += 16 + length
    return found


def test_sample_grids_show_the_same_rows_each_time(tiny, tmp_path):
    graph, data = tiny
    start(settings(graph, data, out=tmp_path / "out", iterations=4))
    first, second = (Image.open(tmp_path / f"out/samples/000000{n}.png").convert("RGB") for n in (0, 4))
    assert first.size == second.size == (2 + 3 * 10, 14 + 2 + 8 * 10)
    a, fake = (2, 16, 10, 96), (12, 16, 20, 96)
    assert first.crop(a).tobytes() == second.crop(a).tobytes()
    assert first.crop(fake).tobytes() != second.crop(fake).tobytes()


def test_sampling_changes_no_training(tiny, tmp_path):
    graph, data = tiny
    for name, every in (("with", 1), ("without", 0)):
        start(settings(graph, data, out=tmp_path / name, iterations=4, sample_every=every))
    assert state(tmp_path / "with") == state(tmp_path / "without")
    assert not (tmp_path / "without/samples").exists()


# -- how it ends -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_ends_with_a_checkpoint(tiny, tmp_path, monkeypatch, number, status):
    graph, data = tiny
    _signal_at(monkeypatch, 3, number)
    found, said = start(settings(graph, data, out=tmp_path / "out", checkpoint_every=0))
    assert found == status
    assert "stopped at iteration 4; continue with --resume" in said
    assert checkpoint.latest(tmp_path / "out/checkpoints").iteration == 4
    monkeypatch.undo()
    assert start(settings(graph, data, out=tmp_path / "out", resume=True))[0] == 0
    start(settings(graph, data, out=tmp_path / "quiet"))
    assert state(tmp_path / "out") == state(tmp_path / "quiet")
    assert signal.getsignal(number) is signal.default_int_handler or signal.getsignal(number) == signal.SIG_DFL


def test_a_second_ctrl_c_ends_at_once(tiny, tmp_path, monkeypatch, capsys):
    graph, data = tiny
    _signal_at(monkeypatch, 3, signal.SIGINT, signal.SIGINT)
    words = ["run", graph, "--data", *data, "--out", str(tmp_path / "out"), "--checkpoint-every", "2", "--workers", "0"]
    assert main(words) == 130
    assert checkpoint.latest(tmp_path / "out/checkpoints").iteration == 2
    assert capsys.readouterr().err == "interrupted\n"


def _signal_at(monkeypatch, iteration, *numbers):
    step = Program.step

    def stepping(self, *args, **more):
        if self.iteration == iteration:
            for number in numbers:
                os.kill(os.getpid(), number)
        return step(self, *args, **more)

    monkeypatch.setattr(Program, "step", stepping)


def test_a_loss_that_is_not_finite_stops_the_run(tiny, tmp_path, monkeypatch, capsys):
    graph, data = tiny
    step = Program.step

    def exploding(self, *args, **more):
        result = step(self, *args, **more)
        if result.iteration == 3:
            result.terms["translate#1/keep"].loss.fill_(float("nan"))
        return result

    monkeypatch.setattr(Program, "step", exploding)
    words = ["run", graph, "--data", *data, "--out", str(tmp_path / "out"), "--checkpoint-every", "2", "--workers", "0"]
    assert main(words) == 3
    said = capsys.readouterr().err
    assert "term 'translate#1/keep' of phase 'translate' is nan at iteration 3" in said
    assert "checkpoint of iteration 2 is kept" in said
    assert checkpoint.latest(tmp_path / "out/checkpoints").iteration == 2
    assert [line["iteration"] for line in log.read(tmp_path / "out/log.jsonl")] == [0, 1, 2]


def test_weights_that_are_not_finite_are_never_saved(tiny, tmp_path, monkeypatch):
    graph, data = tiny
    step = Program.step

    def spoiling(self, *args, **more):
        result = step(self, *args, **more)
        if result.iteration == 3:
            next(self.networks["G"].parameters()).data.fill_(float("inf"))
        return result

    monkeypatch.setattr(Program, "step", spoiling)
    with pytest.raises(Diverged, match=r"iteration 3 left weights of norm inf in 'G' \(phase translate\).*2 is kept"):
        start(settings(graph, data, out=tmp_path / "out"))
    assert checkpoint.latest(tmp_path / "out/checkpoints").iteration == 2


def test_a_full_disk_is_one_message(tiny, tmp_path, monkeypatch, capsys):
    graph, data = tiny
    write, lines = log.Log.write, []

    def filling(self, record):
        lines.append(record)
        if len(lines) == 4:
            raise OSError(errno.ENOSPC, "No space left on device", str(self.path))
        write(self, record)

    monkeypatch.setattr(log.Log, "write", filling)
    words = ["run", graph, "--data", *data, "--out", str(tmp_path / "out"), "--checkpoint-every", "2", "--workers", "0"]
    assert main(words) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert checkpoint.latest(tmp_path / "out/checkpoints").iteration == 2
    monkeypatch.undo()
    assert main([*words, "--resume"]) == 0


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA"), RuntimeError("can't allocate memory: 10 bytes")])
def test_out_of_memory_says_what_to_lower(tiny, tmp_path, monkeypatch, error):
    graph, data = tiny

    def failing(*_):
        raise error

    monkeypatch.setattr(Program, "step", failing)
    with pytest.raises(
        ComposeError, match=r"out of memory.*on cpu \(batch 2, .*3 x 8 x 8.*--set training.batch=1, --set params.size=4"
    ):
        start(settings(graph, data, out=tmp_path / "out"))


def _load(folder):
    tensors, meta = checkpoint.latest(folder / "checkpoints").load()
    return tensors, meta["program"]
