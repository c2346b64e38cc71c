"""Networks from files that a user names: which are known, which are refused, and that their numbers are right."""

from __future__ import annotations

import io
import os
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from composer.errors import ComposeError
from composer.measure.extractors import Extractor, open_extractor
from composer.measure.perceptual import open_perceptual
from composer.measure.weights import WeightFile, read_state
from composer.torchvision_schemas import import_torchvision

CPU = torch.device("cpu")


class Averages(nn.Module):
    """A network of a user's own: means of each channel, and of its squares."""

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        x = pictures.to(torch.float32) / 255
        return torch.cat([x.mean((2, 3)), (x * x).mean((2, 3))], 1)


def some_pictures(count: int = 20, side: int = 12) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return list(torch.randint(0, 256, (count, 3, side, side), generator=generator, dtype=torch.uint8))


@pytest.fixture(scope="module")
def inception(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, nn.Module]:
    """The Inception network with random weights, as a file; the true file holds the same names and shapes."""
    import_torchvision()
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    class Fresh(FeatureExtractorInceptionV3):
        def load_state_dict(self, *_: object, **__: object) -> None: ...

    torch.manual_seed(0)
    nothing = io.BytesIO()
    torch.save({}, nothing)
    nothing.seek(0)
    network = Fresh("inception", ["2048"], nothing)
    path = tmp_path_factory.mktemp("weights") / "inception.pth"
    torch.save(network.state_dict(), path)
    return path, network


def test_inception_weights_give_the_features_of_torch_fidelity(inception: tuple[Path, nn.Module]) -> None:
    path, network = inception
    extractor = open_extractor(path, CPU)
    pictures = some_pictures(2, 20)
    with torch.no_grad():
        wanted = network(torch.stack(pictures))[0]
    assert extractor.features(pictures, CPU) == pytest.approx(wanted.double().numpy(), rel=1e-6, abs=1e-6)
    assert extractor.file.file == "inception.pth" and extractor.file.standard is False
    assert len(extractor.file.sha256) == 64 and "299" in extractor.resize


def test_without_torch_fidelity_it_is_said_what_to_install(
    inception: tuple[Path, nn.Module], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch_fidelity", None)
    with pytest.raises(ComposeError, match=r"torch-fidelity is not installed.*composer-translation\[eval\]"):
        open_extractor(inception[0], CPU)


@pytest.mark.parametrize("kind", ["script", "export"])
def test_any_network_can_be_the_extractor(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "mine.pt2"
    pictures = some_pictures()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if kind == "script":
            torch.jit.script(Averages()).save(str(path))
        else:
            example = torch.stack(pictures[:2])
            shapes = {"pictures": {0: torch.export.Dim.DYNAMIC}}
            torch.export.save(torch.export.export(Averages(), (example,), dynamic_shapes=shapes), path)
    wanted = Averages()(torch.stack(pictures)).double().numpy()
    assert open_extractor(path, CPU).features(pictures, CPU) == pytest.approx(wanted)


def test_a_network_that_gives_no_rows_of_features_is_refused(tmp_path: Path) -> None:
    class Wrong(nn.Module):
        def forward(self, pictures: torch.Tensor) -> torch.Tensor:
            return pictures.float()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(Wrong()).save(str(tmp_path / "wrong.pt"))
    with pytest.raises(ComposeError, match=r"does not give features \[n, d\]"):
        open_extractor(tmp_path / "wrong.pt", CPU).features(some_pictures(), CPU)


def test_features_that_are_not_finite_are_refused() -> None:
    extractor = Extractor(lambda x: x.float().mean((2, 3)) / 0, WeightFile("broken.pt", "0" * 64), "any", "none")
    with pytest.raises(ComposeError, match=r"'broken.pt' gives features that are not finite"):
        extractor.features(some_pictures(), CPU)


def test_files_that_hold_something_else_are_refused(tmp_path: Path) -> None:
    class Harm:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "harm"),)

    (tmp_path / "empty.pth").write_bytes(b"")
    (tmp_path / "text.pth").write_text("not weights", encoding="utf-8")
    torch.save({"features.0.weight": torch.zeros(4, 3, 3, 3)}, tmp_path / "other.pth")
    torch.save({"x": Harm()}, tmp_path / "harm.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    for name, fact in (
        ("empty.pth", "no file of weights"),
        ("text.pth", "no file of weights"),
        ("harm.pth", "no file of weights"),
        ("list.pth", "does not hold tensors by name"),
        ("other.pth", "does not hold the Inception network"),
    ):
        with pytest.raises(ComposeError, match=fact):
            open_extractor(tmp_path / name, CPU)
    assert not (tmp_path / "harm").exists(), "reading a file must run nothing in it"
    with pytest.raises(ComposeError, match="holds no AlexNet and no VGG16"):
        open_perceptual(tmp_path / "other.pth", None, CPU)


@pytest.mark.parametrize("name", ["alex", "vgg"])
def test_lpips_is_that_of_torchmetrics(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import_torchvision()
    import torchvision
    from torchvision.models.vgg import cfgs, make_layers

    # All but the classifier, whose random weights would take seconds to draw.
    layers_only = SimpleNamespace(features=make_layers(cfgs["D"]))
    monkeypatch.setattr(torchvision.models, "vgg16", lambda weights: layers_only)
    from torchmetrics.functional.image.lpips import _LPIPS

    torch.manual_seed(1)
    theirs = _LPIPS(pretrained=True, net=name, pnet_rand=True)
    layers = {
        f"features.{index}.{part}": tensor
        for key, tensor in theirs.net.state_dict().items()
        for _, index, part in [key.split(".")]
    }
    torch.save({**layers, "classifier.1.weight": torch.zeros(2, 2)}, tmp_path / "network.pth")
    ours, file, heads = open_perceptual(tmp_path / "network.pth", None, CPU)
    one, other = torch.rand(2, 3, 40, 48) * 2 - 1, torch.rand(2, 3, 40, 48) * 2 - 1
    with torch.no_grad():
        wanted = theirs(one, other).flatten()
        assert ours(one, other).tolist() == pytest.approx(wanted.tolist(), rel=1e-3)
        assert ours(one, one).tolist() == [0, 0]
        assert ours(one, other).tolist() == pytest.approx(ours(other, one).tolist(), rel=1e-6)
    assert (file.file, file.standard, heads.file, heads.standard) == ("network.pth", False, f"{name}.pth", True)


def test_heads_of_the_other_network_are_refused(tmp_path: Path) -> None:
    import_torchvision()
    from torchmetrics.functional.image.lpips import _LPIPS

    theirs = _LPIPS(pretrained=True, net="alex", pnet_rand=True)
    keys = {key: key.split(".") for key in theirs.net.state_dict()}
    state = {f"features.{parts[1]}.{parts[2]}": theirs.net.state_dict()[key] for key, parts in keys.items()}
    torch.save(state, tmp_path / "network.pth")
    torch.save({f"lin{n}.model.1.weight": torch.zeros(1, 64, 1, 1) for n in range(5)}, tmp_path / "heads.pth")
    with pytest.raises(ComposeError, match="does not hold the heads of LPIPS for alex"):
        open_perceptual(tmp_path / "network.pth", tmp_path / "heads.pth", CPU)


def test_weights_inside_a_training_state_are_found(tmp_path: Path) -> None:
    torch.save({"state_dict": {"a": torch.ones(1)}, "epoch": 3}, tmp_path / "state.pth")
    state, file = read_state(tmp_path / "state.pth")
    assert list(state) == ["a"] and file.file == "state.pth"
