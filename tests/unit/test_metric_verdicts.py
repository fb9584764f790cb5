# SPDX-License-Identifier: MIT
"""Verdicts on metrics beside the time: exact ones, sizes, rates, limits, marks, and against a history."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from results_files import MACHINE, benchmark, document, write

from perfcore.cli import main
from perfcore.errors import ConfigError, ResultsError
from perfcore.judge.history import judge_metrics_by_history
from perfcore.judge.metrics import MetricRules, MetricVerdict, figure, judge_metrics
from perfcore.judge.thresholds import MetricRule, Rule, Thresholds
from perfcore.judge.verdict import check_results
from perfcore.record.results import Benchmark, Results, parse_results
from perfcore.units import format_metric, unit_of

LIMITS = Thresholds(0.05, 0.10)


def results(*items: dict[str, Any], **changes: Any) -> Results:
    return parse_results("r.json", json.dumps(document(*items, **changes)).encode())


def made(metrics: Mapping[str, Any] | None = None, *, extra: Mapping[str, Any] | None = None, **own: Any) -> Benchmark:
    item = benchmark("a", 1e-6, 2e-9, extra_info=dict(extra or {}))
    item["perfcore"] = {"kernel": "unrolled", "mad": 1e-9} | ({} if metrics is None else {"metrics": metrics}) | own
    return results(item).benchmarks[0]


def judged(old: Mapping[str, Any], new: Mapping[str, Any], **rules: MetricRule) -> dict[str, MetricVerdict]:
    found = judge_metrics(made(old), made(new), LIMITS, MetricRules(rules))
    return {one.metric: one for one in found}


@pytest.mark.parametrize(
    ("metric", "old", "new", "status"),
    [
        ("allocations", 100, 100, "ok"),
        ("allocations", 100, 101, "warning"),  # exact: one more counts
        ("allocations", 100, 110, "warning"),
        ("allocations", 100, 111, "critical"),
        ("allocations", 100, 99, "improvement"),
        ("allocations", 0, 1, "critical"),
        ("allocations", 0, 0, "ok"),
        ("instructions", 1e9, 1.009e9, "ok"),  # of the processor's counter: from 1 % on
        ("instructions", 1e9, 1.011e9, "warning"),
        ("instructions", 1e9, 1.11e9, "critical"),
        ("growth_bytes", 0, 1, "critical"),  # a leak
        ("growth_bytes", 1000, 1001, "critical"),
        ("growth_bytes", 1000, 0, "improvement"),
        ("peak_bytes", 1000, 1049, "ok"),  # a size: by the thresholds, without an allowance
        ("peak_bytes", 1000, 1051, "warning"),
        ("peak_bytes", 1000, 1101, "critical"),
        ("peak_bytes", 1000, 940, "improvement"),
        ("peak_bytes", 0, 64, "critical"),
        ("cpu_s", 1e-3, 1.04e-3, "ok"),
        ("cpu_s", 1e-3, 1.07e-3, "warning"),
        ("cpu_s", 1e-3, 1.2e-3, "critical"),
        ("cpu_s", 1e-3, 1.051e-3, "undecided"),  # past the threshold by less than the rounds spread
    ],
)
def test_metrics_that_need_no_name(metric: str, old: float, new: float, status: str) -> None:
    (found,) = judged({metric: old}, {metric: new}).values()
    assert (found.metric, found.status, found.baseline, found.value) == (metric, status, old, new)
    assert found.comparable
    assert found.ratio == (new / old if old else math.inf if new else 1.0)
    assert bool(found.reason) == (status == "undecided")


def test_what_is_not_named_is_not_judged() -> None:
    assert judged({"unknown": 1, "allocations": "many"}, {"unknown": 2, "allocations": 5}) == {}
    assert judged({}, {"allocations": 5}) == {}
    assert judged({"allocations": True}, {"allocations": 5}) == {}


@pytest.mark.parametrize(
    ("rule", "old", "new", "status"),
    [
        (MetricRule(), 1000, 900, "critical"),  # the name says that it rises: items_per_second
        (MetricRule(), 1000, 1200, "improvement"),
        (MetricRule(up=False), 1000, 900, "improvement"),
        (MetricRule(exact=True), 1000, 999, "warning"),
        (MetricRule(exact=True), 1000, 1001, "improvement"),
        (MetricRule(warning=0.5, critical=0.5), 1000, 700, "ok"),
        (MetricRule(critical=0.5), 1000, 900, "warning"),
        (MetricRule(warning=0.0, critical=0.0), 1000, 999, "critical"),
        (MetricRule(minimum=950), 1000, 949, "critical"),
        (MetricRule(minimum=950), 1000, 990, "ok"),
        (MetricRule(maximum=999), 1000, 1000, "critical"),
    ],
)
def test_rules_of_a_number_of_the_test_s_own(rule: MetricRule, old: float, new: float, status: str) -> None:
    rules = MetricRules({"items_per_second": rule})
    sides = (made(extra={"items_per_second": value}) for value in (old, new))
    (found,) = judge_metrics(*sides, LIMITS, rules)
    assert found.status == status
    assert found.up == (rule.up is not False)


def test_statistics_as_metrics() -> None:
    old, new = made(percentiles={"p99": 1e-5}), made(percentiles={"p99": 2e-5})
    rules = MetricRules({"p99": MetricRule(), "ops": MetricRule(), "mean": MetricRule(), "none": MetricRule()})
    found = {one.metric: one.status for one in judge_metrics(old, new, LIMITS, rules)}
    assert found == {"p99": "critical", "ops": "ok", "mean": "ok"}
    apart = judge_metrics(old, made({"allocations": 5}, percentiles={"p99": 2e-5}), LIMITS, rules, mismatch="kernel")
    assert {(one.metric, one.status, one.comparable) for one in apart} == {
        (name, "undecided", False) for name in ("p99", "ops", "mean")
    }


def test_rules_of_patterns_come_last_and_may_ignore() -> None:
    old, new = made({"allocations": 5, "peak_bytes": 100}), made({"allocations": 6, "peak_bytes": 200})
    general = {"allocations": MetricRule(critical=0.5)}
    rules = [
        Rule("*::a", metrics={"allocations": MetricRule(critical=1.0), "peak_bytes": MetricRule(ignore=True)}),
        Rule("*::b", metrics={"allocations": MetricRule(critical=0.01)}),
    ]
    (found,) = judge_metrics(old, new, LIMITS, MetricRules(general, rules))
    assert (found.metric, found.status) == ("allocations", "warning")


@pytest.mark.parametrize(
    ("metric", "rule", "new", "status"),
    [
        ("peak_bytes", MetricRule(warning=0.2), 1190, "ok"),
        ("peak_bytes", MetricRule(warning=0.2), 1210, "critical"),
        ("cpu_s", MetricRule(warning=0.2), 1190, "ok"),
        ("allocations", MetricRule(warning=0.2), 1190, "ok"),
        ("growth_bytes", MetricRule(warning=0.2), 1190, "ok"),
        ("growth_bytes", MetricRule(warning=0.2, exact=False), 1210, "critical"),
    ],
)
def test_a_general_threshold_gives_way_to_one_of_the_metric(
    metric: str, rule: MetricRule, new: float, status: str
) -> None:
    (found,) = judged({metric: 1000}, {metric: new}, **{metric: rule}).values()
    assert found.status == status
    by_runs = by_history(metric, [1000.0] * 12, new, **{metric: rule})
    assert by_runs is not None
    assert by_runs.status == status


def test_rules_of_a_metric_that_make_no_sense_together() -> None:
    rules = [Rule("*::a", metrics={"peak_bytes": MetricRule(critical=0.1)})]
    both = MetricRules({"peak_bytes": MetricRule(warning=0.2, critical=0.3)}, rules)
    with pytest.raises(ConfigError, match=r"^tests/test_x.py::a: thresholds of peak_bytes: warning is 20% and crit"):
        judge_metrics(made({"peak_bytes": 1000}), made({"peak_bytes": 1100}), LIMITS, both)


def test_a_spread_that_nobody_tells() -> None:
    item = benchmark("a", stats={"iqr": None})
    item["perfcore"] = {"metrics": {"cpu_s": 1.0, "peak_bytes": 1000}}
    found = judge_metrics(results(item).benchmarks[0], made({"cpu_s": 2.0, "peak_bytes": 2000}), LIMITS, MetricRules())
    assert {one.metric: (one.status, one.comparable) for one in found} == {
        "cpu_s": ("undecided", False),
        "peak_bytes": ("critical", True),
    }


def test_half_the_iqr_stands_for_a_mad_that_the_file_lacks() -> None:
    told: list[float] = []
    for changes, own in (({}, {"mad": 5e-8}), ({"iqr": 1e-7}, {})):
        item = benchmark("a", **changes) | {"perfcore": own | {"metrics": {"cpu_s": 1.0}}}
        (found,) = judge_metrics(results(item).benchmarks[0], made({"cpu_s": 1.5}), LIMITS, MetricRules())
        told.append(found.allowance)
    assert told[0] == pytest.approx(told[1])
    assert told[0] > 0.05


@pytest.mark.parametrize(("kernel", "status"), [("unrolled", "warning"), ("vectorcall", "undecided")])
def test_the_clock_is_in_all_times_of_rounds_of_one_call(kernel: str, status: str) -> None:
    """Past 5 µs a round has one call, and two readings of the clock: 1 % of the 5.6 % may be theirs."""

    def sized(seconds: float, kernel: str) -> dict[str, Any]:
        own = {"kernel": kernel, "mad": 1e-12, "metrics": {"cpu_s": seconds}}
        return benchmark("a", seconds, stats={"mean": seconds}) | {"perfcore": own}

    check = check_results(
        results(sized(4.95e-6, "unrolled")), results(sized(5.23e-6, kernel)), metrics={"mean": MetricRule()}
    )
    assert check.verdicts[0].status == status
    found = {one.metric: one.status for one in check.metrics}
    assert found == {"mean": status, "cpu_s": "warning"}  # which is measured by itself


def test_figures_that_are_none() -> None:
    for odd in (True, "5", None, [1]):
        assert figure(made({"allocations": odd}), "allocations") is None


# --- against a history ---


def by_history(name: str, values: list[float], new: float, **rules: MetricRule) -> MetricVerdict | None:
    runs = [{name: value} for value in values]
    found = judge_metrics_by_history(made({name: new}), LIMITS, MetricRules(rules), [{}, *runs])
    return found[0] if found else None


def test_metrics_by_history() -> None:
    exact = by_history("allocations", [9, 5, 7], 8)
    assert exact is not None
    assert (exact.status, exact.baseline) == ("critical", 7)  # the last run
    few = by_history("cpu_s", [1e-3] * 3, 2e-3)
    assert few is not None
    assert (few.status, few.comparable) == ("undecided", False)
    assert few.reason.startswith("3 runs of this environment")
    many = by_history("cpu_s", [1e-3, 1.001e-3] * 6, 2e-3)
    assert many is not None
    assert (many.status, many.ratio) == ("critical", pytest.approx(2, rel=1e-3))
    rate = by_history("cpu_s", [1000.0, 1001.0] * 6, 500.0, cpu_s=MetricRule(up=True))
    assert rate is not None
    assert (rate.status, rate.ratio) == ("critical", pytest.approx(0.5, rel=1e-3))
    tiny = by_history("cpu_s", [5e-324] * 12, 1.0, cpu_s=MetricRule(up=True))  # one over it is infinite
    assert tiny is not None
    assert not tiny.comparable
    assert by_history("cpu_s", [], 1.0) is None
    limit = by_history("peak_bytes", [], 1.0e6, peak_bytes=MetricRule(maximum=1e3))
    assert limit is not None
    assert limit.over_limit


FAILURES = MetricRule(critical=0.5)
RATE = MetricRule(up=True, critical=0.2)


@pytest.mark.parametrize(
    ("rule", "values", "new", "status", "nearest"),
    [
        (RATE, [1000.0, 1010.0] * 6, 0.0, "critical", 1000.0),  # nothing is served any more
        (RATE, [1000.0, 0.0] * 6, 0.0, "ok", 0.0),
        (RATE, [0.0] * 12, 5.0, "improvement", 0.0),
        (FAILURES, [0.0] * 12, 0.0, "ok", 0.0),
        (FAILURES, [0.0] * 12, 100.0, "critical", 0.0),
        (FAILURES, [0.0, 0.0, 3.0] * 4, 3.0, "ok", 3.0),  # there were such runs
        (FAILURES, [0.0, 0.0, 3.0] * 4, 5.0, "critical", 3.0),
        (FAILURES, [0.0, 3.0, 3.0] * 4, 5.0, "critical", 3.0),  # 8 runs above zero
        (FAILURES, [3.0] * 60 + [0.0] * 40, 1.0, "ok", 1.0),
        (FAILURES, [4.0, 5.0] * 6, 0.0, "improvement", 4.0),
        (FAILURES, [-2.0, -1.0] * 6, -0.5, "critical", -1.0),
        (FAILURES, [0.0] * 9, 100.0, "undecided", 0.0),
    ],
)
def test_figures_that_are_not_above_zero_by_history(
    rule: MetricRule, values: list[float], new: float, status: str, nearest: float
) -> None:
    runs = [{"extra_info": {"n": value}} for value in values]
    (found,) = judge_metrics_by_history(made(extra={"n": new}), LIMITS, MetricRules({"n": rule}), runs)
    assert (found.status, found.baseline, found.comparable) == (status, nearest, status != "undecided")
    if status == "undecided":
        assert found.reason == "9 runs of this environment measured this way in the history; 1 more is needed"


# --- marks, and the whole check ---


def test_a_mark_counts_more_than_the_configuration() -> None:
    old, new = results(benchmark("a")), benchmark("a", 1.2e-6)
    assert check_results(old, results(new)).verdicts[0].status == "critical"
    for marks, status in (
        ({"critical": 0.5}, "warning"),
        ({"warning": 0.3}, "ok"),
        ({"warning": 0.3, "critical": 0.5}, "ok"),
        ({"critical": 0.01}, "critical"),
        ({"critical": 1}, "warning"),
        ({"warning": 1.5}, "ok"),  # 150 %: in the file it is a fraction, and cannot mean 1.5 %
        ({}, "critical"),
    ):
        head = results(new | {"perfcore": {"thresholds": marks}})
        check = check_results(old, head, rules=[Rule("*", critical=0.11)], allow_backend_mismatch=True)
        assert check.verdicts[0].status == status
    for wrong in ({"critical": "x"}, {"warning": True}, {"critical": 0}, {"warning": 0.5, "critical": 0.1}, 5):
        with pytest.raises(ResultsError, match=r"tests/test_x.py::a: perfcore.thresholds: .*correct the mark"):
            check_results(old, results(new | {"perfcore": {"thresholds": wrong}}))


def test_what_is_lost_is_counted() -> None:
    def item(name: str, *names: str) -> dict[str, Any]:
        return benchmark(name) | {"perfcore": {"metrics": dict.fromkeys(names, 1)}}

    old = results(item("a", "allocations", "cpu_s", "odd"), item("b", "allocations"), item("c", "cpu_s"))
    new = results(item("a", "cpu_s"), item("b"), benchmark("new"))
    assert check_results(old, new).lost_metrics == {"allocations": 2}
    named = {"cpu_s": MetricRule(maximum=2.0), "odd": MetricRule(ignore=True)}
    assert check_results(old, new, metrics=named).lost_metrics == {"allocations": 2}


def test_a_figure_that_is_named_and_lost_is_told(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its limit says nothing any more, which nobody would see."""
    with (project / "pyproject.toml").open("a") as file:
        file.write("rate = { min = 1000 }\nnever = { min = 1000 }\n")
    write(project / "old.json", benchmark("a", extra_info={"rate": 2000}), benchmark("b"))
    write(project / "new.json", benchmark("a"), benchmark("b"))
    assert check() == 0
    assert "\nnot judged: rate, which 1 benchmark lacks although the baseline has it\n" in capsys.readouterr().out


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pyproject.toml").write_text(
        "[tool.perfcore.history]\nurl = 'h.db'\n[tool.perfcore.thresholds.metrics]\npeak_bytes = { max = '1 MB' }\n"
    )
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "old.json", {"allocations": 5, "peak_bytes": 1000, "cpu_s": 1e-3})
    return tmp_path


def save(path: Path, metrics: Mapping[str, Any], **changes: Any) -> None:
    item = benchmark("a") | {"perfcore": {"kernel": "stock", "mad": 1e-9, "metrics": metrics}}
    write(path, item, perfcore={"schema": 1, "backend": "perfcore"}, **changes)


def check(*more: str) -> int:
    return main(["check", "new.json", "--baseline", "old.json", "--fail-on-regression", *more])


def test_the_command(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(project / "new.json", {"allocations": 6, "peak_bytes": 1000})
    assert check() == 1
    out = capsys.readouterr().out
    assert "tests/test_x.py::a  allocations         5    6  +20.0 %  exact  critical" in out
    assert "metrics (allocations, peak_bytes): 1 critical, 1 ok" in out
    assert "not judged: cpu_s, which 1 benchmark lacks although the baseline has it; run pytest with" in out
    assert out.endswith("1 judged: 1 ok, metrics of calls: 1 critical: FAILED\n")
    assert check("--json") == 1
    report = json.loads(capsys.readouterr().out)
    assert report["metric_counts"]["critical"] == 1
    assert report["metrics"][0]["metric"] == "allocations"
    assert report["lost_metrics"] == {"cpu_s": 1}
    assert main(["baseline", "update", "new.json", "--baseline", "old.json"]) == 1


def test_another_environment_is_advisory_but_limits_hold(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = MACHINE | {"python_version": "3.11.7"}
    save(project / "new.json", {"allocations": 6}, machine_info=other)
    assert check() == 0
    out = capsys.readouterr().out
    assert "critical (advisory)" in out
    assert "passed, because the verdicts are advisory" in out
    assert check("--strict-environment") == 1
    save(project / "new.json", {"peak_bytes": 2_000_000}, machine_info=other)
    assert check() == 1
    assert "critical: over its limit of 1.00 MB" in capsys.readouterr().out


def test_the_command_by_history(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["history", "add", "old.json"]) == 0
    save(project / "new.json", {"allocations": 6, "peak_bytes": 1000}, datetime="2024-01-02T00:00:00+00:00")
    assert main(["check", "new.json", "--history", "--fail-on-regression"]) == 1
    assert "+20.0 %  exact  critical" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("metric", "value", "shown"),
    [
        ("cpu_s", 0.00123, "1.23 ms"),
        ("p99.9", 2.0, "2.00 s"),
        ("peak_bytes", 1500, "1.50 kB"),
        ("allocations", 12345, "12,345"),
        ("items_per_s", 1.5, "1.5"),
        ("ops", math.nan, "-"),
    ],
)
def test_figures_with_their_units(metric: str, value: float, shown: str) -> None:
    assert format_metric(metric, value) == shown
    assert unit_of("items_per_s") == ""
