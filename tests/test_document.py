"""Text to documents: scalars, places, and what is refused in which words."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from documents import SMALL, bundled, read, refused

from composer.document import Document, Leaf, Mapping, Sequence, bundled_graphs, load, plain
from composer.errors import ComposeError, source_line
from composer.scalars import read_scalar
from composer.tree import Node

ROOT = Path(__file__).resolve().parent.parent


def leaf(document: Document, *keys: str) -> Leaf:
    node: Node | None = document.root
    for key in keys:
        assert isinstance(node, Mapping)
        node = node.get(key)
    assert isinstance(node, Leaf)
    return node


# Scalars


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("2E3", 2000.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("-3", -3),
        ("+3", 3),
        ("017", 17),
        ("0x1f", 31),
        ("0o17", 15),
        ("true", True),
        ("FALSE", False),
        ("null", None),
        ("~", None),
        ("no", "no"),
        ("on", "on"),
        ("yes", "yes"),
        ("12:30:00", "12:30:00"),
        ("1_000", "1_000"),
        ("1.5.2", "1.5.2"),
        ("e5", "e5"),
        ("-", "-"),
        ("inf", "inf"),
        ("nan", "nan"),
        ("0x", "0x"),
        ("=lr / 2", "=lr / 2"),
        ("tRUE", "tRUE"),
    ],
)
def test_scalars_follow_the_core_schema_of_yaml_1_2(text, value):
    found = read_scalar(text)
    assert found == value and type(found) is type(value)


def test_quoted_scalars_are_texts_and_keys_too():
    document = read("params: {1: '2', on: \"true\", null: 3}")
    assert plain(document.root) == {"params": {"1": "2", "on": "true", "null": 3}}


@pytest.mark.parametrize(
    "number", [".inf", "-.INF", ".nan", "1e999", "9" * 19, "9" * 5000, "1" + "0" * 4000, "0x" + "f" * 99]
)
def test_a_number_nobody_can_use_is_refused(number):
    words = refused(f"a: {number}")
    assert words.startswith("f.yaml:1:4: ") and ("too large" in words or "not a number" in words)


def test_ten_to_the_eighteen_is_the_largest_number():
    assert plain(read(f"a: {10**18}").root) == {"a": 10**18}
    assert "use one below 1e18" in refused(f"a: {10**18 + 1}")


# Places


def test_places_are_exact():
    text = "composer: 1\nvalues:\n  fake: G(a)\n  real: \"D(b)\"\n  x: 'it''s'\n  é, z: H(c)  # comment\n"
    document = read(text)
    lines = text.splitlines()
    values = document.root.get("values")
    assert isinstance(values, Mapping)
    seen = []
    for key, value in values:
        assert isinstance(value, Leaf)
        for node in (key, value):
            place = node.place
            seen.append(lines[place.line - 1][place.column - 1 : place.column - 1 + place.length])
    assert seen == ["fake", "G(a)", "real", "D(b)", "x", "it''s", "é, z", "H(c)"]


def test_the_place_of_a_text_on_several_lines_is_its_first_line():
    document = read("a: one\n  two\nb: |\n\n  three four\n  five\nc: >-\n   six\n")
    places = [
        (leaf(document, k).place.line, leaf(document, k).place.column, leaf(document, k).place.length) for k in "abc"
    ]
    assert places == [(1, 4, 3), (5, 3, 10), (8, 4, 3)]
    assert leaf(document, "a").value == "one two"


def test_an_error_shows_the_line_and_a_caret():
    assert refused("a: 1\nb: *x") == (
        "f.yaml:2:4: the alias *x; graphs have no anchors: use `extends:` for a base, an index for repetition, "
        "a param for a number\n    b: *x\n       ^"
    )
    assert source_line("f.yaml", 2) == "b: *x"


# What is refused, in which words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "a: [D(x, y), z]",
            "f.yaml:1:5: in flow style a comma splits the call: 'D(x' has an open bracket; "
            "write it on a line of its own, or in quotes",
        ),
        ("a: {value: G(a, b)}", "f.yaml:1:12: in flow style a comma splits the call: 'G(a' has an open bracket"),
        ("a: {value: fake[a,b]}", "f.yaml:1:16: in flow style brackets and commas split a text: found '['"),
        ("a: [values.mu[d], b]", "in flow style brackets and commas split a text"),
        ("a: {x -> y}", "f.yaml:1:5: 'x -> y' has no value; write x -> y: value"),
        ("a: 1\n\nb: 2\na: 3", "f.yaml:4:1: 'a' is given twice; the first one is on line 1"),
        ("mu[d], nu[d]: 1\nmu[d],nu[d]: 2", "f.yaml:2:1: 'mu[d],nu[d]' is given twice"),
        ("a: &x 1", "f.yaml:1:4: the anchor &x; graphs have no anchors: use `extends:`"),
        ("a:\n  <<: {b: 1}", "f.yaml:2:3: the merge key '<<'; graphs have no anchors: use `extends:`"),
        ("a: !ref b", "f.yaml:1:4: the tag !ref is not part of the language"),
        ("a: 1\n---\nb: 2", "f.yaml:2:1: a second document in one file; one file holds one graph"),
        ("%YAML 1.1\n---\na: 1", "f.yaml:1:1: a YAML directive; leave the lines with % out"),
        ("a: 1\n\tb: 2", "f.yaml:2:1: a tab in the file; use spaces"),
        ("a: 1\n# \x00", "f.yaml:2:3: a NUL character in the file; save the file as UTF-8 text without it"),
        ("a: \x07", "f.yaml:1:4: the control character U+0007 in the file"),
        ('a: "\\x00"', "f.yaml:1:5: a NUL character in a text; leave it out"),
        ('a: "\\ud800"', "f.yaml:1:5: the control character U+D800 in a text"),
        ("a: b: c", "f.yaml:1:5: a ':' that cannot stand here; put the text in quotes"),
        ('a: "b', "f.yaml:1:4: this quote is never closed; close it on the same line"),
        ("a: [1, 2", "f.yaml:1:4: this bracket is never closed; close it with ] or }"),
        ("a: {b: 1\nc: 2", "f.yaml:1:4: this bracket is not closed before the next entry"),
        ("a: @b", "f.yaml:1:4: a text cannot start with '@'; put the text in quotes"),
        ("a: >= 3", "f.yaml:1:4: a text that starts with '|' or '>'; put the text in quotes"),
        ("a:\n  b: 1\n c: 2", "f.yaml:3:2: this line fits no line above; indent it like its neighbours"),
        ('a: "b" c', "f.yaml:1:8: a text goes on after its end; quote the whole of it, or nothing of it"),
        ("a: - b", "f.yaml:1:4: a '-' that cannot stand here"),
        ("[a]: 1", "f.yaml:1:1: a list stands where a name is needed; quote a text that starts with [ or {"),
        ("a: {[b]: 1}", "a list stands where a name is needed"),
        ('"": 1', "a name is missing before ':'"),
        ("? " + "k" * 300 + "\n: 1", "cannot be a name; a name is short and stands on one line"),
        ("", "f.yaml:1:1: the file is empty; a graph starts with: composer: 1"),
        ("# only a comment", "f.yaml:1:1: the file is empty"),
        ("- a\n- b", "f.yaml:1:1: a graph is a mapping of sections, found a list; it starts with: composer: 1"),
        ("G(a)", "f.yaml:1:1: a graph is a mapping of sections, found the text 'G(a)'"),
        ("a: " + "{b: " * 40 + "}" * 40, "more than 32 levels of nesting; a graph needs about five"),
    ],
)
def test_what_is_refused_is_said_with_place_and_remedy(text, words):
    assert words in refused(text)


def test_brackets_are_only_checked_where_a_comma_splits():
    assert plain(read('a: G(a, b)\nc: {d: "G(a, b)", e: normal(0.02), f: its (so)}').root)["a"] == "G(a, b)"


def test_all_problems_of_a_file_are_reported_together():
    words = refused("a: *x\nb: .inf\na: 2\nc: [D(x, y)]\nd: {e: }\nf: [")
    assert [line[:9] for line in words.splitlines() if line.startswith("f.yaml")] == [
        "f.yaml:1:",
        "f.yaml:2:",
        "f.yaml:3:",
        "f.yaml:4:",
        "f.yaml:5:",
        "f.yaml:6:",
    ]


def test_a_file_full_of_problems_is_not_reported_to_the_end():
    assert refused("\n".join(f"a{i}: *x" for i in range(1000))).count("the alias") == 20


# Files


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\xef\xbb\xbfa: 1", "a byte order mark (UTF-8); save the file as UTF-8 without byte order mark"),
        ("a: 1".encode("utf-16"), "a byte order mark (UTF-16)"),
        (b"a: 1\nb: \xe4\xff", "bad.yaml:2:4: the byte 0xe4 is not UTF-8; save the file as UTF-8"),
        (b"\x00\x01\x02", "bad.yaml:1:1: a NUL character in the file"),
        (b"#" * 250_001, "is larger than 250 kB; is it a graph file?"),
    ],
)
def test_a_file_that_is_no_text_is_refused(tmp_path, data, words):
    path = tmp_path / "bad.yaml"
    path.write_bytes(data)
    with pytest.raises(ComposeError) as caught:
        load(path)
    assert words in str(caught.value)


def test_a_file_that_is_not_there_names_the_nearest_bundled_graph(tmp_path, monkeypatch):
    monkeypatch.setattr("composer.sources.bundled_graphs", lambda: {"unit": tmp_path / "unit.yaml"})
    with pytest.raises(ComposeError, match=r"there is no bundled graph or file 'unti'; did you mean 'unit'\?"):
        load("unti")
    with pytest.raises(ComposeError, match=r"there is no file '.*nowhere.yaml'; known here: unit"):
        load(tmp_path / "nowhere.yaml")
    with pytest.raises(ComposeError, match=r"' is a folder; give a graph file"):
        load(tmp_path)
    with pytest.raises(ComposeError, match=r"is not a regular file"):
        load("/dev/null")
    with pytest.raises(ComposeError, match=r"no graph is named; give a file"):
        load("")
    for name in ("a\0b", "x" * 5000):
        with pytest.raises(ComposeError, match=r"cannot be a file|there is no"):
            load(name)


def test_an_unreadable_file_is_said_to_be(tmp_path, monkeypatch):
    path = tmp_path / "a.yaml"
    path.write_text("a: 1")

    def refuse(*arguments: Any, **options: Any) -> Any:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ComposeError, match=r"a\.yaml' cannot be read: Permission denied"):
        load(path)


def test_windows_line_ends_are_read():
    document = read("a: 1\r\nb: G(a)\r\n")
    assert plain(document.root) == {"a": 1, "b": "G(a)"} and leaf(document, "b").place.line == 2


@pytest.mark.parametrize("name", bundled())
def test_a_bundled_graph_is_found_by_its_bare_name(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).mkdir()  # a run folder of this name does not hide it
    document = load(name)
    assert document.file.startswith("graphs/") and document.name == name
    written = Path(document.root.place.file).stem  # a graph that extends another begins there
    assert document.beside("x.py", document.root.place) == bundled_graphs()[written].parent / "x.py"


# Nodes


def test_nodes_offer_what_the_compiler_needs():
    document = read(SMALL)
    networks = document.root.get("networks")
    assert isinstance(networks, Mapping)
    assert networks.keys() == ("G", "D[s,t]") and "G" in networks and "H" not in networks and len(networks) == 2
    assert networks.get("H") is None and networks.get("H", 3) == 3 and networks.key("G").place.line == 15
    assert [(key.value, type(node)) for key, node in networks] == [("G", Mapping), ("D[s,t]", Mapping)]
    taps = document.root.get("params").get("taps")
    assert isinstance(taps, Sequence) and [item.value for item in taps] == [1, 2] and plain(taps) == [1, 2]
    with pytest.raises(AttributeError):
        networks.items = ()  # frozen
    assert hash(networks) == hash(read(SMALL).root.get("networks"))


def test_reading_needs_no_heavy_package_and_little_time():
    program = (
        "import sys, time; start = time.process_time()\n"
        "from composer.document import load\n"
        f"load({bundled()[0]!r})\n"
        "print(time.process_time() - start)\n"
        "print([m for m in ('torch', 'networkx', 'jsonschema', 'numpy', 'PIL') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    seconds, heavy = done.stdout.splitlines()
    assert heavy == "[]" and float(seconds) < 0.5  # 0.07 s where nothing else runs
