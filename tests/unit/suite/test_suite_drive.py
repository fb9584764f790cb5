# SPDX-License-Identifier: MIT
"""Driving agents: everything that was asked for is accounted for, whatever the agents do."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from perfcore.errors import SuiteError
from perfcore.suite.agent import Agent, wrap
from perfcore.suite.attempts import Attempt, Attempts
from perfcore.suite.cancel import Cancellation, StepTimeoutError, current
from perfcore.suite.drive import drive

LONG = 60.0  # seconds that no test waits
SHORT = 0.3  # seconds that a step of a test which is not slow ends in


def agents_of(*steps: Callable[[], Any]) -> list[Agent]:
    return [wrap(step, number) for number, step in enumerate(steps)]


class Counter:
    def __init__(self, fail_on: tuple[int, ...] = ()) -> None:
        self.calls, self.fail_on = 0, fail_on

    def __call__(self) -> int:
        self.calls += 1
        if self.calls in self.fail_on:
            raise ValueError(f"call {self.calls}")
        return self.calls


class AsyncCounter(Counter):
    async def __call__(self) -> int:  # type: ignore[override]
        await asyncio.sleep(0)
        return super().__call__()


@pytest.mark.parametrize("kind", [Counter, AsyncCounter])
@pytest.mark.parametrize("workers", [1, 2, None])
def test_every_agent_makes_every_step(kind: type[Counter], workers: int | None) -> None:
    counters = [kind() for _ in range(5)]
    steps: list[int] = []
    run = drive(agents_of(*counters), 4, workers=workers, on_step=steps.append)
    assert [counter.calls for counter in counters] == [4] * 5
    assert steps == [0, 1, 2, 3]
    assert run.counts == {"done": 20, "failed": 0, "timed_out": 0, "stuck": 0}
    assert (run.completed, run.lost, run.recovered) == (20, 0, 0)
    assert {(one.agent, one.step) for one in run.attempts} == {(a, s) for a in range(5) for s in range(4)}
    assert run.latency is not None
    assert run.latency.rounds == 20
    assert run.mode == ("async" if kind is AsyncCounter else "sequential" if workers == 1 else "threads")


@pytest.mark.parametrize("kind", [Counter, AsyncCounter])
@pytest.mark.parametrize("workers", [1, 3])
def test_failures_are_kept_and_repeated(kind: type[Counter], workers: int) -> None:
    agents = [kind(), kind(fail_on=(1,)), kind(fail_on=(2, 3))]
    run = drive(agents_of(*agents), 2, workers=workers, retries=1)
    # The second fails once and recovers; the third makes its first step, and fails both attempts at the second.
    assert run.counts == {"done": 5, "failed": 3, "timed_out": 0, "stuck": 0}
    assert (run.recovered, run.lost) == (1, 1)
    assert sorted(one.error for one in run.attempts if one.outcome == "failed") == [
        "ValueError: call 1",
        "ValueError: call 2",
        "ValueError: call 3",
    ]


def test_a_barrier_lies_between_steps() -> None:
    together = threading.Barrier(3, timeout=LONG)

    def step() -> None:
        together.wait()  # breaks unless all three agents are in the same step at the same time

    assert drive(agents_of(step, step, step), 5, workers=3).completed == 15


@pytest.mark.parametrize("workers", [1, 2])
def test_system_exit_of_an_agent_ends_its_step_alone(workers: int) -> None:
    def leave() -> None:
        raise SystemExit(3)

    run = drive(agents_of(leave, Counter()), 1, workers=workers)
    assert run.counts == {"done": 1, "failed": 1, "timed_out": 0, "stuck": 0}


@pytest.mark.parametrize("workers", [1, 2])
def test_an_awaitable_that_nobody_awaits_is_a_failure(workers: int) -> None:
    async def work() -> None: ...

    def step() -> Any:
        return work()

    run = drive(agents_of(step, Counter()), 1, workers=workers)
    assert run.counts["failed"] == 1
    assert "coroutine function" in next(one.error for one in run.attempts if one.outcome == "failed")


def test_a_slow_thread_is_told_and_ends() -> None:
    told = []

    def waits() -> None:
        try:
            current().wait(LONG)
        finally:
            told.append(current().cancelled)

    def woken() -> None:
        awake = threading.Event()
        with current().waking(awake.set):
            assert awake.wait(LONG)
        current().check()

    run = drive(agents_of(waits, woken, Counter()), 1, workers=3, timeout=SHORT, grace=LONG)
    assert run.counts == {"done": 1, "failed": 0, "timed_out": 2, "stuck": 0}
    assert told == [True]
    assert run.seconds < LONG
    assert all("StepTimeoutError" in one.error for one in run.attempts if one.outcome == "timed_out")


def test_the_time_of_a_queued_step_has_not_begun() -> None:
    fast = Counter()
    # One worker: were the second's time counted from when it was queued, it would be over when the first's is.
    run = drive(agents_of(lambda: current().wait(LONG), fast), 1, workers=1, timeout=SHORT, grace=LONG)
    assert [one.outcome for one in run.attempts] == ["timed_out", "done"]
    assert fast.calls == 1


def test_a_thread_that_does_not_listen_is_stuck_and_replaced() -> None:
    release = threading.Event()
    calls = Counter()

    def deaf() -> None:
        calls()
        release.wait(LONG)

    other = Counter()
    try:
        run = drive(agents_of(deaf, other), 3, workers=1, timeout=SHORT, grace=0.05)
    finally:
        release.set()
    # Stuck in its first step, so it is not stepped again; the other one goes on in another thread.
    assert run.counts == {"done": 3, "failed": 0, "timed_out": 0, "stuck": 3}
    assert (calls.calls, other.calls, run.lost) == (1, 3, 3)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_what_was_too_slow_is_attempted_again(asynchronous: bool) -> None:
    calls: list[int] = []

    def waits() -> None:
        calls.append(len(calls))
        if calls[-1] == 0:
            current().wait(LONG)

    async def sleeps() -> None:
        calls.append(len(calls))
        if calls[-1] == 0:
            await asyncio.sleep(LONG)

    run = drive(agents_of(sleeps if asynchronous else waits), 1, timeout=SHORT, retries=1, grace=LONG)
    assert [one.outcome for one in run.attempts] == ["timed_out", "done"]
    assert (run.recovered, run.lost) == (1, 0)


def test_a_slow_coroutine_is_cancelled() -> None:
    cancelled = []

    async def slow() -> None:
        try:
            await asyncio.sleep(LONG)
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    async def raises_its_own() -> None:
        raise TimeoutError("not ours")

    run = drive(agents_of(slow, AsyncCounter(), raises_its_own), 2, workers=None, timeout=SHORT)
    assert run.counts == {"done": 2, "failed": 2, "timed_out": 2, "stuck": 0}
    assert cancelled == [True, True]
    assert run.seconds < LONG


def test_a_step_that_ignores_its_cancellation_was_too_slow() -> None:
    async def slow() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(LONG)

    def deaf() -> None:
        with contextlib.suppress(StepTimeoutError):
            current().wait(LONG)

    for step in (slow, deaf):
        run = drive(agents_of(step), 1, timeout=SHORT, retries=1, grace=LONG)
        assert run.counts == {"done": 0, "failed": 0, "timed_out": 2, "stuck": 0}


def test_what_a_step_waits_for_is_cancelled() -> None:
    """That is a failure of the step; it does not end its task, nor the others."""

    async def waits() -> None:
        other = asyncio.create_task(asyncio.sleep(LONG))
        other.cancel()
        await other

    def runs_a_loop() -> None:
        asyncio.run(waits())

    for step, counter, workers in (
        (waits, AsyncCounter(), 2),
        (runs_a_loop, Counter(), 1),
        (runs_a_loop, Counter(), 2),
    ):
        run = drive(agents_of(step, counter), 2, workers=workers, retries=1)
        assert run.counts == {"done": 2, "failed": 4, "timed_out": 0, "stuck": 0}
        assert {one.error for one in run.attempts if one.agent == 0} == {"CancelledError: "}


def test_the_workers_limit_how_many_tasks_act() -> None:
    acting = most = 0

    async def step() -> None:
        nonlocal acting, most
        acting += 1
        most = max(most, acting)
        await asyncio.sleep(0)
        acting -= 1

    drive(agents_of(*[step] * 6), 2, workers=2)
    assert most == 2


def test_what_cannot_be_driven() -> None:
    for agents, steps, workers in (([], 1, 1), (agents_of(Counter()), 0, 1), (agents_of(Counter()), 1, 0)):
        with pytest.raises(SuiteError, match="at least one of each"):
            drive(agents, steps, workers=workers)
    with pytest.raises(SuiteError, match="coroutine function"):
        drive(agents_of(Counter(), AsyncCounter()), 1)

    async def inside() -> None:
        with pytest.raises(SuiteError, match="loop"):
            drive(agents_of(AsyncCounter()), 1)

    asyncio.run(inside())


def test_an_interrupt_leaves_no_step_running() -> None:
    ended = threading.Event()

    def waits() -> None:
        try:
            current().wait(LONG)
        finally:
            ended.set()

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    counters = [Counter(), Counter()]
    with pytest.raises(KeyboardInterrupt):
        drive(agents_of(*counters), 2, workers=2, on_step=interrupt)
    assert [counter.calls for counter in counters] == [1, 1]

    # And in the middle of a step: the calls that wait are told.
    from perfcore.suite import drive as module

    threads = module._Threads(1)
    calls = threads.run([module._Call(0, waits), module._Call(1, lambda: None)], SHORT, LONG)
    assert next(calls)[1] == "timed_out"
    calls.close()  # type: ignore[attr-defined]
    assert ended.wait(LONG)
    threads.close()


def test_attempts_are_a_sequence_that_does_not_grow() -> None:
    """The memory of the process is measured while agents are driven: notes of theirs must not be in its growth."""
    known = [Attempt(number % 7, number // 7, number / 8, "done") for number in range(2000)]
    attempts = Attempts(len(known))
    tracemalloc.start()
    try:
        for one in known:
            attempts.append(one)
        grown = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert grown < 20_000  # objects would be eight times that
    more = [Attempt(1, 2, 0.5, "failed", "ValueError: x"), Attempt(3, 4, 1.5, "stuck"), Attempt(5, 6, 2.5, "timed_out")]
    for one in more:
        attempts.append(one)
    assert list(attempts) == known + more
    assert (len(attempts), attempts[-3], attempts[0]) == (2003, more[0], known[0])
    assert attempts[-2:] == more[1:]
    with pytest.raises(IndexError):
        attempts[2003]


def test_cancellation() -> None:
    cancellation = Cancellation()
    woken: list[int] = []
    with cancellation.waking(lambda: woken.append(1)):
        pass
    with cancellation.waking(lambda: woken.append(2)):
        cancellation.cancel()
        cancellation.cancel()
    assert woken == [2]
    with pytest.raises(StepTimeoutError), cancellation.waking(lambda: woken.append(3)):
        pass
    with pytest.raises(TimeoutError):
        cancellation.wait(LONG)
    assert not current().cancelled  # outside of a step nobody cancels
    current().wait(0)
    assert woken == [2]
