# SPDX-License-Identifier: MIT
"""perfcore.measure and perfcore.compare, as a script or a notebook uses them."""

from __future__ import annotations

import ast
import asyncio
import functools
import itertools
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from clocks import TICK, Clock

import perfcore
from perfcore.api import Timer

QUICK = Timer(max_time=0.02)


def test_measure_gives_figures_a_person_can_read():
    found = QUICK.measure(sorted, [3, 1, 2])
    assert found.name == "sorted"
    assert found.rounds == len(found.samples) >= 5
    assert found.kernel == "unrolled"
    assert found.summary.min <= found.median <= found.summary.max
    assert found.interval.low <= found.median <= found.interval.high
    text = str(found)
    assert text.startswith("sorted: ")
    assert "95 % interval" in text
    assert f"{found.rounds} rounds of {found.iterations} calls, unrolled" in text
    assert memoryview(found.samples).format == "d"


def test_measure_passes_the_arguments_and_returns_what_a_slow_call_returned():
    found = Timer(max_time=0.001).measure(lambda a, *, b: sum(range(100_000)) * 0 + a + b, 1, b=2)
    assert (found.result, found.iterations, found.kernel) == (3, 1, "vectorcall")
    assert found.rounds == 5


class Heavy:
    alive = most = 0

    def __init__(self):
        Heavy.alive += 1
        Heavy.most = max(Heavy.alive, Heavy.most)
        time.sleep(0.0002)  # one call is a round

    def __del__(self):
        Heavy.alive -= 1
        time.sleep(0.001)


def test_freeing_the_result_is_in_the_time_as_in_rounds_of_many_calls():
    Heavy.most = 0
    measured = Timer(max_time=0.01).measure(Heavy)
    assert (measured.iterations, type(measured.result), Heavy.alive, Heavy.most) == (1, Heavy, 1, 1)

    async def heavy():
        return Heavy()

    awaited, compared = Timer(max_time=0.01).measure(heavy), Timer(max_time=0.01).compare(Heavy, heavy)
    for found in (measured, awaited, compared.base, compared.head):
        assert found.summary.min >= 0.001
        assert isinstance(found.result, Heavy)


def test_the_package_itself_is_the_function():
    code = """
import perfcore
calls = []
found = perfcore.measure(calls.append, 5)
assert found.rounds and set(calls) == {5}, found
from perfcore.measure import runner
assert callable(perfcore.measure) and perfcore.measure.runner is runner
import perfcore.measure
assert str(perfcore.compare(int, int)).count("\\n") == 2
"""
    subprocess.run([sys.executable, "-P", "-c", code], check=True, timeout=120)


def test_a_coroutine_function_is_awaited():
    async def target(delay):
        await asyncio.sleep(delay)
        return "done"

    found = Timer(max_time=0.05).measure(target, 0.005)
    assert found.kernel == "coroutine"
    assert found.result == "done"
    assert found.median > 0.0049


def test_what_the_function_raises_comes_through():
    def fail():
        raise LookupError("inside")

    with pytest.raises(LookupError, match="inside"):
        QUICK.measure(fail)
    with pytest.raises(LookupError, match="inside"):
        QUICK.compare(int, fail)


def test_tracers_are_back_afterwards():
    before = sys.gettrace()
    mark = lambda *_: None  # noqa: E731
    sys.settrace(mark)
    try:
        QUICK.measure(int)
        after = sys.gettrace()
    finally:
        sys.settrace(before)
    assert after is mark


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_rounds": 0}, "min_rounds must be at least 1, not 0"),
        ({"max_time": 0}, "must be above 0"),
        ({"min_time": float("nan")}, "must be above 0"),
        ({"min_time": float("inf")}, "above 0 and finite, not inf and 1.0"),
        ({"max_time": float("inf"), "precision": 0.05}, "above 0 and finite, not 5e-06 and inf"),
        ({"precision": 1.0}, "between 0 and 1, not 1.0"),
    ],
)
def test_options_that_make_no_sense(options, message):
    with pytest.raises(perfcore.MeasureError, match=message):
        Timer(**options)


def test_what_a_prompt_shows_has_the_figures():
    found = QUICK.measure(sorted, [3, 1, 2])
    assert repr(found) == f"<Measurement of {found}>"
    assert repr(found).startswith("<Measurement of sorted: ")


def test_something_that_cannot_be_called():
    with pytest.raises(perfcore.MeasureError, match="wrap an expression in a lambda"):
        perfcore.measure(5)


def test_inside_a_running_event_loop():
    async def coroutine():
        pass

    async def main():
        perfcore.measure(coroutine)

    # In a notebook a loop runs always, also around a plain def.
    with pytest.raises(perfcore.MeasureError, match=r"event loop is running.*plain code.*notebook.*%perfcore await"):
        asyncio.run(main())


def test_precision_ends_early_and_max_time_bounds_it():
    ticks = itertools.count()
    steady = Timer(timer=lambda: float(next(ticks)), min_time=0.5, max_time=1e6, precision=0.01)
    assert steady.measure(int).rounds == 20, "no spread at all: the first look is enough"
    for endless in (1e18, 1e300, sys.float_info.max):
        assert replace(steady, max_time=endless).measure(int).rounds == 20
    wild = itertools.accumulate(itertools.cycle([1.0, 5.0, 2.0, 9.0]))
    never = Timer(timer=lambda: next(wild), min_time=0.5, max_time=500, precision=0.0001)
    assert never.measure(int).rounds == 100, "rounds of 5 and 9 by turns: never precise, so all that fit into 500"


def by_the_work(max_ticks, **options):
    clock = Clock(spread=0.1)
    return clock, Timer(timer=clock, min_time=8 * TICK, max_time=max_ticks * TICK, **options)


def test_compare_sees_a_known_ratio():
    clock, timer = by_the_work(30_000)
    found = timer.compare(functools.partial(clock.work, 100), functools.partial(clock.work, 200))
    assert 1.9 < found.interval.low < 2 < found.interval.high < 2.1
    assert found.interval.low < found.ratio < found.interval.high
    assert found.pairs >= 6
    assert "is slower" in str(found)
    assert "in this one process" in str(found)


def test_compare_runs_both_sides_equally_often():
    calls = {"a": 0, "b": 0}

    def base():
        calls["a"] += 1
        sum(range(20_000))

    def head():
        calls["b"] += 1
        sum(range(20_000))

    found = Timer(max_time=0.1).compare(base, head)
    assert abs(found.base.rounds - found.head.rounds) <= max(found.base.rounds, found.head.rounds) / 2
    assert found.base.rounds % found.pairs == 0
    assert found.interval.low < 1.5
    assert found.interval.high > 0.67


def test_compare_judges_by_its_threshold():
    """The decision of `perfcore ab`, and what one process leaves out is said."""
    clock, timer = by_the_work(20_000)
    base, head = functools.partial(clock.work, 100), functools.partial(clock.work, 200)
    found = timer.compare(base, head)
    assert found.status == "regression"
    assert "partial is slower, in this one process; memory layout and hash seed are left out" in str(found)
    assert repr(found).startswith("<Comparison of partial and partial: ratio ")
    assert "left out" in repr(found)
    assert timer.compare(head, base).status == "improvement"
    patient = replace(timer, threshold=99).compare(base, head)
    assert patient.status == "ok"
    assert "is not slower by 9900 % or more" in str(patient)
    with pytest.raises(perfcore.MeasureError, match="threshold"):
        Timer(threshold=0)


def test_compare_with_a_timer_that_stands_still():
    with pytest.raises(perfcore.MeasureError, match="no time pass"):
        Timer(timer=lambda: 0.0, min_time=1e-9, max_time=1e-9).compare(int, int)


def test_import_is_light():
    code = (
        "import sys; before = set(sys.modules); import perfcore; "
        "print(*sorted(name for name in set(sys.modules) - before if not name.startswith('perfcore')))"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    top_level = {name.partition(".")[0] for name in done.stdout.split()}
    assert top_level <= sys.stdlib_module_names
    # What makes an import slow: none of these for a bare `import perfcore`.
    assert not top_level & {"dataclasses", "inspect", "json", "logging", "subprocess", "asyncio", "sqlite3", "argparse"}


def test_unknown_names_and_dir():
    with pytest.raises(AttributeError, match="no attribute 'nothing_like_it'"):
        perfcore.nothing_like_it  # noqa: B018
    for name in dir(perfcore):
        assert getattr(perfcore, name) is not None


def test_no_room_imports_from_one_further_down_the_line():
    rooms = ["measure", "record", "judge", "report", "suite"]
    doors = ["cli", "pytest_plugin"]
    against = []
    package = Path(perfcore.__file__).parent
    for place, room in enumerate(rooms):
        later = {f"perfcore.{name}" for name in (*rooms[place + 1 :], *doors)}
        for path in (package / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                named = node.module if isinstance(node, ast.ImportFrom) else None
                if named and ".".join(named.split(".")[:2]) in later:
                    against.append((path.relative_to(package).as_posix(), named))
    assert against == [("measure/metrics.py", "perfcore.report.display")]  # what a notebook shows of a collector
