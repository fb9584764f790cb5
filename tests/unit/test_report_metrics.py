# SPDX-License-Identifier: MIT
"""Verdicts on metrics (memory, allocations, rates) in the document, the comment and JUnit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from results_files import MACHINE, benchmark, write

from perfcore.judge.thresholds import MetricRule
from perfcore.judge.verdict import check_results
from perfcore.record.results import load_results
from perfcore.report.comment import render_comment
from perfcore.report.exports import render_junit
from perfcore.report.model import describe

RULES = {"items_per_s": MetricRule(up=True, exact=True), "<b>|x`\n": MetricRule(exact=True)}


def measured(name: str, median: float = 1e-6, extra: dict[str, Any] | None = None, **metrics: float) -> dict[str, Any]:
    return benchmark(name, median, perfcore={"kernel": "unrolled", "metrics": metrics}, extra_info=extra or {})


def judged(tmp_path: Path, old: list[dict[str, Any]], new: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    results = load_results(write(tmp_path / "new.json", *new, **changes))
    made = describe(results, check_results(load_results(write(tmp_path / "old.json", *old)), results, metrics=RULES))
    json.dumps(made, allow_nan=False)
    return made


def test_figures_and_verdicts(tmp_path: Path) -> None:
    made = judged(
        tmp_path,
        [measured("a", allocations=10, growth_bytes=0, peak_bytes=1000, extra={"items_per_s": 100})],
        [measured("a", allocations=15, growth_bytes=64, peak_bytes=1000, gone=3, extra={"items_per_s": 50})],
    )
    found = {one["metric"]: one for one in made["benchmarks"][0]["metrics"]}
    assert {name: one["status"] for name, one in found.items()} == {
        "allocations": "critical",
        "growth_bytes": "critical",
        "peak_bytes": "ok",
        "items_per_s": "critical",
        "gone": None,
    }
    grown = found["growth_bytes"]
    assert (grown["ratio"], grown["change"], grown["baseline_shown"], grown["shown"]) == (
        None,
        "from zero",
        "0 B",
        "64 B",
    )
    assert (found["allocations"]["kind"], found["allocations"]["change"]) == ("exact", "+50.0 %")
    assert (found["items_per_s"]["value"], found["gone"]["shown"], found["gone"]["baseline"]) == (50, "3", None)
    assert made["check"]["metric_counts"]["critical"] == 3
    assert not made["check"]["passed"]


def test_without_a_baseline_the_figures_are_there(tmp_path: Path) -> None:
    path = write(tmp_path / "new.json", measured("a", allocations=10, odd=float(2**53)), benchmark("b"))
    made = describe(load_results(path))
    assert [[one["metric"] for one in each["metrics"]] for each in made["benchmarks"]] == [["allocations", "odd"], []]


def test_the_comment_tells_them_worst_first_and_escaped(tmp_path: Path) -> None:
    name = "<b>|x`\n"
    old = [measured("a", peak_bytes=1000), measured("b", allocations=9), measured("c", 1e-6, {name: 1}, cpu_s=1.0)]
    new = [measured("a", peak_bytes=1070), measured("b", allocations=4), measured("c", 1e-6, {name: 9})]
    text = render_comment(judged(tmp_path, old, new))
    assert "### perfcore: 3 ok; metrics of calls: 1 critical, 1 warning, 1 improvement – regression" in text
    places = [
        text.index(part) for part in ("❌ critical", "⚠️ warning", "1 metrics better or undecided", "🟢 improvement")
    ]
    assert places == sorted(places)
    assert "<b>" not in text
    assert "<code>&#60;b&#62;&#124;x&#96;&#92;n</code> | 1 | 9 | +800.0 % |" in text
    assert "Not judged: <code>cpu_s</code>, which 1 benchmark lacks" in text
    assert text.count("<details>") == text.count("</details>") == 2


def test_metrics_of_another_environment_advise(tmp_path: Path) -> None:
    old, new = [measured("a", allocations=1)], [measured("a", allocations=2)]
    other = MACHINE | {"python_version": "3.11.7"}
    assert "1 critical (advisory)\n" in render_comment(judged(tmp_path, old, new, machine_info=other))


@pytest.mark.parametrize("count", [0, 3000])
def test_the_comment_stays_under_the_limit(tmp_path: Path, count: int) -> None:
    old = [measured(f"test_{number}", allocations=1) for number in range(count)]
    new = [measured(f"test_{number}", allocations=2) for number in range(count)]
    text = render_comment(judged(tmp_path, old, new))
    assert len(text) < 65_536
    assert ("more lines were left out" in text) == (count > 0)
    assert text.count("<details>") == text.count("</details>")


def test_a_metric_fails_its_case_of_junit(tmp_path: Path) -> None:
    junitparser = pytest.importorskip("junitparser")
    old = [measured("a", allocations=1), measured("b", allocations=2), measured("c", 1e-6, {"<b>|x`\n": 1})]
    new = [measured("a", allocations=2), measured("b", allocations=2), measured("c", 1e-6, {"<b>|x`\n": 2})]
    old.append(measured("d", allocations=1))
    new.append(measured("d", 3e-6, allocations=2))
    path = tmp_path / "junit.xml"
    path.write_text(render_junit(judged(tmp_path, old, new)), encoding="utf-8")
    (suite,) = junitparser.JUnitXml.fromfile(str(path))
    assert (suite.tests, suite.failures) == (4, 3)
    found = {case.name: [one.message for one in case.result] for case in suite}
    assert found.pop("d")[0].startswith("+200.0 % (")  # its time counts first
    assert found == {"a": ["allocations +100.0 %: 2"], "b": [], "c": ["<b>|x`\n +100.0 %: 2"]}


def test_what_only_advises_fails_no_case_of_junit(tmp_path: Path) -> None:
    """As `perfcore check` does not fail for it; an absolute limit is exceeded in any environment."""
    junitparser = pytest.importorskip("junitparser")
    old = [measured(name, allocations=1) for name in "abcd"]
    new = [measured("a", 3e-6, allocations=1), measured("b", allocations=2), measured("c", 3e-6, allocations=2), old[3]]
    made = judged(tmp_path, old, new, machine_info=MACHINE | {"python_version": "3.11.7"})
    assert made["check"]["passed"]

    def cases() -> dict[str, Any]:
        path = tmp_path / "junit.xml"
        path.write_text(render_junit(made), encoding="utf-8")
        (suite,) = junitparser.JUnitXml.fromfile(str(path))
        assert suite.failures == sum(not case.is_passed for case in suite)
        return {case.name: case for case in suite}

    told = {name: case.system_out for name, case in cases().items() if case.is_passed}
    assert told.pop("a").startswith("advisory: +200.0 % (")
    assert told.pop("c").endswith("; allocations +100.0 %: 2")
    assert told == {"b": "advisory: allocations +100.0 %: 2", "d": None}
    made["benchmarks"][0]["verdict"]["reason"] = "over its limit of 1.00 ns"
    assert [name for name, case in cases().items() if not case.is_passed] == ["a"]
