"""Graph files that nobody writes by accident: what could take all memory, all time or all of Python's stack.

Each is a text and the words of its refusal; no words: it is a valid graph, if an odd one.
"""

from __future__ import annotations

from collections.abc import Callable

BASE = """\
composer: 1
name: tiny
params:
  size: 16
  width: 4
PARAMS
INDEX
inputs:
  pair:
    a: image(3, size, size)
    b: image(3, size, size)
networks:
  G: {chain: ["conv(width)", "conv(3)"]}
NETWORKS
values:
  fake: G(a)
VALUES
phases:
  fit:
    update: G
    minimize:
      l1: l1(fake, b)
TERMS
optimizers:
  default: {adam: {lr: 1e-4}}
training: {iterations: 10}
"""
INDENTS = {"PARAMS": 2, "INDEX": 0, "NETWORKS": 2, "VALUES": 2, "TERMS": 6}


def graph(**sections: str) -> str:
    """The small graph with lines added to its sections."""
    text = BASE
    for name, indent in INDENTS.items():
        lines = sections.get(name.lower(), "").splitlines()
        text = text.replace(name, "\n".join(" " * indent + line for line in lines))
    return text


def many(line: Callable[[int], str], count: int) -> str:
    return "\n".join(map(line, range(count)))


def indices(count: int, names: str = "ijk") -> str:
    return "index: {" + ", ".join(f"{n}: [{', '.join(map(str, range(count)))}]" for n in names) + "}"


def wired(lines: str, output: str) -> str:
    inner = "\n".join(f"    {line}" for line in lines.splitlines())
    return f"W:\n  inputs: x\n  values:\n{inner}\n  output: {output}"


USE = {"values": "h: H(a)", "terms": "t: l1(h, b)"}
LONG, DEEP = 4000, "an expression nested too deeply"

HOSTILE: dict[str, tuple[str, str]] = {
    # numbers, texts and lists that grow
    "numbers that square": (graph(params="p0: 10\n" + many(lambda i: f"p{i + 1}: =p{i} * p{i}", 60)), "is too large"),
    "a text a billion times": (graph(params='p: ="a" * 1000000000'), "'\"a\"' is a text, no number"),
    "a list a billion times": (graph(params="p: =[1] * 1000000000"), "'[1]' is a list, no number"),
    "a format of a billion": (graph(params='p: ="%1000000000d" % 5'), "is a text, no number"),
    "a text that doubles": (graph(params="p0: x\n" + many(lambda i: f"p{i + 1}: =p{i} + p{i}", 60)), "is a text"),
    "a power of powers": (graph(params="q: =9**9**9**9"), "'**' is not offered"),
    "a shift": (graph(params="q: =1 << 1000000000"), "is not part of the language"),
    "a number of 3000 digits": (graph(params="q: =" + "9" * 3000), "a number too large to mean anything"),
    "beyond all numbers": (graph(params="q: =1e17 * 1e17"), "'1e+17 * 1e+17' is too large"),
    # chains and circles
    "params, each after the next": (graph(params=many(lambda i: f"p{i}: =p{i + 1} + 1", LONG) + f"\np{LONG}: 1"), ""),
    "params in a long circle": (
        graph(params=many(lambda i: f"p{i}: =p{(i + 1) % LONG}", LONG)),
        "p1 -> p2 -> p3 -> ... ",
    ),
    "values, each after the next": (
        graph(values=many(lambda i: f"x{i}: relu(x{i + 1})", LONG) + f"\nx{LONG}: relu(a)", terms="t: l1(x0, b)"),
        "",
    ),
    "values in a long circle": (
        graph(values=many(lambda i: f"x{i}: relu(x{(i + 1) % LONG})", LONG)),
        "in a circle: x0",
    ),
    "layers, each after the next": (
        graph(networks=wired(many(lambda i: f"p{i}: relu(p{i + 1})", LONG) + f"\np{LONG}: relu(x)", "p0")),
        "",
    ),
    "layers in a circle": (graph(networks=wired("p: relu(q)\nq: relu(p)", "p")), "in a circle: p -> q -> p"),
    "a network that calls itself": (graph(networks=wired("p: W(x)", "p")), "unknown block or network 'W'"),
    "values that double": (
        graph(
            values="x0: [a, b]\n".replace("[", '"[').replace("]", ']"')
            + many(lambda i: f'x{i + 1}: "[x{i}, x{i}]"', 40),
            terms="t: mean(total(relu(x40)))",
        ),
        "would be a list of 1024 items",
    ),
    "channels that double": (
        graph(
            values="x0: relu(a)\n" + many(lambda i: f"x{i + 1}: concat(x{i}, x{i})", 60), terms="t: mean_square(x60)"
        ),
        "would have 1.3e+10 numbers",
    ),
    "a clock that doubles": (
        graph(values="x0: iteration + 1\n" + many(lambda i: f"x{i + 1}: x{i} * x{i}", 60)),
        "a function of the clock that is too long",
    ),
    "a clock that is nested": (
        graph(values="x0: iteration + 1\n" + many(lambda i: f"x{i + 1}: x{i} + 1", 900)),
        "a function of the clock that is too long",
    ),
    # repetition
    "a million layers": (
        graph(networks='H: {chain: ["repeat(1000, repeat(1000, conv(3)))"]}', **USE),
        "more than 10000 values and layers",
    ),
    "a billion times nothing": (
        graph(networks='H: {chain: ["repeat(1000, repeat(1000, repeat(1000, repeat(0, conv(3)))))"]}', **USE),
        "more than 200000 parts",
    ),
    "a billion layers": (
        graph(networks='H: {chain: ["repeat(1000000000, conv(3))"]}', **USE),
        "cannot repeat 1000000000 times",
    ),
    "a phase a billion times": (
        graph().replace("    update: G\n", "    update: G\n    repeat: 1000000000\n"),
        "cannot repeat 1000000000 times",
    ),
    # indices
    "an index of 9000": (graph(index=indices(9000, "i"), values="v[i]: relu(a)", terms="t: l1(v[0], b)"), ""),
    "a million values": (
        graph(index=indices(99), values="v[i,j,k]: relu(a)"),
        "more than 10000 values of indices, the last ones of i, j, k",
    ),
    "a million params": (graph(index=indices(99), params="v[i,j,k]: 1"), "more than 10000 values of indices"),
    "a million networks": (
        graph(index=indices(99), networks="H[i,j,k]: {chain: ['conv(3)']}"),
        "more than 10000 values of indices",
    ),
    "a million phases": (
        graph(index=indices(99)).replace("  fit:", "  fit[i,j,k]:"),
        "more than 10000 values of indices",
    ),
    "a million terms": (
        graph(index=indices(99), params="w[i]: 1", terms="t: (w[i] + w[j] + w[k]) * l1(fake, b)"),
        "more than 10000 values of indices",
    ),
    # sizes
    "images of a billion": (
        graph().replace("size: 16", "size: 1000000000"),
        "'size' is 1000000000; a size is a whole number from 1 to 65536",
    ),
    "images of 65536 squared": (
        graph().replace("size: 16", "size: 65536"),
        "would have 1.3e+10 numbers with a batch of 1",
    ),
    "a batch of a billion": (
        graph().replace("iterations: 10", "iterations: 10, batch: 1000000000"),
        "with a batch of 1000000000",
    ),
    "a width of a billion": (
        graph().replace("width: 4", "width: 1000000000"),
        "'out' of conv: 1000000000 is too large",
    ),
    "a depth of a billion": (
        graph(networks="H: {block: unet, depth: 1000000000}", **USE),
        "'depth' of unet: 1000000000 is too large",
    ),
    "a depth of a million": (graph(networks="H: {block: unet, depth: 1000000}", **USE), "2 ** 1000000 is too large"),
    "a billion parts": (graph(values="s: split(a, 1000000000)", terms="t: mean(s[0])"), "1000000000 is too large"),
    "a million parts": (
        graph(values="s: split(a, 1000000)", terms="t: mean(s[0])"),
        "would give a list of 1000000 items",
    ),
    "a pool of a billion": (
        graph(values="q: queue(flatten(a), size=1000000000)", terms="t: mean_square(q)"),
        "1000000000 is too large",
    ),
    "images that grow": (
        graph(
            values="x0: upsample(a, 1000)\n" + many(lambda i: f"x{i + 1}: upsample(x{i}, 1000)", 50),
            terms="t: mean_square(x50)",
        ),
        "would have 7.7e+14 numbers",
    ),
    # nesting
    "calls in calls": (graph(values="v: " + "relu(" * 90 + "a" + ")" * 90), DEEP),
    "brackets in brackets": (graph(values="v: " + "(" * 1900 + "a" + ")" * 1900), "is no expression"),
    "minus and minus": (graph(values="v: " + "-" * 3900 + "a"), "this is no expression"),
    "not not": (graph(values="v: " + "not " * 900 + "a"), DEEP),
    "items of items": (graph(values="v: a" + "[0]" * 900), DEEP),
    "parts of parts": (graph(values="v: a" + ".b" * 1900), DEEP),
    "calls of calls": (graph(values="v: a" + "()" * 1900), DEEP),
    "a long sum": (graph(terms="t: " + " + ".join(["l1(fake, b)"] * 200)), DEEP),
    "a long comparison": (graph(values="v: " + " < ".join(["a"] * 900)), "'and' is for numbers and the clock"),
    "an endless expression": (
        graph(terms="t: " + " + ".join(["l1(fake, b)"] * 900)),
        "an expression of 12597 characters",
    ),
    # numbers of problems and lines
    "3000 mistakes": (graph(values=many(lambda i: f"n{i}: relu(nobody_{i})", 3000)), "unknown value 'nobody_0'"),
    "3000 inputs": (
        graph().replace("    b: image", many(lambda i: f"    i{i}: image(3, 8, 8)", 3000) + "\n    b: image"),
        "",
    ),
    "3000 terms": (graph(terms=many(lambda i: f"t{i}: {i + 1} * l1(fake, b)", 3000)), ""),
}
