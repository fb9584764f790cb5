# SPDX-License-Identifier: MIT
"""What a call costs besides its time: processor time, allocations, peak memory. Measured apart from the timing."""

from __future__ import annotations

import gc
import math
import statistics
from collections.abc import Callable, Collection
from dataclasses import dataclass
from time import process_time
from typing import Any

from perfcore.measure.allocations import grow, track_allocations
from perfcore.measure.runner import Runner

_CPU_SECONDS = 0.02  # of calls between two readings of the processor's time
_CPU_CALLS = 1000
_LONG = 0.1  # a call of this many seconds is repeated less
_GROWTH_ROUNDS = 4


@dataclass(frozen=True, slots=True)
class CallMetrics:
    """Figures of one call; None where they were not asked for, or another tool replaced the allocators.

    Attributes:
        cpu: processor time of all threads of the process, in seconds.
        allocations: blocks allocated, the lower median of the calls.
        bytes: what allocations asked for, the same.
        peak: the most that a call held at one time beyond what was there before it, in bytes.
        growth: bytes that a call leaves behind for good.
        instructions: of this thread in user mode; None also where nothing counts them.

    """

    cpu: float | None = None
    allocations: int | None = None
    bytes: int | None = None
    peak: int | None = None
    growth: int | None = None
    instructions: float | None = None

    def as_dict(self) -> dict[str, float | int]:
        """Return the figures that there are, as the results file names them."""
        figures = {
            "cpu_s": self.cpu,
            "allocations": self.allocations,
            "allocated_bytes": self.bytes,
            "peak_bytes": self.peak,
            "growth_bytes": self.growth,
            "instructions": self.instructions,
        }
        return {name: value for name, value in figures.items() if value is not None}


def measure_calls(
    runner: Runner,
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    *,
    wanted: Collection[str],
    seconds: float,
) -> CallMetrics:
    """Call a function a few more times for the metrics.

    Args:
        runner: the runner of the call, for the processor time and for coroutine functions.
        function: what is called as ``function(*args, **kwargs)``.
        args: its positional arguments.
        kwargs: its keyword arguments.
        wanted: names of --perfcore-metrics, and "growth".
        seconds: about how long a call takes.

    """
    few = 2 if seconds > _LONG else 5
    if runner.kernel(1) == "coroutine":
        # Awaited on the runner's loop, whose own allocations are in these figures.
        function, args, kwargs = runner.time, (1,), {}
    cpu = _cpu(runner, seconds) if "cpu" in wanted else None
    allocations = requested = peak = growth = None
    if "alloc" in wanted or "peak" in wanted:
        calls = _counted(function, args, kwargs, few)
        if "alloc" in wanted and calls:
            allocations = statistics.median_low(call["allocations"] for call in calls)
            requested = statistics.median_low(call["bytes"] for call in calls)
        if "peak" in wanted and calls:
            peak = max(call["peak"] for call in calls)
    if "growth" in wanted:
        # What fills a cache grows once; what leaks grows in every round.
        with track_allocations() as tracker:
            least = min(grow(function, args, kwargs, few).bytes for _ in range(_GROWTH_ROUNDS))
        growth = max(0, math.ceil(least / few)) if tracker.complete else None
    instructions = None
    if "instructions" in wanted:
        from perfcore.measure.counters import count_instructions

        instructions = count_instructions(runner, seconds)
    return CallMetrics(cpu, allocations, requested, peak, growth, instructions)


def _cpu(runner: Runner, seconds: float) -> float:
    calls = max(1, min(_CPU_CALLS, math.ceil(_CPU_SECONDS / max(seconds, 1e-9))))
    before = process_time()
    runner.time(calls)
    return (process_time() - before) / calls


def _counted(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], calls: int
) -> list[dict[str, int]]:
    """Count each of a few calls, after one to warm up, without the garbage collector in between.

    Nothing where calls were missed.
    """
    function(*args, **kwargs)
    gc.collect()
    collecting = gc.isenabled()
    gc.disable()
    try:
        counts = []
        for _ in range(calls):
            tracker = track_allocations()
            tracker.run(function, args, kwargs)
            if not tracker.complete:
                return []
            counts.append(tracker.counts())
        return counts
    finally:
        if collecting:
            gc.enable()
