# SPDX-License-Identifier: MIT
"""The C round loop: what it calls, how often, with what, and what it leaves behind."""

from __future__ import annotations

import functools
import gc
import itertools
import signal
import sys
import threading
import time
from decimal import Decimal

import pytest
from rounds import Recorder, beside_a_busy_process, loop_over

from perfcore import _core
from perfcore._core import RoundLoop, Samples
from perfcore.measure.kernel import UNROLL, make_kernel


@pytest.mark.parametrize("iterations", [1, 2, 7, 8, 9, 63, 64, 65, 128, 200, 1000])
def test_makes_exactly_the_calls_asked_for(iterations):
    target = Recorder()
    samples = Samples()
    loop_over(target, (1, "a"), {"k": 2}).run(samples, 3, iterations)
    assert len(target.calls) == 3 * iterations
    assert all(call == ((1, "a"), {"k": 2}) for call in target.calls)
    assert len(samples) == 3
    assert all(sample > 0 for sample in samples)


def test_time_is_for_the_whole_round_and_run_is_per_call():
    loop = loop_over(time.sleep, (0.002,))
    assert loop.time(10) >= 0.02
    samples = Samples()
    loop.run(samples, 1, 10)
    assert samples[0] >= 0.002
    ticks = itertools.count(0, 100)
    loop = loop_over(int, timer=lambda: next(ticks))
    assert loop.time(10) == 100
    loop.run(samples, 1, 10)
    assert samples[1] == 10


def test_correction_is_subtracted_once_a_round():
    ticks = itertools.count(0, 100)
    samples = Samples()
    RoundLoop(int, (), {}, timer=lambda: next(ticks)).run(samples, 2, 1, 30.0)
    assert samples.tolist() == [70.0, 70.0]
    kernel, kernel_args = make_kernel(int, (), {})
    many = RoundLoop(int, (), {}, timer=lambda: next(ticks), kernel=kernel, kernel_args=kernel_args, unroll=UNROLL)
    samples = Samples()
    many.run(samples, 1, 10, 30.0)
    assert samples.tolist() == [7.0]


def test_result_is_that_of_the_last_round_of_one_call():
    target = Recorder()
    loop = loop_over(target)
    assert loop.result is None
    loop.run(Samples(), 5, 1)
    assert loop.result == 5
    loop.run(Samples(), 2, 10)
    assert loop.result == 5, "rounds of many calls have no result"


@pytest.mark.parametrize("iterations", [1, 10])
def test_an_exception_ends_the_run_and_keeps_the_samples(iterations):
    target = Recorder(fail_at=3 * iterations)
    samples = Samples()
    loop = loop_over(target)
    with pytest.raises(LookupError, match=f"call {3 * iterations}"):
        loop.run(samples, 10, iterations)
    assert len(samples) == 2
    loop.run(samples, 1, 1)
    assert len(samples) == 3, "the loop can be used again"


class TestCollector:
    @pytest.fixture(autouse=True)
    def _restore(self):
        before = gc.isenabled()
        yield
        gc.enable() if before else gc.disable()

    @pytest.mark.parametrize("disable_gc", [False, True])
    @pytest.mark.parametrize("fails", [False, True])
    def test_is_off_inside_when_asked_and_on_again_after(self, disable_gc, fails):
        seen = []

        def look():
            seen.append(gc.isenabled())
            if fails:
                raise LookupError

        gc.enable()
        loop = loop_over(look, disable_gc=disable_gc)
        if fails:
            with pytest.raises(LookupError):
                loop.run(Samples(), 1, 1)
        else:
            loop.run(Samples(), 2, 1)
        assert set(seen) == {not disable_gc}
        assert gc.isenabled()

    def test_a_callable_that_turns_it_off_is_undone_after_each_round(self):
        seen = []

        def turn_off():
            seen.append(gc.isenabled())
            gc.disable()

        gc.enable()
        loop_over(turn_off).run(Samples(), 3, 1)
        assert seen == [True, True, True]
        assert gc.isenabled()

    def test_a_callable_that_turns_it_on_keeps_it_on(self):
        gc.disable()
        loop_over(gc.enable).run(Samples(), 2, 1)
        assert gc.isenabled()

    def test_what_the_first_round_turned_on_is_on_after_the_second(self):
        seen = []

        def turn_on_once():
            seen.append(gc.isenabled())
            if len(seen) == 1:
                gc.enable()

        gc.disable()
        loop_over(turn_on_once, disable_gc=True).run(Samples(), 2, 1)
        assert seen == [False, False]
        assert gc.isenabled()


class TestTimers:
    @pytest.mark.parametrize("clock", [time.CLOCK_MONOTONIC, time.CLOCK_PROCESS_CPUTIME_ID, time.CLOCK_REALTIME])
    def test_reads_the_clock_it_is_given(self, clock):
        def spin():
            end = time.clock_gettime(clock) + 0.002
            while time.clock_gettime(clock) < end:
                pass

        loop = loop_over(spin, clock=clock)
        assert 0.0019 < loop.time(1) < 0.5

    @pytest.mark.parametrize("tsc", [True, False])
    def test_counter_and_clock_tell_the_same_time(self, tsc):
        loop = loop_over(time.sleep, (0.005,), tsc=tsc)
        samples = Samples()
        before = time.perf_counter()
        loop.run(samples, 10, 1)
        after = time.perf_counter()
        # The first run may wait for the counter's rate, so the rounds are within the time around them, not all of it.
        assert 0.05 <= sum(samples.tolist()) <= after - before
        assert loop.doubted == 0
        assert loop.clock_source in ({"tsc", "clock_gettime"} if tsc else {"clock_gettime"})

    @pytest.mark.parametrize(
        ("options", "source"), [({"timer": time.monotonic_ns}, "timer"), ({"clock": 2}, "clock_gettime")]
    )
    def test_the_counter_is_only_for_the_monotonic_clock(self, options, source):
        loop = loop_over(int, **options)
        loop.run(Samples(), 2, 1)
        assert loop.clock_source == source

    @pytest.mark.parametrize("identifier", [time.CLOCK_MONOTONIC, time.CLOCK_PROCESS_CPUTIME_ID])
    def test_the_cost_of_two_readings(self, identifier):
        assert 0 < _core.clock_pair(identifier) < 1e-3
        assert _core.clock_source(identifier) == loop_over(int, clock=identifier).clock_source

    def test_cpu_time_does_not_see_a_sleep(self):
        loop = loop_over(time.sleep, (0.05,), clock=time.CLOCK_PROCESS_CPUTIME_ID)
        assert loop.time(1) < 0.04

    def test_an_unknown_clock_is_refused(self):
        with pytest.raises(ValueError, match="no clock 99"):
            loop_over(int, clock=99)

    def test_a_timer_of_ints_gives_floats_as_stock_does(self):
        ticks = itertools.count(0, 7)
        samples = Samples()
        RoundLoop(int, (), {}, timer=lambda: next(ticks)).run(samples, 2, 1)
        assert samples.tolist() == [7.0, 7.0]

    def test_a_timer_that_goes_backwards_gives_negative_samples(self):
        ticks = itertools.count(0, -2)
        samples = Samples()
        RoundLoop(int, (), {}, timer=lambda: float(next(ticks))).run(samples, 1, 1)
        assert samples.tolist() == [-2.0]

    @pytest.mark.parametrize("reading", [Decimal(1), "x", None])
    def test_a_timer_of_anything_else_is_an_error(self, reading):
        with pytest.raises(TypeError):
            RoundLoop(int, (), {}, timer=lambda: reading).time(1)

    def test_a_timer_that_raises(self):
        def fail():
            raise LookupError("no time")

        with pytest.raises(LookupError, match="no time"):
            RoundLoop(int, (), {}, timer=fail).time(1)


def test_a_round_cannot_start_another_of_the_same_loop():
    samples = Samples()
    box = []
    loop = RoundLoop(lambda: box[0].run(samples, 1, 1), (), {})
    box.append(loop)
    with pytest.raises(RuntimeError, match="running already"):
        loop.run(samples, 1, 1)
    assert len(samples) == 0


def test_two_loops_may_nest():
    inner_samples, outer_samples = Samples(), Samples()
    inner = loop_over(int)
    loop_over(lambda: inner.run(inner_samples, 3, 1)).run(outer_samples, 2, 1)
    assert (len(inner_samples), len(outer_samples)) == (6, 2)


def test_a_callable_that_exports_the_samples_cannot_make_them_move():
    samples = Samples()
    views = []
    loop = loop_over(lambda: views.append(memoryview(samples)))
    with pytest.raises(BufferError):
        loop.run(samples, 1000, 1)
    views.clear()
    loop_over(int).run(samples, 1000, 1)
    assert len(samples) >= 1000


def test_exported_samples_never_grow_however_much_room_is_left():
    samples = Samples(range(9))
    samples.append(9.0)  # leaves room for more
    assert sys.getsizeof(samples) - sys.getsizeof(Samples()) > 8 * 10
    with memoryview(samples) as view:
        with pytest.raises(BufferError, match="memoryview"):
            loop_over(int).run(samples, 1, 1)
        assert (len(samples), len(view)) == (10, 10)
    loop_over(int).run(samples, 1, 1)
    assert len(samples) == 11


def test_signals_are_handled_between_rounds_of_a_builtin():
    seen = []
    before = signal.signal(signal.SIGALRM, lambda *_: seen.append(1))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.02)
        start = time.monotonic()
        loop = loop_over(len, ([],))
        while not seen and time.monotonic() - start < 10:
            loop.run(Samples(), 200_000, 1)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert seen


def test_ctrl_c_ends_a_loop_over_a_builtin():
    def interrupt(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    samples = Samples()
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(KeyboardInterrupt):
            loop_over(sorted, (list(range(100)),)).run(samples, 100_000_000, 1)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert len(samples) > 10


def test_other_threads_run_beside_a_loop_over_a_builtin():
    stop, count = threading.Event(), [0]

    def work():
        while not stop.is_set():
            count[0] += 1

    thread = threading.Thread(target=work)
    thread.start()
    try:
        samples = Samples()
        loop = loop_over(len, ([],))
        before = count[0]
        deadline = time.monotonic() + 0.2
        while time.monotonic() < deadline:
            loop.run(samples, 100_000, 1)
        assert count[0] > before + 100
    finally:
        stop.set()
        thread.join()


def test_the_collector_runs_during_a_loop_over_a_builtin():
    class Cycle:
        alive = 0

        def __init__(self):
            type(self).alive += 1
            self.me = self

        def __del__(self):
            type(self).alive -= 1

    gc.enable()
    loop_over(Cycle).run(Samples(), 50_000, 1)
    assert Cycle.alive < 50_000
    gc.collect()


def test_wrong_arguments():
    loop = RoundLoop(int, (), {})
    with pytest.raises(ValueError, match="at least 1, not 0"):
        loop.time(0)
    with pytest.raises(ValueError, match="need a kernel"):
        loop.time(2)
    with pytest.raises(TypeError, match="samples must be a Samples, not list"):
        loop.run([], 1, 1)
    with pytest.raises(TypeError, match="3 or 4 arguments, not 2"):
        loop.run(Samples(), 1)
    with pytest.raises(TypeError, match="7 or 8 arguments, not 1"):
        loop.run_setup(None)
    with pytest.raises(TypeError, match="args must be a tuple"):
        loop.run_setup(None, 1, [], {}, None, None, None)
    with pytest.raises(TypeError, match="kernel_args"):
        RoundLoop(int, (), {}, kernel=int)
    with pytest.raises(TypeError, match="kernel_args"):
        RoundLoop(int, (), {}, kernel_args=())
    with pytest.raises(ValueError, match="unroll"):
        RoundLoop(int, (), {}, unroll=0)
    with pytest.raises(TypeError, match="keywords must be strings"):
        RoundLoop(int, (), {1: 2})
    with pytest.raises((OverflowError, TypeError)):
        loop.run(Samples(), 2**70, 1)


def test_no_rounds_is_nothing():
    target, samples = Recorder(), Samples()
    loop_over(target).run(samples, 0, 1)
    assert (len(samples), target.calls) == (0, [])


@pytest.mark.parametrize(
    "function",
    [functools.partial(Recorder(), 1), Recorder().__call__, Recorder, len.__call__.__self__, str],
    ids=["partial", "bound method", "class", "builtin", "type"],
)
def test_any_callable_works_both_ways(function):
    args = ([],) if function is len else ()
    samples = Samples()
    loop = loop_over(function, args)
    loop.run(samples, 2, 1)
    loop.run(samples, 2, 70)
    assert len(samples) == 4


def test_counts_its_rounds_and_involuntary_switches():
    loop = loop_over(int)
    loop.run(Samples(), 1000, 1)
    assert loop.rounds == 1000
    assert 0 <= loop.interrupted <= 1000
    assert loop.switches >= (loop.interrupted if loop.exact else 0)


def test_rounds_that_lost_their_processor_are_counted():
    with beside_a_busy_process():
        loop, samples = loop_over(sum, (range(10_000),)), Samples()
        deadline = time.monotonic() + 10
        while loop.interrupted < 5 and time.monotonic() < deadline:
            loop.run(samples, 200, 1)
    assert loop.interrupted >= 5
    assert loop.switches >= 5
    sleeper = loop_over(time.sleep, (0.0001,))
    sleeper.run(Samples(), 20, 1)
    if sleeper.exact:
        assert sleeper.interrupted < 20, "a sleep gives the processor away of its own will"
