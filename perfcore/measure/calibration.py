# SPDX-License-Identifier: MIT
"""How many calls make one round.

pytest-benchmark's search, with two differences. No duration is believed before a second batch of the same size confirms
it: otherwise one cold first call (an import, a cache to fill, a page to fault in) fixes the number of calls at 1. And a
round of several calls lasts `LEAST_OF_MANY_S`, not the 5 µs of pytest-benchmark's default: entering the generated code
takes up to half a microsecond, which a round of 5 µs would give to its calls as 10 % of their time, and another share
in the next process, whose calibration comes to another number of calls.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Protocol

from perfcore.errors import MeasureError
from perfcore.measure.kernel import UNROLL

# The generated code's entry is 1 % of this or less.
LEAST_OF_MANY_S = 50e-6
# A batch confirms the one before it unless it is faster by more than this factor.
_AGREEMENT = 0.8
# A short call is repeated before its duration is believed: it gets faster over its first calls (specialisation, caches,
# the branch predictor), and two of those agree without being warm. Only under _SETTLING_LIMIT times the least round,
# and under _SETTLING_LIMIT_S where the least round is long.
_SETTLING_CALLS = 16
_SETTLING_LIMIT = 20
_SETTLING_LIMIT_S = 1e-3
# One call makes a round only if it is this much longer than the least one: rounds are faster than calibration, which is
# interrupted by Python.
_SINGLE_MARGIN = 1.25
# Untimed turns that let the interpreter specialise the unrolled calls before they are judged: 3.11 needs eight.
_SPECIALISING_TURNS = 10
_SPECIALISING_LIMIT_S = 1e-6


# A timer that has not moved by then never will; stock would multiply the calls by ten for ever.
_STANDSTILL_CALLS = 1_000_000


class Rounds(Protocol):
    """What calibration needs of a runner."""

    def time(self, iterations: int, /) -> float:
        """Run one round; return its duration in seconds."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a round will be.

    Attributes:
        duration: seconds that one round takes, warm.
        iterations: calls in one round.
        carried: durations in seconds of rounds measured already that count as rounds of the benchmark, so that
            confirming a call of a second costs no further second.

    """

    duration: float
    iterations: int
    carried: tuple[float, ...] = ()


def _confirm(runner: Rounds, iterations: int, duration: float, max_time: float) -> tuple[float, float]:
    """Repeat a batch until it no longer gets faster; return the least duration and the last one."""
    spent = 0.0
    while True:
        again = runner.time(iterations)
        if again >= duration * _AGREEMENT or again <= 0 or spent > max_time:  # or the timer runs backwards
            return min(duration, again), again
        duration = again
        spent += again


def _specialise(runner: Rounds, iterations: int, duration: float) -> None:
    """Run short calls until the interpreter has specialised them."""
    if iterations >= UNROLL and duration < iterations * _SPECIALISING_LIMIT_S:
        for _ in range(_SPECIALISING_TURNS):
            runner.time(UNROLL)


def calibrate(
    runner: Rounds,
    *,
    min_time: float,
    max_time: float,
    warmup: int = 0,
    timer_precision: float,
    calibration_precision: int = 10,
    strict: bool = False,
    log: Callable[[str], None] | None = None,
) -> Calibration:
    """Find how many calls a round needs to last `min_time`, and `LEAST_OF_MANY_S` if it is more than one.

    Args:
        runner: runs one round of a given number of calls.
        min_time: least duration of a round, in seconds; at least `calibration_precision` steps of the timer are taken.
        max_time: seconds that the whole benchmark may take; bounds warm-up and confirmation.
        warmup: calls to make at each step before its duration is believed; 0 for none.
        timer_precision: the timer's smallest step, in seconds.
        calibration_precision: how many of those steps a round must last.
        strict: make exactly the calls that pytest-benchmark makes, and as few of them a round.
        log: receives one line for each step.

    Raises:
        MeasureError: the timer stands still (not under `strict`).

    """
    say = log or (lambda _line: None)
    min_time = max(min_time, timer_precision * calibration_precision)
    least_of_many = least_of_many_s(min_time, strict=strict)
    single = min_time if strict else min_time * _SINGLE_MARGIN
    estimate = least_of_many * 5 / calibration_precision
    settling = min(min_time * _SETTLING_LIMIT, _SETTLING_LIMIT_S)
    iterations = 1
    specialised = False
    while True:
        last = duration = runner.time(iterations)
        if warmup:
            duration = _warm_up(runner, iterations, duration, warmup, max_time)
        if not strict:
            if iterations >= UNROLL and not specialised:
                _specialise(runner, iterations, duration)
                specialised = True
            if iterations < UNROLL and min_time <= duration < settling:
                duration = min(duration, *(runner.time(iterations) for _ in range(_SETTLING_CALLS)))
            duration, last = _confirm(runner, iterations, duration, max_time)
            if duration <= 0 and iterations > _STANDSTILL_CALLS:
                raise MeasureError(
                    f"the timer saw no time pass in {iterations} calls: use one that moves, or longer calls"
                )
        say(f"Measured {iterations} iterations: {duration:.9f}s.")
        if duration >= (single if iterations == 1 else least_of_many):
            break
        if duration >= estimate:
            iterations = ceil(least_of_many * iterations / duration)
            if not strict:
                iterations = max(iterations, 2)
            elif iterations == 1:
                break
        else:
            iterations *= 10
        if iterations > UNROLL and not strict:
            iterations += -iterations % UNROLL  # whole turns of the kernel: no remainder to loop over
    # Slow enough for stock to run its least number of rounds: the confirming round is one of them.
    slow = not strict and iterations == 1 and duration * 5 >= max_time
    return Calibration(duration, iterations, (last,) if slow else ())


def least_of_many_s(min_time: float, *, strict: bool) -> float:
    """Return the least duration, in seconds, of a round of several calls where that of any round is `min_time`."""
    return min_time if strict else max(min_time, LEAST_OF_MANY_S)


def _warm_up(runner: Rounds, iterations: int, duration: float, warmup: int, max_time: float) -> float:
    """Repeat a batch for `warmup` calls or `max_time` seconds; return the least duration seen."""
    start = time.time()
    done = 0
    while time.time() - start < max_time and done < warmup:
        duration = min(duration, runner.time(iterations))
        done += iterations
    return duration
