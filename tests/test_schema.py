"""The form of documents: what `validate` says, and that the JSON Schema says the same."""

from __future__ import annotations

import copy
import inspect
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from documents import BLOCKS, PAINTER, SMALL, bundled, problems, read

from composer.block import catalogue
from composer.document import Document, bundled_graphs, load, plain
from composer.errors import Place
from composer.schema import check_setting, json_schema, validate
from composer.sections import SECTIONS
from composer.tree import as_node
from composer.yaml_reader import read_yaml

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def blocks(monkeypatch):
    """A small catalogue beside the bundled one."""
    for name, block in BLOCKS.items():
        monkeypatch.setitem(catalogue(), name, block)  # type: ignore[arg-type]


def change(old: str, new: str) -> str:
    """The small graph with one piece of text replaced."""
    assert SMALL.count(old) == 1, old
    return SMALL.replace(old, new)


def test_a_good_graph_has_no_problems():
    assert problems(SMALL) == []
    assert problems(SMALL, variants=["plain"], preset="demo") == []


@pytest.mark.parametrize("name", bundled())
def test_bundled_graphs_have_the_form(name):
    first = load(name)
    for variant in ((), *((v,) for v in first.variants)):
        for preset in (None, *first.presets):
            assert [str(p) for p in validate(load(name, variants=variant, preset=preset))] == []


WORDS = [
    # sections
    ("show: a, b", "shwo: a, b", "f.yaml:36:1: unknown section 'shwo'; did you mean 'show'?"),
    ("composer: 1", "composer: 2", "f.yaml:1:11: composer: expected the number 1, found the number 2"),
    ("composer: 1\n", "", "f.yaml:1:1: 'composer' is missing; composer: version of this language: 1"),
    ("name: small", "name: a b", "f.yaml:2:7: name: 'a b' is not a name (letters, digits, _ . -)"),
    (
        "name: small",
        "name: 12",
        'f.yaml:2:7: name: expected a name (letters, digits, _ . -), found the number 12; write it as text: "12"',
    ),
    (
        "name: small",
        "name: small\npaper: {arxiv: 1611.07004}",
        'paper.arxiv: expected a text, found the number 1611.07004; write it as text: "1611.07004"',
    ),
    ("name: small", "name: small\npaper: {tilte: T}", "paper: unknown key 'tilte'; did you mean 'title'?"),
    # params, index, inputs, values
    (
        "width: 64",
        "width: {a: 1}",
        "f.yaml:4:10: params.width: expected a number, a text, true or false or a list, found a mapping",
    ),
    (
        "width: 64",
        "my-width: 64",
        "params: 'my-width' is not a name (letters, digits and _) or an indexed name such as x[d]",
    ),
    (
        "s,t: [[a, b], [b, a]]",
        "s,t: a",
        "index.s,t: expected values such as =taps or a list of values, found the text 'a'; write a list: [a]",
    ),
    (
        "    a: image(3, 64, 64)\n",
        "    a: [image]\n",
        "inputs.pair.a: expected a field such as image(3, 256, 256), found a list",
    ),
    ("  score: D[a,b](fake[a,b])", "  score:", "values.score: expected an expression such as G(a), found nothing"),
    # networks
    ("block: painter", "block: pianter", "f.yaml:15:14: unknown block 'pianter'; did you mean 'painter'?"),
    (
        "block: painter",
        "block: nearness",
        "'nearness' is a loss block and owns no weights to train; call it where values are made: nearness(...)",
    ),
    ("block: painter", "block: 3", "networks.G.block: expected the name of a block, found the number 3"),
    ("out: 3, width", "widht", "f.yaml:15:23: no setting of painter named 'widht'; did you mean 'width'?"),
    ("out: 3, ", "", "f.yaml:15:14: networks.G: painter needs 'out'; out: a whole number of at least 1; must be given"),
    (
        "out: 3",
        "out: 3.5",
        "f.yaml:15:28: 'out' of painter: expected a whole number of at least 1, found the number 3.5",
    ),
    ("out: 3", "out: true", "'out' of painter: expected a whole number of at least 1, found true"),
    ("out: 3", "out: 0", "'out' of painter: expected a whole number of at least 1, found 0"),
    ("width: =width", "width: 5000", "'width' of painter: expected a whole number from 1 to 4096, found 5000"),
    (
        "norm: batch",
        "norm: bacth",
        "'norm' of painter: expected 'batch', 'instance' or 'none', found the text 'bacth'; did you mean 'batch'?",
    ),
    ("norm: batch", "dropout: 2", "'dropout' of painter: expected a number from 0 to 1, found 2"),
    ("norm: batch", "taps: 3", "'taps' of painter: expected a list, found the number 3"),
    ("norm: batch", "bias: 1", "'bias' of painter: expected true or false, found the number 1"),
    ("norm: batch", "limit: 0", "'limit' of painter: expected a whole number of at least 1, found 0"),
    ("norm: batch", "limit: a", "'limit' of painter: expected a whole number of at least 1, found the text 'a'"),
    ("norm: batch", "pad: 2", "'pad' of painter: expected a text, found the number 2; write it as text: \"2\""),
    ("norm: batch", "frozen: yes", "networks.G.frozen: expected true or false, found the text 'yes'"),
    (
        "norm: batch",
        "mode: evla",
        "networks.G.mode: expected 'train' or 'eval', found the text 'evla'; did you mean 'eval'?",
    ),
    ("norm: batch", "chain: x", "networks.G: 'chain' beside 'block'; a network has one form"),
    (
        "{block: judge, layers: 2}",
        "judge",
        "networks.D[s,t]: expected a mapping such as {block: unet, out: 3}, found the text 'judge'",
    ),
    (
        "{block: judge, layers: 2}",
        "{layers: 2}",
        "networks.D[s,t]: this network has no form; give it a block:, a chain: of "
        "layers, or inputs:, values: and output:",
    ),
    (
        "{block: judge, layers: 2}",
        "{chain: conv(3)}",
        "networks.D[s,t].chain: expected a list of layers, found the text",
    ),
    ("{block: judge, layers: 2}", "{chain: [conv(3)], layers: 2}", "unknown entry of a chain 'layers'"),
    ("{block: judge, layers: 2}", "{values: {y: conv(x)}, output: y}", "networks.D[s,t]: 'inputs' is missing"),
    # phases
    (
        "    update: G\n",
        "",
        "f.yaml:27:5: phases.translate: 'update' is missing; update: the networks this phase trains: G, F[l]",
    ),
    ("    update: G\n", "    update: G\n    evry: 5\n", "unknown entry of a phase 'evry'; did you mean 'every'?"),
    (
        "    update: G\n",
        "    update: G\n    every: 0\n",
        "phases.translate.every: expected a whole number of at least 1, found 0",
    ),
    ("    update: G\n", "    update: {a b: G}\n", "phases.translate.update: 'a b' is not a name"),
    ("    update: G\n", "    update: G\n    batch: sam\n", "batch: expected 'same' or 'new', found the text 'sam'"),
    (
        '      fool: adversarial(score, "fool")',
        "      fool: {loss: l1(a)}",
        "phases.translate.minimize.fool: 'into' is missing; into: the networks of the phase it trains",
    ),
    (
        '      fool: adversarial(score, "fool")',
        "      fool: [l1(a)]",
        "phases.translate.minimize.fool: expected an expression such as 10 * l1(x, y) or a mapping of loss and into",
    ),
    (
        '      fake: adversarial(score, "fake")\n',
        "",
        "phases.judge.minimize: expected a mapping of terms, found nothing",
    ),
    # optimizers, training, the rest
    ("{adam: {lr: 2e-4, betas: [0.5, 0.999]}}", "{}", "optimizers.default: needs adam, adamw, "),
    (
        "{adam: {lr: 2e-4, betas: [0.5, 0.999]}}",
        "{adam: {lr: 1}, sgd: {lr: 1}}",
        "'adam' and 'sgd' exclude each other; keep one",
    ),
    ("lr: 2e-4", "lrr: 2e-4", "optimizers.default.adam: unknown setting of this optimizer 'lrr'; did you mean 'lr'?"),
    ("lr: 2e-4", "lr: -1", "optimizers.default.adam.lr: expected a number of at least 0, found -1"),
    ("[0.5, 0.999]", "[0.5, 2]", "optimizers.default.adam.betas[1]: expected a number from 0 to 1, found 2"),
    (
        "default: {adam",
        "default: {clip_nrom: 1, adam",
        "unknown optimizer or option 'clip_nrom'; did you mean 'clip_norm'?",
    ),
    ("training: {epochs: 2, batch: 1}", "training: {batch: 1}", "f.yaml:33:11: training: needs epochs or iterations"),
    (
        "training: {epochs: 2, batch: 1}",
        "training: [1]",
        "training: expected a mapping such as {epochs: 200, batch: 1} (epochs, "
        "iterations, batch, learning_rate, epoch_iterations), found a list",
    ),
    ("mode: train", "mode: test", "translate.a2b.mode: expected 'train' or 'eval', found the text 'test'"),
    ("show: a, b", "show: {a: b}", "show: expected names: a, fake, b or a list of texts, found a mapping"),
    ("show: a, b", "lifetime: {a: always}", "lifetime.a: expected 'iteration' or 'phase', found the text 'always'"),
    ("show: a, b", "averages: {G: 2}", "averages.G: expected a number from 0 to 1, found 2"),
    ("show: a, b", "averages: {G: {from: 3}}", "averages.G: 'decay' is missing"),
    ("show: a, b", "passes: {p: {at: end, over: pair}}", "passes.p: needs collect or fill"),
    ("show: a, b", "blocks: mine.py", "blocks: expected a list of texts, found the text 'mine.py'"),
]


@pytest.mark.parametrize(("old", "new", "words"), WORDS)
def test_what_is_wrong_is_said_with_place_and_remedy(old, new, words):
    found = problems(change(old, new))
    assert any(words in line for line in found), found


def test_all_problems_come_in_the_order_of_the_file():
    text = (
        change("width: =width", "widht: 1, bias: 3").replace("epochs: 2", "epochs: a").replace("show: a, b", "shw: a")
    )
    assert [line.split(":")[1] for line in problems(text)] == ["15", "15", "33", "36"]


def test_expressions_are_left_to_the_compiler():
    text = change("out: 3, width: =width, norm: batch", "out: =width / 2, norm: =kind, bias: =on, taps: [=width]")
    text = (
        text.replace("epochs: 2", "epochs: =width")
        .replace("lr: 2e-4", "lr: =lr")
        .replace("block: judge", "block: =judge")
    )
    assert problems(text) == []


@pytest.mark.parametrize(
    "network",
    [
        "{chain: ['conv(64, kernel=7)', 'repeat(9, residual())'], init: kaiming, frozen: =flag}",
        "{inputs: 'x, style', values: {'u, v': split(x), y: conv(u)}, output: 'y, v', mode: eval}",
        "{inputs: [x], values: {y: conv(x)}, output: y, weights: w.safetensors}",
    ],
)
def test_the_other_forms_of_networks(network):
    assert problems(change("{block: judge, layers: 2}", network)) == []


def test_optional_sections_and_forms():
    extra = (
        "lifetime: {fake: phase}\norder: ['judge[k], translate[k]']\naverages: {G: 0.9, D: {decay: 0.9, from: =n}}\n"
        "passes: {p: {at: end, over: pair, collect: {c: mean(G(a))}}}\nblocks: [mine.py]\nabout: x\n"
    )
    text = change(
        "training: {epochs: 2, batch: 1}", extra + 'training: {iterations: 5, learning_rate: "linear(1, 0, over=9)"}'
    )
    text = text.replace(
        "    update: G\n", "    update: {a: 'G, F', b: G}\n    when: '=iteration % 3 == 2'\n    first: [score]\n"
    )
    assert problems(text) == []


# Settings of blocks


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("out", 3),
        ("dropout", 1),
        ("dropout", 0.5),
        ("taps", [1, "=x"]),
        ("taps", (1, 2)),
        ("taps", []),
        ("bias", False),
        ("limit", None),
        ("limit", 4),
        ("pad", ""),
        ("extra", {"a": 1}),
        ("norm", "=kind"),
        ("width", "=wide * 2"),
    ],
)
def test_good_settings_are_let_through(name, value):
    assert check_setting(PAINTER, name, value, Place("f.yaml")) is None


@pytest.mark.parametrize(
    ("name", "value", "fact"),
    [
        ("out", 3.0, "'out' of painter: expected a whole number of at least 1, found the number 3.0"),
        ("out", None, "'out' of painter: expected a whole number of at least 1, found nothing"),
        ("dropout", float("nan"), "'dropout' of painter: expected a number from 0 to 1, found nan"),
        ("norm", 3, "'norm' of painter: expected 'batch', 'instance' or 'none', found the number 3"),
        ("taps", {"a": 1}, "'taps' of painter: expected a list, found a mapping"),
        ("pad", object(), "'pad' of painter: expected a text, found something else"),
        ("wide", 3, "no setting of painter named 'wide'"),
    ],
)
def test_bad_settings_are_refused(name, value, fact):
    problem = check_setting(PAINTER, name, value, Place("f.yaml", 3, 4))
    assert problem is not None and problem.fact == fact and problem.place == Place("f.yaml", 3, 4)


# The JSON Schema


def schema_refuses(text: str) -> list[str]:
    validator = jsonschema.Draft7Validator(json_schema())
    return [error.message for error in validator.iter_errors(plain(read_yaml(text, "f.yaml")))]


def test_the_schema_is_a_schema_and_knows_every_section():
    schema = json_schema()
    jsonschema.Draft7Validator.check_schema(schema)
    assert set(SECTIONS) <= set(schema["properties"])
    assert all(entry.get("description") for entry in schema["properties"].values())
    painter = schema["definitions"]["block_painter"]
    assert painter["required"] == ["block", "out"] and painter["properties"]["width"]["default"] == 64
    assert painter["properties"]["width"]["anyOf"][0] == {"type": "integer", "minimum": 1, "maximum": 4096}


@pytest.mark.parametrize("name", bundled())
def test_the_schema_accepts_bundled_graphs(name):
    assert schema_refuses(bundled_graphs()[name].read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(("old", "new", "words"), WORDS)
def test_the_schema_refuses_what_validate_refuses(old, new, words):
    assert schema_refuses(change(old, new))


HYBRID = "extends: small.yaml\nname: h\nwith: [plain]\nchange: {values.x: 1}\nadd: {values.y: a}\ndrop: [values.z]\n"


def test_the_schema_knows_hybrids():
    assert schema_refuses(SMALL) == [] and schema_refuses(HYBRID) == []
    assert schema_refuses(HYBRID + "values: {x: 1}\n")
    assert schema_refuses(SMALL + "change: {values.x: 1}\n")
    assert schema_refuses(HYBRID.replace("[plain]", "plain"))


EDITS: list[Any] = [None, True, -1, 2.5, "", "x", "=x", [], ["f(a, b)"], [1, 2], {}, {"x": 1}]


def edits(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every node below the top."""
    pairs = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    found = []
    for key, value in pairs:
        found += [(*path, key), *edits(value, (*path, key))]
    return found


def test_validate_and_the_schema_agree_on_every_edit_of_one_node():
    """The two are made from one table; this is the second witness that they say the same."""
    validator = jsonschema.Draft7Validator(json_schema())
    good = plain(read(SMALL).root)
    disagreements, checked = [], 0
    for path in edits(good):
        for new in EDITS:
            tree = copy.deepcopy(good)
            owner = tree
            for key in path[:-1]:
                owner = owner[key]
            owner[path[-1]] = new
            found = validate(Document(as_node(tree, Place("f.yaml")), "f.yaml", "f"))  # type: ignore[arg-type]
            checked += 1
            if validator.is_valid(tree) == bool(found):
                disagreements.append((path, new, [problem.fact for problem in found]))
    assert disagreements == [] and checked > 700


# Generated files


def test_generated_files_are_up_to_date():
    done = subprocess.run(
        [sys.executable, "tools/schema.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_catalogue_is_sorted_and_whole():
    entries = json.loads((ROOT / "schemas" / "catalogue.json").read_text(encoding="utf-8"))
    names = [entry["name"] for entry in entries]
    assert names == sorted(names) and len(names) == len(set(names)) > 50
    assert all(entry["module"].startswith("composer.blocks.") and entry["doc"] for entry in entries)


def test_names_that_two_tables_hold_are_the_same():
    from composer.blocks import initialize
    from composer.groups import DEFAULT_RATES
    from composer.network_form import STARTS
    from composer.optimizers import KINDS
    from composer.sections import OPTIMIZERS, optimizer_settings

    assert set(OPTIMIZERS) == set(KINDS) == set(DEFAULT_RATES)
    for name, kind in KINDS.items():
        assert set(optimizer_settings(name)) <= set(inspect.signature(kind).parameters)
    assert set(STARTS) == set(initialize._LAWS)
