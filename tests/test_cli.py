"""The command line: quick, plain-spoken, and never a traceback for a user's mistake."""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys

import pytest
from tiny_run import ROOT, TINY, command, make_tiny

from composer.arguments import make_parser
from composer.cli import main
from composer.command_table import COMMANDS, STAGES
from composer.document import bundled_graphs
from composer.errors import ComposeError


@pytest.fixture
def tiny(tmp_path):
    return make_tiny(tmp_path / "method")


def _python(code: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)


HEAVY = "print('heavy:', [m for m in ('torch', 'numpy', 'PIL', 'rich') if m in sys.modules])"


def test_help_imports_nothing_heavy():
    done = _python(
        f"import sys\nfrom composer.cli import main\ntry: main(['run', '--help'])\nexcept SystemExit: pass\n{HEAVY}"
    )
    assert "example: composer run" in done.stdout
    assert "heavy: []" in done.stdout
    assert done.stderr == ""


def test_check_needs_no_torch():
    graphs = sorted(bundled_graphs())  # their variants and presets: tests/test_layers.py
    done = _python(f"import sys\nfrom composer.cli import main\nmain(['check', *{graphs}])\n{HEAVY}")
    assert "unit: ok (9 networks, 2 phases)" in done.stdout
    assert all(f"{name}: ok" in done.stdout for name in graphs)
    assert "heavy: []" in done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_the_example_of_each_command_is_one(name):
    program, *words = shlex.split(COMMANDS[name].example)
    assert program == "composer"
    assert make_parser().parse_args(words).command == name


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_explains_itself(name, capsys):
    with pytest.raises(SystemExit) as left:
        make_parser().parse_args([name, "--help"])
    assert left.value.code == 0
    said = capsys.readouterr().out
    assert "example: composer" in said
    for option in COMMANDS[name].options:
        shown = [option.names[-1], option.settings.get("metavar"), *option.settings.get("choices", ())]
        assert any(isinstance(name, str) and name in said for name in shown)
        assert option.settings["help"]


def test_every_command_is_there():
    from composer import commands

    for name in COMMANDS:
        assert callable(getattr(commands, name.replace("-", "_")))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "composer: the following arguments are required: COMMAND; see composer --help"),
        (["run"], "composer run: the following arguments are required: GRAPH; see composer run --help"),
        (["fly"], "invalid choice: 'fly'"),
        (["run", "unit", "--iterations", "many"], "--iterations: 'many' is not a whole number from 0"),
        (["run", "unit", "--iterations", "0"], "--iterations: it must be at least 1"),
        (["run", "unit", "--iteration", "5"], "unrecognized arguments: --iteration 5"),
        (["run", "unit", "--set", "width"], "--set width has no value; write PATH=VALUE"),
        (["check", "unti"], "there is no bundled graph or file 'unti'; did you mean 'unit'?"),
        (["check", "unit", "--preset", "dmeo"], "unknown preset 'dmeo'; did you mean 'demo'?"),
        (["show", "unit", "--stage", "plam"], "argument --stage: invalid choice: 'plam'"),
        (["blocks", "unte"], "unknown block 'unte'; did you mean 'unet'?"),
        (["run", "unit", "--device", "abacus"], "unknown device 'abacus'; use auto, cpu or cuda"),
        (["run", "unit", "--data", "nowhere"], "there is no folder 'nowhere'"),
        (["translate", "nowhere", "x.png", "--out", "y"], "there is no folder 'nowhere'"),
    ],
)
def test_mistakes_are_messages(words, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    found = capsys.readouterr()
    assert said in found.err
    assert "Traceback" not in found.err
    assert list(tmp_path.iterdir()) == []


def test_check_says_all_problems_of_all_files(tiny, tmp_path, capsys):
    graph, _ = tiny
    files = []
    for number, (old, new) in enumerate([("l1(fake, a)", "l1(fak, a)"), ("update: D", "update: DD")]):
        files.append(tmp_path / f"bad{number}.yaml")
        files[-1].write_text(TINY.replace(old, new))
    assert main(["check", str(files[0]), graph, str(files[1])]) == 2
    said = capsys.readouterr()
    assert said.out == f"{graph}: ok (2 networks, 2 phases)\n"
    assert "bad0.yaml:" in said.err and "did you mean 'fake'?" in said.err
    assert "bad1.yaml:" in said.err and "did you mean 'D'?" in said.err
    assert main(["check", graph]) == 0


def test_check_takes_the_changes_that_run_takes(tiny, capsys):
    graph, _ = tiny
    assert main(["check", graph, "--preset", "small", "--set", "params.width=3", "--set", "lr=1e-3"]) == 0
    assert main(["check", graph, "--set", "size=7"]) == 2
    assert "[b 3 8 8] and image[b 3 7 7]" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        ("document", "pooled: history(fake, size=3)"),
        ("graph", "phase judge: update D"),
        ("shapes", "image[b 3 8 8]"),
        ("plan", "minimise keep: 2 * l1(fake, a)"),
        ("code", "def translate("),
    ],
)
def test_show_prints_each_stage(tiny, capsys, stage, words):
    assert main(["show", tiny[0], "--stage", stage]) == 0
    assert words in capsys.readouterr().out


def test_show_prints_shapes_plan_and_parameters(tiny, capsys):
    assert STAGES == ("document", "graph", "shapes", "plan", "code")
    assert main(["show", tiny[0]]) == 0
    said = capsys.readouterr().out
    assert "parameters" in said and "iteration of judge, translate" in said


def test_blocks_are_listed_and_explained(capsys):
    assert main(["blocks"]) == 0
    said = capsys.readouterr().out
    assert "losses\n" in said and "patch_discriminator" in said
    assert main(["blocks", "unet"]) == 0
    said = " ".join(capsys.readouterr().out.split())  # however wide the terminal is
    for words in ("unet: image[", "norm", "default batch", "Source:"):
        assert words in said


def test_graphs_are_listed(capsys):
    assert main(["graphs"]) == 0
    said = capsys.readouterr().out
    for words in ("unit_code", "CVPR 2017", "Paired translation"):
        assert words in said
    methods, hybrids = said.split("\n\n")
    assert hybrids.split()[:2] == ["hybrid", "extends"]
    assert "munit_contrastive" in hybrids and "munit_contrastive" not in methods


def test_a_graph_is_drawn(tiny, tmp_path, capsys):
    assert main(["draw", tiny[0], "-o", str(tmp_path / "tiny.dot")]) == 0
    assert capsys.readouterr().out == f"wrote {tmp_path / 'tiny.dot'}\n"
    assert (tmp_path / "tiny.dot").read_text().startswith("digraph")
    assert main(["draw", tiny[0], "-o", str(tmp_path / "tiny.gif")]) == 2


def test_the_demo_data_is_written(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("composer.data.demo.TRAIN_ROWS", 2)
    monkeypatch.setattr("composer.data.demo.TEST_ROWS", 1)
    assert main(["data", "demo", "--out", str(tmp_path / "demo"), "--size", "8"]) == 0
    assert f"{tmp_path / 'demo' / 'trainB'}: 2 pictures" in capsys.readouterr().out
    assert main(["data", "demo", "--out", str(tmp_path / "demo")]) == 2
    assert "is not empty" in capsys.readouterr().err


def test_a_closed_pipe_is_quiet():
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    shell = f"{shlex.join(command('blocks'))} | head -n 1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", shell], env=environment, capture_output=True, text=True, timeout=60)
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""
    assert done.returncode in (0, 141)  # 0 when the pipe took everything before it closed


def test_ctrl_c_before_training_is_quiet(monkeypatch, capsys):
    from composer import commands

    def interrupted(given: argparse.Namespace) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "graphs", interrupted)
    assert main(["graphs"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (PermissionError(13, "Permission denied", "/out"), 2, "'/out': Permission denied"),
        (OSError(28, "No space left on device", "/out"), 2, "the disk is full while writing '/out'"),
        (ComposeError("it diverged", exit_status=3), 3, "it diverged"),
    ],
)
def test_errors_of_the_system_are_messages(monkeypatch, capsys, error, status, words):
    from composer import commands

    def failing(given: argparse.Namespace) -> int:
        raise error

    monkeypatch.setattr(commands, "graphs", failing)
    assert main(["graphs"]) == status
    assert words in capsys.readouterr().err


def test_the_version(capsys):
    with pytest.raises(SystemExit) as left:
        main(["--version"])
    assert left.value.code == 0
    assert capsys.readouterr().out.startswith("composer 0.")
