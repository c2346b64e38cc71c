"""Batches: a function of the seed and their number, for any number of workers and any place to start."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from data_folders import STREAMS, UNPAIRED, Noise, folder, noise
from hypothesis import given, settings
from hypothesis import strategies as st

from composer.data import bind, dice, open_data
from composer.data.keeping import SharedKeeper
from composer.data.order import make_order
from composer.errors import ComposeError

ROOT = Path(__file__).parents[1]


def assert_same(got: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor]) -> None:
    assert got.keys() == wanted.keys()
    for name in got:
        assert got[name].dtype == wanted[name].dtype and torch.equal(got[name], wanted[name]), name


# -- random numbers and order ---------------------------------------------------------------------------------------


def test_random_numbers_stay_what_they_are() -> None:
    """A run that is resumed with another version of anything must meet the same batches."""
    assert dice.raw(2, 0, "order", "pair", 1).tolist() == [10109950820112307525, 12114988870421565716]
    assert dice.permutation(7, 1, "x").tolist() == [2, 4, 1, 5, 6, 3, 0]
    assert dice.uniform(2, 5).tolist() == [0.7742905086231454, 0.0725901414763952]


@settings(max_examples=60, deadline=None)
@given(
    rows=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    batch=st.integers(1, 15),
    epoch=st.sampled_from(["longest", "shortest", "b"]),
    seed=st.integers(-(2**70), 2**70),
)
def test_orders_use_all_rows_equally(rows: tuple[int, int], batch: int, epoch: str, seed: int) -> None:
    lengths = dict(zip("ab", rows, strict=True))
    order = make_order(lengths, dict.fromkeys("ab", "shuffled"), batch=batch, seed=seed, epoch=epoch)
    lead = order.leader
    assert lengths[lead] == {"longest": max(rows), "shortest": min(rows), "b": rows[1]}[epoch]
    length = order.epoch_length
    assert length == max(1, lengths[lead] // batch)
    drawn: dict[str, list[int]] = {"a": [], "b": []}
    for number in range(3 * length):
        assert order.epoch_of(number) == number // length
        for stream in "ab":
            drawn[stream] += order.indices(stream, number)
    in_epoch = length * batch
    for start in range(0, 3 * in_epoch, in_epoch):
        counts = Counter(drawn[lead][start : start + in_epoch])
        assert set(counts) <= set(range(lengths[lead])) and max(counts.values()) <= -(-in_epoch // lengths[lead])
    other = "b" if lead == "a" else "a"
    counts = Counter({row: 0 for row in range(lengths[other])})
    for row in drawn[other]:
        counts[row] += 1
        assert max(counts.values()) - min(counts.values()) <= 1


def test_epochs_are_shuffled_differently_and_seeds_too() -> None:
    orders = [make_order({"a": 30}, {"a": "shuffled"}, batch=30, seed=seed).indices("a", epoch)
              for seed in (0, 1) for epoch in (0, 1)]  # fmt: skip
    assert len({tuple(order) for order in orders}) == 4
    assert all(sorted(order) == list(range(30)) for order in orders)


def test_uniform_pairing_draws_with_repetition() -> None:
    order = make_order({"a": 50, "b": 50}, {"a": "shuffled", "b": "uniform"}, batch=5, seed=0)
    drawn = [row for number in range(100) for row in order.indices("b", number)]
    assert set(drawn) == set(range(50)) and len(set(drawn[:50])) < 50
    assert abs(np.mean(drawn) - 24.5) < 3


def test_test_batches_come_in_order_and_show_every_row() -> None:
    order = make_order({"a": 5, "b": 3}, dict.fromkeys("ab", "shuffled"), batch=2, seed=0, shuffled=False)
    assert order.epoch_length == 3
    assert [order.indices("a", number) for number in range(3)] == [[0, 1], [2, 3], [4, 0]]
    assert [order.indices("b", number) for number in range(3)] == [[0, 1], [2, 0], [1, 2]]


def test_words_for_wrong_orders() -> None:
    with pytest.raises(ComposeError, match="the batch is 0 rows; it must be at least 1"):
        noise().loader(0)
    with pytest.raises(ComposeError, match="no stream 'domain' to count epochs by"):
        noise().loader(1, epoch="domain")
    with pytest.raises(ComposeError, match="-1 workers with 2 batches ahead; at least 0 and 1"):
        noise().loader(1, workers=-1)


# -- loading --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_workers_change_nothing(workers: int) -> None:
    wanted = list(islice(noise().loader(2).batches(), 9))
    with noise().loader(2, workers=workers) as loader:
        for got, expected in zip(loader.batches(), wanted, strict=False):
            assert_same(got, expected)
        assert loader.waited > 0


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("start", [1, 4, 1000003])
def test_any_batch_is_a_place_to_start(workers: int, start: int) -> None:
    with noise().loader(2, workers=workers) as loader:
        for number, got in zip(range(start, start + 4), loader.batches(start), strict=False):
            assert_same(got, noise().loader(2, cache_bytes=0).batch(number))


def test_batches_have_the_shapes_of_their_fields() -> None:
    batch = noise().loader(4).batch(0)
    assert {name: tuple(values.shape) for name, values in batch.items()} == {
        "x[a]": (4, 3, 8, 8),
        "x[b]": (4, 1, 6, 6),
        "y": (4,),
    }
    assert batch["y"].dtype == torch.int64 and batch["x[a]"].dtype == torch.float32
    assert not torch.equal(noise(seed=4).loader(4).batch(0)["x[a]"], batch["x[a]"])


def test_kept_rows_and_fresh_rows_are_the_same() -> None:
    """A cache with room for some rows only, one for all, and none."""
    loaders = [noise().loader(3, cache_bytes=size) for size in (0, 3000, 10**9)]
    for number in range(8):
        first, *others = [loader.batch(number) for loader in loaders]
        for other in others:
            assert_same(other, first)


def test_nothing_depends_on_the_global_generators() -> None:
    torch.manual_seed(0)
    np.random.seed(0)
    before = noise().loader(2).batch(0)
    state = torch.random.get_rng_state()
    torch.rand(3)
    np.random.seed(1)
    assert_same(noise().loader(2).batch(0), before)
    torch.random.set_rng_state(state)


def test_a_batch_larger_than_the_data_wraps_and_says_so() -> None:
    loader = noise((3, 2)).loader(7)
    assert loader.epoch_length == 1
    assert Counter(loader.batch(0)["y"].tolist()) in [
        Counter({0: 3, 1: 2, 2: 2, k: 3} | {0: 2, k: 3}) for k in range(3)
    ]
    assert loader.notes == ["a batch of 7 rows holds rows twice: 'domain[a]' has 3, 'domain[b]' has 2"]
    assert noise().loader(2).notes == []


def test_examples_are_the_first_rows() -> None:
    examples = noise().examples(100)
    assert examples["y"].tolist() == [0, 1, 2, 3, 4]
    assert_same(noise(seed=8).examples(5), examples)


def test_a_data_set_of_files_loads_with_workers(tmp_path: Path) -> None:
    data = open_data([str(folder(tmp_path, trainA="123", trainB="1234"))], UNPAIRED, seed=1)
    with data.loader(2, workers=2) as loader:
        for number, got in zip(range(3), loader.batches(), strict=False):
            assert_same(got, data.loader(2).batch(number))


def test_a_fault_in_a_worker_shows_where() -> None:
    data = bind(STREAMS[1:], {"domain[b]": Noise(3, "x[b]", 1, broken="deep inside")})
    with (
        data.loader(1, workers=1) as loader,
        pytest.raises(RuntimeError, match=r"(?s)in row.*ZeroDivisionError: deep inside"),
    ):
        next(loader.batches())


def test_a_killed_worker_ends_the_run_in_words() -> None:
    with noise().loader(2, workers=2, prefetch=1) as loader:
        batches = loader.batches()
        next(batches)
        os.kill(loader.process_ids[1], signal.SIGKILL)
        with pytest.raises(ComposeError, match="a process that loads data was killed by signal 9; use fewer workers"):
            list(islice(batches, 8))


# -- processes ------------------------------------------------------------------------------------------------------


def is_alive(process: int) -> bool:
    """Whether a process runs; one that has ended and waits for its parent to notice does not."""
    try:
        os.kill(process, 0)
        return ") Z" not in Path(f"/proc/{process}/stat").read_text()
    except ProcessLookupError:
        return False
    except FileNotFoundError:
        return Path("/proc").is_dir() is False


def wait_for_end(processes: list[int], seconds: float = 10) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not any(map(is_alive, processes)):
            return True
        time.sleep(0.05)
    return False


def test_workers_end_with_their_loader() -> None:
    loader = noise().loader(2, workers=2)
    batches = loader.batches()
    next(batches)
    processes = loader.process_ids
    assert len(processes) == 2 and all(map(is_alive, processes))
    batches.close()
    assert wait_for_end(processes) and loader.process_ids == []
    batches = loader.batches(3)
    next(batches)
    processes = loader.process_ids
    del loader, batches
    assert wait_for_end(processes)


PROGRAM = """
import sys, time
sys.path[:0] = [{root!r}, {tests!r}]
from data_folders import noise
loader = noise().loader(2, workers=2)
batches = loader.batches()
next(batches)
print(*loader.process_ids, flush=True)
try:
    while {busy}:
        next(batches)
    time.sleep(60)
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.fixture
def program(request: pytest.FixtureRequest) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """A program that loads with two workers, and their processes. The parameter says whether it keeps loading."""
    text = PROGRAM.format(root=str(ROOT), tests=str(ROOT / "tests"), busy=request.param)
    process = subprocess.Popen(
        [sys.executable, "-c", text],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    workers = [int(number) for number in process.stdout.readline().split()]
    assert len(workers) == 2
    yield process, workers
    process.kill()
    process.communicate()


@pytest.mark.parametrize("program", [True, False], indirect=True)
def test_workers_do_not_outlive_a_killed_program(program: tuple[subprocess.Popen[str], list[int]]) -> None:
    process, workers = program
    process.kill()
    _, errors = process.communicate()
    assert wait_for_end(workers) and errors == ""


@pytest.mark.parametrize("program", [True, False], indirect=True)
def test_ctrl_c_is_quiet(program: tuple[subprocess.Popen[str], list[int]]) -> None:
    process, workers = program
    for worker in workers:  # the terminal reaches the whole group; workers must not mind even if it reached them
        os.kill(worker, signal.SIGINT)
        os.kill(worker, signal.SIGTERM)
    time.sleep(0.2)
    assert all(map(is_alive, workers))
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (130, "")
    assert wait_for_end(workers)


# -- rows that are kept ---------------------------------------------------------------------------------------------


class Counting(Noise):
    """Rows that leave a mark on the disk each time one is made."""

    def __init__(self, folder: Path, rows: int, name: str, channels: int) -> None:
        super().__init__(rows, name, channels)
        self.folder = folder

    def row(self, index: int) -> dict[str, Any]:
        with open(self.folder / str(index), "ab") as file:
            file.write(b".")
        return super().row(index)


@pytest.mark.parametrize(("workers", "room"), [(0, 10**6), (0, 0), (2, 10**6)])
def test_a_row_is_made_once_whichever_process_needs_it(tmp_path: Path, workers: int, room: int) -> None:
    """Where there is room. Two processes may make a row at the same moment; never again after that."""
    data = bind(STREAMS[1:], {"domain[b]": Counting(tmp_path, 8, "x[b]", 1)}, seed=3)
    alone = data.loader(2)
    wanted = [alone.batch(number) for number in range(24)]
    made_before = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert set(made_before.values()) == {1}
    with data.loader(2, workers=workers, cache_bytes=room) as loader:
        for expected, got in zip(wanted, loader.batches(), strict=False):  # no batch more than these
            assert_same(got, expected)
    times = [path.stat().st_size - 1 for path in tmp_path.iterdir()]
    if room == 10**6:
        assert max(times) <= max(1, workers)
    if room == 0:
        assert sum(times) == 48  # every row of every batch


def test_what_is_kept_is_what_was_made() -> None:
    shared = SharedKeeper.make({"a": 3, "b": 2}, 100_000)
    assert shared is not None
    first, second = shared.part(0, 2), shared.part(1, 2)
    try:
        row = {"x": np.arange(24, dtype=np.uint8).reshape(2, 4, 3)[:, ::-1], "y": np.asarray(7)}
        assert first.get(("b", 1)) is None
        first.put(("b", 1), row)
        again = pickle.loads(pickle.dumps(second)).get(("b", 1))
        assert again is not None and again["y"].shape == () and np.array_equal(again["x"], row["x"])
        assert all(second.get(key) is None for key in (("a", 0), ("a", 2), ("b", 0)))
        large = {"x": np.zeros(40_000, np.uint8)}
        first.put(("a", 0), large)
        first.put(("a", 1), large)  # no room left in this part
        assert first.get(("a", 0)) is not None and first.get(("a", 1)) is None
        second.put(("a", 1), large)
        assert first.get(("a", 1)) is not None
    finally:
        shared.close()


def test_where_memory_cannot_be_shared_each_process_keeps_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SharedKeeper, "make", lambda rows, most: None)
    data = bind(STREAMS[1:], {"domain[b]": Counting(tmp_path, 4, "x[b]", 1)}, seed=3)
    with data.loader(2, workers=1) as loader:
        for number, got in zip(range(8), loader.batches(), strict=False):
            assert_same(got, data.loader(2).batch(number))
