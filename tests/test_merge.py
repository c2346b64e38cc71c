"""Hybrids, variants, presets and `--set`: what they give, and the words in which they are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from documents import SMALL, files, read, refused

from composer.document import Document, Leaf, Mapping, bundled_graphs, load, plain
from composer.draft import normal
from composer.errors import ComposeError
from composer.tree import Node

BASE = "composer: 1\nname: base\n"


def at(document: Document, *keys: str) -> Node:
    node: Node | None = document.root
    for key in keys:
        assert isinstance(node, Mapping)
        node = node.get(key)
    assert node is not None
    return node


def value(document: Document, *keys: str) -> Any:
    return plain(at(document, *keys))


def extended(folder: Path, hybrid: str, base: str = SMALL, **options: Any) -> Document:
    """`hybrid` as a file beside `small.yaml`, read."""
    paths = files(folder, small=base, hybrid="extends: small.yaml\n" + hybrid)
    return load(paths["hybrid"], **options)


def refused_hybrid(folder: Path, hybrid: str, **options: Any) -> str:
    with pytest.raises(ComposeError) as caught:
        extended(folder, hybrid, **options)
    return str(caught.value).replace(f"{folder}/", "")


# Extending


def test_a_hybrid_says_exactly_what_differs(tmp_path):
    document = extended(
        tmp_path,
        "about: other\n"
        "change:\n"
        "  networks.G.block: other\n"
        "  values.mu[s],logvar[s]: G(a)\n"
        "  phases.translate.minimize.l1[same]: l1(a, b)\n"
        "add:\n"
        "  phases.translate.minimize.identity: 5 * l1(a, b)\n"
        "  networks.E[d]: {block: judge}\n"
        "  lifetime.fake[s,t]: phase\n"
        "  averages: {G: 0.999}\n"
        "drop: [params.weight, show]\n",
    )
    assert document.name == "hybrid" and document.file.endswith("hybrid.yaml")
    assert value(document, "about") == "other"
    assert value(document, "networks", "G")["block"] == "other" and value(document, "networks", "G")["out"] == 3
    assert value(document, "values", "mu[s], logvar[s]") == "G(a)"
    assert list(value(document, "phases", "translate", "minimize")) == ["fool", "l1[same]", "identity"]
    assert value(document, "lifetime") == {"fake[s,t]": "phase"} and value(document, "averages") == {"G": 0.999}
    assert list(value(document, "networks")) == ["G", "D[s,t]", "E[d]"]
    assert "weight" not in value(document, "params") and "show" not in document.root
    assert document.root.keys()[:3] == ("composer", "name", "about")
    assert not {"extends", "change", "add", "drop", "variants", "presets"} & set(document.root.keys())
    assert document.notes == ("extends small",)


def test_places_stay_where_the_text_stands(tmp_path):
    document = extended(tmp_path, "change:\n  networks.G.width: 5\nadd:\n  params.more: 3\n")
    changed = at(document, "networks", "G", "width").place
    assert (Path(changed.file).name, changed.line, changed.column) == ("hybrid.yaml", 3, 21)
    params = at(document, "params")
    assert isinstance(params, Mapping)
    assert (params.key("more").place.line, params.key("more").place.column) == (5, 10)
    kept = at(document, "networks", "G", "out").place
    assert (Path(kept.file).name, kept.line) == ("small.yaml", 15)
    networks = at(document, "networks", "G")
    assert isinstance(networks, Mapping) and Path(networks.key("width").place.file).name == "small.yaml"
    assert document.beside("own.py", kept) == tmp_path / "own.py"


def test_chains_of_extensions_are_merged_from_the_bottom(tmp_path):
    paths = files(
        tmp_path,
        small=SMALL,
        middle="extends: small.yaml\nname: middle\nchange: {params.width: 1}\nadd: {params.new: 2}\n"
        "variants: {wide: {change: {params.width: 100}}}\npresets: {tiny: {new: 3}}\n",
        top="extends: middle.yaml\nwith: [wide]\nchange: {params.new: 4}\n",
    )
    document = load(paths["top"], variants=["plain"], preset="tiny")
    assert value(document, "params") == {"width": 100, "weight": 10, "taps": [1, 2], "cycle[a]": 5, "new": 3}
    assert document.variants_used == ("wide", "plain") and value(document, "values", "score") == "D(b)"
    assert document.variants == ("plain", "wide") and document.presets == ("demo", "tiny")
    assert document.notes == ("extends small", "extends middle", "with wide", "with plain", "preset tiny")


def test_a_bundled_graph_can_be_extended_by_name(tmp_path):
    name, path = next(iter(bundled_graphs().items()))
    for text in (name, f"{name}.yaml"):
        document = load(tmp_path / "mine.yaml", text=f"extends: {text}\n")
        assert document.name == "mine" and document.notes == (f"extends {name}",)
        assert document.beside("x.py", at(document, "networks").place) == path.parent / "x.py"


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        ({"a": "extends: a.yaml"}, "a graph that extends itself: a.yaml -> a.yaml"),
        ({"a": "extends: b.yaml", "b": "extends: ./a.yaml"}, "a graph that extends itself: a.yaml -> b.yaml -> a.yaml"),
        ({"a": "extends: nowhere.yaml"}, "a.yaml:1:10: there is no file 'nowhere.yaml' to extend, and no such bundled"),
        ({"a": "extends: [b]"}, "a.yaml:1:10: extends: expected a file or the name of a bundled graph, found a list"),
        ({"a": "extends: ."}, "there is no file '.' to extend"),
        ({"a": "extends: b.yaml", "b": "a: ["}, "b.yaml:1:4: this bracket is never closed"),
        ({"a": "extends: 'b\\0'"}, "a.yaml:1:11: there is no file"),
    ],
)
def test_a_base_that_cannot_be_is_refused(tmp_path, monkeypatch, texts, words):
    monkeypatch.chdir(tmp_path)
    files(tmp_path, **texts)
    with pytest.raises(ComposeError) as caught:
        load("a.yaml")
    assert words in str(caught.value)


def test_a_long_chain_of_extensions_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files(tmp_path, **{f"a{i}": f"extends: a{i + 1}.yaml" for i in range(30)})
    with pytest.raises(ComposeError, match="more than 16 graphs extend each other"):
        load("a0.yaml")


@pytest.mark.parametrize(
    ("hybrid", "words"),
    [
        (
            "values:\n  x: 1\n",
            "hybrid.yaml:2:1: 'values' beside 'extends'; write what differs under change: or add:, as "
            "`values.NAME: ...`",
        ),
        ("chnage: {}\n", "hybrid.yaml:2:1: unknown section 'chnage'; did you mean 'change'?"),
        ("change: [a]\n", "hybrid.yaml:2:9: change: expected a mapping of paths to values, found a list"),
        ("drop: values.score\n", "hybrid.yaml:2:7: drop: expected a list of paths, found the text 'values.score'"),
        ("with: plain\n", "with: expected a list of texts, found the text 'plain'"),
        ("with: [plian]\n", "hybrid.yaml:2:8: unknown variant 'plian'; did you mean 'plain'?"),
        ("variants: {v: {chage: {a: 1}}}\n", "variants.v: unknown entry of a variant 'chage'; did you mean 'change'?"),
        ("variants: {v: [1]}\n", "variants.v: expected a mapping of change, add, drop"),
        ("presets: {p: 3}\n", "presets.p: expected a mapping of params to values, found the number 3"),
        (
            "change: {values.scores: a}\n",
            "hybrid.yaml:2:10: change: there is no 'values.scores'; did you mean 'values.score'?",
        ),
        ("change: {valuse.score: a}\n", "change: there is no 'valuse.score'; did you mean 'values.score'?"),
        ("change: {phases.translate.fool: a}\n", "did you mean 'phases.translate.minimize.fool'?"),
        ("change: {networks.G.widht: a}\n", "change: there is no 'networks.G.widht'; did you mean 'networks.G.width'?"),
        ("change: {'values.mu[s], logvr[s]': a}\n", "did you mean 'values.mu[s], logvar[s]'?"),
        ("change: {params.taps.0: 1}\n", "change: there is no 'params.taps.0'"),
        (
            "add: {values.score: a}\n",
            "add: 'values.score' is there already; write it under change: (it stands on line 20 of small.yaml)",
        ),
        (
            "add: {phases.translte.minimize.x: a}\n",
            "add: there is no 'phases.translte' that 'phases.translte.minimize.x' could "
            "be added to; did you mean 'phases.translate'?",
        ),
        ("add: {valus.x: a}\n", "add: there is no 'valus' that 'valus.x' could be added to; did you mean 'values'?"),
        ("add: {passes.x.at: start}\n", "add: there is no 'passes.x' that 'passes.x.at' could be added to"),
        ("add: {params.width.x: 1}\n", "add: 'params.width' is no mapping that 'params.width.x' could be added to"),
        ("add: {values.: 1}\n", "add: 'values.' is no path; write section.NAME: value"),
        ("drop: [values.scor]\n", "hybrid.yaml:2:8: drop: there is no 'values.scor'; did you mean 'values.score'?"),
        ("drop: [values.score]\nchange: {values.score: a}\n", "change: there is no 'values.score'"),
    ],
)
def test_what_a_hybrid_cannot_say_is_refused(tmp_path, hybrid, words):
    assert words in refused_hybrid(tmp_path, hybrid)


def test_all_problems_of_a_hybrid_are_reported_together(tmp_path):
    words = refused_hybrid(
        tmp_path, "change: {a: 1, b: 2}\nadd: {params.width: 1}\ndrop: [c]\n", preset="none", variants=["v"]
    )
    assert (
        words.count("change: there is no") == 2 and "add: 'params.width'" in words and "drop: there is no 'c'" in words
    )
    assert "unknown preset 'none'" in words and "unknown variant 'v'" in words


def test_edits_without_a_base_are_refused():
    assert "f.yaml:3:1: 'change' without 'extends'; name the graph to change" in refused(BASE + "change: {a: 1}")


def test_keys_with_dots_commas_and_blanks_are_whole_keys():
    text = BASE + "values:\n  a.b: 1\n  a: {b: 2, 'x, y': 3}\n  found[s,t], _: 4\n"
    document = read(text, settings={"values.a.b": 5, "values.a.x,y": 6, "values.found[ s, t ] ,_": 7})
    assert value(document, "values") == {"a.b": 5, "a": {"b": 2, "x, y": 6}, "found[s,t], _": 7}
    assert normal(" mu[ d ] , logvar[d]") == normal("mu[d],logvar[d]") == "mu[d],logvar[d]"


# Variants


def test_variants_are_structural_options():
    document = read(SMALL, variants=["plain", "plain"])
    assert value(document, "values", "score") == "D(b)" and document.variants_used == ("plain",)
    assert value(document, "phases", "translate", "minimize") == {"fool": 'adversarial(score, "fool")'}
    assert refused(SMALL, variants=["plan"]) == "unknown variant 'plan'; did you mean 'plain'?"
    assert refused(BASE, variants=["plan"]) == "unknown variant 'plan'; this graph has no variants"


def test_a_base_s_variants_come_before_the_hybrid_s_changes_and_its_own_after(tmp_path):
    base = BASE + "values: {x: base}\nvariants: {early: {change: {values.x: early}}}\n"
    hybrid = (
        "change: {values.x: hybrid}\nadd: {values.y: 1}\nvariants: {late: {change: {values.x: late, values.y: 2}}}\n"
    )
    assert value(extended(tmp_path, hybrid, base, variants=["early"]), "values") == {"x": "hybrid", "y": 1}
    assert value(extended(tmp_path, hybrid, base, variants=["late", "early"]), "values") == {"x": "late", "y": 2}


def test_drops_come_before_changes_and_additions():
    text = BASE + "values: {x: 1, y: 2}\nvariants: {v: {add: {values.x: 3}, change: {values.y: 4}, drop: [values.x]}}\n"
    assert value(read(text, variants=["v"]), "values") == {"y": 4, "x": 3}


# Presets and --set


def test_a_preset_sets_params_and_a_setting_wins():
    assert value(read(SMALL, preset="demo"), "params", "width") == 8
    document = read(SMALL, preset="demo", settings=[("width", "16"), ("cycle[a]", 7)])
    assert value(document, "params") == {"width": 16, "weight": 10, "taps": [1, 2], "cycle[a]": 7}
    assert document.preset == "demo" and document.notes == ("preset demo", "set width = 16", "set cycle[a] = 7")


@pytest.mark.parametrize(
    ("presets", "words"),
    [
        ("{p: {widht: 1}}", "f.yaml:3:15: preset p: there is no param 'widht'; did you mean 'width'?"),
        ("{p: {score: 1}}", "preset p: there is no param 'score'"),
        ("{p: {values.scor: 1}}", "preset p: there is no 'values.scor'; did you mean 'values.score'?"),
        ("{demo: {width: 1}}", "unknown preset 'p'; known here: demo"),
        ("{}", "unknown preset 'p'; this graph has no presets"),
    ],
)
def test_a_preset_that_fits_nothing_is_refused(presets, words):
    text = f"composer: 1\nname: x\npresets: {presets}\nparams: {{width: 1}}\nvalues: {{score: D(a)}}\n"
    assert words in refused(text, preset="p")


def test_a_preset_may_change_a_path():
    text = SMALL.replace("demo: {width: 8}", "demo: {width: 8, training.epochs: 1}")
    assert value(read(text, preset="demo"), "training") == {"epochs": 1, "batch": 1}


@pytest.mark.parametrize(
    ("path", "given", "keys", "result"),
    [
        ("width", "32", ("params", "width"), 32),
        ("params.width", "1e2", ("params", "width"), 100.0),
        ("params.taps", "[3, 4]", ("params", "taps"), [3, 4]),
        ("taps", [3, 4], ("params", "taps"), [3, 4]),
        ("weight", "no", ("params", "weight"), "no"),
        ("weight", "null", ("params", "weight"), None),
        ("weight", "'12'", ("params", "weight"), "12"),
        ("name", "other", ("name",), "other"),
        ("values.score", "D(a, b)", ("values", "score"), "D(a, b)"),
        ("values.mu[s],logvar[s]", "G(a)", ("values", "mu[s], logvar[s]"), "G(a)"),
        ("networks.G.dropout", "0.5", ("networks", "G", "dropout"), 0.5),
        ("networks.G.block", "other", ("networks", "G", "block"), "other"),
        ("networks.G", {"block": "other"}, ("networks", "G"), {"block": "other"}),
        ("phases.judge.every", "5", ("phases", "judge", "every"), 5),
        ("phases.translate.minimize.l1[same]", "l1(a, b)", ("phases", "translate", "minimize", "l1[same]"), "l1(a, b)"),
        ("optimizers.default.clip_norm", "5", ("optimizers", "default", "clip_norm"), 5),
        ("optimizers.default.adam.eps", "1e-6", ("optimizers", "default", "adam", "eps"), 1e-6),
        ("training.iterations", "7", ("training", "iterations"), 7),
        ("translate.a2b.samples", "3", ("translate", "a2b", "samples"), 3),
        ("about", "a: b", ("about",), {"a": "b"}),
    ],
)
def test_a_setting_reaches_every_path(path, given, keys, result):
    found = value(read(SMALL, settings=[(path, given)]), *keys)
    assert found == result and type(found) is type(result)


@pytest.mark.parametrize(
    ("path", "given", "words"),
    [
        ("widht", "1", "--set:1:1: there is no param or path 'widht'; did you mean 'width'?\n    widht=1\n    ^^^^^"),
        ("networks.H.width", "1", "--set:1:1: there is no path 'networks.H.width'; did you mean 'networks.G.width'?"),
        ("values.scores", "1", "there is no path 'values.scores'; did you mean 'values.score'?"),
        ("phases.judge.minimize.more", "1", "there is no path 'phases.judge.minimize.more'"),
        ("params.width.x", "1", "there is no path 'params.width.x'"),
        ("valuess.x", "1", "there is no path 'valuess.x'; did you mean 'values'?"),
        ("passes.x.at", "1", "there is no path 'passes.x.at'"),
        ("networks.", "1", "there is no path 'networks.'"),
        ("", "1", "there is no param or path ''"),
        ("width", "", "--set:1:1: 'width' is set to nothing; give a value: width=1; or null"),
        ("width", "# 3", "'width' is set to a comment"),
        ("width", "[1", "--set:1:7: this bracket is never closed"),
        ("width", "*x", "--set:1:7: the alias *x"),
        ("width", "1e999", "--set:1:7: the number 1e999 is too large"),
        (
            "width",
            float("nan"),
            "--set:1:7: 'width' is set to a number that cannot be used; use a finite one below 1e18",
        ),
        ("width", 10**30, "'width' is set to a number that cannot be used"),
        ("width", object(), "'width' is set to something else; give a number, a text, a list or a mapping"),
        ("width", ["a\x00"], "'width' is set to a text with control characters"),
    ],
)
def test_a_setting_that_reaches_nothing_is_refused(path, given, words):
    assert words in refused(SMALL, settings=[(path, given)])


def test_settings_are_reported_together_each_with_its_own_line():
    words = refused(SMALL, settings=[("width", "1"), ("a", "1"), ("b", "[")])
    assert words.splitlines() == [
        "--set:2:1: there is no param or path 'a'; known here: " + words.splitlines()[0].partition("known here: ")[2],
        "    a=1",
        "    ^",
        "--set:3:3: this bracket is never closed; close it with ] or }",
        "    b=[",
        "      ^",
    ]


def test_the_last_setting_wins_and_its_place_is_kept():
    document = read(SMALL, settings=[("width", "1"), ("width", "22")])
    leaf = at(document, "params", "width")
    assert isinstance(leaf, Leaf) and leaf.value == 22
    assert (leaf.place.file, leaf.place.line, leaf.place.column, leaf.place.length) == ("--set", 2, 7, 2)


def test_a_hybrid_takes_variants_and_presets_of_its_base_away(tmp_path: Path) -> None:
    base = "composer: 1\nparams: {a: 1}\nvariants:\n  v: {change: {params.a: 2}}\n  w: {change: {params.a: 3}}\n"
    base += "presets:\n  p: {a: 4}\n  q: {a: 5}\n"
    hybrid = "with: [v]\nadd: {params.b: 1}\ndrop: [variants.v, params.a, presets.p]\n"
    found = extended(tmp_path, hybrid, base)
    assert (found.variants, found.presets, found.variants_used) == (("w",), ("q",), ("v",))
    assert plain(found.root.get("params")) == {"b": 1}
    wrong = hybrid.replace("variants.v", "variants.x").replace("presets.p", "presets.pp")
    with pytest.raises(ComposeError) as caught:
        extended(tmp_path, wrong, base)
    assert [p.fact for p in caught.value.problems] == [
        "drop: there is no 'variants.x'",
        "drop: there is no 'presets.pp'",
    ]


PRESETS = "composer: 1\nparams: {a: 1, b: 1}\npresets:\n  p: {a: 4, b: 5}\n  q: {b: 6}\n"


def test_a_hybrid_edits_what_presets_of_its_base_set(tmp_path: Path) -> None:
    hybrid = "add: {params.c: 1, presets.p.c: 7, presets.r: {c: 8}}\n"
    hybrid += "change: {presets.p.a: 40, presets.q: {c: 9}}\ndrop: [presets.p.b, params.b]\n"
    found = extended(tmp_path, hybrid, PRESETS)
    assert found.presets == ("p", "q", "r")
    for preset, params in {None: {"a": 1, "c": 1}, "p": {"a": 40, "c": 7}, "q": {"a": 1, "c": 9}}.items():
        assert plain(extended(tmp_path, hybrid, PRESETS, preset=preset).root.get("params")) == params


@pytest.mark.parametrize(
    ("edits", "fact", "remedy"),
    [
        ("add: {presets.p.a: 1}", "add: 'presets.p.a' is there already", "write it under change:"),
        ("add: {presets.p: {a: 1}}", "add: 'presets.p' is there already", "write it under change:"),
        ("add: {presets.s.a: 1}", "add: there is no 'presets.s'", "it is one of: p, q"),
        ("change: {presets.p.aa: 1}", "change: there is no 'presets.p.aa'", "did you mean 'a'?"),
        ("change: {presets.pp.a: 1}", "change: there is no 'presets.pp.a'", "did you mean 'p'?"),
        ("change: {presets.p: 3}", "presets.p: expected a mapping of params to values, found the number 3", ""),
        ("drop: [presets.p.aa]", "drop: there is no 'presets.p.aa'", "did you mean 'a'?"),
    ],
)
def test_edits_of_presets_that_fit_nothing(tmp_path: Path, edits: str, fact: str, remedy: str) -> None:
    with pytest.raises(ComposeError) as caught:
        extended(tmp_path, f"{edits}\n", PRESETS)
    (problem,) = caught.value.problems
    assert (problem.fact, problem.place.line) == (fact, 2)
    assert problem.remedy == remedy or remedy in ("it is one of: p, q",)
