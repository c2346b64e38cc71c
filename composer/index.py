"""Index notation: `d: [a, b]`, `s,t: [[a, b], [b, a]]`, and the expansion of what is written over them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from composer.errors import ComposeError, Place, nearest
from composer.expression import Attribute, Constant, Expression, Index, Name, show, walk
from composer.limits import Budget

Literal = str | int
Binding = Mapping[str, Literal]


@dataclass(frozen=True)
class IndexSet:
    """Variables that run together over rows of values."""

    variables: tuple[str, ...]
    rows: tuple[tuple[Literal, ...], ...]


class Indices:
    """All indices of a graph."""

    def __init__(self, sets: Iterable[IndexSet]) -> None:
        self.sets = tuple(sets)
        self.of: dict[str, IndexSet] = {v: s for s in self.sets for v in s.variables}
        self.literals: set[Literal] = {x for s in self.sets for row in s.rows for x in row}
        self.budget = Budget()
        self.used: set[IndexSet] = set()

    def free(self, trees: Iterable[Expression], bound: Binding) -> tuple[IndexSet, ...]:
        """The sets whose variables stand in brackets of `trees` and are not bound, in order of appearance."""
        found: dict[IndexSet, None] = {}
        for tree in trees:
            for node in walk(tree):
                if isinstance(node, Index):
                    for item in node.items:
                        if isinstance(item, Name) and item.id in self.of and item.id not in bound:
                            found[self.of[item.id]] = None
        self.used.update(found)
        return tuple(found)

    def expand(
        self, sets: Iterable[IndexSet], bound: Binding | None = None, place: Place | None = None
    ) -> Iterator[dict[str, Literal]]:
        """Every binding of the variables of `sets`, first set slowest; `place` is the line that asks for them."""
        sets = tuple(sets)
        if sets:
            names = ", ".join(v for s in sets for v in s.variables)
            self.budget.bind(math.prod(len(s.rows) for s in sets), names, place)
        for rows in itertools.product(*(s.rows for s in sets)):
            binding = dict(bound or {})
            for one, row in zip(sets, rows, strict=True):
                binding.update(zip(one.variables, row, strict=True))
            yield binding

    def literal(self, item: Expression, bound: Binding) -> Literal:
        """The value an index item stands for."""
        if isinstance(item, Constant) and isinstance(item.value, (str, int)) and not isinstance(item.value, bool):
            return item.value
        if isinstance(item, Name):
            if item.id in bound:
                return bound[item.id]
            if item.id in self.of:
                raise ComposeError(
                    f"index '{item.id}' is not bound here", item.at, "write it on the left side too, or a value of it"
                )
            if item.id in self.literals:
                return item.id
            known = [*self.of, *(str(x) for x in self.literals)]
            raise ComposeError(f"unknown index value '{item.id}'", item.at, nearest(item.id, known))
        raise ComposeError(f"'{show(item)}' is no index", item.at, "an index is a name or a whole number")

    def full_name(self, target: Expression, bound: Binding) -> str:
        """`fake[s,t]` under s=a, t=b is `fake[a,b]`."""
        match target:
            case Name():
                return target.id
            case Index(base=Name(id=base)):
                inner = ",".join(str(self.literal(i, bound)) for i in target.items)
                return f"{base}[{inner}]"
        raise ComposeError(f"'{show(target)}' is no name", target.at, "write name or name[index]")


def base_name(target: Expression) -> str:
    """`fake` of `fake[s,t]`; the method's owner of `F.inverse`."""
    match target:
        case Name():
            return target.id
        case Index():
            return base_name(target.base)
        case Attribute():
            return base_name(target.base)
    return show(target)
