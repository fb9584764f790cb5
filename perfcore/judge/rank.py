# SPDX-License-Identifier: MIT
"""Tests, estimates and intervals that do not assume a distribution, computed in C.

Samples are sequences of finite numbers, best a buffer of doubles (``perfcore.Samples``, ``array("d")``, NumPy float64).
What another thread writes into one during a call does not matter. The methods and their sources stand in
``csrc/core/judge``: ``pc_rank_test.h``, ``pc_shift.h``, ``pc_bootstrap.h``, ``pc_robust.h``, ``pc_special.h``.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from perfcore import _core
from perfcore.judge.stats import Interval

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = [
    "MAD",
    "RankTest",
    "Ratio",
    "Shift",
    "adjust_pvalues",
    "autocorrelation",
    "bootstrap_ratio",
    "center",
    "mad",
    "rank_sum",
    "shift",
    "signed_rank",
]

Values: TypeAlias = "Iterable[float] | Buffer"
Alternative = Literal["two-sided", "less", "greater"]
Method = Literal["auto", "exact", "normal"]


class RankTest(NamedTuple):
    """The outcome of a rank test."""

    statistic: float
    """U: pairs with the first sample's value above the second's, ties half. W: the rank sum of positive differences."""
    pvalue: float
    z: float | None
    """The normal deviate, corrected for continuity; None where the p-value is exact."""
    ranked: int
    """How many values were ranked."""


class Shift(NamedTuple):
    """A Hodges-Lehmann estimate."""

    estimate: float
    interval: Interval | None
    """None where the samples are too small for the level. Its level is the one asked for, or, where it is exact, the
    next one that can be had."""


class Ratio(NamedTuple):
    """A ratio of two samples' medians or means, by bootstrap."""

    ratio: float
    interval: Interval
    standard_error: float


class MAD(NamedTuple):
    """A median, and the median distance from it (not scaled)."""

    median: float
    mad: float


def as_doubles(values: Values) -> Buffer:
    """Return ``values`` themselves where they are a buffer, else a copy in an ``array("d")``."""
    if isinstance(values, list | tuple | range):
        return array("d", values)
    try:
        memoryview(values).release()  # type: ignore[arg-type]
    except TypeError:
        return array("d", values)  # type: ignore[arg-type]
    return values  # type: ignore[return-value]


def _outcome(found: tuple[float, float, float, float, float, int], alternative: Alternative) -> RankTest:
    statistic, less, greater, two_sided, z, count = found
    pvalues = {"two-sided": two_sided, "less": less, "greater": greater}
    if alternative not in pvalues:
        raise ValueError(f"alternative must be 'two-sided', 'less' or 'greater', not {alternative!r}")
    return RankTest(statistic, pvalues[alternative], None if math.isnan(z) else z, count)


def rank_sum(x: Values, y: Values, alternative: Alternative = "two-sided", method: Method = "auto") -> RankTest:
    """Test whether values of ``x`` tend to be greater or smaller than those of ``y`` (Wilcoxon, Mann and Whitney).

    Args:
        x: The first sample.
        y: The second one.
        alternative: ``"greater"``: x tends to be greater; ``"less"``: smaller.
        method: ``"exact"`` enumerates arrangements (no ties; up to 60 values in each sample, or more where the other
            is small), ``"normal"`` approximates with corrections for ties and continuity, ``"auto"`` is exact where
            that is possible.

    Raises:
        ValueError: A sample is empty or holds a value that is not finite, or exact p-values cannot be had.

    """
    return _outcome(_core.rank_sum(as_doubles(x), as_doubles(y), method), alternative)


def signed_rank(differences: Values, alternative: Alternative = "two-sided", method: Method = "auto") -> RankTest:
    """Test whether paired differences are symmetric about zero (Wilcoxon). Zeros among them are dropped.

    Args:
        differences: One for each pair.
        alternative: ``"greater"``: they tend to be positive; ``"less"``: negative.
        method: As for `rank_sum`; ``"exact"`` takes up to 60 differences, equal ones too.

    Raises:
        ValueError: No difference is other than zero, one is not finite, or exact p-values cannot be had.

    """
    return _outcome(_core.signed_rank(as_doubles(differences), method), alternative)


def _shift(found: tuple[float, float, float, float]) -> Shift:
    estimate, low, high, level = found
    return Shift(estimate, None if level == 1.0 else Interval(low, high, level))


def shift(x: Values, y: Values, level: float = 0.95) -> Shift:
    """Return by how much ``x`` lies above ``y``: the median of all differences (Hodges and Lehmann).

    Args:
        x: The first sample.
        y: The second one.
        level: Of the confidence interval, between 0 and 1; it covers the shift where that is the only difference
            between the distributions.

    Raises:
        ValueError: A sample is empty or holds a value that is not finite, or the level is impossible.

    """
    return _shift(_core.shift_two_sample(as_doubles(x), as_doubles(y), level))


def center(x: Values, level: float = 0.95) -> Shift:
    """Return the median of all means of two values of ``x`` (Hodges and Lehmann), with its interval.

    Args:
        x: The sample, such as the logarithms of paired ratios.
        level: Of the confidence interval, between 0 and 1; it holds for symmetric distributions.

    Raises:
        ValueError: The sample is empty or holds a value that is not finite, or the level is impossible.

    """
    return _shift(_core.shift_one_sample(as_doubles(x), level))


def mad(values: Values) -> MAD:
    """Return the median and the median absolute deviation from it.

    Raises:
        ValueError: There are no values, or one is not finite.

    """
    return MAD(*_core.median_mad(as_doubles(values)))


def autocorrelation(values: Values, lag: int = 1) -> float:
    """Return the autocorrelation of a series at ``lag`` (Box and Jenkins); NaN for a constant one.

    Raises:
        ValueError: A value is not finite, or there are not more than ``lag`` of them.

    """
    return _core.autocorrelation(as_doubles(values), lag)


def adjust_pvalues(pvalues: Values) -> list[float]:
    """Return p-values adjusted for their number (Benjamini and Hochberg), in the same order.

    Rejecting those of at most q keeps the expected share of false ones among the rejected within q.

    Raises:
        ValueError: One is not between 0 and 1, or there are none.

    """
    return _core.adjust_pvalues(as_doubles(pvalues))


def bootstrap_ratio(
    base: Values,
    head: Values,
    *,
    statistic: Literal["median", "mean"] = "median",
    method: Literal["bca", "percentile"] = "bca",
    resamples: int = 9999,
    level: float = 0.95,
    seed: int = 0,
) -> Ratio:
    """Return the ratio of ``head`` to ``base`` with a bootstrap interval (Efron).

    Args:
        base: A sample of positive values.
        head: The other one.
        statistic: What the ratio is of.
        method: ``"bca"`` corrects for bias and skewness; ``"percentile"`` does not.
        resamples: How many, at least 100.
        level: Of the interval, between 0 and 1.
        seed: From 0 to 2**64 - 1. The same seed gives the same interval on every machine.

    Raises:
        ValueError: A sample is empty or not finite, the base's middle is not positive, or an option is impossible.

    """
    for name, value, known in (
        ("statistic", statistic, ("median", "mean")),
        ("method", method, ("bca", "percentile")),
    ):
        if value not in known:
            raise ValueError(f"{name} must be {known[0]!r} or {known[1]!r}, not {value!r}")
    ratio, low, high, error = _core.bootstrap_ratio(
        as_doubles(base),
        as_doubles(head),
        mean=statistic == "mean",
        bca=method == "bca",
        resamples=resamples,
        level=level,
        seed=seed,
    )
    return Ratio(ratio, Interval(low, high, level), error)
