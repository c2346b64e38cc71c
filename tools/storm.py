"""A storm: runs that are stopped at random moments in every way, again and again, against the same run left in peace.

    python tools/storm.py --rounds 20

Each round takes a bundled graph at a tiny size and gives the same command line (with --resume) until it is done, while
SIGINT, SIGTERM, SIGUSR1 and SIGKILL come at random moments, to the first process, to its group, or to all of its
processes. Then the final tensors, the rest of the state and the log must be those of the quiet run bit for bit, the
log must have each iteration once in whole lines, TensorBoard each of its points once, and nothing may be left: no
process (looked for after every stop), no temporary file, no lock. Prints a line a round; ends with 1 if one failed.
"""

from __future__ import annotations

import argparse
import collections
import concurrent.futures
import dataclasses
import itertools
import json
import os
import random
import shlex
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from tensorboardX.proto.event_pb2 import Event

import composer
import composer.run
from composer.cli import main as run_command
from composer.document import bundled_graphs
from composer.errors import ComposeError
from composer.recorder import EVENTS_EVERY
from composer.verify_resume import compare

ROOT = Path(__file__).parents[1]
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGKILL)
TARGETS = ("process", "group", "all")
SMALL = {
    "load": 18,
    "width": 2,
    "judge_width": 2,
    "depth": 4,
    "blocks": 1,
    "residual": 3,
}  # params that graphs may have
SIZES = (16, 32, 64)
BATCHES = (1, 2)
PICTURES = 5
PATIENCE = 120.0  # seconds until a process counts as hanging
GONE = 10.0  # seconds that workers have to notice that their parent is dead


@dataclasses.dataclass
class Round:
    """What happened: `stops` as SIGNAL/target/status, `problems` in words."""

    number: int
    graph: str
    workers: int
    stops: list[str] = dataclasses.field(default_factory=list)
    inside: int = 0  # stops that came after the first iteration of their start
    problems: list[str] = dataclasses.field(default_factory=list)
    seconds: float = 0.0

    def __str__(self) -> str:
        verdict = "FAILED" if self.problems else "ok"
        said = f"round {self.number:3d}  {self.graph}, {self.workers} workers  {verdict}  {self.seconds:.0f} s  "
        return "\n".join([said + (" ".join(self.stops) or "never stopped"), *(f"    {p}" for p in self.problems)])


def settings_for(graph: str) -> list[str]:
    """Options that make a bundled graph tiny. Raises ComposeError when none of the sizes fits it."""
    params = composer.check(graph, preset="demo").graph.params
    small = {name: value for name, value in SMALL.items() if name in params}
    for size, batch in itertools.product(SIZES, BATCHES):
        settings = {**{f"params.{n}": v for n, v in small.items()}, "params.size": size, "training.batch": batch}
        if "load" in params:
            settings["params.load"] = size + 2
        try:
            composer.check(graph, preset="demo", settings=settings)
        except ComposeError:
            continue
        return ["--preset", "demo", *(word for n, v in settings.items() for word in ("--set", f"{n}={v}"))]
    raise ComposeError(f"'{graph}' is not to be made tiny", remedy="name other graphs with --graphs")


def make_pictures(folder: Path) -> None:
    chance = np.random.default_rng(0)
    for name in ("trainA", "trainB"):
        (folder / name).mkdir(parents=True)
        for number in range(PICTURES):
            pixels = chance.integers(0, 256, (24, 28, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")


class Forked:
    """A start as a copy of this process, which has imported everything already: that is most of the time of a start.

    It has what `subprocess.Popen` has and a round asks for. Only while this process has one thread.
    """

    def __init__(self, words: Sequence[str], own: Mapping[str, str], out: int, place: Path) -> None:
        self.returncode: int | None = None
        self.pid = os.fork()
        if self.pid:
            return
        status = 1
        try:
            os.setsid()
            os.chdir(place)
            os.dup2(out, 1)
            os.dup2(out, 2)
            os.environ.update(own)
            sys.argv = ["composer", *words]
            status = run_command(words)
            sys.stdout.flush()
        except KeyboardInterrupt:
            status = 130  # before the command line could listen
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)

    def poll(self) -> int | None:
        if self.returncode is None:
            ended, status = os.waitpid(self.pid, os.WNOHANG)
            self.returncode = os.waitstatus_to_exitcode(status) if ended else None
        return self.returncode

    def wait(self, timeout: float = 3600.0) -> int:
        until = time.monotonic() + timeout
        while (status := self.poll()) is None:
            if time.monotonic() > until:
                raise subprocess.TimeoutExpired("composer", timeout)
            time.sleep(0.002)
        return status

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


Process = subprocess.Popen[bytes] | Forked


class Storm:
    """Everything that is the same in all rounds."""

    def __init__(
        self, folder: Path, graphs: Sequence[str], iterations: int, most: int, seed: int, fork: bool = False
    ) -> None:
        self.fork = fork
        self.folder, self.graphs, self.iterations, self.most, self.seed = folder, graphs, iterations, most, seed
        self.data = folder / "pictures"
        make_pictures(self.data)
        self.settings = {graph: settings_for(graph) for graph in graphs}
        (folder / "quiet").mkdir()

    def command(self, graph: str, out: Path, workers: int, every: int) -> list[str]:
        own = ["run", graph, *self.settings[graph], "--data", str(self.data), "--out", str(out), "--resume"]
        numbers = {"iterations": self.iterations, "checkpoint-every": every, "sample-every": 7, "workers": workers}
        options = [word for name, value in numbers.items() for word in (f"--{name}", str(value))]
        return [sys.executable, "-m", "composer", *own, *options, "--device", "cpu"]

    def start(self, command: Sequence[str], mark: str, said: Path, temporary: Path) -> Process:
        paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
        own = {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "COMPOSER_STORM": mark, "TMPDIR": str(temporary)}
        with open(said, "ab") as out:
            if self.fork:
                return Forked(command[3:], own, out.fileno(), temporary)
            return subprocess.Popen(
                command, env={**os.environ, **own}, stdout=out, stderr=out, start_new_session=True, cwd=temporary
            )

    def quiet(self, graph: str) -> Path:
        """The run that nobody disturbs, made at its first use."""
        out = self.folder / "quiet" / graph
        if not out.exists():
            said = self.folder / f"quiet-{graph}.txt"
            if self.start(self.command(graph, out, 0, 5), "quiet", said, self.folder).wait():
                raise ComposeError(f"the quiet run of '{graph}' failed:\n{said.read_text()}")
        return out

    def play(self, number: int) -> Round:
        """One round, from the first start to the comparison."""
        chance = random.Random(f"{self.seed}/{number}")
        found = Round(number, self.graphs[number % len(self.graphs)], chance.choice((0, 2, 3)))
        before = time.monotonic()
        folder = self.folder / f"round-{number}"
        out, said, temporary = folder / "run", folder / "said.txt", folder / "temporary"
        temporary.mkdir(parents=True)
        command = self.command(found.graph, out, found.workers, chance.choice((1, 2, 3, 5)))
        mark = uuid.uuid4().hex
        status = None
        while status != 0 and not found.problems:
            process = self.start(command, mark, said, temporary)
            try:
                status = self._disturb(process, mark, out, chance, found)
            except subprocess.TimeoutExpired:
                found.problems.append(f"hangs: {shlex.join(command)}")
            self._look_for_orphans(mark, found)
        if not found.problems:
            found.problems += check(self.folder / "quiet" / found.graph, out, self.iterations)
        words = said.read_text(errors="replace")
        found.problems += [f"said {what!r}, see {said}" for what in ("Traceback", "\x1b", "rror") if what in words]
        found.problems += [f"left {path}" for path in temporary.rglob("*")]
        found.seconds = time.monotonic() - before
        return found

    def _disturb(self, process: Process, mark: str, out: Path, chance: random.Random, found: Round) -> int:
        """Let a start run for a while, then stop it in some way; gives its status. The last start is left in peace."""
        log = out / "log.jsonl"
        already = lines(log)
        if len(found.stops) >= self.most:
            return process.wait(PATIENCE)
        if chance.random() < 0.25:
            _wait(process, chance.uniform(0, 1.5 if self.fork else 5))  # mostly while it starts
        else:
            wanted, until = already + chance.randint(0, 4), time.monotonic() + PATIENCE
            while lines(log) <= wanted and process.poll() is None and time.monotonic() < until:
                time.sleep(0.005)
            _wait(process, chance.choice((0, chance.uniform(0, 0.4))))
        number, target = chance.choice(SIGNALS), chance.choice(TARGETS)
        if process.poll() is not None:
            if process.returncode:
                found.problems.append(f"ended with {process.returncode} by itself")
            return process.returncode
        moved = lines(log) > already
        if target == "process":
            process.send_signal(number)
        elif target == "group":
            os.killpg(process.pid, number)
        for one in {process.pid, *marked(mark)} if target == "all" else ():
            try:
                os.kill(one, number)
            except ProcessLookupError:
                pass
        status = process.wait(PATIENCE)
        if status == 0:
            return 0
        found.inside += moved
        found.stops.append(f"{number.name}/{target}/{status}")
        if status not in (-number, 128 + number):
            found.problems.append(f"{number.name} ended it with {status}")
        return status

    def _look_for_orphans(self, mark: str, found: Round) -> None:
        until = time.monotonic() + GONE
        while (left := marked(mark)) and time.monotonic() < until:
            time.sleep(0.05)
        for one in left:
            found.problems.append(f"process {one} outlived its parent")
            os.kill(one, signal.SIGKILL)


def _wait(process: Process, seconds: float) -> None:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        pass


def lines(log: Path) -> int:
    return log.read_bytes().count(b"\n") if log.exists() else 0


def marked(mark: str) -> list[int]:
    """The processes whose environment has the mark: a run and everything it started."""
    wanted = f"COMPOSER_STORM={mark}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        try:
            # A process that has ended and was not waited for yet has an empty environment.
            if entry.name.isdigit() and wanted in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def check(quiet: Path, out: Path, iterations: int) -> list[str]:
    """What is wrong with a finished run, in words."""
    try:
        problems = [
            f"{one.what}: {', '.join(one.different[:5])} differ" for one in compare(quiet, out) if one.different
        ]
        numbers = [json.loads(line)["iteration"] for line in (out / "log.jsonl").read_text().split("\n")[:-1]]
        points = sorted(step for path in (out / "events").iterdir() for step in steps(path.read_bytes()))
    except (ComposeError, OSError, ValueError, KeyError, TypeError) as error:
        return [f"cannot be read: {error}"]
    if numbers != list(range(iterations)):
        problems.append(f"log.jsonl has the iterations {numbers}")
    if points != list(range(0, iterations, EVENTS_EVERY)):
        problems.append(f"TensorBoard has the points {points}")
    left = [p for p in out.rglob("*") if p.name.startswith(".") or p.suffix == ".lock"]
    left += [p for p in out.iterdir() if not (quiet / p.name).exists()]
    saved = sorted(p.name for p in (out / "checkpoints").iterdir())
    if len(saved) != 6 or {name.partition(".")[2] for name in saved} != {"json", "safetensors"}:
        problems.append(f"checkpoints has {', '.join(saved)}")
    return problems + [f"left {path}" for path in left]


def steps(content: bytes) -> Iterator[int]:
    """The iterations of an event file's scalars; ValueError when a record is not whole."""
    at = 0
    while at < len(content):
        length = int.from_bytes(content[at : at + 8], "little")
        if at + 16 + length > len(content):
            raise ValueError("an event file ends within a record")
        event = Event.FromString(content[at + 12 : at + 12 + length])
        if event.HasField("summary"):
            yield event.step
        at += 16 + length


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0, help="number of the first round, to repeat one")
    parser.add_argument("--graphs", nargs="+", default=list(bundled_graphs())[:3])
    parser.add_argument("--iterations", type=int, default=22)
    parser.add_argument("--most", type=int, default=6, help="stops in a round; then it is left in peace")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1, help="rounds at the same time")
    parser.add_argument("--fork", action="store_true", help="starts are copies of this process: quicker, one job")
    given = parser.parse_args(words)
    if given.fork and given.jobs > 1:
        parser.error("--fork does one round at a time")
    if given.fork:
        import torch

        torch.set_num_threads(1)  # a copy of a process whose threads have worked waits for threads it does not have
    temporary = tempfile.mkdtemp(prefix="composer-storm-")
    storm = Storm(Path(temporary), given.graphs, given.iterations, given.most, given.seed, given.fork)
    for graph in given.graphs:
        storm.quiet(graph)
    rounds: list[Round] = []
    numbers = range(given.first, given.first + given.rounds)
    with concurrent.futures.ThreadPoolExecutor(given.jobs) as pool:
        for done in pool.map(storm.play, numbers) if given.jobs > 1 else map(storm.play, numbers):
            print(done, flush=True)
            rounds.append(done)
    kinds = collections.Counter(stop.partition("/")[0] for one in rounds for stop in one.stops)
    failed = [one for one in rounds if one.problems]
    stops, inside = sum(kinds.values()), sum(one.inside for one in rounds)
    counted = ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items()))
    print(f"{len(rounds)} rounds, {stops} stops ({counted}; {inside} of them while training), {len(failed)} failed")
    if failed:
        print(f"kept: {temporary}")
    else:
        subprocess.run(["rm", "-r", temporary], check=True)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
