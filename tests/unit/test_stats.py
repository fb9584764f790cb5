# SPDX-License-Identifier: MIT
"""Statistics: bit for bit those of pytest-benchmark, whose own class is the reference here."""

from __future__ import annotations

import decimal
import fractions
import inspect
import math
import random
import subprocess
import sys
import threading
from array import array

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pytest_benchmark.stats import Stats
from stats_reference import (
    assert_extras,
    assert_like_stock,
    bits,
    ours_of,
    reference_hd15iqr,
    reference_interval,
    reference_mad,
    reference_quantile,
    stock_of,
)

from perfcore import _core
from perfcore.judge.stats import Summary, summarize
from perfcore.pytest_plugin.stats import SampleStats, legacy_hd15iqr

MAX = sys.float_info.max
TINY = 5e-324
EPS = sys.float_info.epsilon

# ---- Equality with pytest-benchmark ----

finite = st.floats(allow_nan=False, allow_infinity=False)
kinds = st.one_of(
    st.lists(finite, min_size=1, max_size=60),
    st.lists(st.floats(allow_nan=False, allow_infinity=False, min_value=1e-9, max_value=1e-3), min_size=1, max_size=60),
    st.lists(st.integers(1, 40).map(lambda ticks: ticks * 1e-9), min_size=1, max_size=120),
    st.lists(st.sampled_from([0.0, -0.0, TINY, -TINY, 3 * TINY]), min_size=1, max_size=60),
    st.lists(st.integers(0, 50).map(lambda steps: steps * TINY), min_size=1, max_size=60),
    st.lists(st.sampled_from([MAX, -MAX, 1e308, -1e308, MAX / 2, 1.0]), min_size=1, max_size=12),
    st.lists(st.sampled_from([1.0, 1 + EPS, 1 - EPS / 2, EPS / 2, -EPS / 2, 1e16, -1e16]), min_size=1, max_size=60),
    st.tuples(finite, st.integers(1, 70)).map(lambda pair: [pair[0]] * pair[1]),
)


@settings(max_examples=400, deadline=None)
@given(kinds)
@example([-0.0])
@example([0.0, -0.0])
@example([-0.0, -0.0, 0.0, -0.0])
@example([-TINY, 0.0, 0.0])  # the mean rounds to -0.0
@example([MAX, -MAX])  # the deviation overflows, the total does not
@example([MAX, MAX, MAX])  # the total overflows, the deviation is 0
@example([MAX, MAX, 0.0, -MAX, -MAX])
@example([1e308, 1e308, -1e308, 1e308])  # the total overflows for a while
@example([1.0, 1e100, 1.0, -1e100])  # what compensation is for
@example([TINY, 2 * TINY])
def test_equal_to_pytest_benchmark(data):
    assert_like_stock(data)
    assert_extras(data)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(finite, st.sampled_from([math.inf, -math.inf, math.nan])), min_size=1, max_size=12))
@example([math.nan])
@example([math.inf, 1.0])
@example([-math.inf, math.inf, 2.0])
def test_samples_that_are_not_finite(data):
    assert_like_stock(data)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.integers(-(10**20), 10**20), st.fractions(max_denominator=10**6), st.floats(1e-9, 1e9), st.booleans()
        ),
        min_size=1,
        max_size=8,
    )
)
@example([1, 2, 4])
@example([2.5, 1, 4])
def test_samples_that_are_not_floats(data):
    assert_like_stock(data)


def test_decimals_and_no_samples():
    assert_like_stock([decimal.Decimal("1.5"), decimal.Decimal("2.25"), decimal.Decimal(4)])
    assert_like_stock([])
    assert not SampleStats()


def ties():
    """Sums and means that lie exactly between two floats, or a hair beside."""
    half = 2.0**-53
    yield [1.0, 1.0 + EPS]  # the mean is a tie
    yield [1.0 + EPS, 1.0 + 2 * EPS]
    for nudge in (TINY, 1e-300, 2.0**-200):
        yield [1.0, 1.0 + EPS, nudge, nudge]
        yield [1.0, 1.0 + EPS, -nudge, -nudge]
        yield [1.0, half, nudge]
        yield [1.0, half, -nudge]
    yield [1e308, 1.0, -1e308, TINY, -1.0]
    yield [2.0**1023, -(2.0**1023), 2.0**-1074, 2.0**-1074, 2.0**-1074]
    yield [3.0, 4.0, 5.0, 6.0, 7.0]  # stddev sqrt(2.5)
    yield [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]
    yield [1.0, 3.0]  # stddev sqrt(2)
    yield [0.0, 2.0, 4.0]  # stddev 2, exactly
    yield [2.0**52 + 0.5, 2.0**52, 2.0**52]
    yield [9007199254740993.0, 1.0, 0.5, -0.5]
    yield [1e-310, 2e-310, 4e-310, 1.0]
    for nudge in (0.0, 2.0**-12, 2.0**-10, 2.0**-9):
        yield [2.0**53, 2.0**54, 3.0 + nudge]  # the mean is 2^53 + 1, halfway, and a third of the nudge
    for between in (2**53 + 1, 2**53 + 3, 2**53 + 5, 2**54 - 1):
        yield from root_ties(between)


def root_ties(between):
    """Samples whose standard deviation is exactly this integer of 54 bits, halfway between two floats; or a hair more.

    With y1^2 + ... + y4^2 = d^2 (Lagrange) the samples +-2 y1, ..., +-2 y4, 0 have the variance d^2.
    """
    first = between - 1
    rest = between**2 - first**2
    for second in range(math.isqrt(rest), 0, -1):
        for third in range(math.isqrt(rest - second**2), 0, -1):
            fourth = math.isqrt(rest - second**2 - third**2)
            if first**2 + second**2 + third**2 + fourth**2 == between**2:
                half = [2.0 * root for root in (first, second, third, fourth)]
                assert [fractions.Fraction(root) / 2 for root in half] == [first, second, third, fourth]
                for middle in (0.0, TINY, 1e-300, -1e-20, 2.0**-12, 2.0**-11, 2.0**-10, 1.0):
                    yield [*half, middle, *(-root for root in half)]
                return


@pytest.mark.parametrize("data", list(ties()), ids=str)
def test_ties_and_cancellation(data):
    assert_like_stock(data)
    assert_extras(data)
    assert_like_stock([-value for value in data])


def shapes(length, seed):
    """Data sets that send the selection and the sums down each of their ways."""
    rng = random.Random(seed)
    usual = [rng.lognormvariate(-12, 0.05) for _ in range(length)]
    yield "usual", usual
    yield "sorted", sorted(usual)
    yield "reversed", sorted(usual, reverse=True)
    yield "constant", [3.3e-7] * length
    yield "ticks", [round(rng.lognormvariate(4, 0.1)) * 1e-9 for _ in range(length)]
    yield "two values", [rng.choice([1e-6, 1e-6 * (1 + EPS)]) for _ in range(length)]
    yield "far ones", [v * (1 if rng.random() < 0.99 else 10 ** (6 * rng.random())) for v in usual]
    yield "one far", [*usual[1:], 1e300]
    yield "all magnitudes", [rng.choice([-1, 1]) * 2.0 ** rng.uniform(-1070, 1000) for _ in range(length)]
    yield "around zero", [rng.gauss(0, 1) for _ in range(length)]
    yield "zeros", [rng.choice([0.0, -0.0, 1.0, -1.0]) for _ in range(length)]
    yield "subnormal", [rng.getrandbits(30) * TINY for _ in range(length)]
    yield "edge of subnormal", [rng.random() * 2.0 ** rng.choice([-1022, -1020, -970]) for _ in range(length)]
    yield "nested clusters", [1.0 + rng.choice([0, 1e-3, 1e-6, 1e-9, 1e-12]) * rng.random() for _ in range(length)]
    yield "large", [rng.uniform(0.5, 1.0) * MAX / length for _ in range(length)]


@pytest.mark.parametrize("length", [48, 49, 257, 1000, 4097, 20011])
def test_every_shape_and_length(length):
    for name, data in shapes(length, length):
        stock, got = stock_of(data), _core.summarize(array("d", data), legacy_hd15iqr=legacy_hd15iqr())
        for field in Stats.fields:
            if field != "outliers":
                assert bits(got[field]) == bits(getattr(stock, field)), (name, field)
        assert bits(got["mad"]) == bits(reference_mad(data)), name
        for field, per_mille in (("p90", 900), ("p95", 950), ("p99", 990), ("p999", 999)):
            assert bits(got[field]) == bits(reference_quantile(data, per_mille)), (name, field)


def test_both_ways_of_adding_the_total():
    data = array("d", [1.0, 1e100, 1.0, -1e100])
    naive, compensated = (_core.summarize(data, compensated_sum=way)["total"] for way in (False, True))
    assert (naive, compensated) == (0.0, 2.0)
    assert _core.summarize(data)["total"] == sum(data)
    assert _core.summarize(data, compensated_sum=None)["total"] == sum(data)
    huge = array("d", [1e308, 1e308, -1e308])
    assert _core.summarize(huge, compensated_sum=True)["total"] == math.inf
    assert _core.summarize(huge, compensated_sum=False)["total"] == math.inf


def test_legacy_hd15iqr_is_probed():
    data = [1.0, 2.0, 3.0, 4.0, 100.0]
    assert reference_hd15iqr(data, True) == 100.0
    assert reference_hd15iqr(data, False) == 4.0
    assert reference_hd15iqr(data, legacy_hd15iqr()) == stock_of(data).hd15iqr == ours_of(data).hd15iqr


# ---- The interval of the median ----


@pytest.mark.parametrize("level", [0.01, 0.5, 0.9, 0.95, 0.99, 0.999999, 1 - 2.0**-50])
def test_median_interval_is_the_binomial_one(level):
    for length in [*range(1, 120), 333, 1000, 1001, 2500]:
        k, achieved = reference_interval(length, level)
        got = summarize(array("d", range(length)), level)
        if k == 0:
            assert got.median_ci is None
        else:
            low, high, reached = got.median_ci
            assert (low, high) == (k - 1, length - k), (length, level)
            assert reached == pytest.approx(achieved, rel=1e-10, abs=0)
            assert reached >= level * (1 - 1e-9)


def test_an_achievable_level_is_achieved():
    got = summarize(array("d", range(6)), 1 - 2 * 0.5**6)
    assert got.median_ci == (0.0, 5.0, pytest.approx(1 - 2 * 0.5**6, rel=1e-12))


@pytest.mark.parametrize("length", [6, 10, 25, 100])
@pytest.mark.parametrize("draw", [random.Random(5).gauss, random.Random(6).lognormvariate], ids=["normal", "lognormal"])
def test_median_interval_covers_at_its_level(length, draw):
    trials, covered, center = 4000, 0, 0.0 if draw.__name__ == "gauss" else 1.0
    for _ in range(trials):
        low, high, _ = summarize(array("d", [draw(0, 1) for _ in range(length)]), 0.9).median_ci
        covered += low <= center <= high
    level = summarize(array("d", range(length)), 0.9).median_ci.level
    assert level >= 0.9
    # Five standard errors: fails for a wrong rank, which would change the coverage by 2 % or more.
    assert abs(covered / trials - level) < 5 * math.sqrt(level * (1 - level) / trials)


# ---- Interfaces ----


def test_summary():
    data = array("d", [5.0, 1.0, 4.0, 2.0, 3.0, 6.0, 100.0])
    got = summarize(data)
    assert isinstance(got, Summary)
    raw = _core.summarize(data)
    for field in ("rounds", *[name for name in Stats.fields if name != "outliers"], "mad", "p99"):
        assert getattr(got, field) == raw[field]
    assert got.outliers == stock_of(data).outliers == "1;1"
    assert got.percentiles["p99.9"] == got.p999
    assert list(got.percentiles) == ["p50", "p90", "p95", "p99", "p99.9"]
    assert (got.median_ci.low, got.median_ci.high) == (1.0, 100.0)
    with pytest.raises(AttributeError):
        got.mean = 1.0
    with pytest.raises((AttributeError, TypeError)):
        got.other = 1.0
    assert summarize(_core.Samples([2.0])).mean == 2.0


def test_import_takes_no_third_party():
    code = (
        "import sys; import perfcore.judge.stats; "
        "sys.exit(any(name in sys.modules for name in ('pytest', 'pytest_benchmark', 'numpy', 'typing_extensions')))"
    )
    assert subprocess.run([sys.executable, "-P", "-c", code], check=False).returncode == 0


class Unreadable:
    pass


@pytest.mark.parametrize(
    ("samples", "error", "text"),
    [
        ([1.0, 2.0], TypeError, "not 'list'"),
        (Unreadable(), TypeError, "not 'Unreadable'"),
        (b"12345678", TypeError, "not 'B'"),
        (array("f", [1.0]), TypeError, "not 'f'"),
        (array("q", [1]), TypeError, "not 'q'"),
        (memoryview(bytes(16)).cast("d", [1, 2]), TypeError, "one dimension, not 2"),
        (array("d"), ValueError, "no samples"),
        (_core.Samples(), ValueError, "no samples"),
        (array("d", [1.0, 2.0, math.nan]), ValueError, "number 2 is nan"),
        (array("d", [-math.inf, 2.0]), ValueError, "number 0 is -inf"),
    ],
    ids=lambda value: getattr(type(value), "__name__", None),
)
def test_refused_samples(samples, error, text):
    with pytest.raises(error, match=text):
        _core.summarize(samples)


def test_refused_buffers():
    with pytest.raises(BufferError):
        _core.summarize(memoryview(array("d", [1.0, 2.0, 3.0, 4.0]))[::2])


def test_an_odd_address_will_do():
    # Format "d" where no double can be read directly, as a slice of a packet may have it.
    values = array("d", [1.0, 3.0, 2.0] * 3)
    unaligned = memoryview(b"x" + values.tobytes())[1:].cast("d")
    assert _core.summarize(unaligned) == _core.summarize(values)


@pytest.mark.parametrize("level", [0.0, 1.0, -1.0, 2.0, math.nan, math.inf])
def test_refused_levels(level):
    with pytest.raises(ValueError, match="level must be between 0 and 1"):
        _core.summarize(array("d", [1.0]), level=level)


def test_refused_arguments():
    class Undecided:
        def __bool__(self):
            raise RuntimeError("neither")

    data = array("d", [1.0])
    with pytest.raises(TypeError):
        _core.summarize()
    with pytest.raises(TypeError):
        _core.summarize(data, True)
    with pytest.raises(RuntimeError, match="neither"):
        _core.summarize(data, compensated_sum=Undecided())
    with pytest.raises(TypeError):
        _core.summarize(data, level="high")


def test_signature():
    assert str(inspect.signature(_core.summarize)) == (
        "(samples, /, *, compensated_sum=None, legacy_hd15iqr=False, level=0.95)"
    )


def test_samples_are_held_while_they_are_summarized_and_released_after():
    samples = _core.Samples([1.0] * 10_000)
    _core.summarize(samples)
    samples.extend([2.0] * 100_000)  # BufferError if a buffer were still exported
    with pytest.raises(ValueError, match="finite"):
        _core.summarize(_core.Samples([math.nan]))


def test_threads_get_their_own_results():
    sets = [array("d", [random.Random(seed).random() for _ in range(30_000)]) for seed in range(4)]
    expected = [_core.summarize(data) for data in sets]
    wrong = []

    def work(index):
        for _ in range(20):
            if _core.summarize(sets[index]) != expected[index]:
                wrong.append(index)

    threads = [threading.Thread(target=work, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize("function", [_core.summarize, lambda values: _core.signed_rank(values, "normal")])
def test_another_thread_may_write_into_an_array_meanwhile(function):
    source = random.Random(5)
    sides = [array("d", [sign * (1.0 + source.random()) for _ in range(100_000)]) for sign in (1, -1)]
    expected = [function(side) for side in sides]
    data = array("d", sides[0])
    view = memoryview(data)
    stop = threading.Event()

    def write():
        while not stop.is_set():
            for side in sides:
                view[:] = memoryview(side)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    thread = threading.Thread(target=write)
    thread.start()
    try:
        assert all(function(data) in expected for _ in range(10))
    finally:
        stop.set()
        thread.join()
        sys.setswitchinterval(interval)


def test_an_array_may_grow_once_its_values_are_taken():
    data = array("d", [1.0] * 10_000)
    _core.summarize(data)
    with pytest.raises(ValueError, match="level"):
        _core.summarize(data, level=2.0)
    data.append(math.nan)  # BufferError if a buffer were still exported
    with pytest.raises(ValueError, match="number 10000 is nan"):
        _core.summarize(data)
    data.append(1.0)
