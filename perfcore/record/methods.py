# SPDX-License-Identifier: MIT
"""How a benchmark was measured, and which ways to measure mean the same.

A way is a kernel, or a kernel with its timer: ``unrolled``, ``unrolled/perf_counter``. Whether a round has many calls
("unrolled") or one ("vectorcall") is what calibration finds: a function that grows past the least time of a round,
5 µs, goes from one to the other. Both are times of the same calls, and a round of one call has the clock in it, too.
"""

from __future__ import annotations

ONE_CALL = "vectorcall"

# What a round of one call measures beyond the call, and rounds of many do not: two readings of the clock, in seconds.
# 17 to 19 ns were measured (benchmarks/peers); slower processors and clocks have room.
ONE_CALL_S = 50e-9
_SAME_CALLS = frozenset(("unrolled", ONE_CALL))


def alike(way: str) -> frozenset[str]:
    """Return the ways whose times mean the same as those of this one; it is among them."""
    kernel, slash, timer = way.partition("/")
    return frozenset(f"{one}{slash}{timer}" for one in _SAME_CALLS) if kernel in _SAME_CALLS else frozenset((way,))


def is_one_call(way: str) -> bool:
    """Whether rounds have one call each, and so the clock's own time in them."""
    return way.partition("/")[0] == ONE_CALL
