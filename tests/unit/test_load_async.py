# SPDX-License-Identifier: MIT
"""Load on an event loop: calls overlap as far as allowed, what is late and why, what is cancelled at the end."""

from __future__ import annotations

import asyncio
import time

import pytest

from perfcore.suite.arrivals import constant
from perfcore.suite.load import LoadResult, run_load_async


def test_async_every_call_is_made_once() -> None:
    seen: list[int] = []

    async def work(index: int) -> None:
        await asyncio.sleep(0)
        seen.append(index)

    done = asyncio.run(run_load_async(work, constant(2000, 0.1), seed=5))
    assert sorted(seen) == list(range(done.offered))
    assert done.served == done.offered == len(constant(2000, 0.1).arrivals(seed=5))
    assert (done.failed, done.unserved) == ({}, 0)


def test_async_calls_overlap_as_far_as_allowed() -> None:
    running = most = 0

    async def load(limit: int) -> LoadResult:
        gate = asyncio.Event()

        async def work(index: int) -> None:
            nonlocal running, most
            running += 1
            most = max(most, running)
            if running == limit or index == 19:
                gate.set()
            await gate.wait()
            await asyncio.sleep(0)
            running -= 1

        return await run_load_async(work, constant(2000, 0.01), max_in_flight=limit, poisson=False)

    for limit in (20, 3, 1):
        most = 0
        done = asyncio.run(load(limit))
        assert (done.served, most) == (20, limit)


def test_async_no_coordinated_omission() -> None:
    async def work(index: int) -> None:
        if index == 0:
            time.sleep(0.06)

    # As long as the first one keeps the loop, none begins: the generator is late, or with one place there is no other.
    for limit, backlogged in ((10, 0), (1, 9)):
        done = asyncio.run(run_load_async(work, constant(1000, 0.01), poisson=False, max_in_flight=limit))
        assert done.served == 10
        assert done.latency.min_ns >= 50_000_000
        assert (done.backlogged, len(done.lateness)) == (backlogged, 10 - backlogged)


def test_async_failures_and_what_is_cancelled() -> None:
    cancelled: list[int] = []

    async def work(index: int) -> None:
        if index % 5 == 0:
            raise ConnectionError("reset")
        if index % 5 == 1:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                cancelled.append(index)
                raise

    done = asyncio.run(run_load_async(work, constant(1000, 0.02), poisson=False, drain_seconds=0.5))
    assert done.failed == {"ConnectionError": 4}
    assert (done.served, done.unserved, sorted(cancelled)) == (12, 4, [1, 6, 11, 16])
    assert sum(latency >= 499_000_000 for latency in done.latency) >= 4


def test_async_what_a_call_cancels_or_exits_with_is_its_failure() -> None:
    """An inner task that somebody cancelled is no call that was not served in time."""

    async def work(index: int) -> None:
        if index % 2:
            inner = asyncio.get_running_loop().create_future()
            inner.cancel()
            await inner
        if index % 4 == 0:
            raise SystemExit(3)

    done = asyncio.run(run_load_async(work, constant(1000, 0.02), poisson=False))
    assert (done.served, done.unserved, done.failed) == (5, 0, {"CancelledError": 10, "SystemExit": 5})
    assert isinstance(done.first_error, SystemExit)


def test_async_what_is_no_exception_is_a_failure_too() -> None:
    async def work(index: int) -> None:
        if index % 2:
            pytest.fail("meant")

    done = asyncio.run(run_load_async(work, constant(1000, 0.02), poisson=False))
    assert (done.served, done.unserved, done.failed) == (10, 0, {"Failed": 10})


def test_async_an_interrupt_ends_the_load() -> None:
    async def work(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(run_load_async(work, constant(1000, 0.02), poisson=False))


def test_async_what_cannot_begin_is_not_waited_for() -> None:
    began: list[int] = []

    async def hangs(index: int) -> None:
        began.append(index)
        await asyncio.sleep(3600)

    async def blocks(index: int) -> None:
        began.append(index)
        time.sleep(0.4)

    for work, limit in ((hangs, 2), (blocks, 10)):
        began.clear()
        load = run_load_async(work, constant(1000, 0.01), poisson=False, drain_seconds=0.3, max_in_flight=limit)
        done = asyncio.run(asyncio.wait_for(load, 30))
        assert began in ([0], [0, 1])  # the second where its moment was waited for
        served = 0 if work is hangs else len(began)
        assert (done.served, done.unserved) == (served, 10 - served)
        assert done.latency.min_ns >= 290_000_000


def test_async_interrupted() -> None:
    """When the load is cancelled, so are its tasks."""
    ended: list[int] = []

    async def main() -> None:
        started = asyncio.Event()

        async def work(index: int) -> None:
            started.set()
            try:
                await asyncio.sleep(3600)
            finally:
                ended.append(index)

        load = asyncio.create_task(run_load_async(work, constant(10, 3600), poisson=False))
        await started.wait()
        load.cancel()
        with pytest.raises(asyncio.CancelledError):
            await load
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())
    assert ended[0] == 0


def test_async_arguments() -> None:
    async def work(_: int) -> None:
        raise AssertionError

    with pytest.raises(ValueError, match="0 calls in flight"):
        asyncio.run(run_load_async(work, constant(10, 1), max_in_flight=0))
