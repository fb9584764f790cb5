# SPDX-License-Identifier: MIT
"""PerformanceAnalyzer, RegressionDetector, and the command that shows what the first of them finds."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from results_files import MACHINE, benchmark, write

import perfcore
from perfcore.cli import main
from perfcore.errors import ConfigError, HistoryError, ResultsError
from perfcore.judge.thresholds import Rule
from perfcore.record.history import History, make_run
from perfcore.record.results import load_results

DAY = 86400.0
NOW = 1_704_067_200.0  # 2024-01-01 UTC
SAMPLES = [1e-6 * (100 + step) / 100 for step in range(21)]  # median 1.1 µs


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text("[tool.perfcore.history]\nurl = 'h.db'\n")
    write(
        tmp_path / "a.json",
        benchmark("slow", 4e-6, group="g"),
        benchmark("fast", 2e-6, group="g"),
        benchmark("alone", 1e-6, group="h"),
        benchmark("sampled", 1.1e-6, stats={"data": SAMPLES}),
    )
    return tmp_path


def test_statistics_of_samples_and_of_figures() -> None:
    found = {one.fullname.rpartition("::")[2]: one for one in perfcore.PerformanceAnalyzer("a.json").statistics()}
    assert list(found) == ["slow", "fast", "alone", "sampled"]
    sampled = found["sampled"]
    assert (sampled.rounds, sampled.median, sampled.max) == (21, pytest.approx(1.1e-6), pytest.approx(1.2e-6))
    assert sampled.p95 == pytest.approx(1.19e-6)
    assert sampled.low < sampled.median < sampled.high
    slow = found["slow"]
    assert (slow.rounds, slow.mean, slow.group) == (100, pytest.approx(4.2e-6), "g")
    assert math.isnan(slow.p99)
    assert [one.fullname for one in perfcore.PerformanceAnalyzer("a.json").statistics("*::sl*")] == [
        "tests/test_x.py::slow"
    ]
    with pytest.raises(ResultsError, match="no benchmark holds or matches 'none'"):
        perfcore.PerformanceAnalyzer("a.json").statistics("none")


def test_what_perfcore_s_own_file_tells(folder: Path) -> None:
    own = {
        "percentiles": {"p90": 2e-6, "p95": 3e-6, "p99": 4e-6, "p99.9": 5e-6},
        "mad": 1e-8,
        "median_ci": {"low": 0.9e-6, "high": 1.1e-6, "level": 0.95},
    }
    write(folder / "own.json", benchmark("x") | {"perfcore": own})
    (found,) = perfcore.PerformanceAnalyzer(load_results("own.json")).statistics()
    assert (found.p90, found.p999, found.mad, found.low, found.high) == (2e-6, 5e-6, 1e-8, 0.9e-6, 1.1e-6)


def test_standings(folder: Path) -> None:
    standings = perfcore.PerformanceAnalyzer("a.json").rank()
    assert list(standings) == ["g"]
    fast, slow = standings["g"]
    assert (fast.fullname, fast.ratio, fast.tied) == ("tests/test_x.py::fast", 1.0, True)
    assert (slow.fullname, slow.ratio, slow.tied) == ("tests/test_x.py::slow", 2.0, False)
    assert [round(one.ratio, 3) for one in perfcore.PerformanceAnalyzer("a.json").rank("all")[""]] == [1, 1.1, 2, 4]
    write(folder / "b.json", benchmark("x", 1e-6, 1e-7), benchmark("y", 1.02e-6, 1e-7))
    assert [one.tied for one in perfcore.PerformanceAnalyzer("b.json").rank("all")[""]] == [True, True]


def test_files_as_a_whole(folder: Path) -> None:
    names = [f"t{index}" for index in range(8)]
    write(folder / "old.json", *(benchmark(name) for name in names), benchmark("gone"))
    factors = [1.2, 1.21, 1.19, 1.2, 1.22, 1.18, 1.0, 0.5]
    write(
        folder / "new.json",
        *(benchmark(name, 1e-6 * factor) for name, factor in zip(names, factors, strict=True)),
        machine_info=MACHINE | {"python_version": "3.11.7"},
    )
    write(folder / "other.json", benchmark("t0"), perfcore={"schema": 1, "backend": "perfcore"})
    new, other = perfcore.PerformanceAnalyzer("old.json", "new.json", "other.json").compare()
    assert (new.common, new.compared, new.slower, new.faster) == (8, 8, 6, 1)
    assert new.ratio == pytest.approx(1.19, abs=0.02)
    assert new.low < new.ratio < new.high
    assert 0 < new.pvalue < 1
    assert new.differences == ("Python version: 3.12.1 -> 3.11.7",)
    assert (other.common, other.compared) == (1, 0)
    assert math.isnan(other.ratio)
    (same,) = perfcore.PerformanceAnalyzer("old.json", "old.json").compare()
    assert (same.ratio, same.slower, same.faster) == (1.0, 0, 0)
    assert math.isnan(same.pvalue)
    (few,) = perfcore.PerformanceAnalyzer("a.json", "a.json").compare()
    assert math.isnan(few.low)


def fill(path: Path, series: dict[str, list[float]], **metrics: list[int]) -> History:
    """Make a history of one run a day, the last one at NOW."""
    history = History(path / "h.db", create=True)
    count = len(next(iter(series.values())))
    runs = []
    for number in range(count):
        items = [benchmark(name, values[number]) for name, values in series.items()]
        for item in items:
            item["perfcore"] = {"metrics": {name: values[number] for name, values in metrics.items()}}
        at = datetime.fromtimestamp(NOW - (count - 1 - number) * DAY, UTC).isoformat()
        runs.append(
            make_run(load_results(write(path / "r.json", *items, datetime=at, commit_info={"id": f"c{number}"})))
        )
    assert history.add(runs) == count
    return history


def wave(level: float, count: int) -> list[float]:
    return [level * (1 + 0.002 * (number % 3)) for number in range(count)]


def test_trends_by_window(folder: Path) -> None:
    series = {
        "up": wave(1e-6, 20) + wave(1.3e-6, 10),
        "down": wave(1e-6, 20) + wave(0.8e-6, 10),
        "steady": wave(1e-6, 30),
        "wild": [1e-6 * (1 + number * 7 % 10) for number in range(30)],
    }
    history = fill(folder, series, peak_bytes=[1000] * 20 + [2000] * 10)
    analyzer = perfcore.PerformanceAnalyzer(history=history)
    found = {one.benchmark.rpartition("::")[2]: one for one in analyzer.trends(now=NOW)}
    assert {name: one.direction for name, one in found.items()} == {
        "up": "up",
        "down": "down",
        "steady": "steady",
        "wild": "undecided",
    }
    up = found["up"]
    assert (up.count, up.window, up.metric) == (30, 10, "median")
    assert up.ratio == pytest.approx(1.3, rel=0.01)
    assert up.low <= up.ratio <= up.high
    assert up.changes == ((NOW - 9 * DAY, "c20"),)
    assert len(up.moving) == 30
    assert up.moving[-1] == up.recent == pytest.approx(1.3026e-6)
    assert up.moving[0] == 1e-6
    (peak,) = perfcore.PerformanceAnalyzer(history=folder / "h.db").trends("::up", metric="peak_bytes", now=NOW)
    assert (peak.before, peak.recent, peak.direction) == (1000, 2000, "up")
    assert [one.count for one in analyzer.trends("::up", days=4.5, now=NOW)] == [5]
    assert analyzer.trends("::up", metric="unknown", now=NOW) == []
    assert analyzer.trends("::up", metric="mean", now=NOW)[0].recent > up.recent
    (short,) = analyzer.trends("::up", window=20, now=NOW)
    assert (short.direction, short.count) == ("undecided", 30)
    assert math.isnan(short.ratio)
    with pytest.raises(ValueError, match="at least 2 runs"):
        analyzer.trends(window=1)


def test_environments_are_kept_apart(folder: Path) -> None:
    history = fill(folder, {"a": wave(1e-6, 4)})
    at = datetime.fromtimestamp(NOW, UTC).isoformat()
    other = write(folder / "r.json", benchmark("a"), datetime=at, machine_info=MACHINE | {"python_version": "3.11.7"})
    history.add([make_run(load_results(other))])
    assert sorted(one.count for one in perfcore.PerformanceAnalyzer(history=history).trends(now=NOW)) == [1, 4]


def test_without_a_history() -> None:
    with pytest.raises(HistoryError, match="no history yet"):
        perfcore.PerformanceAnalyzer("a.json").trends()


# --- the command ---


def test_the_command(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(folder / "b.json", *(benchmark(f"t{index}", 1.1e-6) for index in range(7)))
    write(folder / "c.json", *(benchmark(f"t{index}") for index in range(7)))
    assert main(["analyze", "a.json"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:5] == ["benchmark", "median", "95", "%", "interval"]
    assert "group g:" in lines
    assert any("tests/test_x.py::fast" in line and line.endswith("the fastest") for line in lines)
    assert main(["analyze", "c.json", "b.json"]) == 0
    assert "7 of 7 common benchmarks compared: +10.0 % as a whole (95 % interval" in capsys.readouterr().out
    assert main(["analyze", "a.json", "b.json", "--by", "all", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert [len(report["benchmarks"]), len(report["standings"][""]), len(report["comparisons"])] == [11, 11, 1]
    assert report["benchmarks"][0]["p99"] is None
    assert report["comparisons"][0]["common"] == 0


def test_the_command_over_a_history(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(folder, {"a": wave(1e-6, 4) + wave(2e-6, 4)})
    span = str((datetime.now(UTC).timestamp() - NOW) / DAY + 30)
    assert main(["analyze", "--window", "4", "--days", span]) == 0
    assert "+100.0 %" in capsys.readouterr().out
    assert main(["analyze", "--window", "4", "--days", span, "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["trends"]
    assert (found["direction"], found["benchmark"]) == ("up", "tests/test_x.py::a")
    for arguments, text in (
        (["--metric", "heat"], "the history has no heat in the last 90 days; ask for more with --days"),
        (["--benchmark", "none", "--days", span], "has no median of benchmarks like 'none'"),
        (["--window", "1"], "'1' is no window"),
        (["none.json"], "no such file"),
    ):
        assert main(["analyze", *arguments]) == 2
        captured = capsys.readouterr()
        assert (captured.out, captured.err.count("\n")) == ("", 1)
        assert text in captured.err


def test_a_metric_s_trend(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(folder, {"a": wave(1e-6, 30)}, peak_bytes=[1000] * 15 + [2000] * 15, allocations=[0] * 30)
    span = str((datetime.now(UTC).timestamp() - NOW) / DAY + 30)
    assert main(["trends", "--metric", "peak_bytes", "--days", span, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    (found,) = report["trends"]
    assert (report["metric"], found["first"], found["last"], found["count"]) == ("peak_bytes", 1000, 2000, 30)
    assert [(one["previous_commit"], one["commit"], one["ratio"]) for one in found["changes"]] == [("c14", "c15", 2)]
    assert main(["trends", "--metric", "peak_bytes", "--days", span]) == 0
    assert {"1.00", "2.00", "kB", "c14..c15", "+100.0"} <= {*capsys.readouterr().out.split()}
    assert main(["trends", "--metric", "ops", "--days", span, "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["trends"]
    (mean,) = perfcore.PerformanceAnalyzer(history="h.db").trends(metric="mean", now=NOW)
    assert found["last"] == pytest.approx(1 / mean.moving[-1], rel=0.01)
    assert main(["trends", "--metric", "allocations", "--days", span]) == 2
    assert "no allocations above zero in the last" in capsys.readouterr().err


# --- the detector ---


def item(name: str, median: float, **metrics: Any) -> dict[str, Any]:
    return benchmark(name, median) | {"perfcore": {"metrics": metrics}}


def test_the_detector(folder: Path) -> None:
    write(folder / "old.json", item("a", 1e-6, allocations=5))
    write(folder / "new.json", item("a", 1.08e-6, allocations=6), datetime="2024-02-01T00:00:00+00:00")
    check = perfcore.RegressionDetector().check("new.json", "old.json")
    assert ([one.status for one in check.verdicts], [one.status for one in check.metrics]) == (
        ["warning"],
        ["critical"],
    )
    assert not check.passed
    (folder / "pyproject.toml").write_text(
        "[tool.perfcore.thresholds]\nwarning = '1%'\ncritical = '2%'\n"
        "[tool.perfcore.thresholds.metrics]\nallocations = { ignore = true }\n"
    )
    check = perfcore.RegressionDetector.configured().check("new.json", load_results("old.json"))
    assert ([one.status for one in check.verdicts], check.metrics) == (["critical"], ())
    check = perfcore.RegressionDetector.configured(warning=0.2, critical=0.3).check("new.json", "old.json")
    assert check.counts["ok"] == 1
    history = fill(folder, {"a": wave(1e-6, 12)})
    check = perfcore.RegressionDetector.configured(folder).check_history("new.json", history)
    assert (check.verdicts[0].status, check.against) == ("critical", history.name)
    write(folder / "other.json", benchmark("b"))
    with pytest.raises(ResultsError, match="nothing in common with the baseline"):
        perfcore.RegressionDetector().check("other.json", "old.json")
    with pytest.raises(ConfigError, match="give 0 < warning <= critical"):
        perfcore.RegressionDetector.configured(warning=0.5, critical=0.1)


def test_what_cannot_be_compared_may_be_over_a_limit_all_the_same(folder: Path) -> None:
    write(folder / "old.json", benchmark("a"))
    write(folder / "new.json", benchmark("a", options={"timer": "process_time"}))
    with pytest.raises(ResultsError, match="nothing could be compared: measured with the timer process_time"):
        perfcore.RegressionDetector().check("new.json", "old.json")
    check = perfcore.RegressionDetector(rules=[Rule("*", maximum=1e-7)]).check("new.json", "old.json")
    assert (check.passed, check.compared, check.verdicts[0].over_limit) == (False, 0, True)
