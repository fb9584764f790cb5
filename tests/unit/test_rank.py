# SPDX-License-Identifier: MIT
"""Rank tests, estimates and distributions against SciPy, against brute force, and at their limits."""

from __future__ import annotations

import itertools
import math
import random
from array import array

import numpy as np
import pytest
from scipy import special, stats

from perfcore import _core
from perfcore.judge import rank

ALTERNATIVES = ("two-sided", "less", "greater")


def close(ours: float, theirs: float, tolerance: float = 1e-12) -> bool:
    return math.isclose(ours, theirs, rel_tol=tolerance, abs_tol=1e-300)


def sample(source: random.Random, count: int, kind: str) -> list[float]:
    if kind == "ties":
        return [float(source.randrange(6)) for _ in range(count)]
    if kind == "spikes":
        return [source.gauss(10, 1) * (1000 if source.random() < 0.1 else 1) for _ in range(count)]
    return [source.gauss(0, 1) for _ in range(count)]


# --- distributions ------------------------------------------------------------------------------------------------


def test_normal_against_scipy():
    for x in np.linspace(-37, 9, 700):
        assert close(_core.normal_cdf(x), special.ndtr(x))
    for p in [10.0**-k for k in range(1, 300, 5)] + [0.2, 0.25, 0.26, 0.4, 0.4999999999, 0.5000000001, 0.9, 1 - 1e-12]:
        assert close(_core.normal_quantile(p), special.ndtri(p), 1e-14)
    for p in (1e-299, 1e-300, 1e-301, 1e-307, 2.2e-308, 1e-310, 6e-311, 5e-311, 1e-315, 1e-322, 5e-324):
        assert close(_core.normal_quantile(p), special.ndtri_exp(math.log(p)), 1e-14), p
    assert _core.normal_quantile(0.0) == -math.inf
    assert _core.normal_quantile(1.0) == math.inf
    assert _core.normal_quantile(0.5) == 0.0
    for wrong in (-0.1, 1.1, math.nan):
        assert math.isnan(_core.normal_quantile(wrong))


@pytest.mark.parametrize("df", [0.05, 0.3, 1, 2, 2.5, 3, 9, 39, 41, 1e3, 1e4, 1e6, 1e10, 1e13])
def test_student_against_scipy(df):
    for t in (-200, -40, -20, -8, -3, -1.8, -1.7, -1, -0.1, 0, 0.5, 2, 5):
        assert close(_core.student_cdf(t, df), stats.t.cdf(t, df)), t
    for p in (1e-100, 1e-30, 1e-12, 1e-5, 0.001, 0.01, 0.1, 0.24, 0.26, 0.4, 0.499, 0.6, 0.9, 0.99999):
        quantile = _core.student_quantile(p, df)
        if math.isfinite(quantile):
            assert close(_core.student_cdf(quantile, df), p), p
        else:
            assert df < 1
            assert math.log(p) / df < -300


def test_student_closed_forms():
    for t in (1e-9, 1e-3, 0.5, 1.0, 3.0, 1e4, 1e200):
        assert close(_core.student_cdf(-t, 1), math.atan2(1, t) / math.pi)
    for p in (1e-200, 1e-9, 0.1, 0.3, 0.4999999):
        assert close(_core.student_quantile(p, 1), -math.cos(math.pi * p) / math.sin(math.pi * p), 1e-9)
        assert close(_core.student_quantile(p, 2), (2 * p - 1) / math.sqrt(2 * p * (1 - p)), 1e-9)
    assert _core.student_cdf(-3.0, math.inf) == _core.normal_cdf(-3.0)
    # The least probabilities; of mpmath with 60 digits.
    for p, df, expected in (
        (5e-324, 2, -3.1812124520951964e161),
        (5e-324, 5, -7.189485991519968e64),
        (1e-312, 5, -3.939623988483423e62),
        (1e-308, 5, -6.243883240201961e61),
        (5e-324, 30, -300187201203.1176),
        (1e-290, 600, -69.87143106805611),
        (5e-324, 1e3, -58.263765237171185),
        (1e-312, 1e3, -56.31846874712039),
        (5e-324, 1e6, -38.48165008356773),
        (1e-308, 1e6, -37.553914739361225),
        (5e-324, 1.5, -1.7992986474453173e215),
        (5e-324, 0.5, -math.inf),
    ):
        assert close(_core.student_quantile(p, df), expected), (p, df)
    assert _core.student_quantile(0.01, math.inf) == _core.normal_quantile(0.01)
    assert _core.student_quantile(1e-300, 0.01) == -math.inf
    for wrong in (0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match="degrees of freedom"):
            _core.student_cdf(1.0, wrong)


# --- rank-sum -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("kind", ["normal", "ties", "spikes"])
def test_rank_sum_against_scipy(seed, kind):
    source = random.Random(seed)
    x = sample(source, source.randrange(1, 40), kind)
    y = [value + source.choice([0, 0, 1]) for value in sample(source, source.randrange(1, 40), kind)]
    for alternative in ALTERNATIVES:
        if len(set(x + y)) > 1:
            theirs = stats.mannwhitneyu(x, y, alternative=alternative, method="asymptotic")
            ours = rank.rank_sum(x, y, alternative, "normal")
            assert ours.statistic == theirs.statistic
            assert close(ours.pvalue, theirs.pvalue, 1e-11)
        if len(set(x + y)) == len(x + y):
            theirs = stats.mannwhitneyu(x, y, alternative=alternative, method="exact")
            ours = rank.rank_sum(x, y, alternative)
            assert ours.z is None
            assert close(ours.pvalue, theirs.pvalue, 1e-9)  # SciPy's own rounding; ours is exact
    assert rank.rank_sum(x, y).ranked == len(x) + len(y)


def test_rank_sum_by_brute_force():
    for n, m in itertools.product(range(1, 5), range(1, 6)):
        ranks = range(n + m)
        splits = list(itertools.combinations(ranks, n))
        statistics = [sum(chosen) - n * (n - 1) // 2 for chosen in splits]
        for chosen, statistic in zip(splits, statistics, strict=True):
            x = [float(r) for r in chosen]
            y = [float(r) for r in ranks if r not in chosen]
            found = rank.rank_sum(x, y, "less", "exact")
            assert found.statistic == statistic
            assert close(found.pvalue, sum(s <= statistic for s in statistics) / len(splits), 1e-15)


def test_rank_sum_limits():
    assert rank.rank_sum([1.0] * 5, [1.0] * 7).pvalue == 1.0
    assert rank.rank_sum(range(60), range(100, 160), "less", "exact").pvalue == 1 / math.comb(120, 60)
    assert rank.rank_sum(range(8), range(10, 15010), "less", "exact").pvalue == 1 / math.comb(15008, 8)
    assert rank.rank_sum([1.0], [2.0]).pvalue == 1.0
    for x, y in ((range(300), range(300, 600)), ([1.0, 1.0], [2.0])):
        with pytest.raises(ValueError, match="'exact' needs"):
            rank.rank_sum(x, y, method="exact")
    with pytest.raises(ValueError, match="x must not be empty"):
        rank.rank_sum([], [1.0])
    with pytest.raises(ValueError, match="y must be finite, and number 1 is nan"):
        rank.rank_sum([1.0], [1.0, math.nan])
    with pytest.raises(ValueError, match="method must be"):
        rank.rank_sum([1.0], [1.0], method="best")
    with pytest.raises(ValueError, match="alternative must be"):
        rank.rank_sum([1.0], [1.0], "more")


# --- signed-rank --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("kind", ["normal", "ties", "spikes"])
def test_signed_rank_against_scipy(seed, kind):
    source = random.Random(seed)
    differences = [value - 2 if kind == "ties" else value for value in sample(source, source.randrange(5, 60), kind)]
    magnitudes = [abs(value) for value in differences if value]
    for alternative in ALTERNATIVES:
        theirs = stats.wilcoxon(differences, alternative=alternative, method="asymptotic", correction=True)
        ours = rank.signed_rank(differences, alternative, "normal")
        assert close(ours.pvalue, theirs.pvalue, 1e-11)
        if alternative == "greater":
            assert ours.statistic == theirs.statistic
        if len(set(magnitudes)) == len(differences):
            theirs = stats.wilcoxon(differences, alternative=alternative, method="exact")
            ours = rank.signed_rank(differences, alternative)
            assert math.isclose(ours.pvalue, theirs.pvalue, rel_tol=1e-11, abs_tol=1e-15)  # SciPy's rounds to 0
    assert rank.signed_rank(differences).ranked == len(magnitudes)


def test_signed_rank_with_ties_by_brute_force():
    source = random.Random(5)
    for _ in range(60):
        differences = [float(source.randrange(-3, 4)) for _ in range(source.randrange(2, 9))]
        kept = [value for value in differences if value]
        if not kept:
            continue
        ranks = stats.rankdata([abs(value) for value in kept])
        statistic = sum(r for r, value in zip(ranks, kept, strict=True) if value > 0)
        sums = [
            sum(r for r, sign in zip(ranks, signs, strict=True) if sign)
            for signs in itertools.product((False, True), repeat=len(kept))
        ]
        found = rank.signed_rank(differences, "greater", "exact")
        assert found.statistic == statistic
        assert close(found.pvalue, sum(s >= statistic for s in sums) / len(sums), 1e-14)


def test_signed_rank_limits():
    assert rank.signed_rank(range(1, 61), "greater").pvalue == 2.0**-60
    with pytest.raises(ValueError, match="all differences are zero"):
        rank.signed_rank([0.0, -0.0])
    with pytest.raises(ValueError, match="'exact' needs"):
        rank.signed_rank(range(1, 62), method="exact")


# --- Hodges-Lehmann -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["normal", "ties", "spikes"])
def test_shift_by_sorting_all_pairs(kind):
    source = random.Random(kind)
    for _ in range(60):
        x = sample(source, source.randrange(1, 90), kind)
        y = sample(source, source.randrange(1, 90), kind)
        differences = np.sort(np.subtract.outer(x, y).ravel())
        found = rank.shift(x, y, 0.9)
        assert found.estimate == pytest.approx(np.median(differences), rel=1e-15, abs=0)
        if found.interval is not None:
            low, high, level = found.interval
            k = int(np.searchsorted(differences, low)) + 1
            assert low in differences
            assert high in differences
            assert level >= 0.9
            if kind != "ties":
                assert high == differences[-k]
        means = np.add.outer(np.array(x) / 2, np.array(x) / 2)[np.triu_indices(len(x))]
        center = rank.center(x, 0.9)
        assert center.estimate == pytest.approx(np.median(means), rel=1e-15, abs=0)
        if center.interval is not None:
            assert center.interval.low in means
            assert center.interval.high in means


def test_intervals_of_the_textbooks():
    # Ranks of the interval from tables of the critical values: U at 5 % for 8 and 8 is 13, W for 10 is 8.
    x, y = [float(2**k) for k in range(8)], [0.1 * 3**k for k in range(8)]
    differences = sorted(a - b for a in x for b in y)
    interval = rank.shift(x, y).interval
    assert interval is not None
    assert (interval.low, interval.high) == (differences[13], differences[-14])
    x = [float(2**k) for k in range(10)]
    means = sorted((a + b) / 2 for i, a in enumerate(x) for b in x[i:])
    interval = rank.center(x).interval
    assert interval is not None
    assert (interval.low, interval.high) == (means[8], means[-9])
    assert rank.center([1.0, 2.0, 3.0]).interval is None
    assert rank.shift([1.0], [2.0]).interval is None


def test_large_shift_covers_and_is_exact():
    source = np.random.default_rng(3)
    x, y = source.normal(5, 1, 1000), source.normal(3, 1, 900)
    found = rank.shift(x, y)
    assert found.estimate == np.median(np.subtract.outer(x, y))
    assert found.interval is not None
    assert found.interval.low < 2 < found.interval.high
    assert found.interval.high - found.interval.low < 0.25
    huge = rank.shift([1e308, 1.5e308], [-1e308, -1.5e308])
    assert huge.estimate == math.inf


def test_shift_refusals():
    for level in (0.0, 1.0, math.nan):
        with pytest.raises(ValueError, match="level must be between 0 and 1"):
            rank.shift([1.0], [1.0], level)
        with pytest.raises(ValueError, match="level must be between 0 and 1"):
            rank.center([1.0], level)


# --- MAD, autocorrelation, Benjamini-Hochberg ----------------------------------------------------------------------


def test_small_statistics_against_scipy():
    source = np.random.default_rng(1)
    for count in (1, 2, 3, 10, 101):
        values = source.lognormal(size=count)
        assert rank.mad(values) == (np.median(values), stats.median_abs_deviation(values))
        pvalues = source.random(count) ** 3
        assert rank.adjust_pvalues(pvalues) == pytest.approx(stats.false_discovery_control(pvalues), rel=1e-14)
        centered = values - values.mean()
        for lag in range(min(4, count - 1)):
            theirs = (centered[: count - lag] * centered[lag:]).sum() / (centered**2).sum()
            assert rank.autocorrelation(values, lag) == pytest.approx(theirs, rel=1e-10, abs=1e-14)
    assert math.isnan(rank.autocorrelation([0.1] * 5))
    for wrong in (-1, 3):
        with pytest.raises(ValueError, match="lag must be from 0 to 2"):
            rank.autocorrelation([1.0, 2.0, 3.0], wrong)
    with pytest.raises(ValueError, match="number 1 is not"):
        rank.adjust_pvalues([0.5, 1.5])


# --- bootstrap ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("statistic", ["median", "mean"])
@pytest.mark.parametrize("method", ["bca", "percentile"])
def test_bootstrap_against_scipy(statistic, method):
    source = np.random.default_rng(11)
    base, head = source.gamma(4, size=45) + 3, source.gamma(4, size=38) + 3.4
    function = getattr(np, statistic)
    theirs = stats.bootstrap(
        (base, head),
        lambda x, y, axis=-1: function(y, axis=axis) / function(x, axis=axis),
        n_resamples=9999,
        method=method,
        rng=np.random.default_rng(2),
    )
    ours = rank.bootstrap_ratio(base, head, statistic=statistic, method=method, seed=5)
    assert close(ours.ratio, function(head) / function(base))
    # Two independent sets of 9999 resamples: the ends agree within a tenth of the standard error.
    assert abs(ours.interval.low - theirs.confidence_interval.low) < 0.15 * theirs.standard_error
    assert abs(ours.interval.high - theirs.confidence_interval.high) < 0.15 * theirs.standard_error
    assert ours.standard_error == pytest.approx(theirs.standard_error, rel=0.05)


def test_bootstrap_is_seeded_and_has_limits():
    base, head = [1.0, 2.0, 4.0, 3.0], [2.0, 2.5, 7.0]
    first = rank.bootstrap_ratio(base, head, seed=2**64 - 1, resamples=500)
    assert first == rank.bootstrap_ratio(array("d", base), head, seed=2**64 - 1, resamples=500)
    assert first != rank.bootstrap_ratio(base, head, seed=3, resamples=500)
    assert rank.bootstrap_ratio([2.0], [3.0]) == (1.5, (1.5, 1.5, 0.95), 0.0)
    for statistic in ("median", "mean"):
        assert rank.bootstrap_ratio([2.0] * 5, [3.0] * 4, statistic=statistic).interval[:2] == (1.5, 1.5)
    for arguments, text in (
        (([0.0, 1.0, 1.0], [1.0]), "positive"),
        (([], [1.0]), "base must not be empty"),
        (([1.0], [math.inf]), "head must be finite"),
    ):
        with pytest.raises(ValueError, match=text):
            rank.bootstrap_ratio(*arguments)
    for options, text in (
        ({"resamples": 99}, "at least 100"),
        ({"level": 1.0}, "level must"),
        ({"statistic": "mode"}, "'median' or 'mean'"),
        ({"method": "best"}, "'bca' or 'percentile'"),
    ):
        with pytest.raises(ValueError, match=text):
            rank.bootstrap_ratio(base, head, **options)
