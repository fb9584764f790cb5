# SPDX-License-Identifier: MIT
"""The machine's pace while rounds run: how long a fixed piece of Python code takes, looked at every few milliseconds.

On a shared machine the same code may take twice its time for seconds, because of what others do on the same processor,
and nothing in the rounds tells that from a slower program. The fixed piece does: it is slowed down with them. It makes
calls, adds and drops small objects, as most of what an interpreter does, and runs between rounds, never inside the
clock; each look runs it once to have it in the caches, then on the clock. How far other kinds of code go with it is
said in `perfcore.judge.pace`.
"""

from __future__ import annotations

import math
import sys
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from time import perf_counter_ns, process_time_ns, thread_time_ns  # bound now: a benchmark may weave the module

PERIOD_NS = 2_000_000
_CALLS = 100
_MOST_AT_ONCE = 16
_MOST_LOOKS = 4096  # kept; beyond, every second one, and half as often from then on
_LEVEL = 2.576  # of the interval of the median: 99 %, by the normal approximation to the binomial
_OTHERS = 0.1  # share of the looks' time for which other threads of this process may have computed


def _add(left: int, right: int) -> int:
    return left + right


def _piece() -> int:
    total = 0
    for number in range(_CALLS):
        total = _add(total, number.bit_length()) + 1000
    return total


def _middle(times: int) -> int:
    """Run the piece so often, and at least once; return the median of its times."""
    seen = []
    for _ in range(max(times, 1)):
        start = perf_counter_ns()
        _piece()
        seen.append(perf_counter_ns() - start)
    return sorted(seen)[len(seen) // 2]


def _quantiles(seen: Sequence[int], shares: Sequence[float]) -> Iterator[int]:
    """Give the quantiles of the looks, each counted as often as rounds were run at its pace: the slower, the fewer."""
    weights = list(accumulate(1 / max(one, 1) for one in seen))
    for share in shares:
        yield seen[min(bisect_left(weights, share * weights[-1]), len(seen) - 1)]


class Pace:
    """Looks at the pace, and keeps what it saw. Single thread."""

    __slots__ = ("_last_ns", "_others_ns", "_own_ns", "_period_ns", "_seen")

    def __init__(self) -> None:
        self._seen = array("q")
        self._period_ns = PERIOD_NS
        self._last_ns = 0
        self._own_ns = 0
        self._others_ns = 0

    def look(self) -> None:
        """Look, at more runs of the piece if the last look was long ago; not while a tracer would slow it down."""
        if sys.gettrace() is not None or sys.getprofile() is not None:
            return
        since = perf_counter_ns() - self._last_ns
        if since < self._period_ns - PERIOD_NS // 2:  # run by run, the rounds may ask for it sooner
            return
        thread, process = thread_time_ns(), process_time_ns()
        _piece()
        self._seen.append(_middle(min(since // PERIOD_NS, _MOST_AT_ONCE)))
        process = process_time_ns() - process  # of less time than the thread's own, where no other thread runs
        own = thread_time_ns() - thread
        self._own_ns += own
        self._others_ns += process - own
        self._last_ns = perf_counter_ns()
        if len(self._seen) > _MOST_LOOKS:
            self._seen = self._seen[::2]
            self._period_ns *= 2

    @property
    def figures(self) -> Mapping[str, float] | None:
        """What a results file keeps: the median in seconds, both ends of its interval, and how many looks there were.

        None without a look, or where other threads of this process were at work meanwhile: then it was not the machine
        that was slow.
        """
        count = len(self._seen)
        if not count or self._others_ns > _OTHERS * self._own_ns:
            return None
        within = min(_LEVEL / (2 * math.sqrt(count)), 0.5)
        low, middle, high = _quantiles(sorted(self._seen), (0.5 - within, 0.5, 0.5 + within))
        return {"median_s": middle / 1e9, "low_s": low / 1e9, "high_s": high / 1e9, "looks": count}
