# SPDX-License-Identifier: MIT
"""What conftests and tests do around a benchmark: statistics of their own, time that stands still, late arguments."""

from __future__ import annotations

import pytest
from harness import QUICK, run, run_modes, write_suite

FIELDS = """
from pytest_benchmark.stats import Stats

Stats.fields = (*Stats.fields, "p99", "last")
Stats.p99 = property(lambda self: -float(len(self.data)))
Stats.last = property(lambda self: self.data[-1])
"""
FIVE = "def test_five(benchmark):\n    benchmark.pedantic(len, ((),), rounds=5)\n"


def test_fields_that_a_conftest_adds_are_its_own(tmp_path):
    for mode, seen in run_modes(
        tmp_path, {"test_it": FIVE, "conftest": FIELDS}, ("off", "on"), "--benchmark-json=out.json"
    ).items():
        assert seen.code == 0, seen.out
        (entry,) = seen.json()["benchmarks"]
        assert entry["stats"]["p99"] == -5, mode
        assert entry["stats"]["last"] == entry["stats"]["data"][-1]


FROZEN = """
import time

import pytest


@pytest.fixture(autouse=True)
def frozen(monkeypatch):
    for name in ("perf_counter", "monotonic", "time"):
        monkeypatch.setattr(time, name, lambda: 1e9)
"""


def test_time_that_a_fixture_has_stopped_before_the_first_benchmark(tmp_path):
    """As freezegun does. Without a header nothing of ours is loaded by then."""
    source = FIVE + "\n\ndef test_call(benchmark):\n    benchmark(sorted, list(range(9999)))\n"
    write_suite(tmp_path, test_it=source, conftest=FROZEN)
    seen = run(tmp_path, "on", *QUICK, "-q", "--benchmark-json=out.json")
    assert seen.code == 0, seen.out
    kernels = {entry["name"]: entry["perfcore"]["kernel"] for entry in seen.json()["benchmarks"]}
    assert kernels == {"test_five": "vectorcall", "test_call": "vectorcall"}


DISABLED = """
import asyncio


async def double(x):
    await asyncio.sleep(0)
    return 2 * x


def test_call(benchmark):
    benchmark.disabled = True
    assert benchmark(double, 4) == 8


def test_pedantic(benchmark):
    benchmark.disabled = True
    assert benchmark.pedantic(double, setup=lambda: ((4,), {}), rounds=3) == 8


def test_inside_a_loop(benchmark):
    benchmark.disabled = True

    async def main():
        return await benchmark(double, 4)

    assert asyncio.run(main()) == 8
"""


def test_a_coroutine_function_gives_its_result_where_the_test_disables_its_benchmark(tmp_path):
    write_suite(tmp_path, test_it=DISABLED)
    seen = run(tmp_path, "on", "-W", "error")
    assert seen.code == 0, seen.out


SETUP = """
async def double(x, by=2):
    return by * x


def test_in_place(benchmark):
    args, kwargs = [], {}

    async def prepare():
        args[:] = [len(args) + 3]
        kwargs["by"] = 5

    assert benchmark.pedantic(double, args, kwargs, setup=prepare, rounds=3) == 20


def test_none(benchmark):
    assert benchmark.pedantic(double, None, setup=lambda: ([4], {}), rounds=3) == 8


def test_tear_down_in_place(benchmark):
    args = [3]

    async def renew(x):
        args[0] = x + 1

    assert benchmark.pedantic(double, args, teardown=renew, rounds=3) == 10
"""


def test_arguments_of_coroutine_functions(tmp_path):
    write_suite(tmp_path, test_it=SETUP)
    seen = run(tmp_path, "on")
    assert seen.code == 0, seen.out


TORN = """
import asyncio

torn = []


async def double(x):
    return 2 * x


async def finish(x):
    torn.append(asyncio.get_running_loop())


def test_looped(benchmark):
    call = {"teardown": finish, "rounds": 3, "warmup_rounds": 1, "iterations": 2}
    assert benchmark.pedantic(double, (4,), **call) == 8
    assert len(torn) == 5
    assert len(set(torn)) == 1
"""


def test_a_tear_down_that_is_a_coroutine_function_is_awaited_after_rounds_of_many_calls(tmp_path):
    write_suite(tmp_path, test_it=TORN)
    seen = run(tmp_path, "on", "-W", "error")
    assert seen.code == 0, seen.out


REPLACED = """
from pytest_benchmark.stats import Stats


def test_it(benchmark):
    benchmark.pedantic(len, ((),), rounds=3)
    benchmark.stats.stats = Stats()
    for seconds in (1.0, 2.0):  # of a device's own clock
        benchmark.stats.update(seconds)
"""


def test_statistics_that_a_test_replaces(tmp_path):
    write_suite(tmp_path, test_it=REPLACED + "\n\n" + FIVE)
    seen = run(tmp_path, "on", "--benchmark-json=out.json", "--perfcore-columns=ci,flags")
    assert seen.code == 0, seen.out
    replaced, other = seen.json()["benchmarks"]
    assert (replaced["stats"]["max"], replaced["stats"]["rounds"]) == (2.0, 2)
    assert "percentiles" not in replaced["perfcore"]
    assert "percentiles" in other["perfcore"]


INTERRUPTED = """
def interrupt():
    raise KeyboardInterrupt


def test_interrupted(benchmark):
    benchmark.pedantic(interrupt, rounds=3, setup=SETUP)
"""


@pytest.mark.parametrize("setup", ["None", "tuple"])
def test_an_interrupt_in_the_first_round_leaves_the_results_of_the_others(tmp_path, setup):
    write_suite(tmp_path, test_it=FIVE + "\n" + INTERRUPTED.replace("SETUP", setup))
    seen = run(tmp_path, "on", "--benchmark-json=out.json", "--perfcore-columns=ci")
    assert seen.code == pytest.ExitCode.INTERRUPTED, seen.out
    assert [entry["name"] for entry in seen.json()["benchmarks"]] == ["test_five"]
