"""Names of weights: their state_dict keys <-> ours, by rules that hold in both directions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from composer.errors import ComposeError, Place

Name = tuple[str, str]  # a network and a key of its state_dict


@dataclass(frozen=True)
class KeyRule:
    """`theirs` of their network is `ours` of our network.

    A pattern is a module's path, the last word of a key (weight, bias, running_mean, ...) being the same on both
    sides; or it ends with `*`, which stands for any rest of a key.
    """

    their_network: str
    theirs: str
    our_network: str
    ours: str
    place: Place = field(compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.theirs.endswith("*") != self.ours.endswith("*"):
            raise ComposeError(f"'{self.theirs}' and '{self.ours}' do not both end with '*'", self.place)


def rest_of(pattern: str, key: str) -> str | None:
    """What of `key` the pattern leaves open, or None where it does not match.

    >>> rest_of("down.0.conv", "down.0.conv.weight"), rest_of("layers.*", "layers.1.bias"), rest_of("a", "a.b.c")
    ('weight', '1.bias', None)
    """
    if pattern.endswith("*"):
        start = pattern[:-1]
        return key[len(start) :] if key.startswith(start) else None
    start = f"{pattern}."
    rest = key[len(start) :]
    return rest if key.startswith(start) and rest and "." not in rest else None


def with_rest(pattern: str, rest: str) -> str:
    """The key that `pattern` means with this rest: the other direction of `rest_of`."""
    return pattern[:-1] + rest if pattern.endswith("*") else f"{pattern}.{rest}"


class Keys:
    """The rules of a case. They are tried in order, the first that matches holds."""

    def __init__(self, rules: Iterable[KeyRule]) -> None:
        self.rules = tuple(rules)

    def ours(self, network: str, key: str) -> Name | None:
        """Our network and key for one of theirs."""
        for rule in self.rules:
            rest = rest_of(rule.theirs, key) if rule.their_network == network else None
            if rest is not None:
                return rule.our_network, with_rest(rule.ours, rest)
        return None

    def theirs(self, network: str, key: str) -> Name | None:
        """Their network and key for one of ours."""
        for rule in self.rules:
            rest = rest_of(rule.ours, key) if rule.our_network == network else None
            if rest is not None:
                return rule.their_network, with_rest(rule.theirs, rest)
        return None

    def paired(self, theirs: Iterable[Name], ours: Iterable[Name]) -> dict[Name, Name]:
        """Theirs -> ours, one to one; a `ComposeError` with every key that has no partner, or two."""
        problems: list[str] = []
        found: dict[Name, Name] = {}
        taken: dict[Name, Name] = {}
        open_keys = set(ours)
        for name in theirs:
            partner = self.ours(*name)
            if partner is None:
                problems.append(f"no rule for their {'/'.join(name)}")
            elif partner not in open_keys:
                problems.append(f"their {'/'.join(name)} is {'/'.join(partner)}, which the graph has not")
            elif partner in taken:
                problems.append(f"their {'/'.join(name)} and {'/'.join(taken[partner])} are both {'/'.join(partner)}")
            elif self.theirs(*partner) != name:
                problems.append(f"their {'/'.join(name)} is {'/'.join(partner)}, but not the other way round")
            else:
                found[name] = partner
                taken[partner] = name
        problems += [f"nothing is given for our {'/'.join(n)}" for n in sorted(open_keys - set(taken))]
        if problems:
            more = f"; and {len(problems) - 8} more" if len(problems) > 8 else ""
            raise ComposeError("; ".join(problems[:8]) + more)
        return found
