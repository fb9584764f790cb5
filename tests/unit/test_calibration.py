# SPDX-License-Identifier: MIT
"""Calibration on a made-up clock: every duration is scripted, so every decision can be checked."""

from __future__ import annotations

import pytest

from perfcore.errors import MeasureError
from perfcore.measure.calibration import LEAST_OF_MANY_S, calibrate
from perfcore.measure.kernel import UNROLL


class Scripted:
    """A runner whose calls last `per_call` seconds, after `cold` durations that the first rounds take instead."""

    def __init__(self, per_call, cold=()):
        self.per_call = per_call
        self.cold = list(cold)
        self.rounds = []

    def time(self, iterations):
        self.rounds.append(iterations)
        return self.cold.pop(0) if self.cold else self.per_call * iterations


def run(runner, **options):
    settings = {"min_time": 5e-6, "max_time": 1.0, "timer_precision": 3e-8, "calibration_precision": 10}
    return calibrate(runner, **(settings | options))


@pytest.mark.parametrize("cold", [6e-6, 1e-4, 0.3, 0.99, 1.5, 20.0])
def test_one_cold_call_never_decides(cold):
    runner = Scripted(1e-7, cold=[cold])
    found = run(runner)
    assert found.iterations >= 50
    assert found.duration == pytest.approx(found.iterations * 1e-7)
    assert found.carried == ()


def test_stock_is_locked_by_the_same_call_and_strict_reproduces_it():
    runner = Scripted(1e-7, cold=[6e-6])
    assert run(runner, strict=True).iterations == 1
    assert runner.rounds == [1]


def test_several_ever_warmer_calls():
    runner = Scripted(1e-7, cold=[1e-3, 1e-4, 1e-5])
    assert run(runner).iterations >= 50


@pytest.mark.parametrize("per_call", [1e-8, 1.3e-8, 9e-8, 3e-7, 7.8e-8])
def test_rounds_of_many_calls_are_whole_turns_of_the_kernel(per_call):
    found = run(Scripted(per_call))
    assert found.iterations * per_call >= LEAST_OF_MANY_S
    assert found.iterations <= UNROLL or found.iterations % UNROLL == 0


@pytest.mark.parametrize("entry", [2e-7, 4e-7])
@pytest.mark.parametrize("per_call", [2e-8, 7.7e-8, 3.7e-7, 5e-7, 1.7e-6, 3.5e-6, 4.9e-6, 6.2e-6, 7e-6])
def test_what_a_round_adds_is_not_the_calls(per_call, entry):
    """It was: 0.4 µs, which a round of thirteen calls of 0.37 µs gave to them as 8 %."""

    class Entered(Scripted):
        def time(self, iterations):
            return super().time(iterations) + (entry if iterations > 1 else 5e-8)

    found = run(Entered(per_call))
    assert found.duration / found.iterations == pytest.approx(per_call, rel=0.01)


def test_the_least_time_of_a_round_may_be_longer():
    found = run(Scripted(1e-7), min_time=1e-3)
    assert 1e-3 <= found.duration < 5e-3  # by tens, until half of it


def test_long_calls_are_not_repeated_to_settle():
    """Sixteen calls of half a second were, where the least round was a tenth."""
    runner = Scripted(0.5)
    assert run(runner, min_time=0.1, max_time=2.0).iterations == 1
    assert runner.rounds == [1, 1]


@pytest.mark.parametrize("per_call", [6.3e-6, 1e-4, 0.1])
def test_a_call_that_lasts_long_enough_is_a_round(per_call):
    found = run(Scripted(per_call))
    assert (found.iterations, found.carried) == (1, ())


def test_the_confirming_call_of_a_slow_function_counts_as_a_round():
    runner = Scripted(3.0)
    found = run(runner)
    assert (found.iterations, found.carried) == (1, (3.0,))
    assert runner.rounds == [1, 1]


def test_strict_makes_the_calls_of_stock():
    runner = Scripted(1e-7)
    found = run(runner, strict=True)
    # 1: 0.1 us, 10: 1 us, both under the 2.5 us at which stock estimates; 100: 10 us.
    assert runner.rounds == [1, 10, 100]
    assert (found.iterations, found.duration) == (100, pytest.approx(1e-5))


def test_strict_estimates_as_stock_does():
    runner = Scripted(4.9e-8)
    found = run(runner, strict=True)
    assert runner.rounds == [1, 10, 100, 103]
    assert found.iterations == 103


def test_a_coarse_timer_asks_for_longer_rounds():
    found = run(Scripted(1e-6), timer_precision=1e-3)
    assert found.duration >= 10e-3


def test_warm_up_takes_the_least_duration():
    runner = Scripted(1e-7, cold=[1e-3])
    found = run(runner, warmup=5, strict=True)
    assert runner.rounds[:6] == [1] * 6
    assert found.iterations > 1


def test_a_clock_that_never_agrees_ends_by_max_time():
    class Faster:
        def __init__(self):
            self.duration, self.count = 1.0, 0

        def time(self, iterations):
            self.count += 1
            self.duration *= 0.5
            return max(self.duration, 0.2)

    assert run(Faster(), max_time=0.1).iterations == 1


def test_says_what_it_measured():
    lines = []
    run(Scripted(1e-3), log=lines.append)
    assert lines == ["Measured 1 iterations: 0.001000000s."]


def test_a_timer_that_runs_backwards_is_refused():
    """It did not end: each batch was faster than the one before."""

    class Backwards:
        def time(self, iterations):
            return -1e-6 * iterations

    with pytest.raises(MeasureError, match="the timer saw no time pass"):
        run(Backwards())
