"""The page of a run in a real browser, from a file, with real clicks and keys."""

from __future__ import annotations

import io
import itertools
import json
import re
import shutil
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect
from report_folder import EVERY, LINES, ROWS, make_folder, record, shade

from composer.report import write_report

HOSTILE = "</script><script>hacked=1</script><img src=x onerror=hacked=1>\"'&"
TIMES = "\u00d7"
FIRST_LINE = "[data-panel=fool] .chart path.line"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = make_folder(tmp_path / "run")
    write_report(folder.path)
    return folder.page


def colour(page: Page, selector: str) -> tuple[int, ...]:
    """The colour in the middle of an element, as it is on the screen."""
    image = Image.open(io.BytesIO(page.locator(selector).first.screenshot())).convert("RGB")
    return image.getpixel((image.width // 2, image.height // 2))


def grey(iteration: int) -> tuple[int, int, int]:
    return (round((shade(iteration) + 1) * 127.5),) * 3


def at(page: Page, iteration: int) -> None:
    """The samples show this iteration: in words, on the slider and in the picture."""
    expect(page.locator("#stage")).to_have_attribute("data-iteration", str(iteration))
    expect(page.locator("#stage output")).to_have_text(f"iteration{iteration}")
    expect(page.locator("#stage input[type=range]")).to_have_value(str(iteration // EVERY))


def lines(page: Page, selector: str = FIRST_LINE) -> list[str]:
    return page.locator(selector).evaluate_all("all => all.map(one => one.getAttribute('d'))")


# -- samples -----------------------------------------------------------------------------------------------------


def test_the_slider_moves_the_pictures(run, open_page):
    page = open_page(run).page
    at(page, LINES)
    second = ".cell >> nth=1"
    assert colour(page, second) == grey(LINES)
    assert page.locator(".grid >> nth=0 >> .label").all_text_contents() == ["x[a]", "fake[a,b]"]
    assert page.locator(".cell").count() == 2 * ROWS and page.locator(".grid").count() == 2  # of two rows and of one
    page.locator("#stage input[type=range]").focus()
    page.keyboard.press("ArrowLeft")
    at(page, LINES - EVERY)
    assert colour(page, second) == grey(LINES - EVERY)
    page.keyboard.press("Home")
    at(page, 0)
    assert colour(page, second) == grey(0) and colour(page, ".cell >> nth=0") == (191, 191, 191)
    page.get_by_label("Later").first.click()
    at(page, EVERY)
    page.locator("#stage input[type=range]").fill("2")
    at(page, 2 * EVERY)
    page.locator(second).focus()
    page.keyboard.press("ArrowRight")
    at(page, LINES)


def test_playing_goes_from_the_first_to_the_last(run, open_page):
    page = open_page(run).page
    at(page, LINES)
    page.get_by_label("Play", exact=True).first.click()
    expect(page.get_by_label("Pause").first).to_be_visible()
    at(page, 0)
    at(page, LINES)
    expect(page.get_by_label("Play", exact=True).first).to_be_visible()


def test_a_click_enlarges_a_picture(run, open_page):
    page = open_page(run).page
    page.locator(".cell").nth(3).click()
    dialog = page.locator("#enlarged")
    title = dialog.locator("h3")
    expect(title).to_contain_text(f"fake[a,b]row 2 of 3, 8 {TIMES} 8 pixels")
    assert dialog.locator(".large").bounding_box()["width"] > 300
    assert colour(page, ".large") == grey(LINES)
    page.keyboard.press("ArrowLeft")
    at(page, LINES - EVERY)
    assert colour(page, ".large") == grey(LINES - EVERY)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(title).to_contain_text("row 1 of 3")
    page.keyboard.press("]")
    expect(title).to_contain_text("x[a]")
    dialog.locator(".row button").nth(1).click()
    expect(title).to_contain_text("fake[a,b]")
    page.keyboard.press("Escape")
    expect(dialog).not_to_be_visible()
    page.locator(".cell").nth(0).click()
    dialog.get_by_label("Close").click()
    expect(dialog).not_to_be_visible()


# -- curves ------------------------------------------------------------------------------------------------------


def test_curves_are_grouped_by_phase_and_named_by_term(run, open_page):
    page = open_page(run).page
    phases = page.locator("[data-phase]").evaluate_all("all => all.map(one => one.dataset.phase)")
    assert phases == ["judge", "translate", "progress"]
    panels = page.locator("[data-panel]").evaluate_all("all => all.map(one => one.dataset.panel)")
    assert panels == ["real", "fake", "total", "fool", "keep", "total", "learning rate", "iterations/s"]
    assert page.locator("[data-panel=fool] .legend span").all_text_contents() == ["[a,b]", "[b,a]"]
    assert page.locator("[data-panel=fool] header p").text_content().startswith("0.5 * adversarial(")
    assert all(path.count("L") == LINES - 1 for path in lines(page))
    assert all(path.count("L") == LINES // 2 - 1 for path in lines(page, "[data-panel=real] .chart path.line"))
    assert page.locator("[data-panel=fool] .chart .resumed").count() == 1


def test_toggles_change_the_curves(run, open_page):
    page = open_page(run).page
    ticks = page.locator("[data-panel=keep] .chart text")
    legend = page.locator("[data-panel=keep] .legend b").first
    before = lines(page, "[data-panel=keep] .chart path.line"), ticks.all_text_contents()
    value = float(legend.text_content())
    page.get_by_role("button", name=f"Weight {TIMES} loss").click()
    expect(page.get_by_role("button", name=f"Weight {TIMES} loss")).to_have_attribute("aria-pressed", "true")
    weighted = lines(page, "[data-panel=keep] .chart path.line"), ticks.all_text_contents()
    assert weighted[0] != before[0] and "10" in weighted[1] and "10" not in before[1]
    assert float(legend.text_content()) == pytest.approx(value * (10 - (LINES - 1) / 10), rel=0.01)
    page.get_by_role("button", name="Loss", exact=True).click()
    assert lines(page, "[data-panel=keep] .chart path.line") == before[0]
    for label in ("Log scale", "Spread"):
        page.get_by_label(label).click()
    log = lines(page, "[data-panel=keep] .chart path.line")
    assert log != before[0] and "0.1" in ticks.all_text_contents()
    # Of an exponential the logarithm is a straight line.
    heights = [float(y) for y in re.findall(r" ([\d.]+)", lines(page, "[data-panel=total] >> nth=1 >> path.raw")[0])]
    steps = [b - a for a, b in itertools.pairwise(heights)]
    assert max(steps) - min(steps) < 0.25 < min(steps)


def test_smoothing_by_the_keyboard(run, open_page):
    page = open_page(run).page
    rough = lines(page, "[data-panel=fool] .chart path.raw")
    assert len(rough) == 2 and rough != lines(page)
    page.locator("#smooth").focus()
    page.keyboard.press("Home")
    expect(page.locator("#controls output")).to_have_text("0")
    assert lines(page, "[data-panel=fool] .chart path.raw") == [] and lines(page) == rough
    page.keyboard.press("End")
    assert lines(page) != rough


def test_series_can_be_hidden_and_terms_drawn_together(run, open_page):
    page = open_page(run).page
    page.locator("[data-panel=fool] .legend button").first.click()
    assert len(lines(page)) == 1
    page.locator("[data-panel=fool] .legend button").first.click()
    assert len(lines(page)) == 2
    page.get_by_role("button", name="Together").click()
    assert page.locator("[data-panel]").count() == 4
    assert page.locator("[data-phase=translate] .legend span").all_text_contents() == [
        "fool[a,b]", "fool[b,a]", "keep[a,b]", "keep[b,a]", "total",
    ]  # fmt: skip
    assert len(lines(page, "[data-phase=translate] .chart path.line")) == 5
    page.get_by_role("button", name="Each term").click()
    assert page.locator("[data-panel]").count() == 8


def test_the_pointer_and_the_keys_read_values_out(run, open_page):
    page = open_page(run).page
    chart = page.locator("[data-panel=fool] .chart")
    chart.scroll_into_view_if_needed()
    value = page.locator("[data-panel=fool] .legend b").first
    newest = value.text_content()
    box = chart.bounding_box()
    page.mouse.move(box["x"] + 45, box["y"] + 60)
    expect(chart.locator(".where")).to_have_text("0, epoch 0")
    assert value.text_content() == "1" != newest
    assert page.locator(".chart .cross").count() == page.locator("[data-panel]").count()
    page.mouse.move(3, box["y"] + 60)
    expect(page.locator(".chart .cross")).to_have_count(0)
    assert value.text_content() == newest
    chart.focus()
    page.keyboard.press("ArrowLeft")
    expect(chart.locator(".where")).to_have_text(f"{LINES - 1}, epoch 2")
    page.keyboard.press("Shift+ArrowLeft")
    expect(chart.locator(".where")).to_have_text(f"{LINES - 11}, epoch 1")
    page.keyboard.press("Escape")
    expect(chart.locator(".where")).to_have_count(0)


def test_a_drag_shows_a_part_and_a_button_all_again(run, open_page):
    page = open_page(run).page
    chart = page.locator("[data-panel=fool] .chart")
    chart.scroll_into_view_if_needed()
    whole, box = lines(page), chart.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2 + 60, box["y"] + 60)
    page.mouse.up()
    assert lines(page) != whole
    other = page.locator("[data-panel=keep] .chart text").all_text_contents()
    assert "0" not in other[-2:] and str(LINES) not in other
    page.get_by_role("button", name="All iterations").click()
    assert lines(page) == whole
    expect(page.get_by_role("button", name="All iterations")).not_to_be_visible()


def test_a_chart_can_be_enlarged(run, open_page):
    page = open_page(run).page
    panel = page.locator("[data-panel=keep]")
    narrow = panel.bounding_box()["width"]
    page.get_by_label("Enlarge keep").click()
    assert panel.bounding_box()["width"] > 2 * narrow
    page.get_by_label("Enlarge keep").click()
    assert panel.bounding_box()["width"] == narrow


# -- the rest ----------------------------------------------------------------------------------------------------


def test_the_theme_follows_the_system_until_a_button_says_otherwise(run, open_page):
    page = open_page(run, scheme="dark").page
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)
    assert page.locator("html").get_attribute("data-theme") == "dark"
    page.emulate_media(color_scheme="light")
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    light = page.evaluate(ground)
    assert (
        sum(json.loads(light.replace("rgb(", "[").replace(")", "]")))
        > 700
        > 100
        > sum(json.loads(dark.replace("rgb(", "[").replace(")", "]")))
    )
    button = page.locator("#theme")
    button.click()
    button.click()
    assert page.locator("html").get_attribute("data-theme") == "dark" and page.evaluate(ground) == dark
    page.reload()
    assert page.locator("html").get_attribute("data-theme") == "dark"
    expect(button).to_have_attribute("aria-label", "Colours: dark")
    button.click()
    assert page.locator("html").get_attribute("data-theme") == "light"


def test_the_drawing_moves_and_grows(run, open_page):
    page = open_page(run).page
    view, svg, paper = page.locator("#paper .view"), page.locator("#paper .view > svg"), page.locator("#paper")
    view.scroll_into_view_if_needed()
    before, scale = svg.get_attribute("viewBox"), float(paper.get_attribute("data-scale"))
    page.get_by_label("Larger").click()
    assert float(paper.get_attribute("data-scale")) == pytest.approx(1.25 * scale, rel=0.01)
    page.get_by_label("Smaller").click()
    assert float(paper.get_attribute("data-scale")) == pytest.approx(scale, rel=0.01)
    box = view.bounding_box()
    page.mouse.move(box["x"] + 200, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 260, box["y"] + 130, steps=3)
    page.mouse.up()
    moved = [float(v) for v in svg.get_attribute("viewBox").split()]
    start = [float(v) for v in before.split()]
    assert start[0] - moved[0] == pytest.approx(60 / scale, rel=0.05)
    assert start[1] - moved[1] == pytest.approx(30 / scale, rel=0.05)
    view.focus()
    page.keyboard.press("0")
    assert [float(v) for v in svg.get_attribute("viewBox").split()] == pytest.approx(start, abs=1)
    page.keyboard.press("+")
    assert float(paper.get_attribute("data-scale")) > scale
    page.mouse.wheel(0, 100)  # without Ctrl the page scrolls
    assert float(paper.get_attribute("data-scale")) == pytest.approx(1.25 * scale, rel=0.01)
    assert "fool" in svg.text_content() and svg.locator("title").count() > 0


def test_settings_and_numbers_are_there(tmp_path, open_page):
    folder = make_folder(tmp_path / "run")
    (folder.path / "validation.jsonl").write_text(
        "".join(
            json.dumps({"iteration": i, "translation": "a2b", "values": {"l1": 1 / (1 + i)}}) + "\n"
            for i in (20, 40, 60)
        )
    )
    (folder.path / "best.json").write_text(json.dumps({"iteration": 40, "metric": "l1", "value": 1 / 41}))
    fid = {"mean": 12.5, "deviation": 0.25, "count": [64]}
    (folder.path / "eval").mkdir()
    (folder.path / "eval/a2b-40.json").write_text(
        json.dumps({"run": {"iteration": 40}, "translation": "a2b", "values": {"fid": fid}, "notes": ["few"]})
    )
    folder.scores.write_text(json.dumps({"error": 0.125, "passed": True}))
    write_report(folder.path)
    page = open_page(folder.page).page
    expect(page.locator("h1")).to_have_text("small")
    assert "60 of 100" in page.locator(".tiles").text_content()
    assert page.locator("[data-phase=validation] .chart .best").count() == 1
    assert lines(page, "[data-panel=l1] .chart path.line")[0].count("L") == 2
    assert "0.0164 at 60" in page.locator("#tables").text_content()
    assert "Best l10.0244after 40 iterations" in page.locator(".tiles").text_content()
    assert "a2bafter 40 iterationsfid12.5 ± 0.25n = 64few" in page.locator("#tables").text_content()
    assert page.locator(".pill.yes").text_content() == "yes"
    commands = page.locator(".command code").all_text_contents()
    assert commands == ["composer run small --seed 7", "composer run small --resume"]
    assert "from iteration 40" in page.locator("#commands").text_content()
    page.get_by_text("graph.yaml", exact=True).click()
    assert "name: small" in page.locator("details[open] pre").inner_text()


def test_an_unfinished_run_offers_to_reload(run, open_page):
    opened = open_page(run)
    page = opened.page
    expect(page.locator("#hint")).to_be_visible()
    page.get_by_role("button", name="Reload").click()
    expect(page.locator("#hint")).to_be_visible()
    assert sum(url.endswith("index.html") for url in opened.requests) == 2
    page.get_by_label("every 30 s").check()
    page.reload()
    expect(page.get_by_label("every 30 s")).to_be_checked()


def test_hostile_words_are_shown_as_they_are(tmp_path, open_page):
    folder = make_folder(tmp_path / "a run & <b>more", name=HOSTILE, about=HOSTILE)
    bad = record(LINES)
    bad["terms"] = {f"translate/{HOSTILE}": {"loss": 1.0, "weight": 1}}
    with open(folder.log, "a", encoding="utf-8") as file:
        file.write(json.dumps(bad) + "\n")
    folder.scores.write_text(json.dumps({HOSTILE: HOSTILE}))
    write_report(folder.path)
    page = open_page(folder.page).page
    assert page.locator("#about").text_content() == HOSTILE
    assert page.locator(".grid .label").first.text_content() == HOSTILE
    assert page.locator("#tables th").text_content() == HOSTILE
    assert page.locator("[data-phase=translate] h4").all_text_contents()[2] == HOSTILE.split(" ")[0]
    assert page.locator("#eyebrow code").text_content() == "a run & <b>more"
    assert page.evaluate("window.hacked") is None


def test_the_page_that_is_sent_needs_nothing_beside_it(tmp_path, open_page):
    folder = make_folder(tmp_path / "run")
    sent = tmp_path / "elsewhere" / "sent.html"
    sent.parent.mkdir()
    write_report(folder.path, sent)
    shutil.rmtree(folder.path)
    opened = open_page(sent)
    at(opened.page, LINES)
    assert colour(opened.page, ".cell >> nth=1") == grey(LINES)
    opened.page.get_by_label("Earlier").first.click()
    at(opened.page, LINES - EVERY)
    assert colour(opened.page, ".cell >> nth=1") == grey(LINES - EVERY)
    assert [url for url in opened.requests if not url.startswith("data:")] == [sent.as_uri()]


def test_a_moved_folder_stays_whole(run, tmp_path, open_page):
    shutil.move(run.parent, tmp_path / "moved")
    page = open_page(tmp_path / "moved/index.html").page
    at(page, LINES)
    assert colour(page, ".cell >> nth=1") == grey(LINES)


@pytest.mark.parametrize("missing", ["iterations", "samples", "pictures"])
def test_a_run_that_has_not_much_yet(tmp_path, open_page, missing):
    folder = make_folder(tmp_path / "run", lines=0 if missing == "iterations" else LINES)
    if missing == "samples":
        shutil.rmtree(folder.samples)
    write_report(folder.path)
    if missing == "pictures":
        shutil.rmtree(folder.samples)
    opened = open_page(folder.page)
    page = opened.page
    if missing == "pictures":
        at(page, LINES)
        opened.complaints.clear()  # the browser says that the file is not there
    else:
        expect(page.locator("#stage .empty")).to_be_visible()
    expect(page.locator("#panels .empty")).to_have_count(1 if missing == "iterations" else 0)
    expect(page.locator("#commands .start")).to_have_count(2)


def test_it_fits_a_phone(run, open_page):
    page = open_page(run, width=360, height=740, touch=True).page
    at(page, LINES)
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert page.locator("[data-panel=fool] .chart").bounding_box()["width"] > 280
    page.locator(".cell").nth(1).tap()
    box = page.locator("#enlarged .large").bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 360 and box["width"] > 200


def test_the_policy_refuses_the_network(run, open_page):
    opened = open_page(run)
    failed = []
    opened.page.on("requestfailed", lambda request: failed.append(request.failure))
    refused = opened.page.evaluate("fetch('http://127.0.0.1:9/x').then(() => 'sent', error => String(error))")
    assert "TypeError" in refused
    opened.page.evaluate("document.body.append(Object.assign(new Image(), {src: 'http://127.0.0.1:9/x.png'}))")
    opened.page.evaluate("document.body.setAttribute('onclick', 'window.hacked = 1')")
    opened.page.locator("h1").click()
    assert opened.page.evaluate("window.hacked") is None
    assert len([words for words in opened.complaints if "Content Security Policy" in words]) >= 2
    assert failed == ["csp"]  # the picture: the browser names what it did not send
    opened.complaints.clear()
    opened.requests.clear()
