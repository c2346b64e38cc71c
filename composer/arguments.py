"""What may stand on the command line: commands with their options and an example each, as a table."""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from composer.errors import ComposeError
from composer.wall_time import seconds

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
    "--as", dest="translation", metavar="NAME", help="which translation of the graph (default: the graph's first)"
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
        "composer run method.yaml --data a=photos b=paintings --out runs/paint --resume",
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
            option(
                "--from",
                dest="source",
                type=Path,
                metavar="RUN",
                help="start with the weights of another run (its folder, or a checkpoint's .safetensors)",
            ),
            option(
                "--only",
                type=names,
                default=[],
                metavar="NAMES",
                help="take only these networks from --from, e.g. E,shared_E (default: all that both graphs have)",
            ),
            option(
                "--except",
                dest="anew",
                type=names,
                default=[],
                metavar="NAMES",
                help="let these networks, or parts of them such as D.head, start anew in spite of --from",
            ),
            *LENGTHS,
            option(
                "--stop-after",
                type=duration,
                metavar="TIME",
                help="stop with a checkpoint before this wall time is over (23h, 90m, 1h30m); the exit status is then "
                "75, and the same command with --resume goes on",
            ),
            *VALIDATION,
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
            SPLIT,
            DIRECTION,
            TEST_DATA,
            *CHANGES,
            SEED,
            option("--grid", type=Path, metavar="FILE", help=f"{GRID} (with --data; default: none)"),
        ),
    ),
    "show": Command(
        "print what a graph becomes on its way to training",
        "composer show method.yaml --stage plan",
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
        "composer draw method.yaml -o method.svg",
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
        "composer translate runs/paint photos --out painted --as a2b",
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
            option(
                "--checkpoint",
                default="latest",
                metavar="latest|best|N",
                help="the newest (default), the one validation found best, or the one of N iterations",
            ),
            option("--seed", type=number, default=0, metavar="S", help="of what the translation draws (default: 0)"),
            option("--force", action="store_true", help="replace files that exist"),
            DEVICE,
        ),
    ),
    "report": Command(
        "write the page of a run: samples, curves, drawing, settings",
        "composer report runs/paint --out paint.html",
        (
            RUN,
            option(
                "--out",
                type=Path,
                metavar="FILE.html",
                help="one file with the pictures in it, to send to somebody (default: index.html in the run's folder, "
                "which shows the pictures that lie beside it)",
            ),
        ),
    ),
    "export": Command(
        "write a trained translation as one file for ONNX Runtime or torch.export, checked against the run",
        "composer export runs/paint --as a2b -o model.onnx",
        (
            RUN,
            option(
                "-o", "--out", type=Path, required=True, metavar="FILE", help="the file: .onnx, or .pt2 (torch.export)"
            ),
            AS,
            option(
                "--float",
                action="store_true",
                help="pictures are float32 [n c h w] from 0 to 1 (default: uint8 [n h w c] from 0 to 255)",
            ),
            option("--size", metavar="HxW", help="take pictures of this size only (default: any); draws become inputs"),
            option("--mode", choices=("train", "eval"), help="mode of the networks (default: what the graph says)"),
            option("--no-dropout", action="store_true", help="leave dropout out, also in train mode"),
            option(
                "--check",
                nargs="+",
                type=Path,
                default=[],
                metavar="IMAGE",
                help="pictures, or folders of them, to compare file and run on (default: of the run's data)",
            ),
            option("--force", action="store_true", help="replace a file that exists"),
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
    "eval": Command(
        "measure a trained run: L1, PSNR, SSIM on pairs, and with weights FID, KID, LPIPS",
        "composer eval runs/paint --as a2b --weights inception=weights-inception-2015-12-05-6726825d.pth",
        (
            RUN,
            option(
                "--data",
                nargs="+",
                default=[],
                metavar="DIR",
                help="pictures to measure on, given as for a run (default: the test part of the run's data)",
            ),
            DIRECTION,
            AS,
            option("--target", metavar="INPUT", help="the picture input it should look like, where that is not clear"),
            option(
                "--unpaired",
                dest="pairs",
                action="store_false",
                help="files of equal names in the two folders do not belong together",
            ),
            option(
                "--checkpoint",
                default="latest",
                metavar="best|latest|N",
                help="which checkpoint to measure (default: latest)",
            ),
            option(
                "--weights",
                nargs="+",
                default=[],
                metavar="KIND=PATH",
                help="inception=PATH for fid and kid, lpips=PATH for lpips; without them it is said which files to get",
            ),
            option("--seed", type=number, default=0, metavar="S", help="of draws and of subsets (default: 0)"),
            option(
                "--out", type=Path, metavar="FILE.json", help="where the numbers go (default: RUN/eval/NAME-N.json)"
            ),
            DEVICE,
        ),
    ),
    "compare": Command(
        "a table of several runs: numbers, validation, speed, memory, parameters",
        "composer compare runs/paint runs/paint-2 --format latex",
        (
            option("runs", type=Path, nargs="+", metavar="RUN", help="folders of runs"),
            option(
                "--format",
                choices=("text", "csv", "latex"),
                default="text",
                help="how the table is written (default: text)",
            ),
            option(
                "--metrics",
                type=words,
                default=[],
                metavar="NAME,...",
                help="only these columns: metrics as l1, or words of a title as 'a2b l1' (default: all)",
            ),
            option(
                "--by",
                choices=("graph", "seed"),
                default="graph",
                help="graph: mean and deviation over runs that differ in their seed only; seed: a line for each run",
            ),
            option(
                "--at",
                choices=("last", "best"),
                default="last",
                help="which of several measurements of a run counts: of the latest iteration measured, or of the one "
                "that validation found best (default: last)",
            ),
        ),
    ),
    "verify-resume": Command(
        "prove that a stopped and continued run is the same run, bit for bit",
        "composer verify-resume method.yaml --iterations 3 3",
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
        epilog="example: composer run method.yaml --out runs/first",
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
