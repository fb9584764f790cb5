# SPDX-License-Identifier: MIT
"""The commands over a history: what check judges by it, what trends, analyze and report show of it."""

from __future__ import annotations

import json
import math
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from results_files import MACHINE, benchmark, write

from perfcore.cli import main

DAY = 86400.0


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pyproject.toml").write_text("[tool.perfcore.history]\nurl = 'h.db'\n")
    monkeypatch.chdir(tmp_path)
    for number in range(12):
        saved(tmp_path / f"{number}.json", number - 20, benchmark("a"), benchmark("b", 1e-6 * 1.03**number))
    assert main(["import", "."]) == 0
    return tmp_path


def saved(path: Path, day: int, *items: dict[str, Any], **changes: Any) -> Path:
    when = datetime.fromtimestamp(time.time() + day * DAY, UTC).isoformat()
    return write(path, *items, datetime=when, **changes)


def test_check_by_history(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    saved(project / "new.json", 0, benchmark("a", 1.2e-6), benchmark("fresh"))
    assert main(["check", "new.json", "--history"]) == 0
    assert main(["check", "new.json", "--history", "--fail-on-regression"]) == 1
    out = capsys.readouterr().out
    assert "+20.0 %" in out
    assert "new, not in the history (1):" in out
    assert "prediction interval" in out
    assert out.endswith("1 judged: 1 critical: FAILED\n")
    assert main(["check", "new.json", "--history", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["baseline"], report["counts"]["critical"]) == (str(project / "h.db"), 1)
    assert main(["history", "add", "new.json"]) == 0  # in the history already, it is not judged by itself
    assert main(["check", "new.json", "--history", "--fail-on-regression"]) == 1
    for number in range(9):
        saved(project / "few.json", number - 20, benchmark("few"))
        assert main(["history", "add", "few.json"]) == 0
    saved(project / "few.json", 0, benchmark("few"))
    assert main(["history", "add", "few.json"]) == 0
    capsys.readouterr()
    assert main(["check", "few.json", "--history"]) == 0
    assert "9 runs of this environment measured this way in the history; 1 more is needed" in capsys.readouterr().out


@pytest.mark.parametrize(
    "changes",
    [
        {"machine_info": MACHINE | {"python_version": "3.11.7"}},
        {"perfcore": {"schema": 1, "backend": "perfcore"}},
    ],
)
def test_other_environments_and_backends_do_not_count(
    project: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, Any]
) -> None:
    saved(project / "new.json", 0, benchmark("a", 1.2e-6), **changes)
    assert main(["check", "new.json", "--history", "--fail-on-regression"]) == 0
    out = capsys.readouterr().out
    assert "undecided: 0 runs of this environment measured this way in the history; 10 more are needed" in out
    assert out.endswith("nothing could be compared: 1 undecided: passed\n")


def test_an_environment_that_changed_is_named(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = MACHINE | {"python_version": "3.12.2", "machine": None}
    saved(project / "new.json", 0, benchmark("a", 1.2e-6), machine_info=other)
    capsys.readouterr()
    assert main(["check", "new.json", "--history", "--fail-on-regression"]) == 0
    named = "which do not count; from the last of them to this one:\n  Python version: 3.12.1 -> 3.12.2\n"
    out = capsys.readouterr().out
    assert named + "  machine type: x86_64 -> not told\n" in out
    assert "advisory" not in out
    assert main(["check", "new.json", "--history", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (len(report["environment_differences"]), report["advisory"]) == (2, False)
    assert main(["report", "new.json", "--history", "--format", "github", "--output", "-"]) == 0
    out = capsys.readouterr().out
    assert "runs of another environment do not count" in out
    assert "Python version: 3.12.1" in out
    # Runs that are later are no reason, and enough runs of the same environment need none.
    saved(project / "new.json", -40, benchmark("a"), machine_info=other)
    saved(project / "same.json", 0, benchmark("a"))
    for name in ("new.json", "same.json"):
        assert main(["check", name, "--history"]) == 0
        assert "another environment" not in capsys.readouterr().out


def test_a_suite_that_the_history_does_not_know(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    saved(project / "new.json", 0, benchmark("fresh"), benchmark("b2"))
    capsys.readouterr()
    assert main(["check", "new.json", "--history", "--fail-on-regression"]) == 0
    assert capsys.readouterr().out.endswith("nothing could be compared: 2 new: passed\n")


RULES = """
[tool.perfcore.thresholds.patterns]
"*::a" = { critical = "30%", warning = "25%" }
"*::fresh" = { max = "0.9 us" }
"""


def test_rules_and_limits(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (project / "pyproject.toml").open("a") as file:
        file.write(RULES)
    saved(project / "new.json", 0, benchmark("a", 1.2e-6))
    assert main(["check", "new.json", "--history", "--fail-on-regression"]) == 0
    assert main(["check", "new.json", "--baseline", "1.json", "--fail-on-regression"]) == 0
    capsys.readouterr()
    other = MACHINE | {"python_version": "3.11.7"}
    saved(project / "new.json", 0, benchmark("a"), benchmark("fresh", 0.8e-6), machine_info=other)
    assert main(["check", "new.json", "--baseline", "1.json", "--fail-on-regression"]) == 0
    saved(project / "new.json", 0, benchmark("a"), benchmark("fresh"), machine_info=other)
    assert main(["check", "new.json", "--baseline", "1.json", "--fail-on-regression"]) == 1
    assert "critical: over its limit of 900 ns" in capsys.readouterr().out
    # A limit needs no history of the benchmark.
    saved(project / "new.json", 0, benchmark("a"), benchmark("fresh", 0.8e-6))
    assert main(["check", "new.json", "--history", "--fail-on-regression"]) == 0
    assert capsys.readouterr().out.endswith("1 judged: 1 ok: passed\n")
    saved(project / "new.json", 0, benchmark("a"), benchmark("fresh"))
    assert main(["check", "new.json", "--history", "--fail-on-regression"]) == 1
    out = capsys.readouterr().out
    assert "critical: over its limit of 900 ns" in out
    assert "new, not in the history (1):" in out
    assert out.endswith("2 judged: 1 critical, 1 ok: FAILED\n")


def test_trends(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["trends"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:4] == ["benchmark", "runs", "first", "last"]
    assert len(lines) == 3
    assert lines[1].split()[1] == "12"
    assert lines[1].endswith("▁" * 12)
    assert lines[2].endswith("█")
    assert main(["trends", "--benchmark", "::b", "--json", "--days", "30"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["trends"]
    assert found["weekly"] == pytest.approx(1.03**7, rel=1e-3)
    for number in range(12, 20):
        saved(project / "new.json", number - 20, benchmark("a", 1.5e-6), commit_info={"id": f"c{number}"})
        assert main(["history", "add", "new.json"]) == 0
    capsys.readouterr()
    assert main(["trends", "--benchmark", "::a"]) == 0
    assert "0123abc..c12 +50.0 %" in capsys.readouterr().out
    assert main(["trends", "--benchmark", "::a", "--json"]) == 0
    ((change,),) = (one["changes"] for one in json.loads(capsys.readouterr().out)["trends"])
    assert (change["previous_commit"], change["commit"]) == ("0123abc", "c12")
    assert (change["ratio"], change["magnitude"]) == (pytest.approx(1.5), pytest.approx(0.5))
    assert change["pvalue"] < 0.002
    assert main(["trends", "--benchmark", "none"]) == 2
    assert "no runs of benchmarks like 'none' in the last 30 days" in capsys.readouterr().err


# --- other figures than the median ---

MORE = """
[tool.perfcore.thresholds.metrics]
p99 = {}
ops = {}
items_per_second = {}
"latency_ns.p99.9" = {}
allocations = { exact = true }
"""


def measured(slower: float = 1.0, *, kernel: str = "unrolled") -> dict[str, Any]:
    """Return a benchmark whose rounds have a long tail and whose test counts for itself."""
    return benchmark(
        "a",
        stats={"mean": 1e-6 * slower, "ops": 1e6 / slower},
        extra_info={
            "items_per_second": 1000.0 / slower,
            "latency_ns": {"p99.9": 50.0 * slower, "count": 10},
            "allocations": 5 * slower,
            "note": "text",
        },
    ) | {"perfcore": {"kernel": kernel, "mad": 1e-9, "percentiles": {"p99": 5e-6 * slower}}}


def metric_statuses(capsys: pytest.CaptureFixture[str], *more: str) -> dict[str, str]:
    capsys.readouterr()
    assert main(["check", "new.json", "--history", "--json", *more]) == 0
    report = json.loads(capsys.readouterr().out)
    return {one["metric"]: one["status"] for one in report["metrics"]}


def test_figures_that_are_named_are_judged_by_history(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (project / "pyproject.toml").open("a") as file:
        file.write(MORE)
    own = {"perfcore": {"schema": 1, "backend": "perfcore"}}
    for number in range(12):
        saved(project / "more.json", number - 20, measured(1 + 0.001 * (number % 2)), **own)
        assert main(["history", "add", "more.json"]) == 0
    names = ("allocations", "p99", "ops", "items_per_second", "latency_ns.p99.9")
    for slower, expected in ((1.0, "ok"), (1.5, "critical"), (0.5, "improvement")):
        saved(project / "new.json", 0, measured(slower), **own)
        found = metric_statuses(capsys)
        assert found.pop("allocations") == ("improvement" if slower == 1.0 else expected)  # exact: the last has 5.005
        assert found == dict.fromkeys(names[1:], expected)
    saved(project / "new.json", 0, measured(1.5, kernel="vectorcall"), **own)  # the same calls
    assert metric_statuses(capsys) == dict.fromkeys(names, "critical")
    # Another kernel's times mean something else, and what there is none of is not compared.
    saved(project / "new.json", 0, measured(1.5, kernel="coroutine"), **own)
    assert metric_statuses(capsys) == {"allocations": "critical"}  # a count, however the time was taken
    assert metric_statuses(capsys, "--allow-backend-mismatch") == dict.fromkeys(names, "critical")
    # A call's allocations are not those that the test counted.
    item = measured()
    item["perfcore"]["metrics"] = {"allocations": 4}
    saved(project / "new.json", 0, item, **own)
    assert metric_statuses(capsys) == dict.fromkeys(names[1:], "ok")
    assert main(["check", "new.json", "--baseline", "more.json", "--json"]) == 0
    assert '"metric": "allocations"' not in capsys.readouterr().out


def test_statistics_are_judged_for_runs_that_have_nothing_else(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As pytest-benchmark's own loops leave them: no percentiles, no metrics, nothing in extra_info."""
    with (project / "pyproject.toml").open("a") as file:
        file.write("[tool.perfcore.thresholds.metrics]\nmean = {}\nops = {}\nq3 = {}\nmax = { max = '3 us' }\n")
    for mean, expected in ((1.05e-6, "ok"), (10e-6, "critical")):
        saved(project / "new.json", 0, benchmark("a", stats={"mean": mean, "ops": 1 / mean, "q3": mean}))
        assert metric_statuses(capsys) == {"mean": expected, "ops": expected, "q3": expected, "max": "ok"}
    assert main(["check", "new.json", "--history", "--fail-on-regression"]) == 1


# --- a function that grows past 5 µs: rounds of one call, where rounds had many ---

OWN = {"perfcore": {"schema": 1, "backend": "perfcore"}}


def grown(median: float, kernel: str) -> dict[str, Any]:
    return benchmark("g", median, perfcore={"kernel": kernel, "mad": 0.0})


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with 12 runs of a function of 4 µs."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text("[tool.perfcore.history]\nurl = 'h.db'\n")
    for number in range(12):
        saved(tmp_path / f"{number}.json", number - 29, grown(4e-6, "unrolled"), **OWN)
    assert main(["import", "."]) == 0
    return tmp_path


@pytest.mark.parametrize(
    ("median", "kernel", "status", "allowance"),
    [
        (50e-6, "vectorcall", "critical", 50e-9 / 50e-6),
        (4.05e-6, "vectorcall", "ok", 50e-9 / 4.05e-6),
        (4.23e-6, "vectorcall", "undecided", 50e-9 / 4.23e-6),
        (4.23e-6, "unrolled", "warning", 0.0),
    ],
)
def test_a_function_that_outgrows_rounds_of_many_calls(
    small: Path, capsys: pytest.CaptureFixture[str], median: float, kernel: str, status: str, allowance: float
) -> None:
    saved(small / "new.json", 0, grown(median, kernel), **OWN)
    assert main(["check", "new.json", "--history", "--fail-on-regression"]) == (status == "critical")
    capsys.readouterr()
    assert main(["check", "new.json", "--history", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["verdicts"]
    assert (found["status"], found["comparable"]) == (status, True)
    assert found["allowance"] == pytest.approx(math.log1p(allowance))


def test_a_function_that_became_small_again(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(12):
        saved(small / "more.json", number - 15, grown(10e-6, "vectorcall"), **OWN)
        assert main(["history", "add", "more.json"]) == 0
    saved(small / "new.json", 0, grown(4e-6, "unrolled"), **OWN)
    capsys.readouterr()
    assert main(["check", "new.json", "--history", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["verdicts"]
    assert found["comparable"]
    assert found["baseline_median"] == pytest.approx(math.sqrt(4e-6 * 10e-6))  # 12 runs of each
    assert found["allowance"] > math.log1p(50e-9 / 10e-6)
    # Both are one series, in which the change can be seen.
    assert main(["trends", "--json"]) == 0
    (series,) = json.loads(capsys.readouterr().out)["trends"]
    assert (series["count"], series["method"]) == (24, "vectorcall/perf_counter")
    assert [change["ratio"] for change in series["changes"]] == [pytest.approx(2.5)]
    assert main(["analyze", "--window", "12", "--json"]) == 0
    (window,) = json.loads(capsys.readouterr().out)["trends"]
    assert (window["ratio"], window["direction"], window["count"]) == (pytest.approx(2.5), "up", 24)
    assert main(["report", "new.json", "--history", "--format", "json", "--output", "-"]) == 0
    (shown,) = json.loads(capsys.readouterr().out)["benchmarks"]
    (trend,) = shown["trends"]
    assert (shown["trend_is_own"], trend["method"]) == (True, "unrolled/perf_counter")
    assert trend["values"] == [4e-6] * 12 + [10e-6] * 12 + [4e-6]
    assert [change["run"] for change in trend["changes"]] == [12]
