# SPDX-License-Identifier: MIT
"""Where a series of results changed.

``find_windowed`` is the method of Hunter and Apache Otava, with the same change points. ``find_levels`` finds changes
of level in series with spikes, autocorrelation or two modes, where that method raises false alarms. Their sources stand
in ``csrc/core/judge``: ``pc_windowed.h`` and ``pc_levels.h``.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import NamedTuple

from perfcore import _core
from perfcore.judge.rank import Values, as_doubles

__all__ = ["ChangePoint", "LevelChange", "WindowedSeries", "find_levels", "find_levels_of_each", "find_windowed"]


class ChangePoint(NamedTuple):
    """A change in the mean of a series."""

    position: int
    """The first point after the change."""
    pvalue: float
    mean_before: float
    """Of the points from the change before to this one."""
    mean_after: float
    """Of the points from this change to the next one."""
    stddev_before: float
    stddev_after: float
    magnitude: float
    """The greater of the relative changes forwards and backwards."""


class WindowedSeries:
    """A series that grows, searched by windowed E-divisive means.

    Searching again after an append looks at the last few windows alone.

    Args:
        window: Points in a window, from 2 to 1000. Changes that lie closer than that are told apart less well.
        max_pvalue: Of the t-test that keeps a change point.
        min_magnitude: The least relative change that is kept.

    Raises:
        ValueError: An argument is impossible.

    """

    def __init__(self, window: int = 50, max_pvalue: float = 0.001, min_magnitude: float = 0.0) -> None:
        self._series = _core.WindowedSeries(window, max_pvalue, min_magnitude)

    def __len__(self) -> int:
        return len(self._series)

    def append(self, values: Values) -> None:
        """Add points at the end: all of them, or none where one is refused.

        Raises:
            ValueError: One is not finite or lies past 1e150.

        """
        self._series.append(as_doubles(values))

    def find(self) -> list[ChangePoint]:
        """Return the change points in their order."""
        return list(map(ChangePoint._make, self._series.find()))


def find_windowed(
    values: Values, window: int = 50, max_pvalue: float = 0.001, min_magnitude: float = 0.0
) -> list[ChangePoint]:
    """Return the change points of a series as Apache Otava 0.8 does: see `WindowedSeries`.

    Raises:
        ValueError: A value is not finite or lies past 1e150, or an option is impossible.

    """
    series = WindowedSeries(window, max_pvalue, min_magnitude)
    series.append(values)
    return series.find()


class LevelChange(NamedTuple):
    """A change of the level of a series."""

    position: int
    """The first point of the new level."""
    pvalue: float
    """Of the rank-sum test between the two levels, allowing for autocorrelation."""
    before: float
    """The median of the level before."""
    after: float
    """The median of the level after."""
    magnitude: float
    """The greater of the relative changes forwards and backwards."""


def find_levels(
    values: Values,
    *,
    min_length: int = 5,
    false_alarm: float = 0.005,
    max_pvalue: float = 0.002,
    min_magnitude: float = 0.0,
    seed: int = 0,
) -> list[LevelChange]:
    """Return the changes of level of a series, by optimal partitioning of its ranks.

    Args:
        values: The series; leave gaps out.
        min_length: The fewest points of a level, from 2.
        false_alarm: Probability of a change in an independent series without one, from 0.005 to 0.5.
        max_pvalue: Of the rank-sum test that keeps a change.
        min_magnitude: The least relative change of the median that is kept.
        seed: Of the permutations, from 0 to 2**64 - 1.

    Raises:
        ValueError: A value is not finite, or an option is impossible.

    """
    changes = _core.find_levels(as_doubles(values), min_length, false_alarm, max_pvalue, min_magnitude, seed)
    return list(map(LevelChange._make, changes))


def find_levels_of_each(
    series: Iterable[Values],
    *,
    threads: int | None = None,
    min_length: int = 5,
    false_alarm: float = 0.005,
    max_pvalue: float = 0.002,
    min_magnitude: float = 0.0,
    seed: int = 0,
) -> list[list[LevelChange]]:
    """Return what `find_levels` returns for each of many series, in their order.

    They are searched without the GIL, several at a time. The permutations are drawn once for series of the same length,
    which is half of the work.

    Args:
        series: The series.
        threads: How many to search at a time; by default as many as there are usable processors.
        min_length: This and the others are those of `find_levels`, for every series.
        false_alarm: Likewise.
        max_pvalue: Likewise.
        min_magnitude: Likewise.
        seed: Likewise.

    Raises:
        ValueError: As of `find_levels`, or fewer than one thread.

    """
    wanted = len(os.sched_getaffinity(0)) if threads is None else threads
    if wanted < 1:
        raise ValueError(f"threads must be 1 or more, not {wanted}")
    these = [as_doubles(one) for one in series]
    order = sorted(range(len(these)), key=lambda index: memoryview(these[index]).nbytes)

    def search(share: list[int]) -> list[list[tuple[int, float, float, float, float]]]:
        chosen = tuple(these[index] for index in share)
        return _core.find_levels_of_each(chosen, min_length, false_alarm, max_pvalue, min_magnitude, seed)

    # A share for each thread, one in every `count` series: handing over each of a thousand would take its time.
    count = max(1, min(wanted, len(these)))
    shares = [order[first::count] for first in range(count)]
    if count == 1:
        results = [search(share) for share in shares]
    else:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(count, "perfcore-levels") as pool:
            results = list(pool.map(search, shares))
    found: list[list[LevelChange]] = [[] for _ in these]
    for share, result in zip(shares, results, strict=True):
        for index, changes in zip(share, result, strict=True):
            found[index] = list(map(LevelChange._make, changes))
    return found
