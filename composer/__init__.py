"""Composer: image-to-image translation methods as graph files.

program = composer.compile("graphs/METHOD.yaml", preset="demo")
program.step(batch)
program.translate(images, "a2b")

program = composer.load("runs/METHOD")  # a trained one
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from composer.block import Range, block
from composer.errors import ComposeError

if TYPE_CHECKING:
    from pathlib import Path

    from composer.program import Program
    from composer.shapes import Shaped

__version__ = "0.1.0"
__all__ = ["ComposeError", "Range", "__version__", "block", "check", "compile", "load"]


def check(
    graph: Any, *, preset: str | None = None, variants: Any = (), settings: Any = (), text: str | None = None
) -> Shaped:
    """Read a graph and work out its shapes, without torch. Raises `ComposeError` with every problem found."""
    from composer.document import load
    from composer.graph import build
    from composer.shapes import infer

    pairs = list(settings.items()) if isinstance(settings, dict) else list(settings)
    return infer(build(load(graph, variants=tuple(variants), preset=preset, settings=tuple(pairs), text=text)))


def compile(
    graph: Any,
    *,
    preset: str | None = None,
    variants: Any = (),
    settings: Any = (),
    text: str | None = None,
    device: Any = "cpu",
    dtype: Any = None,
    seed: int = 0,
    optimise: bool = True,
) -> Program:
    """Compile a graph (a path, or the bare name of a bundled one) into a program that trains and translates.

    `settings` are dotted paths and values, as `--set` takes them: `{"params.width": 32}`.
    """
    import torch

    from composer.program import Program

    shaped = check(graph, preset=preset, variants=variants, settings=settings, text=text)
    return Program(shaped, device=device, dtype=dtype or torch.float32, seed=seed, optimise=optimise)


def load(run: str | Path, *, checkpoint: str = "latest", device: Any = "cpu") -> Program:
    """The program of a run with the weights, averages and state of a checkpoint: `latest`, `best` or a number.

    Raises `ComposeError` when the folder holds no run, or no such checkpoint that is whole.
    """
    from pathlib import Path

    from composer.run_folder import open_existing
    from composer.translate_files import load_program

    program: Program = load_program(open_existing(Path(run)), device, checkpoint)[0]
    return program
