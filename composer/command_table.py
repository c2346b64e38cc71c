"""What may stand on the command line: commands with their options and an example each, as a table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from composer.options import (
    AS,
    CHANGES,
    CHECKPOINT,
    DATA,
    DEVICE,
    DIRECTION,
    GRAPH,
    GRID,
    LENGTHS,
    RUN,
    SEED,
    SPLIT,
    STYLES,
    TEST_DATA,
    VALIDATION,
    Option,
    count,
    duration,
    names,
    number,
    option,
    words,
)

STAGES = ("document", "graph", "shapes", "plan", "code")


@dataclass(frozen=True)
class Command:
    """What a command does, how it is used, and what it takes."""

    about: str
    example: str
    options: tuple[Option, ...]


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
            RUN,
            option("images", type=Path, nargs="+", metavar="IMAGE", help="pictures, or folders of pictures"),
            option(
                "--out",
                type=Path,
                metavar="DIR",
                help="where the translations go, as NAME.png, or NAME-1.png and so on for several styles",
            ),
            AS,
            CHECKPOINT,
            *STYLES,
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
            option(
                "--as",
                dest="translation",
                metavar="NAME",
                help="which translation of the graph (default: the graph's first)",
            ),
            option("--target", metavar="INPUT", help="the picture input it should look like, where that is not clear"),
            option(
                "--unpaired",
                dest="pairs",
                action="store_false",
                help="files of equal names in the two folders do not belong together",
            ),
            CHECKPOINT,
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
