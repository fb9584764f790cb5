# SPDX-License-Identifier: MIT
"""Ctrl-C while coroutines are measured, loaded and driven: it ends them at once, and nothing of them goes on."""

from __future__ import annotations

import asyncio
import random
import signal
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from perfcore import Samples
from perfcore.measure.coroutine import CoroutineRunner
from perfcore.suite.agent import wrap
from perfcore.suite.drive import drive
from perfcore.suite.load import constant, run_load_async

ENDLESS = 10**6  # some seconds of calls that return at once
TIMES = 4


class Calls:
    """Counts the calls of a coroutine function that began and that ended, whichever way."""

    def __init__(self) -> None:
        self.begun = self.ended = 0
        self.first = threading.Event()

    def counting(self, work: Callable[[], Coroutine[Any, Any, None]]) -> Callable[..., Coroutine[Any, Any, None]]:
        async def call(*_: object) -> None:
            self.begun += 1
            self.first.set()
            try:
                await work()
            finally:
                self.ended += 1

        return call


async def ready() -> None:
    """Return at once: a task that only awaits such never comes back to its loop."""


async def waits() -> None:
    await asyncio.sleep(0.001)


async def sleeps() -> None:
    await asyncio.sleep(3600)


@pytest.fixture
def interrupted() -> Iterator[Callable[[Calls, Callable[[], object]], None]]:
    """Run work that must end by KeyboardInterrupt, with one Ctrl-C at a random moment after its first call."""
    before = signal.getsignal(signal.SIGINT)
    source = random.Random(5)
    main = threading.main_thread().ident or 0

    def check(calls: Calls, work: Callable[[], object]) -> None:
        # A shell's jobs in the background ignore it; and asyncio's stays where the interrupt comes as a task ends.
        signal.signal(signal.SIGINT, signal.default_int_handler)

        def interrupt(after: float) -> None:
            calls.first.wait()
            time.sleep(after)
            signal.pthread_kill(main, signal.SIGINT)

        thread = threading.Thread(target=interrupt, args=(source.uniform(0, 0.005),), daemon=True)
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            work()
        thread.join()
        assert ENDLESS > calls.begun == calls.ended > 0

    yield check
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("work", [ready, waits, sleeps])
@pytest.mark.parametrize("way", ["rounds", "iterations", "setup"])
def test_measured(interrupted: Callable[..., None], work: Any, way: str) -> None:
    for _ in range(TIMES):
        calls, samples = Calls(), Samples()
        runner = CoroutineRunner(calls.counting(work), (), {}, timer=time.perf_counter, disable_gc=True)
        if way == "setup":
            interrupted(calls, lambda: runner.run_with_setup(samples, ENDLESS, waits if work is waits else None, None))  # noqa: B023
        else:
            interrupted(calls, lambda: runner.run(samples, ENDLESS, 1 if way == "rounds" else 7))  # noqa: B023
        assert len(samples) <= calls.ended
        # It can be used again.
        if work is not sleeps:
            assert runner.time(3) > 0
        runner.close()


@pytest.mark.parametrize("work", [ready, waits, sleeps])
def test_loaded(interrupted: Callable[..., None], work: Any) -> None:
    for _ in range(TIMES):
        calls = Calls()
        call = calls.counting(work)
        interrupted(calls, lambda: asyncio.run(run_load_async(call, constant(1000, 10), poisson=False)))  # noqa: B023


@pytest.mark.parametrize("work", [ready, waits, sleeps])
@pytest.mark.parametrize("timeout", [None, 60.0])
def test_driven(interrupted: Callable[..., None], work: Any, timeout: float | None) -> None:
    for _ in range(TIMES):
        calls = Calls()
        agents = [wrap(calls.counting(work), number) for number in range(4)]
        interrupted(calls, lambda: drive(agents, 10**6, workers=2, timeout=timeout))  # noqa: B023
