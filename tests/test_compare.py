"""`composer compare`: rows, columns, what is marked, and what must not stand side by side without a word."""

from __future__ import annotations

import copy
import csv
import io
import json
import statistics
from pathlib import Path

import pytest

from composer.cli import main
from composer.compare import compare
from composer.compare_table import Cell, Column
from composer.errors import ComposeError

EVAL = {
    "format": 1,
    "run": {"graph": "g", "seed": 0, "iteration": 100, "checkpoint": "latest"},
    "translation": "a2b",
    "data": {"words": "test", "identity": "d1", "sources": 5, "targets": 5, "pairs": 5, "paired_by": "the same row"},
    "protocol": {
        "size": [3, 64, 64],
        "pictures": "resized",
        "numbers": "clipped",
        "seed": 0,
        "weights": {"inception": {"sha256": "6726825d" * 8}},
    },
    "values": {},
    "missing": {},
    "notes": [],
}


def make(folder: Path, name: str, values: dict[str, float], **more: object) -> Path:
    """A run's folder with the files that the comparison reads. `change`: dotted paths in the file of numbers."""
    run = folder / name
    (run / "eval").mkdir(parents=True)
    seed, iterations = more.get("seed", 0), int(more.get("iterations", 100))  # type: ignore[call-overload]
    (run / "graph.yaml").write_text(f"composer: 1\nname: {more.get('graph', 'g')}\n", encoding="utf-8")
    environment = {
        "settings": {"seed": seed, "data_content": more.get("data", "rows")},
        "starts": [
            {
                "device": "cpu",
                "processors": 2,
                "threads": 1,
                "parameters": 2_500_000,
                "ended": {
                    "peak_memory": more.get("memory", 10**9),
                    "memory_of": "process",
                    "trained": 100,
                    "seconds": 9,
                },
            }
        ],
    }
    (run / "environment.json").write_text(json.dumps(environment), encoding="utf-8")
    took = more.get("took", 0.5)
    lines = [json.dumps({"iteration": n, "epoch": 0, "seconds": took if n % 10 else 9.0}) for n in range(iterations)]
    (run / "log.jsonl").write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    found = copy.deepcopy(EVAL)
    found["values"] = {  # type: ignore[index]
        metric: {"mean": value, "deviation": 0.1, "count": [5], "less": True, "meaning": "", "said": ""}
        for metric, value in values.items()
    }
    found["run"] |= {"iteration": iterations, "seed": seed}  # type: ignore[operator]
    for path, value in dict(more.get("change", {})).items():  # type: ignore[call-overload]
        *parents, last = path.split(".")
        place = found
        for parent in parents:
            place = place[parent]  # type: ignore[assignment]
        place[last] = value
    if values:
        (run / "eval" / f"a2b-{iterations}.json").write_text(json.dumps(found), encoding="utf-8")
    return run


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_runs_that_differ_in_their_seed_are_one_row(tmp_path) -> None:
    values = [0.10, 0.12, 0.17]
    runs = [make(tmp_path, f"r{seed}", {"l1": value}, seed=seed) for seed, value in enumerate(values)]
    other = make(tmp_path, "wide", {"l1": 0.2}, graph="wide")
    (first, second) = rows(compare([*runs, other], style="csv"))
    assert (first["name"], first["runs"], second["name"], second["runs"]) == ("g", "3", "wide", "1")
    assert float(first["a2b l1"]) == pytest.approx(statistics.mean(values))
    assert float(first["a2b l1 deviation"]) == pytest.approx(statistics.stdev(values))
    assert second["a2b l1 deviation"] == ""
    assert first["folders"].split() == [str(run) for run in runs]
    assert len(rows(compare([*runs, other], style="csv", by="seed"))) == 4


def test_graphs_of_one_name_are_told_apart_by_their_params(tmp_path) -> None:
    text = "composer: 1\nname: g\n\nparams:\n  size: 64\n  weight: {}\n\ninputs:\n  a: b\n"
    runs = [make(tmp_path, name, {"l1": 0.1}) for name in ("one", "two", "three")]
    for run, weight in zip(runs, (2, 0, 0), strict=True):
        (run / "graph.yaml").write_text(text.format(weight), encoding="utf-8")
    assert [row["name"] for row in rows(compare(runs, style="csv"))] == ["g, weight 2", "g, weight 0"]
    environment = (runs[2] / "environment.json").read_text(encoding="utf-8")
    (runs[2] / "environment.json").write_text(environment.replace('"rows"', '"others"'), encoding="utf-8")
    names = [row["name"] for row in rows(compare(runs, style="csv"))]
    assert names == ["g, weight 2", f"g, weight 0 ({runs[1]})", f"g, weight 0 ({runs[2]})"]


def test_speed_is_the_median_and_memory_and_parameters_are_told(tmp_path) -> None:
    (row,) = rows(compare([make(tmp_path, "r", {"l1": 0.1}, took=0.25)], style="csv"))
    assert float(row["it/s"]) == pytest.approx(4)
    assert float(row["memory (GB)"]) == pytest.approx(1)
    assert float(row["parameters (M)"]) == pytest.approx(2.5)
    assert row["iterations"] == "100"


def test_the_best_of_each_column_is_marked(tmp_path) -> None:
    one = make(tmp_path, "one", {"l1": 0.1, "psnr": 20.0, "fid": 50.0})
    two = make(tmp_path, "two", {"l1": 0.2, "psnr": 25.0, "fid": 40.0}, graph="two")
    text = compare([one, two])
    assert "0.1000*" in text and "25.00*" in text and "40.00*" in text
    assert "0.2000*" not in text and "* best of its column" in text
    latex = compare([one, two], style="latex")
    assert "$\\mathbf{0.1000}$" in latex and "$0.2000$" in latex and "$\\mathbf{40.00}$" in latex
    assert "a2b l1 $\\downarrow$" in latex and "a2b psnr $\\uparrow$" in latex


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"data.identity": "d2"}, "data: test (d2); elsewhere in this column test (d1)"),
        ({"protocol.size": [3, 128, 128]}, "size: 3x128x128"),
        ({"protocol.weights": {"inception": {"sha256": "0" * 64}}}, "weights: 0000000000000000"),
        ({"protocol.seed": 7}, "seed of the measurement: 7"),
    ],
)
def test_other_data_or_another_protocol_is_a_footnote_and_nothing_is_marked(tmp_path, change, words) -> None:
    runs = [make(tmp_path, name, {"fid": 50.0 - n}, graph=name) for n, name in enumerate(("one", "two"))]
    odd = make(tmp_path, "odd", {"fid": 10.0}, graph="odd", change=change)
    text = compare([*runs, odd], metrics=["fid"])
    assert words in text
    line = next(line for line in text.splitlines() if line.startswith("odd"))
    assert "10.00 (1)" in line
    assert "50.00*" not in text and "49.00*" not in text
    assert "\\textsuperscript{1}" in compare([*runs, odd], style="latex")
    assert words.partition(";")[0] in rows(compare([*runs, odd], style="csv"))[2]["footnotes"]


def test_notes_of_a_measurement_reach_the_table(tmp_path) -> None:
    run = make(tmp_path, "r", {"l1": 0.1}, change={"notes": ["the checkpoint was chosen on these same pictures"]})
    assert "(1) the checkpoint was chosen on these same pictures" in compare([run])


def test_a_measurement_of_an_earlier_iteration_is_said(tmp_path) -> None:
    run = make(tmp_path, "r", {"l1": 0.1}, change={"run.iteration": 60})
    assert "measured at iteration 60 of 100" in compare([run])


def test_runs_of_unlike_length_and_equal_seeds_are_said(tmp_path) -> None:
    runs = [make(tmp_path, "a", {"l1": 0.1}), make(tmp_path, "b", {"l1": 0.1}, iterations=80)]
    text = compare(runs)
    assert "80 to 100" in text and "unlike length" in text
    assert "several runs of seed 0, which are no independent repetitions" in text


def test_validation_is_shown_at_its_best_and_last(tmp_path) -> None:
    run = make(tmp_path, "r", {})
    lines = [
        {"iteration": n, "translation": "a2b", "values": {"l1": v}, "count": 4, "data": "v"}
        for n, v in ((50, 0.2), (100, 0.3))
    ]
    (run / "validation.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    (run / "best.json").write_text('{"iteration": 50, "metric": "l1", "value": 0.2}', encoding="utf-8")
    (row,) = rows(compare([run], style="csv"))
    assert (row["a2b l1 validation best"], row["a2b l1 validation last"]) == ("0.2", "0.3")
    assert row["best at"] == "50.0"


def test_at_best_takes_the_measurement_of_the_best_iteration(tmp_path) -> None:
    run = make(tmp_path, "r", {"l1": 0.3})
    earlier = json.loads((run / "eval" / "a2b-100.json").read_text(encoding="utf-8"))
    earlier["run"]["iteration"], earlier["values"]["l1"]["mean"] = 50, 0.25
    (run / "eval" / "a2b-50.json").write_text(json.dumps(earlier), encoding="utf-8")
    (run / "best.json").write_text('{"iteration": 50, "metric": "l1", "value": 0.2}', encoding="utf-8")
    assert rows(compare([run], style="csv"))[0]["a2b l1"] == "0.3"
    assert rows(compare([run], style="csv", at="best"))[0]["a2b l1"] == "0.25"


def test_digits() -> None:
    assert Column("", -1, (Cell(0.08034), Cell(0.1097))).decimals == 4
    assert Column("", -1, (Cell(0.0783, 0.0052), Cell(0.1097, 0.02))).decimals == 4
    assert Column("", 1, (Cell(22.3168),)).decimals == 2
    assert Column("", 1, (Cell(50.0), Cell(100.0)), whole=True).decimals == 0
    tied = Column("", -1, (Cell(0.12341), Cell(0.12342), Cell(0.2)))
    assert [tied.is_best(cell) for cell in tied.cells] == [True, True, False]


def test_metrics_choose_columns(tmp_path) -> None:
    run = make(tmp_path, "r", {"l1": 0.1, "fid": 5.0})
    assert "fid" in compare([run], metrics=["fid"]) and "l1" not in compare([run], metrics=["fid"])
    with pytest.raises(ComposeError, match="no run has a number 'lpips'"):
        compare([run], metrics=["lpips"])


def test_latex_escapes_names(tmp_path) -> None:
    assert "my\\_graph & 1" in compare([make(tmp_path, "r", {"l1": 0.1}, graph="my_graph")], style="latex")


def test_on_the_command_line(tmp_path, capsys) -> None:
    run = make(tmp_path, "r", {})
    assert main(["compare", str(run)]) == 0
    assert "no numbers of pictures yet: measure runs with composer eval RUN" in capsys.readouterr().out
    assert main(["compare", str(run), str(run)]) == 2
    assert "is named twice" in capsys.readouterr().err
    assert main(["compare", str(tmp_path / "none")]) == 2
    assert "there is no folder" in capsys.readouterr().err
    (run / "eval" / "bad.json").write_text("{", encoding="utf-8")
    assert main(["compare", str(run)]) == 2
    assert "bad.json' cannot be read" in capsys.readouterr().err
