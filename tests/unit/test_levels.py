# SPDX-License-Identifier: MIT
"""Robust change points: found and false ones on generated series of four kinds, and the limits."""

from __future__ import annotations

import math

import numpy as np
import pytest

from perfcore.judge.changepoint import find_levels, find_levels_of_each

SERIES = 60
TOLERANCE = 5


def noise(source: np.random.Generator, kind: str, count: int) -> np.ndarray:
    """Return relative noise of 1 %: plain, with 4 % of spikes of 50 %, correlated by 0.6, or with a mode 6 % up."""
    values = source.standard_normal(count) * 0.01
    if kind == "autocorrelated":
        for i in range(1, count):
            values[i] = 0.6 * values[i - 1] + 0.8 * values[i]
    elif kind == "spiky":
        values += np.where(source.random(count) < 0.04, source.exponential(0.5, count), 0)
    elif kind == "bimodal":
        values += np.where(source.random(count) < 0.35, 0.06, 0)
    return values


def generate(source: np.random.Generator, kind: str) -> tuple[np.ndarray, list[int]]:
    """Return a series of 100 to 400 points whose level changes by 5 to 20 % (bimodal: half as much more)."""
    count = int(source.integers(100, 400))
    levels, changes, level, at = np.zeros(count), [], 0.0, int(source.integers(25, 90))
    while at <= count - 25:
        level += source.choice([-1, 1]) * source.uniform(0.05, 0.2) * (1.5 if kind == "bimodal" else 1)
        levels[at:] = level
        changes.append(at)
        at += int(source.integers(25, 90))
    return 100 * np.exp(levels + noise(source, kind, count)), changes


def matches(found: list[int], true: list[int]) -> int:
    left = list(true)
    for position in found:
        near = [change for change in left if abs(change - position) <= TOLERANCE]
        if near:
            left.remove(min(near, key=lambda change: abs(change - position)))
    return len(true) - len(left)


@pytest.mark.parametrize("kind", ["normal", "spiky", "autocorrelated", "bimodal"])
def test_finds_the_changes_and_no_others(kind):
    right = found_count = true_count = false = 0
    for seed in range(SERIES):
        source = np.random.default_rng([20260, seed])
        series, true = generate(source, kind)
        found = [change.position for change in find_levels(series)]
        right += matches(found, true)
        found_count += len(found)
        true_count += len(true)
        flat = 100 * np.exp(noise(source, kind, int(source.integers(100, 400))))
        false += len(find_levels(flat))
    assert 2 * right / (found_count + true_count) >= 0.97
    assert false / SERIES <= 0.05


def test_one_change_and_its_description():
    source = np.random.default_rng(4)
    series = np.concatenate([source.normal(100, 1, 60), source.normal(110, 1, 50)])
    (change,) = find_levels(series)
    assert change.position == 60
    assert change.before == np.median(series[:60])
    assert change.after == np.median(series[60:])
    assert change.magnitude == pytest.approx(change.after / change.before - 1)
    assert change.pvalue < 1e-6
    assert find_levels(series, min_magnitude=0.2) == []
    assert find_levels(series, seed=1) == find_levels(series, seed=1)
    # A common factor changes nothing but the levels.
    assert [c.position for c in find_levels(series * 1e-9)] == [60]


def test_a_step_far_above_the_noise_is_where_it_is():
    """Each position names a commit."""
    seen = 0
    for seed in range(60):
        source = np.random.default_rng([20261, seed])
        at = int(source.integers(10, 31))
        series = source.normal(1, 0.01, 40) * np.where(np.arange(40) < at, 1, 1.3 if seed % 2 else 0.7)
        if found := [change.position for change in find_levels(series)]:
            assert at in found, seed
            seen += 1
    assert seen > 50
    around_nothing = np.random.default_rng(2).normal(0, 0.1, 90) + np.repeat([0, 5, -3], 30)
    assert [change.position for change in find_levels(around_nothing)] == [30, 60]


def test_odd_series():
    for values in ([1.0], [1.0] * 9, [0.1] * 300, [1.0, 2.0] * 4, [1.0, 2.0, 3.0, 4.0]):
        assert find_levels(values) == []
    assert [c.position for c in find_levels([0.1] * 30 + [0.3] * 40 + [0.2] * 30)] == [30, 70]
    spiked = [100.0 + i * 7 % 5 for i in range(100)]
    spiked[50] = 1e300
    spiked[51] = -1e300
    assert find_levels(spiked) == []
    assert find_levels([1.7e308, -1.7e308] * 50) == []


def test_refusals():
    series = [1.0, 2.0] * 20
    for options, text in (
        ({"min_length": 1}, "min_length"),
        ({"false_alarm": 0.001}, "false_alarm"),
        ({"max_pvalue": 0.0}, "max_pvalue"),
        ({"min_magnitude": -1.0}, "min_magnitude"),
    ):
        with pytest.raises(ValueError, match=text):
            find_levels(series, **options)
    with pytest.raises(ValueError, match="number 1 is nan"):
        find_levels([1.0, math.nan])


def test_many_series_at_once_are_as_one_by_one() -> None:
    source = np.random.default_rng(77)
    series = [generate(source, kind)[0] for kind in ("plain", "spiky", "bimodal") for _ in range(5)] + [np.ones(3)]
    series += [one[:100] for one in series] + [np.tile(series[0], 20)]  # of one length; and one that is long
    alone = [find_levels(one, seed=5) for one in series]
    assert sum(map(len, alone)) > 10
    for threads in (None, 1, 2, 7, 100):
        assert find_levels_of_each(iter(series), threads=threads, seed=5) == alone
    assert find_levels_of_each([]) == []
    with pytest.raises(ValueError, match="must be finite"):
        find_levels_of_each([*series, [math.nan] * 20], threads=3)
    with pytest.raises(ValueError, match="threads must be 1 or more, not 0"):
        find_levels_of_each(series, threads=0)
