"""What single nodes mean: the operations that `composer.testing.interpreter` puts in order.

Every number that comes out keeps its whole graph, and every call of a network gets fresh copies of its weights.
"""

from __future__ import annotations

import copy
import inspect
from typing import Any

import torch
from torch import Tensor

from composer.block import look_up
from composer.blocks.random import drawing
from composer.clock import NUMBERS, Clock
from composer.nodes import Graph, Node
from composer.program import Program
from composer.randomness import Draws, InsideDraws, StateDraws
from composer.runtime import block_function
from composer.testing.compare import Batch
from composer.wired import Entry


class Machine:
    """Copies of a program's modules, the random numbers of an iteration, and the value of each operation."""

    def __init__(self, program: Program) -> None:
        self.graph: Graph = program.graph
        self.networks = {n: copy.deepcopy(m) for n, m in program.networks.items()}
        self.averages = {n: copy.deepcopy(m) for n, m in program.averages.items()}
        self.states = {n: copy.deepcopy(m) for n, m in program.states.items()}
        self.collected: dict[str, Any] = {n: copy.deepcopy(m) for n, m in program.collectors.items()}
        self.device, self.dtype, self.epoch_length = program.device, program.dtype, program.epoch_length
        self.draws = Draws(program.seed, 0, program.device, program.dtype)
        self.calls = dict.fromkeys(self.networks, 0)
        self.copies: dict[str, Tensor] = {}  # of the last call: the copies of the parameters it was made with
        self.iteration = 0
        self.run = 0  # of the iteration, from 0
        self.clock = Clock(0, self.epoch_length)
        self.batch: Batch = {}
        self.sweeping = False  # a pass is running

    def compute(self, node: Node, args: list[Any], settings: dict[str, Any]) -> Any:
        """The value of a node, from those of its arguments; a derivative can be taken at any of them."""
        return differentiable(self.meaning(node, args, settings))

    def meaning(self, node: Node, args: list[Any], settings: dict[str, Any]) -> Any:
        """The value of a node; what is cut off from its history is a constant."""
        match node.op:
            case "number":
                return node.setting("value")
            case "clock":
                return self.number(node.target)
            case "input":
                value = self.batch[node.target].to(self.device)
                return value.to(self.dtype) if value.is_floating_point() else value
            case "collect":
                with torch.no_grad():
                    return self.collected[node.name](*(constant(a) for a in args))
            case "collected":
                return self.collected[node.target].value
            case "stop":
                return constant(args[0])
            case "item":
                return args[0][node.setting("number")]
            case "list":
                return args
            case "arith":
                return arithmetic(node.target, args)
            case "grad":
                return derivative(args[0], args[1])
            case "draw":
                return self.draw(node, args, settings)
            case "state":
                with torch.no_grad():
                    source = StateDraws(self.draws, node.name, None if self.sweeping else self.clock)
                    self.draws.run = self.run
                    return self.states[node.name](args[0].detach(), draws=source)
            case "call":
                return self.call(node, args, settings)
        return block_function(node.target, self.dtype)(*args, **settings)

    def draw(self, node: Node, args: list[Any], settings: dict[str, Any]) -> Tensor:
        """Rule 2 of the language: a generator of its own from (seed, iteration, run, name)."""
        block = look_up(node.target)
        function = block.load()
        wanted = inspect.signature(function).parameters
        given = {k: v for k, v in (("device", self.device), ("dtype", self.dtype)) if k in wanted}
        if not args and not block.signature.strip().startswith("->"):
            args = [next(iter(self.batch.values()))]  # a row for each row of the batch
        self.draws.run = self.run
        return self.draws.tensor(node.name, lambda g: function(*args, **settings, generator=g, **given))

    def call(self, node: Node, args: list[Any], settings: dict[str, Any]) -> Any:
        """A network with copies of its weights; its buffers move, whoever trains it (rule 6)."""
        network = (self.averages if node.average else self.networks)[node.target]
        self.copies = {
            name: p.detach().clone().requires_grad_(p.requires_grad) for name, p in network.named_parameters()
        }
        self.calls[node.target] += 1
        inside = InsideDraws(self.draws)
        inside.network, inside.call = node.target, self.graph.name_of(node)
        self.draws.run = self.run
        weights = {f"network.{k}": v for k, v in self.copies.items()}
        with drawing(inside):
            plain = tuple(node.setting("*", ()))
            return torch.func.functional_call(Entry(network, node.entry), weights, (*args, *plain), settings)

    def number(self, text: str) -> Any:
        """The value of a function of the clock, which the graph holds as Python text over `clock`."""
        return eval(text, {"__builtins__": {}, **NUMBERS}, {"clock": self.clock})

    def state(self) -> dict[str, Tensor]:
        """Every tensor of the modules, under the names of `Program.state`."""
        found: dict[str, Tensor] = {}
        kinds = {"networks": self.networks, "averages": self.averages}
        for kind, modules in {**kinds, "states": self.states, "collected": self.collected}.items():
            for name, module in modules.items():
                found |= {f"{kind}/{name}/{k}": v.detach().clone() for k, v in module.state_dict().items()}
        return found


def constant(x: Any) -> Any:
    """The same numbers without history. Lists are mapped over."""
    if isinstance(x, (list, tuple)):
        return [constant(item) for item in x]
    return x.detach() if isinstance(x, Tensor) else x


def differentiable(x: Any) -> Any:
    """The same value; real numbers that depend on nothing begin a history of their own."""
    if isinstance(x, (list, tuple)):
        return [differentiable(item) for item in x]
    if isinstance(x, Tensor) and x.is_floating_point() and not x.requires_grad:
        return x.detach().requires_grad_()
    return x


def arithmetic(symbol: str, args: list[Any]) -> Any:
    match symbol:
        case "neg":
            return -args[0]
        case "+":
            return args[0] + args[1]
        case "-":
            return args[0] - args[1]
        case "*":
            return args[0] * args[1]
        case "/":
            return args[0] / args[1]
        case "%":
            return args[0] % args[1]
        case "<":
            return args[0] < args[1]
        case "<=":
            return args[0] <= args[1]
        case ">":
            return args[0] > args[1]
        case ">=":
            return args[0] >= args[1]
    raise AssertionError(f"no meaning for operator {symbol}")


def derivative(score: Any, x: Tensor) -> Tensor:
    """Rule 8: of the sum of `score`, along all paths from `x`; itself differentiable."""
    total = added(score)
    if not total.requires_grad:
        return torch.zeros_like(x)
    (found,) = torch.autograd.grad(total, x, create_graph=True, allow_unused=True)
    return torch.zeros_like(x) if found is None else found


def added(score: Any) -> Tensor:
    if isinstance(score, Tensor):
        return score.sum()
    return torch.stack([added(item) for item in score]).sum()
