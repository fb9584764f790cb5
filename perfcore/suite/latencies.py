# SPDX-License-Identifier: MIT
"""Latencies: every one of a run, exact, and the percentiles that HdrHistogram reports of them.

HdrHistogram sorts values into buckets of constant relative width so that memory is bounded; here each value is kept in
8 bytes, which an hour at 1000 calls per second fits into 29 MB, and nothing is rounded. Definition of a percentile as
there: the smallest value that at least so many percent of the values do not exceed (the nearest rank), so that it is
always a latency that was seen. Unit: nanoseconds. Immutable, so any thread may read.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Iterator

from perfcore.units import format_seconds

__all__ = ["Latencies"]

_SUMMARY = ((50.0, "p50"), (90.0, "p90"), (95.0, "p95"), (99.0, "p99"), (99.9, "p99.9"))


class Latencies:
    """A sorted collection of latencies in nanoseconds.

    Args:
        values_ns: the latencies, in any order.

    """

    __slots__ = ("_values",)

    def __init__(self, values_ns: Iterable[int] = ()) -> None:
        self._values = array("q", sorted(values_ns))

    @classmethod
    def merged(cls, parts: Iterable[Latencies]) -> Latencies:
        """Return all latencies of several collections as one; unlike averaged percentiles, this is exact."""
        return cls(value for part in parts for value in part)

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[int]:
        return iter(self._values)

    @property
    def min_ns(self) -> int:
        """The shortest; 0 where there are none."""
        return self._values[0] if self._values else 0

    @property
    def max_ns(self) -> int:
        """The longest; 0 where there are none."""
        return self._values[-1] if self._values else 0

    @property
    def mean_ns(self) -> float:
        """The arithmetic mean; 0 where there are none."""
        return sum(self._values) / len(self._values) if self._values else 0.0

    def percentile(self, percent: float) -> int:
        """Return the smallest latency that at least ``percent`` of all do not exceed; 0 where there are none.

        Args:
            percent: from 0 (the shortest) to 100 (the longest).

        """
        if not 0 <= percent <= 100:
            raise ValueError(f"{percent!r} is no percentile; it lies between 0 and 100")
        if not self._values:
            return 0
        # 99.9 % of 1000 are 999, whatever 99.9 * 1000 / 100 is in binary.
        rank = math.ceil(round(percent * len(self._values) / 100, 6))
        return self._values[max(rank, 1) - 1]

    def spectrum(self, per_half: int = 2) -> list[tuple[float, int, int]]:
        """Return HdrHistogram's ladder of percentiles: steps that halve as the distance to 100 % halves.

        Args:
            per_half: how many steps are made before the step is halved.

        Returns:
            Rows of percentile, latency in nanoseconds, and how many latencies it covers, from the shortest
            latency to the longest. The ladder ends where a step would be finer than one latency.

        """
        if not self._values:
            return []
        total, rows, percent, step = len(self._values), [], 0.0, 50.0 / per_half
        while (100.0 - percent) * total > 100.0:
            rows.append((percent, self.percentile(percent), max(math.ceil(round(percent * total / 100, 6)), 1)))
            percent += step
            if percent >= 100.0 - step * per_half:
                step /= 2
        return [*rows, (100.0, self.max_ns, total)]

    def summary(self) -> dict[str, int | float]:
        """Return count, mean, percentiles and the longest, all in nanoseconds, for JSON; the count alone if it is 0."""
        if not self._values:
            return {"count": 0}
        percentiles = {name: self.percentile(percent) for percent, name in _SUMMARY}
        return {"count": len(self), "mean": self.mean_ns, **percentiles, "max": self.max_ns}

    def __str__(self) -> str:
        if not self._values:
            return "no latencies"
        shown = [f"{name} {format_seconds(self.percentile(percent) * 1e-9)}" for percent, name in _SUMMARY]
        return ", ".join([*shown, f"max {format_seconds(self.max_ns * 1e-9)}"])

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self)}: {self}>"
