# SPDX-License-Identifier: MIT
"""Figures that are known beforehand, by construction: a clock that the work itself moves on, objects that are counted.

The same on a real clock and a real kernel: tests/outside/truths.py.
"""

from __future__ import annotations

import asyncio
import math
import statistics
from collections.abc import Callable
from itertools import cycle

import pytest
from clocks import TICK, Clock

import perfcore
from perfcore.judge.stats import summarize


@pytest.fixture
def clock() -> Clock:
    return Clock()


def timer(clock: Callable[[], float], **options: object) -> perfcore.Timer:
    return perfcore.Timer(timer=clock, **{"min_time": 8 * TICK, "max_time": 200 * TICK} | options)  # type: ignore[arg-type]


@pytest.mark.parametrize("ticks", [1, 3, 50])
def test_every_sample_is_what_the_work_took(clock: Clock, ticks: int) -> None:
    found = timer(clock).measure(clock.work, ticks)
    assert set(found.samples.tolist()) == {ticks * TICK}
    assert found.median == ticks * TICK
    assert found.iterations * ticks >= 8


def test_a_coroutine_too(clock: Clock) -> None:
    async def work() -> None:
        await asyncio.sleep(0)
        clock.work(5)

    assert set(timer(clock).measure(work).samples.tolist()) == {5 * TICK}


def test_work_of_changing_length_gives_its_mean_and_its_quantiles(clock: Clock) -> None:
    lengths = cycle(range(16, 116))
    found = timer(clock, max_time=400 * 65 * TICK).measure(lambda: clock.work(next(lengths)))
    ticks = [round(one / TICK) for one in found.samples.tolist()]
    assert found.iterations == 1
    start = ticks[0]
    assert ticks == [16 + (start - 16 + index) % 100 for index in range(len(ticks))]  # each call once, in its turn
    summary = summarize(found.samples)
    assert summary.median == statistics.median(found.samples.tolist())
    assert math.isclose(summary.mean, statistics.fmean(found.samples.tolist()))


@pytest.mark.parametrize(("base", "head"), [(16, 32), (40, 50), (100, 25)])
def test_a_comparison_gives_the_ratio(clock: Clock, base: int, head: int) -> None:
    compared = timer(clock, max_time=20_000 * TICK).compare(lambda: clock.work(base), lambda: clock.work(head))
    assert compared.ratio == pytest.approx(head / base, rel=1e-9)


@pytest.mark.parametrize("count", [0, 1, 1000])
def test_objects_are_counted_one_by_one(count: int) -> None:
    keep: list[object] = [None] * count
    places = range(count)
    with perfcore.track_allocations() as idle:
        for index in places:
            keep[index] = None
    with perfcore.track_allocations() as found:
        for index in places:
            keep[index] = object()
    assert found.allocations - idle.allocations == count
    assert found.live_blocks - idle.live_blocks == count
    assert found.live - idle.live == count * object.__sizeof__(keep[0] if keep else object()) * bool(count)
