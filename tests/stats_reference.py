# SPDX-License-Identifier: MIT
"""Statistics as they should be: pytest-benchmark's own, and definitions of what it does not have."""

from __future__ import annotations

import fractions
import math
import statistics
import struct
from array import array
from bisect import bisect_right

import pytest
from pytest_benchmark.stats import Stats

from perfcore import _core
from perfcore.pytest_plugin.stats import SampleStats

# What pytest-benchmark's class raises for data that its arithmetic does not take.
REFUSALS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


def bits(value):
    """A value that is equal only for the same type, bits and sign; any NaN equals any other."""
    if isinstance(value, float):
        return "nan" if math.isnan(value) else struct.pack("<d", value)
    return type(value), value


def outcome(stats, name):
    try:
        return bits(getattr(stats, name))
    except REFUSALS as error:
        return type(error), str(error)


def stock_of(data):
    stats = Stats()
    stats.data = list(data)
    return stats


def ours_of(data):
    stats = SampleStats()
    for value in data:
        stats.update(value)
    return stats


def assert_like_stock(data):
    stock, ours = stock_of(data), ours_of(data)
    for name in Stats.fields:
        assert outcome(ours, name) == outcome(stock, name), (name, data)
    assert bool(ours) is bool(stock)
    assert list(map(bits, ours.data)) == list(map(bits, stock.data))
    try:
        expected = stock_of(data).as_dict()
    except REFUSALS as error:
        with pytest.raises(type(error)):
            ours_of(data).as_dict()
    else:
        got = ours_of(data).as_dict()
        assert list(got) == list(expected)
        assert list(map(bits, got.values())) == list(map(bits, expected.values()))


# ---- Reference definitions of what pytest-benchmark does not have ----


def reference_quantile(data, per_mille):
    data = sorted(data)
    rank, rest = divmod((len(data) - 1) * per_mille, 1000)
    if rest == 0:
        return data[rank]
    fraction = rest / 1000
    low, high = data[rank], data[rank + 1]
    if math.isinf(high - low):
        return low * (1 - fraction) + high * fraction
    return low + (high - low) * fraction if fraction < 0.5 else high - (high - low) * (1 - fraction)


def reference_mad(data):
    median = statistics.median(data)
    return statistics.median([abs(value - median) for value in data])


def reference_hd15iqr(data, legacy):
    """The formula of pytest-benchmark up to 5.3.0 (legacy), and the one after."""
    ordered, stats = sorted(data), stock_of(data)
    if len(ordered) == 1:
        return ordered[0]
    position = bisect_right(ordered, stats.q3 + 1.5 * stats.iqr)
    if legacy:
        return ordered[-1] if position == len(ordered) else ordered[position]
    return ordered[position - 1]


def reference_interval(length, level):
    """The largest k for which 2 P(B < k) <= 1 - level, in exact arithmetic: (k or 0, achieved level)."""
    miss, below, best = fractions.Fraction(1.0 - level), fractions.Fraction(0), (0, None)
    for k in range(1, length // 2 + 2):
        below += fractions.Fraction(math.comb(length, k - 1), 2**length)
        if 2 * below > miss:
            break
        best = k, float(1 - 2 * below)
    return best


def assert_extras(data):
    got = _core.summarize(array("d", data))
    assert bits(got["p50"]) == bits(statistics.median(data))
    for name, per_mille in (("p90", 900), ("p95", 950), ("p99", 990), ("p999", 999)):
        assert bits(got[name]) == bits(reference_quantile(data, per_mille)), (name, data)
    assert bits(got["mad"]) == bits(reference_mad(data)), data
    for legacy in (False, True):
        hd15iqr = _core.summarize(array("d", data), legacy_hd15iqr=legacy)["hd15iqr"]
        assert bits(hd15iqr) == bits(reference_hd15iqr(data, legacy)), (legacy, data)
