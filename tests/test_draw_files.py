# ruff: noqa: RUF001  (a shape is written with the sign of multiplication)
"""Pictures as files: suffixes, who renders them, what is refused, and those of the documentation."""

from __future__ import annotations

import errno
import html
import os
import re
import stat
import sys
from pathlib import Path

import pytest
from drawn import layout, shaped, texts

import composer.draw
from composer import ComposeError
from composer.draw import draw, draw_dot
from composer.drawing import render as rendering
from composer.drawing.render import render, renderers

PICTURES = Path(__file__).parent.parent / "docs" / "pictures"


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
    changes = {"params.size": 128, "params.depth": 5}
    draw("pix2pix", tmp_path / "a.dot", variants=["l1_only"], preset="demo", settings=changes)
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
    with pytest.raises(ComposeError) as caught:
        render("digraph {a}", "png")
    assert "could not draw the picture" in str(caught.value) and '"png" not recognized' in str(caught.value)
    assert str(caught.value).endswith("; write the DOT: -o x.dot")


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


# -- the documentation --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(PICTURES.glob("*.svg")), ids=lambda path: path.name)
def test_pictures_of_the_documentation_are_up_to_date(path: Path) -> None:
    """Their words are those that are drawn today; redraw with the commands of docs/drawing.md."""
    name, _, rest = path.stem.partition("-")
    dot = draw_dot(shaped(name), expand=rest == "expanded", network=rest if rest not in ("", "expanded") else None)
    today = sorted(text for item in [*layout(dot).get("objects", []), layout(dot)] for _, text, _ in texts(item))
    drawn = [html.unescape(t) for t in re.findall(r"<text[^>]*>([^<]*)</text>", path.read_text(encoding="utf-8"))]
    assert sorted(t.replace("\xa0", " ") for t in drawn if t.strip()) == today
