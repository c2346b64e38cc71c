"""The clock of a run and the functions of it: weights, rates and switches are functions, never mutated numbers.

All counts start at 0. `epoch_length` is how many iterations an epoch has.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

NAMES = ("iteration", "epoch", "position", "epoch_length")


@dataclass(frozen=True)
class Clock:
    """One moment of a run."""

    iteration: int
    epoch_length: int = 1

    @property
    def epoch(self) -> int:
        return self.iteration // self.epoch_length

    @property
    def position(self) -> int:
        """Iterations since the epoch began."""
        return self.iteration % self.epoch_length

    def linear(self, start: float, end: float, over: int, begin: int = 0) -> float:
        """From `start` at iteration `begin` in a straight line to `end`, `over` iterations later; then `end`."""
        share = min(1.0, max(0.0, (self.iteration - begin) / max(1, over)))
        return start + (end - start) * share

    def cosine(self, start: float, end: float, over: int, begin: int = 0) -> float:
        """From `start` to `end` along half a cosine over `over` iterations from `begin`; then `end`."""
        share = min(1.0, max(0.0, (self.iteration - begin) / max(1, over)))
        return end + (start - end) * 0.5 * (1 + math.cos(math.pi * share))

    def exponential(self, factor: float, every: int) -> float:
        """`factor` to the power iteration / every, without steps."""
        return float(factor ** (self.iteration / max(1, every)))

    def steps(self, every: int, factor: float, early: int = 0) -> float:
        """`factor` to the power of how many times `every` iterations have passed, counted `early` iterations sooner."""
        return float(factor ** ((self.iteration + early) // max(1, every)))

    def constant_then_linear(self, constant: int, decay: int, early: int = 0) -> float:
        """1 for `constant` epochs, then 1 / (decay + 1) less with each epoch, `early` epochs sooner; never below 0."""
        passed = max(0, self.epoch + 1 + early - constant)
        return max(0.0, 1.0 - passed / (decay + 1))

    def warmup(self, over: int) -> float:
        """From 1 / over to 1 over the first `over` iterations."""
        return min(1.0, (self.iteration + 1) / max(1, over))


def _count(items: list[Any]) -> int:
    return len(items)


def _power(base: float, exponent: float) -> float:
    """`base` to the power `exponent`, within what can be a size or a weight."""
    without = (base == 0 and exponent < 0) or (base < 0 and exponent != int(exponent))
    if without or abs(exponent) > 64 or abs(base) > 1e6 or abs(found := base**exponent) > 1e15:
        raise ValueError(f"{base} to the power {exponent} is no number that can be used")
    return float(found) if isinstance(found, float) else int(found)


def probe(text: str, last: int | None = None) -> str:
    """What is wrong with `text`, Python over `clock`, in the words of an error; "" when it has a number throughout.

    It is worked out at the start of a run, at a few iterations after it and, where it is known, at the last.
    """
    code = compile(text, "<clock>", "eval")
    for iteration in (0, 1, 2, 3, 7, 10, 99, 100, *([last] if last else [])):
        names = {"clock": Clock(iteration, 20), **NUMBERS}
        try:
            found = eval(code, {"__builtins__": {}}, names)  # our own text
            if not math.isfinite(found):
                return f"it is {found} at iteration {iteration}"
        except (ArithmeticError, TypeError, ValueError) as error:
            words = "it divides by zero" if isinstance(error, ZeroDivisionError) else str(error)
            return f"{words} at iteration {iteration}"
    return ""


def iteration_of(rule: int | str, clock: Clock) -> int:
    """The iteration that a rule names: a number, or Python text over `clock`, of which only the epoch length counts."""
    if isinstance(rule, str):
        return int(eval(rule, {"__builtins__": {}}, {"clock": clock, **NUMBERS}))  # our own text
    return rule


# Functions of the clock, by the name a graph calls them.
FUNCTIONS: tuple[str, ...] = ("linear", "cosine", "exponential", "steps", "constant_then_linear", "warmup")
# Functions of plain numbers and lists.
NUMBERS: dict[str, Callable[..., Any]] = {
    "min": min,
    "max": max,
    "floor": math.floor,
    "ceil": math.ceil,
    "sqrt": math.sqrt,
    "log": math.log,
    "power": _power,
    "count": _count,
}
