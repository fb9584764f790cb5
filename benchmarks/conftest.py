# SPDX-License-Identifier: MIT
"""What the suites of this folder share: the messages they pass, and how a benchmark states its throughput."""

from __future__ import annotations

import asyncio
import queue
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

Message = dict[str, Any]

AGENTS = [f"agent-{number:02d}" for number in range(10)]
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
    """Return what a coroutine function gave: where benchmarks are disabled, it was called, and not yet awaited."""
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
    def background(self, job: Callable[[], int]) -> Iterator[None]:
        """Run a job beside the body, which ends it."""
        self._work[0].put(job)
        yield
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
