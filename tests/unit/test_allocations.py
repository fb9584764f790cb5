# SPDX-License-Identifier: MIT
"""track_allocations, assert_no_leaks, the metrics of calls, sizes in text."""

from __future__ import annotations

import ast
import asyncio
import functools
import gc
import re
import sys
import threading
import tracemalloc
from dataclasses import replace

import pytest

import perfcore
from perfcore.measure.allocations import collect, grow
from perfcore.measure.call_metrics import CallMetrics, measure_calls
from perfcore.measure.runner import make_runner
from perfcore.units import format_bytes, parse_bytes


def objects(count):
    return [bytearray(100) for _ in range(count)]


def test_the_tracker_is_a_context_manager_with_text():
    with perfcore.track_allocations() as tracker:
        kept = objects(100)
    assert isinstance(tracker, perfcore.AllocationTracker)
    assert len(kept) == 100
    assert 201 <= tracker.live_blocks < 210
    assert str(tracker).startswith(f"{tracker.allocations} allocations (")
    assert f"in {tracker.live_blocks} blocks" in str(tracker)


def test_top_orders_and_limits():
    with perfcore.track_allocations(sites=True) as tracker:
        few, many = bytes(100_000), objects(50)
    top = tracker.top()
    assert [site.file for site in top[:2]] == [__file__] * 2
    assert top[0].bytes >= 100_000
    assert tracker.top(1) == top[:1]
    assert tracker.top(by="allocations")[0].live_blocks >= 101
    assert tracker.top(by="live")[0].live >= len(few) > len(many)


def test_threads_by_figures():
    inside, leave = threading.Event(), threading.Event()

    def work():
        kept = objects(3000)
        inside.set()
        leave.wait(30)
        return kept

    thread = threading.Thread(target=work)
    with perfcore.track_allocations() as tracker:
        thread.start()
        inside.wait(30)
    leave.set()
    thread.join()
    assert tracker.by_thread()[0].native_id != threading.get_native_id()
    assert tracker.by_thread()[0].allocations >= 6000


# --- leaks


def test_no_leak():
    perfcore.assert_no_leaks(objects, 10)
    perfcore.assert_no_leaks(sorted, [3, 1, 2], key=lambda x: -x)


def test_garbage_cycles_are_no_leak():
    def cycle():
        a = []
        a.append(a)

    perfcore.assert_no_leaks(cycle)


def test_a_cache_that_fills_is_no_leak():
    counter = iter(range(1000, 10**6))  # smaller ints are never allocated
    for maxsize in (100, 1000):
        cached = functools.lru_cache(maxsize=maxsize)(lambda key: bytes(1000))
        while maxsize == 1000 and cached.cache_info().currsize < maxsize:
            cached(next(counter))  # full, and all of it older than the check
        perfcore.assert_no_leaks(lambda cached=cached: cached(next(counter)))


def test_what_lookups_keep_is_no_growth():
    tree = ast.parse("def f(a):\n  return [x + 1 for x in a]\n" * 3)
    perfcore.assert_no_leaks(lambda: ast.NodeVisitor().visit(tree))
    name = "".join(["visit_", "nothing"])  # put together at each call, as visitors do
    references = sys.getrefcount(name)
    getattr(tree, name, None)
    kept = sys.getrefcount(name) - references
    collect()
    assert (kept, sys.getrefcount(name)) == (1, references)


def leak_blocks(kept):
    kept.append(bytearray(1000))


def leak_slots(kept):
    kept.append(None)


@pytest.mark.parametrize(("leak", "already"), [(leak_blocks, 0), (leak_slots, 0), (leak_slots, 500)])
def test_a_leak_is_named(leak, already):
    kept = [None] * already
    with pytest.raises(perfcore.LeakError) as error:
        perfcore.assert_no_leaks(leak, kept)
    line = leak.__code__.co_firstlineno + 1
    assert f"{leak.__name__} keeps " in str(error.value)
    if not already:  # a long list's array grows too seldom to be sure to be seen growing
        assert f"allocated at {__file__}:{line} " in str(error.value)
    assert "\n" not in str(error.value)
    assert isinstance(error.value, AssertionError)
    assert isinstance(error.value, perfcore.PerfcoreError)


@pytest.mark.parametrize("already", [500, 1500, 2000])
def test_the_collectors_own_growth_is_no_site(already):
    def hook(phase, info):
        dict(info)

    kept = [None] * already  # grows in steps: windows in which only the collector's hooks leave something
    gc.callbacks.append(hook)
    try:
        with perfcore.track_allocations(sites=True):
            growths = [grow(leak_slots, (kept,), {}, 100, sites=True) for _ in range(6)]
    finally:
        gc.callbacks.remove(hook)
    found = {site[:2] for growth in growths for site in growth.sites}
    assert found <= {(__file__, leak_slots.__code__.co_firstlineno + 1)}
    assert found or already == 2000


def test_a_leak_without_a_python_frame_is_named_by_its_function():
    with pytest.raises(perfcore.LeakError, match=r"allocated at list\.append itself \(C code\) "):
        perfcore.assert_no_leaks([].append, None)


def test_blocks_that_stay_are_a_leak_although_bytes_go():
    large, small = [], []

    def change():
        if not large:
            large.extend(bytes(2000) for _ in range(5000))
        large.pop()
        small.append((bytes(50), bytes(60)))

    with pytest.raises(perfcore.LeakError, match=r"in [23](\.\d+)? blocks per call"):
        perfcore.assert_no_leaks(change)


@pytest.mark.skipif(sys.flags.dev_mode, reason="asyncio's debug mode keeps where each coroutine was made")
def test_a_coroutine_function_is_awaited():
    kept = []

    async def work(size, *, keep):
        await asyncio.sleep(0)
        made = bytearray(size)
        if keep:
            kept.append(made)

    perfcore.assert_no_leaks(work, 1000, keep=False)
    with pytest.raises(perfcore.LeakError, match=rf"work keeps .* per call.* allocated at {re.escape(__file__)}:\d+ "):
        perfcore.assert_no_leaks(work, 1000, keep=True)
    assert kept

    async def within():
        perfcore.assert_no_leaks(work, 1000, keep=True)

    with pytest.raises(perfcore.MeasureError, match="event loop is running"):
        asyncio.run(within())


def restart_tracemalloc(kept):
    """Take the hooks out, as what stops a tracemalloc that was there before them does."""
    tracemalloc.stop()
    tracemalloc.start()
    kept.append(bytearray(1000))


def test_nothing_is_said_of_what_was_not_seen():
    kept = []
    tracemalloc.start()
    try:
        with pytest.raises(perfcore.MeasureError, match=r"restart_tracemalloc keeps memory is not known: another tool"):
            perfcore.assert_no_leaks(restart_tracemalloc, kept)
        assert metrics(restart_tracemalloc, kept, wanted=("alloc", "peak", "growth")) == CallMetrics()
    finally:
        tracemalloc.stop()
    assert metrics(leak_blocks, kept).growth > 1000


def test_growth_that_is_allowed():
    kept = []
    perfcore.assert_no_leaks(leak_blocks, kept, max_growth="2 kB")
    with pytest.raises(perfcore.LeakError):
        perfcore.assert_no_leaks(leak_blocks, kept, max_growth=500)


@pytest.mark.parametrize("options", [{"calls": 0}, {"rounds": 2}, {"warmup": -1}, {"max_growth": "much"}])
def test_wrong_options_of_assert_no_leaks(options):
    with pytest.raises(ValueError, match=r"calls must be|not a size"):
        perfcore.assert_no_leaks(objects, 1, **options)


def test_errors_of_the_function_are_passed_on():
    with pytest.raises(ZeroDivisionError):
        perfcore.assert_no_leaks(lambda: 1 / 0)


def test_grow_collects_before_and_after():
    kept = []
    with perfcore.track_allocations():
        growth = grow(leak_blocks, (kept,), {}, 10, sites=True)
    assert 20 <= growth.blocks <= 24  # and the list's own array, and what hooks of the collector keep
    assert growth.sites[0].live_blocks >= 20


# --- metrics


def metrics(function, *args, wanted=("alloc", "peak", "cpu", "growth"), seconds=1e-5):
    return measure_calls(make_runner(function, args), function, args, {}, wanted=wanted, seconds=seconds)


def test_metrics_of_a_call():
    found = metrics(objects, 100)
    assert 201 <= found.allocations < 210  # the list, and of each bytearray the object and its buffer
    assert 10_000 < found.bytes < 20_000
    assert 10_000 < found.peak < 20_000
    assert found.growth == 0
    assert 0 < found.cpu < 1
    assert metrics(objects, 100, wanted=("alloc", "peak")) == replace(found, cpu=None, growth=None)
    found = metrics(bytes, 1000, wanted=("alloc", "peak"))
    assert found == CallMetrics(None, 1, 1033, found.peak)
    assert 1033 <= found.peak < 1100  # the first call after a collection has no tuple to reuse


def test_metrics_of_a_leak_and_of_nothing():
    kept = []
    assert metrics(leak_blocks, kept).growth > 1000
    assert metrics(objects, 1, wanted=()) == CallMetrics()
    assert CallMetrics(peak=0, cpu=0.5).as_dict() == {"cpu_s": 0.5, "peak_bytes": 0}


@pytest.mark.skipif(sys.flags.dev_mode, reason="asyncio's debug mode keeps where each coroutine was made")
def test_metrics_of_a_coroutine_function():
    async def work():
        return objects(1000)

    runner = make_runner(work)
    try:
        found = measure_calls(runner, work, (), {}, wanted=("alloc", "peak"), seconds=1e-3)
    finally:
        runner.close()
    assert 2000 < found.allocations < 3200
    assert found.peak > 150_000


def test_the_collector_is_left_as_it_was():
    assert gc.isenabled()
    with pytest.raises(ZeroDivisionError):
        metrics(lambda: 1 / 0, wanted=("alloc",))
    assert gc.isenabled()
    gc.disable()
    try:
        metrics(objects, 1, wanted=("alloc",))
        assert not gc.isenabled()
    finally:
        gc.enable()


# --- sizes


@pytest.mark.parametrize(
    ("size", "count"),
    [
        (0, 0),
        (4096, 4096),
        ("10 MB", 10_000_000),
        ("10MB", 10_000_000),
        ("1.5 kB", 1500),
        ("64 KiB", 65536),
        ("2gib", 2 << 30),
        (" 7 B ", 7),
        ("7", 7),
    ],
)
def test_parse_bytes(size, count):
    assert parse_bytes(size) == count


@pytest.mark.parametrize("size", ["", "MB", "10 M", "ten", "-1", -1, "10 MBB", "1e400", "nan", float("inf"), True])
def test_sizes_that_are_none(size):
    with pytest.raises(ValueError, match="is not a size in bytes"):
        parse_bytes(size)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (12, "12 B"),
        (12.5, "12.5 B"),
        (999, "999 B"),
        (1500, "1.50 kB"),
        (-1500, "-1.50 kB"),
        (99_950, "100 kB"),
        (999_600, "1.00 MB"),
        (2e9, "2.00 GB"),
        (5e16, "50000 TB"),
    ],
)
def test_format_bytes(count, text):
    assert format_bytes(count) == text
