# SPDX-License-Identifier: MIT
"""--perfcore-metrics, the limits of @pytest.mark.perfcore, and the fixtures about allocations."""

from __future__ import annotations

import re

import pytest
from harness import QUICK, run, write_suite

from perfcore.judge.thresholds import Thresholds
from perfcore.judge.verdict import check_results, marked
from perfcore.record.results import load_results

SUITE = """
import pytest

CALLS = []

def objects(count):
    CALLS.append(None)
    return [bytearray(100) for _ in range(count)]

def test_plain(benchmark):
    assert len(benchmark(bytes, 1000)) == 1000

def test_keywords(benchmark):
    benchmark(objects, count=10)

async def awaited():
    return bytes(1000)

def test_coroutine(benchmark):
    benchmark(awaited)

def test_pedantic(benchmark):
    benchmark.pedantic(objects, (10,), rounds=3)

def test_pedantic_with_setup(benchmark):
    benchmark.pedantic(objects, setup=lambda: ((10,), {}), rounds=3)

def test_pedantic_once(benchmark):
    before = len(CALLS)
    benchmark.pedantic(objects, (10,))
    assert len(CALLS) == before + 1
"""

LIMITS = """
import tracemalloc

import pytest

def objects(count):
    return [bytearray(100) for _ in range(count)]

kept = []

@pytest.mark.perfcore(max_peak="1 MB", max_allocations=210, max_growth=0)
def test_within(benchmark):
    benchmark(objects, 100)

@pytest.mark.perfcore(max_peak="1 kB", max_allocations=200)
def test_beyond(benchmark):
    benchmark(objects, 100)

@pytest.mark.perfcore(max_growth="10 B")
def test_growth(benchmark):
    benchmark(lambda: kept.append(bytearray(100)))

@pytest.mark.perfcore(max_peak="1 MB", max_allocations=3, max_growth=0)
def test_no_benchmark(tmp_path):
    made = bytearray(900_000)

@pytest.mark.perfcore(max_peak="1 MB")
def test_no_benchmark_beyond():
    made = bytearray(1_100_000)

@pytest.mark.perfcore(max_peak="1 MB")
def test_error_is_passed_on():
    raise LookupError("mine")

@pytest.mark.perfcore(max_speed=1)
def test_wrong_name(benchmark):
    benchmark(objects, 1)

@pytest.mark.perfcore(max_peak="much")
def test_wrong_value():
    pass

@pytest.fixture
def tracing():
    tracemalloc.start()
    yield
    tracemalloc.stop()

@pytest.mark.perfcore(max_peak="1 MB")
def test_unseen(tracing):
    tracemalloc.stop()  # and with it the hooks
    bytearray(1_100_000)

@pytest.mark.perfcore(max_growth=0)
def test_unseen_benchmark(tracing, benchmark):
    benchmark(lambda: tracemalloc.stop() or tracemalloc.start())

def test_fixtures(allocation_tracker, assert_no_leaks):
    allocation_tracker.reset()
    made = bytearray(1000)
    assert allocation_tracker.allocations == 2
    assert_no_leaks(objects, 3)
    with pytest.raises(AssertionError, match="keeps"):
        assert_no_leaks(lambda: kept.append(bytearray(100)))
"""


def test_metrics(tmp_path):
    write_suite(tmp_path, test_it=SUITE)
    options = ["--perfcore-metrics=time,cpu,alloc,peak", "--perfcore-columns=p50", "--benchmark-json=out.json"]
    done = run(tmp_path, "on", *QUICK, *options)
    assert done.code == 0, done.out
    found = {bench["name"]: bench["perfcore"].get("metrics") for bench in done.json()["benchmarks"]}
    assert found["test_plain"]["allocations"] == 1
    assert found["test_keywords"]["allocations"] >= 21
    assert found["test_pedantic"]["allocations"] >= 21
    assert found["test_coroutine"]["peak_bytes"] > 1000
    for name in ("test_plain", "test_keywords", "test_coroutine", "test_pedantic"):
        assert set(found[name]) == {"cpu_s", "allocations", "allocated_bytes", "peak_bytes"}
        assert 0 < found[name]["cpu_s"] < 1
    assert found["test_pedantic_with_setup"] is None
    assert found["test_pedantic_once"] is None
    assert re.search(r"^Name +p50 +cpu +allocs +bytes +peak$", done.out, re.MULTILINE)
    assert re.search(r"^test_plain .* 1 +1.03 kB +1.0\d kB$", done.out, re.MULTILINE)
    assert re.search(r"^test_pedantic_once .*- +- +- +-$", done.out, re.MULTILINE)


def test_instructions_or_a_line_why_not(tmp_path):
    write_suite(tmp_path, test_it=SUITE)
    done = run(tmp_path, "on", *QUICK, "--perfcore-metrics=instructions", "--benchmark-json=out.json")
    assert done.code == 0, done.out
    found = {bench["name"]: bench["perfcore"].get("metrics") for bench in done.json()["benchmarks"]}
    if "perfcore: no instruction counts: " in done.out:
        assert found["test_plain"] == {}
        assert re.search(r"^test_plain +-$", done.out, re.MULTILINE)
    else:
        assert found["test_plain"]["instructions"] > 10


@pytest.mark.parametrize("options", [["--perfcore-strict"], ["--perfcore=off"]])
def test_no_metrics(tmp_path, options):
    write_suite(tmp_path, test_it=SUITE)
    done = run(tmp_path, "on", *QUICK, "--perfcore-metrics=alloc", *options, "--benchmark-json=out.json")
    assert done.code == 0, done.out
    assert all("metrics" not in bench.get("perfcore", {}) for bench in done.json()["benchmarks"])


def test_unknown_metric(tmp_path):
    write_suite(tmp_path, test_it=SUITE)
    done = run(tmp_path, "on", "--perfcore-metrics=alloc,heat")
    assert done.code == 4
    assert "unknown metric 'heat'; the metrics are time, cpu, alloc, peak, instructions" in done.out


def test_limits(tmp_path):
    write_suite(tmp_path, test_it=LIMITS)
    done = run(tmp_path, "on", *QUICK, "--strict-markers", "-rA")
    verdicts = {
        name: word for word, name in re.findall(r"^(PASSED|FAILED|ERROR) test_it.py::(\w+)", done.out, re.MULTILINE)
    }
    assert verdicts == {
        "test_within": "PASSED",
        "test_beyond": "FAILED",
        "test_growth": "FAILED",
        "test_no_benchmark": "PASSED",
        "test_no_benchmark_beyond": "FAILED",
        "test_error_is_passed_on": "FAILED",
        "test_wrong_name": "ERROR",
        "test_wrong_value": "FAILED",
        "test_unseen": "FAILED",
        "test_unseen_benchmark": "FAILED",
        "test_fixtures": "PASSED",
    }, done.out
    assert re.search(r"allocations 20\d is more than max_allocations=200", done.out)
    assert "is more than max_peak=1.00 kB" in done.out
    assert re.search(r"growth \d+ B is more than max_growth=10 B", done.out)
    assert "peak 1.10 MB is more than max_peak=1.00 MB" in done.out
    assert "LookupError: mine" in done.out
    assert "limits: peak is not known, for another tool (tracemalloc, memray) took the place of" in done.out
    assert "limits: growth is not known, for another tool" in done.out
    assert "does not take max_speed; it takes max_peak, max_allocations, max_growth, warning, critical" in done.out
    assert "'much' is not a size in bytes" in done.out


OTHER_KINDS = """
import asyncio, inspect, unittest
import pytest

limit = pytest.mark.perfcore(max_peak="1 MB")

class TestOld(unittest.TestCase):
    @limit
    def test_within(self):
        self.made = bytearray(900_000)

    @limit
    def test_beyond(self):
        bytearray(1_100_000)

    @pytest.mark.perfcore(max_growth="1 kB")
    def test_growth(self):
        TestOld.made = bytearray(2000)

    @limit
    @unittest.skip("not today")
    def test_skipped(self):
        bytearray(1_100_000)

    @limit
    @unittest.expectedFailure
    def test_expected(self):
        bytearray(1_100_000)

    @limit
    def test_error(self):
        self.fail("mine")

@limit
class TestAwaited(unittest.IsolatedAsyncioTestCase):
    async def test_within(self):
        await asyncio.sleep(0)

    async def test_beyond(self):
        await asyncio.sleep(0)
        bytearray(1_100_000)

    def test_plain_beyond(self):
        bytearray(1_100_000)

@limit
async def test_coroutine_within(tmp_path):
    assert tmp_path.exists()
    await asyncio.sleep(0)

@limit
async def test_coroutine_beyond():
    await asyncio.sleep(0)
    bytearray(1_100_000)

@pytest.mark.perfcore(max_allocations=3, max_growth=0)  # the coroutine itself
async def test_coroutine_of_nothing():
    pass
"""
# What plugins for coroutine functions do.
AWAITS = """
import asyncio, inspect
import pytest

@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    if inspect.iscoroutinefunction(pyfuncitem.obj):
        names = pyfuncitem._fixtureinfo.argnames
        asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
        return True
"""


def test_limits_hold_in_every_kind_of_test(tmp_path):
    """Also where pytest does not call the test itself: in a unittest.TestCase, and where a plugin awaits it."""
    write_suite(tmp_path, conftest=AWAITS, test_it=OTHER_KINDS)
    done = run(tmp_path, "on", "--strict-markers", "-rA")
    found = re.findall(r"^(PASSED|FAILED|ERROR|XFAIL) test_it.py::([\w:]+)", done.out, re.MULTILINE)
    assert {name: word for word, name in found} == {
        "TestOld::test_within": "PASSED",
        "TestOld::test_beyond": "FAILED",
        "TestOld::test_growth": "FAILED",
        "TestOld::test_expected": "XFAIL",
        "TestOld::test_error": "FAILED",
        "TestAwaited::test_within": "PASSED",
        "TestAwaited::test_beyond": "FAILED",
        "TestAwaited::test_plain_beyond": "FAILED",
        "test_coroutine_within": "PASSED",
        "test_coroutine_beyond": "FAILED",
        "test_coroutine_of_nothing": "PASSED",
    }, done.out
    assert "1 skipped" in done.out
    assert len(re.findall(r"^FAILED .* - Failed: perfcore limits: peak 1.10 MB", done.out, re.MULTILINE)) == 4
    assert "growth 2.0" in done.out
    assert "AssertionError: mine" in done.out


MARKS = """
import pytest

@pytest.mark.perfcore(warning="20%", critical=0.3)
def test_marked(benchmark):
    benchmark(int)

@pytest.mark.perfcore(critical="150%")
def test_pedantic(benchmark):
    benchmark.pedantic(int, rounds=3)

def test_plain(benchmark):
    benchmark(int)

@pytest.mark.perfcore(warning="5")
def test_wrong(benchmark):
    benchmark(int)

@pytest.mark.perfcore(warning="5%", critical="4%")
def test_turned(benchmark):
    benchmark(int)
"""


def test_thresholds_of_marks_are_in_the_file(tmp_path):
    write_suite(tmp_path, test_it=MARKS)
    done = run(tmp_path, "on", *QUICK, "--strict-markers", "--benchmark-json=out.json")
    assert {bench["name"]: bench["perfcore"].get("thresholds") for bench in done.json()["benchmarks"]} == {
        "test_marked": {"warning": 0.2, "critical": 0.3},
        "test_pedantic": {"critical": 1.5},
        "test_plain": None,
    }
    judged = load_results(done.folder / "out.json")
    assert marked(judged.benchmarks[1], Thresholds()) == Thresholds(0.05, 1.5)
    assert check_results(judged, judged).passed
    assert "@pytest.mark.perfcore(warning=...): '5' may mean 5% or 500%; write it with a percent sign" in done.out
    assert "@pytest.mark.perfcore: warning is above critical; give warning <= critical" in done.out
