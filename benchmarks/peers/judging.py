# SPDX-License-Identifier: MIT
"""Rows about the judge's statistics: rank-sum test, bootstrap of a ratio, change points of a history."""

from __future__ import annotations

import random
from array import array
from collections.abc import Callable, Iterator
from time import perf_counter

from benchmarks.peers.harness import OURS, Case, Context, row
from benchmarks.peers.spread import AtMost, TimesLess

SCIPY = "scipy"
OTAVA = "apache-otava"


def milliseconds(function: Callable[[], object]) -> float:
    """Time one call."""
    start = perf_counter()
    function()
    return (perf_counter() - start) * 1e3


def normal(count: int, seed: int) -> list[float]:
    """Return positive values around 10."""
    source = random.Random(seed)
    return [10 + source.gauss(0, 1) for _ in range(count)]


@row("rank-sum", unit="ms", peers=(SCIPY,))
def rank_sum_row(context: Context) -> Iterator[Case]:
    """Compare two samples by the rank-sum test, normal approximation."""
    from perfcore.judge import rank

    for count in (100, 10_000):
        x, y = array("d", normal(count, 1)), array("d", normal(count, 2))
        timers: dict[str, Callable[[], float]] = {
            OURS: lambda x=x, y=y: milliseconds(lambda: rank.rank_sum(x, y, method="normal"))  # type: ignore[misc]
        }
        if context.has(SCIPY):
            from scipy import stats

            timers[SCIPY] = lambda x=x, y=y: milliseconds(  # type: ignore[misc]
                lambda: stats.mannwhitneyu(x, y, method="asymptotic")
            )
        yield Case(f"{count} and {count} values", context.interleave(timers))


@row("bootstrap", unit="ms", peers=(SCIPY,))
def bootstrap_row(context: Context) -> Iterator[Case]:
    """Find the BCa interval of a ratio of medians with 9999 resamples."""
    from perfcore.judge import rank

    for count in (20, 100):
        x, y = array("d", normal(count, 1)), array("d", normal(count, 2))
        timers: dict[str, Callable[[], float]] = {
            OURS: lambda x=x, y=y: milliseconds(lambda: rank.bootstrap_ratio(x, y))  # type: ignore[misc]
        }
        if context.has(SCIPY):
            import numpy as np
            from scipy import stats

            def theirs(x: array[float] = x, y: array[float] = y) -> object:
                return stats.bootstrap(
                    (x, y), lambda a, b, axis=-1: np.median(b, axis=axis) / np.median(a, axis=axis), method="BCa"
                )

            timers[SCIPY] = lambda theirs=theirs: milliseconds(theirs)  # type: ignore[misc]
        yield Case(f"{count} and {count} values", context.interleave(timers, min(5, context.repeats)))


@row("change-points", unit="ms", peers=(OTAVA,))
def change_points_row(context: Context) -> Iterator[Case]:
    """Search a history for change points by windowed E-divisive, with the same result."""
    from perfcore.judge.changepoint import find_windowed

    for count in (1_000, 10_000):
        values = [value + 3 * (i // 500 % 2) for i, value in enumerate(normal(count, 3))]
        series = array("d", values)
        timers: dict[str, Callable[[], float]] = {
            OURS: lambda series=series: milliseconds(lambda: find_windowed(series))  # type: ignore[misc]
        }
        if context.has(OTAVA):
            from otava.analysis import compute_change_points

            theirs = [change.index for change in compute_change_points(list(values))[0]]
            if [change.position for change in find_windowed(series)] != theirs:
                raise RuntimeError(f"different change points in {count} values")
            timers[OTAVA] = lambda values=values: milliseconds(  # type: ignore[misc]
                lambda: compute_change_points(list(values))
            )
        targets = {OURS: AtMost(3), OTAVA: TimesLess(40)} if count == 10_000 else {OTAVA: TimesLess(40)}
        yield Case(f"{count} points", context.interleave(timers), targets)
