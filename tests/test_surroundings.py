"""A run with nothing around it: no environment, nowhere to write but its folder, nobody to talk to, no terminal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_run import ROOT, make_tiny, settings, start

from composer.cli import main
from composer.errors import ComposeError

# The interpreter itself reports what is opened for writing, made or removed, and every attempt to reach somebody.
WATCHED = """
import os, sys
seen = []
def watch(event, args):
    if event in ("socket.connect", "socket.bind", "socket.getaddrinfo"):
        seen.append(f"{event} {args[1:]}")
    elif event == "open" and isinstance(args[0], (str, bytes)) and (args[2] or 0) & (os.O_WRONLY | os.O_RDWR):
        seen.append(os.fsdecode(args[0]))
    elif event in ("os.mkdir", "os.rename", "os.remove") and not (event == "os.mkdir" and os.path.isdir(args[0])):
        seen.append(os.fsdecode(args[0]))
sys.addaudithook(watch)
from composer.cli import main
status = main(sys.argv[2:])
outside = [one for one in seen if not os.path.abspath(one).startswith((sys.argv[1], os.devnull, "/proc/"))]
print("written:", len(seen), "outside:", outside)
sys.exit(status)
"""


def test_nothing_is_needed_and_nothing_is_written_elsewhere(tmp_path):
    graph, data = make_tiny(tmp_path / "method")
    places = [tmp_path / name for name in ("home", "here", "temporary")]
    for place in places:
        place.mkdir()
        place.chmod(0o555)
    out = tmp_path / "out"
    words = ["run", graph, "--data", *data, "--out", str(out), "--iterations", "3", "--workers", "1"]
    # The first two tell the interpreter where this package is, and not to keep compiled files of it.
    environment = {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "TERM": "dumb"}
    environment |= {"HOME": str(places[0]), "TMPDIR": str(places[2])}
    command = [sys.executable, "-c", WATCHED, str(out), *words]
    done = subprocess.run(command, env=environment, cwd=places[1], capture_output=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, b"")
    said = done.stdout.decode()
    assert said.splitlines()[-1].endswith("outside: []"), said
    assert "written: 0" not in said  # the hook saw the run's own files
    assert "\x1b" not in said and "\r" not in said
    assert f"done: 3 iterations in {out}" in said
    assert not [path for place in places for path in place.rglob("*")]
    assert {p.name for p in tmp_path.iterdir()} == {"method", "out", "home", "here", "temporary"}
    assert json.loads((out / "environment.json").read_text())["starts"][0]["workers"] == 1


def test_where_no_folder_can_be_made(tmp_path, monkeypatch):
    graph, data = make_tiny(tmp_path / "method")
    monkeypatch.chdir(tmp_path)
    Path("runs").write_text("a file")
    with pytest.raises(ComposeError, match="the run folder 'runs' cannot be made: File exists; name a folder you may"):
        start(settings(graph, data))

    def refusing(path, *_, **__):
        raise OSError(30, os.strerror(30), str(path))

    monkeypatch.setattr(Path, "mkdir", refusing)
    for given in ({"out": tmp_path / "other"}, {}):
        with pytest.raises(ComposeError, match=r"cannot be made: Read-only file system; name a folder .* with --out"):
            start(settings(graph, data, **given))


def test_a_dumb_terminal_gets_plain_lines(tmp_path, capsys):
    graph, data = make_tiny(tmp_path / "method")
    words = ["run", graph, "--data", *data, "--out", str(tmp_path / "out"), "--iterations", "1", "--workers", "0"]
    assert main(words) == 0
    said = capsys.readouterr()
    assert "\x1b" not in said.out + said.err
