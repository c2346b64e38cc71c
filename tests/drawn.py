"""Graphs, scenes and layouts for the tests of drawing."""

from __future__ import annotations

import json
from typing import Any

import composer
from composer.drawing.pictured import make_scene
from composer.drawing.render import render
from composer.drawing.scene import Arrow, Scene
from composer.shapes import Shaped

GRAPHS = ("cyclegan", "pix2pix", "supervised", "unit", "unit_code")
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
            own = number in (edge["tail"], edge["head"])
            if not own and any(inside(p, (x - w, y - h, x + w, y + h)) for p in points):
                bad.append(f"an edge over the box {item['name']}")
    return bad
