# SPDX-License-Identifier: MIT
"""Coroutine functions on the coroutine runner."""

from __future__ import annotations

import asyncio
import functools
import gc
import sys
import threading
from unittest import mock

import pytest

from perfcore import MeasureError, Samples, _core
from perfcore.measure.callables import is_coroutine_function, name_of
from perfcore.measure.coroutine import CoroutineRunner
from perfcore.measure.runner import CallRunner, make_runner
from perfcore.messaging import PriorityRing, Ring


async def add(a, b=0):
    await asyncio.sleep(0)
    return a + b


class WithCall:
    async def __call__(self):
        return 1

    async def method(self):
        return 2

    def plain(self):
        return 3


class OwnAttributes:
    """Answers itself for what it has not, and not as Python wants it."""

    def __getattr__(self, name):
        return {}[name]

    def __call__(self):
        return 4


class Proxy(OwnAttributes):
    """Of nothing yet."""

    @property
    def __class__(self):
        raise RuntimeError("unbound")


def marked_for_asyncio():
    """Return a function that says to asyncio that it gives a coroutine, as those compiled to C do."""

    def function():
        return add(1)

    function._is_coroutine = asyncio.coroutines._is_coroutine
    return function


@pytest.fixture
def made():
    runners = []

    def make(*args, **kwargs):
        runners.append(make_runner(*args, **kwargs))
        return runners[-1]

    yield make
    for runner in runners:
        runner.close()


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (add, True),
        (functools.partial(functools.partial(add, 1), b=2), True),
        (WithCall(), True),
        (WithCall().method, True),
        (WithCall().plain, False),
        (WithCall, False),
        (len, False),
        (functools.partial(len, []), False),
        (Ring().aput, True),
        (PriorityRing().aget, True),
        (functools.partial(Ring().aget_many, 3), True),
        (Ring().put, False),
        (marked_for_asyncio(), True),
        (mock.Mock(spec=functools.reduce), False),
        (mock.Mock(spec=marked_for_asyncio), False),
        (mock.AsyncMock(), True),
    ],
)
def test_knows_a_coroutine_function(made, function, expected):
    assert is_coroutine_function(function) is expected
    assert isinstance(made(function), CoroutineRunner if expected else CallRunner)


@pytest.mark.parametrize("kind", [OwnAttributes, Proxy])
def test_an_object_that_answers_for_what_it_has_not_is_called(made, kind):
    runner = made(kind())
    runner.run(Samples(), 1, 1)
    assert (runner.result, name_of(kind())) == (4, kind.__name__)


def test_an_object_that_answers_for_what_it_has_not_may_be_awaited(made):
    class Awaited(OwnAttributes):
        async def __call__(self):
            return 5

    assert isinstance(made(Awaited()), CoroutineRunner)


def test_awaits_the_coroutines_of_types_in_c(made):
    ring = Ring()
    runner = made(ring.aput, ("item",))
    samples = Samples()
    runner.run(samples, 3, 10)
    assert (len(samples), runner.result, ring.qsize()) == (3, None, 30)
    made(ring.aget).run(samples, 3, 10)
    assert ring.empty()


def test_awaits_each_call_on_one_loop_and_keeps_the_result(made):
    loops = []

    async def target(value):
        loops.append(asyncio.get_running_loop())
        await asyncio.sleep(0)
        return value

    runner = made(target, (5,))
    samples = Samples()
    assert runner.run(samples, 3, 1) == 3
    assert runner.result == 5
    assert runner.run(samples, 2, 70) == 2
    assert runner.time(4) > 0
    assert len(loops) == 3 + 140 + 4
    assert len(set(loops)) == 1
    assert len(samples) == 5
    assert runner.kernel(1) == "coroutine"


def test_the_figure_is_that_of_the_await_not_of_the_loop(made):
    clock = 0

    def take(seconds):
        nonlocal clock
        clock += seconds

    class SlowLoop(asyncio.SelectorEventLoop):
        def __init__(self):
            take(10_000)
            super().__init__()

        def run_forever(self):
            take(1000)
            super().run_forever()
            take(1000)

    class Policy(asyncio.DefaultEventLoopPolicy):
        _loop_factory = SlowLoop

    async def target():
        take(1)
        await asyncio.sleep(0)
        take(1)

    asyncio.set_event_loop_policy(Policy())
    try:
        runner = made(target, timer=lambda: clock)
        samples = Samples()
        runner.run(samples, 3, 2)
    finally:
        asyncio.set_event_loop_policy(None)
    assert samples.tolist() == [2.0] * 3
    assert clock > 12_000, "the loop took its time"


def test_a_timer_of_the_user_is_used(made):
    ticks = iter(range(0, 1000, 3))
    runner = made(add, (1,), timer=lambda: next(ticks))
    samples = Samples()
    runner.run(samples, 2, 1)
    assert samples.tolist() == [3.0, 3.0]


def test_setup_and_teardown_plain_or_coroutines(made):
    events = []

    async def target(*args, **kwargs):
        events.append(("run", args, kwargs))

    async def setup():
        events.append("up")
        return (1,), {"k": 2}

    async def teardown(*args, **kwargs):
        events.append(("down", args, kwargs))

    samples = Samples()
    made(target).run_with_setup(samples, 2, setup, teardown)
    assert events == ["up", ("run", (1,), {"k": 2}), ("down", (1,), {"k": 2})] * 2
    assert len(samples) == 2
    runner = made(target, (7,))
    runner.run_with_setup(None, 1, lambda: None, lambda *a: events.append(a))
    assert events[-2:] == [("run", (7,), {}), (7,)]
    with pytest.raises(TypeError, match="Can't use `args`"):
        runner.run_with_setup(None, 1, setup, None)


def test_a_round_counts_as_interrupted_once_and_what_is_no_round_never(made, monkeypatch):
    switches = 0

    def lose_the_processor():
        nonlocal switches
        switches += 7

    async def target(*interrupted):
        if interrupted:
            lose_the_processor()

    monkeypatch.setattr(_core, "involuntary_switches", lambda: switches)
    runner, samples = made(target, (True,)), Samples()
    runner.time(1)
    runner.run(samples, 2, 1)
    runner.run(samples, 1, 70)
    assert (runner.flags["interrupted_rounds"], runner.flags["interrupted_exact"]) == (3, True)
    assert runner.flags["involuntary_switches"] == 7 * 73
    runner = made(target)
    runner.run_with_setup(samples, 5, lose_the_processor, lose_the_processor)
    assert (runner.flags["interrupted_rounds"], runner.flags["involuntary_switches"]) == (0, 70)


@pytest.mark.parametrize(("keep", "seconds"), [(True, 1.0), (False, 3.0)])
def test_what_a_call_returns_is_dropped_outside_the_clock_or_inside(made, keep, seconds):
    clock = 0

    def take(time):
        nonlocal clock
        clock += time

    class Heavy:
        def __del__(self):
            take(2)

    async def target():
        take(1)
        return Heavy()

    runner, samples = made(target, timer=lambda: clock, keep=keep), Samples()
    runner.run(samples, 3, 1)
    assert samples.tolist() == [seconds] * 3
    assert isinstance(runner.result, Heavy) is keep


def test_an_exception_comes_through_and_the_samples_stay(made):
    calls = []

    async def fail():
        calls.append(1)
        if len(calls) == 3:
            raise LookupError("third")

    samples = Samples()
    with pytest.raises(LookupError, match="third"):
        made(fail).run(samples, 10, 1)
    assert len(samples) == 2


@pytest.mark.parametrize("disable_gc", [False, True])
def test_the_collector_is_as_asked_inside_and_as_before_after(made, disable_gc):
    seen = []

    async def look():
        seen.append(gc.isenabled())

    assert gc.isenabled()
    made(look, disable_gc=disable_gc).run(Samples(), 2, 1)
    assert seen == [not disable_gc] * 2
    assert gc.isenabled()


def test_tracers_are_paused_around_the_await_and_come_back(made):
    traced = []

    async def target():
        pass

    before = sys.gettrace()
    trace = lambda frame, *_: traced.append(frame.f_code.co_name)  # noqa: E731
    sys.settrace(trace)
    try:
        made(target).run_with_setup(None, 1, None, None)
        after = sys.gettrace()
    finally:
        sys.settrace(before)
    assert after is trace
    assert "target" not in traced


def test_inside_a_running_loop_it_says_what_to_do():
    async def main():
        make_runner(add, (1,))

    with pytest.raises(MeasureError, match="`def` test"):
        asyncio.run(main())


def test_tasks_left_running_are_cancelled_at_close(made):
    ended = []

    async def background():
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ended.append(1)
            raise

    tasks = []

    async def target():
        tasks.append(asyncio.ensure_future(background()))
        await asyncio.sleep(0)

    runner = make_runner(target)
    runner.run(Samples(), 2, 1)
    runner.close()
    assert ended == [1, 1]


@pytest.mark.parametrize("waits", [True, False])
@pytest.mark.parametrize("setup", [True, False])
def test_another_thread_can_end_it(made, waits, setup):
    began, ended = threading.Event(), []

    async def work():
        if waits:
            began.set()
            await asyncio.sleep(3600)

    def note():
        if len(samples) > 100:
            began.set()

    def measure():
        run = runner.run_with_setup if setup else runner.run
        with pytest.raises(asyncio.CancelledError):
            run(samples, 10**9, *((note, None) if setup else (1, Noted())))
        ended.append(len(samples))

    class Noted:
        def next_look(self, rounds):
            note()
            return rounds + 1000

        def reached(self, samples):
            return False

    samples, runner = Samples(), made(work)
    thread = threading.Thread(target=measure)
    thread.start()
    began.wait()
    runner.cancel()
    thread.join()
    assert ended == [len(samples)]
    with pytest.raises(asyncio.CancelledError):
        runner.time(1)
    runner.close()
    runner.cancel()


def test_zero_iterations_are_refused(made):
    with pytest.raises(ValueError, match="at least 1"):
        made(add, (1,)).time(0)
    with pytest.raises(ValueError, match="at least 1"):
        made(add, (1,)).run(Samples(), 1, 0)
