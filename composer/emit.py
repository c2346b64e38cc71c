"""Plan -> readable Python: one function per run of a phase, each line with its place in the YAML.

The functions are compiled through `linecache`, so that tracebacks and profilers show their lines. Their globals
are the networks, the functions of the blocks they call and a few helpers (see `composer.program`).
"""

from __future__ import annotations

import json
import keyword
import linecache
import re
from dataclasses import dataclass, field
from types import CodeType
from typing import Any

from composer.block import look_up
from composer.clock import NUMBERS
from composer.errors import Place
from composer.nodes import Node
from composer.plan import Evaluation, Plan, Run, leaves_of, mark_ways
from composer.signature import parse_signature

RESERVED = frozenset(NUMBERS) | frozenset(
    "batch keep draw state collect collected clock terms stop no_grad inside gradient differentiable rows_of "
    "old_weights".split()
)


@dataclass
class Code:
    """One emitted function: its name, its text, and the constants and names it needs."""

    name: str
    text: str
    networks: dict[str, tuple[str, str, bool]] = field(default_factory=dict)  # variable -> (network, entry, average)
    functions: dict[str, str] = field(default_factory=dict)  # variable -> block
    constants: dict[str, Any] = field(default_factory=dict)

    def compiled(self, file: str) -> CodeType:
        """Code object whose lines tracebacks can show."""
        linecache.cache[file] = (len(self.text), None, self.text.splitlines(keepends=True), file)
        return compile(self.text, file, "exec")


def identifier(name: str) -> str:
    """`fake[a,b]` -> `fake_a_b`: a variable of the emitted code."""
    word = re.sub(r"\W+", "_", name).strip("_") or "v"
    if word[0].isdigit() or keyword.iskeyword(word) or word in RESERVED:
        word = f"v_{word}"
    return word


def emit_plan(
    plan: Plan,
    drawing: frozenset[str] = frozenset(),
    optimise: bool = True,
    watched: frozenset[str] = frozenset(),
) -> tuple[Code, ...]:
    """The functions of a plan, one a run. `drawing`: networks that draw random numbers inside; `watched`: named
    values that are handed out.

    Without `optimise` every call builds its graph and only the edges are cut: the reference for what is left out.
    """
    names = name_everything(plan)
    return tuple(_Emitter(plan, run, names, drawing, optimise, watched).emit() for run in plan.runs)


def emit_value(graph: Any, nodes: list[Node], drawing: frozenset[str]) -> Code:
    """A function that computes `nodes` without gradients, for samples and translations: returns them as a tuple."""
    from composer.nodes import reachable

    made: dict[Node, Evaluation] = {}
    for number, node in enumerate(reachable(nodes)):
        extras = tuple((k, made[v]) for k, v in node.settings if isinstance(v, Node))
        made[node] = Evaluation(number, node, 0, tuple(made[a] for a in node.args), extras)
        if node.op == "grad":
            mark_ways(made[node])
    run = Run(0, _NO_PHASE, False, 0, False, tuple(made.values()), (), (), False, ())
    plan = Plan(graph, (), (run,), frozenset(), leaves_of(made.values()))
    emitter = _Emitter(plan, run, name_everything(plan), drawing)
    return emitter.emit([made[n] for n in nodes])


@dataclass(frozen=True)
class Names:
    """What things are called in the code of a plan; no two have the same name."""

    variables: dict[int, str]  # evaluations, by number
    callables: dict[tuple[str, ...], str]  # networks (name, entry, which copy) and blocks (name,)
    functions: dict[str, str]  # of runs


def name_everything(plan: Plan) -> Names:
    """Networks and blocks first, then runs and values; a name used twice gets a number."""
    taken: set[str] = set()

    def free(wanted: str, number: int) -> str:
        word = wanted
        while word in taken or f"{word}_leaf" in taken:
            word, number = f"{wanted}_{number}", number + 1
        taken.update((word, f"{word}_leaf"))
        return word

    evaluations = [one for run in plan.runs for one in run.made]
    callables: dict[tuple[str, ...], str] = {}
    for one in evaluations:
        key = callable_key(one.node)
        if key and key not in callables:
            callables[key] = free("_".join([identifier(key[0]), *filter(None, key[1:])]), 2)
    functions = {run.name: free(identifier(run.name), 2) for run in plan.runs}
    variables: dict[int, str] = {}
    for one in evaluations:
        name = plan.graph.name_of(one.node)
        if name in plan.graph.values:
            variables[one.number] = free(identifier(name), one.number)
        else:
            variables[one.number] = free(f"{identifier(one.node.target or one.node.op)}_{one.number}", one.number)
    return Names(variables, callables, functions)


def callable_key(node: Node) -> tuple[str, ...]:
    """What `node` calls: a network, an entry point of it and which copy, or a block; nothing for other nodes."""
    if node.op == "call":
        return node.target, node.entry, "average" if node.average else ""
    return (node.target,) if node.op in ("apply", "draw") else ()


class _Emitter:
    def __init__(
        self,
        plan: Plan,
        run: Run,
        names: Names,
        drawing: frozenset[str],
        optimise: bool = True,
        watched: frozenset[str] = frozenset(),
    ) -> None:
        self.watched = {plan.graph.values[n]: n for n in watched}
        self.plan, self.run, self.drawing, self.optimise = plan, run, drawing, optimise
        self.names, self.callables = names.variables, names.callables
        self.code = Code(names.functions[run.name], "")
        self.lines: list[tuple[int, str, str]] = []  # indent, code, comment
        self.leaves: set[int] = set()
        grads = [one for each in plan.runs for one in each.made if one.node.op == "grad"]
        self.origins = {one.args[1].number for one in grads if one.args[1].node.op not in ("call", "input")}

    def emit(self, results: list[Evaluation] | None = None) -> Code:
        run = self.run
        self.lines.append((0, f"def {self.code.name}(batch, keep, draw, state, clock):", _where(run.phase.place)))
        quiet = False
        for one in run.made:
            if one.node.op == "number":
                continue
            graph = one.has_graph or not self.optimise
            for words, comment in self.prepare(one):
                self.lines.append((1, words, comment))
                quiet = False
            if not graph and not quiet:
                self.lines.append((1, "with no_grad():", ""))
            quiet = not graph
            self.statement(one, 2 if quiet else 1)
        self.finish(results)
        width = min(88, max(len("    " * i + c) for i, c, _ in self.lines))
        text = ""
        for indent, words, comment in self.lines:
            written = "    " * indent + words
            comment = printable(comment)
            text += (f"{written:<{width}}  # {comment}" if comment else written).rstrip() + "\n"
        self.code.text = text
        return self.code

    # -- pieces -------------------------------------------------------------------------------------------------

    def prepare(self, one: Evaluation) -> list[tuple[str, str]]:
        """Leaves that this evaluation needs before it: `x_leaf = x.detach().requires_grad_()`."""
        found = []
        for arg in one.args:
            first, last = self.plan.leaves.get(arg.number, (-1, -1))
            if first == self.run.number and arg.number not in self.leaves and arg.number in one.paths:
                self.leaves.add(arg.number)
                name = f"{self.names[arg.number]}_leaf"
                text = f"{name} = {self.variable(arg)}.detach().requires_grad_()"
                found.append((text, "a derivative is taken here"))
                if last > first:
                    found.append((f'keep["{name}"] = {name}', ""))
        return found

    def differentiated(self, one: Evaluation) -> str:
        """What a derivative is taken at: the value itself when it has a graph, otherwise its copy that begins one."""
        if one.number not in self.plan.leaves:
            return self.variable(one)
        name = f"{self.names[one.number]}_leaf"
        return name if self.plan.leaves[one.number][0] == self.run.number else f'keep["{name}"]'

    def variable(self, one: Evaluation) -> str:
        name = self.names[one.number]
        if one.run != self.run.number:
            return f'keep["{name}"]'
        return name

    def reference(self, arg: Evaluation, user: Evaluation | None) -> str:
        """`arg` as `user` may see it: cut where the user's gradient must not enter."""
        if arg.node.op == "number":
            return repr(arg.node.setting("value"))
        if user is not None and (arg.number in user.paths or user.node.op == "grad"):
            return self.differentiated(arg)
        name = self.variable(arg)
        if arg.node.op in ("clock", "input", "draw", "state", "collected") or (self.optimise and not arg.has_graph):
            return name
        if user is not None and user.owners & arg.owners:
            return name
        return f"stop({name})"

    def statement(self, one: Evaluation, indent: int) -> None:
        node = one.node
        name = self.names[one.number]
        text = self.right_side(one)
        if one.number in self.origins and one.has_graph:
            text = f"differentiable({text})"  # what it was made from may have nothing to train: a sum has slope 1
        comment = f"{_where(node.place)}  {self.plan.graph.name_of(node)}"
        if one.has_graph and one.run != max(one.owners or {one.run}):
            comment += "  (graph for a later phase)"
        place = self.plan.graph.name_of(node)
        if node.op == "call" and node.target in self.drawing:
            self.lines.append((indent, f"with inside({node.target!r}, {place!r}):", ""))
            indent += 1
        self.lines.append((indent, f"{name} = {text}", comment))
        if one.number in self.plan.kept:
            self.lines.append((indent, f'keep["{name}"] = {name}', ""))
        if node in self.watched:
            self.lines.append((indent, f"keep[{quoted('watched ' + self.watched[node])}] = stop({name})", ""))

    def right_side(self, one: Evaluation) -> str:
        node = one.node
        args = [self.reference(a, one) for a in one.args]
        match node.op:
            case "input":
                return f"batch[{quoted(node.target)}]"
            case "clock":
                return node.target
            case "stop":
                return f"stop({self.variable(one.args[0]) if one.args[0].node.op != 'number' else args[0]})"
            case "item":
                return f"{args[0]}[{node.setting('number')}]"
            case "list":
                return f"[{', '.join(args)}]"
            case "arith":
                return f"-{args[0]}" if node.target == "neg" else f"{args[0]} {node.target} {args[1]}"
            case "grad":
                return f"gradient({args[0]}, {args[1]}, {one.has_graph})"
            case "call":
                return self.network_call(one, args)
            case "draw":
                function = self.function(node.target)
                settings = self.settings(one)
                if not args and parse_signature(look_up(node.target).signature).inputs:
                    args = ["rows_of(batch)"]
                return f"draw({quoted(node.name)}, {function}{_more(args)}{_more(settings)})"
            case "state":
                return f"state({quoted(node.name)}{_more(args)}{_more(self.settings(one))})"
            case "collect":
                return f"collect({quoted(node.name)}{_more(args)})"
            case "collected":
                return f"collected({quoted(node.target)})"
        function = self.function(node.target)
        return f"{function}({', '.join([*args, *self.settings(one)])})"

    def function(self, block: str) -> str:
        name = self.callables[(block,)]
        self.code.functions[name] = block
        return name

    def network_call(self, one: Evaluation, args: list[str]) -> str:
        node = one.node
        name = self.callables[callable_key(node)]
        self.code.networks[name] = (node.target, node.entry, node.average)
        settings = [*self.constants(node.setting("*", ())), *self.settings(one)]
        if one.snapshot:
            return f"old_weights({name}{_more(args)}{_more(settings)})"
        return f"{name}({', '.join([*args, *settings])})"

    def settings(self, one: Evaluation) -> list[str]:
        extras = dict(one.extras)
        found = []
        for key, value in one.node.settings:
            if key == "*":
                continue
            text = self.reference(extras[key], None) if key in extras else self.constant(value)
            found.append(f"{key}={text}")
        return found

    def constants(self, values: Any) -> list[str]:
        return [self.constant(v) for v in values]

    def constant(self, value: Any) -> str:
        return repr(value)

    def finish(self, results: list[Evaluation] | None) -> None:
        run = self.run
        if results is not None:
            self.lines.append((1, f"return ({''.join(self.reference(r, None) + ', ' for r in results)})", ""))
            return
        released = [one for one in run.release if one.node.op != "number"]
        leaves = [number for number, (first, last) in self.plan.leaves.items() if first < last == run.number]
        self.lines.append((1, "terms = [" if released or leaves else "return [", ""))
        for term in run.terms:
            weight = term.weight
            text = self.reference(weight, None)
            loss = self.variable(term.loss) if term.loss.owners else self.reference(term.loss, None)
            if run.number not in term.loss.owners:
                loss = self.reference(term.loss, None)
            self.lines.append((2, f"({text}, {loss}),", term.name))
        self.lines.append((1, "]", ""))
        for one in released:
            self.lines.append((1, f'del keep["{self.names[one.number]}"]', "no later phase needs it"))
        for leaf in leaves:
            self.lines.append((1, f'del keep["{self.names[leaf]}_leaf"]', ""))
        if released or leaves:
            self.lines.append((1, "return terms", ""))


def printable(text: str) -> str:
    """`text` on one line: a comment of emitted code must end where the line ends."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def quoted(name: str) -> str:
    """A name as a text of Python."""
    return json.dumps(name)


def _more(items: list[str]) -> str:
    return "".join(f", {i}" for i in items)


def _where(place: Place) -> str:
    file = place.file.replace("\\", "/").rsplit("/", 1)[-1]
    return f"{file}:{place.line}"


class _NoPhase:
    name = "values"
    place = Place("graph", 1, 1)


_NO_PHASE: Any = _NoPhase()
