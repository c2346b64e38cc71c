"""The page of a run: its numbers, its file, and when it is written. What a browser makes of it: tests/browser."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from report_folder import EVERY, LINES, ROWS, make_folder, record
from tiny_run import TINY, make_tiny, settings, start

from composer.cli import main
from composer.errors import ComposeError, Diverged
from composer.report import Report, sheets, write_report
from composer.report.buckets import Buckets
from composer.report.curves import Curves
from composer.report.page import PARTS, SCRIPTS, STYLES, as_data, page
from composer.run_folder import RunFolder


class Parts(HTMLParser):
    """The elements of a page: tags with their attributes, and the texts of scripts and the title."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in ("script", "title"):
            self.texts.append((tag, ""))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] in ("script", "title") and self.texts:
            self.texts[-1] = (self.texts[-1][0], self.texts[-1][1] + data)

    def handle_endtag(self, tag: str) -> None:
        self.tags.append((f"/{tag}", {}))

    @property
    def scripts(self) -> list[str]:
        return [text for tag, text in self.texts if tag == "script"]

    @property
    def content(self) -> dict:
        return json.loads(self.scripts[1])


def parts(folder: Path) -> Parts:
    return Parts((folder / "index.html").read_text(encoding="utf-8"))


# -- curves ------------------------------------------------------------------------------------------------------

VALUES = st.floats(-1e6, 1e6) | st.sampled_from([float("nan"), float("inf"), -float("inf")])


@given(st.lists(st.tuples(st.integers(0, 400), VALUES), max_size=80), st.sampled_from([4, 16, 512]))
def test_buckets_hold_the_extremes_and_the_mean_of_their_iterations(numbers, limit):
    curve = Buckets(limit=limit)
    for iteration, value in numbers:
        while iteration // curve.width >= limit:
            curve.widen()
        curve.add(np.array([iteration]), np.array([value]))
    assert curve.bad == sum(not np.isfinite(value) for _, value in numbers)
    mean = curve.mean()
    for place in range(limit):
        inside = [v for i, v in numbers if i // curve.width == place and np.isfinite(v)]
        assert curve.count[place] == len(inside)
        if inside:
            assert (curve.low[place], curve.high[place]) == (min(inside), max(inside))
            assert mean[place] == pytest.approx(np.mean(inside), abs=1e-6)
        else:
            assert np.isnan(mean[place])


def log_of(path: Path, records: list[dict]) -> Curves:
    path.write_text("".join(json.dumps(one) + "\n" for one in records), encoding="utf-8")
    curves = Curves(path, limit=16)
    curves.update()
    return curves


def term(content: dict, name: str) -> dict:
    return next(one for one in content["terms"] if one["term"] == name)


def test_a_spike_of_one_iteration_is_not_lost_in_a_long_run(tmp_path):
    records = [record(i) for i in range(1000)]
    records[777]["terms"]["translate/fool[a,b]"]["loss"] = 123.0
    content = log_of(tmp_path / "log", records).content()
    assert content["step"] == 64 and content["last"] == 999
    fool = term(content, "translate/fool[a,b]")
    assert len(fool["mean"]) == len(fool["high"]) == 16
    assert fool["high"][777 // 64] == 123 and max(fool["mean"]) < 123
    assert fool["weight"] == [0.5, 0.5] and "weighted" not in fool


def test_a_log_that_grows_gives_what_a_whole_one_gives(tmp_path):
    records = [record(i) for i in range(100)]
    whole = log_of(tmp_path / "whole", records).content()
    path = tmp_path / "grows"
    curves = Curves(path, limit=16)
    curves.update()
    assert curves.content()["last"] == -1
    text = "".join(json.dumps(one) + "\n" for one in records)
    for start_at in range(0, len(text), 777):  # lines end in the middle of a piece
        with open(path, "a", encoding="utf-8") as file:
            file.write(text[start_at : start_at + 777])
        curves.update()
    assert curves.content() == whole


def test_numbers_that_are_none_are_counted_and_stay_off_the_page(tmp_path):
    records = [record(i) for i in range(6)]
    for value, one in zip((float("nan"), float("inf"), None), records[1:4], strict=True):
        one["terms"]["translate/fool[a,b]"]["loss"] = value
    content = log_of(tmp_path / "log", records).content()
    fool = term(content, "translate/fool[a,b]")
    assert fool["bad"] == 3 and fool["mean"][1:4] == [None] * 3 and fool["mean"][4] is not None
    assert "bad" not in term(content, "translate/fool[b,a]")
    json.loads(as_data(content), parse_constant=pytest.fail)


def test_a_weight_that_changes_is_multiplied_in_each_iteration(tmp_path):
    records = [record(i) for i in range(64)]
    keep = term(log_of(tmp_path / "log", records).content(), "translate/keep[a,b]")
    first = [one["terms"]["translate/keep[a,b]"] for one in records[:4]]
    products = [one["loss"] * one["weight"] for one in first]
    assert keep["weight"] == [3.7, 10]
    assert keep["weighted"]["mean"][0] == pytest.approx(np.mean(products), rel=1e-4)
    assert keep["weighted"]["high"][0] == pytest.approx(max(products), rel=1e-4)
    assert keep["weights"][0] == pytest.approx(np.mean([one["weight"] for one in first]), rel=1e-4)


def test_a_phase_that_was_left_out_leaves_a_gap(tmp_path):
    content = log_of(tmp_path / "log", [record(i) for i in range(10)]).content()
    mean = term(content, "judge/real[a]")["mean"]
    assert [value is None for value in mean] == [True, False] * 5
    assert [one["phase"] for one in content["totals"]] == ["translate", "judge"]


def test_an_iteration_that_stands_twice_is_told_once(tmp_path):
    records = [record(i) for i in (0, 1, 2, 1, 2, 3)]
    content = log_of(tmp_path / "log", records).content()
    assert content["last"] == 3 and content["seconds"]["mean"] == [0.25] * 4
    assert log_of(tmp_path / "log", records).seconds == 1.0


def test_a_long_run_makes_no_long_page(tmp_path):
    curves = Curves(tmp_path / "log")
    sizes = []
    for first, last in ((0, 1024), (1024, 4096)):
        with open(tmp_path / "log", "a", encoding="utf-8") as file:
            file.writelines(json.dumps(record(i)) + "\n" for i in range(first, last))
        curves.update()
        assert max(len(one["mean"]) for one in curves.content()["terms"]) == 512
        sizes.append(len(as_data(curves.content())))
    assert sizes[1] < 1.3 * sizes[0]


# -- samples -----------------------------------------------------------------------------------------------------


def test_a_grid_says_where_its_pictures_are(tmp_path):
    folder = make_folder(tmp_path / "run")
    layout = sheets.read_layout(folder.sample(EVERY))
    assert layout["rows"] == ROWS and [one["name"] for one in layout["columns"]] == ["x[a]", "fake[a,b]"]
    image = Image.open(folder.sample(LINES))
    for column, value in zip(layout["columns"], (191, 255), strict=True):
        for row in range(ROWS):
            x, y = column["x"], layout["top"] + row * layout["pitch"]
            piece = image.crop((x, y, x + column["width"], y + column["height"]))
            assert piece.size == (8, 8) and piece.getextrema() == ((value, value),) * 3


def test_grids_without_a_layout_and_broken_ones_do_no_harm(tmp_path):
    folder = make_folder(tmp_path / "run")
    Image.new("RGB", (30, 20)).save(folder.sample(0))
    folder.sample(20).write_bytes(b"no picture")
    (folder.samples / "notes.png").write_bytes(b"")
    found = sheets.Sheets(folder.samples).content()
    assert [one["iteration"] for one in found] == [0, 40, 60]
    assert found[0]["layout"] == {"width": 30, "height": 20} and found[1]["source"] == "samples/0000040.png"


def test_a_page_to_send_holds_its_pictures(tmp_path, monkeypatch):
    folder = make_folder(tmp_path / "run")
    out = tmp_path / "sent.html"
    write_report(folder.path, out)
    kind, content = Parts(out.read_text()).content["samples"][1]["source"].split(",")
    assert kind == "data:image/png;base64"
    assert base64.b64decode(content) == folder.sample(EVERY).read_bytes()
    monkeypatch.setattr(sheets, "EMBEDDED", 900)  # bytes: less than the four grids take
    write_report(folder.path, out)
    told = Parts(out.read_text()).content
    assert [one["iteration"] for one in told["samples"]] == [0, LINES] and told["kept"] == 4
    assert all(one["source"].startswith("data:image/jpeg") for one in told["samples"])


# -- the file ----------------------------------------------------------------------------------------------------

HOSTILE = "</script><script>hacked=1</script><img src=x onerror=hacked=1>\"'&{{data}}\u2028ü\U0001f600"


def test_hostile_words_stay_words(tmp_path):
    folder = make_folder(tmp_path / "run", name=HOSTILE, about=HOSTILE.replace("\u2028", ""))
    bad = record(LINES)
    bad["terms"] = {f"translate/{HOSTILE}": {"loss": 1.0, "weight": 1}}
    bad["rates"] = {HOSTILE: 1.0}
    with open(folder.log, "a", encoding="utf-8") as file:
        file.write(json.dumps(bad) + "\n")
    folder.scores.write_text(json.dumps({HOSTILE: HOSTILE}))
    write_report(folder.path)
    found = parts(folder.path)
    assert len(found.scripts) == 3 and not any("onerror" in attributes for _, attributes in found.tags)
    assert found.content["graph"]["about"] == HOSTILE.replace("\u2028", "")  # YAML reads it as the end of a line
    assert found.content["samples"][0]["layout"]["columns"][0]["name"] == HOSTILE
    assert found.content["numbers"] == [{"name": "scores.json", "rows": [[HOSTILE, HOSTILE]]}]
    assert found.content["curves"]["terms"][-1]["term"] == f"translate/{HOSTILE}"
    assert "hacked" not in "".join(text for tag, text in found.texts if tag == "title")


def test_a_title_cannot_end_its_element():
    found = Parts(page({"graph": {"name": "</title><script>1</script>"}, "folder": "a\udcff"}, ""))
    assert found.texts[0] == ("title", "</title><script>1</script> - a?") and len(found.scripts) == 3


def test_the_policy_allows_the_scripts_of_the_page_and_nothing_else(tmp_path):
    folder = make_folder(tmp_path / "run")
    write_report(folder.path)
    found = parts(folder.path)
    policy = next(attributes["content"] for tag, attributes in found.tags if attributes.get("http-equiv"))
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    hashes = {f"'sha256-{base64.b64encode(hashlib.sha256(t.encode()).digest()).decode()}'" for t in found.scripts}
    assert set(rules["script-src"].split()) < hashes and len(rules["script-src"].split()) == 2
    assert rules["default-src"] == "'none'" and rules["img-src"] == "'self' data: file:"


def test_nothing_on_the_page_points_elsewhere(tmp_path):
    folder = make_folder(tmp_path / "run")
    write_report(folder.path)
    for _, attributes in parts(folder.path).tags:
        for name in ("src", "href", "xlink:href", "action"):
            assert (attributes.get(name) or "#").startswith(("#", "data:,")), attributes
    for name in (*SCRIPTS, *STYLES, "theme.js"):
        text = (PARTS / name).read_text(encoding="utf-8")
        assert "</" not in text.replace("</style", "?") or "</script" not in text.lower()
        assert "@import" not in text and "innerHTML" not in text
    assert {path.name for path in PARTS.iterdir()} == {*SCRIPTS, *STYLES, "theme.js", "page.html"}


def test_the_page_tells_what_the_folder_says(tmp_path):
    folder = make_folder(tmp_path / "run")
    lines = [
        {"iteration": 20, "translation": "a2b", "values": {"l1": 0.5, "bad": float("nan")}},
        {"iteration": 40, "translation": "a2b", "values": {"l1": 0.25}, "count": 64},
    ]
    text = "".join(json.dumps(one) + "\n" for one in lines) + '{"iteration": 60, "met'
    (folder.path / "validation.jsonl").write_text(text)
    (folder.path / "best.json").write_text(json.dumps({"iteration": 40, "metric": "l1", "value": 0.25}))
    (folder.path / "eval").mkdir()
    fid = {"mean": 12.5, "deviation": None, "count": [64, 64], "meaning": "less is better"}
    measured = {"run": {"iteration": 40}, "translation": "a2b", "values": {"fid": fid}, "notes": ["few pictures"]}
    (folder.path / "eval/a2b-40.json").write_text(json.dumps({**measured, "protocol": {"size": [3, 8, 8]}}))
    (folder.path / "eval/other.json").write_text(json.dumps({"values": {"fid": 12.5}, "names": ["a", 1]}))
    write_report(folder.path)
    told = parts(folder.path).content
    assert (told["done"], told["total"], told["epoch"], told["folder"]) == (LINES, 100, 25, "run")
    assert told["seconds"] == LINES * 0.25
    assert [one["first"] for one in told["starts"]] == [0, 40]
    assert told["validation"] == [{"metric": "l1", "of": "a2b", "x": [20, 40], "y": [0.5, 0.25]}]
    assert told["numbers"] == [
        {"name": "best.json", "rows": [["iteration", 40], ["metric", "l1"], ["value", 0.25]]},
        {
            "name": "eval/a2b-40.json",
            "title": "a2b",
            "iteration": 40,
            "measures": [{**fid, "name": "fid", "count": "64 64", "said": ""}],
            "notes": ["few pictures"],
            "rows": [["run.iteration", 40], ["translation", "a2b"], ["protocol.size", "3 8 8"]],
        },
        {"name": "eval/other.json", "rows": [["values.fid", 12.5], ["names", "a 1"]]},
    ]
    judge = told["graph"]["phases"][0]
    assert judge["name"] == "judge" and judge["update"] == ["D[t]"] and judge["terms"]["real"].startswith("adversarial")
    assert told["counts"]["G[a]"] == told["counts"]["G[b]"] > 0
    assert told["texts"]["plan.txt"] == "phase judge\nphase translate\n" and "seed" in told["settings"]
    assert ("svg" in [tag for tag, _ in parts(folder.path).tags]) and told["drawing"] == ""


def test_a_graph_that_is_no_longer_understood_leaves_the_rest(tmp_path):
    folder = make_folder(tmp_path / "run")
    folder.graph.write_text("composer: 1\nname: small\nnetworks: {G: {block: nothing}}\n")
    write_report(folder.path)
    told = parts(folder.path).content
    assert told["drawing"].startswith("the graph cannot be read") and len(told["samples"]) == 4
    assert told["graph"]["name"] == "" and told["total"] is None


def test_colours_can_be_told_from_their_ground_in_both_themes():
    text = (PARTS / "base.css").read_text(encoding="utf-8")
    light, dark = (
        dict(re.findall(r"--(\w+): (#\w{6})", block)) for block in re.findall(r":root[^{]*{([^}]*)}", text)[:2]
    )
    assert {*light} == {*dark} and len(light) == 19
    for colours in (light, dark):
        bright = {name: _luminance(colour) for name, colour in colours.items()}
        for name, least in (("ink", 7), ("soft", 4.5), ("faint", 4.5), ("accent", 4.5), ("good", 4.5), ("warn", 4.5)):
            assert _contrast(bright[name], bright["card"]) >= least, name
            assert _contrast(bright[name], bright["ground"]) >= least * 0.98, name
        for number in range(8):
            assert _contrast(bright[f"s{number}"], bright["card"]) >= 3, number


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: float, other: float) -> float:
    """WCAG 2: the ratio of luminances, from 1 (equal) to 21 (black and white)."""
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)


def test_a_drawing_that_fails_is_said_and_harms_nothing(tmp_path, monkeypatch):
    def broken(*_: object, **__: object) -> str:
        raise KeyError("box")

    monkeypatch.setattr("composer.draw.draw_dot", broken)
    folder = make_folder(tmp_path / "run")
    write_report(folder.path)
    assert parts(folder.path).content["drawing"] == "the graph could not be drawn: KeyError('box')"


# -- when it is written ------------------------------------------------------------------------------------------


def test_a_run_leaves_its_page(tmp_path):
    graph, data = make_tiny(tmp_path / "method")
    start(settings(graph, data, out=tmp_path / "out", iterations=5))
    told = parts(tmp_path / "out").content
    assert (told["done"], told["total"]) == (5, 5) and [one["iteration"] for one in told["samples"]] == [0, 4, 5]
    assert [one["term"] for one in told["curves"]["terms"]][:2] == ["translate#1/fool", "translate#1/keep"]
    start(settings(graph, data, out=tmp_path / "out", iterations=7, resume=True))
    told = parts(tmp_path / "out").content
    assert (told["done"], told["total"]) == (7, 7) and [one["first"] for one in told["starts"]] == [0, 5]
    assert not list((tmp_path / "out").glob(".tmp*"))
    before = (tmp_path / "out/index.html").read_text()
    assert main(["report", str(tmp_path / "out")]) == 0
    told = parts(tmp_path / "out").content
    assert told["done"] == 7 and len(before) == pytest.approx(len((tmp_path / "out/index.html").read_text()), rel=0.02)


def test_a_run_that_diverges_shows_how(tmp_path):
    text = TINY.replace("l1(fake, a)", "l1(fake / (iteration - 3), a)")
    graph, data = make_tiny(tmp_path / "method", text)
    with pytest.raises(Diverged):
        start(settings(graph, data, out=tmp_path / "out", iterations=8))
    assert parts(tmp_path / "out").content["done"] == 3


def test_a_page_is_not_written_so_often_that_it_costs(tmp_path, monkeypatch):
    report = Report(make_folder(tmp_path / "run"), None)
    now = [1000.0]
    monkeypatch.setattr("composer.report.writing.time.perf_counter", lambda: now[0])
    report.refresh()
    assert report.folder.page.exists()
    report._took = 0.1
    for later, written in ((4.9, False), (5.1, True)):
        report.folder.page.unlink(missing_ok=True)
        now[0] = 1000.0 + later
        report.refresh()
        assert report.folder.page.exists() == written


def test_what_cannot_be_reported_is_said(tmp_path, capsys):
    folder = make_folder(tmp_path / "run")
    (tmp_path / "folder.html").mkdir()
    for arguments, words in (
        ([str(tmp_path / "none")], "there is no folder"),
        ([str(tmp_path)], "holds no run"),
        ([str(folder.path), "--out", str(tmp_path / "page.pdf")], "end it in .html"),
        ([str(folder.path), "--out", str(tmp_path / "none/page.html")], "there is no folder"),
        ([str(folder.path), "--out", str(tmp_path / "folder.html")], "is a folder"),
    ):
        assert main(["report", *arguments]) == 2
        said = capsys.readouterr()
        assert words in said.err and not said.out
    assert not folder.page.exists()
    folder.environment.write_text("{")
    with pytest.raises(ComposeError, match="cannot be read"):
        write_report(folder.path)


def test_a_run_of_no_iterations_has_a_page(tmp_path):
    folder = make_folder(tmp_path / "run", lines=0)
    write_report(folder.path)
    told = parts(folder.path).content
    assert told["done"] == 0 and told["samples"] == [] and told["curves"]["terms"] == []
    assert isinstance(RunFolder(folder.path).page, Path)
