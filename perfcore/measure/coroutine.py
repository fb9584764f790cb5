# SPDX-License-Identifier: MIT
"""Coroutine functions: awaited back to back on one event loop, whose start and end are outside the clock."""

from __future__ import annotations

import asyncio
import gc
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any

from perfcore import _core
from perfcore.errors import MeasureError
from perfcore.measure.clock import Timer
from perfcore.measure.kernel import UNROLL, make_kernel
from perfcore.measure.pace import Pace
from perfcore.measure.runner import Disturbance, Stop, pause_tracers, run_until, steal_watch


class CoroutineRunner:
    """Rounds of awaits inside one task of one event loop.

    The loop is made by the running policy (uvloop's, where it is set), lives as long as the runner, and runs whatever
    the coroutines start.
    """

    def __init__(
        self,
        function: Callable[..., Awaitable[Any]],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        *,
        timer: Timer,
        disable_gc: bool,
        keep: bool = True,
        pace: Pace | None = None,
    ) -> None:
        if asyncio._get_running_loop() is not None:
            raise MeasureError(
                "a coroutine function cannot be measured while an event loop is running in this thread: "
                "call it from plain code (a `def` test, not `async def`), and it is awaited on a loop of its own; "
                "in a notebook, where a loop always runs: %perfcore await FUNCTION()"
            )
        self._function, self._args, self._kwargs = function, args, kwargs
        self._timer = timer
        self._disable_gc = disable_gc
        self._keep = keep
        self._pace = pace
        self._disturbance = Disturbance()
        self._interrupted = False  # the latest round
        self._kernel, self._kernel_args = make_kernel(function, args, kwargs, coroutine=True)
        # With a factory of ours the thread keeps the event loop that it has as its current one.
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._cancelled = False
        self.result: Any = None

    def kernel(self, iterations: int) -> str:
        """Return "coroutine"."""
        return "coroutine"

    async def _round(self, iterations: int) -> Any:
        """Await `iterations` calls; return the difference of the timer's readings."""
        timer = self._timer
        collecting = gc.isenabled()
        if self._disable_gc:
            gc.disable()
        switches = _core.involuntary_switches()
        try:
            if iterations == 1:
                start = timer()
                result = await self._function(*self._args, **self._kwargs)
                if not self._keep:
                    result = None  # inside the clock, as rounds of many calls drop it
                end = timer()
                self.result = result
            else:
                kernel = self._kernel(*divmod(iterations, UNROLL), *self._kernel_args)
                start = timer()
                await kernel
                end = timer()
            self._interrupted = _core.involuntary_switches() != switches
            return end - start
        finally:
            if collecting:
                gc.enable()

    def _look(self) -> None:
        if self._pace is not None:
            self._pace.look()

    def _store(self, samples: _core.Samples, duration: float) -> None:
        samples.append(duration)
        self._disturbance.interrupted += self._interrupted

    async def _rounds(self, samples: _core.Samples, rounds: int, iterations: int) -> None:
        for _ in range(rounds):
            self._look()
            self._store(samples, await self._round(iterations) / iterations)
            await self._interruption()
        self._look()

    async def _rounds_with_setup(
        self,
        samples: _core.Samples | None,
        rounds: int,
        setup: Callable[[], Any] | None,
        teardown: Callable[..., Any] | None,
    ) -> None:
        own = self._args, self._kwargs
        try:
            for _ in range(rounds):
                self._args, self._kwargs = own
                given = await _await(setup()) if setup else None
                if given:
                    if own[0] or own[1]:
                        raise TypeError("Can't use `args` or `kwargs` if `setup` returns the arguments.")
                    self._args, self._kwargs = given
                resume = pause_tracers()
                try:
                    duration = await self._round(1)
                finally:
                    resume()
                if samples is not None:
                    self._store(samples, duration)
                    self._look()
                if teardown is not None:
                    await _await(teardown(*self._args, **self._kwargs))
                await self._interruption()
        finally:
            self._args, self._kwargs = own

    async def _interruption(self) -> None:
        """Let what cancels the task end the run between rounds: coroutines that never wait do not notice it."""
        task = asyncio.current_task()
        if self._cancelled or (task is not None and task.cancelling()):
            await asyncio.sleep(0)

    def _drive(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine on the loop, counting what disturbs it."""
        self._loop = self._runner.get_loop()  # before the look at what cancel() sets: it looks in the other order
        if self._cancelled:
            coroutine.close()
            raise asyncio.CancelledError
        seen = self._disturbance
        before = _core.involuntary_switches()
        try:
            with steal_watch(seen):
                return self._runner.run(coroutine)
        finally:
            seen.switches += _core.involuntary_switches() - before

    def time(self, iterations: int) -> float:
        """Run one round of `iterations` awaits; return its duration in seconds, for all of them."""
        if iterations < 1:
            raise ValueError(f"iterations must be at least 1, not {iterations}")
        return float(self._drive(self._round(iterations)))

    def run(self, samples: _core.Samples, rounds: int, iterations: int, stop: Stop | None = None) -> int:
        """Append up to `rounds` samples, each in seconds per await; return how many."""
        if iterations < 1:
            raise ValueError(f"iterations must be at least 1, not {iterations}")

        def run(count: int) -> None:
            self._drive(self._rounds(samples, count, iterations))

        return run_until(run, samples, rounds, stop)

    def run_with_setup(
        self,
        samples: _core.Samples | None,
        rounds: int,
        setup: Callable[[], Any] | None,
        teardown: Callable[..., Any] | None,
    ) -> int:
        """Run rounds of one await, each between `setup` and `teardown`, which may be coroutine functions too."""
        self._drive(self._rounds_with_setup(samples, rounds, setup, teardown))
        return rounds

    def call(self, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Call something on the loop, outside the clock; return the result, awaited if it can be."""

        async def called() -> Any:
            return await _await(function(*args, **kwargs))

        return self._drive(called())

    @property
    def flags(self) -> dict[str, Any]:
        """What disturbed the rounds, under the names that results files use."""
        return self._disturbance.flags

    def cancel(self) -> None:
        """End what runs, and whatever is run later, from another thread: asyncio.CancelledError is raised there."""
        self._cancelled = True
        if (loop := self._loop) is not None:
            with suppress(RuntimeError):  # closed: it has ended
                loop.call_soon_threadsafe(lambda: [task.cancel() for task in asyncio.all_tasks(loop)])

    def close(self) -> None:
        """Cancel what the coroutines left running and close the loop."""
        self._runner.close()


async def _await(value: Any) -> Any:
    """Return `value`, awaited if it can be."""
    return await value if inspect.isawaitable(value) else value
