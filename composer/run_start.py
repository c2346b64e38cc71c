"""Starting or continuing a run: its folder, the weights it begins with, and the state it goes on from."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from composer import checkpoint, events, files, log, run_folder, warm_start
from composer.document import load, to_yaml
from composer.errors import ComposeError
from composer.measure import validation
from composer.program import Program
from composer.run_data import RunData
from composer.run_folder import RunFolder, copy_blocks, describe, write_once
from composer.run_settings import RunSettings


def read_warm_start(settings: RunSettings, program: Program) -> warm_start.Report | None:
    """Give a new run the weights of another one; None without `--from`, and where a run is continued."""
    if settings.source is None:
        if settings.only or settings.anew:
            raise ComposeError("--only and --except choose among the networks of --from, and there is none")
        return None
    before = run_folder.existing(program.graph.name, settings.out) if settings.resume else None
    if before is not None and checkpoint.latest(before.checkpoints) is not None:
        return None
    return warm_start.start(program, warm_start.read(settings.source), settings.only, settings.anew)


def prepare_folder(
    folder: RunFolder, program: Program, settings: RunSettings, data: RunData, warm: warm_start.Report | None
) -> None:
    """Write what describes the run; when it is continued, check that it is the same run."""
    folder.remove_leftovers()
    same = {"seed": settings.seed, "data_identity": data.identity, "epoch_length": data.epoch_length}
    if folder.holds_run:
        before = folder.read_environment().get("settings", {})
        for name, value in same.items():
            if before.get(name, value) != value:
                what = "other data" if name == "data_identity" else f"{name} {before[name]}, now it is {value}"
                raise ComposeError(
                    f"'{folder.path}' was started with {what}",
                    remedy="use what it was started with, or start another run in another folder",
                )
        _refuse_other_source(folder, settings, before.get("source"))
    shown = {**dataclasses.asdict(settings), **same, "data_content": data.content, "data_names": data.names}
    shown["preset"] = program.graph.document.preset
    start: dict[str, Any] = {
        "device": str(program.device),
        "threads": torch.get_num_threads(),
        "workers": data.workers,
    }
    if warm:
        start["warm_start"] = warm.record()
    if program.device.type == "cuda":
        start["device_name"] = torch.cuda.get_device_name(program.device)
    start["parameters"] = sum(program.parameter_counts().values())
    describe(folder, shown, start)
    copies = copy_blocks(folder, [Path(file) for file in program.graph.block_files])
    write_once(folder.graph, _with_blocks(program.resolved_yaml(), copies), "the graph with its settings")
    if not folder.plan.exists():
        files.write_atomically(folder.plan, program.printed("plan").rstrip("\n") + "\n")


def _refuse_other_source(folder: RunFolder, settings: RunSettings, before: str | None) -> None:
    """A run that is continued does not start from somewhere else; the same `--from` again is no mistake."""
    if settings.source is None or (before and Path(before).resolve() == settings.source.resolve()):
        return
    raise ComposeError(
        f"'{folder.path}' was started {f'from {before}' if before else 'without --from'}",
        remedy="continue it without --from, or start another run in another folder",
    )


def _with_blocks(graph: str, copies: Sequence[str]) -> str:
    """The text of a graph that runs the copies of the user's files instead of the files themselves."""
    if not copies:
        return graph
    return to_yaml(load("graph.yaml", text=graph, settings={"blocks": list(copies)}))


def restore(folder: RunFolder, program: Program) -> dict[str, Any]:
    """Put the program where the newest whole checkpoint left it, and cut the logs back to there."""
    newest = checkpoint.latest(folder.checkpoints)
    found: dict[str, Any] = {}
    if newest is not None:
        tensors, found = newest.load()
        program.load_state(tensors, found["program"])
    checkpoint.clear(folder.checkpoints, after=program.iteration if newest else -1)
    log.cut(folder.log, program.iteration)
    validation.cut(folder, program.iteration)
    events.cut(folder.events, program.iteration)
    return found
