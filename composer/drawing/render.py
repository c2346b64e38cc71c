"""DOT -> picture: by the `dot` program on PATH, otherwise by the Graphviz that pygraphviz brings along."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence

from composer.errors import ComposeError

PICTURES = ("svg", "png", "pdf")
LONGEST = 120.0  # seconds
RESOLUTION = 144  # dots per inch of a PNG

# Runs in a process of its own: a layout that hangs or crashes must not take ours along.
_BUNDLED = """
import sys
import pygraphviz
graph = pygraphviz.AGraph(string=sys.stdin.buffer.read().decode("utf-8"))
sys.stdout.buffer.write(graph.draw(format=sys.argv[1], prog="dot", args=" ".join(sys.argv[2:])))
"""


def renderers() -> list[tuple[str, list[str]]]:
    """What can render here, best first: a name, and the command that takes a format and options."""
    found: list[tuple[str, list[str]]] = []
    program = shutil.which("dot")
    if program:
        found.append((f"'{program}'", [program]))
    if importlib.util.find_spec("pygraphviz") is not None:
        found.append(("the Graphviz of pygraphviz", [sys.executable, "-c", _BUNDLED]))
    return found


def render(dot: str, format: str) -> bytes:
    """The picture of a DOT text; `format` is svg, png or pdf (or any that Graphviz knows)."""
    problems: list[str] = []
    for name, command in renderers():
        options = [f"-Gdpi={RESOLUTION}"] if format == "png" else []
        first = f"-T{format}" if len(command) == 1 else format
        try:
            done = _run([*command, first, *options], dot)
        except subprocess.TimeoutExpired:
            fact = f"the layout takes longer than {LONGEST:.0f} s"
            raise ComposeError(fact, remedy="the picture is too large: draw it without --expand") from None
        except OSError as error:
            problems.append(f"{name}: {error.strerror or error}")
            continue
        if done.returncode == 0 and done.stdout:
            return done.stdout
        said = done.stderr.decode("utf-8", errors="replace").strip().splitlines()
        problems.append(f"{name}: {said[-1] if said else f'ended with status {done.returncode}'}")
    if problems:
        fact = f"Graphviz could not draw the picture ({'; '.join(problems)})"
        raise ComposeError(fact, remedy="write the DOT: -o x.dot")
    raise ComposeError(
        "there is no Graphviz to draw with",
        remedy="install Graphviz (its program is `dot`) or `pip install pygraphviz`; -o x.dot needs neither",
    )


def _run(command: Sequence[str], dot: str) -> subprocess.CompletedProcess[bytes]:
    # A PDF carries its date; this one makes the same picture the same bytes.
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "0"}
    return subprocess.run(
        command, input=dot.encode(), capture_output=True, timeout=LONGEST, env=environment, check=False
    )
