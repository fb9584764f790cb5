# SPDX-License-Identifier: MIT
"""The arithmetic of the league: the spread of repeated figures, their ratio, and a target held against both."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spread:
    """Where repeated measurements of one figure lie.

    ``low`` and ``high`` bound the median with at least 95 % confidence whatever the distribution (order statistics,
    binomial(n, 1/2)); under six values no such interval exists, and they are the least and the greatest value.
    """

    median: float
    q1: float
    q3: float
    low: float
    high: float
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Return the spread of ``values``, which may hold infinities but no NaN, and must not be empty."""
        if not values:
            raise ValueError("a spread needs at least one value")
        if any(math.isnan(value) for value in values):
            raise ValueError("a spread of NaN has no meaning")
        ordered = sorted(values)
        below = median_interval(len(ordered))
        return cls(
            median=quantile(ordered, 0.5),
            q1=quantile(ordered, 0.25),
            q3=quantile(ordered, 0.75),
            low=ordered[below],
            high=ordered[-1 - below],
            count=len(ordered),
        )


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return the quantile of sorted values by linear interpolation (type 7), keeping infinities as they are."""
    position = share * (len(ordered) - 1)
    index = math.floor(position)
    left, right = ordered[index], ordered[min(index + 1, len(ordered) - 1)]
    if position == index or left == right:
        return left
    return left + (position - index) * (right - left)


def median_interval(count: int, confidence: float = 0.95) -> int:
    """Return how many order statistics can be left off at each end of an interval of the median.

    The interval from ``ordered[k]`` to ``ordered[-1 - k]`` covers the median with probability
    ``1 - 2 * P(binomial(count, 1/2) <= k)``. The answer is the greatest ``k`` that keeps the confidence, or 0.
    """
    if count > 1000:
        z = statistics.NormalDist().inv_cdf(0.5 + confidence / 2)
        return max(0, math.floor((count - z * math.sqrt(count)) / 2 - 1))
    tail, index = 0.0, 0
    while index <= count // 2:
        tail += math.comb(count, index) / 2.0**count
        if 2 * tail > 1 - confidence:
            break
        index += 1
    return max(0, index - 1)


def ratio(theirs: float, ours: float) -> float:
    """Return how many times smaller ours is; a figure of ours at or below zero is infinitely better than a greater one.

    Overheads are differences and can come out at zero or under it, where a quotient says nothing.
    """
    if ours > 0:
        return theirs / ours
    return math.inf if theirs >= ours else 0.0


@dataclass(frozen=True, slots=True)
class AtMost:
    """Our own figure must not exceed ``limit`` (in the row's unit)."""

    limit: float


@dataclass(frozen=True, slots=True)
class TimesLess:
    """Our figure must be at least ``factor`` times smaller than the peer's."""

    factor: float


Target = AtMost | TimesLess


def verdict(target: Target | None, ours: Spread | None, of_ratio: Spread | None) -> str:
    """Return what the measurement says about the target, judged by the median.

    "met" or "not met"; with ", within noise" behind it when the interval of the median holds the target's limit;
    "no target" without one.
    """
    if target is None:
        return "no target"
    if isinstance(target, AtMost):
        if ours is None:
            raise ValueError("a limit needs a figure of ours")
        limit, spread, met = target.limit, ours, ours.median <= target.limit
    else:
        if of_ratio is None:
            raise ValueError("a factor needs a ratio")
        limit, spread, met = target.factor, of_ratio, of_ratio.median >= target.factor
    noisy = spread.low <= limit <= spread.high and spread.low != spread.high
    return ("met" if met else "not met") + (", within noise" if noisy else "")
