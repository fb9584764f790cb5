# SPDX-License-Identifier: MIT
"""Timers of the user's own, on clocks that only the benchmarked function moves: counts must agree to the last call."""

import datetime
import time
from decimal import Decimal

import pytest
from pytest_benchmark.timers import compute_timer_precision

# Other releases read the timer for a second of wall time to find its precision: their counts are not repeatable.
COUNTED = 100 in compute_timer_precision.__code__.co_consts


class Clock:
    """A clock that every reading moves by a tick, and every call of the function by a step."""

    def __init__(self, tick=1e-7, step=3e-7, kind=float):
        self.now, self.tick, self.step, self.kind = 0.0, tick, step, kind
        self.readings = self.calls = 0

    def read(self):
        self.readings += 1
        self.now += self.tick
        return self.kind(self.now)

    def work(self, *_args):
        self.calls += 1
        self.now += self.step
        return self.calls


def observe(benchmark, note, clock, call):
    benchmark._timer = clock.read
    repeatable = COUNTED
    if clock.kind is float and not COUNTED:
        type(benchmark)._precisions[clock.read] = clock.tick
        repeatable = True
    error = None
    try:
        call()
    except Exception as caught:  # noqa: BLE001 - whatever stock raises
        error = type(caught).__name__
    stats = benchmark.stats
    figures = {"iterations": stats.iterations, "data": [str(x) for x in stats.stats.data]} if stats else {}
    note(error=error, has_error=benchmark.has_error)
    if repeatable or benchmark._mode == "benchmark.pedantic(...)":
        note.strict(calls=clock.calls, readings=clock.readings, **figures)


@pytest.mark.parametrize("step", [1e-9, 3e-7, 4.9e-6, 5e-6, 1e-3, 2.0])
def test_steps(benchmark, note, step):
    clock = Clock(step=step)
    benchmark._max_time = 2e-4
    observe(benchmark, note, clock, lambda: benchmark(clock.work))


@pytest.mark.parametrize("step", [1e-3, 0.1])  # more rounds than the warm-up asks for, and fewer
@pytest.mark.benchmark(warmup=True, warmup_iterations=50, max_time=0.5)
def test_warm_up(benchmark, note, step):
    # Warm-up is bounded by the wall clock too: by so much of it that a busy machine changes no count.
    clock = Clock(step=step)
    observe(benchmark, note, clock, lambda: benchmark(clock.work))


@pytest.mark.benchmark(max_time=0, min_rounds=0)
def test_no_rounds(benchmark, note):
    clock = Clock(step=2.0)
    observe(benchmark, note, clock, lambda: benchmark(clock.work))
    note(rounds=len(benchmark.stats.stats.data))


@pytest.mark.benchmark(max_time=1e-3, min_rounds=7, min_time=1e-6, calibration_precision=3)
def test_marker(benchmark, note):
    clock = Clock()
    observe(benchmark, note, clock, lambda: benchmark(clock.work, 1, 2))


@pytest.mark.parametrize(
    "counts", [{}, {"rounds": 5}, {"rounds": 4, "iterations": 3}, {"rounds": 3, "warmup_rounds": 2}]
)
def test_pedantic(benchmark, note, counts):
    clock = Clock()
    observe(benchmark, note, clock, lambda: benchmark.pedantic(clock.work, **counts))


def test_pedantic_set_up(benchmark, note):
    clock = Clock()
    observe(benchmark, note, clock, lambda: benchmark.pedantic(clock.work, setup=lambda: ((1,), {}), rounds=3))


def in_thousands(now):
    return int(now * 1e10)


@pytest.mark.parametrize(
    "kind", [in_thousands, Decimal, lambda now: datetime.timedelta(seconds=now * 1e3), lambda _now: None, str, complex]
)
def test_kinds(benchmark, note, kind):
    clock = Clock(kind=kind)
    benchmark._max_time = 1e-4
    observe(benchmark, note, clock, lambda: benchmark(clock.work))


@pytest.mark.parametrize("kind", [in_thousands, Decimal, lambda _now: None, str])
def test_kinds_pedantic(benchmark, note, kind):
    clock = Clock(kind=kind)
    observe(benchmark, note, clock, lambda: benchmark.pedantic(clock.work, rounds=3))


@pytest.mark.parametrize("at", [1, 2, 250, 300])
def test_raises(benchmark, note, at):
    clock = Clock()

    def kind(now):
        if clock.readings == at:
            raise OSError("the timer is out of order")
        return now

    clock.kind = kind
    benchmark._max_time = 1e-3
    observe(benchmark, note, clock, lambda: benchmark(clock.work))


@pytest.mark.parametrize("at", [100, 260, 300])
def test_goes_backwards_once(benchmark, note, at):
    clock = Clock()

    def kind(now):
        if clock.readings == at:
            clock.now -= 5e-6
        return clock.now

    clock.kind = kind
    benchmark._max_time = 1e-3
    observe(benchmark, note, clock, lambda: benchmark(clock.work))


def test_negative_samples(benchmark, note):
    clock = Clock(tick=-1e-7, step=-1e-6)
    observe(benchmark, note, clock, lambda: benchmark.pedantic(clock.work, rounds=5))


def test_builtin_timers(benchmark, note):
    benchmark._timer = time.process_time
    note(result=benchmark(sum, (1, 2)))


@pytest.mark.benchmark(timer=time.perf_counter_ns, min_time=5000, max_time=10_000_000)
def test_integer_timer(benchmark, note):
    note(result=benchmark(sum, (1, 2)))
    assert 1 < benchmark.stats.stats.median < 1e6


def test_patched_timer(benchmark, note, monkeypatch):
    clock = Clock()
    monkeypatch.setattr(time, "perf_counter", clock.read)
    benchmark._timer = time.perf_counter
    benchmark._max_time = 1e-4
    observe(benchmark, note, clock, lambda: benchmark(clock.work))
