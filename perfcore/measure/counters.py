# SPDX-License-Identifier: MIT
"""Instructions per call, where the kernel and the processor count them."""

from __future__ import annotations

import errno
import statistics
from functools import cache
from pathlib import Path

from perfcore._core import EventCounter
from perfcore.measure.kernel import UNROLL
from perfcore.measure.runner import Runner

_MANY_S = 1e-5  # calls shorter than this are counted by the hundred
_REPEATS = 5


def open_counter() -> EventCounter:
    """Return a counter of this thread's instructions in user mode; OSError where there is none."""
    return EventCounter("instructions")


@cache
def why_not() -> str | None:
    """Return in a few words why instructions cannot be counted here, or None where they can."""
    try:
        open_counter().close()
    except OSError as error:
        return _reason(error)
    return None


def _reason(error: OSError) -> str:
    match error.errno:
        case errno.EACCES | errno.EPERM:
            return f"not permitted (kernel.perf_event_paranoid is {_paranoid()}; 2 or less allows it, or CAP_PERFMON)"
        case errno.ENOENT | errno.ENODEV | errno.EOPNOTSUPP:
            return "this processor, or the virtual machine, does not count them"
        case errno.ENOSYS:
            return "this kernel has no perf events"
    return error.strerror or str(error)


def _paranoid() -> str:
    try:
        return Path("/proc/sys/kernel/perf_event_paranoid").read_text(encoding="ascii").strip()
    except OSError:
        return "unknown"


def count_instructions(runner: Runner, seconds: float) -> float | None:
    """Return the instructions of one call: the slope between two lengths of a round, so that the loop's own cancel out.

    Args:
        runner: the runner of the call; what other threads do is not counted.
        seconds: about how long a call takes.

    Returns:
        The lower median of a few repeats, or None where nothing counts them, or not all the time.

    """
    try:
        counter = open_counter()
    except OSError:
        return None
    calls = UNROLL if seconds < _MANY_S else 2
    try:
        slopes = []
        for _ in range(_REPEATS if seconds < 0.1 else 1):
            one, two = _count(counter, runner, calls), _count(counter, runner, 2 * calls)
            if one is None or two is None:
                return None
            slopes.append(max(0, two - one) / calls)
        return statistics.median_low(slopes)
    finally:
        counter.close()


def _count(counter: EventCounter, runner: Runner, calls: int) -> int | None:
    counter.start()
    try:
        runner.time(calls)
    finally:
        count = counter.stop()
    return count
