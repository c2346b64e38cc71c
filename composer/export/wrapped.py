"""A translation as one module: pictures in, pictures out, whatever their size, every random number an input."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor, nn

from composer.block import Block, look_up
from composer.blocks.random import drawing
from composer.clock import Clock
from composer.emit import emit_value, identifier
from composer.export.settle import settled
from composer.export.sizes import Steps, crop, pad
from composer.nodes import Translation, reachable
from composer.runtime import parameters_of
from composer.wired import Entry


@dataclass(frozen=True)
class Given:
    """One input of the module.

    `name`: in the file. `source`: the graph's name of it, for a draw the name of the draw. `kind`: of the graph, or
    `draw`. `group`: inputs of one group have one size and are padded alike; -1 has no height and width.
    """

    name: str
    source: str
    kind: str
    group: int = -1


@dataclass(frozen=True)
class Form:
    """How pictures are written: bytes [n h w c] from 0 to 255, or `unit`, float [n c h w] from 0 to 1.

    `steps`: the sizes that fit, of heights and widths, for each group of inputs. `out`: by how much the result is
    higher and wider than the first group.
    """

    unit: bool
    steps: tuple[tuple[Steps, Steps], ...]
    out: tuple[Fraction, Fraction]


@dataclass
class Recorder:
    """Random numbers while a translation runs: fed ones in order, or drawn ones, which are noted with their law."""

    fed: Mapping[str, Sequence[Tensor]] | None = None
    generator: torch.Generator = field(default_factory=lambda: torch.Generator().manual_seed(0))
    drawn: list[tuple[str, str, Tensor]] = field(default_factory=list)  # name, law, numbers
    asked: dict[str, int] = field(default_factory=dict)
    network: str = ""

    def take(self, name: str, law: str, make: Callable[[], Tensor]) -> Tensor:
        number = self.asked[name] = self.asked.get(name, 0) + 1
        if self.fed is not None:
            return self.fed[name][number - 1]
        found = make()
        self.drawn.append((name, law, found))
        return found

    def uniform(self, place: str, shape: Sequence[int], device: torch.device, dtype: torch.dtype) -> Tensor:
        law = "evenly spread from 0 to 1"
        return self.take(f"{self.network}:{place}", law, lambda: torch.rand(tuple(shape), generator=self.generator))

    def keep_mask(self, place: str, shape: Sequence[int], p: float, device: torch.device, dtype: torch.dtype) -> Tensor:
        law = f"1 with probability {1 - p:g}, else 0"
        make = lambda: (torch.rand(tuple(shape), generator=self.generator) >= p).to(dtype)  # noqa: E731
        return self.take(f"{self.network}:{place}", law, make)


class Wrapped(nn.Module):
    """The translation `chosen` of a program with its weights as they are now.

    Called with the tensors of `givens` in their order; gives one picture for each of the first one's.
    """

    def __init__(self, program: Any, chosen: Translation, mode: str) -> None:
        super().__init__()
        self.givens: tuple[Given, ...] = ()
        self.form: Form | None = None
        self.blank: dict[str, tuple[tuple[int, ...], torch.dtype]] = {}
        self.recorder = Recorder()
        self._clock = Clock(max(0, program.iteration - 1), program.epoch_length)
        nodes = reachable([chosen.node])
        self._laws = {n.name: look_up(n.target) for n in nodes if n.op == "draw"}
        code = emit_value(program.graph, [chosen.node], program.drawing)
        code.networks = {v: (n, e, a or n in program.averages) for v, (n, e, a) in code.networks.items()}
        called = {n.target for n in nodes if n.op == "call"}
        self.networks = nn.ModuleDict()
        self.collected = nn.Module()
        callables: dict[str, Any] = {}
        made: dict[tuple[str, bool], nn.Module] = {}
        with program.evaluator.in_mode(mode, called):
            for variable, (name, entry, average) in code.networks.items():
                if (name, average) not in made:
                    network = (program.averages if average and name in program.averages else program.networks)[name]
                    made[name, average] = self.networks[self._free(name)] = settled(network)
                callables[variable] = Entry(made[name, average], entry) if entry else made[name, average]
        for name in {n.target for n in nodes if n.op == "collected"}:
            self.collected.register_buffer(identifier(name), program.collected(name).detach().clone())
        self._function = program.load(
            code,
            f"<{program.graph.name} exported>",
            no_grad=nullcontext,
            stop=lambda x: x,
            inside=self._inside,
            collected=lambda name: getattr(self.collected, identifier(name)),
            **callables,
        )

    def _free(self, name: str) -> str:
        word, number = identifier(name), 2
        while word in self.networks or hasattr(nn.ModuleDict, word):
            word, number = f"{identifier(name)}_{number}", number + 1
        return word

    @contextmanager
    def _inside(self, network: str, call: str) -> Iterator[None]:
        self.recorder.network = network
        with drawing(self.recorder):
            yield

    def _draw(self, name: str, function: Callable[..., Tensor], *args: Any, **settings: Any) -> Tensor:
        known = parameters_of(function)
        extra = {k: v for k, v in (("device", "cpu"), ("dtype", torch.float32)) if k in known}
        make = lambda: function(*args, **settings, generator=self.recorder.generator, **extra)  # noqa: E731
        return self.recorder.take(name, law_of(self._laws[name], settings), make)

    def compute(self, batch: Mapping[str, Tensor], recorder: Recorder) -> Tensor:
        """The value of the translation on prepared inputs of the graph, with random numbers of `recorder`."""
        self.recorder = recorder
        rows = next(iter(batch.values())).shape[0]
        unused = {n: torch.zeros(rows, *size, dtype=dtype) for n, (size, dtype) in self.blank.items() if n not in batch}
        found = self._function({**batch, **unused}, {}, self._draw, None, self._clock)
        return found[0]  # type: ignore[no-any-return]

    def forward(self, first: Tensor, *others: Tensor) -> Tensor:
        form = self.form
        assert form is not None
        batch: dict[str, Tensor] = {}
        fed: dict[str, list[Tensor]] = {}
        sizes: dict[int, tuple[Any, Any]] = {}
        for given, tensor in zip(self.givens, (first, *others), strict=True):
            if given.kind == "draw":
                fed.setdefault(given.source, []).append(tensor)
                continue
            if given.kind == "image" and not form.unit:
                tensor = tensor.permute(0, 3, 1, 2)
            if given.group >= 0:
                sizes[given.group] = height, width = tensor.shape[-2], tensor.shape[-1]
                rows, columns = form.steps[given.group]
                tensor = pad(tensor, rows.padded(height), columns.padded(width))
            if given.kind == "image":
                tensor = ((tensor if form.unit else tensor.to(torch.float32) / 255) - 0.5) * 2
            batch[given.source] = tensor
        result = self.compute(batch, Recorder(fed))
        rows, columns = form.steps[0]
        height, width = sizes[0]
        result = crop(result, (rows.padded(height), columns.padded(width)), (height, width), form.out)
        result = ((result + 1) / 2).clamp(0, 1)
        return result if form.unit else (result * 255).round().to(torch.uint8).permute(0, 2, 3, 1)


def law_of(block: Block, settings: Mapping[str, Any]) -> str:
    """The first words of a draw's block about itself, and its settings."""
    about = re.split(r"[,.:]|in the shape", block.doc.partition("\n")[0])[0].strip()
    numbers = ", ".join(f"{k}={v}" for k, v in settings.items() if isinstance(v, (int, float)))
    return f"{about}: {block.name}({numbers})"


def first_line(error: BaseException) -> str:
    """What an error says, on one line of a message."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)[:200]
