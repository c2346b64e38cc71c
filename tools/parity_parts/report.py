"""What came out of a case: maxima, counts, what failed; as a line, as all arrays, as data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from composer.errors import ComposeError

from .case import read_case
from .compare import TOLERANCES, Difference, compare
from .mapping import MethodMapping
from .replay import Replay
from .selftest import SelfTest, self_test

ALWAYS = ("losses", "values", "weights")
SHOWN = 10  # differences of a failed case that are printed without --verbose


@dataclass(frozen=True)
class Report:
    """The result of one case. `problem` is why it could not be replayed to its end."""

    title: str
    differences: tuple[Difference, ...] = ()
    fed: int = 0
    left: tuple[tuple[str, str], ...] = ()  # arrays that are not compared, with the reason
    problem: str = ""
    tested: SelfTest | None = None

    @property
    def failed(self) -> list[Difference]:
        return [d for d in self.differences if not d.passes]

    @property
    def passes(self) -> bool:
        return not self.problem and not self.failed and not (self.tested and self.tested.missed)

    def maxima(self) -> dict[str, float]:
        """The largest error of each kind that was compared."""
        found: dict[str, float] = {}
        for kind in TOLERANCES:
            errors = [d.error for d in self.differences if d.kind == kind]
            if errors or kind in ALWAYS:
                found[kind] = max(errors, default=0.0)
        return found

    def counts(self) -> str:
        total = len(self.differences) + self.fed + len(self.left)
        reasons = "; ".join(dict.fromkeys(reason for _, reason in self.left))
        left = f"{len(self.left)} not compared" + (f": {reasons}" if reasons else "")
        return f"{total} arrays: {len(self.differences)} compared, {self.fed} fed, {left}"

    def text(self, verbose: bool = False) -> str:
        lines = [self.line()]
        for difference in self.differences if verbose else self.failed[:SHOWN]:
            lines.append(f"  {'' if difference.passes else 'FAILS  '}{difference}")
        if not verbose and len(self.failed) > SHOWN:
            lines.append(f"  and {len(self.failed) - SHOWN} more; -v shows all")
        if self.problem:
            lines += [f"  {line}" for line in self.problem.splitlines()]
        if verbose:
            lines += [f"  {name}: not compared, {reason}" for name, reason in self.left]
        if self.tested:
            lines += [f"  not noticed when falsified: {name}" for name in self.tested.missed]
        return "\n".join(lines)

    def line(self) -> str:
        state = "ok" if self.passes else "FAILED"
        if self.problem:
            return f"{self.title}  {state}"
        maxima = "  ".join(f"{kind} {error:.1e}" for kind, error in self.maxima().items())
        line = f"{self.title}  {state}  {maxima}  ({self.counts()})"
        if self.tested:
            noticed = self.tested.compared + self.tested.fed - len(self.tested.missed)
            line += f"  self-test: {noticed} of {self.tested.compared + self.tested.fed} falsified arrays noticed"
        return line

    def data(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "case": self.title,
            "ok": self.passes,
            "maxima": {k: v if np.isfinite(v) else None for k, v in self.maxima().items()},
            "compared": len(self.differences),
            "fed": self.fed,
            "not_compared": dict(self.left),
            "failed": [str(d) for d in self.failed],
            "problem": self.problem,
        }
        if self.tested:
            falsified = self.tested.compared + self.tested.fed
            found["self_test"] = {"falsified": falsified, "missed": list(self.tested.missed)}
        return found


def check_case(folder: Path, mappings: Path, test: bool = False) -> Report:
    """Replay the case in `folder` and compare it; a report says what was wrong, nothing is raised for a bad case."""
    title = f"{folder.resolve().parent.name}/{folder.resolve().name}"
    differences: list[Difference] = []
    fed, left = 0, ()
    try:
        case = read_case(folder)
        title = case.title
        path = mappings / f"{case.method}.yaml"
        if not path.is_file():
            raise ComposeError(f"there is no mapping for it: {path.name} in {mappings}")
        replay = Replay(case, MethodMapping(path))
        fed, left = len(replay.uses.fed), tuple(replay.uses.left.items())
        for name, kind, ours in replay.run():
            differences.append(compare(name, kind, ours, case.arrays[name]))
        missing = sorted(set(replay.uses.compared) - {d.name for d in differences})
        if missing:
            raise ComposeError(f"nothing was computed for {', '.join(missing[:8])}")
        report = Report(title, tuple(differences), fed, left)
        if not test or not report.passes:
            return report
        return Report(title, tuple(differences), fed, left, tested=self_test(replay))
    except ComposeError as error:
        return Report(title, tuple(differences), fed, left, problem=str(error))
