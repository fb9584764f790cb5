# SPDX-License-Identifier: MIT
"""What becomes of what the calls of a round return: kept past the clock, or dropped inside it."""

from __future__ import annotations

import time

import pytest
from rounds import loop_over

from perfcore._core import RoundLoop, Samples
from perfcore.measure.runner import make_runner

FOR_S = 0.002


class Heavy:
    """Something that takes its time to go."""

    alive = most = 0

    def __init__(self):
        Heavy.alive += 1
        Heavy.most = max(Heavy.alive, Heavy.most)

    def __del__(self):
        Heavy.alive -= 1
        time.sleep(FOR_S)


@pytest.fixture(autouse=True)
def reset():
    Heavy.alive = Heavy.most = 0


CLOCKS = {
    "tsc": {},
    "monotonic": {"tsc": False},
    "timer": {"timer": lambda: time.perf_counter_ns() / 1e9},
}


@pytest.mark.parametrize("clock", CLOCKS)
@pytest.mark.parametrize("iterations", [1, 2])
def test_dropped_inside_the_clock(clock, iterations):
    samples = Samples()
    loop = loop_over(Heavy, keep=False, **CLOCKS[clock])
    loop.run(samples, 3, iterations)
    assert min(samples) >= 0.9 * FOR_S
    assert loop.time(iterations) >= 0.9 * FOR_S * iterations
    assert (loop.result, Heavy.alive, Heavy.most) == (None, 0, 1)


@pytest.mark.parametrize("clock", CLOCKS)
def test_kept_past_the_clock(clock):
    samples = Samples()
    loop = loop_over(Heavy, **CLOCKS[clock])
    loop.run(samples, 9, 1)
    assert min(samples) < FOR_S
    assert isinstance(loop.result, Heavy)
    assert (Heavy.alive, Heavy.most) == (1, 1)


@pytest.mark.parametrize("clock", CLOCKS)
def test_an_exception_comes_through(clock):
    loop = RoundLoop(int, ("x",), {}, keep=False, **CLOCKS[clock])
    with pytest.raises(ValueError, match="invalid literal"):
        loop.time(1)


def test_runner():
    for keep in (True, False):
        runner = make_runner(Heavy, keep=keep)
        runner.run(Samples(), 2, 1)
        assert isinstance(runner.result, Heavy) == keep
