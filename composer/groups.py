"""Reading `optimizers`: groups of networks, each with an optimizer and its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from composer.block import look_up
from composer.document import Leaf
from composer.document import Mapping as Tree
from composer.document import Node as Item
from composer.errors import ComposeError, Place, Problem, closest, nearest
from composer.nodes import Group
from composer.reading import Definition, entries, expand_section, expression_of, split_names
from composer.sections import OPTIMIZERS, optimizer_settings
from composer.unknown import unknown_network

if TYPE_CHECKING:
    from composer.graph import Builder

DEFAULT_RATES = {"adam": 1e-3, "adamw": 1e-3, "sgd": 1e-2, "rmsprop": 1e-2, "adagrad": 1e-2, "rmsprop_tf": 1e-2}


def read_groups(builder: Builder) -> tuple[Group, ...]:
    """Optimizer groups; every network is in exactly one, `default` has those that no other names."""
    section = builder.root.get("optimizers")
    found: list[tuple[Definition, tuple[str, ...]]] = []
    known = [n for names in builder.network_names.values() for n in names]
    taken: dict[str, str] = {}
    default: Definition | None = None
    for definition in expand_section(section, builder.indices, builder.problems):
        if definition.name == "default":
            default = definition
            continue
        try:
            names = _group_networks(builder, definition, known)
        except ComposeError as error:
            builder.problems.extend(error.problems)
            continue
        for name in names:
            if name in taken:
                fact = f"network '{name}' is in two groups: {taken[name]} and {definition.name}"
                builder.problems.append(Problem(fact, definition.place, "name it in one of them"))
            taken[name] = definition.name
        found.append((definition, names))
    rest = tuple(n for n in known if n not in taken)
    if default is not None:
        found.insert(0, (default, rest))
    elif rest and not builder.problems:
        used = {n for p in _updates(builder) for n in p}
        needing = [n for n in rest if n in used]
        if needing:
            place = section.place if section is not None else builder.root.place
            builder.problems.append(
                Problem(f"no optimizer for {', '.join(needing)}", place, "optimizers: {default: {adam: {lr: 2e-4}}}")
            )
    groups = []
    for definition, names in found:
        try:
            groups.append(_read_group(builder, definition, names))
        except ComposeError as error:
            builder.problems.extend(error.problems)
    return tuple(groups)


def _updates(builder: Builder) -> list[list[str]]:
    found: list[list[str]] = []
    for definition in expand_section(builder.root.get("phases"), builder.indices, []):
        if isinstance(definition.item, Tree) and definition.item.get("update") is not None:
            item = definition.item.need("update")
            pieces = [v for _, v in item.items] if isinstance(item, Tree) else [item]
            names = []
            for piece in pieces:
                for tree, _ in split_names(piece):
                    free = builder.indices.free([tree], definition.bound)
                    names += [
                        builder.indices.full_name(tree, b) for b in builder.indices.expand(free, definition.bound)
                    ]
            found.append(names)
    return found


def _group_networks(builder: Builder, definition: Definition, known: list[str]) -> tuple[str, ...]:
    body = definition.item
    names_item = body.get("networks") if isinstance(body, Tree) else None
    if names_item is None:
        if definition.name not in known:
            close = closest(definition.name, builder.network_names)
            remedy = f"did you mean '{close}'?" if close else "say which: networks: G; `default` has the rest"
            raise ComposeError(f"group '{definition.pattern}' names no network", definition.place, remedy)
        return (definition.name,)
    names: list[str] = []
    for tree, place in split_names(names_item):
        for binding in builder.indices.expand(builder.indices.free([tree], definition.bound), definition.bound, place):
            name = builder.indices.full_name(tree, binding)
            if name not in known:
                raise unknown_network(tree, place, builder.network_names, builder.network_patterns)
            names.append(name)
    return tuple(names)


def _read_group(builder: Builder, definition: Definition, names: tuple[str, ...]) -> Group:
    body, bound = definition.item, definition.bound
    if not isinstance(body, Tree):
        raise ComposeError("a group names an optimizer", definition.place, "{adam: {lr: 2e-4, betas: [0.5, 0.999]}}")
    kinds = [str(k.value) for k, _ in body.items if str(k.value) in OPTIMIZERS]
    if len(kinds) != 1:
        fact = f"group '{definition.name}' has {'no' if not kinds else 'more than one'} optimizer"
        raise ComposeError(fact, definition.place, f"choose one of {', '.join(OPTIMIZERS)}")
    kind = kinds[0]
    settings = read_optimizer(builder, kind, body.get(kind), bound)
    if body.get("weight_decay") is not None:
        settings["weight_decay"] = builder.evaluated(body.get("weight_decay"), bound)
    rate_item = body.get("learning_rate")
    if rate_item is None:
        training = builder.root.get("training")
        rate_item = training.get("learning_rate") if isinstance(training, Tree) else None
    rate = "1.0" if rate_item is None else builder.elaborator.clock_text(expression_of(rate_item), bound)
    numbers = {}
    for name in ("clip_norm", "clip_value", "clip_weights"):
        item = body.get(name)
        value = None if item is None else builder.evaluated(item, bound)
        numbers[name] = value
    parts = {}
    for key, item in entries(body.get("parts")):
        for name in names:
            _check_part(builder, str(key.value), name, key.place)
        parts[str(key.value)] = _part(builder, kind, item, bound)
    return Group(
        definition.name,
        names,
        kind,
        settings,
        rate,
        float(numbers["clip_norm"] or 0),
        float(numbers["clip_value"] or 0),
        float(numbers["clip_weights"] or 0),
        _iteration(builder, body.get("restart"), bound),
        parts,
        definition.place,
    )


def _check_part(builder: Builder, part: str, name: str, place: Place) -> None:
    """Refuse a part that a network does not have: its block declares parts, a wired one has those of its lines."""
    network = builder.networks.get(name)
    if network is None:
        return  # it could not be read
    if network.wiring is None:
        known = list(look_up(network.block).parts)
    else:
        known = list(dict.fromkeys(layer.part for layer in network.wiring.layers.values()))
    if part not in known:
        remedy = nearest(part, known) if known else "its block declares none"
        raise ComposeError(f"network '{name}' has no part '{part}'", place, remedy)


def _part(builder: Builder, kind: str, item: Item, bound: Any) -> dict[str, Any]:
    """Settings of a part: those of the optimizer, beside it or under its name, and `restart`."""
    found: dict[str, Any] = {}
    for key, value in entries(item):
        name = str(key.value)
        if name == kind:
            found |= _part(builder, kind, value, bound)
        elif name not in (*optimizer_settings(kind), "restart"):
            known = optimizer_settings(kind)
            raise ComposeError(f"no setting of {kind} named '{name}'", key.place, nearest(name, known))
        elif name == "restart":
            found[name] = _iteration(builder, value, bound)
        elif name == "lr" and isinstance(value, Leaf) and isinstance(value.value, str):
            found[name] = builder.elaborator.clock_text(expression_of(value), bound)
        else:
            found[name] = builder.evaluated(value, bound)
    return found


def _iteration(builder: Builder, item: Item | None, bound: Any) -> int | str:
    """A moment of a run: the number of an iteration, or text over the clock where the length of an epoch counts."""
    if item is None:
        return -1
    if not (isinstance(item, Leaf) and isinstance(item.value, str)):
        return int(builder.evaluated(item, bound))
    text = builder.elaborator.clock_text(expression_of(item), bound)
    return text if "clock" in text else int(float(text))


def read_optimizer(builder: Builder, kind: str, item: Item | None, bound: Any) -> dict[str, Any]:
    """Settings of one optimizer, checked."""
    settings: dict[str, Any] = {}
    for key, value in entries(item):
        name = str(key.value)
        found = builder.evaluated(value, bound)
        if name == "betas" and not (len(found) == 2 and all(b < 1 for b in found)):
            raise ComposeError(f"betas are {found}", value.place, "write two numbers below 1: [0.5, 0.999]")
        settings[name] = found
    if settings.get("nesterov") and (not settings.get("momentum") or settings.get("dampening")):
        assert isinstance(item, Tree)
        raise ComposeError(
            "nesterov needs momentum, and no dampening", item.need("nesterov").place, "write momentum: 0.9 beside it"
        )
    settings.setdefault("lr", DEFAULT_RATES[kind])
    return settings
