"""A trained translation as a file: the same pictures as the program gives, whatever their size, or a reason why not."""

from __future__ import annotations

import errno
import importlib.util
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tiny_run import make_tiny, settings, start
from torch import nn

import composer
from composer.cli import main
from composer.data.pictures import crop_back, pad_to
from composer.document import bundled_graphs
from composer.errors import ComposeError
from composer.export import command
from composer.export.check import Subject, compare
from composer.export.contract import make_contract
from composer.export.formats import open_model
from composer.export.settle import settled, without_dropout
from composer.export.sizes import Steps, crop, pad, rounded
from composer.export.wrapped import Wrapped
from composer.run_folder import open_existing
from composer.translate_files import load_program, translate_files

SMALL = {"size": 32, "depth": 4, "layers": 2, "blocks": 1, "judge_layers": 2, "load": 36, "scales": 1}
NARROW = dict.fromkeys(("width", "judge_width", "vgg_width"), 4)
OWN = {  # sizes that networks of a fixed depth need; deep norms of a constant map, as it is tried with, are rounding
    "pix2pixhd_styles": {"down": 0, "encoder_down": 1, "classes": 5},
    "bicyclegan": {"size": 64, "load": 64, "encoder_blocks": 2, "encoder_width": 4},
    "spade": {"size": 64, "load": 64, "hidden": 4},
    "unit_spade": {"classes": 5, "hidden": 4},
    "spectral_regularization": {"doublings": 3, "halvings": 3, "width": 4},
}
PICTURES = [Image.fromarray(np.random.default_rng(i).integers(0, 256, (9, 7, 3), dtype=np.uint8)) for i in (0, 1)]

# Batch statistics of each picture, dropout, a draw as large as a picture, a network that mirrors, an average.
METHOD = """\
composer: 1
name: tiny
params: {size: 16, lr: 0.05}
blocks: [odd.py]
inputs:
  one:
    a: image(3, size, size)
  two:
    b: image(3, size, size)
networks:
  G:
    chain:
      - conv(4, kernel=3, stride=2, pad="reflect", norm="batch", activation="relu")
      - residual(pad="reflect")
      - dropout(0.5)
      - conv_transpose(3, kernel=4, stride=2, padding=1, activation="tanh")
values:
  noise: normal_like(a)
  style: normal(3)
  fake: G(a)
phases:
  fit:
    update: G
    minimize: {l1: "l1(G(a + noise), b)"}
averages: {G: 0.5}
optimizers:
  default: {adam: {lr: =lr}}
training: {iterations: 6, batch: 2}
translate:
  plain: {value: fake, mode: eval}
  trained: {value: fake, mode: train}
  noisy: {value: G(a + noise)}
  styled: {value: "fake * normal_share(style)"}
  two: {value: G(a) - b}
  looks: {value: looks(fake)}
  special: {value: special(fake)}
  drawn: {value: drawn(fake)}
show: a, fake, b
"""
ODD = '''\
import torch
from composer import block

@block("image[b c h w] -> image[b c h w]")
def looks(image):
    """Depends on its numbers."""
    return image if image.mean() > 0 else -image

@block("image[b c h w] -> image[b c h w]")
def special(image):
    """An operation that few know."""
    return torch.special.bessel_j0(image)

@block("image[b c h w] -> image[b c h w]")
def drawn(image):
    """Random numbers that nobody is asked for."""
    return image + torch.rand_like(image)

@block("style[b n] -> share[b 1 1 1]")
def normal_share(style):
    """A number for each row."""
    return style.mean(1)[:, None, None, None].sigmoid()
'''


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    graph, data = make_tiny(folder / "method", METHOD)
    (folder / "method/odd.py").write_text(ODD, encoding="utf-8")
    start(settings(graph, data, out=folder / "run", sample_every=0))
    return folder / "run"


@pytest.fixture(scope="module")
def model(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One ONNX file for several tests: writing one takes seconds."""
    out = tmp_path_factory.mktemp("model") / "model.onnx"
    assert main(["export", str(run), "--as", "plain", "-o", str(out)]) == 0
    assert [path.name for path in out.parent.iterdir()] == ["model.onnx"]
    return out


def photo(path: Path, height: int, width: int) -> np.ndarray:
    """A picture that is not like its neighbours, written and returned."""
    pixels = np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return pixels


def onnx_run(path: Path, **inputs: np.ndarray) -> np.ndarray:
    import onnxruntime

    (found,) = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, inputs)
    return found


# -- the file ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("height", "width"), [(16, 16), (23, 31), (1, 1), (3, 40)])
def test_a_picture_of_any_size_gives_what_translate_writes(
    run: Path, model: Path, tmp_path: Path, height: int, width: int
) -> None:
    pixels = photo(tmp_path / "photo.png", height, width)
    (written,) = translate_files(run, [tmp_path / "photo.png"], tmp_path / "out", name="plain")
    found = onnx_run(model, image=pixels[None])[0]
    assert (found.shape == (height, width, 3) and found.std() > 1) or height == 1
    assert np.abs(found.astype(int) - np.asarray(Image.open(written)).astype(int)).max() <= 1


def test_a_batch_gives_what_its_pictures_give_alone(model: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 18, 20, 3), dtype=np.uint8)
    together = onnx_run(model, image=pixels).astype(int)
    assert max(np.abs(together[i] - onnx_run(model, image=pixels[i : i + 1])[0]).max() for i in range(3)) <= 1


def test_the_file_says_what_it_is(run: Path, model: Path) -> None:
    import onnx

    loaded = onnx.load(model)
    facts = {one.key: one.value for one in loaded.metadata_props}
    assert (facts["graph"], facts["translation"], facts["mode"], facts["iteration"]) == ("tiny", "plain", "eval", "6")
    described = json.loads((run / "checkpoints/iteration-0000006.json").read_text(encoding="utf-8"))
    assert facts["checkpoint_sha256"] == described["sha256"]
    assert facts["heights_inside"] == "a multiple of 2, at least 4"
    ports = {one["name"]: one for one in json.loads(facts["tensors"])}
    assert ports["image"]["shape"] == ["n", "h", "w", 3] and ports["image"]["graph_name"] == "a"
    for value in (*loaded.graph.input, *loaded.graph.output):
        assert [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim] == ["n", "h", "w", 3]
    assert str(Path(composer.__file__).parent).encode() not in model.read_bytes()


def test_the_example_of_the_documentation_runs(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[1] / "docs/export.md").read_text(encoding="utf-8")
    (example,) = (part.partition("```")[0] for part in page.split("```python\n")[1:])
    assert len(example.splitlines()) <= 10
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.onnx").write_bytes(model.read_bytes())
    photo(tmp_path / "photo.png", 21, 34)
    exec(compile(example, "export.md", "exec"), {})
    assert Image.open(tmp_path / "painted.png").size == (34, 21)


def test_the_command_says_what_goes_in_and_how_far_it_is_off(
    run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["export", str(run), "--as", "trained", "--no-dropout", "--float", "-o", str(tmp_path / "m.pt2")]
    assert main(words) == 0
    said, complaints = capfd.readouterr()
    assert complaints == ""
    assert "in train mode" in said and "image: float32 [n 3 h w], RGB, 0 to 1" in said
    assert "checked against the program on pictures of its data: 16x16, 18x26, 13x21 in batches of 1 and 2" in said
    assert "0 levels of 255" in said and f"wrote {tmp_path / 'm.pt2'}" in said
    extra = {"composer.json": ""}
    loaded = torch.export.load(tmp_path / "m.pt2", extra_files=extra).module()
    assert json.loads(extra["composer.json"])["dropout"] == "off"
    assert loaded(torch.rand(1, 3, 5, 9)).shape == (1, 3, 5, 9)
    assert main(words) == 2
    assert "exists; name another file, or replace it with --force" in capfd.readouterr().err


def test_draws_are_inputs(run: Path, tmp_path: Path) -> None:
    """Of any size where a draw does not grow with the picture; otherwise at a size that is fixed."""
    program, _ = load_program(open_existing(run))
    chosen = program.translations["styled"]
    wrapped, contract = make_contract(program, chosen, "eval", unit=False, size=None)
    assert [port.dims for port in contract.inputs] == [("n", "h", "w", 3), ("n", 3)]
    picture = torch.randint(0, 256, (2, 9, 12, 3), dtype=torch.uint8)
    dark, loud = (wrapped(picture, torch.full((2, 3), number)).float() - 127.5 for number in (-99.0, 99.0))
    assert dark.abs().max() <= 1 < loud.abs().max()
    extra = {"composer.json": ""}
    command.export(run, tmp_path / "trained.pt2", name="trained", size=(10, 16))
    torch.export.load(tmp_path / "trained.pt2", extra_files=extra)
    masks = json.loads(json.loads(extra["composer.json"])["tensors"])[1]
    assert masks["shape"] == ["n", 4, 5, 8] and masks["meaning"] == "1 with probability 0.5, else 0"


# -- what is refused --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "out", "more", "words"),
    [
        ("trained", "m.onnx", {}, r"translates with dropout \('G:layers.2'\).* --no-dropout or --mode eval, or fix"),
        ("noisy", "m.onnx", {}, "draws 'noise', which is as large as the picture; fix the size"),
        ("looks", "m.pt2", {}, r"what it computes next depends on the numbers .* \(.*looks\(fake\), graph.yaml:\d+\)"),
        ("special", "m.onnx", {}, r"ONNX has no \w+.\w*bessel_j0; write a .pt2 file, or use another block"),
        ("drawn", "m.pt2", {}, "the exported model is not the program"),
        ("plane", "m.onnx", {}, "no translation 'plane'; did you mean 'plain'"),
        ("plain", "m.jpg", {}, r"name a file that ends in .onnx \(ONNX\) or .pt2"),
        ("plain", "nowhere/m.onnx", {}, "there is no folder"),
        ("plain", "m.onnx", {"check": [Path("nowhere.png")]}, "cannot read 'nowhere.png'"),
    ],
)
def test_a_refusal_says_why_and_leaves_nothing(
    run: Path, tmp_path: Path, name: str, out: str, more: dict[str, Any], words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ComposeError, match=words):
        command.export(run, tmp_path / out, name=name, **more)
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")  # what torch's exporter has to say is not for users


def test_a_file_that_differs_or_has_no_room_is_not_left(
    run: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "m.onnx"
    out.write_text("an older one", encoding="utf-8")
    content = model.read_bytes()

    def brighter(path: Path) -> Any:
        own = open_model(path)
        return lambda given: tuple(one + 1 for one in own(given))

    def full(path: Path, content: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(command, "export_bytes", lambda *_: content)
    with monkeypatch.context() as changed:
        changed.setattr(command, "open_model", brighter)
        with pytest.raises(ComposeError, match=r"is not the program: .* difference is 1 level of 255, 7.8e-03"):
            command.export(run, out, name="plain", force=True)
    with monkeypatch.context() as changed:
        changed.setattr(Path, "write_bytes", full)
        with pytest.raises(ComposeError, match=r"the disk is full while writing .*m.onnx'; free some space"):
            command.export(run, out, name="plain", force=True)
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]
    assert out.read_text(encoding="utf-8") == "an older one"
    command.export(run, out, name="plain", force=True)
    assert out.read_bytes() == content


def test_what_is_not_installed_is_said(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ComposeError, match=r"onnxruntime; pip install 'composer-translation\[export\]'"):
        command.export(run, tmp_path / "m.onnx", name="plain")


# -- the parts --------------------------------------------------------------------------------------------------


def eager(wrapped: Wrapped) -> Any:
    def run(tensors: Any) -> tuple[torch.Tensor, None]:
        with torch.no_grad():
            return wrapped(*tensors), None

    return run


@pytest.mark.filterwarnings("ignore:.*random weights")
@pytest.mark.parametrize("name", sorted(bundled_graphs()))
def test_every_bundled_translation_can_be_wrapped(name: str) -> None:
    """With weights far from zero, so that pictures tell; the exporter itself is asked below and in docs/export.md."""
    params = composer.check(name).graph.params
    small = SMALL | NARROW | OWN.get(name, {})
    program = composer.compile(name, settings={f"params.{key}": small[key] for key in small if key in params})
    enlarge(program)
    sizes: set[tuple[int, int] | None] = set()
    for chosen in program.translations.values():
        if name == "spectral_regularization":
            with pytest.raises(ComposeError, match="starts from no picture"):
                make_contract(program, chosen, chosen.mode, unit=True, size=None)
            continue
        wrapped, contract = make_contract(program, chosen, chosen.mode, unit=True, size=None)
        assert contract.batch == 0
        sizes.add(contract.size)
        kinds = [port.kind for port in contract.inputs]
        assert len(kinds) - kinds.count("draw") == len(program.translator.needs(chosen.name))
        for height, width in ((1, 1), (5, 33), (33, 40)) if contract.size is None else ():
            high, wide = contract.steps
            if kinds.count("image") == 1:  # else the program pads all pictures alike
                assert program.padded_size(height, width, chosen.name) == (high.padded(height), wide.padded(width))
        subject = Subject(program, chosen, chosen.mode, wrapped, contract)
        assert compare(subject, eager(wrapped), PICTURES).passes
        other = "train" if chosen.mode == "eval" else "eval"
        if params.get("norm") == "batch":  # statistics of the picture are not running ones
            wrong = Subject(program, chosen, other, wrapped, contract)
            assert not compare(wrong, eager(wrapped), PICTURES).passes
    # An encoder that ends in one code fixes the size. Pictures out of nothing are not exported.
    assert sizes <= {None, (small["size"],) * 2} and (None in sizes) is (name != "spectral_regularization")


def enlarge(program: Any) -> None:
    with torch.no_grad():
        for network in program.networks.values():
            for weight in network.parameters():
                weight.mul_(3 if weight.dim() > 1 else 1)


def test_dropout_at_any_size_is_refused_and_at_one_size_fed() -> None:
    program = composer.compile("pix2pix", settings={"params.size": 64, "params.depth": 6, "params.width": 2})
    chosen = program.translations["a2b"]
    with pytest.raises(ComposeError, match="'a2b' translates with dropout"):
        make_contract(program, chosen, "train", unit=False, size=None)
    wrapped, contract = make_contract(program, chosen, "train", unit=False, size=(40, 70))
    assert [port.name for port in contract.inputs] == ["image", "G_up_4_dropout"]
    assert compare(Subject(program, chosen, "train", wrapped, contract), eager(wrapped), PICTURES).passes
    without_dropout(list(program.networks.values()))
    wrapped, contract = make_contract(program, chosen, "train", unit=False, size=None)
    assert len(contract.inputs) == 1


@given(size=st.integers(1, 40), start=st.integers(1, 20), step=st.integers(1, 9), width=st.integers(1, 12))
def test_padding_inside_is_padding_outside(size: int, start: int, step: int, width: int) -> None:
    steps = Steps(start, step)
    padded = steps.padded(size)
    assert padded >= max(size, start) and (padded - start) % step == 0 and (padded - step < size or padded == start)
    picture = torch.arange(size * width).view(1, 1, size, width)
    wanted, window = pad_to(picture, padded, width + 3)
    found = pad(picture, padded, width + 3)
    assert torch.equal(found, wanted)
    same = Fraction(1), Fraction(1)
    assert torch.equal(crop(found, (padded, width + 3), (size, width), same), crop_back(found, window))


@given(size=st.integers(0, 300), above=st.integers(1, 9), below=st.integers(1, 9))
def test_sizes_are_rounded_as_python_does(size: int, above: int, below: int) -> None:
    factor = Fraction(above, below)
    assert rounded(size, factor) == round(size * factor)


def test_networks_are_settled_as_they_run_on_one_picture() -> None:
    network = nn.Sequential(
        nn.utils.parametrizations.spectral_norm(nn.Conv2d(3, 5, 3)), nn.BatchNorm2d(5), nn.BatchNorm2d(5, affine=False)
    )
    with torch.no_grad():
        network[1].weight.uniform_(1, 2)
        network[1].bias.uniform_(1, 2)
    picture = torch.rand(1, 3, 9, 8)
    for mode in (True, False):
        made = settled(network.train(mode))
        found = made(torch.cat([picture, torch.rand(1, 3, 9, 8)]))[:1]
        assert torch.allclose(found, network(picture), atol=1e-5)
        assert not list(made[0].buffers()) and torch.equal(made(picture), made(picture))
