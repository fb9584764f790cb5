# SPDX-License-Identifier: MIT
"""OptimizationRecommender: each rule speaks where the figures do, with the numbers, and is silent elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from results_files import benchmark, write

from perfcore import OptimizationRecommender
from perfcore.judge.recommend import RULES, Recommendation, amdahl
from perfcore.record.lanes import lane_figures
from perfcore.record.results import Benchmark, load_results

STEADY = [10.0 + 0.01 * (index % 3) for index in range(10)]


def lane(folder: Path, times: list[float] | None = None, cores: int = 4, **changes: Any) -> Benchmark:
    """A lane that computes on all of its processors, of which nothing stands out."""
    times = STEADY if times is None else times
    used = changes.pop("used", float(cores))
    resources: dict[str, Any] = {
        "cpu_s": [used * 10.0] * len(times),
        "user_s": [used * 9.5] * len(times),
        "system_s": [used * 0.5] * len(times),
        "cpu_percent": [used * 100] * len(times),
        "memory_max_bytes": [10**8] * len(times),
        "major_faults": [0] * len(times),
        "involuntary_switches": [20] * len(times),
        "disk_read_bytes": [0] * len(times),
        "disk_write_bytes": [0] * len(times),
        "others_busy": [0.1] * len(times),
    }
    resources |= {key: [value] * len(times) for key, value in changes.pop("resources", {}).items()}
    entry = {
        "name": "standard",
        "status": "completed",
        "counts": {"completed": len(times)},
        "outcomes": [],
        "warmup": 0,
        "cores": cores,
        "memory_bytes": 8 * 10**9,
        "resources": resources,
        "timeline": {"iteration": 1, "times": [0.1 * i for i in range(100)], "rss_bytes": [1e8] * 100},
    } | changes
    made = benchmark(
        "standard", fullname="lane::standard", stats={"data": times, "iterations": 1}, perfcore={"lane": entry}
    )
    return load_results(write(folder / "lane.json", made)).benchmarks[0]


def advice(one: Benchmark) -> dict[str, Recommendation]:
    found = OptimizationRecommender().recommend(one)
    assert [item.priority for item in found] == sorted((item.priority for item in found), reverse=True)
    for item in found:
        assert 1 <= item.priority <= 5
        assert item.effort in ("low", "medium", "high")
        assert item.steps
        assert item.estimate
        assert item.evidence
        assert item.gain is None or 0 <= item.gain <= 1
    return {item.rule: item for item in found}


def test_nothing_stands_out(tmp_path: Path) -> None:
    one = lane(tmp_path)
    assert lane_figures(one) is not None
    assert advice(one) == {}


def test_nothing_to_look_at(tmp_path: Path) -> None:
    path = write(tmp_path / "x.json", benchmark("stock"), benchmark("empty", stats={"data": []}))
    assert [OptimizationRecommender().recommend(one) for one in load_results(path).benchmarks] == [(), ()]


def test_amdahls_law() -> None:
    assert amdahl(1.0, 8) == 8
    assert amdahl(0.0, 8) == 1
    assert amdahl(0.95, 20) == pytest.approx(10.256, abs=1e-3)


def test_computing_on_one_processor(tmp_path: Path) -> None:
    found = advice(lane(tmp_path, used=0.95))["one-processor"]
    assert "0.95 of 4 processors" in found.finding
    assert f"at most {amdahl(0.95, 4):.1f} times as fast" in found.estimate
    assert found.gain == pytest.approx(1 - 1 / amdahl(0.95, 4))
    assert found.evidence["processors_used"] == pytest.approx(0.95)
    assert "one-processor" not in advice(lane(tmp_path, used=0.95, cores=1))


def test_uneven_use(tmp_path: Path) -> None:
    found = advice(lane(tmp_path, used=2.0))
    assert set(found) == {"uneven-use"}
    assert found["uneven-use"].evidence["serial_share"] == pytest.approx((1 / 2 - 1 / 4) / (1 - 1 / 4))
    assert found["uneven-use"].gain == pytest.approx(0.5)


def test_waiting(tmp_path: Path) -> None:
    found = advice(lane(tmp_path, used=0.2))
    assert set(found) == {"waiting"}
    assert found["waiting"].gain == pytest.approx(0.8)
    found = advice(lane(tmp_path, used=0.2, resources={"disk_read_bytes": 4 * 10**8}))
    assert set(found) == {"waiting-for-disk"}
    assert "400 MB" in found["waiting-for-disk"].finding


def test_a_crowded_machine_explains_the_waiting(tmp_path: Path) -> None:
    for used in (0.2, 2.0):
        found = advice(lane(tmp_path, used=used, resources={"others_busy": 3.9 - used}))
        assert set(found) == {"crowded"}
        assert f"{3.9 - used:.2f} of 4 processors" in found["crowded"].finding
    assert advice(lane(tmp_path, used=4.0, resources={"others_busy": 1.0})) == {}
    assert set(advice(lane(tmp_path, used=0.2, resources={"others_busy": 1.2}))) == {"waiting"}  # there was room


def test_time_in_the_kernel(tmp_path: Path) -> None:
    found = advice(lane(tmp_path, resources={"system_s": 20.0}))
    assert set(found) == {"system-time"}
    assert found["system-time"].gain == pytest.approx(0.5)


def test_memory_growth(tmp_path: Path) -> None:
    times = [0.1 * index for index in range(100)]
    growing = {"iteration": 1, "times": times, "rss_bytes": [1e8 + 2e6 * index for index in range(100)]}
    found = advice(lane(tmp_path, timeline=growing))["memory-growth"]
    assert found.evidence["early_bytes"] == pytest.approx(1e8 + 2e6 * 37, rel=0.01)
    assert found.evidence["bytes_per_s"] == pytest.approx(2e7, rel=0.1)
    filled = {"iteration": 1, "times": times, "rss_bytes": [1e8] * 45 + [2e8] * 55}  # once, and then it stays
    assert advice(lane(tmp_path, timeline=filled)) == {}
    unknown = {"iteration": 1, "times": times, "rss_bytes": [None] * 100}
    assert advice(lane(tmp_path, timeline=unknown)) == {}
    assert advice(lane(tmp_path, timeline=None)) == {}


def test_memory_pressure(tmp_path: Path) -> None:
    found = advice(lane(tmp_path, resources={"memory_max_bytes": 7 * 10**9}))
    assert "7.00 GB of the machine's 8.00 GB" in found["memory-pressure"].finding
    found = advice(lane(tmp_path, resources={"major_faults": 1000}))
    assert found["memory-pressure"].evidence["major_faults_per_s"] == pytest.approx(100, rel=0.01)


def test_a_slow_start(tmp_path: Path) -> None:
    found = advice(lane(tmp_path, [20.0, *STEADY]))
    assert set(found) == {"slow-start"}
    assert found["slow-start"].evidence["ratio"] == pytest.approx(2.0, rel=0.01)
    assert "warmup = 1" in found["slow-start"].steps[1]
    assert "more warm-up" in advice(lane(tmp_path, [20.0, *STEADY], warmup=1))["slow-start"].steps[1]
    assert advice(lane(tmp_path, [20.0, 10.0, 10.0])) == {}  # too few to tell
    assert "slow-start" not in advice(lane(tmp_path, [13.0, *STEADY, 13.5]))  # so slow is a later one, too


def test_spread(tmp_path: Path) -> None:
    times = [10.0, 12.0, 8.0, 13.0, 9.0, 11.0, 7.0, 10.5]
    found = advice(lane(tmp_path, times))
    assert set(found) == {"spread"}
    assert "preemptions_per_cpu_s" not in found["spread"].evidence
    assert found["spread"].priority == 2
    assert advice(lane(tmp_path, [2 * time - 10.0 for time in times]))["spread"].priority == 3
    crowded = advice(lane(tmp_path, times, resources={"involuntary_switches": 40_000}))
    assert crowded["spread"].evidence["preemptions_per_cpu_s"] == pytest.approx(1000)


def test_outliers(tmp_path: Path) -> None:
    times = [*STEADY, 18.0]
    found = advice(lane(tmp_path, times))
    assert set(found) == {"outliers"}
    assert "number 11; the slowest took 18.0 s" in found["outliers"].finding
    assert advice(lane(tmp_path, [*STEADY, 10.5])) == {}  # out of the fence, but not by much


def test_failures_come_first(tmp_path: Path) -> None:
    one = lane(
        tmp_path,
        used=0.2,
        status="failed",
        counts={"completed": 10, "timed_out": 2},
        outcomes=[{"index": 3, "status": "timed_out", "reason": "it took longer than 30 s"}],
    )
    found = OptimizationRecommender().recommend(one)
    assert [item.rule for item in found] == ["failures", "waiting"]
    assert found[0].finding == "of 12 iterations 2 timed out (it took longer than 30 s)"


def test_a_plain_benchmark_has_what_its_samples_say(tmp_path: Path) -> None:
    made = benchmark("plain", stats={"data": [3e-3, *[1e-3 + 1e-6 * (i % 3) for i in range(20)]]})
    (one,) = load_results(write(tmp_path / "x.json", made)).benchmarks
    assert set(advice(one)) == {"slow-start"}


def test_every_rule_is_tested() -> None:
    assert len(RULES) == 11
