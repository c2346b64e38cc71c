"""What a dry run says of time against what a run takes: the measurement on a graph of a few weights."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tiny_run import make_tiny

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))

import bench
import bench_pace

from composer import look, loop, timing
from composer.timing import Pace, time_words


@pytest.mark.parametrize(("seconds", "read"), [(0.00123, 0.00123), (0.25, 0.25), (75.34, 75.3), (1234.4, 1234)])
def test_seconds_are_read_from_what_is_said(seconds: float, read: float) -> None:
    lines = ["data: ...", time_words(Pace(seconds, 0.0, 2), 7, 0), "  a picture translated at ...: a2b 15.5 ms, x 2 s"]
    found = {"iteration": read, "translation a2b": 0.0155, "translation x": 2}
    assert bench_pace.said(lines) == pytest.approx(found)


def test_a_pair_of_a_small_graph(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    graph, _ = make_tiny(tmp_path / "method")
    monkeypatch.setattr(bench_pace, "in_process", bench_pace.one)
    monkeypatch.setattr(timing, "clock", timing.clock)  # put back what the measurement replaces
    monkeypatch.setattr(loop, "time", loop.time)
    monkeypatch.setattr(look, "look_at", look.look_at)
    monkeypatch.setattr(timing, "TIMED_SECONDS", 0.01)
    file = tmp_path / "rows.json"
    given = ["pace", graph, "--pairs", "1", "--iterations", "2", "--clock", "cpu", "--set", "width=3"]
    bench.main([*given, "--json", str(file)])
    said = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[1] for line in said[-2:]] == ["iteration", "translation a2b"]
    assert '"ratio": ' in file.read_text()
