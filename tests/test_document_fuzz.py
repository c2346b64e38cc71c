"""Documents under random texts, random edits and hostile files; what is written is read as the same."""

from __future__ import annotations

import itertools
import os
import time
from typing import Any

import pytest
from documents import SMALL, bundled, read
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from composer.document import Mapping, bundled_graphs, load, plain, to_yaml
from composer.errors import ComposeError
from composer.schema import validate
from composer.tree import as_node
from composer.yaml_reader import LARGEST_COUNT, read_yaml
from composer.yaml_writer import write_yaml, written_alike

EXAMPLES = int(os.environ.get("COMPOSER_FUZZ", "60"))  # of each property; thousands before a release


# Writing


TEXTS = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\u2028\u2029\ufeff\ufffe\uffff"), max_size=12
)
WIRING = st.text(st.sampled_from("ab1.0,:#-?[]{}()&*!|>'\"%@`~= \n\te+<"), max_size=12)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**18), 10**18),
    st.floats(-1e18, 1e18),
    TEXTS,
    WIRING,
    st.sampled_from(
        ["no", "null", "~", "1e-4", "0x1f", "G(a, b)", "fake[s,t]", "- a", "a: b", "a #b", ".inf", "<<", "---"]
    ),
)
KEYS = st.one_of(TEXTS, WIRING).filter(lambda k: k.strip() and not any(c in k for c in "\n\t"))
TREES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=20
)


def distinct(data: Any) -> bool:
    """Keys that differ in more than blanks."""
    if isinstance(data, dict):
        return len({"".join(k.split()) for k in data}) == len(data) and all(map(distinct, data.values()))
    return all(map(distinct, data)) if isinstance(data, list) else True


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.dictionaries(KEYS | st.sampled_from(["networks", "values", "training"]), TREES, max_size=4).filter(distinct))
def test_what_is_written_is_read_as_the_same(data):
    root = as_node(data, read("a: 1").root.place)
    assert isinstance(root, Mapping)
    text = write_yaml(root)
    again = read_yaml(text, "again.yaml")
    assert written_alike(root, again), text
    assert write_yaml(again) == text


@pytest.mark.parametrize("name", bundled())
def test_a_bundled_graph_survives_writing(name):
    first = load(name)
    for variant in ((), *((v,) for v in first.variants)):
        document = load(name, variants=variant, preset=next(iter(first.presets), None))
        again = load("again", text=to_yaml(document))
        assert written_alike(document.root, again.root)
        assert to_yaml(again) == to_yaml(document)


def test_a_written_graph_reads_well():
    assert to_yaml(read(SMALL, preset="demo")).startswith(
        "composer: 1\nname: small\n\nparams:\n  width: 8\n  weight: 10\n  taps: [1, 2]\n  cycle[a]: 5\n\n"
        "index:\n  s,t: [[a, b], [b, a]]\n\ninputs:\n  pair:\n    a: image(3, 64, 64)\n    b: image(3, 64, 64)\n\n"
        "networks:\n  G: {block: painter, out: 3, width: =width, norm: batch, init: normal(0.02)}\n"
    )
    assert "  l1[same]: weight * l1(fake[a,b], b)\n" in to_yaml(read(SMALL))
    assert "adam: {lr: 2e-4, betas: [0.5, 0.999]}" in to_yaml(read(SMALL))


# Nothing but documents and ComposeErrors


MANY_VALUES = "values:\n" + "\n".join(f"  x{i}_{i * i}: 1" for i in range(4000)) + "\n"


def outcome(text: str) -> None:
    """Read and check `text`; anything but a `ComposeError` fails the test, and so does taking long."""
    started = time.process_time()
    try:
        document = read(text)
        validate(document)
        read(text, variants=document.variants[:1], preset=next(iter(document.presets), None))
    except ComposeError as error:
        assert str(error) and error.problems
    assert time.process_time() - started < 2


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.one_of(st.text(max_size=60), st.text(st.sampled_from("ab:-[]{},&*!|>'\"%@`~ \n\t#?.1e"), max_size=40)))
def test_any_text_is_read_or_refused(text):
    outcome(text)


PIECES = [
    "",
    ":",
    "[",
    "]",
    "{",
    "}",
    ",",
    "- ",
    "\n",
    "  ",
    "*x",
    "&x ",
    "!t ",
    "'",
    '"',
    "#",
    "null",
    "1e999",
    "é",
    "\x00",
    "|",
]
SOURCES = [SMALL, *(bundled_graphs()[name].read_text(encoding="utf-8") for name in bundled())]


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(SOURCES), st.data())
def test_a_graph_changed_in_one_place_is_read_or_refused(text, data):
    start = data.draw(st.integers(0, len(text)))
    length = data.draw(st.integers(0, 12))
    outcome(text[:start] + data.draw(st.sampled_from(PIECES)) + text[start + length :])


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(SOURCES), st.data())
def test_a_graph_with_one_node_replaced_is_read_or_refused(text, data):
    tree = plain(read_yaml(text, "f.yaml"))
    owner, key = tree, data.draw(st.sampled_from(sorted(tree)))
    while isinstance(owner[key], (dict, list)) and owner[key] and data.draw(st.booleans()):
        owner = owner[key]
        key = data.draw(st.sampled_from(sorted(owner) if isinstance(owner, dict) else range(len(owner))))
    owner[key] = data.draw(st.one_of(SCALARS, st.just([]), st.just({}), st.just({"a": 1}), st.just([{"a": [1]}])))
    root = as_node(tree, read("a: 1").root.place)
    assert isinstance(root, Mapping)
    outcome(write_yaml(root))


@pytest.mark.parametrize(
    "text",
    [
        "a: " + "[" * 100_000,
        "a: " + "{" * 100_000,
        "a: " + "{a: " * 100_000,
        "- " * 100_000,
        "? " * 100_000,
        "\n".join(" " * i + "a:" for i in range(1000)),
        "a: &a [x, x]\n"
        + "\n".join(f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)}, *{chr(97 + i)}]" for i in range(20)),
        "a: [" + "1, " * 80_000 + "1]",
        "a: {" + ", ".join(f"k{i}: 1" for i in range(20_000)) + "}",
        "\n".join(f"k{i}: v{i}" for i in range(20_000)),
        "a: " + "9" * 240_000,
        "a: " + "x " * 120_000,
        "a: '" + "x" * 240_000,
        "a: 1" + "\n" * 240_000 + "b: 2",
        "variants:\n  v:\n    drop:\n" + "\n".join(f"      - values.x{i}" for i in range(LARGEST_COUNT - 20)),
        MANY_VALUES + "variants:\n  v:\n    drop: [" + ", ".join(f"values.y{i}" for i in range(30)) + "]",
        "variants: {v: {drop: [" + "a." * 100_000 + "]}}\n" + "a:\n  " + "a." * 90 + "a: 1",
        "a:\n" + "".join("  " * i + "a: {a.a: {a: 1}}\n" + "  " * i + "b:\n" for i in range(1, 29)),
        "values:\n" + "\n".join(f"  x{i}: 1" for i in range(4900)) + "\nvaluess:\n  " + "x" * 150 + ": 1",
    ],
    ids=itertools.count(),
)
def test_a_hostile_file_is_refused_at_once(text):
    outcome(text)
