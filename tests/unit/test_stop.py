# SPDX-License-Identifier: MIT
"""When a benchmark has enough rounds."""

from __future__ import annotations

import random
from math import inf, sqrt
from statistics import NormalDist, fmean, stdev

import pytest

from perfcore import Samples
from perfcore.judge.stop import MeanPrecision, MedianPrecision
from perfcore.measure.runner import run_until


def normal(count, spread, seed=1):
    generator = random.Random(seed)
    return [1.0 + spread * generator.gauss(0, 1) for _ in range(count)]


class TestMedian:
    def test_narrow_enough_or_not(self):
        rule = MedianPrecision(5, 0.01)
        assert rule.reached(Samples(normal(2000, 0.05)))
        assert not rule.reached(Samples(normal(40, 0.05)))
        assert rule.reached(Samples([2.0] * 20))

    def test_drift_between_parts_keeps_it_running(self):
        flat = normal(2000, 0.01)
        drifting = [value * (1 + 0.2 * (index // 200)) for index, value in enumerate(flat)]
        rule = MedianPrecision(5, 0.01)
        assert rule.margin(Samples(flat)) < 0.01
        assert rule.margin(Samples(drifting)) > 0.1

    def test_the_margin_has_the_level_it_claims(self):
        """Of 95 % intervals at least nine in ten must hold the truth; the wider of the two is conservative."""
        hits = 0
        for seed in range(300):
            samples = Samples(normal(200, 0.1, seed))
            values = sorted(samples.tolist())
            middle = (values[99] + values[100]) / 2
            hits += abs(middle - 1.0) <= MedianPrecision(5, 0.01).margin(samples) * middle
        assert hits >= 0.93 * 300

    @pytest.mark.parametrize("values", [[1.0], [1.0] * 19, [0.0] * 50, [-1.0] * 50])
    def test_no_interval_is_an_infinite_one(self, values):
        assert MedianPrecision(1, 0.5).margin(Samples(values)) == inf

    def test_never_before_the_fewest_rounds(self):
        assert not MedianPrecision(100, 0.5).reached(Samples([1.0] * 99))
        assert MedianPrecision(100, 0.5).next_look(0) == 100
        assert MedianPrecision(1, 0.5).next_look(0) == 20
        assert MedianPrecision(1, 0.5).next_look(1000) == 1250


class TestMean:
    @pytest.mark.parametrize("every_round", [False, True])
    def test_stops_where_the_formula_says(self, every_round):
        values = normal(5000, 0.2)
        rule = MeanPrecision(5, 0.02, 0.99, every_round=every_round)
        samples = Samples()

        def run(count):
            samples.extend(values[len(samples) : len(samples) + count])

        done = run_until(run, samples, len(values), rule)
        z = NormalDist().inv_cdf(0.995)

        def margin(count):
            return z * stdev(values[:count]) / sqrt(count) / fmean(values[:count])

        first = next(count for count in range(5, len(values)) if margin(count) <= 0.02)
        assert margin(done) <= 0.02
        assert done == first if every_round else first <= done <= first * 1.3 + 5

    def test_a_mean_of_zero_or_less_never_stops(self):
        assert not MeanPrecision(2, 0.5, 0.9).reached(Samples([0.0, 0.0, 0.0]))
        assert not MeanPrecision(2, 0.5, 0.9).reached(Samples([-1.0, -1.0]))

    def test_one_round_is_never_enough(self):
        assert not MeanPrecision(1, 0.5, 0.9).reached(Samples([1.0]))


def test_run_until_without_a_rule_runs_them_all_at_once():
    samples, counts = Samples([1.0]), []

    def run(count):
        counts.append(count)
        samples.extend([1.0] * count)

    assert run_until(run, samples, 7, None) == 7
    assert counts == [7]


def test_run_until_never_exceeds_the_rounds():
    samples = Samples([1.0, 2.0])

    def run(count):
        samples.extend([float(len(samples) % 7)] * count)

    assert run_until(run, samples, 33, MedianPrecision(5, 1e-9)) == 33
