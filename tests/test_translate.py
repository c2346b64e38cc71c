"""Pictures through a trained run: any size, one at a time, never over something else."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_run import TINY, make_pictures, make_tiny, settings, start

from composer import checkpoint
from composer.cli import main
from composer.errors import ComposeError
from composer.run_folder import RunFolder
from composer.translate_files import load_program, translate_files, translate_one

# The averaged network is what translates, and a draw is part of it.
TWO_WAYS = TINY.replace(
    "  a2b: {value: fake}", "  a2b: {value: fake}\n  plain: {value: G(a)}\n  both: {value: fake - b}"
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    graph, data = make_tiny(folder / "method", TWO_WAYS)
    start(settings(graph, data, out=folder / "run", iterations=4, sample_every=0, settings=(("lr", "0.1"),)))
    return folder / "run"


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    for name, number, height, width in (("even", 2, 8, 12), ("odd", 2, 9, 15), ("small", 1, 1, 3)):
        make_pictures(folder, name, number, height, width)
    return folder


def test_sizes_come_back(trained, pictures, tmp_path):
    written = translate_files(trained, [pictures], tmp_path / "out", name="a2b")
    assert [p.name for p in written] == ["even0.png", "even1.png", "odd0.png", "odd1.png", "small0.png"]
    for path in written:
        assert Image.open(path).size == Image.open(pictures / path.name).size


def test_a_picture_gives_the_same_bytes_alone_and_among_others(trained, pictures, tmp_path):
    translate_files(trained, [pictures], tmp_path / "all", name="a2b")
    for name in ("odd1.png", "even0.png"):
        translate_files(trained, [pictures / name], tmp_path / "alone", name="a2b")
        assert (tmp_path / "alone" / name).read_bytes() == (tmp_path / "all" / name).read_bytes()
    translate_files(trained, [pictures / "odd1.png"], tmp_path / "other", name="a2b", seed=1)
    assert (tmp_path / "other/odd1.png").read_bytes() != (tmp_path / "all/odd1.png").read_bytes()


def test_it_is_the_program_of_the_checkpoint(trained, pictures, tmp_path):
    """Pixels are those of `Program.translate` on the padded picture, averages included."""
    program, iteration = load_program(RunFolder(trained))
    assert iteration == 4
    picture = torch.from_numpy(np.array(Image.open(pictures / "even0.png"))).permute(2, 0, 1).float() / 127.5 - 1
    direct = program.translate(picture[None], as_="plain")[0]
    assert torch.equal(translate_one(program, picture, "plain", 0), direct)
    with torch.no_grad():
        own = program.networks["G"].eval()(picture[None])[0]
        average = program.averages["G"].eval()(picture[None])[0]
    assert not torch.allclose(direct, own)
    assert torch.allclose(direct, average)
    (written,) = translate_files(trained, [pictures / "even0.png"], tmp_path, name="plain")
    pixels = torch.from_numpy(np.array(Image.open(written))).permute(2, 0, 1).float()
    assert (pixels - (direct.clamp(-1, 1) + 1) * 127.5).abs().max() <= 0.501


def test_nothing_is_replaced_without_being_told(trained, pictures, tmp_path):
    out = tmp_path / "out"
    (first,) = translate_files(trained, [pictures / "odd0.png"], out, name="a2b")
    before = first.read_bytes()
    with pytest.raises(ComposeError, match=r"'.*odd0.png' exists; name another --out, or replace it with --force"):
        translate_files(trained, [pictures], out, name="a2b", seed=3)
    assert [p.name for p in out.iterdir()] == ["odd0.png"]
    assert first.read_bytes() == before
    translate_files(trained, [pictures], out, name="a2b", seed=3, force=True)
    assert first.read_bytes() != before
    with pytest.raises(ComposeError, match="would be replaced by its translation"):
        translate_files(trained, [pictures], pictures, name="a2b", force=True)


def test_two_pictures_of_one_name_are_refused_before_any_work(trained, pictures, tmp_path):
    other = tmp_path / "more"
    other.mkdir()
    Image.open(pictures / "odd0.png").save(other / "ODD0.bmp")
    with pytest.raises(ComposeError, match=r"odd0.png' and '.*ODD0.bmp' would both become"):
        translate_files(trained, [pictures, other], tmp_path / "out", name="a2b")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (None, "has 3 translations: a2b, plain, both; choose one with --as a2b"),
        ("a2c", "no translation 'a2c'; did you mean 'a2b'?"),
        ("both", "starts from a, b, and a file gives it one picture"),
    ],
)
def test_the_translation_is_chosen_by_name(trained, pictures, tmp_path, name, words):
    with pytest.raises(ComposeError, match=words):
        translate_files(trained, [pictures], tmp_path / "out", name=name)


def test_what_cannot_be_translated_is_said(trained, pictures, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.png").write_bytes(b"not a picture")
    for inputs, words in (
        (tmp_path / "nowhere.png", "there is no file or folder"),
        (tmp_path / "empty", "no pictures in"),
        (tmp_path / "broken.png", "cannot read"),
    ):
        with pytest.raises(ComposeError, match=words):
            translate_files(trained, [inputs], tmp_path / "out", name="a2b")
    with pytest.raises(ComposeError, match="holds no run"):
        translate_files(pictures, [pictures], tmp_path / "out", name="a2b")


def test_a_run_without_a_whole_checkpoint_is_said(trained, pictures, tmp_path):
    copy = shutil.copytree(trained, tmp_path / "copy")
    for path in (copy / "checkpoints").glob("*.safetensors"):
        path.write_bytes(path.read_bytes()[:-1])
    assert checkpoint.latest(copy / "checkpoints") is None
    with pytest.raises(ComposeError, match="no whole checkpoint"):
        translate_files(copy, [pictures], tmp_path / "out", name="a2b")


def test_the_command_says_what_it_did(trained, pictures, tmp_path, capsys):
    words = ["translate", str(trained), str(pictures), "--out", str(tmp_path / "out"), "--as", "a2b", "--device", "cpu"]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "at iteration 4, 5 pictures into" in said
    assert "wrote 5 pictures" in said
    assert main(words) == 2
    assert capsys.readouterr().err.count("exists") == 5
