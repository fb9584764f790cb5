# SPDX-License-Identifier: MIT
"""Concurrency: thread pools, asyncio patterns, contention for locks, queues under load, and open-loop load.

The open-loop benchmarks make calls at moments drawn in advance (seeded, Poisson), whether or not the ones before have
come back, and count a latency from the moment at which its call was due. The time of such a benchmark is that of its
schedule and says nothing: its figures are the latencies and, for the last one, the rate at which saturation begins.
Services are real: hashing, which releases the GIL, or requests over loopback sockets.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import queue
import random
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from typing import Any

import pytest

from perfcore.messaging import Ring
from perfcore.suite.load import (
    LoadResult,
    Shape,
    burst,
    constant,
    find_saturation,
    ramp,
    run_load,
    run_load_async,
)

State = Callable[[Iterable[int]], None]
Threads = Callable[[int], AbstractContextManager[ThreadPoolExecutor]]
Throughput = Callable[[int], None]
Run = Callable[[Coroutine[Any, Any, Any]], Any]

BLOCK = random.Random(1).randbytes(128 * 1024)
DIGEST = hashlib.sha256(BLOCK).digest()
SQUARES = sum(number * number for number in range(3000))
REQUEST = b"observation 17 of agent 4, please\n"


def interpret(_: int) -> bool:
    """Do work that holds the GIL; return whether it was right."""
    return sum(number * number for number in range(3000)) == SQUARES


def digest(_: int) -> bool:
    """Do work that releases the GIL; return whether it was right."""
    return hashlib.sha256(BLOCK).digest() == DIGEST


def serve(number: int) -> None:
    """Hash half a megabyte, which releases the GIL."""
    assert all(digest(number) for _ in range(4))


# --- thread pools ---


@pytest.mark.benchmark(group="load: 40 tasks by a pool of threads")
@pytest.mark.parametrize("workers", [1, 2, 4, 8], ids="workers-{}".format)
@pytest.mark.parametrize("task", [interpret, digest], ids=["python", "hashing"])
def test_thread_pool(benchmark: Any, throughput: Throughput, threads: Threads, task: Any, workers: int) -> None:
    """One call has 40 tasks done by a pool of threads: Python code, which the GIL takes in turns, or SHA-256."""
    with threads(workers) as executor:
        throughput(40)
        assert benchmark(lambda: list(executor.map(task, range(40)))) == [True] * 40


# --- asyncio ---


class Echo:
    """Connections over loopback to a server on the same event loop, which sends lines back."""

    def __init__(self) -> None:
        self.free: asyncio.LifoQueue[Any] = asyncio.LifoQueue()
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(line)
        finally:
            writer.close()

    async def open(self, count: int) -> None:
        """Start the server and open so many connections to it."""
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", 0, backlog=1024)
        port = self._server.sockets[0].getsockname()[1]
        for _ in range(count):
            self.free.put_nowait(await asyncio.open_connection("127.0.0.1", port))

    async def exchange(self, _: int) -> bool:
        """Send a request over a free connection and wait for the answer; return whether it was right."""
        connection = await self.free.get()
        reader, writer = connection
        writer.write(REQUEST)
        answer = await reader.readline()
        self.free.put_nowait(connection)
        return bool(answer == REQUEST)

    async def close(self) -> None:
        """Close everything."""
        while not self.free.empty():
            _, writer = self.free.get_nowait()
            writer.close()
            await writer.wait_closed()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()


@pytest.fixture
def echo(complete: Run) -> Iterator[Callable[[int], Echo]]:
    """Yield what opens connections to an echoing server."""
    opened: list[Echo] = []

    def open_echo(count: int) -> Echo:
        opened.append(Echo())
        complete(opened[-1].open(count))
        return opened[-1]

    yield open_echo
    for one in opened:
        complete(one.close())


async def by_gather(echo: Echo, count: int) -> int:
    """Make every request a coroutine of one gather; the free connections limit how many run at once."""
    return sum(await asyncio.gather(*map(echo.exchange, range(count))))


async def by_task_group(echo: Echo, count: int) -> int:
    """Make every request a task of one group."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(echo.exchange(number)) for number in range(count)]
    return sum(task.result() for task in tasks)


async def by_workers(echo: Echo, count: int) -> int:
    """Have ten tasks take the requests from a queue."""
    jobs: asyncio.Queue[int] = asyncio.Queue()
    for number in range(count):
        jobs.put_nowait(number)

    async def work() -> int:
        done = 0
        while not jobs.empty():
            done += await echo.exchange(jobs.get_nowait())
        return done

    return sum(await asyncio.gather(*(work() for _ in range(10))))


@pytest.mark.benchmark(group="load: 100 requests on one event loop")
@pytest.mark.parametrize(
    ("pattern", "connections"),
    [(by_gather, 1), (by_gather, 10), (by_gather, 50), (by_gather, 100), (by_task_group, 10), (by_workers, 10)],
    ids=lambda value: value.__name__ if callable(value) else f"at-once-{value}",
)
def test_asyncio(
    benchmark: Any, throughput: Throughput, complete: Run, echo: Callable[[int], Echo], pattern: Any, connections: int
) -> None:
    """One call makes 100 requests over 1 to 100 loopback connections, and waits for all the answers."""
    service = echo(connections)
    throughput(100)
    assert benchmark(lambda: complete(pattern(service, 100))) == 100


# --- contention ---


@pytest.mark.benchmark(group="load: 8000 additions under a lock")
@pytest.mark.parametrize(
    ("workers", "locks"),
    [(1, 1), (4, 1), (8, 1), (8, 8)],
    ids=["threads-1", "threads-4", "threads-8", "threads-8-own-locks"],
)
def test_contention(benchmark: Any, throughput: Throughput, threads: Threads, workers: int, locks: int) -> None:
    """One call adds 1 to a counter 8000 times from several threads under one lock, or under a lock for each thread."""
    counters = [[threading.Lock(), 0] for _ in range(locks)]
    calls = 0

    def add(worker: int) -> None:
        counter = counters[worker % locks]
        lock: Any = counter[0]
        for _ in range(8000 // workers):
            with lock:
                counter[1] += 1  # type: ignore[operator]

    def add_all() -> None:
        nonlocal calls
        calls += 1
        list(executor.map(add, range(workers)))

    throughput(8000)
    with threads(workers) as executor:
        benchmark(add_all)
    assert sum(counter[1] for counter in counters) == calls * 8000  # type: ignore[misc]


# --- queues under load ---


def one_by_one(channel: Any, items: range) -> None:
    """Put items one by one."""
    for item in items:
        channel.put(item)


def take_one_by_one(channel: Any, count: int) -> list[int]:
    """Get so many items one by one."""
    return [channel.get() for _ in range(count)]


def in_batches(channel: Any, items: range) -> None:
    """Put items by the hundred."""
    for first in range(0, len(items), 100):
        channel.put_many(items[first : first + 100])


def take_in_batches(channel: Any, count: int) -> list[int]:
    """Get so many items, as many at a time as there are."""
    taken: list[int] = []
    while len(taken) < count:
        taken += channel.get_many(count - len(taken))
    return taken


QUEUES: dict[str, tuple[Callable[[], Any], Any, Any]] = {
    "Queue": (lambda: queue.Queue(1000), one_by_one, take_one_by_one),
    "SimpleQueue": (queue.SimpleQueue, one_by_one, take_one_by_one),
    "Ring": (lambda: Ring(1000), one_by_one, take_one_by_one),
    "Ring-batched": (lambda: Ring(1000), in_batches, take_in_batches),
}


def release(channel: Any, futures: list[Future[Any]]) -> None:
    """Let threads come to their end that wait for the other side, after a Ctrl-C has kept that from being started."""
    while not all(future.done() for future in futures):
        with suppress(queue.Full, queue.Empty):
            if channel.empty():
                channel.put_nowait(0)
            else:
                channel.get_nowait()
        time.sleep(0)


@pytest.mark.benchmark(group="load: 4000 items through a queue")
@pytest.mark.parametrize("kind", QUEUES)
@pytest.mark.parametrize("side", [1, 4], ids=lambda side: f"{side}-to-{side}")
def test_queue_under_load(benchmark: Any, throughput: Throughput, threads: Threads, kind: str, side: int) -> None:
    """One call passes 4000 items from 1 or 4 threads to as many others, through 1000 places (SimpleQueue: any)."""
    make, put, take = QUEUES[kind]
    channel, share = make(), 4000 // side

    def pass_all() -> list[list[int]]:
        futures: list[Future[Any]] = []
        try:
            for part in range(side):
                futures.append(executor.submit(put, channel, range(part * share, (part + 1) * share)))
            for _ in range(side):
                futures.append(executor.submit(take, channel, share))
            return [future.result() for future in futures][side:]
        except BaseException:
            release(channel, futures)
            raise

    throughput(4000)
    with threads(2 * side) as executor:
        taken = benchmark(pass_all)
    assert sorted(itertools.chain.from_iterable(taken)) == list(range(4000))
    assert channel.empty()


# --- open-loop load ---

SHAPES: dict[str, Callable[[float], Shape]] = {
    "constant": lambda seconds: constant(300, seconds),
    "burst": lambda seconds: burst(150, 1500, seconds, bursts=2),
    "ramp": lambda seconds: ramp(50, 500, seconds),
}


@pytest.fixture
def seconds(request: pytest.FixtureRequest) -> float:
    """Return how long a load lasts: half as long again as a benchmark may take, but 0.75 s where that is 0.2 s."""
    allowed = float(request.config.getoption("benchmark_max_time"))
    return max(1.5 * allowed, min(3.75 * allowed, 0.75))


def checked(result: LoadResult, shape: Shape, benchmark: Any, latencies: State) -> None:
    """Note the figures of a load all of whose calls must have been served."""
    assert result.served == result.offered == len(shape.arrivals()), str(result)
    benchmark.extra_info["load"] = {"shape": str(shape), **result.summary()}
    latencies(result.latency)


@pytest.mark.benchmark(group="load: open loop")
@pytest.mark.parametrize("shape", SHAPES)
def test_load_on_threads(benchmark: Any, throughput: Throughput, latencies: State, seconds: float, shape: str) -> None:
    """One call hashes 128 KiB whenever a request is due, on 4 threads; the latencies are counted from that moment."""
    load = SHAPES[shape](seconds)
    throughput(len(load.arrivals()))
    result = benchmark.pedantic(lambda: run_load(digest, load, workers=4), rounds=1)
    checked(result, load, benchmark, latencies)


@pytest.mark.benchmark(group="load: open loop")
@pytest.mark.parametrize("shape", SHAPES)
def test_load_on_an_event_loop(
    benchmark: Any,
    throughput: Throughput,
    latencies: State,
    seconds: float,
    complete: Run,
    echo: Callable[[int], Echo],
    shape: str,
) -> None:
    """One call makes a request over one of 50 loopback connections whenever one is due; latencies from that moment."""
    load, service = SHAPES[shape](seconds), echo(50)
    throughput(len(load.arrivals()))
    result = benchmark.pedantic(lambda: complete(run_load_async(service.exchange, load)), rounds=1)
    checked(result, load, benchmark, latencies)


@pytest.mark.benchmark(group="load: saturation")
def test_saturation(benchmark: Any, seconds: float) -> None:
    """One call searches for the highest rate of hashings of 512 KiB that 4 threads sustain with a p99 under 50 ms."""

    def search() -> Any:
        return find_saturation(
            lambda shape: run_load(serve, shape, workers=4, drain_seconds=2.0),
            start=250, seconds=max(seconds / 4, 0.2), max_p99=0.05, max_rate=50_000,
        )  # fmt: skip

    found = benchmark.pedantic(search, rounds=1)
    for step in found.steps:
        assert step.result.served > 0, str(found)
        assert not step.result.failed, str(found)
    benchmark.extra_info["saturation"] = {
        "sustained_per_second": found.sustained,
        "steps": [[step.rate, step.result.latency.percentile(99), step.reason] for step in found.steps],
    }
    benchmark.extra_info["notes"] = str(found)


if __name__ == "__main__":
    from summary import main

    sys.exit(main(__file__))
