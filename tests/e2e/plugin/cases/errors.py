# SPDX-License-Identifier: MIT
"""Things that go wrong inside a benchmark: the outcome is stock's."""

import gc
import os
import sys
import threading
import time

import pytest
from pytest_benchmark import fixture


class Fails:
    """Raises at one of its calls."""

    def __init__(self, at, error=ZeroDivisionError):
        self.at, self.error, self.calls = at, error, 0

    def __call__(self, *_args):
        self.calls += 1
        if self.calls == self.at:
            raise self.error(f"call {self.at}")


@pytest.mark.parametrize("at", [1, 2, 3, 50])
def test_function_raises(benchmark, note, at):
    function = Fails(at)
    benchmark._min_rounds = 60
    try:
        benchmark(function)
    finally:
        note(calls=function.calls, gc=gc.isenabled(), has_error=benchmark.has_error)


@pytest.mark.parametrize("at", [1, 2, 5])
def test_pedantic_raises(benchmark, note, at):
    function = Fails(at)
    try:
        benchmark.pedantic(function, rounds=6, warmup_rounds=1)
    finally:
        stats = benchmark.stats.stats.data
        note(calls=function.calls, has_error=benchmark.has_error, samples=len(stats))


@pytest.mark.parametrize("error", [SystemExit, StopIteration, GeneratorExit, MemoryError, RecursionError])
def test_kinds_of_error(benchmark, note, error):
    function = Fails(3, error)
    try:
        benchmark.pedantic(function, rounds=6)
    finally:
        note(calls=function.calls, has_error=benchmark.has_error, gc=gc.isenabled())


@pytest.mark.parametrize("at", [1, 3])
def test_setup_raises(benchmark, note, at):
    setup, calls = Fails(at), []
    try:
        benchmark.pedantic(calls.append, (1,), setup=setup, rounds=5)
    finally:
        note(calls=len(calls), setups=setup.calls, has_error=benchmark.has_error)


@pytest.mark.parametrize("at", [1, 3])
def test_teardown_raises(benchmark, note, at):
    teardown, calls = Fails(at), []
    try:
        benchmark.pedantic(calls.append, (1,), teardown=teardown, rounds=5)
    finally:
        note(calls=len(calls), teardowns=teardown.calls, has_error=benchmark.has_error)


def test_teardown_raises_looped(benchmark, note):
    teardown, calls = Fails(2), []
    try:
        benchmark.pedantic(calls.append, (1,), teardown=teardown, rounds=5, iterations=4)
    finally:
        note(calls=len(calls), teardowns=teardown.calls)


@pytest.mark.parametrize(
    "counts",
    [
        {"rounds": 0},
        {"rounds": -1},
        {"rounds": "x"},
        {"rounds": 1.5},
        {"rounds": True},
        {"iterations": 0},
        {"iterations": None},
        {"warmup_rounds": -1},
        {"warmup_rounds": "x"},
        {"iterations": 2, "setup": list},
        {"rounds": 2, "setup": 5},
        {"setup": lambda: 5},
        {"setup": lambda: (1, 2, 3)},
        {"setup": lambda: ((1,), 5)},
        {"setup": lambda: ((), {"bad": 1})},
        {"args": (1,), "setup": lambda: ((1,), {})},
        {"kwargs": {"x": 1}, "setup": lambda: ((1,), {})},
        {"args": (1,), "setup": lambda: None},
        {"args": 5},
        {"kwargs": 5},
        {"args": None},
        {"teardown": 5},
        {"nonsense": 1},
    ],
)
def test_pedantic_arguments(benchmark, note, counts):
    calls = []

    def function(*args, **kwargs):
        calls.append((args, kwargs))
        if kwargs.pop("bad", None):
            raise KeyError("bad")

    error = None
    try:
        benchmark.pedantic(function, **counts)
    except Exception as caught:  # noqa: BLE001 - whatever stock raises
        error = type(caught).__name__
    note(calls=len(calls), error=error, has_error=benchmark.has_error, mode=benchmark._mode)


@pytest.mark.parametrize("second", ["call", "pedantic"])
@pytest.mark.parametrize("first", ["call", "pedantic"])
def test_used_twice(benchmark, note, first, second):
    use = {"call": lambda: benchmark(len, ()), "pedantic": lambda: benchmark.pedantic(len, ((),))}
    use[first]()
    try:
        use[second]()
    finally:
        note(has_error=benchmark.has_error)


def test_unused(benchmark):
    pass


def test_used_after_an_error(benchmark):
    with pytest.raises(ZeroDivisionError):
        benchmark(Fails(1))
    benchmark(len, ())


def test_assertion_after(benchmark):
    assert benchmark(len, ()) == 1


def test_skip_inside(benchmark):
    benchmark(pytest.skip, "inside")


def test_fail_inside(benchmark):
    benchmark(pytest.fail, "inside")


@pytest.mark.xfail(strict=True)
def test_xfail(benchmark):
    benchmark(Fails(2))


@pytest.mark.parametrize("what", [3, None, "text"], ids=str)
def test_not_callable(benchmark, what):
    benchmark(what)


@pytest.mark.parametrize("name", ["self", "function_to_benchmark"])
def test_reserved_keyword(benchmark, name):
    benchmark(dict, **{name: 1})


def test_wrong_arguments(benchmark):
    benchmark(lambda x: x)


@pytest.mark.parametrize("disable_gc", [False, True])
@pytest.mark.parametrize("change", ["disable", "enable", "none"])
@pytest.mark.parametrize("before", [True, False])
def test_collector(benchmark, note, disable_gc, change, before):
    benchmark._disable_gc = disable_gc
    seen = []

    def function():
        seen.append(gc.isenabled())
        if change != "none":
            getattr(gc, change)()

    (gc.enable if before else gc.disable)()
    try:
        benchmark.pedantic(function, rounds=4)
        note(seen=seen, after=gc.isenabled())
    finally:
        gc.enable()


@pytest.mark.parametrize("disable_gc", [False, True])
def test_collector_after_an_error(benchmark, note, disable_gc):
    benchmark._disable_gc = disable_gc
    try:
        benchmark(Fails(5))
    finally:
        note(after=gc.isenabled())


@pytest.mark.parametrize("mode", ["call", "pedantic", "setup", "error"])
@pytest.mark.parametrize("kind", ["trace", "profile"])
def test_instrumentation(benchmark, note, kind, mode):
    entered = []

    def watch(frame, event, _arg):
        if event == "call":
            entered.append(frame.f_code.co_name)
        return watch if kind == "trace" else None

    def measured():
        return 1

    def prepare():
        return ()

    def finish():
        return None

    before = getattr(sys, f"get{kind}")()
    getattr(sys, f"set{kind}")(watch)
    try:
        if mode == "call":
            benchmark(measured)
        elif mode == "pedantic":
            benchmark.pedantic(measured, rounds=5, warmup_rounds=2)
        elif mode == "setup":
            # Set-up and tear-down stay visible to coverage, as many times as they run.
            benchmark.pedantic(measured, setup=prepare, teardown=finish, rounds=3)
        else:
            with pytest.raises(ZeroDivisionError):
                benchmark(Fails(4))
        after = getattr(sys, f"get{kind}")()
    finally:
        getattr(sys, f"set{kind}")(before)
    counts = {name: entered.count(name) for name in ("measured", "prepare", "finish")}
    note(restored=after is watch)
    # Releases before 5.2 leave the profiler on while they measure. Ours never does.
    if kind == "trace" or hasattr(fixture, "PauseInstrumentation"):
        note(counts=counts)


def test_endless_recursion(benchmark, note):
    def function():
        return function()

    try:
        benchmark(function)
    finally:
        note(gc=gc.isenabled(), trace=sys.gettrace() is None)


def test_recursion_near_the_limit(benchmark, note):
    def down(depth):
        return 0 if depth == 0 else 1 + down(depth - 1)

    # Calibration stands a few frames deeper than stock's.
    frame, used = sys._getframe(), 0
    while frame is not None:
        frame, used = frame.f_back, used + 1
    note(depth=benchmark(down, sys.getrecursionlimit() - used - 20))


def test_fork(benchmark, note):
    def function():
        pid = os.fork()
        if pid == 0:
            os._exit(7)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    note(status=benchmark.pedantic(function, rounds=3))


def test_threads(benchmark, note):
    def function():
        done = []
        threads = [threading.Thread(target=done.append, args=(1,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return len(done)

    note(done=benchmark.pedantic(function, rounds=20), gc=gc.isenabled())


def test_another_thread_meanwhile(benchmark, note):
    stop, turns = threading.Event(), []

    def spin():
        while not stop.is_set():
            turns.append(1)
            time.sleep(0)

    thread = threading.Thread(target=spin)
    thread.start()
    try:
        benchmark(sorted, list(range(100)))
    finally:
        stop.set()
        thread.join()
    note(moved=len(turns) > 0)


def test_benchmark_in_a_thread(benchmark, note):
    results = []
    thread = threading.Thread(target=lambda: results.append(benchmark(sum, (1, 2))))
    thread.start()
    thread.join()
    note(results=results)


@pytest.mark.benchmark(max_time=0.01, min_rounds=3)
def test_one_call_over_max_time(benchmark, note):
    calls = []

    def function():
        calls.append(time.sleep(0.02))

    benchmark(function)
    note(rounds=benchmark.stats.stats.rounds, iterations=benchmark.stats.iterations)
    note.strict(calls=len(calls))
