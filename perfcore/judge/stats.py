# SPDX-License-Identifier: MIT
"""The statistics of one benchmark's samples, computed in C."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from perfcore import _core

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["Interval", "Summary", "summarize"]


def exp(logarithm: float) -> float:
    """Return e to this power; infinite where no float holds it, as of figures hundreds of orders apart."""
    return math.exp(logarithm) if logarithm < 709.0 else math.inf


def inverse(value: float) -> float:
    """Return 1 over a value; infinite for zero."""
    return 1 / value if value else math.inf


class Interval(NamedTuple):
    """A confidence interval."""

    low: float
    high: float
    level: float
    """The probability that it covers what it is an interval of."""


@dataclass(frozen=True, slots=True)
class Summary:
    """Statistics of samples, in the samples' own unit.

    Those that pytest-benchmark has (all up to ``total``) equal its own bit for bit. The quantiles ``p90`` to ``p999``
    interpolate linearly between the samples of rank ``floor((n - 1) p)`` and the next (Hyndman and Fan's type 7, the
    default of NumPy and R).
    """

    rounds: int
    """How many samples there are."""
    min: float
    max: float
    mean: float
    """Correctly rounded."""
    stddev: float
    """Sample standard deviation (n - 1), correctly rounded; 0 for one sample, infinite where no float can hold it."""
    median: float
    q1: float
    q3: float
    iqr: float
    iqr_outliers: int
    """How many samples lie more than 1.5 times the IQR outside the quartiles."""
    stddev_outliers: int
    """How many samples lie more than one standard deviation from the mean."""
    ld15iqr: float
    """The lowest sample that is not such an outlier of the IQR."""
    hd15iqr: float
    """The highest one."""
    ops: float
    """``rounds / total``; 0 when the total is 0."""
    total: float
    """The sum, as the running Python's ``sum`` adds it."""
    p50: float
    """The median."""
    p90: float
    p95: float
    p99: float
    p999: float
    mad: float
    """The median distance from the median, not scaled."""
    median_ci: Interval | None
    """A confidence interval of the median that assumes no distribution: two of the samples, whose ranks follow from the
    binomial distribution. Its level is the one asked for, or a little more. ``None`` when there are too few samples for
    that level (fewer than 6 for 0.95)."""

    @property
    def outliers(self) -> str:
        """Both counts of outliers as pytest-benchmark writes them: ``"stddev;iqr"``."""
        return f"{self.stddev_outliers};{self.iqr_outliers}"

    @property
    def percentiles(self) -> dict[str, float]:
        """The quantiles by name."""
        return {"p50": self.p50, "p90": self.p90, "p95": self.p95, "p99": self.p99, "p99.9": self.p999}


def summarize(samples: Buffer, level: float = 0.95) -> Summary:
    """Return the statistics of ``samples``.

    Args:
        samples: A one-dimensional contiguous buffer of doubles: ``perfcore.Samples``, ``array("d")``, NumPy float64.
        level: The confidence level of the median's interval, between 0 and 1.

    Raises:
        ValueError: There are no samples, one of them is not finite, or the level is not between 0 and 1.
        TypeError: The buffer does not hold doubles.

    """
    values = _core.summarize(samples, level=level)
    interval = Interval(values.pop("median_low"), values.pop("median_high"), values.pop("median_level"))
    return Summary(**values, median_ci=None if math.isnan(interval.level) else interval)
