# SPDX-License-Identifier: MIT
"""The bindings of the statistics leak nothing, on success and on every kind of failure, lack of memory included."""

from __future__ import annotations

import math
import os
from array import array

import pytest

from perfcore import _core
from perfcore.judge.stats import summarize
from perfcore.pytest_plugin.stats import SampleStats

GOOD = array("d", [1.0, 2.0, 3.5, 7.0, 2.5, 2.25])
LONG = array("d", [float(i % 97) for i in range(5000)])
SAMPLES = _core.Samples(GOOD)
BAD_SAMPLES = _core.Samples([1.0, math.nan])


def refused(*args, **kwargs):
    with pytest.raises((TypeError, ValueError, BufferError)):
        _core.summarize(*args, **kwargs)


def stats_object():
    stats = SampleStats(_core.Samples(GOOD))
    stats.as_dict()
    stats.update(3.0)
    assert stats.median_ci is not None
    assert len(stats.data) == 7


CASES = {
    "short": lambda: _core.summarize(GOOD),
    "long": lambda: _core.summarize(LONG, compensated_sum=True, legacy_hd15iqr=True, level=0.9),
    "samples": lambda: _core.summarize(SAMPLES),
    "all magnitudes": lambda: _core.summarize(array("d", [1e-300, 1.0, 1e300])),
    "summary": lambda: summarize(GOOD),
    "stats": stats_object,
    "list": lambda: refused([1.0]),
    "format": lambda: refused(array("f", [1.0])),
    "dimensions": lambda: refused(memoryview(bytes(16)).cast("d", [1, 2])),
    "strided": lambda: refused(memoryview(GOOD)[::2]),
    "empty": lambda: refused(array("d")),
    "nan": lambda: refused(array("d", [math.nan])),
    "samples nan": lambda: refused(BAD_SAMPLES),
    "no samples": lambda: refused(_core.Samples()),
    "level": lambda: refused(GOOD, level=2.0),
    "keyword": lambda: refused(GOOD, levels=2.0),
}


@pytest.mark.parametrize("name", CASES)
def test_nothing_is_left(name, assert_flat):
    assert_flat(CASES[name])
    for samples in (SAMPLES, BAD_SAMPLES):
        samples.append(1.0)  # BufferError if one were still held


@pytest.mark.skipif(os.environ.get("PYTHONMALLOC") == "malloc", reason="the counters stand still: LSan judges here")
def test_a_leak_would_be_seen(assert_flat):
    kept = []
    with pytest.raises(AssertionError, match="blocks more"):
        assert_flat(lambda: kept.append(_core.summarize(GOOD)))


@pytest.mark.parametrize("data", [GOOD, LONG, SAMPLES], ids=["short", "long", "samples"])
def test_every_failing_allocation(data, each_allocation_fails):
    assert each_allocation_fails(lambda: _core.summarize(data, level=0.9)) >= 5
