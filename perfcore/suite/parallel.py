# SPDX-License-Identifier: MIT
"""ParallelBenchmark: what threads do for agents, and what they do to them: time-outs, shared state, errors."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from typing import Any

from perfcore.errors import SuiteError
from perfcore.suite.agent import Agent, Factory, dismiss, is_async, spawn, wrap
from perfcore.suite.chat import ChatServer, chat_agents
from perfcore.suite.drive import auto_workers
from perfcore.suite.results import AgentBenchmark, BenchmarkResult

__all__ = ["ParallelBenchmark"]

FAST = 0.01  # seconds of a fast agent's answer


class ParallelBenchmark(AgentBenchmark):
    """How agents behave at the same time: pool sizes, time-outs, interactions, consolidation, recovery from errors.

        with perfcore.ParallelBenchmark(my_factory) as benchmark:     # or without a factory: agents that call a model
            benchmark.benchmark_thread_pool_sizes(agent_count=10, max_workers_options=[1, 2, 4, 8, None], steps=20)
            benchmark.print_summary()

    Each ``benchmark_`` method returns its results and adds them to ``results``. The arguments are those of
    `AgentBenchmark`; ``action_delay`` is the seconds that an answer of the loopback server takes (None: ``delay``'s),
    and means nothing to a user's agents.
    """

    def benchmark_thread_pool_sizes(
        self,
        agent_count: int = 10,
        max_workers_options: Sequence[int | None] = (1, 2, 4, 8, None),
        steps: int = 20,
        action_delay: float | None = FAST,
    ) -> list[BenchmarkResult]:
        """Run the same agents with each number of workers (None: one each, up to 32), against one worker.

        Efficiency is the speed-up over the number of workers: 100 % where each worker is as good as the only one.
        """
        name = "thread pool sizes"
        found: list[BenchmarkResult] = []
        alone: BenchmarkResult | None = None
        for workers in max_workers_options:
            result = self.run(name, agent_count, steps, delay=action_delay, workers=workers)
            result.parallel_metrics["asked_for"] = "auto" if workers is None else str(workers)
            if workers == 1:
                alone = result
            found.append(result)
        if alone is None:
            alone = self.run(f"{name}: one worker", agent_count, steps, delay=action_delay, workers=1)
        for result in found:
            result.compare_to(alone)
        return found

    def benchmark_timeout_behavior(
        self,
        timeouts: Sequence[float] = (1, 5, 10, 60),
        fast_agents: int = 4,
        steps: int = 1,
        straggler: float = 3.0,
        slow: Factory | None = None,
    ) -> list[BenchmarkResult]:
        """Run fast agents beside one that takes ``straggler`` seconds, under each time-out.

        A step that is too slow is cancelled: a coroutine by its event loop, a call of the model by its connection. It
        counts as ``timed_out`` when it ended, and as ``stuck`` when it went on (see `perfcore.suite.cancel`). For the
        loopback server, ``dropped_calls`` is how many calls it saw given up.

        Args:
            timeouts: in seconds.
            fast_agents: how many there are beside the slow one.
            steps: how often each acts.
            straggler: seconds of the slow agent's answers.
            slow: makes the slow agent where the others are the user's; the benchmark's own factory by default.

        """
        found = []
        for timeout in timeouts:
            agents = self.agents(fast_agents, FAST)
            agents += self.agents(1, straggler) if slow is None else spawn(slow, 1, first=fast_agents)
            before = self._dropped()
            try:
                result, _ = self.measure("time-outs", agents, steps, workers=len(agents), timeout=timeout)
            finally:
                dismiss(agents)
            result.parallel_metrics["timeout"] = float(timeout)
            if before is not None:
                result.parallel_metrics["dropped_calls"] = self._all_dropped(
                    before, result.parallel_metrics["timed_out"]
                )
            found.append(result)
        return found

    def _dropped(self) -> int | None:
        """Return how many calls the loopback server saw given up; None where it is not the endpoint."""
        return self.server.stats()["dropped"] if self.loopback else None

    def _all_dropped(self, before: int, expected: int) -> int:
        """Return how many calls the server saw given up; a closed connection may take it a moment to see."""
        end = perf_counter() + 1.0
        while (dropped := self.server.stats()["dropped"] - before) < expected and perf_counter() < end:
            pass
        return dropped

    def benchmark_concurrent_interactions(
        self, agent_count: int = 10, interactions: int = 1000, workers: int | None = None
    ) -> BenchmarkResult:
        """Let agents send each other messages from several threads, and check what arrived.

        Who sends to whom is drawn from the seed. ``consistent`` says whether every agent got exactly the messages for
        it, each once; it is None where agents keep no ``inbox``. An inbox may have dropped the oldest.

        Raises:
            SuiteError: there are fewer than 2 agents, or no interactions.

        """
        count = auto_workers(agent_count) if workers is None else workers
        draw = random.Random(self.seed)  # noqa: S311 - a schedule, no secret
        pairs = [draw.sample(range(agent_count), 2) for _ in range(interactions)] if agent_count > 1 else []
        if not pairs:
            raise SuiteError(f"{agent_count} agents, {interactions} interactions: at least 2 agents and 1 are needed")
        agents = self.agents(agent_count)
        errors: Counter[str] = Counter()

        def interact(number: int) -> None:
            sender, receiver = pairs[number]
            try:
                agents[receiver].receive({**agents[sender].send(), "interaction": number})
            except Exception as error:  # noqa: BLE001 - an agent may raise anything; it is accounted for
                errors[f"{type(error).__name__}: {error}"] += 1

        with ThreadPoolExecutor(count) as pool:
            there = threading.Barrier(count)  # so that starting threads is no part of it
            list(pool.map(lambda _: there.wait(), range(count)))
            began = perf_counter()
            list(pool.map(interact, range(interactions), chunksize=1))
            seconds = perf_counter() - began
        result = BenchmarkResult(
            "concurrent interactions", agent_count, "threads", seconds, seconds / interactions, interactions, None, None
        )
        failed = errors.total()
        result.parallel_metrics = {
            "workers": count,
            "failed": failed,
            "messages_per_second": (interactions - failed) / seconds,
            "consistent": _consistent(agents, [receiver for _, receiver in pairs]) if not failed else False,
        }
        self.results.append(result)
        dismiss(agents)
        return result

    def benchmark_memory_consolidation_parallel(
        self, agent_count: int = 10, steps: int = 100, keep: int = 10, action_delay: float | None = 0.0
    ) -> BenchmarkResult:
        """Run agents while another thread keeps folding their memories together (``agent.consolidate(keep)``).

        Noted are the passes, their mean time, the memories folded, and ``consistent``: whether what was folded and what
        is left are as many as the steps that were done (None where agents have no ``memories``).

        Raises:
            SuiteError: the agents have no method ``consolidate``.

        """
        agents = self.agents(agent_count, action_delay)
        inner: list[Any] = [
            getattr(agent, "inner", agent) if not hasattr(agent, "consolidate") else agent for agent in agents
        ]
        if not all(callable(getattr(agent, "consolidate", None)) for agent in inner):
            dismiss(agents)
            raise SuiteError(
                "these agents have no method consolidate(keep), which this benchmark calls beside their steps"
            )
        over = threading.Event()
        times: list[float] = []
        folded = [0] * agent_count
        failures: list[BaseException] = []

        def consolidate_all() -> None:
            try:
                while not over.wait(0.001):
                    began = perf_counter()
                    for number, agent in enumerate(inner):
                        folded[number] += agent.consolidate(keep)
                    times.append(perf_counter() - began)
            except Exception as error:  # noqa: BLE001 - it is raised below
                failures.append(error)

        before = sum(agent.memory() or 0 for agent in agents)
        thread = threading.Thread(target=consolidate_all, name="perfcore consolidation")
        thread.start()
        try:
            result, run = self.measure("memory consolidation", agents, steps, workers=None)
        finally:
            over.set()
            thread.join()
            dismiss(agents)
        if failures:
            raise SuiteError(f"consolidate() failed beside running steps: {failures[0]!r}") from failures[0]
        left = [len(agent.memories) for agent in inner if hasattr(agent, "memories")]
        result.parallel_metrics |= {
            "passes": len(times),
            "pass_seconds": sum(times) / len(times) if times else 0.0,
            "folded": sum(folded),
            "agents_bytes": sum(agent.memory() or 0 for agent in agents) - before,
            "consistent": sum(folded) + sum(left) == run.completed if len(left) == agent_count else None,
        }
        return result

    def benchmark_error_recovery(
        self, agent_count: int = 10, error_rate: float = 0.1, steps: int = 100, retries: int = 2
    ) -> BenchmarkResult:
        """Run agents of whose steps a share fails, each attempted again up to ``retries`` times.

        The model's answers are errors 503; the user's agents are made to raise before they act. Which fail is drawn
        from the seed. ``accounted`` says whether every attempt has its outcome, and every failure was meant: as many as
        the server, or the seed, made fail. ``error_rate`` is the share of steps that fail, from 0 to 1.
        """
        if self.loopback:
            with ChatServer((0.0, 0.002), error_rate, self.seed) as server:
                agents = spawn(chat_agents(server.url), agent_count)
                try:
                    result, run = self.measure("error recovery", agents, steps, workers=None, retries=retries)
                finally:
                    dismiss(agents)
                meant = server.stats()["errors"]
        else:
            flaky = [
                _Flaky(agent, error_rate, self.seed * 1000 + n) for n, agent in enumerate(self.agents(agent_count))
            ]
            agents = [wrap(_AsyncFlaky(one) if is_async(one.agent) else one, n) for n, one in enumerate(flaky)]
            try:
                result, run = self.measure("error recovery", agents, steps, workers=None, retries=retries)
            finally:
                dismiss([one.agent for one in flaky])
            meant = sum(one.failures for one in flaky)
        counts = run.counts
        result.parallel_metrics |= {
            "error_rate": error_rate,
            "meant_to_fail": meant,
            "accounted": sum(counts.values()) == len(run.attempts)
            and counts["failed"] == meant
            and run.completed + run.lost == agent_count * steps,
        }
        return result


class _Flaky:
    """An agent whose step sometimes raises instead."""

    def __init__(self, agent: Agent, rate: float, seed: int) -> None:
        self.agent, self.name, self.failures = agent, agent.name, 0
        self._draw, self._rate = random.Random(seed), rate  # noqa: S311 - failures, no secret

    def fail(self) -> None:
        if self._draw.random() < self._rate:
            self.failures += 1
            raise SuiteError("this step was drawn to fail")

    def step(self) -> Any:
        self.fail()
        return self.agent.step()


class _AsyncFlaky:
    def __init__(self, flaky: _Flaky) -> None:
        self.name, self._flaky = flaky.name, flaky

    async def step(self) -> Any:
        self._flaky.fail()
        return await self._flaky.agent.step()


def _consistent(agents: Sequence[Agent], receivers: Sequence[int]) -> bool | None:
    """Whether every agent's inbox holds the interactions meant for it, each once; the oldest may have fallen out."""
    for number, agent in enumerate(agents):
        inbox = getattr(agent, "inbox", None)
        if inbox is None:
            return None
        got = Counter(message.get("interaction") for message in inbox)
        meant = {interaction for interaction, receiver in enumerate(receivers) if receiver == number}
        kept = min(len(meant), inbox.maxlen or len(meant)) if hasattr(inbox, "maxlen") else len(meant)
        if len(inbox) != kept or got.keys() - meant or any(count != 1 for count in got.values()):
            return False
    return True
