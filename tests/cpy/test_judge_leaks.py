# SPDX-License-Identifier: MIT
"""The bindings of rank tests and change points leak nothing, on success and on every kind of failure."""

from __future__ import annotations

import math
from array import array

import pytest

from perfcore import _core

X = array("d", [1.0, 2.5, 3.25, 7.0, 2.75, 2.125])
Y = array("d", [1.5, 2.0, 9.0, 4.0])
SAMPLES = _core.Samples(X)
TIED = array("d", [1.0, 2.0, 2.0, -1.0] * 30)
STEPS = array("d", [10.0 + i * 7 % 5 + 20 * (i > 70) for i in range(150)])
NAN = array("d", [1.0, math.nan])


def refused(function, *args, **kwargs):
    with pytest.raises((TypeError, ValueError, BufferError, OverflowError)):
        function(*args, **kwargs)


def windowed():
    series = _core.WindowedSeries(30, 0.01)
    series.append(STEPS)
    assert [change[0] for change in series.find()] == [71]
    series.append(X)
    series.find()
    assert len(series) == 156


CASES = {
    "rank_sum exact": lambda: _core.rank_sum(X, Y, "auto"),
    "rank_sum normal": lambda: _core.rank_sum(TIED, TIED, "auto"),
    "signed_rank exact": lambda: _core.signed_rank(X, "auto"),
    "signed_rank normal": lambda: _core.signed_rank(TIED, "auto"),
    "rank_sum samples": lambda: _core.rank_sum(SAMPLES, SAMPLES, "auto"),
    "shift": lambda: _core.shift_two_sample(X, Y, 0.9),
    "shift normal": lambda: _core.shift_two_sample(STEPS, STEPS, 0.9),
    "center": lambda: _core.shift_one_sample(X, 0.9),
    "center normal": lambda: _core.shift_one_sample(STEPS, 0.9),
    "mad": lambda: _core.median_mad(X),
    "autocorrelation": lambda: _core.autocorrelation(X, 1),
    "adjust": lambda: _core.adjust_pvalues(array("d", [0.1, 0.5])),
    "bootstrap": lambda: _core.bootstrap_ratio(X, Y, resamples=100),
    "windowed": windowed,
    "levels": lambda: _core.find_levels(STEPS, 5, 0.01, 0.01, 0.0, 1),
    "levels of each": lambda: _core.find_levels_of_each((STEPS, STEPS, X), 5, 0.01, 0.01, 0.0, 1),
}
REFUSALS = {
    "second is no buffer": lambda: refused(_core.rank_sum, X, [1.0], "auto"),
    "second of samples has nan": lambda: refused(_core.rank_sum, SAMPLES, NAN, "auto"),
    "second has nan": lambda: refused(_core.rank_sum, X, NAN, "auto"),
    "method": lambda: refused(_core.rank_sum, X, Y, "better"),
    "not exact": lambda: refused(_core.rank_sum, TIED, TIED, "exact"),
    "zeros": lambda: refused(_core.signed_rank, array("d", [0.0]), "auto"),
    "level": lambda: refused(_core.shift_two_sample, X, Y, 1.0),
    "level type": lambda: refused(_core.shift_one_sample, X, "x"),
    "lag": lambda: refused(_core.autocorrelation, X, 6),
    "pvalues": lambda: refused(_core.adjust_pvalues, X),
    "base zero": lambda: refused(_core.bootstrap_ratio, array("d", [0.0]), X),
    "resamples": lambda: refused(_core.bootstrap_ratio, X, Y, resamples=1),
    "degrees": lambda: refused(_core.student_cdf, 1.0, 0.0),
    "levels nan": lambda: refused(_core.find_levels, NAN, 5, 0.01, 0.01, 0.0, 1),
    "levels of each nan": lambda: refused(_core.find_levels_of_each, (STEPS, NAN), 5, 0.01, 0.01, 0.0, 1),
    "levels of each list": lambda: refused(_core.find_levels_of_each, [STEPS], 5, 0.01, 0.01, 0.0, 1),
    "levels of each option": lambda: refused(_core.find_levels_of_each, (STEPS,), 5, 0.01, 0.01, -1.0, 1),
    "levels option": lambda: refused(_core.find_levels, STEPS, 1, 0.01, 0.01, 0.0, 1),
    "window": lambda: refused(_core.WindowedSeries, 1),
    "append nan": lambda: refused(_core.WindowedSeries().append, NAN),
    "append format": lambda: refused(_core.WindowedSeries().append, array("f", [1.0])),
}


@pytest.mark.parametrize("name", [*CASES, *REFUSALS])
def test_nothing_is_left(name, assert_flat):
    assert_flat((CASES | REFUSALS)[name], 60)
    SAMPLES.append(1.0)  # BufferError if they were still held


@pytest.mark.parametrize("name", [name for name in CASES if name != "autocorrelation"])
def test_every_failing_allocation(name, each_allocation_fails):
    # A tuple of floats may come from the free lists whole; a copy of an array cannot.
    assert each_allocation_fails(CASES[name]) >= (name != "rank_sum samples")
