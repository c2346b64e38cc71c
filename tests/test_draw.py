"""Pictures of graphs: what they show, that nothing overlaps, who renders them, and what is refused."""

from __future__ import annotations

import errno
import json
import os
import re
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import composer
import composer.draw
from composer import ComposeError
from composer.draw import draw, draw_dot
from composer.drawing import render as rendering
from composer.drawing.counts import parameter_counts
from composer.drawing.dot import scene_dot
from composer.drawing.pictured import make_scene
from composer.drawing.render import render, renderers
from composer.drawing.scene import Arrow, Box, PhaseKey, Scene, count_text
from composer.drawing.style import PHASES, ink_on, lightness
from composer.shapes import Shaped
from composer.testing.strategies import graphs

GRAPHS = ("cyclegan", "pix2pix", "supervised", "unit", "unit_code")
PICTURES = Path(__file__).parent.parent / "docs" / "pictures"
_shaped: dict[str, Shaped] = {}

Rectangle = tuple[float, float, float, float]


def shaped(name: str) -> Shaped:
    if name not in _shaped:
        _shaped[name] = composer.check(name)
    return _shaped[name]


def scene(name: str, *, expand: bool = False) -> Scene:
    return make_scene(shaped(name), {n: 1_200_000 for n in shaped(name).graph.networks}, expand=expand)


def layout(dot: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(render(dot, "json"))
    return found


def titles(found: Scene, kind: str) -> list[str]:
    return [box.title for box in found.boxes if box.kind == kind]


def arrows(found: Scene) -> dict[tuple[str, str], tuple[int, ...]]:
    """Phases by titles of tail and head; texts on arrows are stepped over."""
    boxes = {box.key: box for box in found.boxes}
    tails: dict[str, list[Arrow]] = {}
    for arrow in found.arrows:
        tails.setdefault(arrow.head, []).append(arrow)
    shown: dict[tuple[str, str], tuple[int, ...]] = {}
    for arrow in found.arrows:
        if boxes[arrow.head].kind in ("shape", "note"):
            continue
        tail = arrow.tail
        while boxes[tail].kind in ("shape", "note"):
            tail = tails[tail][0].tail
        shown[boxes[tail].title, boxes[arrow.head].title] = arrow.phases
    return shown


# -- nothing overlaps ---------------------------------------------------------------------------------------------


def texts(item: dict[str, Any]) -> list[tuple[Rectangle, str, float]]:
    """The lines of an object's label: where each stands, what it says, its size in points."""
    size, found = 0.0, []
    for step in item.get("_ldraw_", []):
        if step["op"] == "F":
            size = step["size"]
        if step["op"] == "T" and step["text"].strip():
            (x, y), width = step["pt"], step["width"]
            left = {"c": x - width / 2, "l": x, "r": x - width}[step["align"]]
            found.append(((left, y - 0.22 * size, left + width, y + 0.72 * size), step["text"], size))
    return found


def curve(edge: dict[str, Any]) -> list[tuple[float, float]]:
    """Points on an edge, and the corners of its arrowhead."""
    points: list[tuple[float, float]] = []
    for step in edge["_draw_"]:
        if step["op"] != "b":
            continue
        for start in range(0, len(step["points"]) - 3, 3):
            a, b, c, d = step["points"][start : start + 4]
            for t in (n / 24 for n in range(25)):
                shares = ((1 - t) ** 3, 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t * t, t**3)
                points.append(tuple(sum(s * p[i] for s, p in zip(shares, (a, b, c, d), strict=True)) for i in (0, 1)))
    for step in edge.get("_hdraw_", []):
        points += [tuple(p) for p in step["points"]] if step["op"] in "pP" else []
    return points


def inside(point: tuple[float, float], box: Rectangle) -> bool:
    return box[0] < point[0] < box[2] and box[1] < point[1] < box[3]


def overlaps(dot: str) -> list[str]:
    """What lies over what: texts over texts, edges over texts, edges over boxes that they do not belong to."""
    found = layout(dot)
    boxes, edges = found.get("objects", []), found.get("edges", [])
    said = [text for item in [*boxes, found] for text in texts(item)]
    bad = [
        f"'{one}' over '{two}'"
        for number, (a, one, _) in enumerate(said)
        for b, two, _ in said[number + 1 :]
        if min(a[2], b[2]) - max(a[0], b[0]) > 0.5 and min(a[3], b[3]) - max(a[1], b[1]) > 0.5
    ]
    for edge in edges:
        points = curve(edge)
        bad += [f"an edge over '{text}'" for box, text, _ in said if any(inside(p, box) for p in points)]
        for number, item in enumerate(boxes):
            x, y = map(float, item["pos"].split(","))
            w, h = 36 * float(item["width"]) - 0.5, 36 * float(item["height"]) - 0.5
            if number not in (edge["tail"], edge["head"]) and any(inside(p, (x - w, y - h, x + w, y + h)) for p in points):
                bad.append(f"an edge over the box {item['name']}")
    return bad


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
    for word in ("1 judge", "2 translate", "trains D", "minimises", "gradients flow", "no gradient", "frozen", "random draw"):
        assert word in said, word


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
    assert all(above - below >= 7.5 for below, above in zip(levels, levels[1:], strict=False))
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
values:
  h[0]: F(x)
  h[1]: F(h[0])
  k[l]: F(h[l])
phases: {fit: {update: F, minimize: {near: "l1(k[l], x)"}}}
optimizers: {default: {adam: {lr: 1e-3}}}
training: {iterations: 1, batch: 1}
"""
    found = make_scene(composer.check("steps.yaml", text=text), {})
    assert {"h[0]", "h[1]"} <= set(titles(found, "value"))
    assert "k[l]" in titles(found, "value") or {"k[0]", "k[1]"} <= set(titles(found, "value"))
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


# -- files --------------------------------------------------------------------------------------------------------


def test_every_suffix(tmp_path: Path) -> None:
    starts = {"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF", "dot": b"digraph"}
    for suffix, start in starts.items():
        one, two = tmp_path / f"one.{suffix}", tmp_path / f"two.{suffix}"
        assert draw(shaped("supervised"), one) == one
        draw(shaped("supervised"), two)
        assert one.read_bytes().startswith(start)
        assert one.read_bytes() == two.read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(f"{n}.{s}" for n in ("one", "two") for s in starts)


def test_a_source_is_checked_like_any_graph(tmp_path: Path) -> None:
    draw("pix2pix", tmp_path / "a.dot", variants=["l1_only"], preset="demo", settings={"params.size": 128, "params.depth": 5})
    text = (tmp_path / "a.dot").read_text(encoding="utf-8")
    assert "3×128×128" in text and "<B>D</B>" not in text


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("x.gif", "'.gif' is no kind of picture; end the name in .svg, .png, .pdf or .dot"),
        ("x", "has no suffix; end the name in"),
        ("no/such/x.svg", "there is no folder"),
        ("file/x.svg", "is not a folder"),
        ("folder.svg", "is a folder; give the name of a file"),
    ],
)
def test_names_that_are_refused(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.svg").mkdir()
    with pytest.raises(ComposeError) as caught:
        draw(shaped("pix2pix"), tmp_path / name)
    assert said in str(caught.value)


def test_a_folder_that_cannot_be_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(composer.draw.os, "access", lambda path, mode: False)
    with pytest.raises(ComposeError, match="cannot be written to; choose another place with -o"):
        draw(shaped("pix2pix"), tmp_path / "x.dot")


def test_a_full_disk_leaves_the_old_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.dot"
    path.write_text("old")

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ComposeError, match="No space left on device"):
        draw(shaped("supervised"), path)
    assert [p.name for p in tmp_path.iterdir()] == ["x.dot"]
    assert path.read_text() == "old"


# -- who renders --------------------------------------------------------------------------------------------------


def program(folder: Path, script: str) -> Path:
    path = folder / "dot"
    path.write_text(f"#!{sys.executable}\n{script}")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_the_program_on_the_path_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = program(tmp_path, "import sys; print(sys.argv[1:], len(sys.stdin.read()) > 10)")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert [command[0] for _, command in renderers()] == [str(path), sys.executable]
    assert render(draw_dot(shaped("supervised")), "svg") == b"['-Tsvg'] True\n"
    assert render("digraph {a}", "png").startswith(b"['-Tpng', '-Gdpi=")


def test_without_a_program_the_bundled_one_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert [command[0] for _, command in renderers()] == [sys.executable]
    for suffix, start in {"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF"}.items():
        draw(shaped("supervised"), tmp_path / f"x.{suffix}")
        assert (tmp_path / f"x.{suffix}").read_bytes().startswith(start)


def test_a_broken_program_gives_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "import sys; sys.exit('Format: \"png\" not recognized')")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert render("digraph {a}", "png").startswith(b"\x89PNG")
    monkeypatch.setattr(rendering.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ComposeError, match='could not draw the picture .*"png" not recognized.*; write the DOT: -o x.dot'):
        render("digraph {a}", "png")


def test_without_graphviz_there_is_still_dot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering.shutil, "which", lambda program: None)
    monkeypatch.setattr(rendering.importlib.util, "find_spec", lambda name: None)
    draw(shaped("supervised"), tmp_path / "x.dot")
    with pytest.raises(ComposeError, match=r"no Graphviz to draw with; install Graphviz .* `pip install pygraphviz`"):
        draw(shaped("supervised"), tmp_path / "x.svg")
    assert not (tmp_path / "x.svg").exists()


def test_a_layout_that_takes_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "import time; time.sleep(60)")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(rendering, "LONGEST", 0.2)
    with pytest.raises(ComposeError, match="too large: draw it without --expand"):
        render("digraph {a}", "svg")


# -- anything at all ----------------------------------------------------------------------------------------------


@settings(max_examples=8, deadline=None)
@given(st.lists(st.text(max_size=12), min_size=6, max_size=6))
def test_any_text_is_drawn(words: list[str]) -> None:
    tail, head, detail, about, phase, note = words
    boxes = (
        Box("n0", "input", tail, detail, tip=about), Box("n1", "network", head, detail, phases=(0,), tip=tail),
        Box("n2", "value", note, detail), Box("n3", "function", "x" + tail), Box("n4", "term", head, about, phases=(0,)),
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


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
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


# -- the documentation --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(PICTURES.glob("*.svg")), ids=lambda path: path.name)
def test_pictures_of_the_documentation_are_up_to_date(path: Path) -> None:
    """Their words are those that are drawn today; redraw with the commands of docs/drawing.md."""
    import html

    name, _, rest = path.stem.partition("-")
    dot = draw_dot(shaped(name), expand=rest == "expanded", network=rest if rest not in ("", "expanded") else None)
    today = sorted(text for item in [*layout(dot).get("objects", []), layout(dot)] for _, text, _ in texts(item))
    drawn = [html.unescape(t) for t in re.findall(r"<text[^>]*>([^<]*)</text>", path.read_text(encoding="utf-8"))]
    assert sorted(t.replace("\xa0", " ") for t in drawn if t.strip()) == today
