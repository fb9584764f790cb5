# SPDX-License-Identifier: MIT
"""One callable with its arguments, ready to be run in rounds: picks the kernel, keeps the flags."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any, Protocol

from perfcore import _core
from perfcore.errors import MeasureError
from perfcore.measure import bias
from perfcore.measure.callables import is_coroutine_function
from perfcore.measure.clock import Timer, clock_id
from perfcore.measure.kernel import UNROLL, make_kernel
from perfcore.measure.pace import Pace


class Stop(Protocol):
    """Decides between rounds whether a benchmark has enough of them."""

    def next_look(self, rounds: int, /) -> int:
        """Return the number of rounds at which to look again."""

    def reached(self, samples: _core.Samples, /) -> bool:
        """Whether these samples are enough."""


class Runner(Protocol):
    """What the kernels have in common."""

    @property
    def result(self) -> Any:
        """What the last call returned, when rounds have one call each."""

    def time(self, iterations: int, /) -> float:
        """Run one round of `iterations` calls; return its duration in seconds, for all of them."""

    def run(self, samples: _core.Samples, rounds: int, iterations: int, stop: Stop | None = None) -> int:
        """Append up to `rounds` samples, each in seconds per call; return how many."""

    def run_with_setup(
        self,
        samples: _core.Samples | None,
        rounds: int,
        setup: Callable[[], Any] | None,
        teardown: Callable[..., Any] | None,
    ) -> int:
        """Run rounds of one call, each between `setup` and `teardown`; return how many."""

    def call(self, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Call something outside the clock; on an event loop, where rounds run on one, and awaited if it can be."""

    def kernel(self, iterations: int) -> str:
        """Return the name of the kernel that runs rounds of `iterations` calls."""

    @property
    def flags(self) -> dict[str, Any]:
        """What disturbed the rounds."""

    def close(self) -> None:
        """Release what the runner holds."""


def make_runner(
    function: Callable[..., Any],
    args: tuple[Any, ...] = (),
    kwargs: dict[str, Any] | None = None,
    *,
    timer: Timer | None = None,
    disable_gc: bool = False,
    correct: bool = False,
    keep: bool = True,
    pace: Pace | None = None,
) -> Runner:
    """Return the runner for ``function(*args, **kwargs)``.

    Args:
        function: what to measure. A coroutine function is awaited on an event loop of the runner's own.
        args: its positional arguments.
        kwargs: its keyword arguments.
        timer: returns a reading in seconds; the standard library's timers are read in C. Default: time.perf_counter.
        disable_gc: turn the garbage collector off around each round.
        correct: subtract what the measuring itself costs (see perfcore.measure.bias).
        keep: keep what the call of a round returns, the last one as `result`; else it is dropped inside the clock, as
            in rounds of many calls.
        pace: looks at the machine's pace between the rounds that are stored.

    Raises:
        MeasureError: a coroutine function while an event loop is running in this thread.

    """
    timer = timer or time.perf_counter
    if is_coroutine_function(function):
        from perfcore.measure.coroutine import CoroutineRunner

        return CoroutineRunner(function, args, kwargs or {}, timer=timer, disable_gc=disable_gc, keep=keep, pace=pace)
    return CallRunner(
        function, args, kwargs or {}, timer=timer, disable_gc=disable_gc, correct=correct, keep=keep, pace=pace
    )


def run_until(run: Callable[[int], None], samples: _core.Samples, rounds: int, stop: Stop | None) -> int:
    """Call ``run(n)`` for `rounds` rounds in all, or until `stop` has enough; return how many."""
    before = len(samples)
    if stop is None:
        run(rounds)
        return len(samples) - before
    while (left := rounds - (len(samples) - before)) > 0:
        run(max(1, min(stop.next_look(len(samples)) - len(samples), left)))
        if stop.reached(samples):
            break
    return len(samples) - before


class Disturbance:
    """Counts what disturbed the rounds: involuntary context switches, and the time that the hypervisor stole."""

    def __init__(self) -> None:
        self.rounds = 0
        self.interrupted = 0
        self.switches = 0
        self.exact = True
        self.steal_s: float | None = 0.0
        self.clock_doubted = 0

    @property
    def flags(self) -> dict[str, Any]:
        """Return the counts under the names that results files use."""
        return {
            "interrupted_rounds": self.interrupted,
            "interrupted_exact": self.exact,
            "involuntary_switches": self.switches,
            "steal_s": self.steal_s,
            "clock_doubted": self.clock_doubted,
        }


class _StealWatch:
    """Adds the steal time of a run to a Disturbance."""

    def __init__(self, disturbance: Disturbance) -> None:
        self._disturbance = disturbance
        self._before: float | None = None

    def __enter__(self) -> None:
        self._before = _core.steal_time()

    def __exit__(self, *_exc: object) -> None:
        after = _core.steal_time()
        seen = self._disturbance.steal_s
        if after is None or self._before is None or seen is None:
            self._disturbance.steal_s = None
        else:
            # Ticks of 10 ms: rounding keeps the sum of differences printable.
            self._disturbance.steal_s = round(seen + after - self._before, 2)


def steal_watch(disturbance: Disturbance) -> _StealWatch:
    """Return a context manager that adds the steal time inside it to `disturbance`."""
    return _StealWatch(disturbance)


class CallRunner:
    """Rounds in the C loop: vectorcall for one call a round, the unrolled kernel for many."""

    def __init__(
        self,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        *,
        timer: Timer,
        disable_gc: bool,
        correct: bool,
        keep: bool,
        pace: Pace | None = None,
    ) -> None:
        self._function, self._args, self._kwargs = function, args, kwargs
        self._timer = timer
        self._clock = clock_id(timer)
        self._disable_gc = disable_gc
        self._correct = correct and self._clock is not None
        self._disturbance = Disturbance()
        kernel, kernel_args = make_kernel(function, args, kwargs)
        clock: dict[str, Any] = {"timer": timer} if self._clock is None else {"clock": self._clock}
        self._loop = _core.RoundLoop(
            function,
            args,
            kwargs,
            kernel=kernel,
            kernel_args=kernel_args,
            unroll=UNROLL,
            disable_gc=disable_gc,
            keep=keep,
            pace=None if pace is None else pace.look,
            **clock,
        )
        self.time = self._loop.time

    @property
    def result(self) -> Any:
        """What the last call returned, when rounds have one call each."""
        return self._loop.result

    def kernel(self, iterations: int) -> str:
        """Return "timer", "vectorcall" or "unrolled"."""
        if self._clock is None:
            return "timer"
        return "vectorcall" if iterations == 1 else "unrolled"

    def correction(self, iterations: int) -> float:
        """Return the seconds that are subtracted from each round."""
        if not self._correct or self._clock is None:
            return 0.0
        return bias.of_round(self._function, iterations, self._clock)

    def run(self, samples: _core.Samples, rounds: int, iterations: int, stop: Stop | None = None) -> int:
        """Append up to `rounds` samples, each in seconds per call; return how many."""
        correction = self.correction(iterations)

        def run(count: int) -> None:
            self._loop.run(samples, count, iterations, correction)

        with steal_watch(self._disturbance):
            return run_until(run, samples, rounds, stop)

    def run_with_setup(
        self,
        samples: _core.Samples | None,
        rounds: int,
        setup: Callable[[], Any] | None,
        teardown: Callable[..., Any] | None,
    ) -> int:
        """Run rounds of one call, each between `setup` and `teardown`; return how many.

        `setup` may return ``(args, kwargs)`` for its round. Tracers are paused around each round alone, so that
        coverage sees the set-up. Without samples nothing is stored (warm-up).
        """
        pause = pause_tracers if sys.gettrace() or sys.getprofile() else None
        with steal_watch(self._disturbance):
            self._loop.run_setup(samples, rounds, self._args, self._kwargs, setup, teardown, pause, self.correction(1))
        return rounds

    def call(self, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Call something outside the clock."""
        return function(*args, **kwargs)

    @property
    def flags(self) -> dict[str, Any]:
        """What disturbed the rounds, under the names that results files use."""
        loop, seen = self._loop, self._disturbance
        seen.interrupted, seen.exact, seen.switches = loop.interrupted, loop.exact, loop.switches
        seen.clock_doubted = loop.doubted
        return seen.flags

    def close(self) -> None:
        """Nothing is held beyond the object itself."""


def pause_tracers() -> Callable[[], None]:
    """Turn this thread's trace and profile functions off; return what turns them on again."""
    trace, profile = sys.gettrace(), sys.getprofile()
    # Where Python sees none there may be one in C, which could not be put back. Nor could cProfile's before 3.12, which
    # Python sees and cannot call.
    if not callable(profile):
        profile = None
    if trace:
        sys.settrace(None)
    if profile:
        sys.setprofile(None)

    def resume() -> None:
        if trace:
            sys.settrace(trace)
        if profile:
            sys.setprofile(profile)

    return resume


__all__ = ["CallRunner", "MeasureError", "Runner", "Stop", "make_runner", "pause_tracers"]
