"""`--from RUN`: the weights of another run as the start of this one; neither its optimizers nor its counters.

Tensors are matched by the name of their network and their name in it. A tensor of the same name and another shape
is refused, because a start that is silently half of what was asked costs days: `--except` says that it shall start
anew. A moving average takes the weights of the same average there, and where there is none those of its network here.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from composer import checkpoint
from composer.errors import ComposeError, Problem, nearest
from composer.program import Program

_SHOWN = 6  # names in a line of the report


@dataclass(frozen=True)
class Source:
    """The tensors of a checkpoint by `networks/NETWORK/KEY` and `averages/NETWORK/KEY`, and what it is."""

    path: Path
    tensors: Mapping[str, torch.Tensor]
    iteration: int | None
    sha256: str

    @property
    def networks(self) -> list[str]:
        return list(dict.fromkeys(name.split("/")[1] for name in self.tensors if name.startswith("networks/")))


@dataclass(frozen=True)
class Report:
    """What a warm start did, by network: how many tensors were taken of how many, and what was not."""

    source: Source
    taken: Mapping[str, int]
    total: Mapping[str, int]  # of every network of this graph
    averages: tuple[str, ...]  # taken from the same average there
    left: tuple[str, ...]  # NETWORK.KEY that start anew because they were not asked for
    new: tuple[str, ...]  # NETWORK.KEY of this graph that the source does not have
    unused: tuple[str, ...]  # NETWORK.KEY of the source that this graph does not have
    kept: tuple[str, ...]  # frozen networks with a file of weights of their own

    def lines(self) -> list[str]:
        """For the user."""
        at = "" if self.source.iteration is None else f" at iteration {self.source.iteration}"
        matched = [_part(name, count, self.total[name]) for name, count in self.taken.items() if count]
        said = [f"from {self.source.path}{at}: {sum(self.taken.values())} tensors matched: {', '.join(matched)}"]
        if self.averages:
            said.append(f"  averages of {', '.join(self.averages)} matched too")
        for names, words in (
            (self.new, "missing there, new here"),
            (self.left, "not asked for, new here"),
            (self.unused, "there, not in this graph"),
        ):
            if names:
                said.append(f"  {words}: {_shortened(names, self.total)}")
        if self.kept:
            said.append(f"  with weights from a file of their own: {', '.join(self.kept)}")
        return said

    def record(self) -> dict[str, Any]:
        """For `environment.json`."""
        return {
            "from": str(self.source.path),
            "iteration": self.source.iteration,
            "sha256": self.source.sha256,
            "matched": {name: count for name, count in self.taken.items() if count},
            "averages": list(self.averages),
            "new": [*self.new, *self.left],
            "unused": list(self.unused),
        }


def read(path: Path) -> Source:
    """The newest whole checkpoint of a run's folder, or the tensors of a checkpoint's `.safetensors` file."""
    if path.is_dir():
        found = checkpoint.latest(path / checkpoint.FOLDER) or checkpoint.latest(path)
        if found is None:
            raise ComposeError(f"'{path}' has no whole checkpoint to start from", remedy="name the folder of a run")
    elif path.suffix == ".json":
        return read(path.with_suffix(".safetensors"))
    elif not path.is_file():
        raise ComposeError(f"there is no run or checkpoint '{path}'", remedy="name the folder of a run, e.g. runs/unit")
    else:
        found = checkpoint.Checkpoint(-1, path.with_suffix(".json"))
        if found.description.is_file():
            found = next((c for c in checkpoint.saved(path.parent) if c.description == found.description), found)
            if not checkpoint.is_whole(found):
                raise ComposeError(
                    f"'{path}' is not whole", remedy="name the run's folder: its newest whole one is taken"
                )
    file = path if path.is_file() else found.tensors
    try:
        tensors = load_file(file)
    except (SafetensorError, OSError) as error:
        raise ComposeError(f"'{file}' cannot be read: {error}", remedy="name a .safetensors file of a run") from None
    tensors = {name: tensor for name, tensor in tensors.items() if name.startswith(("networks/", "averages/"))}
    if not tensors:
        raise ComposeError(f"'{file}' holds no networks of a run", remedy="name the folder of a run")
    with open(file, "rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return Source(path, tensors, None if found.iteration < 0 else found.iteration, digest)


def start(program: Program, source: Source, only: Sequence[str] = (), anew: Sequence[str] = ()) -> Report:
    """Put the weights of `source` into a new program. `only`: networks (or parts of them) to take, none means all;
    `anew`: those that start anew all the same.

    A name is a network (`E[a]`, or `E` for every `E[..]`), or a part of one (`D.head`). Raises a ComposeError, and
    changes nothing, for a name that nothing has, for tensors of other shapes, and when nothing at all would be taken.
    """
    targets = {f"{name}.{key}": tensor for name, tensors in _own(program).items() for key, tensor in tensors.items()}
    there = {_dotted(name): tensor for name, tensor in source.tensors.items() if name.startswith("networks/")}
    _refuse_unknown(program, source, targets, there, only, anew)
    kept = tuple(n for n, network in program.graph.networks.items() if network.frozen and network.weights)
    wanted = {
        name: tensor
        for name, tensor in targets.items()
        if _network(name) not in kept and (not only or _meant(name, only)) and not _meant(name, anew)
    }
    matched = {name: tensor for name, tensor in wanted.items() if name in there}
    different = {n: (there[n].shape, t.shape) for n, t in matched.items() if there[n].shape != t.shape}
    _refuse_shapes(source, different, anew)
    if not matched:
        raise ComposeError(
            f"nothing of '{source.path}' is taken: it has the networks {', '.join(source.networks)}",
            remedy=f"this graph has {', '.join(program.networks)}",
        )
    with torch.no_grad():
        for name, tensor in matched.items():
            tensor.copy_(there[name])
        averages = _start_averages(program, source, set(matched))
    total = {name: sum(_network(n) == name for n in targets) for name in program.networks}
    return Report(
        source,
        {name: sum(_network(n) == name for n in matched) for name in program.networks},
        total,
        averages,
        tuple(n for n in targets if n not in wanted and _network(n) not in kept),
        tuple(n for n in wanted if n not in there),
        tuple(n for n in there if n not in targets),
        kept,
    )


def _own(program: Program) -> dict[str, dict[str, torch.Tensor]]:
    return {name: dict(module.state_dict()) for name, module in program.networks.items()}


def _start_averages(program: Program, source: Source, matched: Collection[str]) -> tuple[str, ...]:
    """An average begins as its network does; what the source has of the same average is put over it."""
    taken = []
    for name, copy in program.averages.items():
        copy.load_state_dict(program.networks[name].state_dict())
        own = copy.state_dict()
        prefix = f"averages/{name}/"
        found = {n.removeprefix(prefix): t for n, t in source.tensors.items() if n.startswith(prefix)}
        usable = [k for k in own if f"{name}.{k}" in matched and k in found and found[k].shape == own[k].shape]
        for key in usable:
            own[key].copy_(found[key])
        taken += [name] if usable else []
    return tuple(taken)


def _refuse_unknown(
    program: Program,
    source: Source,
    targets: Iterable[str],
    there: Iterable[str],
    only: Sequence[str],
    anew: Sequence[str],
) -> None:
    known = list(targets)
    families = list(dict.fromkeys(part for name in program.networks for part in (name, name.partition("[")[0])))
    problems = []
    for option, names in (("--only", only), ("--except", anew)):
        for name in names:
            if not any(_meant(one, [name]) for one in known):
                inside = [one for one in known if "." in name and _meant(one, [name.partition(".")[0]])]
                what = "part of that network" if inside else "network"
                near = nearest(name, _parts(inside) or families)
                problems.append(Problem(f"{option} {name}: this graph has no such {what}", remedy=near))
            elif option == "--only" and not any(_meant(one, [name]) for one in there):
                fact = f"--only {name}: '{source.path}' has no such network"
                problems.append(Problem(fact, remedy=f"it has {', '.join(source.networks)}"))
    if problems:
        raise ComposeError.together(problems)


def _parts(names: Iterable[str]) -> list[str]:
    """`D.body.0.weight` -> `D.body` and `D.body.0`: what may be named of a network besides single tensors."""
    found = []
    for name in names:
        network = _network(name)
        words = _spoken(name[len(network) :]).split(".")[1:-1]
        found += [".".join((network, *words[: n + 1])) for n in range(len(words))]
    return list(dict.fromkeys(found))


def _refuse_shapes(source: Source, different: Mapping[str, tuple[torch.Size, torch.Size]], anew: Sequence[str]) -> None:
    if not different:
        return
    shown = [
        f"{_spoken(n)} is {_size(there)} there and {_size(here)} here"
        for n, (there, here) in list(different.items())[:3]
    ]
    more = f", and {len(different) - 3} more" if len(different) > 3 else ""
    parts = dict.fromkeys([*anew, *(_spoken(name).rpartition(".")[0] for name in different)])
    if len(parts) > _SHOWN:  # too many to type: the networks as a whole
        parts = dict.fromkeys([*anew, *(_network(name) for name in different)])
    raise ComposeError(
        f"'{source.path}' does not fit this graph: {'; '.join(shown)}{more}",
        remedy=f"let these start anew: --except {shlex.quote(','.join(parts))}, or give both graphs the same settings",
    )


def _size(shape: torch.Size) -> str:
    return " x ".join(str(n) for n in shape) or "a number"


def _network(name: str) -> str:
    """`E[a].0.weight` -> `E[a]`."""
    head, bracket, _ = name.partition("]")
    return head + bracket if bracket and "[" in head and "." not in head else name.partition(".")[0]


def _meant(name: str, patterns: Sequence[str]) -> bool:
    """Whether a tensor `NETWORK.KEY` belongs to a network or part that one of `patterns` names."""
    network = _network(name)
    key = name[len(network) :]
    names = [(owner + end) for owner in (network, network.partition("[")[0]) for end in (key, _spoken(key))]
    return any(one == pattern or one.startswith(f"{pattern}.") for one in names for pattern in patterns)


def _spoken(key: str) -> str:
    """Layers of a network that is wired in YAML are named as they are there: `D.head`, not `D.layers.head`."""
    return key.replace(".layers.", ".", 1)


def _dotted(name: str) -> str:
    _, network, key = name.split("/", 2)
    return f"{network}.{key}"


def _part(name: str, count: int, total: int) -> str:
    return f"{name} ({count})" if count == total else f"{name} ({count} of {total})"


def _shortened(names: Sequence[str], total: Mapping[str, int]) -> str:
    """Whole networks by their name, parts by the module they belong to."""
    by_network: dict[str, list[str]] = {}
    for name in names:
        by_network.setdefault(_network(name), []).append(name)
    said: list[str] = []
    for network, members in by_network.items():
        whole = len(members) == total.get(network, len(members))
        said += [network] if whole else list(dict.fromkeys(_spoken(name).rpartition(".")[0] for name in members))
    return ", ".join(said[:_SHOWN]) + (f" and {len(said) - _SHOWN} more" if len(said) > _SHOWN else "")
