"""Random phases, terms, optimizers and averages over the values of a world."""

from __future__ import annotations

from typing import Any

from composer.testing.terms import fallback, loss_of
from composer.testing.values import called
from composer.testing.world import Formed, Net, Value, World, here


def add_phases(world: World) -> dict[str, Any]:
    """One to four phases: some players of a game, some at random."""
    found: dict[str, Any] = {}
    if world.number(0, 2):
        for phase in _game(world):
            found[f"p{len(found) + 1}"] = phase
    nets = [n for n in world.networks if n.trained]
    for _ in range(world.number(0 if found else 1, 2)):
        updated = [world.choose(nets)]
        for _ in range(world.number(0, 2)):
            other = world.choose(nets)
            updated += [other] if other not in updated else []
        context = "d" if world.indexed and world.maybe(5) else ""
        name = f"p{len(found) + 1}" + (f"[{context}]" if context else "")
        found[name] = _phase(world, updated, context)
    return found


def _game(world: World) -> list[dict[str, Any]]:
    """Two phases about the same scores: one trains the network that gives them, one those that made what it sees."""
    pairs = [
        (judge, value)
        for judge in world.networks
        for value in world.values
        if judge.trained
        and judge.takes == (value.kind.sizes,)
        and value.kind.is_real
        and value.networks - {judge.pattern}
    ]
    if not pairs:
        return []
    judge, value = world.choose(pairs)
    context = world.context()
    made = plain = world.refer(value, context)
    if world.maybe(3):
        noise = _defined(world, context, Formed(f"normal_like({made.text})", made.kind), "draw")
        made = made.over(f"{made.text} + {noise}")
    seen = made
    if world.maybe(3) and made.kind.is_map:  # a pool between the players
        seen = made.constant(_defined(world, context, made.constant(f"history({made.text}, size=2)"), "state"))
    score, pooled = called(world, context, judge, [made]), called(world, context, judge, [seen])
    if world.maybe(3) and score.kind.is_real:
        score = pooled = score.over(_defined(world, context, score, "call"))
    makers = [n for n in world.networks if n.pattern in made.networks and n != judge]
    first: dict[str, Any] = {"update": judge.pattern, "minimize": {"fake": f'0.5 * adversarial({pooled.text}, "fake")'}}
    if world.maybe(3):
        first["minimize"]["penalty"] = f"r1({score.text}, {made.text})"
    second = _phase(world, makers[:3], "")
    second["minimize"] = {"fool": f'adversarial({score.text}, "fool")', **second["minimize"]}
    if seen is not made:
        second["minimize"]["near"] = f"l2({plain.text}, {seen.text})"
    if world.maybe(3) and value.op != "input":
        world.lifetime.setdefault(value.pattern, "iteration")
    if world.maybe(4):
        first |= _condition(world)
    return [second, first] if world.maybe(2) else [first, second]


def _defined(world: World, context: str, formed: Formed, op: str) -> str:
    """Give an expression a line of its own; gives its name as it is written on a line with the same indices."""
    value = world.define(world.new_name("z" if op == "draw" else "v"), context, formed, op)
    return here(value.name, context)


def _phase(world: World, updated: list[Net], context: str) -> dict[str, Any]:
    terms: dict[str, Any] = {}
    for number in range(world.number(1, 3)):
        # A phase over an index has it bound; any other index in a term is summed.
        inner = context if context and world.maybe() else world.context()
        loss = loss_of(world, updated, inner) or fallback(world, updated, inner)
        text = f"{_weight(world, inner)}{loss.text}"
        reached = [n for n in updated if n.pattern in loss.networks]
        if len(updated) > 1 and reached and world.maybe(2):
            terms[f"t{number + 1}"] = {"loss": text, "into": world.choose(reached).pattern}
        else:
            terms[f"t{number + 1}"] = text
    phase: dict[str, Any] = {"update": ", ".join(n.pattern for n in updated), "minimize": terms}
    if world.maybe(3):
        first = [world.some(world.context() if not context else context, _calls) for _ in range(world.number(1, 2))]
        texts = [one.text for one in first if one is not None]
        if texts:
            phase["first"] = ", ".join(texts)
    return phase | (_condition(world) if world.maybe(3) else {})


def _condition(world: World) -> dict[str, Any]:
    """When a phase runs, and how often."""
    return world.choose(
        [
            {"every": 2},
            {"when": "=iteration % 3 == 2"},
            {"when": "=iteration < 2 or iteration == 3"},
            {"step": "=iteration % 2 == 0"},
            {"repeat": 2},
            {"repeat": 2, "batch": "new"},
            {"repeat": 3, "batch": "new"},
            {"from": 1},
            {"until": 3},
        ]
    )


def _calls(value: Value) -> bool:
    return value.op == "call"


def _weight(world: World, context: str) -> str:
    """The scalar factors of a term."""
    stopped = world.some(context, lambda v: v.kind.is_real and v.kind.is_known) if world.maybe(8) else None
    if stopped is not None:
        return f"stop(mean_square({stopped.text})) * "
    return world.choose(["", "0.5 * ", "weight * ", "linear(1, 0, over=4) * ", "-0.1 * ", "warmup(3) * ", "0 * "])


def add_optimizers(world: World) -> dict[str, Any]:
    """Groups. The numbers added to denominators are large, so that gradients that are zero but for rounding stay so."""
    kinds: list[dict[str, Any]] = [
        {"adam": {"lr": 0.01, "betas": [0.5, 0.999], "eps": 1e-3}},
        {"sgd": {"lr": 0.02}},
        {"sgd": {"lr": 0.02, "momentum": 0.9}},
        {"rmsprop": {"lr": 0.01, "eps": 1e-2}},
        {"adamw": {"lr": 0.01, "eps": 1e-3, "weight_decay": 0.1}},
    ]
    more: list[dict[str, Any]] = [
        {}, {"clip_norm": 0.1}, {"clip_value": 0.01}, {"clip_weights": 0.9}, {"weight_decay": 0.1}, {"restart": 2},
        {"learning_rate": "linear(1, 0.1, over=3)"},
    ]  # fmt: skip
    groups = {"default": {**world.choose(kinds), **world.choose(more)}}
    if len(world.networks) > 1 and world.maybe(3):
        own = [n for n in world.networks if world.maybe(2)] or world.networks[:1]
        if len(own) < len(world.networks):
            groups["some"] = {
                "networks": ", ".join(n.pattern for n in own),
                **world.choose(kinds),
                **world.choose(more),
            }
    return groups


def add_averages(world: World) -> dict[str, Any]:
    found = dict(world.averages)
    options: list[Any] = [
        0.9,
        {"decay": 0.5, "from": 2},
        {"decay": 0.9, "buffers": "copy"},
        {"decay": 0.9, "mode": "eval"},
    ]
    for net in world.networks:
        if net.pattern in found or world.maybe(4):
            found[net.pattern] = world.choose(options)
    return found
