# SPDX-License-Identifier: MIT
"""Windowed change points against a plain transcription of the published method, and against what Otava found."""

from __future__ import annotations

import itertools
import json
import math
import sys
import threading
import time
import warnings
from array import array

import numpy as np
import pytest
from otava_figures import FIGURES, SETTINGS, steps
from scipy import stats

from perfcore import _core
from perfcore.judge.changepoint import WindowedSeries, find_windowed

OTAVA = json.loads(FIGURES.read_text(encoding="utf-8"))


def t_test(left: np.ndarray, right: np.ndarray) -> float:
    if len(left) + len(right) <= 2:
        return 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(
            stats.ttest_ind_from_stats(left.mean(), left.std(), len(left), right.mean(), right.std(), len(right)).pvalue
        )


def best_split(part: np.ndarray) -> tuple[float, int]:
    """Return the greatest energy of a split (tau, kappa), and tau: Matteson and James, equation 5, for all of them."""
    distances = np.abs(part[:, None] - part[None, :])
    best = (-math.inf, 0)
    for tau in range(1, len(part)):
        for kappa in range(tau + 1, len(part) + 1):
            n, m = tau, kappa - tau
            between = 2 * distances[:tau, tau:kappa].sum() / (n * m)
            left = distances[:tau, :tau].sum() / (n * (n - 1)) if n > 1 else 0.0
            right = distances[tau:kappa, tau:kappa].sum() / (m * (m - 1)) if m > 1 else 0.0
            energy = (between - left - right) * n * m / (n + m)
            if energy > best[0] + 1e-9 * abs(energy):
                best = (energy, tau)
        if tau > 1 and best[0] < 0:  # the published implementation's matrix holds zeros below its diagonal
            best = (0.0, tau)
    return best


def plain_weak(series: np.ndarray, window: int, pvalue: float) -> set[int]:
    """Return the change points of all windows."""
    weak: set[int] = set()
    start = 0
    while start < len(series):
        end = min(start + window, len(series))
        cuts = [start, end]
        while True:
            found = [(*best_split(series[a:b]), a, b) for a, b in itertools.pairwise(cuts) if b - a > 1]
            if not found:
                break
            _, tau, a, b = max(found, key=lambda item: item[0])
            if not t_test(series[a : a + tau], series[a + tau : b]) <= pvalue:
                break
            cuts = sorted([*cuts, a + tau])
        weak |= set(cuts[1:-1])
        start = max(cuts[-2] if len(cuts) > 2 else 0, start + window // 2)
    return weak


def plain_windowed(values: list[float], window: int, pvalue: float, magnitude: float) -> list[int]:
    series = np.array(values)
    weak = sorted(plain_weak(series, window, pvalue * 10 if pvalue < 0.05 else pvalue * 2 if pvalue < 0.5 else pvalue))

    def test(points: list[int], i: int) -> tuple[float, float]:
        left = series[points[i - 1] if i else 0 : points[i]]
        right = series[points[i] : points[i + 1] if i + 1 < len(points) else None]
        ratio = right.mean() / left.mean()
        return t_test(left, right), max(abs(ratio - 1), abs(1 / ratio - 1))

    points, tested = list(weak), [test(weak, i) for i in range(len(weak))]
    while points:
        worst = max(range(len(points)), key=lambda i: tested[i][0])
        if tested[worst][0] < pvalue:
            worst = min(range(len(points)), key=lambda i: tested[i][1])
            if tested[worst][1] > magnitude:
                break
        del points[worst], tested[worst]
        for i in (worst, worst + 1):
            if i < len(points):
                tested[i] = test(points, i)
    return points


@pytest.mark.parametrize("seed", [seed for seed in range(12) if seed % 4 != 1])  # rounded data: equal energies
def test_windowed_is_the_published_method(seed):
    values = steps(seed)[:140]
    for window, pvalue, magnitude in SETTINGS[:5]:
        found = [change.position for change in find_windowed(values, min(window, 30), pvalue, magnitude)]
        assert found == plain_windowed(values, min(window, 30), pvalue, magnitude)


@pytest.mark.parametrize("series", OTAVA["series"], ids=itertools.count())
def test_windowed_equals_otava(series):
    for setting, theirs in zip(OTAVA["settings"], series["changes"], strict=True):
        ours = find_windowed(series["values"], *setting)
        assert [change.position for change in ours] == [position for position, *_ in theirs]
        for mine, (_, *statistics, magnitude, pvalue) in zip(ours, theirs, strict=True):
            assert mine[2:6] == pytest.approx(statistics, rel=1e-9, abs=1e-9)
            assert mine.magnitude == pytest.approx(magnitude, rel=1e-9, abs=1e-12)
            if min(mine.stddev_before, mine.stddev_after) > 1e-6:
                assert mine.pvalue == pytest.approx(pvalue, rel=1e-8, abs=1e-290)


@pytest.mark.parametrize("seed", range(12))
def test_growing_series_finds_what_a_whole_one_does(seed):
    values = steps(2000 + seed)
    for window, pvalue, magnitude in SETTINGS[:4]:
        series = WindowedSeries(window, pvalue, magnitude)
        for end in range(len(values)):
            series.append(values[end : end + 1])
            if end % 7 == seed % 7 or end == len(values) - 1:
                assert series.find() == find_windowed(values[: end + 1], window, pvalue, magnitude)
        assert len(series) == len(values)


def test_one_clear_change_and_its_description():
    source = np.random.default_rng(9)
    values = np.concatenate([source.normal(100, 1, 60), source.normal(110, 2, 70)])
    (change,) = find_windowed(values)
    assert change.position == 60
    assert change.pvalue < 1e-50
    assert change.mean_before == pytest.approx(values[:60].mean(), rel=1e-14)
    assert change.mean_after == pytest.approx(values[60:].mean(), rel=1e-14)
    assert change.stddev_before == pytest.approx(values[:60].std(), rel=1e-12)
    assert change.stddev_after == pytest.approx(values[60:].std(), rel=1e-12)
    assert change.magnitude == pytest.approx(values[60:].mean() / values[:60].mean() - 1, rel=1e-12)
    assert find_windowed(values, min_magnitude=0.2) == []


def test_constants_and_short_series():
    for values in ([], [1.0], [1.0, 1.0], [0.1] * 500, [0.0] * 500, [1e150, -1e150]):
        assert find_windowed(values) == []
    # Levels of constants: the changes, and no others, although 0.1 has no exact double.
    levels = [0.1] * 40 + [0.3] * 40 + [0.2] * 120
    assert [change.position for change in find_windowed(levels)] == [40, 80]
    assert [change.position for change in find_windowed([0.0] * 40 + [1.0] * 40)] == [40]


def test_refusals_leave_the_series_as_it_was():
    series = WindowedSeries()
    series.append([1.0, 2.0])
    for wrong, text in (([1.0, math.nan], "number 1 is not; leave gaps out"), ([1e151], "within 1e150")):
        with pytest.raises(ValueError, match=text):
            series.append(wrong)
    assert len(series) == 2
    for arguments, text in (
        ((1,), "window must be from 2 to 1000"),
        ((1001,), "window must be"),
        ((50, 0.0), "max_pvalue"),
        ((50, math.nan), "max_pvalue"),
        ((50, 0.1, -1.0), "min_magnitude"),
    ):
        with pytest.raises(ValueError, match=text):
            WindowedSeries(*arguments)


def test_series_in_threads_of_their_own():
    values = steps(3)
    wanted = find_windowed(values)
    found: list[object] = []

    def search() -> None:
        for _ in range(30):
            found.append(find_windowed(values))

    threads = [threading.Thread(target=search) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [wanted] * 120


def test_no_append_while_another_thread_searches():
    series = _core.WindowedSeries(1000)
    series.append(np.random.default_rng(1).random(16_000))
    search = threading.Thread(target=series.find)

    def append_meanwhile() -> None:
        while search.is_alive():
            series.append(array("d"))

    search.start()
    with pytest.raises(RuntimeError, match="another thread is searching"):
        append_meanwhile()
    search.join()
    assert len(series) == 16_000


@pytest.mark.skipif(sys.version_info < (3, 12), reason="no buffers made in Python before 3.12")
def test_no_append_while_a_search_began_as_the_values_were_fetched():
    series = _core.WindowedSeries(1000)
    series.append(np.random.default_rng(1).random(16_000))
    search = threading.Thread(target=series.find)

    def is_searched() -> bool:
        assert search.is_alive()
        try:
            len(series)
        except RuntimeError:
            return True
        return False

    class Values:
        def __buffer__(self, flags: int) -> memoryview:
            search.start()
            while not is_searched():
                time.sleep(0)
            return memoryview(array("d", [1.0]))

    with pytest.raises(RuntimeError, match="another thread is searching"):
        series.append(Values())
    search.join()
    assert len(series) == 16_000
    series.append(array("d", [1.0]))
