"""`tools/parity.py` on recorded traces: those of the authors' code where they are at hand, and loops written by hand.

The folder of the authors' traces lies beside the repository (../shared/parity). The loops in `recorders` share nothing
with the compiler and the blocks; they record options that no trace of the authors' code has.
"""

from __future__ import annotations

import doctest
import json
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from recorders import contrast, domains, latent, paired, references, semantic, shared, styles, unpaired

import composer

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))

import parity
from parity_parts import formula, keys
from parity_parts.mapping import MethodMapping
from parity_parts.replay import build, modules_of
from parity_parts.report import Report, check_case

ROOT = Path(__file__).resolve().parent.parent
MAPPINGS = ROOT / "tests" / "parity"
BY_HAND = MAPPINGS / "cases" / "pix2pix" / "by_hand"
AUTHORS = ROOT.parent / "shared" / "parity"
METHODS = sorted(path.stem for path in MAPPINGS.glob("*.yaml"))
VOCABULARIES = [
    path / m / "vocabulary.json"
    for path in (MAPPINGS / "cases", AUTHORS)
    for m in METHODS
    if (path / m / "vocabulary.json").is_file()
]
CASES = [BY_HAND, *(folder for m in METHODS for folder in sorted((AUTHORS / m).glob("*")) if folder.is_dir())]

PAIRED = {
    "plain": {},
    "pixel": {"netD": "pixel", "norm": "instance", "gan_mode": "lsgan", "direction": "BtoA", "input_nc": 1},
    "dropout": {"netG": "unet_d6", "crop_size": 64, "no_dropout": False, "netD": "n_layers", "n_layers_D": 2},
    "deep": {"netG": "unet_d7", "crop_size": 128, "no_dropout": False, "ngf": 1, "batch_size": 1, "lambda_L1": 0.0},
    "no_norm": {"norm": "none", "netD": "n_layers", "n_layers_D": 4, "crop_size": 64, "output_nc": 1},
}
UNPAIRED = {
    "plain": {},
    "unet": {"netG": "unet_d5", "norm": "batch", "gan_mode": "vanilla", "lambda_identity": 0.0, "pool_size": 0},
    "batch": {"norm": "batch", "netD": "basic", "pool_size": 1, "batch_size": 1, "direction": "BtoA"},
    "rows": {"netG": "unet_d5", "norm": "batch", "pool_size": 2, "batch_size": 3, "n_layers_D": 2, "no_dropout": False},
    "no_norm": {"norm": "none", "netD": "pixel", "netG": "resnet_b3", "lambda_A": 3.0},
}
LATENT = {
    "plain": {},
    "features": {
        "vgg_w": 2, "vgg_base_channels": 1, "image_size": [16, 24], "gen.activ": "lrelu", "gen.pad_type": "zero",
        "dis.pad_type": "replicate", "dis.gan_type": "nsgan",
    },
    "instance": {
        "dis.norm": "in", "input_dim_a": 1, "gen.n_downsample": 2, "gen.n_res": 3, "dis.n_layer": 3,
        "image_size": [32, 32], "dis.num_scales": 1, "batch_size": 1, "gan_w": 0.5,
    },
    "batch": {"dis.norm": "bn", "input_dim_b": 1, "dis.num_scales": 1, "gen.activ": "prelu", "dis.activ": "relu"},
    "layer": {"dis.norm": "ln", "dis.num_scales": 1, "gen.activ": "selu", "recon_kl_w": 0.0},
}  # fmt: skip
SHARED = {
    "plain": {"dis.n_front_layer": 2},
    "scales": {"dis.name": "COCOMsDis", "image_size": [16, 24], "dis.ch": 3, "gen.name": "COCOResGen"},
    "stacks": {
        "dis.name": "COCOMsDis", "image_size": [24, 16], "batch_size": 1, "gen.n_enc_front_blk": 3,
        "gen.n_gen_front_blk": 3, "gen.n_enc_res_blk": 2, "gen.n_gen_res_blk": 3, "gen.n_enc_shared_blk": 2,
        "gen.n_gen_shared_blk": 3,
    },
    "heads": {"dis.n_shared_layer": 0, "dis.n_front_layer": 3, "gen.input_dim_b": 1, "dis.input_dim_b": 1},
    "private": {
        "dis.name": "COCODis", "dis.n_layer": 3, "gen.name": "COCOResGen", "gen.n_enc_front_blk": 1,
        "gen.n_gen_front_blk": 1, "kl_direct_link_w": 0.0,
    },
    "odd": {"dis.name": "COCOMsDis", "image_size": [20, 28], "dis.n_layer": 1},
}  # fmt: skip
STYLES = {
    "plain": {},
    "spectral": {
        "dis.norm": "sn", "dis.n_layer": 3, "recon_x_cyc_w": 10, "gen.activ": "lrelu", "gen.pad_type": "zero",
        "dis.gan_type": "nsgan", "batch_size": 1, "gan_w": 0.5,
    },
    "features": {
        "vgg_w": 2, "vgg_base_channels": 1, "image_size": [32, 48], "gen.n_downsample": 3, "gen.n_res": 3,
        "gen.style_dim": 1, "dis.pad_type": "zero", "recon_c_w": 0.5,
    },
    "batch": {"dis.norm": "bn", "input_dim_b": 1, "dis.num_scales": 1, "gen.activ": "prelu", "dis.activ": "relu"},
    "single": {"input_dim_a": 1, "recon_s_w": 0, "recon_x_cyc_w": 3, "gen.pad_type": "replicate", "dis.norm": "ln",
               "dis.num_scales": 1},
}  # fmt: skip
CONTRAST = {
    "plain": {},
    "batch": {
        "normG": "batch", "normD": "batch", "gan_mode": "vanilla", "direction": "BtoA", "lambda_GAN": 0.5,
        "iterations": 1,
    },
    "in_place": {
        "no_antialias": True, "no_antialias_up": True, "nce_layers": "0,2,8,9,11", "num_patches": 300,
        "netD": "basic", "crop_size": 32, "epoch_count": 2,
    },
    "whole": {
        "nce_layers": "0,2,8,9", "nce_includes_all_negatives_from_minibatch": True, "nce_T": 1.0, "input_nc": 1,
        "output_nc": 1, "netG": "resnet_b3", "lambda_NCE": 2.0, "no_antialias_up": True,
    },
    "fast": {"CUT_mode": "FastCUT", "netG": "resnet_b3", "nce_layers": "0,4,8,11,14"},
    "fast_plain": {
        "CUT_mode": "FastCUT", "normD": "none", "gan_mode": "nonsaturating", "no_antialias": True,
        "nce_layers": "0,4,8,11", "batch_size": 3, "n_layers_D": 2, "n_epochs_decay": 1,
    },
    "one_sided": {"nce_idt": False, "lambda_NCE": 3.0, "normG": "batch"},
}  # fmt: skip
DOMAINS = {
    "plain": {},
    "classes": {"dataset": "RaFD", "c_dim": 4, "n_critic": 1, "g_repeat_num": 3, "d_repeat_num": 3, "lambda_cls": 2.0},
    "both": {"dataset": "Both", "c_dim": 2, "c2_dim": 4, "lr_update_step": 2, "num_iters_decay": 4, "d_repeat_num": 1},
    "both_each": {"dataset": "Both", "c_dim": 3, "c2_dim": 2, "n_critic": 1, "batch_size": 2, "whole": True},
}  # fmt: skip
REFERENCES = {
    "plain": {},
    "masks": {"w_hpf": 1, "num_domains": 3, "ch_base": 64},
    "large_masks": {"w_hpf": 0.5, "img_size": 64, "ch_base": 64, "max_conv_dim": 4, "ds_iter": 100, "iterations": 1},
    "beyond": {"ds_iter": 3, "iterations": 5, "lambda_ds": 2.0, "beta1": 0.5},
    "narrow": {"max_conv_dim": 3, "num_domains": 1, "img_size": 64, "lambda_sty": 0.0, "batch_size": 3, "ds_iter": 1},
}  # fmt: skip
SEMANTIC = {
    "plain": {},
    "batch": {"norm": "batch", "pool_size": 3, "iterations": 4, "width": 48, "num_D": 3, "n_layers_D": 3},
    "local": {"netG": "local", "niter_fix_global": 2, "iterations": 4, "num_D": 1, "instance_feat": True,
              "label_nc": 8},
    "two": {"netG": "local", "n_local_enhancers": 2, "norm": "batch", "no_vgg_loss": True, "n_blocks_local": 2},
    "features": {"instance_feat": True, "n_downsample_E": 2, "feat_num": 3, "norm": "batch", "batchSize": 1},
    "classes": {"label_feat": True, "no_lsgan": True, "no_ganFeat_loss": True, "n_clusters": 2},
    "rgb": {"label_nc": 0, "no_instance": True, "pool_size": 1, "no_ganFeat_loss": True, "no_vgg_loss": True},
    "rates": {"niter": 1, "niter_decay": 4, "iterations": 4, "load_features": True, "ndf": 300, "n_layers_D": 1},
}  # fmt: skip
RECORDERS = (
    (paired, PAIRED),
    (unpaired, UNPAIRED),
    (latent, LATENT),
    (shared, SHARED),
    (styles, STYLES),
    (contrast, CONTRAST),
    (domains, DOMAINS),
    (references, REFERENCES),
    (semantic, SEMANTIC),
)
LOOPS = {
    f"{module.__name__.rpartition('.')[2]}-{name}": (module, changed)
    for module, variants in RECORDERS
    for name, changed in variants.items()
}


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Networks of a few weights run several times faster so."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The traces of all hand-written loops."""
    folder = tmp_path_factory.mktemp("recorded")
    return {name: module.record(folder / name, **changed) for name, (module, changed) in LOOPS.items()}


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: f"{folder.parent.name}-{folder.name}")
def test_a_recorded_case_agrees(folder: Path) -> None:
    report = check_case(folder, MAPPINGS)
    assert report.passes, report.text()
    assert len(report.differences) > 50


@pytest.mark.parametrize("name", LOOPS)
def test_a_loop_written_by_hand_agrees(name: str, recorded: dict[str, Path]) -> None:
    report = check_case(recorded[name], MAPPINGS)
    assert report.passes, report.text()
    assert max(d.error for d in report.differences if d.kind == "losses") < 1e-12
    assert {reason for _, reason in report.left} <= {
        "its weight is 0 and the graph leaves it out",
        "the authors draw it and do not use it",
        "nothing reads or writes it",
        "it is made anew of weight_u before anything reads it",
        "the kernel of a blur, which is always the same",
        "the kernel of a filter, which is always the same",
        "with masks nothing uses it",
        "the released code steps an optimizer that it has replaced",
        "the graph counts the ids of the map itself",
        "k-means there starts from numbers of another library",
        "of a class that the map does not show",
        "it is for features larger than 32, which there are none of",
        "what rounding leaves of a weight of 0",
    }


def test_every_falsified_array_is_noticed() -> None:
    report = check_case(BY_HAND, MAPPINGS, test=True)
    assert report.passes, report.text()
    assert report.tested is not None
    assert report.tested.compared + report.tested.fed == 145


# -- what must not pass ------------------------------------------------------------------------------------------------


def changed_case(folder: Path, change: dict[str, np.ndarray | None], config: dict[str, object] | None = None) -> Report:
    """The report of the committed case with arrays changed, added, or (None) left out."""
    with np.load(BY_HAND / "trace.npz") as file:
        arrays = {**{n: file[n] for n in file.files}, **change}
    case = json.loads((BY_HAND / "case.json").read_text(encoding="utf-8"))
    case["config"] |= config or {}
    (folder / "case.json").write_text(json.dumps(case), encoding="utf-8")
    np.savez(folder / "trace.npz", **{n: a for n, a in arrays.items() if a is not None})
    return check_case(folder, MAPPINGS)


@pytest.mark.parametrize(
    ("array", "problem"),
    [
        ("loss/0/G_L2", "the mapping does not know loss/0/G_L2"),
        ("loss/7/G_L1", "the mapping does not know loss/7/G_L1"),
        ("notes", "the mapping does not know notes"),
        ("draw/0/dropout_mask/model.model.9", "the mapping does not know draw/0/dropout_mask/model.model.9"),
        ("init/G/model.model.9.weight", "no rule for their G/model.model.9.weight"),
        ("draw/0/dropout_mask/model.model.1.model.5.7", "the mapping does not know"),
        ("draw/0/dropout_mask/model.model.1.model.3.model.7", "draws were fed that nothing drew: G:up.2.dropout"),
    ],
)
def test_an_array_that_nothing_is_known_of_fails(tmp_path: Path, array: str, problem: str) -> None:
    report = changed_case(tmp_path, {array: np.ones(1)})
    assert not report.passes
    assert problem in report.problem


@pytest.mark.parametrize(
    ("array", "problem"),
    [
        ("batch/1/A", "iteration 1 has no batch/1/A"),
        ("loss/1/D_fake", "iteration 1 has no loss/1/D_fake"),
        ("init/D/model.0.bias", "nothing is given for our D/layers.0.bias"),
        ("final/D/model.0.bias", "there is no final/D/model.0.bias"),
        ("init/G/model.model.0.weight", "nothing is given for our G/down.0.conv.weight"),
        ("test/source", "the trace has no test/source"),
    ],
)
def test_a_trace_with_a_hole_fails(tmp_path: Path, array: str, problem: str) -> None:
    report = changed_case(tmp_path, {array: None})
    assert not report.passes
    assert problem in report.problem


def test_another_shape_fails(tmp_path: Path) -> None:
    weights = changed_case(tmp_path, {"init/D/model.0.bias": np.zeros(2, np.float32)})
    assert "has shape [2], our D/layers.0.bias [1]" in weights.problem
    values = changed_case(tmp_path, {"value/1/fake_B": np.zeros((1, 1, 16, 16), np.float32)})
    assert [d.name for d in values.failed] == ["value/1/fake_B"]
    assert "ours has shape [1, 1, 32, 32]" in values.text()


def test_another_configuration_fails(tmp_path: Path) -> None:
    assert "does not know the config key 'lambda_l1'; did you mean 'lambda_L1'?" in changed_case(
        tmp_path, {}, {"lambda_l1": 10}
    ).problem.replace("\n", " ")
    failed = {d.name for d in changed_case(tmp_path, {}, {"lambda_L1": 99.9}).failed}
    assert {"loss/0/total_G", "grad/0/G", "final/G/model.model.0.weight"} <= failed
    assert "loss/0/total_D" not in failed
    assert "there is no 'hinge_like'" in changed_case(tmp_path, {}, {"gan_mode": "hinge_like"}).problem


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = tmp_path / "pix2pix" / "good", tmp_path / "pix2pix" / "bad"
    shutil.copytree(BY_HAND, good)
    bad.mkdir()
    changed_case(bad, {"loss/1/G_L1": np.array(0.25)})
    other = tmp_path / "painting" / "a"
    shutil.copytree(BY_HAND, other)
    assert parity.main([str(good)]) == 0
    assert capsys.readouterr().out.startswith("pix2pix/by_hand  ok  losses ")
    assert parity.main([str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert "pix2pix/by_hand  FAILED" in out
    assert "FAILS  loss/1/G_L1: off by" in out
    assert "not checked, because there is no mapping: painting/a" in out
    assert parity.main(["--json", str(good.parent)]) == 1
    data = json.loads(capsys.readouterr().out)
    assert [case["ok"] for case in data] == [False, True]
    assert data[1]["compared"] == 84
    assert parity.main([str(tmp_path / "nowhere")]) == 2


def test_what_is_no_case_is_said(tmp_path: Path) -> None:
    (tmp_path / "case.json").write_text('{"method": "pix2pix"}', encoding="utf-8")
    assert "is no description of a case" in check_case(tmp_path, MAPPINGS).problem
    shutil.copy(BY_HAND / "case.json", tmp_path)
    assert "cannot read" in check_case(tmp_path, MAPPINGS).problem
    (tmp_path / "trace.npz").write_bytes(b"PK no zip")
    assert "is no trace" in check_case(tmp_path, MAPPINGS).problem
    assert "there is no mapping for it" in check_case(BY_HAND, tmp_path).problem


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("losses:\n", "lossess:\n", "unknown section 'lossess'; did you mean 'losses'?"),
        ("params.width: ngf\n", "params.width: nfg\n", "unknown name 'nfg'; did you mean 'ngf'?"),
        ("params.width: ngf\n", "params.widht: ngf\n", "there is no path 'params.widht'; did you mean 'params.width'?"),
        ("params.width: ngf\n", "params.width: upper(ngf)\n", "'upper(ngf)' cannot be worked out"),
        ("D_real: judge.real\n", "D_real: judge.rael\n", "the step gave no 'judge/rael'; did you mean 'judge/real'?"),
        ("fake_B: judge.fake\n", "fake_B: judge.feke\n", "unknown value 'feke'; did you mean 'fake'?"),
        ("D: judge.D\n", "D: translate.D\n", "the step gave no 'translate/D'"),
        ("D: default\n", "D: defaults\n", "no optimizer group 'defaults'; did you mean 'default'?"),
        ("as: a2b_eval", "as: a2b_evil", "no translation 'a2b_evil'; did you mean 'a2b_eval'?"),
        ("as: a2b_eval", "ass: a2b_eval", "unknown key 'ass'; did you mean 'as'?"),
        ("model.model.3: up.0.conv", "model.model.3: up.9.conv", "is G/up.9.conv.weight, which the graph has not"),
        ("model.model.3: up.0.conv", "model.model.3: up.0.*", "do not both end with '*'"),
        ("  adam_eps: 1e-8\n", "", "does not know the config key 'adam_eps'"),
    ],
)
def test_a_slip_in_a_mapping_is_named(tmp_path: Path, old: str, new: str, problem: str) -> None:
    text = (MAPPINGS / "pix2pix.yaml").read_text(encoding="utf-8")
    assert text.count(old) == 1, old
    (tmp_path / "pix2pix.yaml").write_text(text.replace(old, new), encoding="utf-8")
    assert problem in check_case(BY_HAND, tmp_path).problem


# -- the mappings themselves -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", [formula, keys])
def test_the_examples_of_docstrings(module: ModuleType) -> None:
    result = doctest.testmod(module)
    assert result.attempted and not result.failed


@pytest.mark.parametrize("method", METHODS)
def test_an_empty_configuration_is_the_method_as_published(method: str) -> None:
    resolved = MethodMapping(MAPPINGS / f"{method}.yaml").resolve({}, 1, {})
    ours = composer.check(resolved.graph).graph.params
    theirs = composer.check(resolved.graph, settings=resolved.settings, variants=resolved.variants).graph.params
    assert {name for name in ours if ours[name] != theirs[name]} <= {"load"}


@pytest.mark.parametrize("name", LOOPS)
def test_names_of_weights_hold_in_both_directions(name: str, recorded: dict[str, Path]) -> None:
    case = json.loads((recorded[name] / "case.json").read_text(encoding="utf-8"))
    resolved = MethodMapping(MAPPINGS / f"{case['method']}.yaml").resolve(case["config"], 1, {})
    modules = {name: module for name, module in modules_of(build(resolved)).items() if name not in resolved.absent}
    for network, module in modules.items():
        for key in module.state_dict():
            theirs = resolved.keys.theirs(network, key)
            assert theirs is not None, f"{network}/{key}"
            assert resolved.keys.ours(*theirs) == (network, key)


@pytest.mark.parametrize("path", VOCABULARIES, ids=lambda path: path.parent.name)
def test_every_name_of_the_vocabulary_is_known(path: Path, recorded: dict[str, Path]) -> None:
    """What any case of a method may hold: its config keys, and (by the loops here) its arrays and weights."""
    method = path.parent.name
    vocabulary = json.loads(path.read_text(encoding="utf-8"))
    mapping = MethodMapping(MAPPINGS / f"{method}.yaml")
    mapping.configured(dict.fromkeys(vocabulary["config"]))
    weights: dict[str, set[str]] = {}
    arrays: set[str] = set()
    for folder in [BY_HAND, *recorded.values(), *CASES]:
        if json.loads((folder / "case.json").read_text(encoding="utf-8"))["method"] != method:
            continue
        with np.load(folder / "trace.npz") as file:
            for array in file.files:
                head, number, rest = array.split("/", 2) if array.count("/") > 1 else (array, "", "")
                if head == "init":
                    weights.setdefault(number, set()).add(re.sub(r"(?<=\.)\d+(?=\.)|^\d+(?=\.)", "N", rest))
                elif head != "final":
                    arrays.add(f"{head}/<i>/{rest}" if number.isdigit() else array)
                    arrays.add(re.sub(r"(?<=/)\d+(?=/|$)", "<i>", array))
    assert set(vocabulary["arrays"]) <= arrays
    for network, entries in vocabulary["state_dict_keys"].items():
        assert set(entries) <= weights[network]
