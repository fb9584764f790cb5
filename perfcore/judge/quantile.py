# SPDX-License-Identifier: MIT
"""Intervals of a mean and of a quantile, from few samples."""

from __future__ import annotations

import math
from collections.abc import Sequence

from perfcore import _core

LEVEL = 0.95


def mean_interval(mean: float, stddev: float, count: int, level: float = LEVEL) -> tuple[float, float]:
    """Return Student's interval of a mean; NaN for fewer than two samples.

    It takes the samples for independent and the mean of them for about normal.
    """
    if count < 2 or not math.isfinite(stddev):
        return math.nan, math.nan
    half = _core.student_quantile((1 + level) / 2, count - 1) * stddev / math.sqrt(count)
    return mean - half, mean + half


def _binomial(count: int, p: float) -> tuple[int, list[float]]:
    """Return the probabilities of Binomial(count, p) where they are not negligible, and which number is the first."""
    spread = 9 * math.sqrt(count * p * (1 - p)) + 9
    first, last = max(0, math.floor(count * p - spread)), min(count, math.ceil(count * p + spread))
    log_p, log_q, whole = math.log(p), math.log1p(-p), math.lgamma(count + 1)
    return first, [
        math.exp(whole - math.lgamma(k + 1) - math.lgamma(count - k + 1) + k * log_p + (count - k) * log_q)
        for k in range(first, last + 1)
    ]


def quantile_interval(ordered: Sequence[float], p: float, level: float = LEVEL) -> tuple[float, float]:
    """Return an interval of a quantile that assumes no distribution: two of the samples, or an infinity.

    How many of n samples lie below the quantile follows Binomial(n, p), which gives the ranks of samples that it lies
    between (David and Nagaraja, Order Statistics, 7.1). Few samples do not bound a high quantile from above: the 0.95
    quantile takes 72 for that.

    Args:
        ordered: the samples, in ascending order.
        p: above 0 and below 1.
        level: of confidence, at least.

    """
    count, tail = len(ordered), (1 - level) / 2
    first, probabilities = _binomial(count, p)
    # The quantile is below the sample of rank r exactly if fewer than r samples lie below it.
    below, low = 0.0, 0
    for k, probability in enumerate(probabilities, first):
        below += probability
        if below > tail:
            break
        low = k + 1
    above, high = 0.0, count + 1
    for k in range(first + len(probabilities) - 1, first - 1, -1):
        above += probabilities[k - first]
        if above > tail:
            break
        high = k
    return (ordered[low - 1] if low > 0 else -math.inf), (ordered[high - 1] if high <= count else math.inf)
