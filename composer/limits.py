"""How large a graph may be: limits far above any method, so that a slip of the pen is said at once.

They keep reading a graph below a second and a few megabytes, whatever stands in the file.
"""

from __future__ import annotations

from collections.abc import Iterable

from composer.errors import ComposeError, Place, Problem

MOST_PROBLEMS = 20  # reported of one graph: nobody reads the hundredth
MOST_NODES = 10_000  # values, calls and layers; a method with six networks has about 500
MOST_STEPS = 200_000  # names, calls and operators read, with every value of their indices
MOST_BINDINGS = 10_000  # values of indices that lines are written over, all together
MOST_ITEMS = 1_000  # of one list, those of lists in it included
MOST_LAYERS = 5_000  # modules inside one network
LONGEST_CLOCK = 2_000  # characters of one function of the clock
DEEPEST_CLOCK = 60  # brackets in it
LARGEST_NUMBER = 1e18
LARGEST_SETTING = 2**20  # of a whole number a block takes
LARGEST_TENSOR = 2**33  # numbers in one value, all rows of a batch together
LARGEST_NETWORK = 2**31  # weights


class Enough(Exception):
    """Reading ends here: what was found so far says enough, and `problem` (where there is one) why."""

    def __init__(self, problem: Problem | None = None) -> None:
        super().__init__(str(problem or "too many problems"))
        self.problem = problem


class Noted(list[Problem]):
    """Problems found so far; with `MOST_PROBLEMS` of them reading ends."""

    def append(self, problem: Problem) -> None:
        if problem in self:
            return  # of a line with an index, said for another value of it
        super().append(problem)
        if len(self) >= MOST_PROBLEMS:
            raise Enough

    def extend(self, problems: Iterable[Problem]) -> None:
        for problem in problems:
            self.append(problem)


class Budget:
    """Counts what reading a graph makes, and ends it when it becomes too much."""

    def __init__(self) -> None:
        self.nodes = self.steps = self.bindings = 0

    def node(self, place: Place) -> None:
        self.nodes += 1
        if self.nodes > MOST_NODES:
            raise Enough(
                Problem(f"more than {MOST_NODES} values and layers", place, "repeat less, or give indices fewer values")
            )

    def step(self, place: Place) -> None:
        self.steps += 1
        if self.steps > MOST_STEPS:
            fact = f"the expressions of this graph have more than {MOST_STEPS} parts"
            raise Enough(Problem(fact, place, "repeat less, or give indices fewer values"))

    def bind(self, count: int, names: str, place: Place | None) -> None:
        self.bindings += count
        if self.bindings > MOST_BINDINGS:
            fact = f"more than {MOST_BINDINGS} values of indices, the last ones of {names}"
            raise Enough(Problem(fact, place, "give indices fewer values, or lines fewer indices"))


def check_clock(text: str, place: Place) -> None:
    """Refuse a function of the clock that has grown beyond what Python reads."""
    depth = deepest = 0
    for character in text[: LONGEST_CLOCK + 1]:
        depth += (character in "([") - (character in ")]")
        deepest = max(deepest, depth)
    if len(text) > LONGEST_CLOCK or deepest > DEEPEST_CLOCK:
        raise ComposeError("a function of the clock that is too long", place, "compute it in fewer steps")
