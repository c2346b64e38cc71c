"""`composer export`: one translation of a run as a file, checked against the program before it is there."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

import composer
from composer import checkpoint
from composer.data.decode import Unreadable, decode
from composer.data.pictures import read_image
from composer.errors import ComposeError
from composer.export.check import Difference, Subject, compare
from composer.export.contract import Contract, make_contract
from composer.export.formats import SUFFIXES, check_packages, export_bytes, open_model
from composer.export.settle import without_dropout
from composer.export.trial import Port
from composer.files import replacing
from composer.run_folder import RunFolder, open_existing

DEMO_PICTURES = 2
MOST_PICTURES = 8  # to compare on; more are passed over


def export(
    run: Path,
    out: Path,
    *,
    name: str | None = None,
    unit: bool = False,
    size: tuple[int, int] | None = None,
    mode: str | None = None,
    dropout: bool = True,
    check: Sequence[Path] = (),
    force: bool = False,
    said: Callable[[str], None] = lambda text: None,
) -> Difference:
    """Write the translation `name` of a run to `out` (.onnx or .pt2); returns how far it is from the program.

    `unit`: pictures are float [n c h w] from 0 to 1, not bytes [n h w c]. `size`: (h, w), for pictures of that size
    only. `mode`: train or eval instead of what the graph says. Without `dropout` it is off whatever the mode.
    `check`: pictures to compare on, otherwise those of the run's data, otherwise made-up ones.
    Nothing is written unless file and program agree.
    """
    from composer.translate_files import choose, load_program

    check_target(out, force)
    folder = open_existing(run)
    program, iteration = load_program(folder)
    chosen = program.translations[choose(program, name)]
    program.passing.check_collected(chosen)
    mode = mode or chosen.mode
    if not dropout:
        without_dropout([*program.networks.values(), *program.averages.values()])
    read_pictures(check)
    wrapped, contract = make_contract(program, chosen, mode, unit=unit, size=size)
    said(f"{chosen.name} of {folder.path} at iteration {iteration}, networks in {mode} mode")
    for line in described(contract):
        said(line)
    pictures, whose = _pictures(check, folder, contract.inputs[0])
    facts = _metadata(program, folder, chosen.name, mode, dropout, iteration, contract)
    content = export_bytes(wrapped, contract, facts, out.suffix, chosen.name)
    try:
        with replacing(out) as temporary:
            temporary.write_bytes(content)
            found = compare(Subject(program, chosen, mode, wrapped, contract), open_model(temporary), pictures)
            if not found.passes:
                raise ComposeError(f"the exported model is not the program: {found}", remedy="nothing was written")
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ComposeError(f"the disk is full while writing '{out}'", remedy="free some space") from None
        raise
    said(f"checked against the program on {whose}: {found}")
    return found


def check_target(out: Path, force: bool) -> None:
    """A `ComposeError` when `out` cannot be written, before anything is computed."""
    if out.suffix not in SUFFIXES:
        kinds = " or ".join(f"{suffix} ({kind})" for suffix, kind in SUFFIXES.items())
        raise ComposeError(f"cannot export to '{out}'", remedy=f"name a file that ends in {kinds}")
    check_packages(out.suffix)
    if out.is_dir():
        raise ComposeError(f"'{out}' is a folder", remedy="name a file")
    if out.exists() and not force:
        raise ComposeError(f"'{out}' exists", remedy="name another file, or replace it with --force")
    if not out.parent.is_dir():
        raise ComposeError(f"there is no folder '{out.parent}'", remedy="make it first")


def described(contract: Contract) -> list[str]:
    """What goes in and out, a line each."""
    lines = [f"  in   {_shown(port)}" for port in contract.inputs]
    lines.append(f"  out  {_shown(contract.output)}")
    if contract.size is None:
        high, wide = contract.steps
        same = str(high) == str(wide)
        fits = f"{high}" if same else f"{high} (height), {wide} (width)"
        lines.append("  any size" + ("" if fits == "any" else f"; inside, edges are mirrored up to {fits}"))
    else:
        lines.append(f"  pictures of {contract.size[0]} x {contract.size[1]} only")
    if contract.batch:
        lines.append("  one picture at a time: rows of a batch influence each other in this graph")
    return lines


def _shown(port: Port) -> str:
    return f"{port.name}: {port.dtype} [{' '.join(map(str, port.dims))}], {port.meaning}"


def _metadata(
    program: Any, folder: RunFolder, name: str, mode: str, dropout: bool, iteration: int, contract: Contract
) -> dict[str, str]:
    """Texts that go into the file."""
    newest = checkpoint.latest(folder.checkpoints)
    digest = "" if newest is None else json.loads(newest.description.read_text(encoding="utf-8"))["sha256"]
    ports = [(port, "in") for port in contract.inputs] + [(contract.output, "out")]
    tensors = [
        {"name": p.name, "graph_name": p.source, "direction": way, "kind": p.kind, "dtype": p.dtype,
         "shape": list(p.dims), "meaning": p.meaning}
        for p, way in ports
    ]  # fmt: skip
    return {
        "composer": composer.__version__,
        "graph": program.graph.name,
        "about": program.graph.about,
        "translation": name,
        "mode": mode,
        "dropout": "as in the graph" if dropout else "off",
        "run": folder.path.resolve().name,
        "iteration": str(iteration),
        "checkpoint_sha256": digest,
        "tensors": json.dumps(tensors),
        "heights_inside": str(contract.steps[0]) if contract.size is None else str(contract.size[0]),
        "widths_inside": str(contract.steps[1]) if contract.size is None else str(contract.size[1]),
    }


def _pictures(check: Sequence[Path], folder: RunFolder, port: Port) -> tuple[list[Any], str]:
    """PIL pictures to compare on, and what they are called."""
    if check:
        named = read_pictures(check)
        return named, f"{len(named)} picture{'' if len(named) == 1 else 's'}"
    trained_on = _data_pictures(folder, port)
    if trained_on:
        return trained_on, "pictures of its data"
    from composer.data.demo_paint import STYLES, paint
    from composer.data.demo_scenes import make_scene

    style = next(iter(STYLES))
    painted = [Image.fromarray(paint(make_scene(0, "test", i), 128, style)) for i in range(DEMO_PICTURES)]
    return painted, "made-up pictures"


def read_pictures(paths: Sequence[Path]) -> list[Any]:
    """The first pictures of files and folders; a ComposeError when one cannot be read."""
    from composer.data.files import list_images

    named = [p for path in paths for p in (list_images(path) if path.is_dir() else [path])]
    if paths and not named:
        raise ComposeError(f"no pictures in '{paths[0]}'")
    for path in named[:MOST_PICTURES]:
        read_image(path)  # raises the message of an unreadable picture
    return [_opened(path) for path in named[:MOST_PICTURES]]


def _opened(path: Path) -> Any:
    pixels = decode(path, 3)[0]
    return Image.fromarray(pixels if pixels.dtype == "uint8" else (pixels * 255).round().astype("uint8"))


def _data_pictures(folder: RunFolder, port: Port) -> list[Any]:
    """Two pictures of the folders that the run was given, those of the input first; none where they are gone."""
    from composer.data.files import list_images

    given = folder.read_environment().get("settings", {})
    words = [str(word).rpartition("=") for word in given.get("data", ()) or ()] if isinstance(given, dict) else []
    short = port.source.rpartition("[")[2].rstrip("]")
    for _, _, text in sorted(words, key=lambda word: word[0] not in (short, port.source)):
        path = Path(text)
        try:
            inside = [path, *sorted(p for p in path.iterdir() if p.is_dir())] if path.is_dir() else []
            found = [_opened(p) for one in inside for p in list_images(one)[:DEMO_PICTURES]]
        except (OSError, ComposeError, Unreadable):
            continue  # moved or damaged since: other pictures will do
        if found:
            return found[:DEMO_PICTURES]
    return []


def read_size(text: str) -> tuple[int, int]:
    """`256x384` to height and width."""
    parts = text.lower().split("x")
    if len(parts) != 2 or not all(p.isascii() and p.isdigit() and int(p) for p in parts):
        raise ComposeError(f"--size {text} is no size", remedy="write HEIGHTxWIDTH, e.g. --size 256x256")
    return int(parts[0]), int(parts[1])
