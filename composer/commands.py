"""What each command of the command line does; one function a command, called with its arguments.

Imports stand inside: `composer check` needs no torch, and `composer --help` nothing at all.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from composer.errors import ComposeError, Problem

if TYPE_CHECKING:
    from composer.run_settings import RunSettings


UNSET = ("command", "settings", "dry_run", "grid")  # arguments that are no settings of a run, or are read apart


def version() -> str:
    import composer

    return f"composer {composer.__version__}"


def run(given: argparse.Namespace) -> int:
    from composer.interrupt import continuing, importing
    from composer.wall_time import STARTED

    if given.dry_run:
        with importing():
            from composer.dry_run import dry_run

        return dry_run(_run_settings(given), given.grid)
    if given.grid:
        raise ComposeError("--grid is the picture of a dry run", remedy="add --dry-run")
    with importing():
        from composer.run import run as start

    outcome = start(_run_settings(given), started=STARTED)
    if outcome.status and (again := continuing(sys.argv, outcome.folder)):
        print(again)
    return outcome.status


def check(given: argparse.Namespace) -> int:
    """One line for each good file with what looks like an oversight in it, then every problem of the others."""
    import composer

    problems: list[Problem] = []
    good: list[str] = []
    graphs = []
    for graph in given.graphs:
        try:
            shaped = composer.check(graph, **_changes(given))
        except ComposeError as error:
            problems += error.problems
        else:
            graphs.append(shaped.graph)
            good.append(
                f"{graph}: ok ({_counted(shaped.graph.networks, 'network')}, {_counted(shaped.graph.phases, 'phase')})"
            )
            good += [str(replace(warning, fact=f"warning: {warning.fact}")) for warning in shaped.graph.warnings]
    for line in good:
        print(line)
    if problems:
        raise ComposeError(problems[0].fact, problems=tuple(dict.fromkeys(problems)))
    if not any((given.data, given.direction, given.test_data, given.split, given.grid)):
        return 0
    from composer.look import Asked, check_data

    asked = Asked(given.data, given.direction, given.test_data, given.seed, given.split)
    return check_data(graphs, asked, given.grid)


def show(given: argparse.Namespace) -> int:
    import composer

    changes = _changes(given)
    if given.stage in ("document", "graph"):
        from composer.listing import printed

        print(printed(composer.check(given.graph, **changes), given.stage).rstrip("\n"))
        return 0
    program = composer.compile(given.graph, **changes)
    stages = [given.stage] if given.stage else ["shapes", "plan"]
    print("\n\n".join(program.printed(stage).rstrip("\n") for stage in stages))
    return 0


def draw(given: argparse.Namespace) -> int:
    from composer.draw import draw as draw_graph

    made = draw_graph(given.graph, given.out, expand=given.expand, network=given.network, **_changes(given))
    print(f"wrote {made}")
    return 0


def blocks(given: argparse.Namespace) -> int:
    from composer.tables import block_page, block_table

    print(block_page(given.name) if given.name else block_table())
    return 0


def graphs(given: argparse.Namespace) -> int:
    from composer.tables import graph_table

    print(graph_table())
    return 0


def translate(given: argparse.Namespace) -> int:
    from composer.devices import pick_device
    from composer.translate_files import Wanted, translate_files

    written = translate_files(
        given.run,
        given.images,
        given.out,
        name=given.translation,
        seed=given.seed,
        which=given.checkpoint,
        device=pick_device(given.device),
        force=given.force,
        said=print,
        wanted=Wanted(given.give, given.samples, given.interpolate, given.grid),
    )
    if given.out:
        print(f"wrote {_counted(written, 'picture')}")
    if given.grid:
        print(f"wrote {given.grid}")
    return 0


def eval(given: argparse.Namespace) -> int:
    from composer.devices import pick_device
    from composer.display import count_up
    from composer.measure.evaluate import EvalSettings, evaluate

    known = {name: value for name, value in vars(given).items() if name != "command"}
    lists = {name: tuple(known[name]) for name in ("data", "weights")}
    evaluate(EvalSettings(**{**known, **lists, "device": pick_device(given.device)}), print, count_up("measured"))
    return 0


def compare(given: argparse.Namespace) -> int:
    from composer.compare import compare as compare_runs

    print(compare_runs(given.runs, style=given.format, metrics=given.metrics, by=given.by, at=given.at), end="")
    return 0


def report(given: argparse.Namespace) -> int:
    from composer.report import write_report

    print(f"wrote {write_report(given.run, given.out)}")
    return 0


def export(given: argparse.Namespace) -> int:
    from composer.export.command import export, read_size

    export(
        given.run,
        given.out,
        name=given.translation,
        unit=given.float,
        size=read_size(given.size) if given.size else None,
        mode=given.mode,
        dropout=not given.no_dropout,
        check=given.check,
        force=given.force,
        said=print,
    )
    print(f"wrote {given.out} ({given.out.stat().st_size:,} bytes)")
    return 0


def data(given: argparse.Namespace) -> int:
    from composer.data.demo import write_demo

    for name, count in write_demo(given.out, size=given.size, seed=given.seed).items():
        print(f"{given.out / name}: {count} pictures")
    return 0


def verify_resume(given: argparse.Namespace) -> int:
    from composer.verify_resume import table
    from composer.verify_resume import verify_resume as verify

    before, after = given.iterations
    given.iterations = None
    found = verify(_run_settings(given), before, after)
    print(f"{before} + {after} iterations at once, against {before}, a stop, and {after} more:")
    print(table(found))
    different = any(one.different for one in found)
    print("the runs differ" if different else "the runs are the same, bit for bit")
    return int(different)


def _run_settings(given: argparse.Namespace) -> RunSettings:
    """The settings of a run from the options that were given; options a command lacks keep their defaults."""
    from composer.run_settings import RunSettings

    known = {name: value for name, value in vars(given).items() if name not in UNSET}
    lists = {name: tuple(value) for name, value in known.items() if isinstance(value, list)}
    return RunSettings(**{**known, **lists}, settings=tuple(_pairs(given.settings)))


def _changes(given: argparse.Namespace) -> dict[str, Any]:
    return {"variants": given.variants, "preset": given.preset, "settings": list(_pairs(given.settings))}


def _pairs(texts: Iterable[str]) -> Iterator[tuple[str, str]]:
    """`params.width=32` to path and value."""
    for text in texts:
        path, equals, value = text.partition("=")
        if not equals or not path:
            raise ComposeError(f"--set {text} has no value", remedy="write PATH=VALUE, e.g. --set params.width=32")
        yield path, value


def _counted(things: Any, name: str) -> str:
    return f"{len(things)} {name}{'' if len(things) == 1 else 's'}"
