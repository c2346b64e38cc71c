"""Label maps with don't-care ids to photographs: at any size, in drawn styles, in those of references, on one page."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_run import settings, start

from composer.cli import main
from composer.errors import ComposeError
from composer.run_folder import RunFolder
from composer.samples import LAYOUT
from composer.translate_files import Wanted, load_program, translate_files

SMALL = {"size": 32, "image_width": 64, "load": "[36, 72]", "classes": 4, "ignored": "[255]", "width": 2, "hidden": 2,
         "judge_width": 2, "judge_layers": 2, "vgg_weight": 0, "batch": 2}  # fmt: skip
STYLED = {"code_size": 3, "encoder_width": 2, "encoder_size": 128}


def scenes(folder: Path, part: str, high: int, wide: int) -> Path:
    """Two photographs with label maps of classes 0 to 3 and 255, and instance maps of 16 bits."""
    numbers = np.random.default_rng(high)
    for name in ("a", "b"):
        classes = numbers.permutation(np.array([0, 1, 2, 3, 255] * 4)).reshape(4, 5)
        label = classes[(np.arange(high) * 4 // high)[:, None], np.arange(wide) * 5 // wide].astype(np.uint8)
        inst = label.astype(np.uint16) * 100
        photo = numbers.integers(0, 256, (high, wide, 3)).astype(np.uint8)
        for kind, pixels in (("label", label), ("inst", inst), ("img", photo)):
            (folder / f"{part}_{kind}").mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(folder / f"{part}_{kind}" / f"{name}.png")
    return folder


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data, and two runs of one iteration: with and without a code of the style."""
    root = tmp_path_factory.mktemp("layouts")
    data = scenes(scenes(root / "data", "train", 36, 70), "test", 45, 100)
    more = {"preset": "demo", "iterations": 1, "sample_every": 0, "score": False}
    for out, variants, changed in (("plain", (), SMALL), ("styled", ("styled",), {**SMALL, **STYLED})):
        params = tuple((f"params.{key}", str(value)) for key, value in changed.items())
        start(settings("spade", (str(data),), out=root / out, variants=variants, settings=params, **more))
    return root


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def test_a_map_is_translated_at_its_own_size(work: Path, tmp_path: Path) -> None:
    data = work / "data"
    wanted = Wanted(give=[f"inst={data / 'test_inst'}"])
    written = translate_files(work / "plain", [data / "test_label"], tmp_path, wanted=wanted)
    assert [(path.name, pixels(path).shape) for path in written] == [("a.png", (45, 100, 3)), ("b.png", (45, 100, 3))]
    program, _ = load_program(RunFolder(work / "plain"))
    label, inst = (pixels(data / f"test_{kind}" / "a.png").astype(np.int64) for kind in ("label", "inst"))
    label[label == 255] = 4  # ids that mean no class are a class of their own
    around = ((9, 10), (14, 14))  # to multiples of 32
    batch = [torch.from_numpy(np.pad(one, around, "reflect")[None]) for one in (label, inst)]
    photo = program.translate(dict(zip(("label", "inst"), batch, strict=True)))[0, :, 9:54, 14:114]
    assert np.array_equal(pixels(written[0]), ((photo + 1) * 127.5).round().byte().permute(1, 2, 0).numpy())


def test_a_start_from_a_code_takes_the_size_of_training(work: Path, tmp_path: Path) -> None:
    data, said = work / "data", []
    wanted = Wanted(give=[f"inst={data / 'test_inst'}"], samples=2, grid=tmp_path / "grid.png")
    written = translate_files(
        work / "styled", [data / "test_label"], tmp_path, name="label2photo", wanted=wanted, said=said.append
    )
    assert said[1] == "label2photo takes 64 x 32 alone: label is resized to it"
    assert [path.name for path in written] == ["a-1.png", "a-2.png", "b-1.png", "b-2.png"]
    assert {pixels(path).shape for path in written} == {(32, 64, 3)}
    with Image.open(tmp_path / "grid.png") as grid:
        shown = json.loads(grid.info[LAYOUT])
    assert shown == {"inputs": ["a", "b"], "styles": ["style 1", "style 2"]}
    program, _ = load_program(RunFolder(work / "styled"))
    assert program.translator.only_size("label2photo", None) == (32, 64)
    codes = [torch.tensor([[value] * 3]) for value in (-9.0, 9.0)]
    batch = {"label": torch.zeros(1, 32, 64, dtype=torch.int64), "inst": torch.zeros(1, 32, 64, dtype=torch.int64)}
    made = [program.translate(batch, as_="label2photo", draws={"prior": [code]}) for code in codes]
    assert not torch.equal(*made)  # a style is seen, after one iteration too


def test_the_style_of_references_and_what_lies_between_them(work: Path, tmp_path: Path) -> None:
    data, grid = work / "data", tmp_path / "grid.png"
    give = [f"inst={data / 'test_inst'}", f"reference={data / 'train_img'}"]
    translate_files(
        work / "styled", [data / "test_label"], None, name="label2photo_guided", wanted=Wanted(give=give, grid=grid)
    )
    with Image.open(grid) as page:
        assert json.loads(page.info[LAYOUT]) == {"inputs": ["a", "b"], "styles": ["a", "b"]}
    one = [data / "test_label" / "a.png"]
    give = [*give, "eps=3"]
    steps = translate_files(
        work / "styled", one, tmp_path, name="label2photo_guided", wanted=Wanted(give=give, interpolate=3)
    )
    assert [path.name for path in steps] == ["a-1.png", "a-2.png", "a-3.png"]


@pytest.mark.parametrize(
    ("folder", "give", "said"),
    [
        ("test_label", (), "'label2photo' starts from label, inst, and a file gives it one picture, label"),
        ("test_label", ("inst={data}/test_inst/a.png",), "'b.png' has no file of that name"),
        ("test_label", ("inst={data}/train_inst",), "'a.png' is 70 x 36, and 'a.png' is 100 x 45"),
        ("test_inst", ("inst={data}/test_inst",), "'label' has the id 25500, and label has 4 classes"),
        ("test_img", ("inst={data}/test_inst",), "a coloured picture (RGB)"),
    ],
)
def test_what_does_not_fit_is_said(work: Path, tmp_path: Path, folder: str, give: tuple[str, ...], said: str) -> None:
    data = work / "data"
    wanted = Wanted(give=[text.format(data=data) for text in give])
    with pytest.raises(ComposeError) as caught:
        translate_files(work / "plain", [data / folder], tmp_path, wanted=wanted)
    words = " ".join(str(caught.value).split())
    assert said in words.replace(f"{data}/", "").replace("test_label/", "").replace("train_inst/", ""), words


def test_photographs_of_maps_are_measured(work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", str(work / "plain"), "--out", str(tmp_path / "eval.json")]) == 0
    out = capsys.readouterr().out
    assert "psnr" in out and "ssim" in out
    assert main(["eval", str(work / "styled"), "--as", "label2photo", "--out", str(tmp_path / "styled.json")]) == 0
