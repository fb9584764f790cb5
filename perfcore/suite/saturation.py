# SPDX-License-Identifier: MIT
"""The saturation point: the highest rate that something sustains.

Short loads of a constant rate are tried, doubled until one is too much, and the border is then narrowed between the
last that was sustained and the first that was not, by halves of their ratio. Too much is: calls fail or are not served,
the p99 exceeds a limit, or the backlog at the end of the load takes longer to drain than a twentieth of the load and
one slow call (the p99 of the time that serving took at the first rate).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from perfcore.suite.arrivals import Shape, constant
from perfcore.units import format_seconds

if TYPE_CHECKING:
    from perfcore.suite.load import LoadResult

__all__ = ["Saturation", "Step", "find_saturation"]


@dataclass(frozen=True, slots=True)
class Step:
    """One load that was tried; ``reason`` says why it was too much, and is empty where it was sustained."""

    rate: float
    result: LoadResult
    reason: str

    def __str__(self) -> str:
        p99 = format_seconds(self.result.latency.percentile(99) * 1e-9)
        return f"{self.rate:9.1f}/s  p99 {p99:>9}  {self.reason or 'sustained'}"


@dataclass(frozen=True, slots=True)
class Saturation:
    """The highest rate that was sustained, the lowest that was not, and every step of the search.

    ``sustained`` is 0 where no rate was, and ``too_much`` is infinite where the highest rate allowed still was.
    """

    sustained: float
    too_much: float
    steps: tuple[Step, ...]

    def __str__(self) -> str:
        if not self.sustained:
            end = f"saturated below {self.too_much:.1f}/s"
        elif math.isinf(self.too_much):
            end = f"not saturated at {self.sustained:.1f}/s"
        else:
            end = f"saturated between {self.sustained:.1f}/s and {self.too_much:.1f}/s"
        return "\n".join([*map(str, self.steps), end])


def find_saturation(
    run: Callable[[Shape], LoadResult],
    *,
    start: float,
    seconds: float = 1.0,
    max_p99: float | None = None,
    max_rate: float = 100_000.0,
    refine: int = 3,
) -> Saturation:
    """Search for the highest rate of calls that is sustained.

    Args:
        run: makes a load of a shape, such as ``lambda shape: run_load(work, shape, workers=4)``.
        start: the first rate tried, in calls per second.
        seconds: how long each load is. The longer, the smaller the overload that shows.
        max_p99: a p99 latency, in seconds, beyond which a rate counts as too much.
        max_rate: no higher rate is tried.
        refine: how often the border is narrowed; each time halves the logarithm of its width.

    Raises:
        ValueError: a rate is not above 0, or so small that a load would have no call.

    """
    if not 0 < start <= max_rate:
        raise ValueError(f"the search cannot start at {start!r}/s; give a rate above 0 and up to {max_rate:g}/s")
    steps: list[Step] = []
    sustained, too_much = 0.0, math.inf

    def attempt(rate: float) -> None:
        nonlocal sustained, too_much
        result = run(constant(rate, seconds))
        slow = (steps[0].result if steps else result).service.percentile(99) * 1e-9
        steps.append(Step(rate, result, _reason(result, max_p99, slow)))
        if steps[-1].reason:
            too_much = min(too_much, rate)
        else:
            sustained = max(sustained, rate)

    rate = start
    attempt(rate)
    if too_much == start:
        while not sustained and rate / 2 * seconds >= 10:  # a load of fewer calls says nothing
            rate /= 2
            attempt(rate)
    else:
        while math.isinf(too_much) and rate < max_rate:
            rate = min(rate * 2, max_rate)
            attempt(rate)
    if sustained and not math.isinf(too_much):
        for _ in range(refine):
            attempt(math.sqrt(sustained * too_much))
    return Saturation(sustained, too_much, tuple(steps))


def _reason(result: LoadResult, max_p99: float | None, slow: float) -> str:
    p99 = result.latency.percentile(99) * 1e-9
    drain = result.seconds - result.schedule_seconds
    if result.failed:
        return f"{sum(result.failed.values())} calls failed"
    if result.unserved:
        return f"{result.unserved} calls not served"
    if drain > result.schedule_seconds / 20 + slow:
        return f"{format_seconds(drain)} to drain the backlog"
    if max_p99 is not None and p99 > max_p99:
        return f"p99 above {format_seconds(max_p99)}"
    return ""
