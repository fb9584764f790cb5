# SPDX-License-Identifier: MIT
"""The formats of other tools, read back by those tools' own parsers where there is one, with hostile names in them."""

from __future__ import annotations

import json
import math
import os
import re
from pathlib import Path
from typing import Any

import pytest
from results_files import benchmark, write

from perfcore.cli import main
from perfcore.judge.thresholds import MetricRule, Rule
from perfcore.judge.verdict import check_results
from perfcore.names import split_name
from perfcore.record.results import load_results
from perfcore.report.ab import describe_ab
from perfcore.report.comment import render_comment
from perfcore.report.exports import render_action_benchmark, render_bencher, render_junit, render_openmetrics
from perfcore.report.model import describe
from perfcore.report.stacks import render_speedscope
from perfcore.report.write import FORMATS

HOSTILE = "</testcase>\"'<![CDATA[ & \\ \x01\x1b[31m \ufffe \n \u202e {x=\"1\"} =cmd|' /C calc'!A0"


@pytest.fixture
def document(tmp_path: Path) -> dict[str, Any]:
    """One of each verdict, one without a median, one with a name that tries everything."""
    new = [
        benchmark("same", median=1e-6),
        benchmark("slow", median=2e-6),
        benchmark("fast", median=0.5e-6),
        benchmark(HOSTILE, median=1e-6),
        benchmark("none", median=1e-6),
    ]
    old = [benchmark(name, median=1e-6) for name in ("same", "slow", "fast", HOSTILE, "none")]
    results = load_results(write(tmp_path / "new.json", *new))
    made = describe(results, check_results(load_results(write(tmp_path / "old.json", *old)), results))
    made["benchmarks"][-1]["median"] = None  # as in an A/B comparison, of a benchmark that fails
    made["benchmarks"][-1]["verdict"] |= {"status": "undecided", "ratio": None}
    return made


def test_junit_is_read_by_a_junit_parser(document: dict[str, Any], tmp_path: Path) -> None:
    junitparser = pytest.importorskip("junitparser")
    path = tmp_path / "junit.xml"
    path.write_text(render_junit(document), encoding="utf-8")
    (suite,) = junitparser.JUnitXml.fromfile(str(path))
    cases = {case.name: case for case in suite}
    assert len(cases) == suite.tests == 5
    assert (suite.failures, suite.skipped) == (1, 1)
    assert cases["slow"].time == 2e-6
    (failure,) = cases["slow"].result
    assert failure.type == "regression"
    assert failure.message.startswith("+100.0 %")
    assert cases["same"].is_passed
    assert cases["none"].is_skipped
    assert cases["same"].classname == "tests/test_x.py"


def test_junit_keeps_to_the_schema(document: dict[str, Any]) -> None:
    """That of Jenkins' xUnit plugin, which refuses a file with one attribute more, or a time like 1e-06."""
    (suites,) = re.findall(r"<testsuites ([^>]*)>", render_junit(document))
    (suite,) = re.findall(r"<testsuite ([^>]*)>", render_junit(document))
    assert re.findall(r'(\w+)="', suites) == ["tests", "failures", "errors", "time"]
    assert re.findall(r'(\w+)="', suite) == ["name", "tests", "failures", "errors", "time", "skipped"]
    assert re.search(r' time="[0-9]+\.[0-9]{0,3}"', suites)
    times = re.findall(r'<testcase [^>]*time="([^"]*)"', render_junit(document))
    assert len(times) == 5
    assert all(re.fullmatch(r"[0-9]+(\.[0-9]+)?", time) for time in times), times
    assert [float(time) for time in times[:3]] == [1e-6, 2e-6, 0.5e-6]


def test_openmetrics_is_read_by_prometheus(document: dict[str, Any]) -> None:
    parser = pytest.importorskip("prometheus_client.openmetrics.parser")
    families = {family.name: family for family in parser.text_string_to_metric_families(render_openmetrics(document))}
    median = families["perfcore_benchmark_median_seconds"]
    assert (median.type, median.unit) == ("gauge", "seconds")
    found = {sample.labels["benchmark"]: sample.value for sample in median.samples}
    hostile = next(one["fullname"] for one in document["benchmarks"] if "testcase" in one["fullname"])
    assert len(found) == 4
    assert found["tests/test_x.py::slow"] == 2e-6
    assert found[hostile] == 1e-6
    verdicts = {s.labels["benchmark"]: s.labels["verdict"] for s in families["perfcore_benchmark_ratio"].samples}
    assert verdicts["tests/test_x.py::slow"] == "critical"


def test_action_benchmark_has_the_fields_the_action_asks_for(document: dict[str, Any]) -> None:
    found = json.loads(render_action_benchmark(document))
    assert len(found) == 4
    for one in found:  # what its customSmallerIsBetter reader takes: three fields it needs, two it may have
        assert {"name", "unit", "value"} <= set(one) <= {"name", "unit", "value", "range", "extra"}
        assert isinstance(one["name"], str)
        assert one["unit"] == "s"
        assert isinstance(one["value"], float)
        assert math.isfinite(one["value"])
        assert isinstance(one["extra"], str)


def test_bencher_metric_format(document: dict[str, Any]) -> None:
    found = json.loads(render_bencher(document))
    assert found["tests/test_x.py::slow"]["latency"]["value"] == pytest.approx(2000)
    for measures in found.values():  # benchmark -> measure -> value and, both or neither, the bounds around it
        assert set(measures) == {"latency"}
        metric = measures["latency"]
        assert set(metric) in ({"value"}, {"value", "lower_value", "upper_value"})
        assert metric.get("lower_value", 0) <= metric["value"] <= metric.get("upper_value", math.inf)


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_every_format_takes_a_hostile_name_and_an_empty_file(
    name: str, document: dict[str, Any], tmp_path: Path
) -> None:
    render = FORMATS[name][1]
    text = render(document)
    assert text.encode("utf-8")
    if name != "csv":
        assert text.endswith("\n")
    if name in {"github", "markdown", "junit", "bencher", "action-benchmark"}:  # the others carry a name as it is
        assert "\x01" not in text
        assert "\x1b" not in text
    assert render(describe(load_results(write(tmp_path / "empty.json"))))


@pytest.mark.parametrize("stats", [{}, {"data": [1e305, 2e305]}], ids=["quartiles", "samples"])
def test_every_format_takes_a_time_whose_nanoseconds_are_infinite(tmp_path: Path, stats: dict[str, Any]) -> None:
    long = benchmark("long", 1e305, stats=stats, perfcore={"median_ci": {"low": 1e304, "high": 1e306, "level": 0.95}})
    made = describe(load_results(write(tmp_path / "new.json", long, benchmark("a"))))
    for _, render in FORMATS.values():
        assert "test_x.py" in render(made)


# --- documents of perfcore ab --------------------------------------------------------------------------------------

AB = {
    "schema": 1,
    "command": "ab",
    "base": "1111111 before",
    "head": "the working tree",
    "threshold": 0.1,
    "mode": "exceeds",
    "evidence": "paired, in turns",
    "benchmarks": [
        {
            "fullname": "t.py::a",
            "status": "regression",
            "ratio": 1.3,
            "low": 1.2,
            "high": 1.4,
            "base_s": 1e-3,
            "head_s": 1.3e-3,
        },
        {
            "fullname": "t.py::b",
            "status": "ok",
            "ratio": 1.0,
            "low": 0.99,
            "high": 1.01,
            "base_s": 1e-3,
            "head_s": 1e-3,
        },
        {"fullname": "t.py::c", "status": "failed", "ratio": None, "low": None, "high": None, "failed": ["head"]},
    ],
    "new": ["t.py::new"],
    "gone": [],
    "notes": ["one processor only"],
    "common_shift": {"ratio": 1.04, "low": 1.03, "high": 1.05},
    "passed": False,
}


@pytest.mark.parametrize(
    ("fullname", "place", "name"),
    [
        ("tests/test_x.py::test_a", "tests/test_x.py", "test_a"),
        ("tests/test_x.py::TestA::test_a[1-2]", "tests/test_x.py::TestA", "test_a[1-2]"),
        ("tests/test_x.py::TestA::test_a[std::sort-[x]]", "tests/test_x.py::TestA", "test_a[std::sort-[x]]"),
        ("tests[1]/test_x.py::test_ping[::1]", "tests[1]/test_x.py", "test_ping[::1]"),
        ("lane::standard", "lane", "standard"),
        ("plain", "", "plain"),
        ("", "", ""),
    ],
)
def test_parameters_are_of_the_name(tmp_path: Path, fullname: str, place: str, name: str) -> None:
    """Whatever they hold: an address of IPv6, a name of C++."""
    assert split_name(fullname) == (place, name)
    (tmp_path / "ab.json").write_text(json.dumps(AB | {"benchmarks": [AB["benchmarks"][0] | {"fullname": fullname}]}))
    made = describe_ab(tmp_path / "ab.json")
    assert made["benchmarks"][0]["name"] == name
    assert f'classname="{place}" name="{name}"' in render_junit(made)


def test_an_ab_document_becomes_a_comment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("ab.json").write_text(json.dumps(AB, indent=2))
    assert main(["report", "ab.json", "--format", ",".join(FORMATS)]) == 0
    assert sorted(path.name for path in Path("perfcore-report").iterdir()) == sorted(
        name for name, _ in FORMATS.values()
    )
    text = Path("perfcore-report/comment.md").read_text()
    assert "### perfcore: 1 critical, 1 undecided, 1 ok – regression" in text
    assert "+30.0 % | +20.0 % to +40.0 %" in text
    assert "the suite as a whole moved by +4.0 &#37;" in text
    assert "paired, in turns" in text
    notes = text.partition("<details><summary>notes</summary>")[2].partition("</details>")[0]
    assert "<code>one processor only</code>" in notes
    assert "moved by" in notes
    assert "environments" not in text


def test_the_comment_says_why_it_could_not_judge(tmp_path: Path) -> None:
    nothing = dict.fromkeys(("ratio", "low", "high", "base_s", "head_s"))
    failed = {
        "fullname": "t.py::dies",
        "status": "undecided",
        "failed": ["head"],
        "reason": "failed on head: <b>",
        **nothing,
    }
    made = AB | {"benchmarks": [one for one in AB["benchmarks"] if one["status"] == "ok"] + [failed]}
    (tmp_path / "ab.json").write_text(json.dumps(made, indent=2))
    text = render_comment(describe_ab(tmp_path / "ab.json"))
    assert "### perfcore: 1 undecided, 1 ok – could not judge" in text
    assert (
        "<summary>why 1 is undecided</summary>\n\n- <code>t.py::dies</code>: <code>failed on head: &#60;b&#62;</code>\n"
        in text
    )


def test_junit_of_an_ab_document(tmp_path: Path) -> None:
    """What fails on head alone is a failure, also where it was measured before; what fails on base too is skipped."""
    junitparser = pytest.importorskip("junitparser")
    nothing = {"status": "undecided"} | dict.fromkeys(("ratio", "low", "high", "base_s", "head_s"))
    late = {"fullname": "t.py::late", "failed": ["head"], "reason": "failed on head: \x1b<b>", "head_s": 1e-3}
    both = {"fullname": "t.py::both", "failed": ["base", "head"], "reason": "failed on base: boom"}
    made = AB | {"benchmarks": [*AB["benchmarks"], nothing | late, nothing | both]}
    (tmp_path / "ab.json").write_text(json.dumps(made, indent=2))
    (tmp_path / "junit.xml").write_text(render_junit(describe_ab(tmp_path / "ab.json")), encoding="utf-8")
    (suite,) = junitparser.JUnitXml.fromfile(str(tmp_path / "junit.xml"))
    assert (suite.failures, suite.skipped) == (3, 1)
    told = {case.name: (one.type, one.message) for case in suite for one in case.result}
    assert told["c"] == ("failed", "the benchmark fails on head")
    assert told["late"] == ("failed", "failed on head: \ufffd<b>")
    assert told["both"] == (None, "undecided: failed on base: boom")


def test_junit_fails_for_what_head_alone_cannot_collect(tmp_path: Path) -> None:
    """A module that no longer imports has no benchmark among the cases, so it is one itself."""
    junitparser = pytest.importorskip("junitparser")
    note = "head: cannot collect bench/b.py: SyntaxError: <bad>"
    fine = [one for one in AB["benchmarks"] if one["status"] == "ok"]
    made = AB | {"benchmarks": fine, "broken": ["bench/b.py"], "notes": [note, "head: cannot collect c.py: both"]}
    (tmp_path / "ab.json").write_text(json.dumps(made, indent=2))
    (tmp_path / "junit.xml").write_text(render_junit(describe_ab(tmp_path / "ab.json")), encoding="utf-8")
    (suite,) = junitparser.JUnitXml.fromfile(str(tmp_path / "junit.xml"))
    assert (suite.tests, suite.failures) == (2, 1)
    (case,) = (one for one in suite if not one.is_passed)
    assert (case.classname, [one.message for one in case.result]) == ("bench/b.py", [note])


def test_what_is_over_a_limit_is_told(tmp_path: Path) -> None:
    """Also of a new benchmark, which has no change, and of a metric."""
    results = load_results(
        write(
            tmp_path / "new.json",
            benchmark("new", median=1e-3),
            benchmark("old", median=2e-6, perfcore={"kernel": "unrolled", "metrics": {"peak_bytes": 2000}}),
        )
    )
    baseline = load_results(write(tmp_path / "old.json", benchmark("old", median=2e-6)))
    rules = [Rule("*", maximum=1e-6, metrics={"peak_bytes": MetricRule(maximum=1000)})]
    made = describe(results, check_results(baseline, results, rules=rules, allow_backend_mismatch=True))
    junit, comment = render_junit(made), render_comment(made)
    assert 'message="over its limit of 1.00 µs"' in junit
    assert 'message="over its limit of 1.00 µs; +0.0 % (' in junit
    told = comment.partition("<summary>over a limit</summary>")[2].partition("</details>")[0]
    assert [line.count("over its limit of") for line in told.splitlines() if line] == [1, 1, 1]
    assert "peak&#95;bytes" in told or "peak_bytes" in told
    assert "new, not in the baseline" in comment
    made["check"]["against"] = "history"
    assert "new, not in the history" in render_comment(made)


def test_action_benchmark_of_an_ab_document_leaves_out_what_is_not_known(tmp_path: Path) -> None:
    (tmp_path / "ab.json").write_text(json.dumps(AB, indent=2))
    found = json.loads(render_action_benchmark(describe_ab(tmp_path / "ab.json")))
    assert found == [
        {"name": f"t.py::{name}", "unit": "s", "value": value} for name, value in (("a", 1.3e-3), ("b", 1e-3))
    ]


def test_a_comparison_is_not_judged_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It has its threshold; another one would be left out without a word."""
    (tmp_path / "ab.json").write_text(json.dumps(AB, indent=2))
    more = ["--critical", "5%", "--history", "--strict-environment"]
    assert main(["report", str(tmp_path / "ab.json"), "--output", str(tmp_path / "out"), *more]) == 2
    told = "is a comparison, judged already; leave out --history, --critical, --strict-environment\n"
    assert capsys.readouterr().err.endswith(told)
    assert not (tmp_path / "out").exists()


def test_a_pipe_is_told_to_be_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What was looked at to see what it is would be gone from it."""
    reading, writing = os.pipe()
    os.write(writing, json.dumps(AB, indent=2).encode())
    os.close(writing)
    try:
        assert main(["report", f"/dev/fd/{reading}", "--output", str(tmp_path)]) == 2
    finally:
        os.close(reading)
    assert capsys.readouterr().err.endswith(": is no regular file; save the results to one\n")


def test_a_name_that_is_no_utf_8_goes_into_every_format(tmp_path: Path) -> None:
    """As of a test's file whose own name is in another encoding."""
    benchmarks = [AB["benchmarks"][0] | {"fullname": "t_\udcff.py::a"}]
    (tmp_path / "ab.json").write_text(json.dumps(AB | {"benchmarks": benchmarks}, indent=2))
    assert main(["report", str(tmp_path / "ab.json"), "--format", ",".join(FORMATS), "--output", str(tmp_path)]) == 0
    for name, _ in FORMATS.values():
        assert (tmp_path / name).read_text(encoding="utf-8")
    assert json.loads(render_speedscope({("f",): 1}, "t_\udcff.py", "none").encode())["name"] == "t_\\udcff.py"


@pytest.mark.parametrize(
    "broken",
    [
        '{"command": "ab"}',
        '{"command": "ab", "benchmarks": [1]}',
        '{"command": "ab", "x": ' + "[" * 10**5,
        '{"command": "ab", "benchmarks": [{"fullname": "x", "head_s": 1' + "0" * 400 + "}]}",
    ],
)
def test_a_broken_ab_document_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], broken: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("ab.json").write_text(broken)
    assert main(["report", "ab.json", "--format", "github"]) == 2
    assert capsys.readouterr().err.startswith("perfcore: error: ab.json: ")
    assert not Path("perfcore-report").exists()
