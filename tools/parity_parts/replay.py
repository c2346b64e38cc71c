"""A case replayed: the bundled graph with the recorded weights, batches and draws, step by step."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

import composer
from composer.errors import ComposeError, nearest
from composer.program import StepResult

from .case import Arrays, Case
from .entries import Given, Reading, Use
from .formula import value_of
from .keys import Name
from .mapping import MethodMapping, Resolved

Ours = tuple[str, str, Any]  # name of an array, what kind it is, what we have for it
_BY_ITERATION = ("batch", "draw", "loss", "value", "grad", "lr", "check")


@dataclass(frozen=True)
class Uses:
    """What is done with each array of a trace."""

    compared: dict[str, str]  # name -> kind
    fed: frozenset[str]
    left: dict[str, str]  # name -> reason why it is neither


def shapes_of(case: Case) -> dict[str, tuple[int, ...]]:
    """The shapes of the recorded streams."""
    return {n.split("/", 2)[2]: a.shape for n, a in case.arrays.items() if n.startswith("batch/0/")}


def build(resolved: Resolved) -> Any:
    """The program of a mapping's graph, in float64."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # weights that a graph would load are given by the trace
        program = composer.compile(
            resolved.graph, variants=resolved.variants, settings=resolved.settings, dtype=torch.float64
        )
    program.epoch_length = resolved.epoch_length
    return program


class Replay:
    """A case with its program, ready to run from the start of any iteration it has come to."""

    def __init__(self, case: Case, mapping: MethodMapping) -> None:
        self.case = case
        self.mapping = resolved = mapping.resolve(case.config, case.iterations, shapes_of(case))
        self.program = build(resolved)
        self.uses = classify(case, resolved)
        self.modules = modules_of(self.program)
        self.partners: dict[Name, Name] = {}  # their weight -> ours
        self.watched = sorted({
            name.split("/", 1)[1]
            for array, reading in readings(resolved.values, case, "value").items()
            if array in self.uses.compared
            for name in reading.names
            if not name.startswith(("rate/", "weight/"))
        })  # fmt: skip
        self.program.watch(self.watched, gradients=any(kind == "gradients" for kind in self.uses.compared.values()))
        self.load(case.arrays)
        self.check_complete()
        self.snapshots = [self.program.state()]

    # -- before the first iteration ----------------------------------------------------------------------------

    def load(self, arrays: Arrays) -> None:
        """Give every network the recorded weights; a `ComposeError` when one has no partner or another shape."""
        # What starts a buffer may be written over before it is read; then only its end is compared.
        known = self.uses.fed | {f"init/{n.partition('/')[2]}" for n in self.uses.compared if n.startswith("final/")}
        theirs = [_network_and_key(n) for n in arrays if n.startswith("init/") and n in known]
        ours = [
            (network, key)
            for network, module in self.modules.items()
            if network not in self.mapping.absent
            for key in module.state_dict()
        ]
        self.partners = self.mapping.keys.paired(theirs, ours)
        for name in theirs:
            self.set_weight(name, arrays[f"init/{name[0]}/{name[1]}"])

    def set_weight(self, name: Name, array: np.ndarray) -> None:
        network, key = self.partners[name]
        own = self.modules[network].state_dict()[key]
        if tuple(own.shape) != array.shape:
            fact = f"their {'/'.join(name)} has shape {list(array.shape)}, our {network}/{key} {list(own.shape)}"
            raise ComposeError(fact)
        with torch.no_grad():
            own.copy_(torch.from_numpy(np.array(array)))

    def check_complete(self) -> None:
        """A trace with holes must not pass: every iteration has what the first has, every weight has an end."""
        names = self.case.arrays
        problems = []
        first = [n.split("/", 2) for n in names if n.split("/")[0] in _BY_ITERATION and n.split("/")[1:2] == ["0"]]
        for iteration in range(1, self.case.iterations):
            for head, _, rest in first:
                name = f"{head}/{iteration}/{rest}"
                if head != "draw" and name not in names and f"{name}/mean_std" not in names:  # or a summary of it
                    problems.append(f"iteration {iteration} has no {head}/{iteration}/{rest}, the first has one")
        ended = {name.split("/")[1] for name in names if name.startswith("final/")}
        frozen = {name for name, network in self.program.graph.networks.items() if network.frozen}
        for (network, key), (ours, _) in self.partners.items():
            if ours in frozen and network not in ended:  # nothing moves it
                continue
            if f"final/{network}/{key}" not in names:
                problems.append(f"there is no final/{network}/{key}")
        if not any(kind == "losses" for kind in self.uses.compared.values()):
            problems.append("no loss is compared")
        if problems:
            raise ComposeError("; ".join(problems[:8]))

    # -- running -----------------------------------------------------------------------------------------------

    def run(self, arrays: Arrays | None = None, start: int = 0, weight: Name | None = None) -> Iterator[Ours]:
        """Replay from iteration `start` on and give every compared array as it comes. `arrays` stand for the
        recorded ones; `weight` is one of theirs that is to be loaded anew from them."""
        given = self.case.arrays if arrays is None else arrays
        self.program.load_state(*self.snapshots[start])
        if weight is not None:
            self.set_weight(weight, given[f"init/{weight[0]}/{weight[1]}"])
        for iteration in range(start, self.case.iterations):
            yield from self.step(given, iteration)
            if arrays is None and len(self.snapshots) == iteration + 1:
                self.snapshots.append(self.program.state())
        yield from self.finish(given)

    def step(self, arrays: Arrays, iteration: int) -> Iterator[Ours]:
        batch = {}
        for stream, field in self.mapping.batch.items():
            name = f"batch/{iteration}/{stream}"
            if name not in arrays:
                raise ComposeError(f"the trace has no {name}")
            batch[field] = self.as_input(field, arrays[name])
        result = self.program.step(batch, draws=self.draws(arrays, f"draw/{iteration}/"))
        if self.program.draws.own:
            raise ComposeError(f"draws were not recorded: {', '.join(sorted(self.program.draws.own))}")
        yield from self.read(result, iteration)
        for network in {network for network, _ in self.partners}:
            name = f"check/{iteration}/{network}"
            if name in self.uses.compared:
                yield name, "sums", self.sum_of(network)

    def as_input(self, name: str, array: np.ndarray) -> Tensor:
        """An array as the input `name`: maps of whole numbers may be recorded with an axis of one channel."""
        kinds = {one.name: one.kind for stream in self.program.inputs.values() for one in stream.fields}
        tensor = torch.from_numpy(np.array(array))
        return tensor.squeeze(1) if kinds.get(name) in ("label_map", "ids") and tensor.dim() == 4 else tensor

    def draws(self, arrays: Arrays, start: str) -> dict[str, list[Any]]:
        """Our draws by name: what the arrays that begin with `start` hold."""
        fed: dict[str, list[Any]] = {}
        for theirs, draw in self.mapping.draws.items():
            array = arrays.get(start + theirs)
            if array is None:
                continue
            items = [x.item() for x in array.ravel() if x != draw.drop] if draw.numbers else [formed(array, draw.form)]
            fed.setdefault(draw.to, []).extend(items)
        return {name: self.in_order(name, items) for name, items in fed.items() if items}

    def in_order(self, name: str, items: list[Any]) -> Any:
        """What a draw is fed with one after the other; what is fed in place of another value stays for an iteration."""
        node = self.program.graph.values.get(name)
        return items if node is None or node.op == "draw" else items[0]

    def read(self, result: StepResult, iteration: int) -> Iterator[Ours]:
        """What a step gave, under the names of the trace."""
        found: dict[str, dict[str, Any]] = {
            "loss": {n: float(t.loss) for n, t in result.terms.items()}
            | {f"total/{n}": float(t) for n, t in result.totals.items()},
            "value": {
                **result.values,
                **{f"rate/{n}": r for n, r in result.rates.items()},
                **{f"weight/{n}": t.weight for n, t in result.terms.items()},
            },
            "grad": {n: float(g) for n, g in result.gradients.items()},
        }
        sections = {"loss": self.mapping.losses, "value": self.mapping.values, "grad": self.mapping.gradients}
        for head, section in sections.items():
            for rest, reading in section.items():
                name = f"{head}/{iteration}/{rest}"
                if name in self.uses.compared:
                    yield name, self.uses.compared[name], _read(reading, found[head], self.case.arrays[name].shape)
        for rest, group in self.mapping.rates.items():
            name = f"lr/{iteration}/{rest}"
            if name in self.uses.compared:
                if group not in result.rates:
                    raise ComposeError(f"no optimizer group '{group}'", remedy=nearest(group, result.rates))
                yield name, "rates", result.rates[group]

    def sum_of(self, network: str) -> float:
        """The sum of the absolute values of the parameters of one of their networks."""
        total = 0.0
        for (theirs, _), (ours, key) in self.partners.items():
            if theirs == network:
                parameter = dict(self.modules[ours].named_parameters()).get(key)
                total += float(parameter.detach().abs().sum()) if parameter is not None else 0.0
        return total

    def finish(self, arrays: Arrays) -> Iterator[Ours]:
        """Weights and buffers at the end, and what the trained networks make of the recorded inputs."""
        for (network, key), (ours, our_key) in self.partners.items():
            if f"final/{network}/{key}" in self.uses.compared:
                yield f"final/{network}/{key}", "weights", self.modules[ours].state_dict()[our_key].numpy()
        for name, use in self.mapping.translate.items():
            if name in self.uses.compared:
                yield name, "values", self.translated(use, arrays)

    def translated(self, use: Use, arrays: Arrays) -> np.ndarray:
        inputs = {}
        for field, name in use.inputs.items():
            if name not in arrays:
                raise ComposeError(f"the trace has no {name}")
            inputs[field] = self.as_input(field, arrays[name])[: use.rows]
        given: Any = inputs[""] if set(inputs) == {""} else inputs
        fed = self.draws(arrays, use.draws) if use.draws else {}
        for name, one in use.given.items():
            if one.form == "table":
                node = self.program.graph.values[name]
                size: Any = getattr(self.program.shaped.types[node], "dims", None)
                fed[name] = [table_of(one, arrays, size)]
                continue
            if one.array not in arrays:
                raise ComposeError(f"the trace has no {one.array}")
            array = arrays[one.array] if one.row is None else arrays[one.array][one.row : one.row + 1]
            fed[name] = [formed(array, one.form)]
        found = self.program.translate(given, use.name, draws=fed)
        own, left = sorted(self.program.draws.own), self.program.draws.unused()
        if own:
            raise ComposeError(f"translation '{use.name}': draws were not recorded: {', '.join(own)}")
        if left:
            raise ComposeError(f"translation '{use.name}': draws were fed that nothing drew: {', '.join(left)}")
        return found.numpy()  # type: ignore[no-any-return]


def formed(array: np.ndarray, form: str) -> Tensor:
    """A recorded array as a draw: its rows, or all of it, in one axis where `form` says so."""
    tensor = torch.from_numpy(np.array(array))
    return tensor.flatten(1) if form == "rows" else tensor.flatten() if form == "flat" else tensor


def table_of(one: Given, arrays: Arrays, size: tuple[int, ...]) -> Tensor:
    """The arrays of a table as one tensor of this size; zeros where there is none."""
    table = torch.zeros(size, dtype=torch.float64)
    for name in sorted(tables_of(one, arrays)):
        rows = torch.from_numpy(np.array(arrays[name]))
        number = int(name.removeprefix(one.array))
        table[number] = rows[torch.arange(size[1]) % len(rows)]
    return table


def tables_of(one: Given, arrays: Arrays) -> set[str]:
    """Names of the arrays that a table is made of and something reads."""
    wanted = {int(n) if n < 1000 else int(n) // 1000 for n in arrays[one.only].ravel()} if one.only in arrays else None
    numbered = {name: name.removeprefix(one.array) for name in arrays if name.startswith(one.array)}
    return {n for n, number in numbered.items() if number.isdigit() and (wanted is None or int(number) in wanted)}


def modules_of(program: Any) -> dict[str, torch.nn.Module]:
    """Networks by name, and their moving averages as `average(NAME)`."""
    return {**program.networks, **{f"average({n})": m for n, m in program.averages.items()}}


def readings(section: Mapping[str, Reading], case: Case, head: str) -> dict[str, Reading]:
    """The arrays of a trace that a section's names stand for, in every iteration."""
    numbered = range(case.iterations)
    return {f"{head}/{i}/{rest}": reading for i in numbered for rest, reading in section.items()}


def classify(case: Case, mapping: Resolved) -> Uses:
    """What is done with each array; a `ComposeError` with every array that nothing is known of."""
    compared: dict[str, str] = {}
    left: dict[str, str] = {}
    fed: set[str] = set()
    unknown = []
    sections = {
        "loss": ("losses", mapping.losses), "value": ("values", mapping.values),
        "grad": ("gradients", mapping.gradients), "lr": ("rates", mapping.rates),
    }  # fmt: skip
    inputs = {name for use in mapping.translate.values() for name in use.inputs.values()}
    for one in (one for use in mapping.translate.values() for one in use.given.values()):
        inputs |= tables_of(one, case.arrays) if one.form == "table" else {one.array}
        inputs -= {one.only}
    starts = tuple(use.draws for use in mapping.translate.values() if use.draws)
    networks = {rule.their_network for rule in mapping.keys.rules}
    for name in case.arrays:
        head, _, rest = name.partition("/")
        iteration, _, what = rest.partition("/")
        numbered = head in _BY_ITERATION and iteration in map(str, range(case.iterations))
        reason = None if name in inputs else mapping.reason(name)
        reading = sections[head][1].get(what) if head in sections and numbered else None
        if reason is not None:
            left[name] = reason
        elif name in mapping.translate:
            compared[name] = "values"
        elif isinstance(reading, Reading) and reading.reason:
            left[name] = reading.reason
        elif reading is not None:
            compared[name] = sections[head][0]
        elif head == "final":
            compared[name] = "weights"
        elif head == "check" and numbered and what in networks:
            compared[name] = "sums"
        elif head == "init" or name in inputs:
            fed.add(name)
        elif numbered and ((head == "batch" and what in mapping.batch) or (head == "draw" and what in mapping.draws)):
            fed.add(name)
        elif any(name.startswith(s) and name[len(s) :] in mapping.draws for s in starts):
            fed.add(name)
        else:
            unknown.append(name)
    if unknown:
        more = f" and {len(unknown) - 8} more" if len(unknown) > 8 else ""
        raise ComposeError(f"the mapping does not know {', '.join(unknown[:8])}{more}")
    return Uses(compared, frozenset(fed), left)


def _network_and_key(array: str) -> Name:
    _, network, key = array.split("/", 2)
    return network, key


def _read(reading: Reading, found: Mapping[str, Any], shape: tuple[int, ...]) -> Any:
    """The value of a reading over the terms, values or norms of a step; `shape` is that of the recorded array."""

    def refer(name: str, at: Any) -> Any:
        if name not in found:
            raise ComposeError(f"the step gave no '{name}'", at, nearest(name, found))
        return found[name]

    functions = {
        "norm": lambda *norms: float(np.sqrt(sum(n * n for n in norms))),
        "flat": lambda x: x.reshape(-1),
        "stack": lambda *xs: torch.cat(xs),
        "item": lambda xs, number: xs[number],
        "pixel": lambda x: x[:, :, None, None],
        "fitting": lambda *xs: next((x for x in xs if tuple(x.shape) == shape), xs[0]),
        "mean_std": lambda x: torch.stack([x.flatten(1).mean(1), x.flatten(1).std(1, correction=0)], 1),
    }
    value = value_of(reading.tree, {}, refer, functions)
    return value.detach().numpy() if isinstance(value, Tensor) else value
