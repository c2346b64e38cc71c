"""Replay recorded traces of the authors' own code and compare: python tools/parity.py DIR...

DIR is a case, a method or a folder of methods. For each case the bundled graph is built by the mapping in
tests/parity/METHOD.yaml, the recorded weights are loaded, the recorded batches and draws are replayed in float64 by
the step that `composer run` uses, and every array of the trace is compared, or named as not compared with the reason.
One line a case; exit status 1 when one fails. docs/parity.md says more.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # from a checkout that is not installed

import torch
from parity_parts.case import find_cases
from parity_parts.report import Report, check_case

from composer.errors import ComposeError

MAPPINGS = Path(__file__).resolve().parent.parent / "tests" / "parity"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="replay recorded traces and compare every array")
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR", help="a case, a method, or a folder of methods")
    parser.add_argument("-v", "--verbose", action="store_true", help="every array with its difference")
    parser.add_argument("--json", action="store_true", help="a JSON list instead of lines")
    parser.add_argument("--self-test", action="store_true", help="falsify each array in turn: each time it must fail")
    parser.add_argument("--mappings", type=Path, default=MAPPINGS, metavar="DIR", help="where METHOD.yaml is")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch (default 1: the cases are tiny)")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    try:
        found = find_cases(options.folders)
    except ComposeError as error:
        print(f"parity: {error}", file=sys.stderr)
        return 2
    reports: list[Report] = []
    without: list[str] = []
    for one in found:
        if not one.asked and not (options.mappings / f"{one.method}.yaml").is_file():
            without.append(f"{one.method}/{one.folder.name}")
            continue
        report = check_case(one.folder, options.mappings, options.self_test)
        reports.append(report)
        if not options.json:
            print(report.text(options.verbose), flush=True)
    if options.json:
        print(json.dumps(as_data(reports, without), indent=1))
    elif without:
        print(f"not checked, because there is no mapping: {', '.join(without)}")
    return 0 if reports and all(report.passes for report in reports) else 1


def as_data(reports: list[Report], without: list[str]) -> list[dict[str, Any]]:
    return [r.data() for r in reports] + [{"case": name, "ok": None, "problem": "no mapping"} for name in without]


if __name__ == "__main__":
    sys.exit(main())
