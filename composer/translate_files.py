"""`composer translate`: pictures through a trained run, one at a time, whatever their size.

A picture is read upright with its full range, padded to a size the networks take (its edges mirrored outwards),
translated, cropped back and written with the range it had. It goes alone through the program and draws come from
seeds alone, so it gives the same bytes whatever other pictures and styles are translated beside it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch

from composer import checkpoint
from composer.data.pictures import Window, crop_back, pad_to, read_image, write_image
from composer.errors import ComposeError, nearest
from composer.run_folder import RunFolder, open_existing
from composer.style_grid import GridRow, cell, check_grid, write_style_grid
from composer.translate_given import inputs_of, read_given, source_of
from composer.translate_mates import find_mates, read_map, read_mates, split_mates, with_mates
from composer.translate_styles import Style, plan_styles, translate_in
from composer.translate_targets import choose_targets, find_pictures, form_of


@dataclass(frozen=True)
class Wanted:
    """Which styles a translation is wanted in (see `composer.translate_styles.plan_styles`), and a grid of them.

    `give`: texts NAME=VALUE for inputs and draws, as `composer.translate_given` reads them.
    """

    give: Sequence[str] = ()
    samples: int | None = None
    interpolate: int | None = None
    grid: Path | None = None


def translate_files(
    run: Path,
    inputs: Sequence[Path],
    out: Path | None,
    *,
    name: str | None = None,
    seed: int = 0,
    which: str = "latest",
    device: torch.device | str = "cpu",
    force: bool = False,
    said: Callable[[str], None] = lambda text: None,
    wanted: Wanted = Wanted(),
) -> list[Path]:
    """Translate pictures and all pictures of folders into `out`, in each style; returns what was written.

    `name`: which translation of the graph; needed when it has several. `which`: the checkpoint (see
    `checkpoint.chosen`). Existing files are replaced with `force` only. Without `out` there is only the grid.
    Every problem that can be known before is raised before the first picture is translated.
    """
    folder = open_existing(run)
    if out is None and wanted.grid is None:
        raise ComposeError("nothing says where the translations go", remedy="name a folder with --out, or --grid FILE")
    pictures = find_pictures(inputs, out)
    if wanted.grid:
        check_grid(wanted.grid, [picture.path for picture in pictures], force)
    program, iteration = load_program(folder, device, which)
    chosen = choose(program, name)
    texts, places = split_mates(program, chosen, wanted.give)
    given = read_given(program, chosen, texts, data_names(folder))
    beside = [*given, *places]
    source = source_of(program, chosen, beside)
    own, result = picture_sizes(program, chosen, beside)
    form = form_of(program, source, int(own[1]), int(result[1]))
    styles = plan_styles(program, chosen, given, seed, wanted.samples, wanted.interpolate)
    targets = choose_targets(pictures, out, form, force, len(styles))
    mates = find_mates(program, chosen, [picture.path for picture in pictures], places)
    where = " and ".join(str(place) for place in (out, wanted.grid) if place)
    many = f" in {len(styles)} styles" if len(styles) > 1 else ""
    said(f"{chosen} of {folder.path} at iteration {iteration}, {len(pictures)} pictures{many} into {where}")
    rows = []
    for picture, files, others in zip(pictures, targets, mates, strict=True):
        info = None
        if form.maps:
            image = read_map(inputs_of(program, chosen)[source], picture.path)
        else:
            image, info = read_image(picture.path, form.channels, form.reading)
        fed = (image + 1) / 2 if form.unit else image
        row = read_mates(program, chosen, others, picture.path, (image.shape[-2], image.shape[-1]))
        shown = []
        for number, style in enumerate(styles):
            made = translate_in_style(program, fed, chosen, source, style, row)
            made = made * 2 - 1 if form.unit_made else made
            if files:
                files[number].parent.mkdir(parents=True, exist_ok=True)
                write_image(files[number], made, info)
            shown += [cell(made)] if wanted.grid else []
        rows += [GridRow(picture.name.as_posix(), cell(image), tuple(shown))] if wanted.grid else []
    if wanted.grid:
        write_style_grid(wanted.grid, rows, [one.title for one in styles], [one.pictures for one in styles])
    return [file for files in targets for file in files]


def data_names(folder: RunFolder) -> dict[str, list[str]]:
    """What the numbers of labels and attributes stand for in the data of a run, by field; none in older runs."""
    found = folder.read_environment().get("settings", {}).get("data_names", {})
    return found if isinstance(found, dict) else {}


def translate_one(program: Any, image: torch.Tensor, name: str, seed: int) -> torch.Tensor:
    """One picture [c, h, w] in [-1, 1], of any size, to its translation [c', h', w'] on the CPU.

    h' and w' are h and w times what the graph enlarges by.
    """
    return translate_in_style(program, image, name, source_of(program, name), Style("", {}, {}, seed))


def translate_in_style(
    program: Any,
    image: torch.Tensor,
    name: str,
    source: str,
    style: Style,
    row: Mapping[str, torch.Tensor] | None = None,
) -> torch.Tensor:
    """One picture or map of any size that goes into the input `source`, in one style; else as `translate_one`.

    `row`: other inputs of the same size that come with it.
    """
    height, width = image.shape[-2:]
    size = program.translator.padded_size(height, width, name, None if row else source)
    padded, window = pad_to(image, *size)
    style = with_mates(style, {key: pad_to(one, *size)[0][None] for key, one in (row or {}).items()})
    result = translate_in(program, name, source, padded[None], style)[0].detach().cpu()
    return crop_back(result, _enlarged(window, *_enlargement(program, name, style.inputs)))


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


def _enlargement(program: Any, name: str, given: Iterable[str]) -> tuple[Fraction, Fraction]:
    """By how much a translation is taller and wider than its picture, at the size the graph is trained with."""
    own, result = picture_sizes(program, name, given)
    return Fraction(result[-2], own[-2]), Fraction(result[-1], own[-1])


def picture_sizes(program: Any, name: str, given: Iterable[str] = ()) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """The sizes [b, c, h, w] of the picture a translation starts from and of its result, as the graph is trained.

    A ComposeError when it is not from one picture, beside the inputs `given`, to one.
    """
    source = source_of(program, name, given)
    types = program.shaped.types
    own = next(types[node].dims for node in types if node.op == "input" and node.target == source)
    result = getattr(types[program.translations[name].node], "dims", None)
    if result is None or len(result) != 4:
        raise ComposeError(f"'{name}' gives no picture", remedy="translate from Python: program.translate(...)")
    return own, result


def _enlarged(window: Window, down: Fraction, right: Fraction) -> Window:
    """The window in a result that is that much taller and wider."""
    return Window(
        round(window.top * down), round(window.left * right), round(window.height * down), round(window.width * right)
    )
