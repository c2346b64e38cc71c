# ruff: noqa: RUF001  (a shape is written with the sign of multiplication)
"""Pictures of graphs: what they show, and that nothing overlaps."""

from __future__ import annotations

import itertools
import re

import pytest
from drawn import GRAPHS, arrows, layout, overlaps, scene, shaped, texts, titles
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import composer
from composer import ComposeError
from composer.draw import draw_dot
from composer.drawing import render as rendering
from composer.drawing.counts import parameter_counts
from composer.drawing.dot import scene_dot
from composer.drawing.pictured import make_scene
from composer.drawing.scene import Arrow, Box, PhaseKey, Scene
from composer.drawing.style import PHASES, ink_on, lightness
from composer.drawing.words import count_text
from composer.testing.strategies import graphs


@pytest.mark.parametrize("expand", [False, True], ids=["folded", "expanded"])
@pytest.mark.parametrize("name", GRAPHS)
def test_nothing_overlaps(name: str, expand: bool) -> None:
    assert overlaps(scene_dot(scene(name, expand=expand))) == []


@pytest.mark.parametrize("name", GRAPHS)
def test_nothing_overlaps_in_the_bundled_layout(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering.shutil, "which", lambda program: None)
    assert overlaps(scene_dot(scene(name))) == []


@pytest.mark.parametrize(("name", "network"), [("unit", "E"), ("unit", "trunk"), ("pix2pix", "G"), ("unit_code", "D")])
def test_nothing_overlaps_inside_networks(name: str, network: str) -> None:
    assert overlaps(draw_dot(shaped(name), network=network)) == []


@pytest.mark.parametrize("expand", [False, True], ids=["folded", "expanded"])
def test_text_is_large_enough(expand: bool) -> None:
    found = layout(scene_dot(scene("unit", expand=expand)))
    width = float(found["bb"].split(",")[2])
    smallest = min(size for item in [*found["objects"], found] for _, _, size in texts(item))
    pixels = smallest * 1200 / width
    assert pixels >= 9 * 96 / 72  # 9 points, where an inch has 96 pixels


# -- what is shown ------------------------------------------------------------------------------------------------


def test_an_index_is_folded() -> None:
    found = scene("unit")
    assert titles(found, "value").count("fake[s,t]") == 1
    assert titles(found, "input") == ["x[d]"]
    assert {"E[d]", "E[t]", "G[d]", "G[s]", "front[t]"} <= set(titles(found, "network"))
    assert not any("[a" in box.title for box in found.boxes)
    assert "d ∈ {a, b}" in found.notes


def test_an_index_is_expanded() -> None:
    found = scene("unit", expand=True)
    assert {"fake[a,b]", "fake[b,a]"} <= set(titles(found, "value"))
    assert not any("[s,t]" in box.title or "[d]" in box.title for box in found.boxes)


def test_names_are_those_of_the_use() -> None:
    found = scene("cyclegan")
    assert sorted(titles(found, "network")) == ["D[d]", "D[t]", "D[t]", "G[s,t]", "G[s,t]", "G[t,s]"]
    assert {"x[s]", "x[t]"} <= set(titles(found, "note"))


def test_a_part_of_an_index_keeps_its_names() -> None:
    checked = composer.check("cyclegan", variants=["forward_only"])
    found = make_scene(checked, {})
    assert "back[a,b]" in titles(found, "value") and "fake[s,t]" in titles(found, "value")
    assert "G[b,a]" in titles(found, "network") and "cycle[a,b]" in titles(found, "term")
    assert titles(found, "copy") == ["x[a]"]


def test_gradients_are_those_of_the_plan() -> None:
    found = arrows(scene("pix2pix"))
    judge, translate = (0,), (1,)
    assert found["a", "G"] == found["b", "l1"] == found["a", "concat"] == ()
    assert found["G", "fake"] == found["fake", "concat"] == found["fake", "l1"] == translate
    assert found["fake_score", "fake"] == found["real_score", "real"] == judge
    assert found["fake_score", "fool"] == translate
    assert found["D", "fake_score"] == (0, 1)


def test_an_input_of_a_constant_is_dashed() -> None:
    dot = scene_dot(scene("pix2pix"))
    dashed = [line for line in dot.splitlines() if "->" in line and "style=dashed" in line]
    solid = [line for line in dot.splitlines() if "->" in line and "style=dashed" not in line]
    assert len(dashed) == sum(not arrow.phases for arrow in scene("pix2pix").arrows) > 0
    assert all(any(colour in line for colour in PHASES) for line in solid)


def test_shapes_stand_on_the_arrows() -> None:
    found = scene("pix2pix")
    details = {box.title: box.detail for box in found.boxes if box.kind in ("value", "input")}
    assert details["fake"] == details["a"] == "3×256×256"
    assert [box.detail for box in found.boxes if box.kind == "shape"] == ["6×256×256", "6×256×256"]
    assert next(b.detail for b in scene("unit").boxes if b.title == "code") == "2b×256×32×32"


def test_terms_have_their_weights_and_phases() -> None:
    found = {box.title: box for box in scene("unit").boxes if box.kind == "term"}
    assert found["link[d]"].detail == "100 × l1"
    assert found["kl"].detail == "0.2 × mean_square"
    assert {title for title, box in found.items() if box.phases == (0,)} == {"real[s,t]", "fake[s,t]"}


def test_the_legend_says_it_all() -> None:
    said = re.sub(r"<[^>]*>", " ", scene_dot(scene("unit_code")).split("labelloc")[0])
    words = ("1 judge", "2 translate", "trains D", "minimises", "gradients flow", "no gradient", "frozen", "draw")
    assert [word for word in words if word not in said] == []


def test_a_network_is_counted_once() -> None:
    found = [box for box in scene("unit").boxes if box.kind == "network" and box.title.startswith("E[")]
    assert [(box.detail, "again" in box.marks) for box in found] == [("1.2 M each", False), ("", True)]


def test_counts_are_those_of_the_program() -> None:
    program = composer.compile("cyclegan", preset="demo")
    assert parameter_counts(program.shaped) == program.parameter_counts()
    assert "54.4 M" in draw_dot(shaped("pix2pix"))


@pytest.mark.parametrize(("count", "text"), [(7, "7"), (83_264, "83.3 k"), (999_999, "1 M"), (54_413_955, "54.4 M")])
def test_count_text(count: int, text: str) -> None:
    assert count_text(count) == text


def test_colours_differ_in_greyscale() -> None:
    levels = sorted(lightness(colour) for colour in PHASES)
    assert all(above - below >= 7.5 for below, above in itertools.pairwise(levels))
    for colour in PHASES:
        assert abs(lightness(colour) - lightness(ink_on(colour))) >= 40


def test_families_in_a_circle_stay_apart() -> None:
    text = """
composer: 1
name: steps
index: {l: [0, 1]}
inputs: {one: {x: "image(3, 8, 8)"}}
networks:
  F: {chain: ["conv(3)"]}
  G: {chain: ["conv(3)"]}
values:
  h[0]: F(x)
  h[1]: F(h[0])
  k[l]: G(h[l])
phases: {fit: {update: "F, G", minimize: {near: "l1(k[l], x)"}}}
optimizers: {default: {adam: {lr: 1e-3}}}
training: {iterations: 1, batch: 1}
"""
    found = make_scene(composer.check("steps.yaml", text=text), {})
    assert sorted(titles(found, "value")) == ["h[0]", "h[1]", "k[l]"]
    assert overlaps(scene_dot(found)) == []


def test_a_phase_for_each_value_of_an_index_is_folded() -> None:
    text = """
composer: 1
name: ways
index: {m: [near, far]}
inputs: {one: {x: "image(3, 8, 8)"}}
networks:
  F: {chain: ["conv(3)"]}
  G: {chain: ["conv(3, kernel=1)"]}
values:
  s[near]: F(x)
  s[far]: stop(G(x))
  made[m]: G(s[m])
phases:
  fit[m]:
    every: 2
    update: {near: "F, G", far: G}
    minimize: {like: "l1(made[m], x)"}
optimizers: {default: {adam: {lr: 1e-3}}}
training: {iterations: 1, batch: 1}
"""
    checked = composer.check("ways.yaml", text=text)
    found = make_scene(checked, {})
    assert [(p.label, p.update, p.when) for p in found.phases] == [("fit[m]", "F, G", "every 2 iterations")]
    assert titles(found, "value") == ["s[m]", "made[m]"]
    assert arrows(found)["F", "s[m]"] == (0,)
    assert len(make_scene(checked, {}, expand=True).phases) == 2


def test_an_input_without_sizes_says_its_kind() -> None:
    text = """
composer: 1
name: labels
inputs: {one: {x: "image(3, 8, 8)", y: label(4)}}
networks:
  C: {chain: ["conv(4)", "flatten()", "linear(4)"]}
phases: {fit: {update: C, minimize: {right: "cross_entropy(C(x), y)"}}}
optimizers: {default: {adam: {lr: 1e-3}}}
training: {iterations: 1, batch: 1}
"""
    checked = composer.check("labels.yaml", text=text)
    found = make_scene(checked, {})
    assert {box.title: box.detail for box in found.boxes if box.kind == "input"} == {"x": "3×8×8", "y": "label"}
    assert "<B>conv</B>" in draw_dot(checked, network="C") and "flatten" in draw_dot(checked, network="C")


# -- inside networks ----------------------------------------------------------------------------------------------


def test_a_wired_network_shows_its_layers() -> None:
    folded, expanded = (draw_dot(shaped("unit"), network="E[d]", expand=e) for e in (False, True))
    assert "3 × residual" in folded and "256×32×32" in folded and "3,918,976 parameters" in folded
    assert "3 × residual" not in expanded and expanded.count("<B>residual</B>") == 3


def test_a_network_of_a_block_shows_its_parts() -> None:
    found = draw_dot(shaped("cyclegan"), network="G")
    assert "9 × Residual" in found and "11.4 M" in found and "Conv2d 3→64, 7×7" in found
    assert "9 × Residual" not in draw_dot(shaped("cyclegan"), network="G[a,b]", expand=True)


def test_an_unknown_network() -> None:
    with pytest.raises(ComposeError, match=r"no network 'front\[q\]'; did you mean 'front\[[ab]\]'"):
        draw_dot(shaped("unit"), network="front[q]")


# -- anything at all ----------------------------------------------------------------------------------------------


@settings(max_examples=8, deadline=None)
@given(st.lists(st.text(max_size=12), min_size=6, max_size=6))
def test_any_text_is_drawn(words: list[str]) -> None:
    tail, head, detail, about, phase, note = words
    boxes = (
        Box("n0", "input", tail, detail, tip=about),
        Box("n1", "network", head, detail, phases=(0,), tip=tail),
        Box("n2", "value", note, detail),
        Box("n3", "function", "x" + tail),
        Box("n4", "term", head, about, phases=(0,)),
    )
    chain = tuple(Arrow(f"n{i}", f"n{i + 1}", (0,) * (i > 0)) for i in range(4))
    found = Scene(tail, about, boxes, chain, (PhaseKey(phase, head, note),), (note,))
    assert len(layout(scene_dot(found))["objects"]) == 5


@pytest.mark.parametrize("program", ["dot", "none"])
def test_signs_of_dot_and_of_markup(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if program == "none":
        monkeypatch.setattr(rendering.shutil, "which", lambda program: None)
    said = 'a"b <i>&amp;</i> \\N [s,t] {x|y} é 漢 \x00'
    found = layout(scene_dot(Scene("t", "", (Box("n0", "network", said, tip=said),), ())))
    assert texts(found["objects"][0])[0][1] == said.replace("\x00", "\N{REPLACEMENT CHARACTER}").replace("\\", "\u2216")


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(graphs())
def test_random_graphs_are_drawn(text: str) -> None:
    try:
        found = composer.check("random.yaml", text=text)
    except ComposeError:
        assume(False)
    for expand in (False, True):
        dot = draw_dot(found, expand=expand, counts={})
        assert dot == draw_dot(found, expand=expand, counts={})
        assert layout(dot)["name"] == "picture"
