# SPDX-License-Identifier: MIT
"""When the calls of a load begin: shapes of the rate over time, and the moments drawn from them in advance.

A shape is a row of phases in which the rate goes in a straight line from one value to another. Its arrivals are the
moments at which the rate, summed up over time, reaches 0, 1, 2, ... (evenly), or sums of exponential draws, which
makes them a Poisson process whose rate follows the shape (inversion: Cinlar, Introduction to Stochastic Processes,
1975, section 4.7). Both come from one function, and the same seed gives the same moments. Unit: nanoseconds from the
start of the run. Immutable.
"""

from __future__ import annotations

import math
import random
from array import array
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Phase", "Shape", "burst", "constant", "ramp"]


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of time in which the rate, in calls per second, goes from ``first`` to ``last``."""

    seconds: float
    first: float
    last: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.seconds) and self.seconds > 0):
            raise ValueError(f"a phase cannot last {self.seconds!r} s; give a number above 0")
        for rate in (self.first, self.last):
            if not (math.isfinite(rate) and rate >= 0):
                raise ValueError(f"{rate!r} is no rate; give calls per second, 0 or more")

    @property
    def calls(self) -> float:
        """How many calls are expected in it."""
        return self.seconds * (self.first + self.last) / 2

    def moment(self, calls: float) -> float:
        """Return after how many seconds of the phase that many calls are expected."""
        if calls <= 0:  # what rounding takes from the sum over the phases before
            return 0.0
        slope = (self.last - self.first) / self.seconds
        root = math.sqrt(max(self.first**2 + 2 * slope * calls, 0.0))
        # The textbook's (root - first) / slope loses all digits where the rate hardly changes.
        return min(2 * calls / (self.first + root), self.seconds)


@dataclass(frozen=True, slots=True)
class Shape:
    """A rate over time, made by `constant`, `burst` or `ramp`; shapes are joined with ``+``."""

    name: str
    phases: tuple[Phase, ...]

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return sum(phase.seconds for phase in self.phases)

    @property
    def calls(self) -> float:
        """How many calls are expected over all of it."""
        return sum(phase.calls for phase in self.phases)

    def __add__(self, other: Shape) -> Shape:
        if not isinstance(other, Shape):
            return NotImplemented
        return Shape(f"{self.name}, {other.name}", self.phases + other.phases)

    def arrivals(self, *, poisson: bool = True, seed: int = 0) -> array[int]:
        """Return the moments at which calls begin, ascending.

        Args:
            poisson: draw them, as independent users come; otherwise they are as even as the rate allows.
            seed: of the draw; the same seed gives the same moments, on any machine.

        Returns:
            Nanoseconds from the start of the run.

        """
        steps = _exponential_sums(seed) if poisson else _counted()
        moments = array("q")
        before_ns, before_calls, wanted = 0.0, 0.0, next(steps)
        for phase in self.phases:
            end = before_calls + phase.calls
            while wanted < end - 1e-9:
                moments.append(round(before_ns + phase.moment(wanted - before_calls) * 1e9))
                wanted = next(steps)
            before_ns, before_calls = before_ns + phase.seconds * 1e9, end
        return moments

    def __str__(self) -> str:
        return self.name


def _counted() -> Iterator[float]:
    count = 0.0
    while True:
        yield count
        count += 1.0


def _exponential_sums(seed: int) -> Iterator[float]:
    draw, total = random.Random(seed), 0.0  # noqa: S311 - a load, not a secret
    while True:
        total += draw.expovariate(1.0)
        yield total


def constant(rate: float, seconds: float) -> Shape:
    """Return a shape of ``rate`` calls per second for so many seconds."""
    return Shape(f"{rate:g}/s for {seconds:g} s", (Phase(seconds, rate, rate),))


def ramp(first: float, last: float, seconds: float) -> Shape:
    """Return a shape whose rate goes evenly from ``first`` to ``last`` calls per second in so many seconds."""
    return Shape(f"{first:g} to {last:g}/s in {seconds:g} s", (Phase(seconds, first, last),))


def burst(rate: float, peak: float, seconds: float, *, bursts: int = 1, share: float = 0.2) -> Shape:
    """Return a shape of ``rate`` calls per second that jumps to ``peak`` at the end of each of several equal periods.

    Args:
        rate: calls per second between the bursts.
        peak: calls per second during a burst.
        seconds: how long all periods last together.
        bursts: how many periods there are, each with one burst.
        share: how much of a period its burst takes, between 0 and 1.

    """
    if bursts < 1:
        raise ValueError(f"{bursts!r} bursts cannot be made; give 1 or more")
    if not 0 < share < 1:
        raise ValueError(f"a burst cannot take {share!r} of its period; give a number between 0 and 1")
    period = seconds / bursts
    phases = (Phase(period * (1 - share), rate, rate), Phase(period * share, peak, peak))
    times = f", {bursts} times" if bursts > 1 else ""
    return Shape(f"{rate:g}/s with bursts of {peak:g}/s for {period * share:g} s{times}", phases * bursts)
