# SPDX-License-Identifier: MIT
"""SampleStats, the statistics object that pytest-benchmark's code gets."""

from __future__ import annotations

import math
from bisect import bisect_left

import pytest
from pytest_benchmark.stats import Stats
from stats_reference import bits, ours_of, stock_of

from perfcore import _core
from perfcore.pytest_plugin.stats import SampleStats


def test_fields_follow_the_samples():
    samples = _core.Samples([1.0, 2.0, 3.0])
    stats = SampleStats(samples)
    assert stats.samples is samples
    assert isinstance(stats, Stats)
    assert stats.fields == Stats.fields
    assert stats.mean == 2.0
    first = stats.data
    assert stats.data is first
    samples.append(6.0)  # as the round loop does
    assert stats.mean == 3.0
    assert stats.data == [1.0, 2.0, 3.0, 6.0]
    stats.update(8.0)
    assert (stats.rounds, stats.max, len(stats)) == (5, 8.0, 5)
    assert samples.tolist() == [1.0, 2.0, 3.0, 6.0, 8.0]
    assert stats.sorted_data == sorted(stats.data)


def test_types_where_they_show():
    one = ours_of([2.0])
    assert type(one.stddev) is int
    assert type(ours_of([0.0, -0.0]).ops) is int
    assert one.outliers == "0;0"


def test_float_subclass_is_left_to_stock():
    class Seconds(float):
        pass

    stats = ours_of([1.0, Seconds(2.0)])
    assert type(stats.max) is Seconds
    assert type(stats.min) is float


def test_not_finite_after_finite():
    stats = ours_of([1.0, 2.0])
    assert stats.mean == 1.5
    assert stats.mad == 0.5
    stats.update(math.inf)
    assert stats.mean == math.inf
    assert stats.mad is None
    assert stats.percentiles is None
    assert stats.median_ci is None


def test_extra_properties():
    data = [float(value) for value in range(1, 102)]
    stats = ours_of(data)
    assert stats.percentiles == {"p50": 51.0, "p90": 91.0, "p95": 96.0, "p99": 100.0, "p99.9": pytest.approx(100.9)}
    assert stats.mad == 25.0
    low, high, level = stats.median_ci
    assert (low, high) == (41.0, 61.0)
    assert 0.95 <= level < 0.97
    assert ours_of([1.0, 2.0]).median_ci is None
    assert SampleStats().percentiles is None


def test_extra_fields_of_another_plugin(monkeypatch):
    monkeypatch.setattr(Stats, "fields", (*Stats.fields, "mad"))
    assert ours_of([1.0, 2.0, 4.0]).as_dict()["mad"] == 1.0


def test_data_can_be_assigned():
    stats = ours_of([1.0])
    assert stats.mean == 1.0
    stats.data = [3.0]
    assert stats.mean == 3.0
    stats.data = [3, 4]
    assert (stats.total, type(stats.total)) == (7, int)
    stats.data = [5.0]
    assert bits(stats.total) == bits(5.0)


def test_bisect_reference():
    """The low fence, against bisect_left on data with repeated values at the fence."""
    data = [0.0, 1.0, 1.0, 2.0, 2.0, 2.0, 2.0, 3.0, 3.0, 4.0, 50.0]
    stats = stock_of(data)
    fence = stats.q1 - 1.5 * stats.iqr
    assert ours_of(data).ld15iqr == sorted(data)[bisect_left(sorted(data), fence)]


def test_samples_that_are_changed_in_place_count():
    """As many of them as there were, so that their number does not tell."""
    values = [1.0, 2.0, 6.0]
    for stats in (ours_of(values), stock_of(values)):
        held = stats.data
        held[:] = [sample / 2 for sample in held]
        stats.update(8.0)
        held[0] = 0.25
        assert stats.data is held
        assert (stats.mean, stats.min, stats.max, stats.rounds) == (3.0625, 0.25, 8.0, 4)
    ours = ours_of(values)
    assert ours.mean == 3.0  # as a metric of calls asks before the test does
    ours.data[2] = 9.0
    assert (ours.samples.tolist(), ours.mean, ours.mad) == ([1.0, 2.0, 9.0], 4.0, 1.0)
    ours.data[2] = 3
    assert (ours.max, type(ours.max), ours.mad) == (3, int, None)
    ours.data = held = [4.0, 5.0]
    held[0] = math.nan
    assert math.isnan(ours.mean)
    held[0] = 3.0
    assert ours.data is held
    assert ours.mean == 4.0
