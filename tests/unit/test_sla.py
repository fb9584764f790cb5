# SPDX-License-Identifier: MIT
"""Service levels: how targets are written, intervals, verdicts, severities, exit codes."""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import pytest
from results_files import benchmark, write

from perfcore import SLAValidator
from perfcore.config import read_config
from perfcore.errors import ConfigError
from perfcore.judge.quantile import mean_interval, quantile_interval
from perfcore.judge.sla import STATUSES, as_document, compliance, judge_target
from perfcore.judge.targets import KEYS, Target, show
from perfcore.record.lanes import failed_lanes
from perfcore.record.results import Benchmark, Results, load_results


def targets_of(folder: Path, text: str) -> tuple[Target, ...]:
    path = folder / "sla.toml"
    path.write_text(text, encoding="utf-8")
    return read_config(path).sla


def lane_entry(name: str, count: int, **changes: Any) -> dict[str, Any]:
    return {
        "name": name,
        "status": "completed",
        "counts": {"completed": count},
        "outcomes": [],
        "warmup": 0,
        "cores": 4,
        "memory_bytes": 8 * 10**9,
        "resources": {"memory_max_bytes": [50_000_000] * count, "cpu_percent": [40.0 + i % 2 for i in range(count)]},
    } | changes


def lane(folder: Path, times: list[float], name: str = "standard", **changes: Any) -> Benchmark:
    from perfcore._core import Samples
    from perfcore.judge.stats import summarize

    summary = summarize(Samples(times))
    made = benchmark(
        name,
        fullname=f"lane::{name}",
        stats={
            **{key: getattr(summary, key) for key in ("min", "max", "mean", "stddev", "median", "rounds", "total")},
            "data": times,
            "iterations": 1,
        },
        perfcore={"percentiles": summary.percentiles, "lane": lane_entry(name, len(times), **changes)},
    )
    return load_results(write(folder / f"{name}.json", made)).benchmarks[0]


# --- writing targets ---


def test_values_with_units(tmp_path: Path) -> None:
    targets = targets_of(
        tmp_path,
        """
        [tool.perfcore.sla."standard"]
        mean = "50 ms"
        median = "1 s"
        p95 = "100us"
        p99 = "2 s"
        memory_max = "100 MB"
        cpu_average = "80 %"
        throughput_min = "1000/s"
        [tool.perfcore.sla."*test_spawn[[]*"]
        cpu_average = "1.5 cores"
        memory_max = "64 KiB"
        throughput_min = "120 / min"
        """,
    )
    assert [(one.key, one.limit) for one in targets] == [
        ("mean", 0.05),
        ("median", 1.0),
        ("p95", pytest.approx(1e-4)),
        ("p99", 2.0),
        ("memory_max", 100e6),
        ("cpu_average", 80.0),
        ("throughput_min", 1000.0),
        ("cpu_average", 150.0),
        ("memory_max", 65536.0),
        ("throughput_min", 2.0),
    ]
    assert set(KEYS) == {one.key for one in targets}
    assert [show("mean", 0.05), show("memory_max", 1e8), show("cpu_average", 80.0), show("p99", math.nan)] == [
        "50.0 ms",
        "100 MB",
        "80 %",
        "-",
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sla = 3", "tool.perfcore.sla: must be a table, not int"),
        ("sla.x = 3", 'tool.perfcore.sla."x": must be a table, not int'),
        ("sla.x.men = '1 s'", "[tool.perfcore.sla.\"x\"]: unknown key 'men'; did you mean 'mean'?"),
        ("sla.x.zzz = '1 s'", "unknown key 'zzz'; known keys: mean, "),
        ("sla.x.mean = 50", 'tool.perfcore.sla."x".mean: 50 is no time'),
        ("sla.x.mean = '50'", "'50' is no time"),
        ("sla.x.memory_max = 100", '."x".memory_max: 100 is no size'),
        ("sla.x.memory_max = '100 ms'", "is no size"),
        ("sla.x.memory_max = '0 MB'", "is no size"),
        ("sla.x.cpu_average = '80'", "'80' is no share; write it like 80 % (of one processor) or 1.5 cores"),
        ("sla.x.cpu_average = '1.2.3 %'", "is no share"),
        ("sla.x.throughput_min = '1000'", "'1000' is no rate; write it like 1000/s"),
        ("sla.x.throughput_min = '1e/s'", "is no rate"),
    ],
)
def test_mistakes_name_the_key(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        targets_of(tmp_path, f"[tool.perfcore]\n{text}\n")
    assert str(caught.value).startswith(f"{tmp_path / 'sla.toml'}: ")
    assert words in str(caught.value)


# --- intervals ---


def test_the_interval_of_a_mean_is_students() -> None:
    low, high = mean_interval(10.0, 2.0, 5)
    assert (high - 10.0, 10.0 - low) == (pytest.approx(2.776445 * 2 / math.sqrt(5)),) * 2
    assert all(map(math.isnan, mean_interval(10.0, 0.0, 1)))


def test_the_ranks_of_a_quantile() -> None:
    # Binomial(10, 0.95): P(X <= 7) = 0.0115, P(X <= 8) = 0.0861; the upper end is unbounded below 72 samples.
    assert quantile_interval(range(1, 11), 0.95) == (8, math.inf)
    assert quantile_interval(range(1, 72), 0.95)[1] == math.inf
    assert quantile_interval(range(1, 73), 0.95)[1] == 72
    assert quantile_interval([5.0], 0.95) == (-math.inf, math.inf)
    # Conover, Practical Nonparametric Statistics: of 16 samples the median lies between the 4th and the 13th.
    assert quantile_interval(range(1, 17), 0.5) == (4, 13)
    low, high = quantile_interval(range(1, 100_001), 0.99)
    assert (low, high) == (pytest.approx(98_938, abs=2), pytest.approx(99_062, abs=2))


def test_the_interval_covers_the_quantile_as_often_as_it_says() -> None:
    source = random.Random(1)
    covered = 0
    for _ in range(400):
        low, high = quantile_interval(sorted(source.random() for _ in range(100)), 0.9)
        covered += low <= 0.9 <= high
    assert covered >= 370  # 95 % of 400 is 380


# --- verdicts ---


def judged(one: Benchmark, key: str, limit: float) -> tuple[str, str]:
    verdict = judge_target(one, Target("*", key, limit))
    return verdict.status, verdict.severity


def test_times_of_a_lane(tmp_path: Path) -> None:
    one = lane(tmp_path, [1.0 + 0.01 * (index % 5) for index in range(20)])
    assert judged(one, "mean", 2.0) == ("met", "")
    assert judged(one, "mean", 1.018) == ("possibly", "warning")
    assert judged(one, "mean", 0.95) == ("violated", "warning")
    assert judged(one, "mean", 0.9) == ("violated", "error")
    assert judged(one, "mean", 0.5) == ("violated", "critical")
    assert judged(one, "p95", 1.1) == ("met", "")
    assert judged(one, "p99", 0.9) == ("violated", "error")
    assert judged(one, "throughput_min", 0.5) == ("met", "")
    assert judged(one, "throughput_min", 0.985) == ("possibly", "warning")
    assert judged(one, "throughput_min", 2.0) == ("violated", "critical")


def test_what_it_used(tmp_path: Path) -> None:
    one = lane(tmp_path, [1.0] * 10)
    assert judged(one, "memory_max", 50e6) == ("met", "")
    assert judged(one, "memory_max", 49e6) == ("violated", "warning")  # it was seen: no interval is needed
    assert judged(one, "cpu_average", 60.0) == ("met", "")
    assert judged(one, "cpu_average", 40.4) == ("possibly", "warning")
    assert judged(one, "cpu_average", 20.0) == ("violated", "critical")


def test_one_iteration_decides_nothing_for_sure(tmp_path: Path) -> None:
    one = lane(tmp_path, [1.0])
    verdict = judge_target(one, Target("*", "mean", 0.1))
    assert (verdict.status, verdict.severity) == ("possibly", "critical")
    assert verdict.reason == "there is no interval; more iterations would give one"
    assert judged(one, "p95", 0.1) == ("possibly", "critical")
    assert judged(one, "mean", 2.0) == ("met", "")


def test_a_mean_that_may_be_nothing_leaves_the_rate_without_an_upper_end(tmp_path: Path) -> None:
    verdict = judge_target(lane(tmp_path, [0.1, 0.1, 0.1, 50.0]), Target("*", "throughput_min", 1.0))
    assert (verdict.status, verdict.high) == ("possibly", math.inf)
    assert 0 < verdict.low < verdict.value < 1
    assert verdict.reason == "the interval reaches the target; more iterations would decide"


def test_a_lane_with_failures_is_never_compliant(tmp_path: Path) -> None:
    one = lane(tmp_path, [1.0] * 8, status="failed", counts={"completed": 8, "timed_out": 2})
    for key, limit in (("mean", 2.0), ("p95", 2.0), ("memory_max", 1e9), ("cpu_average", 90.0)):
        verdict = judge_target(one, Target("*", key, limit))
        assert verdict.status == "no data"
        assert verdict.reason == "not every iteration was completed (2 timed out)"
    assert judged(one, "mean", 0.5) == ("violated", "critical")  # the others only make it worse


def test_plain_benchmarks(tmp_path: Path) -> None:
    path = write(
        tmp_path / "x.json",
        benchmark("stock", 1e-3),
        benchmark(
            "ours",
            1e-3,
            extra_info={"perfcore": {"items_per_call": 10}},
            perfcore={"metrics": {"peak_bytes": 2000, "cpu_s": 1e-3}, "percentiles": {"p95": 2e-3}},
        ),
        benchmark("told", extra_info={"perfcore": {"memory_bytes": 3000}}, perfcore={"metrics": {"peak_bytes": 9}}),
    )
    stock, ours, told = load_results(path).benchmarks
    assert judged(told, "memory_max", 2999) == ("violated", "warning")
    assert judged(stock, "mean", 2e-3) == ("met", "")
    assert judged(stock, "p95", 1.0) == ("no data", "")
    assert judged(stock, "memory_max", 1e9) == ("no data", "")
    assert judged(stock, "cpu_average", 100.0) == ("no data", "")
    assert judged(stock, "median", 1e-4) == ("possibly", "critical")  # saved without its samples
    assert judged(ours, "memory_max", 1000) == ("violated", "critical")
    assert judged(ours, "p95", 1e-3) == ("possibly", "critical")
    assert judged(ours, "throughput_min", 9000) == ("met", "")
    assert judged(ours, "throughput_min", 11_000) == ("violated", "error")
    assert judged(ours, "cpu_average", 50.0)[0] == "possibly"
    for key, limit, missing in (
        ("cpu_average", 50.0, "to run it as a lane"),
        ("p95", 1e-3, "its samples (--benchmark-save-data)"),
        ("median", 1e-4, "its samples (--benchmark-save-data)"),
    ):  # of a benchmark, whatever more iterations it has
        reason = judge_target(ours, Target("*", key, limit)).reason
        assert reason == f"there is no interval; {missing} would give one"


def results_of(folder: Path, failed: dict[str, Any]) -> Results:
    return load_results(write(folder / "failed.json", perfcore={"schema": 1, "lanes_failed": failed}))


def test_patterns_missing_and_failed(tmp_path: Path) -> None:
    one = lane(tmp_path, [1.0] * 10)
    failed = failed_lanes([results_of(tmp_path, {"heavy": lane_entry("heavy", 0, status="failed"), "odd": 3})])
    assert [entry.name for entry in failed] == ["heavy"]
    targets = (
        Target("*", "mean", 0.1),
        Target("standard", "mean", 2.0),  # the last one that matches counts
        Target("lane::stand*", "p95", 0.1),
        Target("heavy", "memory_max", 1e9),
        Target("nobody", "mean", 1.0),
    )
    verdicts = SLAValidator(targets).validate([one], failed)
    assert [(verdict.subject, verdict.target.key, verdict.status) for verdict in verdicts] == [
        ("lane::standard", "p95", "violated"),
        ("lane::heavy", "mean", "no data"),
        ("lane::heavy", "memory_max", "no data"),
        ("nobody", "mean", "no data"),
        ("lane::standard", "mean", "met"),
    ]
    assert verdicts[1].reason == "no iteration was completed"
    assert verdicts[3].reason == "nothing in the results matches the pattern"
    assert len(SLAValidator(targets).validate([one], failed, allow_missing=True)) == 4
    document = as_document(verdicts[1])
    assert (document["severity"], document["status"], math.isnan(document["value"])) == (None, "no data", True)


def test_compliance_and_exit_codes(tmp_path: Path) -> None:
    one = lane(tmp_path, [1.0 + 0.01 * (index % 5) for index in range(20)])

    def code(*limits: tuple[str, float], **options: Any) -> tuple[bool, int]:
        verdicts = [judge_target(one, Target("*", key, limit)) for key, limit in limits]
        return compliance(verdicts, **options)

    met, possibly, violated, severe = ("mean", 2.0), ("mean", 1.018), ("mean", 0.95), ("mean", 0.5)
    nothing = ("memory_max", 1e9)
    assert code(met) == (True, 0)
    assert code(met, possibly) == (False, 0)
    assert code(met, possibly, fail_on_possible=True) == (False, 1)
    assert code(met, violated) == (False, 1)
    assert code(violated, fail_on="error") == (False, 0)
    assert code(severe, fail_on="critical") == (False, 1)
    without = lane(tmp_path, [1.0] * 3, "bare", resources={})
    verdict = judge_target(without, Target("*", *nothing))
    assert compliance([verdict, judge_target(one, Target("*", *met))]) == (False, 2)
    assert compliance([verdict, judge_target(one, Target("*", *violated))]) == (False, 1)
    assert STATUSES[0] == "violated"
