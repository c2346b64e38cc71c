"""What may stand on the command line: commands with their options and an example each, as a table."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from composer.errors import ComposeError

STAGES = ("document", "graph", "shapes", "plan", "code")


@dataclass(frozen=True)
class Option:
    """One argument of a command: its names, and what argparse wants to know of it."""

    names: tuple[str, ...]
    settings: dict[str, Any]


@dataclass(frozen=True)
class Command:
    """What a command does, how it is used, and what it takes."""

    about: str
    example: str
    options: tuple[Option, ...]


def option(*names: str, **settings: Any) -> Option:
    return Option(names, settings)


def number(text: str) -> int:
    """A whole number from 0."""
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from 0")
    return int(text)


def count(text: str) -> int:
    """A whole number from 1."""
    if number(text) < 1:
        raise argparse.ArgumentTypeError("it must be at least 1")
    return int(text)


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
DATA = (
    option(
        "--data",
        nargs="+",
        default=[],
        metavar="DIR",
        help="one folder in a known layout, or a=DIR b=DIR with the names of the graph's inputs; "
        "without it: built-in demo data and the preset demo",
    ),
    option("--direction", metavar="a2b|b2a", help="b2a swaps the two pictures of a layout"),
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

TEST_DATA = option(
    "--test-data",
    nargs="+",
    default=[],
    metavar="DIR",
    help="pictures for the sample grids, given like --data (default: the test part of the data)",
)
GRID = "where the picture of a batch as training gets it goes"

COMMANDS = {
    "run": Command(
        "train a graph, or continue its training",
        "composer run unit --data a=photos b=paintings --out runs/paint --resume",
        (
            GRAPH,
            *DATA,
            TEST_DATA,
            *CHANGES,
            option(
                "--out", type=Path, metavar="DIR", help="the run folder (default: runs/NAME, then runs/NAME-2, ...)"
            ),
            option(
                "--resume",
                action="store_true",
                help="continue the run in the folder, bit for bit; where there is none, start it",
            ),
            *LENGTHS,
            SEED,
            DEVICE,
            option(
                "--workers",
                type=number,
                metavar="N",
                help="processes that load data; every number of them gives the same run",
            ),
            option(
                "--dry-run",
                action="store_true",
                help="train nothing: read all data once, draw a batch, and say what memory, disk and time it will take",
            ),
            option("--grid", type=Path, metavar="FILE", help=f"{GRID} (with --dry-run; default: NAME-dry-run.png)"),
        ),
    ),
    "check": Command(
        "say everything that is wrong with graph files, and with their data",
        "composer check my_method.yaml --data a=photos b=paintings",
        (
            option("graphs", nargs="+", metavar="FILE", help="graph files, or names of bundled graphs"),
            option(
                "--data",
                nargs="+",
                default=[],
                metavar="DIR",
                help="read all of these data once and say what they hold; given as for run",
            ),
            *(one for one in DATA if "--data" not in one.names),
            TEST_DATA,
            *CHANGES,
            SEED,
            option("--grid", type=Path, metavar="FILE", help=f"{GRID} (with --data; default: none)"),
        ),
    ),
    "show": Command(
        "print what a graph becomes on its way to training",
        "composer show unit --stage plan",
        (
            GRAPH,
            option(
                "--stage",
                choices=STAGES,
                help="document (the settled YAML), graph (names resolved), shapes (of every value), plan (of an "
                "iteration) or code (the Python that trains); default: shapes, plan and parameter counts",
            ),
            *CHANGES,
        ),
    ),
    "draw": Command(
        "draw a graph",
        "composer draw unit -o unit.svg",
        (
            GRAPH,
            option(
                "-o", "--out", type=Path, required=True, metavar="FILE", help="the picture: .svg, .png, .pdf or .dot"
            ),
            option("--expand", action="store_true", help="draw every value of an index instead of folding them"),
            option("--network", metavar="NAME", help="draw this network down to its layers"),
            *CHANGES,
        ),
    ),
    "blocks": Command(
        "list the blocks a graph can use, or explain one",
        "composer blocks unet",
        (option("name", nargs="?", metavar="NAME", help="explain this block: contract, settings, source"),),
    ),
    "graphs": Command("list the bundled graphs", "composer graphs", ()),
    "translate": Command(
        "translate pictures with a trained run",
        "composer translate runs/unit photos --out painted --as a2b",
        (
            option("run", type=Path, metavar="RUN", help="the folder of a run"),
            option("images", type=Path, nargs="+", metavar="IMAGE", help="pictures, or folders of pictures"),
            option("--out", type=Path, required=True, metavar="DIR", help="where the translations go, as NAME.png"),
            option(
                "--as",
                dest="translation",
                metavar="NAME",
                help="which translation of the graph; needed when it has several",
            ),
            option("--seed", type=number, default=0, metavar="S", help="of what the translation draws (default: 0)"),
            option("--force", action="store_true", help="replace files that exist"),
            DEVICE,
        ),
    ),
    "data": Command(
        "write built-in data",
        "composer data demo --out demo_data",
        (
            option("kind", choices=("demo",), help="demo: the pictures that a run without --data trains on"),
            option("--out", type=Path, required=True, metavar="DIR", help="the folder to write"),
            option("--size", type=count, default=64, metavar="N", help="height and width in pixels (default: 64)"),
            option("--seed", type=number, default=0, metavar="S", help="of the scenes (default: 0)"),
        ),
    ),
    "verify-resume": Command(
        "prove that a stopped and continued run is the same run, bit for bit",
        "composer verify-resume unit --iterations 3 3",
        (
            GRAPH,
            *DATA,
            *CHANGES,
            option(
                "--iterations",
                type=count,
                nargs=2,
                default=[3, 3],
                metavar=("N", "M"),
                help="before and after the stop (default: 3 3)",
            ),
            SEED,
            DEVICE,
        ),
    ),
}


class Parser(argparse.ArgumentParser):
    """An option nobody knows, or one left out, is answered in the words of all other errors."""

    def error(self, message: str) -> NoReturn:
        raise ComposeError(f"{self.prog}: {message}", remedy=f"see {self.prog} --help")


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object, **__: object) -> None:
        from composer.commands import version

        print(version())
        parser.exit()


def make_parser() -> argparse.ArgumentParser:
    """The parser of all commands; the name of the chosen one is `command` of its result."""
    parser = Parser(
        prog="composer",
        description="Train image-to-image translation methods that are written as graph files.",
        epilog="example: composer run unit --out runs/first",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--version", action=_Version, nargs=0, default=argparse.SUPPRESS, help="say the version and leave"
    )
    chosen = parser.add_subparsers(title="commands", dest="command", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        description = f"{command.about[0].upper()}{command.about[1:]}."
        example = f"example: {command.example}"
        own = chosen.add_parser(name, help=command.about, description=description, epilog=example, allow_abbrev=False)
        for one in command.options:
            own.add_argument(*one.names, **one.settings)
    return parser
