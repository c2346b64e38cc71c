"""`composer eval`: the numbers of a run, their protocol, and what is said when they cannot be had."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from measured_run import SIDE, Moments, make_data, make_run, write_extractor, write_pictures

import composer
from composer.cli import main
from composer.data.demo import demo_dataset
from composer.errors import ComposeError
from composer.measure.evaluate import EvalSettings, evaluate
from composer.measure.sets import frechet_distance, kernel_distance
from composer.measure.subject import make_subject
from composer.randomness import seed_for
from composer.run_folder import open_existing
from composer.translate_files import load_program


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[Path, Path]:
    """The data and the run."""
    root = tmp_path_factory.mktemp("measured")
    data = make_data(root / "data")
    make_run(root, data, root / "run")
    return data, root / "run"


@pytest.fixture
def run(made, tmp_path) -> Path:
    shutil.copytree(made[1], tmp_path / "run")
    return tmp_path / "run"


def by_hand(run: Path, data: Path, source: str = "testA", seed: int = 0) -> list[torch.Tensor]:
    """The translations of a folder, picture by picture."""
    program, _ = load_program(open_existing(run))
    found = []
    for path in sorted((data / source).iterdir()):
        image = at_size(path)
        own = seed_for(seed, "measure", path.stem)
        found.append(program.translate(image[None], "a2b", seed=own)[0])
    return found


def at_size(path: Path) -> torch.Tensor:
    from PIL import Image

    pixels = np.asarray(Image.open(path).convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC))
    return torch.from_numpy(pixels.transpose(2, 0, 1).astype(np.float32) / 127.5 - 1)


def test_the_numbers_are_those_of_a_calculation_by_hand(made, run) -> None:
    data, _ = made
    found = evaluate(EvalSettings(run))
    true = [at_size(path) for path in sorted((data / "testB").iterdir())]
    errors = [float((m.double() - t.double()).abs().mean()) for m, t in zip(by_hand(run, data), true, strict=True)]
    assert found["values"]["l1"]["mean"] == pytest.approx(np.mean(errors), rel=1e-5)
    assert found["values"]["l1"]["deviation"] == pytest.approx(np.std(errors, ddof=1), rel=1e-4)
    assert found["values"]["l1"]["count"] == [5]
    assert list(found["values"]) == ["l1", "psnr", "ssim"]
    assert found["data"]["paired_by"] == "equal file names"


def test_with_an_extractor_there_are_distances_of_sets(made, run, tmp_path) -> None:
    data, _ = made
    file = write_extractor(tmp_path / "mine.pt")
    found = evaluate(EvalSettings(run, weights=(f"inception={file}",), seed=3))
    true = [at_size(path) for path in sorted((data / "testB").iterdir())]
    one, other = (
        Moments()(((torch.stack(p) + 1) * 127.5).round().to(torch.uint8)).double().numpy()
        for p in (by_hand(run, data, seed=3), true)
    )
    assert found["values"]["fid"]["mean"] == pytest.approx(frechet_distance(one, other), rel=1e-6)
    kid = kernel_distance(one, other, seed=3)
    assert found["values"]["kid"]["mean"] == pytest.approx(kid.mean, rel=1e-6)
    assert found["values"]["kid"]["deviation"] == pytest.approx(kid.deviation, rel=1e-6)
    assert found["values"]["fid"]["count"] == [5, 5]
    told = found["protocol"]["weights"]["inception"]
    assert told["file"] == "mine.pt" and len(told["sha256"]) == 64 and told["standard"] is False


def test_the_same_command_twice_gives_the_same_bytes(run, capsys) -> None:
    written = []
    for _ in range(2):
        assert main(["eval", str(run), "--device", "cpu"]) == 0
        written.append(((run / "eval" / "a2b-4.json").read_bytes(), capsys.readouterr().out))
    assert written[0] == written[1]
    assert not list((run / "eval").glob(".tmp*"))
    protocol = json.loads(written[0][0])["protocol"]
    assert protocol["size"] == [3, SIDE, SIDE] and "Pillow, bicubic" in protocol["pictures"]
    assert protocol["seed"] == 0 and protocol["composer"] and protocol["torch"]


def test_without_weights_it_is_said_which_files_are_missing(run, capsys) -> None:
    assert main(["eval", str(run), "--device", "cpu"]) == 0
    said = capsys.readouterr().out
    assert "l1 " in said and "ssim" in said
    assert (
        "fid, kid: not computed" in said and "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2" in said
    )
    assert "--weights inception=PATH" in said
    assert "http" not in said


def test_measuring_leaves_the_run_as_it_was(run) -> None:
    def contents() -> dict[str, bytes]:
        return {
            str(p.relative_to(run)): p.read_bytes() for p in run.rglob("*") if p.is_file() and "eval" not in p.parts
        }

    before = contents()
    evaluate(EvalSettings(run))
    assert contents() == before


def test_the_order_and_number_of_other_pictures_do_not_matter(made, run, tmp_path) -> None:
    """Each picture has draws of its own, so a picture measured alone gives what it gives among others."""
    data = made[0]
    alone = tmp_path / "alone"
    for letter in "AB":
        (alone / f"test{letter}").mkdir(parents=True)
        shutil.copy(data / f"test{letter}" / "scene3.png", alone / f"test{letter}")
        shutil.copytree(data / f"train{letter}", alone / f"train{letter}")
    found = evaluate(EvalSettings(run, data=(str(alone),)))
    true = at_size(data / "testB" / "scene3.png")
    wanted = float((by_hand(run, data)[3].double() - true.double()).abs().mean())
    assert found["values"]["l1"]["mean"] == pytest.approx(wanted, rel=1e-5)
    assert found["values"]["l1"]["deviation"] is None


def test_another_seed_gives_other_draws(run) -> None:
    one, other = (evaluate(EvalSettings(run, seed=seed))["values"]["l1"]["mean"] for seed in (0, 1))
    assert one != other


def test_files_without_partners_are_no_pairs(made, run, tmp_path, capsys) -> None:
    data = tmp_path / "other"
    shutil.copytree(made[0] / "testA", data / "a")
    write_pictures(data / "b", ["scene0", "scene1", "else"], 3)
    assert main(["eval", str(run), "--data", f"a={data / 'a'}", f"b={data / 'b'}", "--device", "cpu"]) == 0
    said = capsys.readouterr().out
    assert "l1: not computed: it needs the truth of each picture (2 of 5 files have one of the same name" in said
    files = sorted(path.name for path in (run / "eval").iterdir())
    assert len(files) == 1 and files[0].startswith("a2b-4-"), "numbers on other data do not replace the run's own"
    assert main(["eval", str(run), "--unpaired", "--device", "cpu"]) == 0
    assert "l1: not computed" in capsys.readouterr().out


def test_pictures_of_the_training_are_said_to_be_that(tmp_path) -> None:
    data = make_data(tmp_path / "data", test=0)
    make_run(tmp_path, data, tmp_path / "run", iterations=2)
    with pytest.raises(ComposeError, match="has no test part"):
        evaluate(EvalSettings(tmp_path / "run"))
    found = evaluate(EvalSettings(tmp_path / "run", data=(str(data),)))
    assert found["notes"][0] == "these are the pictures the run was trained on"


def test_an_earlier_checkpoint_can_be_measured(run) -> None:
    found = evaluate(EvalSettings(run, checkpoint="2"))
    assert found["run"]["iteration"] == 2 and (run / "eval" / "a2b-2.json").is_file()


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--weights", "inseption=x"], "unknown weights 'inseption'; did you mean 'inception'?"),
        (["--weights", "inception"], "names no file; write inception=PATH"),
        (["--weights", "inception=nowhere.pth"], "there is no file 'nowhere.pth'; FID and KID need"),
        (["--weights", "lpips-heads=pyproject.toml"], "of no use without lpips"),
        (["--as", "a2c"], "no translation 'a2c'"),
        (["--target", "c"], "no picture input 'c'"),
        (["--checkpoint", "best"], "no best checkpoint: nothing was validated"),
        (["--checkpoint", "3"], "no checkpoint of iteration 3"),
        (["--out", "docs"], "'docs' is no file that can be replaced"),
        (["--data", "nowhere"], "there is no folder 'nowhere'"),
    ],
)
def test_wrong_input_is_one_message_and_nothing_is_written(
    run, capsys, more: list[str], words: str, monkeypatch
) -> None:
    monkeypatch.chdir(Path(__file__).parents[1])
    assert main(["eval", str(run), "--device", "cpu", *more]) == 2
    assert words in capsys.readouterr().err
    assert not (run / "eval").exists()


SMALL = """\
composer: 1
name: g
inputs:
  {inputs}
networks:
  G: {{chain: ["conv(3, kernel=3)"]}}
values:
  made: G({first})
phases:
  fit:
    update: G
    minimize: {{x: "l1(made, {second})"}}
optimizers: {{default: {{adam: {{lr: 0.1}}}}}}
training: {{iterations: 1, batch: 1}}
translate: {{over: {{value: made}}}}
"""


def test_two_graphs_that_are_measured_on_the_same_pictures_say_so() -> None:
    """What a graph calls its inputs does not matter, nor whether it reads them as pairs."""
    found = []
    for inputs in (
        "pair: {photo: 'image(3, 16, 16)', drawing: 'image(3, 16, 16)'}",
        "one: {a: 'image(3, 16, 16)'}\n  two: {b: 'image(3, 16, 16)'}",
    ):
        first, second = ("photo", "drawing") if "pair" in inputs else ("a", "b")
        program = composer.compile("g.yaml", text=SMALL.format(inputs=inputs, first=first, second=second))
        for seed in (0, 1):
            held_out = demo_dataset(program.graph.streams, seed=seed).held_out
            assert held_out is not None
            subject = make_subject(program, held_out, "demo")
            assert len(subject.pairs) == 64
            found.append(subject.identity)
    assert found[:2] == found[2:] and found[0] != found[1]
