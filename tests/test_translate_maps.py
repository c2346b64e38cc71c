"""Label maps and instance maps in, photos out; and a coarse run as the start of one at twice the resolution."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from data_folders import scenes
from PIL import Image
from tiny_run import settings, start, state

import composer
from composer.cli import main
from composer.errors import ComposeError
from composer.run_folder import RunFolder
from composer.samples import LAYOUT
from composer.testing.batches import batch_for
from composer.translate_files import Wanted, load_program, translate_files

SMALL = {"size": 32, "image_width": 48, "classes": 5, "width": 4, "down": 1, "blocks": 1, "judge_width": 4,
         "judge_layers": 1, "encoder_width": 2, "encoder_down": 1, "clusters": 3}  # fmt: skip


def of(**changed: object) -> tuple[tuple[str, str], ...]:
    return tuple((f"params.{key}", str(value)) for key, value in {**SMALL, **changed}.items())


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data, a run with features, one without, and one that starts from it at twice the size."""
    root = tmp_path_factory.mktemp("scenes")
    data = scenes(scenes(root / "data", "train", ("a", "b")), "test", ("c", "d"), 31, 45)
    more = {"preset": "demo", "iterations": 1, "sample_every": 0, "score": False}
    start(settings("pix2pixhd", (str(data),), out=root / "features", variants=("features",), settings=of(), **more))
    start(settings("pix2pixhd", (str(data),), out=root / "coarse", settings=of(width=8, scales=2), **more))
    local = of(size=64, image_width=96, width=4, enhancers=1, enhancer_blocks=1, scales=3, fix_epochs=1)
    start(settings("pix2pixhd", (str(data),), out=root / "local", variants=("local",), settings=local,
                   source=root / "coarse", **more))  # fmt: skip
    return root


def test_a_label_map_with_its_instances_becomes_a_photo(work: Path, tmp_path: Path) -> None:
    data, wanted = work / "data", Wanted(give=[f"inst={work / 'data' / 'test_inst'}"])
    written = translate_files(work / "coarse", [data / "test_label"], tmp_path, wanted=wanted)
    assert [path.name for path in written] == ["c.png", "d.png"]
    program, _ = load_program(RunFolder(work / "coarse"))
    label, inst = (np.asarray(Image.open(data / f"test_{k}" / "d.png")).astype(np.int64) for k in ("label", "inst"))
    padded = [torch.from_numpy(np.pad(x, ((0, 1), (0, 1)), "reflect")[None]) for x in (label, inst)]
    photo = program.translate(dict(zip(("label", "inst"), padded, strict=True)))[0, :, :31, :45]
    pixels = np.rint((photo.clamp(-1, 1).numpy() + 1) / 2 * 255).astype(np.uint8).transpose(1, 2, 0)
    assert np.array_equal(np.asarray(Image.open(written[1])), pixels)
    one = Wanted(give=[f"inst={data / 'test_inst' / 'd.png'}"])
    (alone,) = translate_files(work / "coarse", [data / "test_label" / "d.png"], tmp_path / "one", wanted=one)
    assert alone.read_bytes() == written[1].read_bytes()


def test_clusters_are_drawn_or_chosen(work: Path, tmp_path: Path) -> None:
    data, give = work / "data", f"inst={work / 'data' / 'test_inst'}"
    drawn = Wanted(give=[give], samples=3, grid=tmp_path / "grid.png")
    files = translate_files(work / "features", [data / "test_label"], tmp_path, name="sampled", wanted=drawn)
    assert len({path.read_bytes() for path in files}) == len(files) == 6
    with Image.open(tmp_path / "grid.png") as grid:
        assert json.loads(grid.info[LAYOUT])["inputs"] == ["c", "d"]
    every = ",".join(f"{number}:{number % 3}" for number in range(5))
    for seed in (0, 1):
        chosen = Wanted(give=[give, f"cluster={every}"], samples=1)
        translate_files(work / "features", [data / "test_label"], tmp_path / str(seed), name="chosen", seed=seed,
                        wanted=chosen)  # fmt: skip
    assert (tmp_path / "0" / "c.png").read_bytes() == (tmp_path / "1" / "c.png").read_bytes()
    program, _ = load_program(RunFolder(work / "features"))
    centres = program.collected("centres")
    assert centres.shape == (5, 3, 3) and bool(centres.abs().sum((1, 2)).all())


def test_an_encoded_photo_takes_its_maps_along(work: Path, tmp_path: Path) -> None:
    data = work / "data"
    give = [f"{name}={data / ('train_' + name)}" for name in ("label", "inst")]
    photos = translate_files(
        work / "features", [data / "train_img"], tmp_path, name="encoded", wanted=Wanted(give=give)
    )
    assert [Image.open(path).size for path in photos] == [(50, 40)] * 2
    give = [f"inst={data / 'train_inst'}", f"image={data / 'train_img'}"]
    maps = translate_files(work / "features", [data / "train_label"], tmp_path / "m", name="encoded",
                           wanted=Wanted(give=give))  # fmt: skip
    assert [path.read_bytes() for path in maps] == [path.read_bytes() for path in photos]


@pytest.mark.parametrize(
    ("give", "said"),
    [
        ((), "'sampled' starts from label, inst, and a file gives it one picture, label; add --give inst=FOLDER"),
        (("inst=nowhere",), "there is no file or folder 'nowhere' for inst"),
        (("inst={data}/train_inst",), "needs pairs, and no file of label and inst has the same name"),
        (("inst={data}/test_img",), "a coloured picture (RGB)"),
        (("inst={data}/test_inst", "pick=9:3"), "'pick' has 256 numbers from 0 to 2, and not 9:3"),
        (("inst={data}/test_inst", "pick=a"), "'pick' is a draw, and 'a' is no seed"),
    ],
)
def test_what_does_not_fit_is_said(work: Path, tmp_path: Path, give: tuple[str, ...], said: str) -> None:
    data = work / "data"
    wanted = Wanted(give=[text.format(data=data) for text in give])
    with pytest.raises(ComposeError) as caught:
        translate_files(work / "features", [data / "test_label"], tmp_path / "out", name="sampled", wanted=wanted)
    assert said in " ".join(str(caught.value).split())


def test_maps_of_other_sizes_and_classes_are_refused(
    work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = scenes(tmp_path, "test", ("c",), 32, 45)
    command = ["translate", str(work / "coarse"), str(folder / "test_label"), "--out", str(tmp_path / "out"), "--give"]
    assert main([*command, f"inst={work / 'data' / 'test_inst'}"]) == 2
    assert "is 45 x 31, and" in " ".join(capsys.readouterr().err.split())
    Image.fromarray(np.full((32, 45), 77, np.uint8)).save(folder / "test_label" / "c.png")
    assert main([*command, f"inst={folder / 'test_inst'}"]) == 2
    assert "'label' has the id 77, and label has 5 classes" in " ".join(capsys.readouterr().err.split())


def test_a_coarse_run_starts_one_at_twice_the_resolution(work: Path) -> None:
    coarse, local = state(work / "coarse")[0], state(work / "local")[0]
    record = json.loads((work / "local" / "environment.json").read_text(encoding="utf-8"))
    found = record["starts"][0]["warm_start"]
    assert set(found["matched"]) == {"G", "D"}
    assert {name.split(".")[1] for name in found["new"] if name.startswith("G.")} == {"enhancers", "last"}
    assert {".".join(name.split(".")[:3]) for name in found["new"] if name.startswith("D.")} == {"D.scales.2"}
    inner = [name for name in coarse if name.startswith("networks/G/coarse.")]
    assert inner and all(coarse[name] == local[name] for name in inner)  # fixed in the first epoch


def test_only_the_outer_part_learns_at_first_and_then_everything_anew() -> None:
    settings = dict(of(size=16, image_width=16, enhancers=1, enhancer_blocks=1, fix_epochs=1, vgg_weight=0))
    program = composer.compile("pix2pixhd", variants=["local", "features"], settings=settings)
    program.epoch_length = 2
    moved, counts = [], []
    for number in range(4):
        before = {name: tensor.clone() for name, tensor in program.state()[0].items()}
        program.step(batch_for(program, number))
        after = program.state()[0]
        names = [n for n in before if n.startswith("networks/") and not torch.equal(before[n], after[n])]
        moved.append({name.removeprefix("networks/").split(".")[0] for name in names})
        counts.append({n.split("/")[1]: int(v) for n, v in after.items() if n.endswith("/step")})
    assert [("G/coarse" in names, "G/enhancers" in names, "E/layers" in names) for names in moved] == [
        (False, True, True), (False, True, True), (True, True, True), (True, True, True)
    ]  # fmt: skip
    assert [(one["G"], one["E"], one["default"]) for one in counts] == [(1, 1, 1), (2, 2, 2), (1, 1, 3), (2, 2, 4)]
