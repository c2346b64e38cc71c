"""The words of typical mistakes, in full: `mistakes.txt` beside this file has one on each paragraph.

    what went wrong
    - a line of mistakes.yaml
    + what was written instead
    $ --preset NAME, --with NAME or --set PATH=VALUE, when that is the mistake
      every problem that is said, with its place

`python tests/test_mistakes.py` writes what is said now, to be read before it is kept.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import composer
from composer.block import catalogue
from composer.cli import main
from composer.errors import ComposeError
from composer.limits import MOST_PROBLEMS

HERE = Path(__file__).parent
RIGHT = (HERE / "mistakes.yaml").read_text(encoding="utf-8")
PAGE = HERE / "mistakes.txt"


@dataclass(frozen=True)
class Mistake:
    title: str
    old: str
    new: str
    option: str
    said: list[str]

    @property
    def text(self) -> str:
        assert not self.old or RIGHT.count(self.old) == 1, f"{self.title}: {RIGHT.count(self.old)} such lines"
        return RIGHT.replace(self.old, self.new) if self.old else RIGHT

    @property
    def options(self) -> dict[str, Any]:
        name, _, value = self.option.partition(" ")
        if name == "--set":
            path, _, value = value.partition("=")
            return {"settings": {path: value}}
        return {"--preset": {"preset": value}, "--with": {"variants": [value]}}.get(name, {})


def _mistake(paragraph: str) -> Mistake:
    title, *lines = paragraph.splitlines()
    marked = {mark: [line[2:] for line in lines if line.startswith(mark)] for mark in ("- ", "+ ", "$ ", "  ")}
    old, new = ("\n".join(marked[mark]) + "\n" if marked[mark] else "" for mark in ("- ", "+ "))
    return Mistake(title, old, new, " ".join(marked["$ "]), marked["  "])


MISTAKES = [_mistake(p) for p in re.split(r"\n\n+", PAGE.read_text(encoding="utf-8").strip())]


def said(mistake: Mistake) -> list[str]:
    """The first line of every problem: place, fact, remedy."""
    try:
        composer.check("mistakes.yaml", text=mistake.text, **mistake.options)
    except ComposeError as error:
        return [str(problem).splitlines()[0] for problem in error.problems]
    return []


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.title)
def test_a_mistake_is_said_with_place_fact_and_remedy(mistake: Mistake) -> None:
    assert said(mistake) == mistake.said


def test_the_graph_without_mistakes_is_right() -> None:
    shaped = composer.check("mistakes.yaml", text=RIGHT, preset="demo", variants=["least"])
    assert shaped.graph.warnings == ()


def test_there_are_forty_mistakes_and_each_message_has_a_remedy() -> None:
    messages = [line for mistake in MISTAKES for line in mistake.said]
    assert len({mistake.title for mistake in MISTAKES}) == len(MISTAKES) > 100
    assert all(mistake.said for mistake in MISTAKES)
    with_remedy = [line for line in messages if "; " in line or ": expected " in line]
    assert len(with_remedy) == len(messages), [line for line in messages if line not in with_remedy]


# Mistakes that need files


def refused(folder: Path, text: str = "", **files: str) -> list[str]:
    """What is said of a graph `mine.yaml` among other files; without a text: the right one, with a file of blocks."""
    for name, content in files.items():
        (folder / name.replace("_py", ".py").replace("_yaml", ".yaml")).write_text(content, encoding="utf-8")
    path = folder / "mine.yaml"
    path.write_text(text or RIGHT.replace("name: mine\n", "name: mine\nblocks: [own.py]\n"), encoding="utf-8")
    with pytest.raises(ComposeError) as caught:
        composer.check(path)
    return [str(p).splitlines()[0].replace(f"{folder}/", "") for p in caught.value.problems]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("x = 1\nraise ValueError('no')\n", "own.py line 2: ValueError: no"),
        ("def f(:\n", "own.py line 1: SyntaxError: invalid syntax (own.py, line 1)"),
        ("import nowhere_at_all\n", "own.py line 1: ModuleNotFoundError: No module named 'nowhere_at_all'"),
        ("\nimport sys\nsys.exit(3)\n", "own.py line 3: SystemExit: 3"),
        (
            "from composer import block\n@block('image[b c h w')\ndef f(x):\n    return x\n",
            "own.py line 2: ValueError: signature 'image[b c h w' has no '->'",
        ),
        (
            "from composer import block\n@block('x[...] -> x[...]', name='tanh')\ndef f(x):\n    return x\n",
            "own.py line 2: block 'tanh' of composer_user_blocks_own is already registered by "
            "composer.blocks.elementwise",
        ),
    ],
)
def test_a_file_of_blocks_that_fails_is_said_with_its_line(tmp_path: Path, code: str, words: str) -> None:
    (line,) = refused(tmp_path, own_py=code)
    assert line == f"mine.yaml:3:10: {words}; mend the file; it is run when the graph is read"


def test_a_file_of_blocks_that_is_not_there_is_said(tmp_path: Path) -> None:
    assert refused(tmp_path) == [
        "mine.yaml:3:10: 'own.py' cannot be read: No such file or directory; "
        "its path starts at the folder of the file that names it"
    ]
    (tmp_path / "own.py").write_bytes(b"\xff\xfe")
    assert refused(tmp_path)[0].startswith("mine.yaml:3:10: 'own.py' cannot be read: it is no UTF-8 text; ")


def test_blocks_of_a_base_are_found_beside_the_base(tmp_path: Path) -> None:
    folder = tmp_path / "base"
    folder.mkdir()
    code = "from composer import block\n@block('x[...] -> x[...]')\ndef a_block_of_the_base(x):\n    return x\n"
    (folder / "own.py").write_text(code, encoding="utf-8")
    text = RIGHT.replace("name: mine\n", "name: mine\nblocks: [own.py]\n")
    text = text.replace("copy[d]: W(x[d])", "copy[d]: a_block_of_the_base(W(x[d]))")
    (folder / "base.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "mine.yaml").write_text("extends: base/base.yaml\nname: other\n", encoding="utf-8")
    try:
        assert composer.check(tmp_path / "mine.yaml").graph.block_files == (str(folder / "own.py"),)
    finally:
        dict.pop(catalogue(), "a_block_of_the_base")  # type: ignore[arg-type]


HYBRID = "extends: base.yaml\nname: other\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "extends: mine.yaml\n",
            "mine.yaml:1:10: a graph that extends itself: mine.yaml -> mine.yaml; extend another graph",
        ),
        ("extends: bsae.yaml\n", "mine.yaml:1:10: there is no file 'bsae.yaml' to extend, and no such bundled graph; "),
        (
            HYBRID + "values: {x: 1}\n",
            "mine.yaml:3:1: 'values' beside 'extends'; write what differs under change: or add:, as `values.NAME: ...`",
        ),
        (
            "extend: base.yaml\nchange: {params.size: 3}\n",
            "mine.yaml:1:1: unknown section 'extend'; did you mean 'extends'?",
        ),
        (
            "name: other\nchange: {params.size: 3}\n",
            "mine.yaml:2:1: 'change' without 'extends'; name the graph to change: `extends: FILE`; "
            "options of this graph itself are variants",
        ),
        (
            HYBRID + "change: {params.sise: 3}\n",
            "mine.yaml:3:10: change: there is no 'params.sise'; did you mean 'params.size'?",
        ),
        (
            HYBRID + "change:\n  values.fake: G(x)\n",
            "mine.yaml:4:3: change: there is no 'values.fake'; did you mean 'values.fake[s,t]'?",
        ),
        (
            HYBRID + "add: {params.size: 3}\n",
            "mine.yaml:3:7: add: 'params.size' is there already; "
            "write it under change: (it stands on line 4 of base.yaml)",
        ),
        (
            HYBRID + "drop: [phases.translate.cycle]\n",
            "mine.yaml:3:8: drop: there is no 'phases.translate.cycle'; "
            "did you mean 'phases.translate.minimize.cycle'?",
        ),
        (
            HYBRID + "drop: [networks.W]\n",
            "base.yaml:35:12: unknown block or network 'W'; networks here: G, D, E; `composer blocks` lists the blocks",
        ),
        (HYBRID + "with: [leest]\n", "mine.yaml:3:8: unknown variant 'leest'; did you mean 'least'?"),
        (
            HYBRID + "with: least\n",
            "mine.yaml:3:7: with: expected a list of texts, found the text 'least'; write a list: [least]",
        ),
    ],
)
def test_a_mistake_in_a_hybrid_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, words: str) -> None:
    monkeypatch.chdir(tmp_path)
    assert refused(tmp_path, text, base_yaml=RIGHT)[0].startswith(words)


def test_problems_beyond_the_twentieth_are_not_said() -> None:
    lines = "".join(f"  y{n}: relu(nobody_{n})\n" for n in range(100))
    mistake = Mistake("many", "lifetime:\n", f"{lines}lifetime:\n", "", [])
    assert len(said(mistake)) == MOST_PROBLEMS


def test_what_looks_like_an_oversight_is_said_with_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    text = RIGHT.replace("    update: G[s,t], E, W\n", "    update: G[s,t], E\n")
    text = text.replace("  d: [a, b]\n", "  d: [a, b]\n  unused: [1, 2]\n")
    text = text.replace("  copy[d]: W(x[d])\n", "  copy[d]: W(x[d])\n  other: tanh(E(x[a]))\n  dice: normal(3)\n")
    Path("mine.yaml").write_text(text.replace("    update: D[d]\n", "    update: D[d], W\n"), encoding="utf-8")
    assert main(["check", "mine.yaml"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("mine.yaml")]
    assert lines == [
        "mine.yaml: ok (6 networks, 2 phases)",
        "mine.yaml:10:3: warning: index 'unused' is not used; use it or drop it",
        "mine.yaml:37:10: warning: value 'other' is not used; use it or drop it",
        "mine.yaml:38:9: warning: draw 'dice' is not used; use it or drop it",
        "mine.yaml:42:3: warning: no term of phase 'judge' reaches network 'W'; "
        "add a term that uses it, or do not update it",
    ]


def _write() -> None:
    paragraphs = []
    for mistake in MISTAKES:
        lines = [mistake.title]
        for mark, text in (("- ", mistake.old), ("+ ", mistake.new), ("$ ", mistake.option)):
            lines += [mark + line for line in text.splitlines()]
        paragraphs.append("\n".join([*lines, *("  " + line for line in said(mistake))]))
    PAGE.write_text("\n\n".join(paragraphs) + "\n", encoding="utf-8")


if __name__ == "__main__":
    _write()
