"""Options of the command line that several commands share, and how their texts are read."""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from composer.wall_time import seconds


@dataclass(frozen=True)
class Option:
    """One argument of a command: its names, and what argparse wants to know of it."""

    names: tuple[str, ...]
    settings: dict[str, Any]


def option(*names: str, **settings: Any) -> Option:
    return Option(names, settings)


def number(text: str) -> int:
    """A whole number from 0."""
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from 0")
    return int(text)


def words(text: str) -> list[str]:
    """Names with commas between them."""
    return [word.strip() for word in text.split(",") if word.strip()]


def count(text: str) -> int:
    """A whole number from 1."""
    if number(text) < 1:
        raise argparse.ArgumentTypeError("it must be at least 1")
    return int(text)


def duration(text: str) -> float:
    """Seconds."""
    try:
        return seconds(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def names(text: str) -> list[str]:
    """`E,shared_E` as a list; a comma inside of brackets belongs to a name, as in `G[a,b]`."""
    return [name.strip() for name in re.split(r",(?![^\[]*\])", text) if name.strip()]


GRAPH = option("graph", metavar="GRAPH", help="a graph file, or the name of a bundled graph")
SEED = option("--seed", type=number, default=0, metavar="S", help="of everything random (default: 0)")
DEVICE = option(
    "--device", default="auto", metavar="auto|cpu|cuda", help="where to compute (auto: a GPU when there is one)"
)
CHANGES = (
    option(
        "--with",
        dest="variants",
        action="append",
        default=[],
        metavar="VARIANT",
        help="a variant of the graph; may be repeated",
    ),
    option("--preset", metavar="NAME", help="a preset of the graph, e.g. demo"),
    option(
        "--set",
        dest="settings",
        action="append",
        default=[],
        metavar="PATH=VALUE",
        help="change one setting, e.g. params.width=32; may be repeated",
    ),
)
SPLIT = option(
    "--split",
    metavar="N",
    help="hold out this share (0.1) or number (20) of rows for the samples, where the data has no test part",
)
DIRECTION = option("--direction", metavar="a2b|b2a", help="b2a swaps the two pictures of a layout")
DATA = (
    option(
        "--data",
        nargs="+",
        default=[],
        metavar="DIR",
        help="one folder in a known layout; or a=DIR b=DIR with the names of the graph's inputs, where for DIR may "
        "stand a pattern 'a=photos/**/*.png', a list a=list.txt, a table y=labels.csv; or my_data.py:NAME; "
        "without it: built-in demo data and the preset demo",
    ),
    SPLIT,
    DIRECTION,
)
LENGTHS = (
    option(
        "--iterations",
        type=count,
        metavar="N",
        help="stop after N iterations in all, counted from the start (default: what the graph says)",
    ),
    option(
        "--checkpoint-every",
        type=number,
        default=500,
        metavar="N",
        help="iterations between checkpoints (default: 500; 0: only at the end)",
    ),
    option(
        "--keep", type=count, default=3, metavar="K", help="how many of the newest checkpoints to keep (default: 3)"
    ),
    option("--keep-every", type=number, default=0, metavar="N", help="also keep those at multiples of N iterations"),
    option(
        "--sample-every",
        type=number,
        metavar="N",
        help="iterations between sample grids (default: about 20 in a run; 0: none)",
    ),
)

VALIDATION = (
    option(
        "--validate-every",
        type=count,
        default=0,
        metavar="N",
        help="iterations between measurements on the test part, whose truth must be known (default: never)",
    ),
    option(
        "--validate",
        type=words,
        default=[],
        metavar="METRIC,...",
        help="of l1, psnr, ssim; the checkpoint that is best by the first is kept (default: l1,psnr,ssim)",
    ),
    option("--validate-as", metavar="NAME", help="the translation that is measured (default: the graph's first)"),
)
RUN = option("run", type=Path, metavar="RUN", help="the folder of a run")
AS = option(
    "--as", dest="translation", metavar="NAME", help="which translation of the graph; needed when it has several"
)
CHECKPOINT = option(
    "--checkpoint",
    default="latest",
    metavar="latest|best|N",
    help="the newest (default), the one validation found best, or the one of N iterations",
)
STYLES = (
    option("--seed", type=number, default=0, metavar="S", help="of what the translation draws (default: 0)"),
    option(
        "--give",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a further input of the translation: x[b]=photo.png (or a folder), y=cat or y=2, code=smiling,young; "
        "or a draw and its seed, z=7; given again: one more style",
    ),
    option(
        "--samples",
        type=count,
        metavar="N",
        help="N draws, of the seeds S, S+1, ... (default: what the graph says)",
    ),
    option("--interpolate", type=count, metavar="N", help="N steps from one style to another, of two that are given"),
    option("--grid", type=Path, metavar="FILE.png", help="one picture of all inputs and styles; then --out may lack"),
)
TEST_DATA = option(
    "--test-data",
    nargs="+",
    default=[],
    metavar="DIR",
    help="pictures for the sample grids, given like --data (default: the test part of the data)",
)
GRID = "where the picture of a batch as training gets it goes"
