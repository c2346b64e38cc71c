"""The commands of docs/numbers.md, on smaller networks: from nothing to a table."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from composer.cli import main

PAGE = Path(__file__).parents[1] / "docs" / "numbers.md"
SMALL = ["--iterations", "2", "--sample-every", "0"]
SMALL += [word for name in ("size=16", "width=2", "judge_width=2") for word in ("--set", name)]


def test_the_commands_of_the_page_lead_to_a_table(tmp_path, monkeypatch, capsys) -> None:
    block = re.search(r"^```sh\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.S | re.M)
    assert block
    commands = [shlex.split(line)[1:] for line in block[1].splitlines()]
    assert [words[0] for words in commands] == ["run", "run", "eval", "eval", "compare", "compare"]
    monkeypatch.chdir(tmp_path)
    for words in commands:
        capsys.readouterr()
        more = {"run": [*SMALL, "--device", "cpu"], "eval": ["--device", "cpu"]}.get(words[0], [])
        assert main([*("1" if word == "100" else word for word in words), *more]) == 0
    table = capsys.readouterr().out
    assert re.search(r"^unit & 2 & 2 & \$0\.\d+ \\pm 0\.\d+\$", table, re.M), table
    assert "validation best $\\downarrow$" in table and "it/s" in table and "memory (GB)" in table
    assert (tmp_path / "runs" / "unit-0" / "best.json").is_file()
