# SPDX-License-Identifier: MIT
"""The league's arithmetic: spreads, intervals of medians, ratios, verdicts on targets."""

from __future__ import annotations

import math
import random
import statistics
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
# At the end: an installed perfcore must win over the source tree.
sys.path.append(str(ROOT))

from benchmarks.peers.spread import AtMost, Spread, TimesLess, median_interval, quantile, ratio, verdict  # noqa: E402


def test_spread_of_known_values() -> None:
    found = Spread.of([5.0, 1.0, 3.0, 2.0, 4.0])
    assert (found.median, found.q1, found.q3, found.count) == (3.0, 2.0, 4.0, 5)
    assert (found.low, found.high) == (1.0, 5.0)  # five values hold no 95 % interval


def test_spread_interpolates_as_the_standard_library_does() -> None:
    values = [random.Random(1).random() for _ in range(37)]
    q1, median, q3 = statistics.quantiles(values, n=4, method="inclusive")
    found = Spread.of(values)
    assert found.q1 == pytest.approx(q1)
    assert found.median == pytest.approx(median)
    assert found.q3 == pytest.approx(q3)


@pytest.mark.parametrize("values", [[], [1.0, math.nan]])
def test_spread_refuses_what_has_none(values: list[float]) -> None:
    with pytest.raises(ValueError, match="spread"):
        Spread.of(values)


def test_quantile_between_infinities_is_not_nan() -> None:
    assert quantile([1.0, math.inf, math.inf, math.inf], 0.5) == math.inf
    assert quantile([1.0, math.inf], 0.5) == math.inf


@pytest.mark.parametrize(
    ("count", "left_off"),
    # Tables of the sign test at 5 %, two-sided: the r-th smallest of n, less one.
    [(1, 0), (5, 0), (6, 0), (8, 0), (9, 1), (10, 1), (15, 3), (20, 5), (25, 7), (50, 17), (100, 39), (1000, 468)],
)
def test_interval_of_the_median_is_the_table_of_the_sign_test(count: int, left_off: int) -> None:
    assert median_interval(count) == left_off


def test_interval_of_the_median_is_continuous_where_the_method_changes() -> None:
    assert 0 <= median_interval(1001) - median_interval(1000) <= 2


def test_interval_covers_the_median_as_often_as_it_says() -> None:
    source = random.Random(7)
    hits = 0
    for _ in range(2000):
        found = Spread.of([source.expovariate(1) for _ in range(21)])
        hits += found.low <= math.log(2) <= found.high
    assert hits / 2000 > 0.95 - 0.015


def test_ratio_where_ours_is_at_or_below_zero() -> None:
    assert ratio(10.0, 2.0) == 5.0
    assert ratio(10.0, 0.0) == math.inf
    assert ratio(10.0, -1.0) == math.inf
    assert ratio(-2.0, -1.0) == 0.0


@pytest.mark.parametrize(
    ("target", "values", "says"),
    [
        (AtMost(2), [1.0] * 9, "met"),
        (AtMost(2), [2.0] * 9, "met"),
        (AtMost(2), [2.1] * 9, "not met"),
        (AtMost(2), [1.8, 1.9, 1.9, 1.9, 1.95, 1.95, 2.1, 2.2, 2.3], "met, within noise"),
        (AtMost(2), [1.8, 1.9, 1.9, 2.05, 2.1, 2.1, 2.1, 2.2, 2.3], "not met, within noise"),
    ],
)
def test_verdict_of_a_limit(target: AtMost, values: list[float], says: str) -> None:
    assert verdict(target, Spread.of(values), None) == says


@pytest.mark.parametrize(
    ("ratios", "says"),
    [
        ([19.9] * 9, "not met"),
        ([20.0] * 9, "met"),
        ([math.inf] * 9, "met"),
        ([18.0] * 4 + [21.0] * 5, "met, within noise"),
    ],
)
def test_verdict_of_a_factor(ratios: list[float], says: str) -> None:
    assert verdict(TimesLess(20), Spread.of([1.0]), Spread.of(ratios)) == says


def test_verdict_needs_the_figure_that_the_target_is_about() -> None:
    assert verdict(None, None, None) == "no target"
    with pytest.raises(ValueError, match="ratio"):
        verdict(TimesLess(2), Spread.of([1.0]), None)
    with pytest.raises(ValueError, match="figure of ours"):
        verdict(AtMost(2), None, None)
