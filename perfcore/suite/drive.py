# SPDX-License-Identifier: MIT
"""Drives agents through steps: one after another, in threads, or on an event loop; every failure is kept.

In each step every agent acts once; the next step begins when all have. A step that fails or is too slow is an
`Attempt` like any other, so that what was asked for always equals what is accounted for.
"""

from __future__ import annotations

import asyncio
import inspect
import queue
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from perfcore.errors import SuiteError
from perfcore.judge.stats import Summary, summarize
from perfcore.suite.agent import Agent, is_async, run_alone
from perfcore.suite.attempts import OUTCOMES, Attempt, Attempts, Outcome
from perfcore.suite.cancel import Cancellation, ends_task, enter

__all__ = ["Attempt", "Drive", "Outcome", "auto_workers", "drive"]

GRACE = 1.0  # seconds that a step has to end after it was cancelled; then its thread is given up


@dataclass(slots=True)
class Drive:
    """What became of agents that were driven.

    Attributes:
        mode: ``sequential``, ``threads`` or ``async``.
        workers: how many agents could act at the same time.
        agents: how many there were.
        steps: how often each was to act.
        seconds: of all of it.
        attempts: in the order in which they ended.

    """

    mode: str
    workers: int
    agents: int
    steps: int
    seconds: float = 0.0
    attempts: Attempts = field(init=False)

    def __post_init__(self) -> None:
        self.attempts = Attempts(self.agents * self.steps)

    @property
    def counts(self) -> dict[str, int]:
        """How many attempts had each outcome."""
        found = Counter(attempt.outcome for attempt in self.attempts)
        return {outcome: found[outcome] for outcome in OUTCOMES}

    @property
    def completed(self) -> int:
        """How many steps of agents were done, at the first attempt or a later one."""
        return self.counts["done"]

    @property
    def recovered(self) -> int:
        """How many of those failed before."""
        wrong = {(one.agent, one.step) for one in self.attempts if one.outcome != "done"}
        return sum((one.agent, one.step) in wrong for one in self.attempts if one.outcome == "done")

    @property
    def lost(self) -> int:
        """How many steps of agents were never done."""
        return self.agents * self.steps - self.completed

    @property
    def latency(self) -> Summary | None:
        """Statistics of the seconds of those that were done; None where there were none."""
        from perfcore._core import Samples

        done = [one.seconds for one in self.attempts if one.outcome == "done"]
        return summarize(Samples(done)) if done else None


def auto_workers(agents: int) -> int:
    """Return how many threads serve agents that mostly wait: one each, up to 32."""
    return max(1, min(agents, 32))


def drive(
    agents: Sequence[Agent],
    steps: int,
    *,
    workers: int | None = 1,
    timeout: float | None = None,
    retries: int = 0,
    grace: float = GRACE,
    on_step: Callable[[int], object] | None = None,
) -> Drive:
    """Let all agents act ``steps`` times.

    Args:
        agents: all with coroutine functions as ``step``, or none.
        steps: how often each acts.
        workers: how many act at the same time; None for `auto_workers`.
        timeout: seconds for one attempt. Threads: see `perfcore.suite.cancel`.
        retries: how often a step that failed or was too slow is attempted again.
        grace: seconds for a step in a thread to end once it is cancelled.
        on_step: called with each step's number when all agents have made it; on their loop if they are asynchronous.

    Raises:
        SuiteError: there are no agents, both kinds, or an event loop runs here already.

    """
    count = auto_workers(len(agents)) if workers is None else workers
    if not agents or steps < 1 or count < 1:
        raise SuiteError(f"{len(agents)} agents, {steps} steps, {count} workers: at least one of each is needed")
    kinds = {is_async(agent) for agent in agents}
    if len(kinds) > 1:
        raise SuiteError("some agents' step() is a coroutine function and others' is not; drive them separately")
    run = Drive("", count, len(agents), steps)
    if kinds == {True}:
        run.mode = "async"
        _drive_tasks(run, agents, (timeout, retries), on_step)
    elif count == 1 and timeout is None:
        run.mode = "sequential"
        _drive_here(run, agents, retries, on_step)
    else:
        run.mode = "threads" if count > 1 else "sequential"
        _drive_threads(run, agents, (timeout, retries, grace), on_step)
    return run


# What an agent may raise and be accounted for; Ctrl-C is not among it, nor that its own task was cancelled.
_FAILURES = (Exception, SystemExit, asyncio.CancelledError)


def _act(step: Callable[[], Any]) -> None:
    """Let an agent act, in a thread: what it returns must not be left to be awaited."""
    if inspect.isawaitable(result := step()):
        if inspect.iscoroutine(result):
            result.close()
        raise SuiteError("step() returned an awaitable, which nobody awaits; make it a coroutine function")


def _text(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def _rounds(run: Drive, retries: int) -> Iterator[tuple[int, list[int]]]:
    """Yield which agents are to attempt which step, until each has done it or has no attempts left."""
    for step in range(run.steps):
        todo = list(range(run.agents))
        for _ in range(1 + retries):
            start = len(run.attempts)
            yield step, todo
            todo = sorted(one.agent for one in run.attempts[start:] if one.outcome in ("failed", "timed_out"))
            if not todo:
                break


def _steps(run: Drive, retries: int, on_step: Callable[[int], object] | None) -> Iterator[tuple[int, list[int]]]:
    """Yield the rounds, saying which steps are made and how long they took in all."""
    began, last = perf_counter(), 0
    for step, todo in _rounds(run, retries):
        if step != last and on_step is not None:
            on_step(last)
        last = step
        yield step, todo
    if on_step is not None:
        on_step(last)
    run.seconds = perf_counter() - began


def _drive_here(run: Drive, agents: Sequence[Agent], retries: int, on_step: Callable[[int], object] | None) -> None:
    for step, todo in _steps(run, retries, on_step):
        for number in todo:
            outcome: Outcome = "done"
            error = ""
            began = perf_counter()
            try:
                _act(agents[number].step)
            except _FAILURES as failure:
                outcome, error = "failed", _text(failure)
            run.attempts.append(Attempt(number, step, perf_counter() - began, outcome, error))


# --- threads ---


class _Call:
    """One attempt on its way through a thread."""

    __slots__ = ("act", "agent", "cancellation", "cancelled_at", "error", "seconds", "started")

    def __init__(self, agent: int, act: Callable[[], Any]) -> None:
        self.agent, self.act = agent, act
        self.cancellation = Cancellation()
        self.started: float | None = None
        self.cancelled_at: float | None = None
        self.seconds = 0.0
        self.error: BaseException | None = None

    def run(self) -> None:
        enter(self.cancellation)
        self.started = began = perf_counter()
        try:
            _act(self.act)
        except BaseException as failure:  # noqa: BLE001 - an agent may raise anything; it is accounted for
            self.error = failure
        self.seconds = perf_counter() - began

    @property
    def outcome(self) -> Outcome:
        if self.cancelled_at is not None:  # also where it was done a moment later
            return "timed_out"
        return "done" if self.error is None else "failed"


class _Threads:
    """Threads that run calls. A thread whose call does not end is given up, and another one takes its place."""

    def __init__(self, count: int) -> None:
        self.work: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        self.done: queue.SimpleQueue[_Call] = queue.SimpleQueue()
        self.count = count
        for _ in range(count):
            self.add()

    def add(self) -> None:
        # A daemon, so that one that is stuck does not keep the process.
        threading.Thread(target=self._serve, name="perfcore agent", daemon=True).start()

    def _serve(self) -> None:
        while (call := self.work.get()) is not None:
            call.run()
            self.done.put(call)

    def close(self) -> None:
        for _ in range(self.count):
            self.work.put(None)

    def run(self, calls: list[_Call], timeout: float | None, grace: float) -> Iterator[tuple[_Call, Outcome]]:
        """Run calls and yield each with its outcome as it ends; cancel those that are too slow."""
        waiting = {id(call): call for call in calls}
        for call in calls:
            self.work.put(call)
        try:
            while waiting:
                try:
                    call = self.done.get(timeout=_nap(waiting.values(), timeout, grace))
                except queue.Empty:
                    for call in _look(list(waiting.values()), timeout, grace):
                        del waiting[id(call)]
                        self.add()  # in the place of its thread, which ends with the close if it ever gets there
                        self.count += 1
                        yield call, "stuck"
                    continue
                if waiting.pop(id(call), None) is not None:  # else it was given up
                    yield call, call.outcome
        finally:
            for call in waiting.values():  # interrupted: let none go on alone
                call.cancellation.cancel()


def _nap(calls: Any, timeout: float | None, grace: float) -> float | None:
    """Return the seconds until a call may have to be cancelled or given up; None if that never happens."""
    if timeout is None:
        return None
    now = perf_counter()
    # One that has not begun has all of its time before it.
    ends = [
        call.cancelled_at + grace if call.cancelled_at is not None else (call.started or now) + timeout
        for call in calls
    ]
    return max(0.0, min(ends) - now)


def _look(calls: list[_Call], timeout: float | None, grace: float) -> list[_Call]:
    """Cancel the calls whose time is over; return those that were cancelled and went on."""
    given_up = []
    for call in calls:
        now = perf_counter()
        if call.cancelled_at is not None:
            if now >= call.cancelled_at + grace:
                call.seconds = now - (call.started or now)
                given_up.append(call)
        elif timeout is not None and call.started is not None and now >= call.started + timeout:
            call.cancelled_at = now
            call.cancellation.cancel()
    return given_up


def _drive_threads(
    run: Drive,
    agents: Sequence[Agent],
    limits: tuple[float | None, int, float],
    on_step: Callable[[int], object] | None,
) -> None:
    timeout, retries, grace = limits
    threads = _Threads(run.workers)
    stuck: set[int] = set()  # agents whose step still runs somewhere: they are not stepped twice at once

    def attempt(step: int, todo: list[int]) -> None:
        for number in [number for number in todo if number in stuck]:
            run.attempts.append(Attempt(number, step, 0.0, "stuck", "an earlier step of this agent still runs"))
        calls = [_Call(number, agents[number].step) for number in todo if number not in stuck]
        for call, outcome in threads.run(calls, timeout, grace):
            if outcome == "stuck":
                stuck.add(call.agent)
            error = "" if call.error is None or outcome == "stuck" else _text(call.error)
            run.attempts.append(Attempt(call.agent, step, call.seconds, outcome, error))

    try:
        for step, todo in _steps(run, retries, on_step):
            attempt(step, todo)
    finally:
        threads.close()


# --- an event loop ---


def _drive_tasks(
    run: Drive, agents: Sequence[Agent], limits: tuple[float | None, int], on_step: Callable[[int], object] | None
) -> None:
    timeout, retries = limits

    async def attempt_all(step: int, todo: list[int]) -> None:
        places = asyncio.Semaphore(run.workers)

        async def one(number: int) -> None:
            async with places:
                outcome: Outcome = "done"
                error = ""
                began = perf_counter()
                try:
                    async with asyncio.timeout(timeout) as limit:
                        acting: Awaitable[Any] = agents[number].step()
                        await acting
                except _FAILURES as failure:
                    if ends_task(failure):
                        raise
                    outcome, error = "failed", _text(failure)
                if limit.expired():  # also where it was done a moment later
                    outcome = "timed_out"
                run.attempts.append(Attempt(number, step, perf_counter() - began, outcome, error))

        async with asyncio.TaskGroup() as group:
            for number in todo:
                group.create_task(one(number))

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass
    else:
        raise SuiteError("asynchronous agents are driven on a loop of their own; call drive() where none runs")

    async def attempt_everything() -> None:
        for step, todo in _steps(run, retries, on_step):
            await attempt_all(step, todo)

    # All steps in one task, which Ctrl-C cancels: between two it would be raised anywhere in asyncio.
    run_alone(attempt_everything())
