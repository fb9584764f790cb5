# SPDX-License-Identifier: MIT
"""PerformanceBenchmark and ParallelBenchmark with agents of the user's: no server, no NumPy."""

from __future__ import annotations

import asyncio
import io
import json
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import perfcore
from perfcore.errors import SuiteError
from perfcore.suite.cancel import current
from perfcore.suite.results import BenchmarkResult

SHORT = 0.3
LONG = 60.0


class Walker:
    """An agent that remembers its steps and its messages."""

    def __init__(self, number: int) -> None:
        self.name = f"walker-{number}"
        self.memories: deque[int] = deque()
        self.inbox: list[dict[str, Any]] = []
        self.folded = self.closed = 0
        self._lock = threading.Lock()

    def step(self) -> None:
        with self._lock:
            self.memories.append(len(self.memories))

    def send(self) -> dict[str, Any]:
        return {"sender": self.name}

    def receive(self, message: dict[str, Any]) -> None:
        with self._lock:
            self.inbox.append(message)

    def consolidate(self, keep: int) -> int:
        with self._lock:
            folded = max(0, len(self.memories) - keep)
            for _ in range(folded):
                self.memories.popleft()
        return folded

    def memory(self) -> int:
        return 8 * len(self.memories)

    def close(self) -> None:
        self.closed += 1


class Roster:
    """A factory that knows what it made."""

    def __init__(self, kind: type[Walker] = Walker) -> None:
        self.kind = kind
        self.made: list[Walker] = []

    def __call__(self, number: int) -> Walker:
        self.made.append(self.kind(number))
        return self.made[-1]


def test_sequential_and_parallel() -> None:
    roster = Roster()
    with perfcore.PerformanceBenchmark(roster) as benchmark:
        found = benchmark.benchmark_sequential_vs_parallel(agent_counts=[2, 3], steps=4)
    assert [(one.agent_count, one.execution_mode, one.steps_completed) for one in found] == [
        (2, "sequential", 8),
        (2, "threads", 8),
        (3, "sequential", 12),
        (3, "threads", 12),
    ]
    for one, other in (found[:2], found[2:]):
        assert one.speedup is None
        assert other.speedup == one.total_time / other.total_time
        assert other.parallel_metrics["efficiency"] == other.speedup / other.agent_count
        assert one.avg_time_per_step == one.total_time / 4
    assert benchmark.results == found
    assert [agent.closed for agent in roster.made] == [1] * 10


def test_one_s_own_scenario_with_coroutines() -> None:
    async def act() -> None:
        await asyncio.sleep(0)

    benchmark = perfcore.PerformanceBenchmark(lambda _: act)
    result = benchmark.run_benchmark("mine", 4, 5, parallelize=True, workers=2)
    assert (result.benchmark_name, result.execution_mode, result.steps_completed) == ("mine", "async", 20)
    assert result.parallel_metrics["workers"] == 2
    assert result.peak_memory_mb is not None
    assert result.memory_usage_mb is not None
    assert result.peak_memory_mb >= result.memory_usage_mb > 0


def test_memory_is_read_every_so_many_steps() -> None:
    result = perfcore.PerformanceBenchmark(Roster()).benchmark_memory_usage(3, steps=25, every=10)
    metrics = result.parallel_metrics
    assert metrics["agents_bytes"] == [3 * 8 * steps for steps in (10, 20, 25)]
    assert len(metrics["rss_mb"]) == 3
    assert all(size > 0 for size in metrics["rss_mb"])
    silent = perfcore.PerformanceBenchmark(lambda _: int).benchmark_memory_usage(1, steps=2, every=1)
    assert silent.parallel_metrics["agents_bytes"] == [None, None]


@pytest.mark.parametrize(
    ("steps", "sizes", "growth"),
    [
        (30, lambda step: 100_000 * step, None),
        (40, lambda step: 100_000 * step, 100_000),
        (45, lambda step: 100_000 * step, 100_000),  # the last reading comes after 5 steps
        (400, lambda step: 500 * step // 4096 * 4096, 500),  # what grows by whole pages
        (400, lambda step: 10**9 if step in {199, 259, 399} else 0, 0),  # single readings that stand out
        (400, lambda step: 10**6 * min(step, 150), 0),  # what has been filled by then
    ],
)
def test_growth(monkeypatch: pytest.MonkeyPatch, steps: int, sizes: Callable[[int], int], growth: int | None) -> None:
    walker = Walker(0)
    memory = SimpleNamespace(rss=lambda: sizes(len(walker.memories) - 1))
    monkeypatch.setattr("perfcore.suite.performance.own_process", lambda: memory)
    result = perfcore.PerformanceBenchmark(lambda _: walker).benchmark_memory_usage(1, steps)
    found = result.parallel_metrics["growth_bytes_per_step"]
    assert found == (None if growth is None else pytest.approx(growth, abs=60))


def test_scalability_and_calls() -> None:
    benchmark = perfcore.PerformanceBenchmark(Roster())
    found = benchmark.benchmark_scalability((1, 4), steps=3)
    assert found[0].parallel_metrics["scaling"] == 1
    rates = [one.parallel_metrics["steps_per_second"] for one in found]
    assert found[1].parallel_metrics["scaling"] == pytest.approx(rates[1] / rates[0] / 4)
    calls = benchmark.benchmark_llm_call_patterns(3, 2)
    assert [one.parallel_metrics["workers"] for one in calls] == [1, 4, 3]
    assert all(0 < one.parallel_metrics["in_calls"] <= 1.01 for one in calls)


def test_pool_sizes_are_told_against_one_worker() -> None:
    with perfcore.ParallelBenchmark(Roster()) as benchmark:
        found = benchmark.benchmark_thread_pool_sizes(4, [2, None], steps=3)
    assert [one.parallel_metrics["workers"] for one in found] == [2, 4]
    assert [one.parallel_metrics["asked_for"] for one in found] == ["2", "auto"]
    alone = benchmark.results[-1]
    assert alone.execution_mode == "sequential"
    for one in found:
        assert one.speedup == alone.total_time / one.total_time
        assert one.parallel_metrics["efficiency"] == one.speedup / one.parallel_metrics["workers"]


def test_time_outs_of_threads_that_listen_and_that_do_not() -> None:
    release = threading.Event()
    benchmark = perfcore.ParallelBenchmark(Roster())
    listens, deaf = (lambda: current().wait(LONG)), (lambda: release.wait(LONG))
    try:
        (cut,) = benchmark.benchmark_timeout_behavior([SHORT], fast_agents=2, slow=lambda _: listens)
        (stuck,) = benchmark.benchmark_timeout_behavior([SHORT], fast_agents=2, slow=lambda _: deaf)
    finally:
        release.set()
    assert [cut.parallel_metrics[key] for key in ("done", "timed_out", "stuck", "lost")] == [2, 1, 0, 1]
    assert [stuck.parallel_metrics[key] for key in ("done", "timed_out", "stuck", "lost")] == [2, 0, 1, 1]
    assert "dropped_calls" not in cut.parallel_metrics


def test_interactions_are_checked() -> None:
    class Forgetful(Walker):
        def receive(self, message: dict[str, Any]) -> None:
            if message["interaction"] != 17:
                super().receive(message)

    class Doubling(Walker):
        def receive(self, message: dict[str, Any]) -> None:
            self.inbox += [message] * (1 + (message["interaction"] == 17))

    class Raising(Walker):
        def receive(self, message: dict[str, Any]) -> None:
            raise ValueError("no")

    for kind, consistent in ((Walker, True), (Forgetful, False), (Doubling, False), (Raising, False)):
        result = perfcore.ParallelBenchmark(Roster(kind)).benchmark_concurrent_interactions(5, 200)
        assert result.parallel_metrics["consistent"] is consistent, kind
        assert result.parallel_metrics["failed"] == (200 if kind is Raising else 0)

    class Closed:
        def step(self) -> None: ...
        def receive(self, message: dict[str, Any]) -> None: ...

    class Silent(Closed):
        name = "silent"

        def send(self) -> dict[str, Any]:
            return {}

        def memory(self) -> None: ...

    result = perfcore.ParallelBenchmark(lambda _: Silent()).benchmark_concurrent_interactions(3, 10)
    assert result.parallel_metrics["consistent"] is None
    with pytest.raises(SuiteError, match="at least 2 agents"):
        perfcore.ParallelBenchmark(Roster()).benchmark_concurrent_interactions(1)


def test_consolidation_beside_steps() -> None:
    roster = Roster()
    result = perfcore.ParallelBenchmark(roster).benchmark_memory_consolidation_parallel(3, steps=200, keep=5)
    assert result.parallel_metrics["consistent"] is True
    assert result.steps_completed == 600

    class Losing(Walker):
        def step(self) -> None:
            super().step()
            if len(self.memories) > 5:
                folded.wait(LONG)  # so that a pass comes in between

        def consolidate(self, keep: int) -> int:
            if super().consolidate(keep):
                folded.set()
            return 0

    folded = threading.Event()
    result = perfcore.ParallelBenchmark(Roster(Losing)).benchmark_memory_consolidation_parallel(2, steps=20, keep=5)
    assert result.parallel_metrics["consistent"] is False
    assert result.parallel_metrics["folded"] == 0

    class Broken(Walker):
        def consolidate(self, keep: int) -> int:
            raise ValueError("broken")

        def step(self) -> None:
            current().wait(0.002)  # so that a pass comes in between

    with pytest.raises(SuiteError, match="broken"):
        perfcore.ParallelBenchmark(Roster(Broken)).benchmark_memory_consolidation_parallel(2, steps=20)
    with pytest.raises(SuiteError, match="consolidate"):
        perfcore.ParallelBenchmark(lambda _: int).benchmark_memory_consolidation_parallel(2)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_every_error_is_accounted_for(asynchronous: bool) -> None:
    async def act() -> None:
        await asyncio.sleep(0)

    benchmark = perfcore.ParallelBenchmark(lambda _: act if asynchronous else int, seed=3)
    result = benchmark.benchmark_error_recovery(6, error_rate=0.3, steps=20, retries=1)
    metrics = result.parallel_metrics
    assert metrics["accounted"] is True
    assert metrics["failed"] == metrics["meant_to_fail"] > 0
    assert metrics["recovered"] > 0
    assert metrics["lost"] > 0
    assert result.steps_completed == 120 - metrics["lost"]
    again = perfcore.ParallelBenchmark(lambda _: act if asynchronous else int, seed=3)
    assert (
        again.benchmark_error_recovery(6, error_rate=0.3, steps=20, retries=1).parallel_metrics["failed"]
        == metrics["failed"]
    )


def test_an_agent_that_fails_by_itself_is_not_accounted_as_meant() -> None:
    def fails() -> None:
        raise ValueError("my own")

    benchmark = perfcore.ParallelBenchmark(lambda _: fails)
    assert benchmark.benchmark_error_recovery(2, error_rate=0, steps=2).parallel_metrics["accounted"] is False


@pytest.mark.parametrize("asynchronous", [False, True])
def test_why_steps_failed_is_told_and_nothing_done_is_no_speed_up(asynchronous: bool) -> None:
    def fails() -> None:
        raise ValueError("on\npurpose")

    async def fails_later() -> None:
        fails()

    benchmark = perfcore.PerformanceBenchmark(lambda _: fails_later if asynchronous else fails)
    for result in benchmark.benchmark_sequential_vs_parallel([2], steps=2):
        assert result.speedup is None
        assert result.parallel_metrics["first_error"] == "ValueError: on\npurpose"
    out = io.StringIO()
    benchmark.print_summary(out)
    assert out.getvalue().count("| failed 4 | lost 4 | first error ValueError: on purpose\n") == 2


def test_export_and_summary(tmp_path: Path) -> None:
    benchmark = perfcore.PerformanceBenchmark(Roster())
    benchmark.benchmark_sequential_vs_parallel([2], steps=2)
    benchmark.benchmark_memory_usage(2, steps=4, every=2)
    path = tmp_path / "results.json"
    benchmark.export_results(path)
    assert [BenchmarkResult(**one) for one in json.loads(path.read_text(encoding="utf-8"))] == benchmark.results
    out = io.StringIO()
    benchmark.print_summary(out)
    text = out.getvalue()
    assert text.index("=== sequential vs parallel ===") < text.index("speed-up") < text.index("=== memory usage ===")
    assert "agents bytes 2 values" in text
    with pytest.raises(perfcore.PerfcoreError, match="nowhere"):
        benchmark.export_results(tmp_path / "nowhere" / "results.json")
