# SPDX-License-Identifier: MIT
"""What the suites of this folder share: the messages they pass, and how a benchmark states its throughput."""

from __future__ import annotations

import asyncio
import itertools
import queue
import random
import signal
import threading
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from types import FrameType
from typing import Any

import pytest

from perfcore.suite.latencies import Latencies
from perfcore.units import format_seconds

Message = dict[str, Any]

CALL_SECONDS = 60.0
AGENTS = [f"agent-{number:02d}" for number in range(10)]
PERCENTILES = ("p50", "p95", "p99", "max")
TOPICS = ["world.sensor.visual", "world.sensor.touch", "world.time", "team.plan", "team.status", "log"]


def make_messages(count: int) -> list[Message]:
    """Return messages as active-inference agents send them: routing fields, an observation, beliefs, an action.

    About 600 bytes each as JSON; the same ones in every run.
    """
    draw = random.Random(20240229)
    return [
        {
            "id": number,
            "sender": draw.choice(AGENTS),
            "receiver": draw.choice(AGENTS),
            "topic": draw.choice(TOPICS),
            "timestamp": 1_700_000_000.0 + number * 0.05,
            "priority": draw.randrange(5),
            "payload": {
                "observation": [draw.randrange(25), draw.randrange(4)],
                "beliefs": [round(draw.random(), 12) for _ in range(16)],
                "action": draw.choice(["up", "down", "left", "right", "stay"]),
                "free_energy": draw.gauss(4.0, 1.5),
                "note": "goal reached – naïve policy kept" if number % 10 == 0 else None,
                "done": number % 10 == 0,
            },
        }
        for number in range(count)
    ]


@pytest.fixture(scope="session")
def messages() -> list[Message]:
    """Return a thousand agent messages."""
    return make_messages(1000)


@pytest.fixture
def throughput(benchmark: Any) -> Callable[[int], None]:
    """State how many items one call of the benchmarked function handles; results then give items per second."""

    def state(items_per_call: int) -> None:
        benchmark.extra_info["perfcore"] = {"items_per_call": items_per_call}

    return state


def finished(result: Any) -> Any:
    """Return what a coroutine function gave: under `--perfcore=off` it was called, and not yet awaited."""
    return asyncio.run(result) if asyncio.iscoroutine(result) else result


class ThreadTeam:
    """Threads that wait for work, so that starting them is no part of what is measured."""

    def __init__(self, count: int) -> None:
        self._work: list[queue.SimpleQueue[Callable[[], int] | None]] = [queue.SimpleQueue() for _ in range(count)]
        self._done: queue.SimpleQueue[int | BaseException] = queue.SimpleQueue()
        self._threads = [threading.Thread(target=self._serve, args=(work,), daemon=True) for work in self._work]
        for thread in self._threads:
            thread.start()

    def _serve(self, work: queue.SimpleQueue[Callable[[], int] | None]) -> None:
        while (job := work.get()) is not None:
            try:
                self._done.put(job())
            except BaseException as error:  # noqa: BLE001 - it is raised where the result is waited for
                self._done.put(error)

    def _result(self) -> int:
        if isinstance(result := self._done.get(timeout=60), BaseException):
            raise result
        return result

    def run(self, jobs: Sequence[Callable[[], int]]) -> list[int]:
        """Run each job in a thread of its own; return what they returned, in the order they ended."""
        for work, job in zip(self._work, jobs, strict=False):
            work.put(job)
        return [self._result() for _ in jobs]

    @contextmanager
    def background(self, job: Callable[[], int], end: Callable[[], object]) -> Iterator[None]:
        """Run a job beside the body, after which it is told to end, whatever became of the body."""
        self._work[0].put(job)
        try:
            yield
        finally:
            end()
            self._result()

    def close(self) -> None:
        """End the threads."""
        for work in self._work:
            work.put(None)
        for thread in self._threads:
            thread.join(60)


@pytest.fixture(scope="module")
def team() -> Iterator[ThreadTeam]:
    """Eight threads that wait for work."""
    threads = ThreadTeam(8)
    yield threads
    threads.close()


@pytest.fixture
def latencies(benchmark: Any) -> Callable[[Iterable[int]], None]:
    """State the latencies of single calls in nanoseconds; their percentiles go into the results and the summary."""

    def state(values_ns: Iterable[int]) -> None:
        benchmark.extra_info["latency_ns"] = Latencies(values_ns).summary()

    return state


@pytest.fixture
def single_calls(latencies: Callable[[Iterable[int]], None]) -> Callable[[Callable[[], Any], int], None]:
    """Make calls that are timed one by one: a round of many calls averages the slow ones away."""

    def measure(function: Callable[[], Any], count: int) -> None:
        moments = [time.perf_counter_ns()]
        for _ in range(count):
            function()
            moments.append(time.perf_counter_ns())
        latencies(after - before for before, after in itertools.pairwise(moments))

    return measure


@pytest.fixture
def threads() -> Callable[[int], AbstractContextManager[ThreadPoolExecutor]]:
    """Return what opens a pool whose threads have all been started; after a Ctrl-C nothing that waits is begun."""

    @contextmanager
    def start(count: int) -> Iterator[ThreadPoolExecutor]:
        executor, barrier = ThreadPoolExecutor(count), threading.Barrier(count)
        try:
            list(executor.map(lambda _: barrier.wait(), range(count)))
            yield executor
        finally:
            barrier.abort()
            executor.shutdown(cancel_futures=True)

    return start


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add how long a call may wait for a server that does not answer."""
    parser.getgroup("benchmark suites").addoption(
        "--call-timeout",
        metavar="SECONDS",
        type=float,
        default=CALL_SECONDS,
        help="fail a benchmark of an event loop of which one call takes longer than this (default: %(default)s)",
    )


@pytest.fixture
def complete(request: pytest.FixtureRequest) -> Iterator[Callable[[Coroutine[Any, Any, Any]], Any]]:
    """Yield what runs a coroutine on one event loop, at a third of the cost of asyncio.Runner.run().

    As there, a Ctrl-C cancels the coroutine: KeyboardInterrupt may else be raised in anything that the loop runs, such
    as a __del__, where it is lost, and again in each task that waits for the one in which it was. A call that outlasts
    ``--call-timeout`` (up to twice as long: the watch has one timer for all calls, as one for each would be in every
    figure) is cancelled and raises TimeoutError.
    """
    running: asyncio.Task[Any] | None = None
    interrupted = late = False
    calls = 0
    seconds: float = request.config.getoption("--call-timeout", CALL_SECONDS)

    with asyncio.Runner() as runner:
        loop = runner.get_loop()

        def interrupt(number: int, frame: FrameType | None) -> None:
            nonlocal interrupted
            if running is None or interrupted:
                raise KeyboardInterrupt
            interrupted = True
            running.cancel()
            loop.call_soon_threadsafe(lambda: None)  # wakes a loop that waits for events

        def watch(seen: int) -> None:
            nonlocal late
            if seen == calls and running is not None:
                late = True
                running.cancel()
            loop.call_later(seconds, watch, calls)

        def run(work: Coroutine[Any, Any, Any]) -> Any:
            nonlocal calls, interrupted, late, running
            calls += 1
            running, result = loop.create_task(work), None
            try:
                result = loop.run_until_complete(running)
            except BaseException:
                if not interrupted and not late:
                    raise
            finally:
                running = None
            if interrupted:
                interrupted = False
                raise KeyboardInterrupt
            if late:
                late = False
                raise TimeoutError(f"a call has not come back in {seconds:g} s")
            return result

        loop.call_later(seconds, watch, calls)

        before = signal.signal(signal.SIGINT, interrupt)
        try:
            yield run
        finally:
            signal.signal(signal.SIGINT, before)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what benchmarks have stated beside their times: percentiles of single calls, and notes."""
    session = getattr(terminalreporter.config, "_benchmarksession", None)
    benchmarks = getattr(session, "benchmarks", [])
    rows = [
        [one.name, str(found["count"]), *(format_seconds(found[key] * 1e-9) for key in PERCENTILES)]
        for one in benchmarks
        if (found := one.extra_info.get("latency_ns", {})).get("count")
    ]
    if rows:
        table = [["latency of single calls", "calls", *PERCENTILES], *rows]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        terminalreporter.write_line("")
        for name, *cells in table:
            shown = (cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True))
            terminalreporter.write_line("  ".join([name.ljust(widths[0]), *shown]))
    for one in benchmarks:
        if notes := one.extra_info.get("notes"):
            terminalreporter.write_line(f"\n{one.name}\n{notes}")
