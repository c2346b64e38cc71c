"""What a run shows: plain lines in a pipe, a panel on a terminal."""

from __future__ import annotations

import io
import itertools

import pytest
from tiny_run import make_tiny, settings, start

from composer import display
from composer.display import Live, Pace, Plain, Progress, open_display, plain_line


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_pipe_gets_plain_lines_and_a_terminal_a_panel(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    assert isinstance(open_display(io.StringIO()), Plain)
    assert isinstance(open_display(Terminal()), Live)
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(open_display(Terminal()), Plain)


def test_plain_lines_hold_no_escape_codes_and_are_few(tmp_path):
    graph, data = make_tiny(tmp_path / "method")
    _, said = start(settings(graph, data, out=tmp_path / "out", iterations=8))
    assert "\x1b" not in said and "\r" not in said
    lines = [line for line in said.splitlines() if line.startswith("iteration")]
    assert len(lines) == 2
    assert lines[-1].startswith("iteration 8 of 8")
    assert "translate#2/keep" in lines[-1]


def test_the_panel_shows_every_term_and_leaves_the_terminal_as_it_was(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    live = Live(stream)
    live.note("data: [a] 100 %")
    live.update(Progress(5, 10, 0, 2.0, 0.25, 2.5, {"judge/real": (0.5, 2.0), "judge/fake": (0.25, 1.0)}), last=True)
    live.stop()
    shown = stream.getvalue()
    for words in ("data: [a] 100 %", "iteration 5/10", "2 it/s", "data 25 %", "judge", "real", "fake", "0.25"):
        assert words in shown
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h") == 1


def test_speed_is_that_of_the_last_half_minute():
    pace = Pace()
    for second in range(100):
        pace.mark(second * (1 if second < 60 else 2), second / 4, now=float(second))
    progress = pace.progress(1000, 0, {})
    assert progress.speed == pytest.approx(2, rel=0.1)
    assert progress.data_share == pytest.approx(0.25)
    assert progress.seconds_left == pytest.approx((1000 - 198) / progress.speed)
    assert "iteration 198 of 1000" in plain_line(progress)


@pytest.mark.parametrize(("seconds", "words"), [(0.4, "0:00"), (61, "1:01"), (3787, "1:03:07"), (190000, "2 d 4 h")])
def test_durations(seconds, words):
    assert display.duration(seconds) == words


def test_plain_lines_become_rarer(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(display.time, "perf_counter", lambda: now[0])
    stream = io.StringIO()
    plain = Plain(stream)
    shown = []
    for iteration in range(1, 36001):
        now[0] += 1
        before = stream.tell()
        plain.update(Progress(iteration, 36000), last=iteration == 36000)
        shown += [iteration] if stream.tell() > before else []
    assert shown[:4] == [1, 11, 21, 31]
    assert shown[-1] == 36000
    gaps = [b - a for a, b in itertools.pairwise(shown[:-1])]
    assert gaps == sorted(gaps)
    assert gaps[-1] == 300
    assert len(shown) < 200
