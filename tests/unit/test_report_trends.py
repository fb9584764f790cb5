# SPDX-License-Identifier: MIT
"""Trends in the reports: what is read of a history, where levels change, what a page holds, what the command does."""

from __future__ import annotations

import base64
import json
import math
import struct
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from results_files import MACHINE, benchmark, document, write

from perfcore.cli import main
from perfcore.judge.history import EVIDENCE
from perfcore.record.history import History, Run, make_run
from perfcore.record.results import load_results, parse_results
from perfcore.record.series import read_series
from perfcore.report import trends
from perfcore.report.model import describe
from perfcore.report.series import bars, own_trend, packed
from perfcore.report.trends import add_trends

START = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
A, B = "tests/test_x.py::a", "tests/test_x.py::b"


def day(number: float) -> str:
    return datetime.fromtimestamp(START + number * 86400, UTC).isoformat()


def wobble(number: int) -> float:
    return 1 + 0.002 * ((number * 7) % 5 - 2)


def run_of(number: float, *benchmarks: dict[str, Any], **changes: Any) -> Run:
    changes = {"datetime": day(number), "commit_info": {"id": f"c{number:g}"}} | changes
    return make_run(parse_results(f"{number}.json", json.dumps(document(*benchmarks, **changes)).encode()))


def remember(history: History, number: float, *benchmarks: dict[str, Any], **changes: Any) -> None:
    history.add([run_of(number, *benchmarks, **changes)])


@pytest.fixture
def history(tmp_path: Path) -> History:
    """Thirty runs, added in no order: `a` is slower from the 20th on; `b` is missing in the 5th."""
    made, runs = History(str(tmp_path / "history.db"), create=True), []
    for number in (*range(1, 30, 2), *range(0, 30, 2)):
        level = 1e-6 * wobble(number) * (1.5 if number >= 20 else 1)
        both = [benchmark("a", level), *([benchmark("b", 2e-6 * wobble(number))] if number != 5 else [])]
        runs.append(run_of(number, *both))
    made.add(runs)
    return made


def reported(tmp_path: Path, history: History, *benchmarks: dict[str, Any], days: float = 365, **changes: Any) -> Any:
    changes = {"datetime": day(30), "commit_info": {"id": "now"}} | changes
    results = load_results(write(tmp_path / "new.json", *benchmarks, **changes))
    made = describe(results)
    add_trends(made, results, history, days)
    json.dumps(made, allow_nan=False)
    return made


def test_series_are_in_the_order_of_time(history: History) -> None:
    groups, series = read_series(history, [B, A, "none"])
    (group,) = groups
    assert group.moments == [START + 86400 * number for number in range(30)]
    assert group.commits == [f"c{number}" for number in range(30)]
    assert group.described["processor"] == "Processor 9000"
    found = {one.fullname: one for one in series}
    assert sorted(found) == [A, B]
    assert found[B].runs == [number for number in range(30) if number != 5]
    assert found[A].values == [1e-6 * wobble(number) * (1.5 if number >= 20 else 1) for number in range(30)]


def test_series_of_a_span_and_of_many_names(history: History) -> None:
    groups, series = read_series(history, [A], since=START + 86400, until=START + 3 * 86400)
    assert groups[0].commits == ["c1", "c2", "c3"]
    assert series[0].runs == [0, 1, 2]
    names = [f"n{number}" for number in range(1200)]
    remember(history, 50, *(benchmark(name, fullname=name) for name in names))
    found = [one.fullname for one in read_series(history, names, since=START + 49 * 86400)[1]]
    assert sorted(found) == sorted(names)
    assert read_series(history, [A], since=START + 99 * 86400) == ([], [])
    assert read_series(history, [])[1] == []


def test_figures_that_are_none_are_left_out(history: History) -> None:
    remember(history, 40, benchmark("a", 0.0), benchmark("b"))
    _, series = read_series(history, [A, B], since=START + 39 * 86400)
    assert [one.fullname for one in series] == [B]


def test_a_change_stands_between_two_commits(tmp_path: Path, history: History) -> None:
    made = reported(tmp_path, history, benchmark("a", 1.5e-6), benchmark("b", 2e-6))
    (group,) = made["history"]["groups"]
    assert group["own"]
    assert (len(group["runs"]), group["runs"][-1]) == (31, [round(START + 30 * 86400), "now"])
    slow, steady = made["benchmarks"]
    (trend,) = slow["trends"]
    (change,) = trend["changes"]
    assert (group["runs"][change["previous"]][1], group["runs"][change["run"]][1]) == ("c19", "c20")
    assert change["after"] / change["before"] == pytest.approx(1.5, rel=0.01)
    assert change["pvalue"] < 0.002
    assert trend["values"][-1] == 1.5e-6
    assert steady["trends"][0]["changes"] == []
    assert steady["trends"][0]["values"][5] is None
    assert bars(slow)[-1] == "█"
    assert len(bars(slow)) == 20


def test_a_gap_lies_between_a_change_and_the_run_before_it(tmp_path: Path, history: History) -> None:
    for number in range(30, 50):
        level = [] if number in (39, 40) else [benchmark("b", 2e-6 * wobble(number) * (2 if number > 40 else 1))]
        remember(history, number, benchmark("a"), *level)
    made = reported(tmp_path, history, benchmark("b", 4e-6), datetime=day(50))
    (trend,), (group,) = made["benchmarks"][0]["trends"], made["history"]["groups"]
    assert [[group["runs"][one[key]][1] for key in ("previous", "run")] for one in trend["changes"]] == [["c38", "c41"]]


def test_the_run_itself_is_there_once_and_later_ones_are_not(tmp_path: Path, history: History) -> None:
    remember(history, 31, benchmark("a"))
    again = reported(tmp_path, history, benchmark("a"), datetime=day(29), commit_info={"id": "c29"})
    assert [commit for _, commit in again["history"]["groups"][0]["runs"]] == [f"c{number}" for number in range(30)]
    short = reported(tmp_path, history, benchmark("a"), days=10)
    assert short["history"]["groups"][0]["runs"][0][1] == "c20"
    assert short["benchmarks"][0]["trends"][0]["changes"] == []


def test_other_environments_and_methods_are_trends_of_their_own(tmp_path: Path, history: History) -> None:
    other = MACHINE | {"python_version": "3.11.7"}
    for number in range(3):
        remember(history, number + 0.5, benchmark("a", 9e-6), machine_info=other)
    made = reported(tmp_path, history, benchmark("a"), benchmark("b", perfcore={"kernel": "unrolled"}))
    assert [(one["own"], one["python"]) for one in made["history"]["groups"]] == [
        (True, "CPython 3.12.1"),
        (False, "CPython 3.11.7"),
    ]
    first, second = made["benchmarks"]
    assert [one["group"] for one in first["trends"]] == [0, 1]
    assert first["trends"][1]["values"] == [9e-6] * 3
    assert own_trend(first) is first["trends"][0]
    assert [one["method"] for one in second["trends"]] == ["unrolled/perf_counter", "stock/perf_counter"]
    assert own_trend(second)["values"][:-1] == [None] * 30  # type: ignore[index]
    assert bars(second) == "-"


def test_a_run_of_another_environment_alone(tmp_path: Path, history: History) -> None:
    made = reported(tmp_path, history, benchmark("a"), machine_info=MACHINE | {"python_version": "3.13.0"})
    assert [(one["own"], len(one["runs"])) for one in made["history"]["groups"]] == [(True, 1), (False, 30)]
    assert made["benchmarks"][0]["trend_is_own"]


def test_what_would_not_fit_is_left_out_and_counted(
    tmp_path: Path, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember(history, 29.5, benchmark("a"), machine_info=MACHINE | {"python_version": "3.11.7"})
    remember(history, 29.7, benchmark("a"), benchmark("b"), machine_info=MACHINE | {"python_version": "3.10.0"})
    monkeypatch.setattr(trends, "MOST_POINTS", 23)
    monkeypatch.setattr(trends, "_LEAST_RUNS", 5)
    made = reported(tmp_path, history, benchmark("a", 1.5e-6), benchmark("b", 2e-6))
    own, other = made["history"]["groups"]
    assert ([commit for _, commit in own["runs"]], own["earlier"]) == ([*(f"c{n}" for n in range(20, 30)), "now"], 20)
    for one in made["benchmarks"]:
        assert len(one["trends"][0]["values"]) == 11
        assert None not in one["trends"][0]["values"]
    # The newest of the others is too large for the room that is left, the one before it is not.
    assert (other["python"], made["history"]["left_out"]) == ("CPython 3.11.7", 1)


def test_of_other_environments_those_with_the_newest_runs_are_chosen(
    tmp_path: Path, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    for python, first in (("3.10.0", 22), ("3.11.7", 23), ("3.9.0", 21)):
        for number in range(6):
            remember(history, first + number + 0.5, benchmark("a"), machine_info=MACHINE | {"python_version": python})
    monkeypatch.setattr(trends, "MOST_POINTS", 21)
    monkeypatch.setattr(trends, "_LEAST_RUNS", 5)
    made = reported(tmp_path, history, benchmark("a"), benchmark("none", 0.0))  # of which there are no points
    assert [(one["python"], len(one["runs"])) for one in made["history"]["groups"]] == [
        ("CPython 3.12.1", 10),
        ("CPython 3.11.7", 6),
    ]
    assert made["history"]["left_out"] == 2


def unpacked(trend: dict[str, Any]) -> list[float | None]:
    """As the page does it."""
    raw = base64.b64decode(trend["values"])
    numbers = struct.unpack(f"<{len(raw) // 2}H", raw)
    return [trend["low"] * math.exp((one - 1) * trend["step"]) if one else None for one in numbers]


@pytest.mark.parametrize(
    "values", [[1e-6], [2.0, 2.0, None], [None, 1e-9, 1e3, 3e-5], [math.exp(number / 99) for number in range(300)]]
)
def test_packed_figures_come_back(values: list[float | None]) -> None:
    found = unpacked(packed({"values": values, "group": 0}))
    assert len(found) == len(values)
    for back, value in zip(found, values, strict=True):
        assert (back is None) == (value is None)
        assert value is None or back == pytest.approx(value, rel=3e-4)


def test_the_command(tmp_path: Path, history: History, capsys: pytest.CaptureFixture[str]) -> None:
    new = write(tmp_path / "new.json", benchmark("a", 1.5e-6), benchmark("b", 3e-6), datetime=day(30))
    old = write(tmp_path / "old.json", benchmark("a", 1.5e-6), datetime=day(29))
    options = ["--database", history.name, "--output", str(tmp_path / "out"), "--format", "html,json,github"]
    assert main(["report", str(new), *options]) == 0
    made = json.loads((tmp_path / "out" / "report.json").read_text())
    assert (made["check"]["against"], made["check"]["evidence"]) == ("history", EVIDENCE)
    assert [one["verdict"]["status"] for one in made["benchmarks"]] == ["critical", "critical"]
    comment = (tmp_path / "out" / "comment.md").read_text()
    assert "| change | with the allowance | trend |" in comment
    assert "| ▁" in comment
    page = (tmp_path / "out" / "report.html").read_text()
    assert '"values":"' in page
    assert history.name not in page + comment + json.dumps(made)
    assert made["check"]["baseline"] == "the history"
    assert main(["report", str(new), "--baseline", str(old), *options, "--days", "5"]) == 0
    made = json.loads((tmp_path / "out" / "report.json").read_text())
    assert (made["check"]["baseline"], len(made["history"]["groups"][0]["runs"])) == ("old.json", 6)
    assert made["check"]["evidence"] != EVIDENCE


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--days", "5"], "--days is of the history; ask for it with --history"),
        (["--history", "--database", "missing.db"], "no history yet"),
        (["--database", "new.json"], "nothing was changed"),
    ],
)
def test_what_is_wrong_is_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "new.json", benchmark("a"))
    assert main(["report", "new.json", *options]) == 2
    errors = capsys.readouterr().err
    assert words in errors
    assert errors.count("\n") == 1
    assert not Path("perfcore-report").exists()
