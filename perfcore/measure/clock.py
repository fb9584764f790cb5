# SPDX-License-Identifier: MIT
"""Timers: which ones the C loop can read by itself, how finely they tick, and what reading them costs."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from types import BuiltinFunctionType
from typing import Any

from perfcore import _core

Timer = Callable[[], Any]

# By the names that the functions bear themselves, whenever this is imported: what a test has put in their place in the
# module is a timer of its own, and that one is called.
_CLOCKS = {
    "perf_counter": time.CLOCK_MONOTONIC,
    "monotonic": time.CLOCK_MONOTONIC,
    "process_time": time.CLOCK_PROCESS_CPUTIME_ID,
    "thread_time": time.CLOCK_THREAD_CPUTIME_ID,
    "time": time.CLOCK_REALTIME,
}


def clock_id(timer: Timer) -> int | None:
    """Return the POSIX clock that `timer` reads, or None if it is not one of the standard library's float timers."""
    if type(timer) is not BuiltinFunctionType or timer.__self__ is not time:
        return None
    return _CLOCKS.get(timer.__name__)


def known_timer(timer: Timer) -> bool:
    """Whether the C loop reads the clock of `timer` by itself."""
    return clock_id(timer) is not None


@cache
def precision(timer: Timer) -> float:
    """Return the smallest step of a known timer between two readings, in seconds."""
    clock = clock_id(timer)
    if clock is None:
        raise ValueError(f"{timer!r} is not a timer of the standard library")
    return _core.clock_step(clock) or 1e-9


def source(timer: Timer) -> str:
    """Return how the C loop reads the clock of a known timer: "tsc" (the processor's counter) or "clock_gettime"."""
    clock = clock_id(timer)
    if clock is None:
        raise ValueError(f"{timer!r} is not a timer of the standard library")
    return _core.clock_source(clock)


@cache
def overhead(timer: Timer = time.perf_counter) -> float:
    """Return what an empty pair of readings of a known timer takes, in seconds: the bias of a round of one call."""
    clock = clock_id(timer)
    if clock is None:
        raise ValueError(f"{timer!r} is not a timer of the standard library")
    return _core.clock_pair(clock)
