"""Styles of a translation: samples, given inputs, steps between two, and the grid of them; over the bundled graphs."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_run import make_pictures, settings, start

from composer.cli import main
from composer.data.folders import names_of, open_data
from composer.errors import ComposeError
from composer.fields import Field, Stream
from composer.run_folder import RunFolder
from composer.samples import LAYOUT
from composer.translate_files import Wanted, data_names, load_program, translate_files
from composer.translate_given import read_given
from composer.translate_styles import plan_styles, style_values

SMALL = (("params.size", "32"), ("params.width", "4"))
DOMAINS = ("domains", "demo_styles")  # day, night, winter
GRAPHS = {
    "munit": (*SMALL, ("params.load", "36"), ("params.judge_layers", "2"), ("params.residual", "1")),
    "stargan": (*SMALL, ("params.judge_layers", "2"), ("params.blocks", "1")),
    "stargan_v2": (*SMALL, ("params.base", "128"), ("params.widest", "8"), *(("params." + n, "3") for n in DOMAINS)),
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """One iteration of each graph."""
    root = tmp_path_factory.mktemp("runs")
    for name, changes in GRAPHS.items():
        more = {"preset": "demo", "iterations": 1, "sample_every": 0, "score": False}
        start(settings(name, (), out=root / name, settings=changes, **more))
    return root


@pytest.fixture
def pictures(tmp_path):
    return [*make_pictures(tmp_path / "p", "p", 2, 32, 32), *make_pictures(tmp_path / "p", "q", 1, 20, 37)]


def pixels(path):
    return np.asarray(Image.open(path))


def test_samples_are_the_seeds_one_after_the_other_and_the_same_alone(runs, pictures, tmp_path):
    many = translate_files(runs / "munit", pictures, tmp_path / "many", name="a2b", seed=3, wanted=Wanted(samples=2))
    assert [p.name for p in many] == ["p0-1.png", "p0-2.png", "p1-1.png", "p1-2.png", "q0-1.png", "q0-2.png"]
    assert pixels(many[4]).shape == (20, 37, 3)
    assert many[4].read_bytes() != many[5].read_bytes()
    for number, seed in ((4, 3), (5, 4)):
        out = tmp_path / str(seed)
        (alone,) = translate_files(runs / "munit", pictures[2:], out, name="a2b", seed=seed, wanted=Wanted(samples=1))
        assert alone.name == "q0.png"
        assert alone.read_bytes() == many[number].read_bytes()
        again = Wanted(give=[f"prior[b]={seed}"])
        (drawn,) = translate_files(runs / "munit", pictures[2:], out, name="a2b", force=True, wanted=again)
        assert drawn.read_bytes() == many[number].read_bytes()


def test_as_many_samples_as_the_graph_says(runs):
    program, _ = load_program(RunFolder(runs / "munit"))
    assert len(plan_styles(program, "a2b", {}, 0)) == program.translations["a2b"].samples == 10


def test_a_reference_gives_the_style(runs, pictures, tmp_path):
    """It is read as at test time, and what comes out is the program's own value."""
    wanted = Wanted(give=[f"x[b]={pictures[1]}"])
    (made,) = translate_files(runs / "munit", pictures[:1], tmp_path / "out", name="a2b_guided", wanted=wanted)
    program, _ = load_program(RunFolder(runs / "munit"))
    x, ref = (torch.from_numpy(pixels(p).copy()).permute(2, 0, 1)[None].float() / 127.5 - 1 for p in pictures[:2])
    direct = program.translate({"x[a]": x, "x[b]": ref}, as_="a2b_guided")[0]
    assert np.abs(pixels(made) - ((direct.clamp(-1, 1) + 1) * 127.5).permute(1, 2, 0).numpy()).max() <= 0.51
    # Turned round: the picture that is not given is the one translated.
    wanted = Wanted(give=[f"x[a]={pictures[0]}"])
    (turned,) = translate_files(runs / "munit", pictures[1:2], tmp_path / "out", name="a2b_guided", wanted=wanted)
    assert (pixels(turned) == pixels(made)).all()


def test_labels_by_word_and_number(runs, pictures, tmp_path):
    run = runs / "stargan"
    assert data_names(RunFolder(run)) == {"y": ["day", "night", "winter"]}
    both = translate_files(run, pictures[:1], tmp_path / "a", wanted=Wanted(give=["to_label=night", "to_label=2"]))
    (number,) = translate_files(run, pictures[:1], tmp_path / "b", wanted=Wanted(give=["to_label=1"]))
    assert number.read_bytes() == both[0].read_bytes() != both[1].read_bytes()


def test_the_ends_of_an_interpolation_are_the_styles(runs, pictures, tmp_path):
    give = [f"x_ref={pictures[1]}", "y_ref=night", f"x_ref={pictures[2]}", "y_ref=day"]
    steps = translate_files(
        runs / "stargan_v2", pictures[:1], tmp_path / "a", name="reference", wanted=Wanted(give, interpolate=3)
    )
    ends = translate_files(runs / "stargan_v2", pictures[:1], tmp_path / "b", name="reference", wanted=Wanted(give))
    assert [p.name for p in steps] == ["p0-1.png", "p0-2.png", "p0-3.png"]
    assert (pixels(steps[0]) == pixels(ends[0])).all()
    assert (pixels(steps[2]) == pixels(ends[1])).all()


def test_between_two_styles_lies_the_middle_of_their_codes(runs):
    """It is what the graph itself offers as a translation between two references."""
    program, _ = load_program(RunFolder(runs / "stargan_v2"))
    assert [n.target for n in style_values(program.translations["reference"].node, "x")] == ["E"]
    assert [n.target for n in style_values(program.translations["latent"].node, "x")] == ["F"]
    from composer.translate_given import Value
    from composer.translate_styles import translate_in

    generator = torch.Generator().manual_seed(0)
    x, one, two = (torch.rand(1, 3, 32, 32, generator=generator) for _ in range(3))
    label = torch.tensor([1])
    given = {"x_ref": [Value("one", one), Value("two", two)], "y_ref": [Value("night", label)]}
    steps = plan_styles(program, "reference", given, 0, interpolate=3)
    assert [step.title for step in steps] == ["one", "0.5", "two"]
    middle = translate_in(program, "reference", "x", x, steps[1])
    own = program.translate({"x": x, "x_ref": one, "x_ref2": two, "y_ref": label}, as_="interpolated")
    assert torch.allclose(middle, own, atol=1e-6)


def test_the_grid_has_inputs_and_styles_on_its_axes(runs, pictures, tmp_path, capsys):
    grid = tmp_path / "grid.png"
    words = ["translate", str(runs / "stargan_v2"), *map(str, pictures), "--as", "latent", "--samples", "2"]
    words += ["--give", "to_label=day", "--give", "to_label=winter", "--grid", str(grid), "--device", "cpu"]
    assert main(words) == 0
    assert f"wrote {grid}" in capsys.readouterr().out
    image = Image.open(grid)
    assert json.loads(image.text[LAYOUT]) == {
        "inputs": ["p0", "p1", "q0"],
        "styles": ["day 1", "day 2", "winter 1", "winter 2"],
    }
    assert sorted(os.listdir(tmp_path)) == ["grid.png", "p"]
    # The first column holds the inputs: cells are 64 pixels wide at least.
    top, left = 14 + 2 + 14, 2
    shown = np.asarray(image)[top : top + 32, left + (64 - 32) // 2 :][:, :32]
    assert (shown == pixels(pictures[0])).all()
    assert main(words) == 2
    assert "exists; name another --grid" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("run", "name", "wanted", "words"),
    [
        ("munit", "a2b_guided", Wanted(), r"a file gives it one picture, x\[a\]; add --give x\[b\]=PICTURE"),
        ("munit", "a2b", Wanted(["style=1"]), r"no input or draw 'style'"),
        ("munit", "a2b", Wanted(["prior[b]=red"]), "is a draw, and 'red' is no seed"),
        ("munit", "a2b_guided", Wanted(["x[b]=no.png"]), "no file or folder 'no.png' for"),
        ("munit", "a2b_guided", Wanted(["x[b]={0}"], samples=2), "every sample would be the same"),
        ("munit", "a2b_guided", Wanted(["x[b]={0}"], interpolate=3), "no two styles to go between"),
        ("munit", "a2b", Wanted(samples=3, interpolate=3), "from one style to another, and there are 3"),
        ("munit", "a2b", Wanted(interpolate=1), "needs 2 steps at least"),
        ("munit", "a2b", Wanted(["oops"]), "has no value; write NAME=VALUE"),
        ("stargan", "to", Wanted(["to_label=nigth"]), "no label 'nigth'; did you mean 'night'"),
        ("stargan", "to", Wanted(["to_label=3"]), "no label '3'; "),
        ("stargan", "to", Wanted(), "add --give to_label=LABEL"),
        (
            "stargan_v2",
            "reference",
            Wanted(["x_ref={0}", "x_ref={1}", *["y_ref=0"] * 3]),
            "2 of x_ref and 3 of y_ref; give as many",
        ),
        ("munit", "a2b", Wanted(grid="grid.jpg"), "--grid writes a PNG file"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_written(runs, pictures, tmp_path, run, name, wanted, words):
    give = [text.format(*pictures) for text in wanted.give]
    grid = tmp_path / wanted.grid if wanted.grid else None
    asked = Wanted(give, wanted.samples, wanted.interpolate, grid)
    with pytest.raises(ComposeError, match=words):
        translate_files(runs / run, pictures[:1], tmp_path / "out", name=name, wanted=asked)
    assert not (tmp_path / "out").exists()


def test_vectors_by_names_and_by_numbers(tmp_path):
    import composer

    program = composer.compile("stargan", preset="demo", variants=["attributes"], settings=dict(GRAPHS["stargan"]))
    names = {"y": ["night", "winter", "dusk"]}

    def given(text):
        (value,) = read_given(program, "to", [f"to_code={text}"], names)["to_code"]
        return value.value.tolist()

    assert given("winter,night") == [[1, 1, 0]]
    assert given("0,0.5,1") == [[0, 0.5, 1]]
    assert given("") == [[0, 0, 0]]
    with pytest.raises(ComposeError, match="nothing named 'wintre'; did you mean 'winter'"):
        given("wintre")
    with pytest.raises(ComposeError, match="takes 3 numbers, and '0,1' is 2"):
        given("0,1")


def test_names_come_from_folders_and_from_tables(tmp_path):
    for domain in ("cat", "dog"):
        make_pictures(tmp_path / "domains", domain, 0)
        make_pictures(tmp_path / "domains" / domain, domain, 2)
    streams = [Stream("s", (Field("x", "image", (3, 8, 8)), Field("y", "label", (2,))))]
    (source,) = open_data([str(tmp_path / "domains")], streams).sources.values()
    assert names_of(source) == [("y", ("cat", "dog"))]
    (tmp_path / "faces").mkdir()
    make_pictures(tmp_path / "faces" / "images", "f", 2)
    table = "image,Young,Smiling\nf0.png,1,-1\nf1.png,-1,1\n"
    (tmp_path / "faces" / "attributes.csv").write_text(table, encoding="utf-8")
    streams = [Stream("s", (Field("x", "image", (3, 8, 8)), Field("y", "attributes", (2,))))]
    (source,) = open_data([str(tmp_path / "faces")], streams).sources.values()
    assert names_of(source) == [("y", ("Young", "Smiling"))]
