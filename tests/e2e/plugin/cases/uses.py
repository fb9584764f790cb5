# SPDX-License-Identifier: MIT
"""The ways in which suites use the fixture."""

import asyncio
import copy
import functools
import gc
import math
import operator
import pickle
import time
import unittest

import pytest
from pytest_benchmark.fixture import BenchmarkFixture


def free(a, b=2, *rest, c=3, **more):
    return a, b, rest, c, more


class Thing:
    def __init__(self, value=5):
        self.value = value

    def method(self, extra=0):
        return self.value + extra

    @classmethod
    def made(cls):
        return cls.__name__

    @staticmethod
    def still(x):
        return x * 2

    def __call__(self, x):
        return x - 1


def generator():
    yield 1


CALLS = {
    "free": (free, (1,), {}),
    "all": (free, (1, 2, 3, 4), {"c": 5, "d": 6}),
    "odd": (free, (1,), {"a-b": 1, "class": 2, "é": 3}),
    "lambda": (lambda: 7, (), {}),
    "method": (Thing().method, (3,), {}),
    "extra": (Thing().method, (), {"extra": 4}),
    "class": (Thing.made, (), {}),
    "static": (Thing.still, (4,), {}),
    "object": (Thing(), (4,), {}),
    "type": (int, ("12",), {}),
    "partial": (functools.partial(free, 1, c=9), (8,), {}),
    "builtin": (len, ("abc",), {}),
    "keyword": (sorted, ([3, 1],), {"reverse": True}),
    "math": (math.sqrt, (4.0,), {}),
    "getter": (operator.itemgetter(1), ("abc",), {}),
    "bound": ([1, 2, 2].count, (2,), {}),
    "cached": (functools.cache(free), (1,), {}),
    "many": (max, tuple(range(60)), {}),
    "none": (lambda: None, (), {}),
    "eval": (eval, ("len('abc') + abs(-1)",), {}),
    "exec": (exec, ("import math\nmade = [len(str(x)) for x in range(9)]",), {}),
}


@pytest.mark.parametrize("name", CALLS)
def test_callables(benchmark, note, name):
    function, args, kwargs = CALLS[name]
    result = benchmark(function, *args, **kwargs)
    note(result=repr(result), same=result == function(*args, **kwargs))
    assert benchmark.stats.stats.min > 0


@pytest.mark.parametrize("name", CALLS)
def test_callables_pedantic(benchmark, note, name):
    function, args, kwargs = CALLS[name]
    note(result=repr(benchmark.pedantic(function, args, kwargs, rounds=3)))


def test_generator_function(benchmark, note):
    note(result=type(benchmark(generator)).__name__)


def test_result_is_the_very_object(benchmark, note):
    made = []

    def function():
        made.append(object())
        return made[-1]

    result = benchmark.pedantic(function, rounds=4)
    note(last=result is made[-1], calls=len(made), one=benchmark.stats.stats.rounds)


def test_looped_result(benchmark, note):
    calls = []
    result = benchmark.pedantic(lambda: calls.append(1) or len(calls), rounds=4, iterations=5, warmup_rounds=2)
    note(result=result, calls=len(calls))


def test_set_up_arguments(benchmark, note):
    given, seen, torn = [], [], []

    def prepare():
        given.append(len(given))
        return [given[-1]], {"b": [given[-1]]}

    def function(a, b):
        seen.append((a, b))
        return a

    teardown = (
        {}
        if "teardown" not in benchmark.pedantic.__code__.co_varnames
        else {"teardown": lambda a, b: torn.append((a, b))}
    )
    result = benchmark.pedantic(function, setup=prepare, rounds=4, warmup_rounds=2, **teardown)
    note(result=result, given=given, seen=seen, torn=torn)


def test_set_up_without_arguments(benchmark, note):
    order = []
    benchmark.pedantic(order.append, ("call",), setup=lambda: order.append("setup"), rounds=3)
    note(order=order)


def test_changed_on_the_fixture(benchmark, note):
    benchmark.extra_info["answer"] = 42
    benchmark.group = "changed"
    benchmark.name = "renamed"
    benchmark._min_rounds = 17
    benchmark._max_time = 1e-9
    benchmark(len, ())
    benchmark.extra_info["later"] = [1, 2]
    note(rounds=benchmark.stats.stats.rounds, name=benchmark.stats.name, group=benchmark.stats.group)


@pytest.mark.benchmark(
    group="marked",
    min_time=1e-6,
    max_time=0.01,
    min_rounds=9,
    timer=time.monotonic,
    disable_gc=True,
    warmup=True,
    warmup_iterations=20,
    calibration_precision=5,
    cprofile=True,
)
def test_marker(benchmark, note):
    note(result=benchmark(free, 1), disable_gc=benchmark.stats.options["disable_gc"], group=benchmark.stats.group)
    note(profiled=benchmark.stats.cprofile_stats is not None)


@pytest.mark.benchmark("positional")
def test_marker_with_an_argument(benchmark):
    benchmark(len, ())


@pytest.mark.benchmark(unknown=1)
def test_marker_with_an_unknown_keyword(benchmark):
    benchmark(len, ())


class TestClass:
    @pytest.fixture
    def prepared(self, benchmark):
        benchmark.extra_info["prepared"] = True
        return benchmark

    def test_through_another_fixture(self, prepared, note):
        note(result=prepared(len, (1,)))

    def test_decorator(self, benchmark, note):
        @benchmark
        def result():
            return 11

        note(result=result)


class Unit(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def _benchmark(self, benchmark):
        self.benchmark = benchmark

    def test_unittest(self):
        assert self.benchmark(len, (1, 2)) == 2


class UnitWeave(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def _weave(self, benchmark_weave):
        self.weave = benchmark_weave

    def test_weave(self):
        self.weave("time.sleep")
        time.sleep(1e-7)


def test_weave(benchmark):
    benchmark.weave(Thing.method, lazy=True)
    assert Thing(9).method(1) == 10


def test_patch(benchmark_weave):
    benchmark_weave("math.factorial")
    assert math.factorial(5) == 120


def test_weave_is_undone(note):
    note(restored=isinstance(math.factorial, type(len)))


def test_disabled_by_the_test(benchmark, note):
    benchmark.disabled = True
    calls = []
    benchmark(calls.append, 1)
    note(calls=len(calls), stats=benchmark.stats is None)


def test_disabled_pedantic(benchmark, note):
    benchmark.disabled = True
    calls = []
    benchmark.pedantic(calls.append, (1,), rounds=5)
    note(calls=len(calls), stats=benchmark.stats is None)


class OwnFixture(BenchmarkFixture):
    def _make_runner(self, function_to_benchmark, args, kwargs):
        runner = super()._make_runner(function_to_benchmark, args, kwargs)
        self.extra_info["runners"] = self.extra_info.get("runners", 0) + 1
        return runner


class TestOverride:
    @pytest.fixture
    def benchmark(self, benchmark):
        benchmark.extra_info["overridden"] = True
        return benchmark

    def test_override(self, benchmark, note):
        note(result=benchmark(len, ()), info=benchmark.extra_info)


class TestOwnClass:
    @pytest.fixture
    def benchmark(self, benchmark):
        benchmark.__class__ = OwnFixture
        for name in ("_raw", "_raw_pedantic"):
            vars(benchmark).pop(name, None)
        return benchmark

    def test_own_class(self, benchmark, note):
        note(result=benchmark(len, ()), runners=benchmark.extra_info["runners"])


@pytest.fixture(scope="class")
def shared(request):
    return []


class TestScopes:
    @pytest.mark.parametrize("x", [1, 2])
    def test_shared(self, benchmark, shared, note, x):
        shared.append(benchmark(operator.neg, x))
        note(shared=list(shared), param=benchmark.param, params=benchmark.params)


def test_stats_of_the_test(benchmark, note):
    benchmark.pedantic(len, ((),), rounds=8)
    stats = benchmark.stats
    note(
        keys=sorted(stats.stats.as_dict()),
        entry=sorted(set(stats.as_dict()) - {"perfcore"}),
        rounds=stats["rounds"],
        truth=bool(stats),
        length=len(stats.stats.data),
        kinds=[type(stats.stats.data).__name__, type(stats.stats.data[0]).__name__],
        order=sorted(stats.stats.data) == stats.stats.sorted_data,
        positive=stats.stats.min > 0 and stats["median"] > 0,
    )


def test_no_arguments_but_those_of_set_up(benchmark, note):
    note(result=benchmark.pedantic(max, args=None, kwargs=None, setup=lambda: ((1, 2), {}), rounds=3))


@pytest.mark.parametrize("warmup_rounds", [0, 2])
def test_set_up_that_changes_the_arguments_in_place(benchmark, note, warmup_rounds):
    args, kwargs, seen = [], {}, []

    def prepare():
        args[:] = [len(seen)]
        kwargs["b"] = -len(seen)

    benchmark.pedantic(
        lambda a, b: seen.append((a, b)), args, kwargs, setup=prepare, rounds=3, warmup_rounds=warmup_rounds
    )
    note(seen=seen)


def test_tear_down_that_changes_the_arguments_in_place(benchmark, note):
    args, kwargs, seen = [0], {}, []

    def renew(*_, **__):
        args[:], kwargs["b"] = [len(seen)], -len(seen)

    benchmark.pedantic(lambda a, b=0: seen.append((a, b)), args, kwargs, teardown=renew, rounds=3)
    note(seen=seen)


def test_set_up_that_turns_the_collector_off(benchmark, note):
    seen, first = [], [gc.disable]

    def prepare():
        if first:
            first.pop()()

    try:
        benchmark.pedantic(
            lambda: seen.append(gc.isenabled()), setup=prepare, teardown=lambda: seen.append(gc.isenabled()), rounds=3
        )
        note(seen=seen, after=gc.isenabled())
    finally:
        gc.enable()


class Heavy:
    alive = most = 0

    def __init__(self):
        Heavy.alive += 1
        Heavy.most = max(Heavy.alive, Heavy.most)
        time.sleep(0.0002)  # one call is a round

    def __del__(self):
        Heavy.alive -= 1
        time.sleep(0.001)


@pytest.mark.parametrize("mode", ["call", "pedantic"])
def test_results_are_dropped_where_stock_drops_them(benchmark, note, mode):
    Heavy.alive = Heavy.most = 0
    benchmark(Heavy) if mode == "call" else benchmark.pedantic(Heavy, rounds=3)
    note(in_the_clock=benchmark.stats.stats.min >= 0.001)
    if mode == "call":
        note(most=Heavy.most)


def test_the_test_s_own_event_loop_stays(benchmark, note):
    async def ready():
        return 1

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        made = benchmark.pedantic(ready)
        if asyncio.iscoroutine(made):
            made.close()
        note(same=asyncio.get_event_loop() is loop)
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def test_samples_that_a_test_takes_out_and_puts_in(benchmark, note):
    benchmark.pedantic(len, ((),), rounds=5)
    stats = benchmark.stats.stats
    held = stats.data
    del held[:3]
    stats.update(5.0)
    held.append(7.0)
    note(
        rounds=stats.rounds,
        top=[stats.max, stats.sorted_data[-2]],
        same=stats.data == held,
        fields=stats.as_dict()["max"],
    )


def pickled(stats):
    return pickle.loads(pickle.dumps(stats))  # noqa: S301


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, pickled])
def test_statistics_are_copied(benchmark, note, again):
    benchmark.pedantic(len, ((),), rounds=5)
    stats = benchmark.stats.stats
    made = again(stats)
    note(same=made.as_dict() == stats.as_dict(), data=made.data == stats.data)
