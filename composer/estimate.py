"""How much memory a program will need, before anything of it is allocated.

The emitted step runs on the meta device, where tensors have shapes and no numbers, and every storage is counted from
the operation that makes it to the moment nothing needs it (`composer.live_bytes`): weights, what is kept for the
backward pass, gradients, the state of optimizers and the copies an optimizer's step makes. So the estimate follows
the plan, whatever the graph, and takes about as long as a step of a tiny program.

Not counted: what kernels use inside (see `docs/before_training.md`), what the driver of a GPU keeps for itself, and
the pieces between tensors that an allocator cannot use.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from composer.errors import ComposeError
from composer.live_bytes import LiveBytes
from composer.nodes import reachable
from composer.program import Batch, Program
from composer.shapes import Shaped
from composer.signature import INTEGER_KINDS, Rows
from composer.signature import Tensor as TensorType

WEIGHTS, GRADIENTS, OPTIMIZER, AVERAGES, STATES, BATCH = (
    "weights",
    "gradients",
    "optimizer state",
    "averages",
    "pools and buffers",
    "batch",
)
MOST_SETS = 8  # of phases that run together and are looked at
GROUP = 16  # channels
# Around tensors: a share of them, which the C library's allocator holds between them, and bytes that the first use of
# every kernel leaves. Measured, see docs/performance.md.
AROUND = {"cpu": (0.15, 20 * 10**6)}
GRAIN = {"cuda": 512}  # bytes: the allocator of a GPU hands out multiples of it


@dataclass(frozen=True)
class Memory:
    """Bytes that a program needs on its device.

    `parts`: what is alive at the highest moment of an iteration, by kind. `moments`: the highest need of an iteration,
    of drawing samples, of saving a checkpoint and of each translation of one batch; both are of tensors alone. `saved`:
    a checkpoint on the disk. `device`: the type of device that it is about.
    """

    device: str
    parts: dict[str, int] = field(default_factory=dict)
    moments: dict[str, int] = field(default_factory=dict)
    saved: int = 0

    @property
    def tensors(self) -> int:
        """The most that training holds in tensors at any moment."""
        return max((size for name, size in self.moments.items() if not name.startswith("translate ")), default=0)

    @property
    def peak(self) -> int:
        """The most that training takes of the device: what allocators and libraries keep around tensors included."""
        return self.taken(self.tensors)

    def taken(self, tensors: int) -> int:
        """What so many bytes of tensors take of the device."""
        share, base = AROUND.get(self.device, (0.0, 0))
        return round(tensors * (1 + share)) + base


class Unknown(Exception):
    """The memory cannot be known without numbers. The text says why."""


def estimate(program: Program, device: str | torch.device = "cpu") -> Memory:
    """The memory that training and using a graph will need on `device`, computed without it. Raises `Unknown`.

    `program` is on the meta device (`composer.compile(graph, device="meta")`), and used up by it.
    """
    try:
        return measure(program, [empty_batch(program)], torch.device(device).type)
    except ComposeError:
        raise
    except (RuntimeError, NotImplementedError, ValueError, TypeError, IndexError) as error:
        # A block may look at numbers, which a tensor without data does not have.
        first = (str(error) or type(error).__name__).splitlines()[0]
        raise Unknown(f"a block needs numbers to know its shapes: {first}") from error


def measure(program: Program, batches: list[Batch], target: str) -> Memory:
    """Count what a program does with its memory on the device it is on, as it would be on a device of type `target`.

    The program is used up by it: it has trained a few iterations of no matter what. `batches` are used in turn.
    """
    scratch = copies_of_convolutions if target == "cpu" else None
    live = LiveBytes(program.device.type, grain=GRAIN.get(target, 1), scratch=scratch)
    if program.device.type == "meta" and target == "cuda":
        _step_as_on_a_gpu(program)

    def is_gradient(parameter: Tensor) -> None:
        live.mark([parameter.grad] if parameter.grad is not None else [], GRADIENTS)

    trained = [p for network in program.networks.values() for p in network.parameters() if p.requires_grad]
    hooks = [p.register_post_accumulate_grad_hook(is_gradient) for p in trained]  # type: ignore[no-untyped-call]
    try:
        with live:
            return _measured(program, batches, live, target)
    finally:
        for hook in hooks:
            hook.remove()


def _measured(program: Program, batches: list[Batch], live: LiveBytes, target: str) -> Memory:
    live.mark((value for batch in batches for value in batch.values()), BATCH)
    _mark(program, live)
    _run_passes(program, batches)
    numbers = list(iterations_of_interest(program))
    for number in numbers:  # optimizers make their state at their first step
        _step(program, number, batches)
    _mark(program, live)
    live.forget_peak()
    for number in numbers:
        _step(program, number, batches)
    moments = {"iteration": live.peak}
    parts = {kind: size for kind, size in live.at_peak.items() if size}
    if program.show:
        live.forget_peak()
        program.evaluate(program.show, batches[0])
        moments["sample grid"] = live.peak
    live.forget_peak()
    tensors, _ = program.state()
    saved = sum(value.numel() * value.element_size() for value in tensors.values())
    moments["checkpoint"] = live.peak
    del tensors
    program.passing.done = set(program.passes)  # those at the end count as run; the steps took that back
    for name in program.translations:
        live.forget_peak()
        program.translate({field: batches[0][field] for field in program.translator.needs(name)}, name)
        moments[f"translate {name}"] = live.peak
    return Memory(target, parts, moments, saved)


def _step(program: Program, number: int, batches: list[Batch]) -> None:
    program.iteration = number
    wanted = program.batches(number)
    program.step([batches[i % len(batches)] for i in range(wanted)])


def _mark(program: Program, live: LiveBytes) -> None:
    """Tell what stays from iteration to iteration."""
    live.mark((p for m in program.networks.values() for p in m.parameters()), WEIGHTS)
    live.mark((t for m in program.averages.values() for t in (*m.parameters(), *m.buffers())), AVERAGES)
    kept = (*program.networks.values(), *program.states.values(), *program.collectors.values())
    live.mark((b for m in kept for b in m.buffers()), STATES)
    live.mark(_optimizer_state(program), OPTIMIZER)


def _optimizer_state(program: Program) -> Iterator[Tensor]:
    for optimizer in program.optimizers.optimizers.values():
        for state in optimizer.state.values():
            yield from (value for value in state.values() if isinstance(value, Tensor))


def _step_as_on_a_gpu(program: Program) -> None:
    """There the optimizers step all parameters at once, which needs copies of a moment of all of them."""
    for optimizer in program.optimizers.optimizers.values():
        for group in optimizer.param_groups:
            if group.get("foreach", False) is None:
                group["foreach"] = True


def _run_passes(program: Program, batches: list[Batch]) -> None:
    """What passes collect is needed by later iterations; one batch shows its shape."""
    for ended in (False, True):
        for one in program.due_passes(ended):
            program.run_pass(one.name, batches[:1])
    program.passing.done = set(program.passes)


def copies_of_convolutions(operation: Any, given: tuple[Any, ...], found: Any) -> int:
    """What convolutions use inside on the CPU: copies of what goes in and comes out, in an order of their own.

    That order puts 16 channels side by side and fills up the last such group; pictures of up to 3 channels are taken
    as they are. Bytes.
    """
    aten = torch.ops.aten
    if operation is aten.convolution.default:
        return _grouped(given[0]) + _grouped(found)
    if operation is aten.convolution_backward.default:
        return _grouped(given[0]) + _grouped(given[1])
    return 0


def _grouped(tensor: Tensor) -> int:
    channels = tensor.shape[1]
    filled = -(-channels // GROUP) * GROUP if channels > 3 else 0
    return tensor.numel() // max(1, channels) * filled * tensor.element_size()


def iterations_of_interest(program: Program) -> Iterator[int]:
    """An iteration for each set of phases that run together, the first of each; at most `MOST_SETS`."""
    total = program.training.iterations or (program.training.epochs or 1) * program.epoch_length
    seen: set[Any] = set()
    for number in _spread(total):
        active = program.active(number)
        if active not in seen:
            seen.add(active)
            yield number
        if len(seen) == MOST_SETS:
            return


def _spread(total: int) -> Iterable[int]:
    """The first iterations one by one, later ones in ever larger steps."""
    number = 0
    while number < max(1, total):
        yield number
        number += max(1, number // 256)


def empty_batch(program: Program) -> dict[str, Tensor]:
    """A batch of the shapes that a graph reads, on the program's device, without meaning."""
    found: dict[str, Tensor] = {}
    for node in reachable(program.graph.roots):
        shape = program.shaped.types[node]
        if node.op == "input" and isinstance(shape, TensorType):
            sizes = [
                int(d.at(program.training.batch)) if isinstance(d, Rows) else int(d or 1) for d in shape.dims or ()
            ]
            kind = torch.int64 if shape.kind in INTEGER_KINDS else program.dtype
            found[node.target] = torch.zeros(sizes, dtype=kind, device=program.device)
    return found


def with_batch(shaped: Shaped, batch: int) -> Shaped:
    """The same graph with another number of rows in a batch."""
    graph = replace(shaped.graph, training=replace(shaped.graph.training, batch=batch))
    return replace(shaped, graph=graph)
