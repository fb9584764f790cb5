# SPDX-License-Identifier: MIT
"""What S9's and S10's benchmarks have in common: their results, where the agents come from, export and summary."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from types import TracebackType
from typing import Any, Self, TextIO

from perfcore.measure.memory import MemoryTracker
from perfcore.record.atomic import write_atomic
from perfcore.suite.agent import Agent, Factory, dismiss, spawn
from perfcore.suite.chat import ChatServer, chat_agents
from perfcore.suite.drive import Drive, drive

__all__ = ["AgentBenchmark", "BenchmarkResult"]

MEGABYTE = 1_000_000


@dataclass(slots=True)
class BenchmarkResult:
    """One measured run of agents.

    Attributes:
        benchmark_name: what was measured.
        agent_count: how many agents.
        execution_mode: ``sequential``, ``threads`` or ``async``.
        total_time: seconds of all steps, without spawning the agents.
        avg_time_per_step: seconds of one step of all agents.
        steps_completed: steps of single agents that were done.
        memory_usage_mb: resident memory of the process at the end, in MB (10**6 bytes); None if the kernel hides it.
        peak_memory_mb: its exact peak while it ran.
        speedup: the sequential time over this one; None where nothing was run sequentially beside it, or did nothing.
        parallel_metrics: ``workers``, ``efficiency`` (speed-up over workers), latency percentiles in seconds
            (``p50``, ``p95``, ``p99``), attempts by outcome (``done``, ``failed``, ``timed_out``, ``stuck``), steps
            ``recovered`` by a later attempt and ``lost``; ``first_error``, its type and text, where an attempt failed;
            and what the benchmark adds.

    """

    benchmark_name: str
    agent_count: int
    execution_mode: str
    total_time: float
    avg_time_per_step: float
    steps_completed: int
    memory_usage_mb: float | None
    peak_memory_mb: float | None
    speedup: float | None = None
    parallel_metrics: dict[str, Any] = field(default_factory=dict)

    def compare_to(self, sequential: BenchmarkResult) -> None:
        """Work out speed-up and efficiency against a sequential run of the same steps, where both did some."""
        if self.total_time > 0 and self.steps_completed and sequential.steps_completed:
            self.speedup = sequential.total_time / self.total_time
            self.parallel_metrics["efficiency"] = self.speedup / int(self.parallel_metrics["workers"])


def _megabytes(count: int | None) -> float | None:
    return None if count is None else count / MEGABYTE


class AgentBenchmark:
    """Base of the agents' benchmarks: a context manager that keeps a chat server for agents of its own.

    Args:
        factory: makes the agents (``factory(number)``; see `perfcore.suite.agent`). None: agents that call a language
            model over HTTP: that of ``PERFCORE_LLM_URL`` where it is set, else one on this machine that only takes
            its time.
        delay: seconds that an answer of the loopback server takes, uniform between the two.
        seed: of the delays.

    """

    def __init__(
        self, factory: Factory | None = None, *, delay: tuple[float, float] = (0.05, 0.2), seed: int = 0
    ) -> None:
        self.results: list[BenchmarkResult] = []
        self.factory, self.delay, self.seed = factory, delay, seed
        self._server: ChatServer | None = None

    @property
    def loopback(self) -> bool:
        """Whether the agents call the loopback server."""
        return self.factory is None and not os.environ.get("PERFCORE_LLM_URL")

    @property
    def server(self) -> ChatServer:
        """The loopback server, started when it is first asked for."""
        if self._server is None:
            self._server = ChatServer(self.delay, seed=self.seed).start()
        return self._server

    def agents(self, count: int, delay: float | None = None) -> list[Agent]:
        """Spawn agents; ``delay`` is the seconds that each answer of the loopback server is to take."""
        if self.factory is not None:
            return spawn(self.factory, count)
        return spawn(chat_agents(self.server.url if self.loopback else None, delay=delay), count)

    def measure(self, name: str, agents: Sequence[Agent], steps: int, **options: Any) -> tuple[BenchmarkResult, Drive]:
        """Drive agents (see `perfcore.suite.drive.drive` for the options) and keep the result."""
        with MemoryTracker(name) as tracker:
            run = drive(agents, steps, **options)
        usage, latency = tracker.usage, run.latency
        metrics: dict[str, Any] = {"workers": run.workers, **run.counts, "recovered": run.recovered, "lost": run.lost}
        if (error := next((one.error for one in run.attempts if one.error), None)) is not None:
            metrics["first_error"] = error
        if latency is not None:
            metrics |= {"p50": latency.p50, "p95": latency.p95, "p99": latency.p99}
        result = BenchmarkResult(
            name,
            len(agents),
            run.mode,
            run.seconds,
            run.seconds / steps,
            run.completed,
            _megabytes(usage.current_bytes),
            _megabytes(usage.peak_bytes),
            None,
            metrics,
        )
        self.results.append(result)
        return result, run

    def run(self, name: str, count: int, steps: int, *, delay: float | None = None, **options: Any) -> BenchmarkResult:
        """Spawn agents, measure them, and dismiss them; ``delay`` as of `agents`, ``options`` as of `measure`."""
        agents = self.agents(count, delay)
        try:
            return self.measure(name, agents, steps, **options)[0]
        finally:
            dismiss(agents)

    def export_results(self, path: str | os.PathLike[str]) -> None:
        """Write all results as JSON: a list of objects with the fields of `BenchmarkResult`."""
        write_atomic(path, (json.dumps([asdict(result) for result in self.results], indent=2) + "\n").encode())

    def print_summary(self, file: TextIO | None = None) -> None:
        """Print the results, one benchmark after another."""
        out = sys.stdout if file is None else file
        name = None
        for result in self.results:
            if result.benchmark_name != name:
                name = result.benchmark_name
                print(f"\n=== {name} ===\n", file=out)
            print("  " + line(result), file=out)

    def close(self) -> None:
        """End the loopback server."""
        server, self._server = self._server, None
        if server is not None:
            server.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def line(result: BenchmarkResult) -> str:
    """Return one result as a line of a summary."""
    metrics = result.parallel_metrics
    parts = [
        f"{result.agent_count:>3} agents",
        f"{result.execution_mode:<10} {metrics.get('workers', 1):>2} workers",
        f"{result.total_time:8.3f} s ({result.avg_time_per_step:.4f} s/step)",
    ]
    if result.speedup is not None:
        parts.append(f"speed-up {result.speedup:5.2f}x, efficiency {metrics['efficiency']:4.0%}")
    if "p95" in metrics:
        parts.append(f"p50 {metrics['p50'] * 1e3:.1f} ms, p95 {metrics['p95'] * 1e3:.1f} ms")
    if result.memory_usage_mb is not None and result.peak_memory_mb is not None:
        parts.append(f"memory {result.memory_usage_mb:.1f} MB (peak {result.peak_memory_mb:.1f} MB)")
    for key in ("failed", "timed_out", "stuck", "recovered", "lost"):
        if metrics.get(key):
            parts.append(f"{key.replace('_', ' ')} {metrics[key]}")
    parts += [f"{key.replace('_', ' ')} {_shown(value)}" for key, value in metrics.items() if key not in _OWN]
    return " | ".join(parts)


_OWN = {"workers", "efficiency", "p50", "p95", "p99", "done", "failed", "timed_out", "stuck", "recovered", "lost"}


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{len(value)} values" if isinstance(value, list) else " ".join(str(value).split())
