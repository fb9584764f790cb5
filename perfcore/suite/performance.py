# SPDX-License-Identifier: MIT
"""PerformanceBenchmark: agents one after another against agents at the same time, their memory, calls and scaling."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from perfcore.measure.process import own_process
from perfcore.suite.agent import dismiss
from perfcore.suite.results import MEGABYTE, AgentBenchmark, BenchmarkResult

__all__ = ["PerformanceBenchmark"]

LEAST_READINGS = 4


class PerformanceBenchmark(AgentBenchmark):
    """How agents perform: sequential against parallel, memory over many steps, calls of a model, scaling.

        with perfcore.PerformanceBenchmark() as benchmark:            # or PerformanceBenchmark(my_factory)
            benchmark.benchmark_sequential_vs_parallel(agent_counts=[5, 10, 20], steps=10)
            benchmark.print_summary()
            benchmark.export_results("results.json")

    Each ``benchmark_`` method returns its results and adds them to ``results``. The arguments are those of
    `AgentBenchmark`; ``action_delay`` is the seconds that an answer of the loopback server takes (None: ``delay``'s),
    and means nothing to a user's agents.
    """

    def run_benchmark(
        self,
        benchmark_name: str,
        agent_count: int,
        steps: int,
        parallelize: bool = False,
        action_delay: float | None = None,
        *,
        workers: int | None = None,
        timeout: float | None = None,
    ) -> BenchmarkResult:
        """Measure a scenario of one's own.

        Args:
            benchmark_name: the result's name.
            agent_count: how many agents.
            steps: how often each acts.
            parallelize: all at the same time, in as many threads as ``workers`` says (None: one each, up to 32).
            action_delay: seconds that each answer of the loopback server takes.
            workers: threads, or tasks of asynchronous agents.
            timeout: seconds for one agent's step.

        """
        places = workers if parallelize else 1
        return self.run(benchmark_name, agent_count, steps, delay=action_delay, workers=places, timeout=timeout)

    def benchmark_sequential_vs_parallel(
        self, agent_counts: Sequence[int] = (1, 5, 10, 20), steps: int = 10, action_delay: float | None = 0.01
    ) -> list[BenchmarkResult]:
        """Run each number of agents one after another, then at the same time; the second has a speed-up."""
        name = "sequential vs parallel"
        found = []
        for count in agent_counts:
            sequential = self.run_benchmark(name, count, steps, False, action_delay)
            parallel = self.run_benchmark(name, count, steps, True, action_delay)
            parallel.compare_to(sequential)
            found += [sequential, parallel]
        return found

    def benchmark_memory_usage(
        self, agent_count: int = 10, steps: int = 1000, every: int = 10, action_delay: float | None = 0.0
    ) -> BenchmarkResult:
        """Run agents for long, and read memory after every so many steps.

        The result's ``parallel_metrics`` have ``rss_mb`` and ``agents_bytes`` (what the agents themselves hold; None
        where they do not say) at each reading, and ``growth_bytes_per_step``: how resident memory grew over the second
        half of the readings, when what fills up has been filled, from the median of that half's first third to that of
        its last. It is None where there are fewer than 4 readings.
        """
        moments: list[int] = []
        rss: list[float] = []
        held: list[int | None] = []
        agents = self.agents(agent_count, action_delay)

        def read(step: int) -> None:
            if step % every == every - 1 or step == steps - 1:
                sizes = [size for agent in agents if (size := agent.memory()) is not None]
                moments.append(step)
                rss.append((own_process().rss() or 0) / MEGABYTE)
                held.append(sum(sizes) if sizes else None)

        try:
            result, _ = self.measure("memory usage", agents, steps, workers=None, on_step=read)
        finally:
            dismiss(agents)
        result.parallel_metrics |= {
            "rss_mb": rss,
            "agents_bytes": held,
            "sampled_every": every,
            "growth_bytes_per_step": _growth(moments, rss),
        }
        return result

    def benchmark_llm_call_patterns(self, agent_count: int = 10, steps: int = 5) -> list[BenchmarkResult]:
        """Run agents whose calls take 50 to 200 ms (or what the endpoint takes): one by one, in 4 threads, all at once.

        Noted are the calls per second, and which share of the workers' time went into calls.
        """
        found: list[BenchmarkResult] = []
        for workers in (1, 4, None):
            agents = self.agents(agent_count)
            try:
                result, run = self.measure("LLM call patterns", agents, steps, workers=workers)
            finally:
                dismiss(agents)
            calling = sum(attempt.seconds for attempt in run.attempts)
            result.parallel_metrics |= {
                "calls_per_second": len(run.attempts) / run.seconds,
                "in_calls": calling / run.seconds / run.workers,
            }
            found.append(result)
            if workers != 1:
                result.compare_to(found[0])
        return found

    def benchmark_scalability(
        self,
        agent_counts: Sequence[int] = (1, 2, 5, 10, 20, 50),
        steps: int = 5,
        action_delay: float | None = 0.05,
        workers: int | None = None,
    ) -> list[BenchmarkResult]:
        """Run more and more agents at the same time.

        ``scaling`` is the steps per second of all agents over those of the smallest number, per agent: 1 is perfect.
        """
        found: list[BenchmarkResult] = []
        for count in agent_counts:
            result = self.run("scalability", count, steps, delay=action_delay, workers=workers)
            rate = result.steps_completed / result.total_time
            result.parallel_metrics["steps_per_second"] = rate
            found.append(result)
            first = found[0]
            base = float(first.parallel_metrics["steps_per_second"]) / first.agent_count
            result.parallel_metrics["scaling"] = rate / count / base if base else 0.0
        return found


def _growth(steps: Sequence[int], megabytes: Sequence[float]) -> float | None:
    """Return the bytes per step by which the second half of some readings grew; None where they are too few.

    Tukey's resistant line: single readings that stand out do not move it, and memory that grows by a page, or by a
    block of the allocator, now and then has the slope of the stairs, not of their treads.
    """
    if len(steps) < LEAST_READINGS:
        return None
    half = len(steps) // 2
    third = max(1, (len(steps) - half) // 3)
    run = median(steps[-third:]) - median(steps[half : half + third])
    return (median(megabytes[-third:]) - median(megabytes[half : half + third])) * MEGABYTE / run
