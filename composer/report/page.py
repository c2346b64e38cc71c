"""The one HTML file: its parts lie in page/ and are put together here.

Nothing of it asks the network: there is no address in it, and its Content-Security-Policy lets the browser run its own
scripts only (by their hashes) and load nothing but pictures beside the page or inside it. What comes from the user is
JSON in an element that is no script, or the drawing; the scripts write it as text, never as HTML.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import html
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PARTS = Path(__file__).parent / "page"
STYLES = ("base.css", "head.css", "samples.css", "curves.css", "tables.css")
SCRIPTS = ("elements.js", "head.js", "samples.js", "enlarge.js", "scales.js", "panel.js", "curves.js",
           "drawing.js", "tables.js", "main.js")  # fmt: skip
_SLOT = re.compile(r"\{\{(\w+)\}\}")
_SVG = re.compile(r"<svg\b.*</svg>", re.DOTALL)


def page(content: Mapping[str, Any], drawing: str) -> str:
    """The HTML of a run: `content` as `Report.content` gives it, and its drawing as SVG ("" for none)."""
    early, script = _wrapped("theme.js"), _wrapped(*SCRIPTS)
    graph = content.get("graph", {})
    slots = {
        "policy": f"default-src 'none'; img-src 'self' data: file:; style-src 'unsafe-inline'; "
        f"script-src '{_hash(early)}' '{_hash(script)}'; base-uri 'none'; form-action 'none'",
        "title": _title(f"{graph.get('name') or 'run'} - {content.get('folder', '')}"),
        "style": "\n".join(_part(name) for name in STYLES),
        "early": early,
        "script": script,
        "data": as_data(content),
        "drawing": _inline(drawing),
    }
    return _SLOT.sub(lambda match: slots[match[1]], _part("page.html"))


def as_data(content: Any) -> str:
    """JSON that can stand inside an HTML element: no `<`, `>` or `&`, whatever the texts in it say."""
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _title(text: str) -> str:
    # Names of folders may hold bytes that are no text.
    return html.escape(text.encode("utf-8", "replace").decode())


def _inline(drawing: str) -> str:
    """A drawing of Graphviz as part of a page: without its prolog, and with tooltips that are texts and not names."""
    found = _SVG.search(drawing)
    if found is None:
        return ""
    svg = re.sub(r"<title>.*?</title>\s*", "", found[0], flags=re.DOTALL)
    svg = re.sub(r'<a xlink:title="([^"]*)">', r"<g><title>\1</title>", svg)
    return svg.replace("</a>", "</g>")


@functools.cache
def _wrapped(*names: str) -> str:
    """Scripts as one, with names of their own."""
    inner = "\n".join(_part(name) for name in names)
    return f'(() => {{\n"use strict";\n{inner}\n}})();\n'


@functools.cache
def _hash(script: str) -> str:
    """What a policy calls this script."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


@functools.cache
def _part(name: str) -> str:
    return (PARTS / name).read_text(encoding="utf-8")
