"""What an iteration costs: the counter on small programs, and the page that it writes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from small_graphs import batch, small
from torch import nn

import composer
from composer.document import bundled_graphs
from composer.testing.batches import batch_for

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))

import bench
import bench_cost
from call_counter import Work, counting
from cost_page import DATA, graph_text, number, placed, read_data, theirs, times_text

PAGE = Path(__file__).resolve().parent.parent / "docs" / "cost.md"
ROUNDING = 1e-9  # of means over a period


# -- the counter, on programs whose work is known -------------------------------------------------------------------


def work_of(program: Any, *batches: Any) -> dict[str, Work]:
    with counting(program.networks) as counter:
        program.step(list(batches) or batch())
    return counter.work()


def test_calls_with_and_without_a_graph_and_where_gradients_go() -> None:
    phases = """
  judge: {update: D, minimize: {fake: "mean_square(D(H(G(a))))", real: "mean_square(D(b))"}}
  make: {update: G, minimize: {t: "l1(D(H(G(stack(a, b)))), stack(a, b))"}}
"""
    assert work_of(small({}, phases)) == {
        "G": Work(calls=2, rows=6, no_graph=1, weights=1),
        "H": Work(calls=2, rows=6, no_graph=1, inputs=1),
        "D": Work(calls=3, rows=8, weights=2, inputs=1),
    }


def test_a_penalty_of_a_slope_is_a_derivative_and_trains_the_weights() -> None:
    networks = {"D": '{chain: ["conv(2, activation=\'tanh\')", "conv(3)"]}'}
    program = small({}, '  one: {update: D, minimize: {t: "square_norm(grad(D(a), a))"}}', networks=networks)
    assert work_of(program) == {"D": Work(calls=1, rows=2, weights=1, slopes=1)}


def test_part_of_a_network_counts_apart() -> None:
    networks = {"E": '{chain: ["conv(2)", "conv(3)"]}'}
    phases = '  one: {update: E, minimize: {t: "l1(E.features(a, [0])[0], stop(E.features(b, [0])[0]))"}}'
    work = work_of(small({}, phases, networks=networks))
    assert work == {"E.features": Work(calls=2, rows=4, no_graph=1, weights=1)}


def test_averages_are_networks_of_their_own_and_rare_phases_count_as_often_as_they_run() -> None:
    phases = """
  often: {update: G, minimize: {t: "l1(G(a), average(G)(b))"}}
  rarely: {update: D, when: "=iteration % 3 == 1", minimize: {t: "mean_square(D(b))"}}
"""
    program = small({}, phases, "averages: {G: 0.5}")
    assert len(bench_cost.phases_of_a_period(program)) == 3
    work = bench_cost.count(program, batch())
    assert work["G"] == Work(calls=1, rows=1, weights=1)
    assert work["average of G"] == Work(calls=1, rows=1, no_graph=1)
    assert (work["D"].calls, work["D"].weights) == (pytest.approx(1 / 3), pytest.approx(1 / 3))


def test_a_loop_that_wastes_work() -> None:
    """A fake with a graph that is detached; gradients of D that are cleared before D steps."""
    g, d = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 1, 1)
    optimizers = [torch.optim.SGD(n.parameters(), 0.1) for n in (d, g)]
    x = torch.rand(2, 3, 4, 4)
    with counting({"G": g, "D": d}) as counter:
        for detached, optimizer in zip((True, False), optimizers, strict=True):
            fake = g(x)
            loss = d(fake.detach() if detached else fake).mean()
            for one in optimizers:
                one.zero_grad()
            loss.backward()
            optimizer.step()
    assert counter.work() == {
        "G": Work(calls=2, rows=4, unused=1, weights=1),
        "D": Work(calls=2, rows=4, weights=2, thrown=1),
    }


def test_gradients_that_gather_over_two_backward_passes_are_used() -> None:
    net = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    with counting({"N": net}) as counter:
        for _ in range(2):
            net(torch.ones(3, 2)).sum().backward()
        optimizer.step()
        net(torch.ones(3, 2)).sum().backward()
    assert counter.work() == {"N": Work(calls=3, rows=9, weights=3, thrown=1)}


def test_families_of_networks() -> None:
    names = {"G[a,b]": Work(1), "G[b,a]": Work(2), "G[a,b].features": Work(4), "D": Work(8)}
    assert bench_cost.families(names) == {"G": (2, Work(3)), "G.features": (1, Work(4)), "D": (1, Work(8))}


# -- the page -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("graph", bundled_graphs())
def test_the_page_has_the_counts_of_every_graph_and_none_is_above_the_authors(graph: str) -> None:
    counted = bench_cost.counts(graph)
    entry = read_data()["graphs"].get(graph, {})
    page = PAGE.read_text(encoding="utf-8")
    for text in graph_text(graph, counted, entry):
        assert f"\n{text}\n" in page, "python tools/bench.py cost --only counts --write docs/cost.md"
    for network, authors in theirs(entry).items() if "theirs" in entry else ():
        passed = authors.weights + authors.inputs
        # A call that two backward passes go through counts twice among those passed.
        assert authors.calls <= authors.no_graph + authors.unused + passed + ROUNDING, network
        _, ours = counted[network]
        for got, most in (
            (ours.calls, authors.calls),
            (ours.rows, authors.rows),
            (ours.weights, authors.weights),
            (ours.weights + ours.inputs, authors.weights + authors.inputs),
        ):
            assert got <= most + ROUNDING, network
        assert ours.unused == ours.thrown == 0


def test_nothing_else_stands_on_the_page_or_in_the_data() -> None:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    assert [line.split("**")[1] for line in lines if line.startswith("| **")] == list(bundled_graphs())
    assert set(read_data()["graphs"]) <= set(bundled_graphs())


@pytest.mark.parametrize("graph", ["cyclegan", "stargan_v2"])
def test_the_processor_does_what_the_meta_device_counted(graph: str) -> None:
    tiny = {"params.size": 32, "params.width": 2}
    tiny |= {"params.judge_width": 2, "params.blocks": 1} if graph == "cyclegan" else {"params.widest": 4}
    program = composer.compile(graph, preset="demo", settings=tiny)
    found = bench_cost.families(bench_cost.count(program, batch_for(program)))
    page = PAGE.read_text(encoding="utf-8")
    assert f"\n{graph_text(graph, found, read_data()['graphs'][graph])[0]}\n" in page


def test_what_the_command_writes_and_checks(tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.setattr(bench_cost, "bundled_graphs", lambda: ["one"])
    monkeypatch.setattr(bench_cost, "counts", lambda graph: {"G": (2, Work(calls=3, rows=3, weights=1.2))})
    path, rows = tmp_path / "page.md", tmp_path / "rows.json"
    path.write_text("# Page\n<!-- counts -->\nold\n<!-- end -->\n<!-- times -->\nkept\n<!-- end -->\n")
    bench.main(["cost", "--only", "counts", "--write", str(path), "--json", str(rows)])
    text = path.read_text()
    assert "| `G` x 2 | 3 | 3 | 1.2 |  |  |  |  |  |" in text and "old" not in text and "kept" in text
    assert '"weights": 1.2' in rows.read_text()
    bench.main(["cost", "--check", str(path)])
    assert "up to date" in capsys.readouterr().out
    path.write_text(text.replace("1.2", "1.3"))
    with pytest.raises(SystemExit, match="out of date"):
        bench.main(["cost", "--check", str(path)])
    with pytest.raises(SystemExit, match="no place '<!-- other -->'"):
        placed(text, "other", "")


@pytest.mark.parametrize("what", list(bench.MEASURES))
def test_every_measurement_is_called_once(what: str, monkeypatch: Any) -> None:
    calls: list[str] = []
    monkeypatch.setitem(bench.MEASURES, what, lambda arguments: calls.append(arguments.what) or [])
    bench.main([what])
    assert calls == [what]


def test_wrong_data_is_refused() -> None:
    with pytest.raises(SystemExit, match=r"cost\.yaml: unknown numbers of G: \['call'\]"):
        theirs({"theirs": {"G": {"call": 1, "calls": 1}}})
    with pytest.raises(SystemExit, match=r"one has no network Q; it has G"):
        graph_text("one", {"G": (1, Work(1))}, {"theirs": {"Q": {"calls": 1}}})
    assert DATA.is_file() and number(2.0) == "2"


def test_a_case_is_measured_in_a_process_of_its_own(monkeypatch: Any) -> None:
    tiny = {"preset": "demo", "settings": {"params.size": 32, "params.width": 2, "params.depth": 5, "params.batch": 1}}
    monkeypatch.setattr(
        bench_cost, "cases", lambda data: iter([{"graph": "supervised", "given": tiny, "name": "tiny"}])
    )
    (found,) = bench_cost.measure({}, 1)
    assert found["batch"] == [1, 32] and 0 < found["seconds"] < 5
    assert found["process"] > 10**8 and 10**5 < found["tensors"] < 10**7
    last = times_text([found], 1).splitlines()[-1]
    assert last.startswith("| supervised | tiny | 1 of 32 px | ") and last.endswith(" MB |")
