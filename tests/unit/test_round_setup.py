# SPDX-License-Identifier: MIT
"""Rounds with a setup and a teardown of their own, as in `benchmark.pedantic`."""

from __future__ import annotations

import cProfile
import ctypes
import gc
import itertools
import pstats
import sys
import time
from types import MappingProxyType

import pytest
from rounds import Recorder, beside_a_busy_process

from perfcore._core import RoundLoop, Samples, involuntary_switches
from perfcore.measure.runner import pause_tracers


def run(target, rounds=2, args=(), kwargs=None, setup=None, teardown=None, pause=None, samples=None):
    loop = RoundLoop(target, args, kwargs or {})
    loop.run_setup(samples, rounds, args, kwargs or {}, setup, teardown, pause)
    return loop


def test_setup_gives_the_arguments_of_its_round():
    numbers = itertools.count()
    target, down = Recorder(), Recorder()
    samples = Samples()
    loop = run(target, 3, setup=lambda: ((next(numbers),), {"k": 1}), teardown=down, samples=samples)
    assert target.calls == [((0,), {"k": 1}), ((1,), {"k": 1}), ((2,), {"k": 1})]
    assert down.calls == target.calls
    assert len(samples) == 3
    assert loop.result == 3


def test_what_interrupts_a_setup_is_not_its_round_s():
    deadline = time.monotonic() + 10

    def lose_the_processor():
        before = involuntary_switches()
        while involuntary_switches() == before and time.monotonic() < deadline:
            pass

    with beside_a_busy_process():
        loop = run(time.sleep, 10, (0.0001,), setup=lose_the_processor, samples=Samples())
    assert loop.switches >= 10
    assert loop.interrupted < 5, "a sleep gives the processor away of its own will"


def test_a_setup_that_returns_nothing_leaves_the_arguments():
    target = Recorder()
    run(target, args=(5,), kwargs={"k": 6}, setup=lambda: None)
    assert target.calls == [((5,), {"k": 6})] * 2


def test_setup_arguments_beside_own_ones_are_refused_in_stock_s_words():
    with pytest.raises(TypeError, match="Can't use `args` or `kwargs` if `setup` returns the arguments"):
        run(Recorder(), args=(1,), setup=lambda: ((2,), {}))


@pytest.mark.parametrize("value", [(1, 2, 3), (1,), 5, ((1,), 5), (5, {})])
def test_a_setup_that_returns_something_else(value):
    with pytest.raises((TypeError, ValueError)):
        run(Recorder(), setup=lambda: value)


def test_arguments_may_be_any_iterable_and_mapping():
    target = Recorder()
    run(target, 1, setup=lambda: [iter([1, 2]), MappingProxyType({"a": 3})])
    assert target.calls == [((1, 2), {"a": 3})]


def test_an_exception_in_setup_target_or_teardown():
    for where in ("setup", "target", "teardown"):
        parts = {name: Recorder(fail_at=2 if name == where else None) for name in ("setup", "target", "teardown")}
        samples = Samples()
        setup, calls = parts["setup"], iter(range(100))

        def set_up(setup=setup, calls=calls):
            setup(next(calls))

        with pytest.raises(LookupError, match="call 2"):
            run(parts["target"], 5, setup=set_up, teardown=parts["teardown"], samples=samples)
        assert len(samples) == (2 if where == "teardown" else 1)


def test_tracers_are_paused_around_the_round_alone():
    traced = []

    def trace(frame, event, arg):
        traced.append(frame.f_code.co_name)

    def target():
        pass

    def setup():
        pass

    def teardown():
        pass

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        run(target, setup=setup, teardown=teardown, pause=pause_tracers)
        after = sys.gettrace()
    finally:
        sys.settrace(before)
    assert after is trace
    assert "target" not in traced
    assert traced.count("setup") == 2
    assert traced.count("teardown") == 2


def test_tracers_come_back_after_an_exception():
    def fail():
        raise LookupError

    before = sys.gettrace()
    mark = lambda *_: None  # noqa: E731
    sys.settrace(mark)
    try:
        with pytest.raises(LookupError):
            run(fail, pause=pause_tracers)
        after = sys.gettrace()
    finally:
        sys.settrace(before)
    assert after is mark


def test_a_profiler_in_c_that_python_does_not_see_is_left_alone():
    """As yappi's is: nobody could put it back."""
    seen = []
    kind = ctypes.PYFUNCTYPE(ctypes.c_int, *[ctypes.c_void_p] * 2, ctypes.c_int, ctypes.c_void_p)
    profiler = kind(lambda *_event: seen.append(1) or 0)
    set_profile = ctypes.PYFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)(("PyEval_SetProfile", ctypes.pythonapi))
    before = sys.getprofile()
    set_profile(ctypes.cast(profiler, ctypes.c_void_p), None)
    try:
        assert sys.getprofile() is None
        pause_tracers()()
        del seen[:]
        Recorder()()
    finally:
        set_profile(None, None)
        sys.setprofile(before)
    assert seen


def test_a_profiler_in_c_that_python_sees_but_cannot_call_is_left_alone():
    """As cProfile's is before 3.12."""
    profile, before = cProfile.Profile(), sys.getprofile()
    profile.enable()
    try:
        pause_tracers()()
        Recorder()()
    finally:
        profile.disable()
        sys.setprofile(before)
    assert "__call__" in {name for _, _, name in pstats.Stats(profile).stats}


@pytest.mark.parametrize("where", ["setup", "teardown"])
def test_a_collector_that_setup_or_teardown_turns_off_stays_off(where):
    seen, once = [], [gc.disable]

    def turn_off():
        if once:
            once.pop()()

    try:
        run(lambda: seen.append(gc.isenabled()), 3, **{where: turn_off})
        seen.append(gc.isenabled())
    finally:
        gc.enable()
    assert seen == [where == "teardown", False, False, False]


def test_keywords_that_a_finalizer_adds_to():
    """On 3.11 laying them out may collect garbage, whose end may change the dict."""
    before = gc.get_threshold()
    try:
        for threshold in range(1, 12):
            keywords = {f"k{number}": number for number in range(25)}  # more than the free lists of tuples hold

            class Ends:
                def __del__(self, keywords=keywords):
                    keywords.update((f"more{number}", number) for number in range(2000))

            gc.collect()
            gc.disable()
            end = Ends()
            end.itself = end
            del end
            gc.set_threshold(threshold, 1000, 1000)
            gc.enable()
            loop = RoundLoop(lambda **given: len(given), (), keywords)
            gc.disable()
            gc.set_threshold(*before)
            loop.run(Samples(), 1, 1)
            assert loop.result in (25, 2025)
    finally:
        gc.set_threshold(*before)
        gc.enable()
