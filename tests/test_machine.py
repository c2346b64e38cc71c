"""What the machine has left."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from composer import machine


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1 kB"),
        (99_949, "99.9 kB"),
        (99_950, "100 kB"),
        (12_345_678, "12.3 MB"),
        (999_499_999, "999 MB"),
        (999_500_000, "1 GB"),
        (1.5e12, "1.5 TB"),
    ],
)
def test_bytes_in_words(count, text):
    assert machine.size(count) == text


def test_the_disk_of_a_folder_that_is_not_there_yet(tmp_path):
    before = machine.free_disk(tmp_path)
    assert before and abs(machine.free_disk(tmp_path / "a" / "b") - before) < 10**9


def test_memory_is_what_the_system_says_and_what_limits_leave(tmp_path, monkeypatch):
    whole = machine.free_memory("cpu")
    assert whole is None or 0 < whole <= os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert machine.free_memory("meta") is None

    def group(folder: Path, limit: str, used: int, dropped: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "memory.max").write_text(f"{limit}\n")
        (folder / "memory.current").write_text(f"{used}\n")
        (folder / "memory.stat").write_text(f"anon 1\ninactive_file {dropped}\n")

    monkeypatch.setattr(machine, "GROUPS", tmp_path / "groups")
    monkeypatch.setattr(machine, "OWN_GROUPS", tmp_path / "own")
    (tmp_path / "own").write_text("12:cpu:/elsewhere\n0::/jobs/seven/step\n")
    assert machine.free_memory("cpu") == pytest.approx(whole, rel=0.1)  # no limit is visible
    group(tmp_path / "groups/jobs/seven/step", "max", 500, 0)
    group(tmp_path / "groups/jobs/seven", "2000", 1500, 400)
    group(tmp_path / "groups/jobs", "90000", 1500, 0)
    assert machine.free_memory("cpu") == 900


def test_the_older_form_of_limits(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "GROUPS", tmp_path)
    monkeypatch.setattr(machine, "OWN_GROUPS", tmp_path / "own")
    (tmp_path / "own").write_text("4:memory:/job\n")
    folder = tmp_path / "memory" / "job"
    folder.mkdir(parents=True)
    for name, value in (("limit_in_bytes", "3000"), ("usage_in_bytes", "1000"), ("stat", "total_inactive_file 7")):
        (folder / f"memory.{name}").write_text(value)
    assert machine.free_memory("cpu") == 2007
