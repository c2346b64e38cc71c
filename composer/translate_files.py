"""`composer translate`: pictures through a trained run, one at a time, whatever their size.

A picture is read upright with its full range, padded to a size the networks take (its edges mirrored outwards),
translated, cropped back and written with the range it had. It goes alone through the program and draws come from
`seed` alone, so it gives the same bytes whatever other pictures are translated beside it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch

from composer import checkpoint
from composer.data.pictures import Window, crop_back, pad_to, read_image, write_image
from composer.errors import ComposeError, nearest
from composer.run_folder import RunFolder, open_existing
from composer.translate_targets import Form, choose_targets, find_pictures, form_of


def translate_files(
    run: Path,
    inputs: Sequence[Path],
    out: Path,
    *,
    name: str | None = None,
    seed: int = 0,
    which: str = "latest",
    device: torch.device | str = "cpu",
    force: bool = False,
    said: Callable[[str], None] = lambda text: None,
) -> list[Path]:
    """Translate pictures and all pictures of folders into `out`; returns what was written.

    `name`: which translation of the graph; needed when it has several. `which`: the checkpoint (see
    `checkpoint.chosen`). Existing files are replaced with `force` only.
    Every problem that can be known before is raised before the first picture is translated.
    """
    folder = open_existing(run)
    pictures = find_pictures(inputs, out)
    program, iteration = load_program(folder, device, which)
    chosen = choose(program, name)
    form = _form(program, chosen)
    targets = choose_targets(pictures, out, form, force)
    said(f"{chosen} of {folder.path} at iteration {iteration}, {len(pictures)} pictures into {out}")
    for picture, target in zip(pictures, targets, strict=True):
        image, info = read_image(picture.path, form.channels, form.reading)
        made = translate_one(program, (image + 1) / 2 if form.unit else image, chosen, seed)
        target.parent.mkdir(parents=True, exist_ok=True)
        write_image(target, made * 2 - 1 if form.unit_made else made, info)
    return targets


def translate_one(program: Any, image: torch.Tensor, name: str, seed: int) -> torch.Tensor:
    """One picture [c, h, w] in [-1, 1], of any size, to its translation [c', h', w'] on the CPU.

    h' and w' are h and w times what the graph enlarges by.
    """
    height, width = image.shape[-2:]
    padded, window = pad_to(image, *program.padded_size(height, width, name))
    result = program.translate(padded[None], as_=name, seed=seed)[0].detach().cpu()
    return crop_back(result, _enlarged(window, *_enlargement(program, name)))


def load_program(folder: RunFolder, device: torch.device | str = "cpu", which: str = "latest") -> tuple[Any, int]:
    """The program of a run with the state of a checkpoint (see `checkpoint.chosen`), and how many iterations it had."""
    import composer

    found_checkpoint = checkpoint.chosen(folder.path, which)
    tensors, found = found_checkpoint.load()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a file of `weights:` may be gone by now: the checkpoint holds them too
        program = composer.compile(folder.graph, device=device, seed=found["program"]["seed"])
    program.load_state(tensors, found["program"])
    return program, found_checkpoint.iteration


def choose(program: Any, name: str | None) -> str:
    """The translation called `name`, or the only one there is."""
    known = list(program.translations)
    if name is None:
        if len(known) == 1:
            return str(known[0])
        raise ComposeError(
            f"this graph has {len(known) or 'no'} translations: {', '.join(known)}",
            remedy=f"choose one with --as {known[0]}" if known else "write one under 'translate:' and train again",
        )
    if name not in known:
        raise ComposeError(f"this graph has no translation '{name}'", remedy=nearest(name, known))
    return name


def _form(program: Any, name: str) -> Form:
    """How many channels the one picture has that the translation starts from, and how it is read and written."""
    own, made = picture_sizes(program, name)
    return form_of(program, name, int(own[1]), int(made[1]))


def _enlargement(program: Any, name: str) -> tuple[Fraction, Fraction]:
    """By how much a translation is taller and wider than its picture, at the size the graph is trained with."""
    own, result = picture_sizes(program, name)
    return Fraction(result[-2], own[-2]), Fraction(result[-1], own[-1])


def picture_sizes(program: Any, name: str) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """The sizes [b, c, h, w] of the picture a translation starts from and of its result, as the graph is trained.

    A ComposeError when it is not from one picture to one.
    """
    needed = program.translator.needs(name)
    types = program.shaped.types
    own = next((types[node].dims for node in types if node.op == "input" and [node.target] == needed), None)
    if own is None or len(own) != 4:
        raise ComposeError(
            f"'{name}' starts from {', '.join(needed) or 'nothing'}, and a file gives it one picture",
            remedy="translate from Python: program.translate({...}, as_=...)",
        )
    result = getattr(types[program.translations[name].node], "dims", None)
    if result is None or len(result) != 4:
        raise ComposeError(f"'{name}' gives no picture", remedy="translate from Python: program.translate(...)")
    return own, result


def _enlarged(window: Window, down: Fraction, right: Fraction) -> Window:
    """The window in a result that is that much taller and wider."""
    return Window(
        round(window.top * down), round(window.left * right), round(window.height * down), round(window.width * right)
    )
