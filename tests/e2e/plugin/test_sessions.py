# SPDX-License-Identifier: MIT
"""Which sessions perfcore takes over, and what it says."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time

import pytest
from harness import QUICK, command, environment, run, write_suite

from perfcore.record.results import load_results

SUITE = """
import sys

def test_len(benchmark, note):
    benchmark(len, ())
    note(ours=type(getattr(vars(benchmark).get("_raw"), "__self__", None)).__name__ == "Backend")

def test_plain(note):
    note(loaded=[name for name in ("perfcore._core", "perfcore.pytest_plugin.backend") if name in sys.modules])
"""


@pytest.fixture
def suite(tmp_path):
    folder = tmp_path / "suite"
    write_suite(folder, test_it=SUITE)
    return folder


def header(out: str) -> str:
    return next((line for line in out.splitlines() if line.startswith("perfcore:")), "")


def test_header_on(suite):
    seen = run(suite, "on", *QUICK)
    assert re.fullmatch(
        r"perfcore: \S+ on \(C round loop, CLOCK_MONOTONIC( by TSC)?, empty pair \d+ ns; pytest-benchmark \S+\)",
        header(seen.out),
    ), seen.out
    assert seen.facts()["test_it.py::test_len"] == {"ours": True}


def test_header_names_the_timer(suite):
    assert "CLOCK_PROCESS_CPUTIME_ID" in header(run(suite, "on", *QUICK, "--benchmark-timer=time.process_time").out)
    assert "timer time.perf_counter_ns" in header(
        run(suite, "on", "--benchmark-timer=time.perf_counter_ns", "--benchmark-max-time=1").out
    )


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--perfcore=off"], "--perfcore=off"),
        (["-p", "no:benchmark"], "pytest-benchmark is not active"),
        (["--benchmark-disable"], "benchmarks are disabled"),
        (["--benchmark-skip"], "benchmarks are skipped"),
    ],
)
def test_header_off(suite, options, reason):
    seen = run(suite, "on", *options)
    assert header(seen.out) == f"perfcore: off ({reason})"
    facts = seen.facts()
    assert facts["test_it.py::test_plain"] == {"loaded": []}, "an idle plugin must not load the loops"
    assert facts.get("test_it.py::test_len", {"ours": False}) == {"ours": False}


DISABLED = """
import asyncio

class Bound:
    async def add(self, a, b=0):
        self.loop = asyncio.get_running_loop()
        await asyncio.sleep(0)
        return a + b

def test_result(benchmark):
    assert benchmark(Bound().add, 1, b=2) == 3

def test_pedantic(benchmark):
    bound, seen = Bound(), []
    async def setup():
        seen.append(asyncio.get_running_loop())
    async def teardown():
        seen.append(asyncio.get_running_loop())
    assert benchmark.pedantic(bound.add, setup=setup, args=(1,), teardown=teardown) == 1
    assert seen[0] is bound.loop

def test_inside_a_loop(benchmark):
    async def main():
        return await benchmark(Bound().add, 4)
    assert asyncio.run(main()) == 4
"""


@pytest.mark.parametrize("options", [["--benchmark-disable"], ["--perfcore=off", "--benchmark-disable"]])
def test_a_coroutine_function_gives_its_result_where_benchmarks_are_disabled(tmp_path, options):
    folder = tmp_path / "suite"
    write_suite(folder, test_it=DISABLED)
    seen = run(folder, "on", *options)
    assert seen.code == (0 if len(options) == 1 else 1), seen.out
    assert "3 passed" in seen.out or "2 failed, 1 passed" in seen.out


def test_blocked(suite):
    seen = run(suite, "absent", *QUICK)
    assert header(seen.out) == ""
    assert seen.facts()["test_it.py::test_len"] == {"ours": False}


def test_unknown_release(tmp_path):
    # A release with something new in its constructor keeps its own loops.
    newer = """
import pytest_benchmark.fixture as stock

def init(self, *args, rounds_of_luck=7, _init=stock.BenchmarkFixture.__init__, **kwargs):
    _init(self, *args, **kwargs)

stock.BenchmarkFixture.__init__ = init
"""
    folder = tmp_path / "suite"
    write_suite(folder, test_it=SUITE, conftest=newer)
    seen = run(folder, "on", *QUICK)
    assert re.search(
        r"^perfcore: off \(pytest-benchmark \S+ has .*rounds_of_luck.* in BenchmarkFixture", seen.out, re.M
    )
    assert seen.facts()["test_it.py::test_len"] == {"ours": False}
    assert seen.code == 0


FOREIGN = """
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

class Theirs(BenchmarkFixture):
    def _raw(self, function, *args, **kwargs):
        self.extra_info["theirs"] = True
        return super()._raw(function, *args, **kwargs)

@pytest.fixture
def benchmark(benchmark):
    benchmark.__class__ = Theirs
    vars(benchmark).pop("_raw", None)
    return benchmark
"""


def test_another_plugin_owns_the_fixture(tmp_path):
    folder = tmp_path / "suite"
    write_suite(folder, test_it="def test_len(benchmark):\n    assert benchmark(len, ()) == 0\n", conftest=FOREIGN)
    for quiet in ([], ["--benchmark-quiet"]):
        seen = run(folder, "on", *QUICK, *quiet, "--benchmark-json=out.json")
        assert seen.out.count("perfcore: off for 1 test, whose `benchmark` is conftest.Theirs") == 1, seen.out
    assert seen.json()["benchmarks"][0]["extra_info"] == {"theirs": True}


PATCHED = """
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

stock = BenchmarkFixture._raw

def patched(self, function, *args, **kwargs):
    self.extra_info["patched"] = True
    return stock(self, function, *args, **kwargs)

BenchmarkFixture._raw = patched
"""


def test_a_conftest_that_patches_the_class_is_obeyed(tmp_path):
    folder = tmp_path / "suite"
    write_suite(folder, test_it=SUITE, conftest=PATCHED)
    seen = run(folder, "on", *QUICK, "--benchmark-json=out.json")
    assert seen.code == 0, seen.out
    assert seen.json()["benchmarks"][0]["extra_info"] == {"patched": True}


NESTED = """
pytest_plugins = "pytester"

INNER = '''
def test_inner(benchmark):
    assert benchmark(len, ()) == 0
    assert "_raw" in vars(benchmark)
'''

def test_outer(pytester, benchmark):
    pytester.makepyfile(INNER)
    benchmark._max_time = 0.01
    assert benchmark(len, ()) == 0
    pytester.runpytest_inprocess("-p", "no:cacheprovider", "--benchmark-max-time=0.01").assert_outcomes(passed=1)
    off = pytester.runpytest_inprocess("-p", "no:cacheprovider", "--perfcore=off", "--benchmark-max-time=0.01")
    off.assert_outcomes(failed=1)
"""


def test_nested_sessions(tmp_path):
    folder = tmp_path / "suite"
    folder.mkdir()
    (folder / "conftest.py").write_text('pytest_plugins = "pytester"\n', encoding="utf-8")
    (folder / "test_it.py").write_text(NESTED.replace('pytest_plugins = "pytester"\n', ""), encoding="utf-8")
    seen = run(folder, "on", *QUICK)
    assert seen.code == 0, seen.out


def test_the_plugin_imports_little():
    code = (
        "import sys, perfcore.pytest_plugin as plugin; "
        "print([name for name in sys.modules if name.startswith(('perfcore', 'pytest_benchmark', 'asyncio'))])"
    )
    out = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True).stdout
    assert "pytest_benchmark" not in out
    assert "_core" not in out
    assert "asyncio" not in out


ODD = """
import pytest

@pytest.mark.parametrize("rounds", [5, 60])  # the text of the many samples is made by our own function
@pytest.mark.parametrize("x", [float("inf"), "a\\0b", 1.5], ids=["inf", "nul", "plain"])
def test_odd(benchmark, x, rounds):
    benchmark.extra_info.update(nan=[float("nan")], half="\\ud800", huge=10**400)
    benchmark.pedantic(len, args=([],), rounds=rounds)

@pytest.mark.benchmark(group="a\\0b")
def test_group(benchmark):
    benchmark.pedantic(len, args=([],), rounds=5)

RUNS = []

def test_flaky(benchmark):
    RUNS.append(1)
    benchmark.extra_info["run"] = len(RUNS)
    benchmark.pedantic(len, args=([],), rounds=5)
    assert len(RUNS) > 2

def test_flaky_later(benchmark):  # its second run measures nothing, so the first one's figures stay
    RUNS.append(1)
    if len(RUNS) > 4:
        pytest.skip("no more")
    benchmark.pedantic(len, args=([],), rounds=5)
    raise AssertionError
"""
RERUN = """
import pytest
from _pytest.runner import runtestprotocol

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    for _ in range(3):
        item._initrequest()
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
        if not any(report.failed for report in reports):
            break
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    return True
"""


def test_every_file_that_is_saved_can_be_read(tmp_path):
    """Parameters and extra_info that strict JSON lacks; tests that are run again, as pytest-rerunfailures does."""
    folder = tmp_path / "suite"
    write_suite(folder, conftest=RERUN, test_it=ODD)
    seen = run(folder, "on", "--benchmark-json=out.json", "--benchmark-save=kept", "--benchmark-storage=stored")
    assert seen.code == 0, seen.out
    (kept,) = (folder / "stored").rglob("*_kept.json")
    for path in (folder / "out.json", kept):
        found = {one.name: one for one in load_results(path).benchmarks}
        assert {name: one.params["x"] for name, one in found.items() if one.params} == {
            f"test_odd[{name}-{rounds}]": value
            for name, value in (("inf", "inf"), ("nul", "a\\u0000b"), ("plain", 1.5))
            for rounds in (5, 60)
        }
        assert found["test_odd[inf-5]"].extra_info == {"nan": ["nan"], "half": "\\ud800", "huge": hex(10**400)}
        assert found["test_group"].group == "a\\u0000b"
        assert found["test_flaky"].extra_info == {"run": 3}
        assert "test_flaky_later" in found


SLOW = {
    "benchmark": "benchmark(sorted, [3, 1, 2])",
    "pedantic": "benchmark.pedantic(sorted, ([3, 1, 2],), rounds=10**9)",
    "looped": "benchmark.pedantic(sorted, ([3, 1, 2],), rounds=10**7, iterations=1000)",
    "coroutine": "benchmark.pedantic(ready, rounds=10**9)",
    "setup": "benchmark.pedantic(sorted, setup=lambda: (([3, 1, 2],), {}), rounds=10**9)",
    "timer": "vars(benchmark).update(_timer=time.perf_counter_ns, _min_rounds=10**9) or benchmark(sorted, [3, 1, 2])",
}


def interrupted(folder, mode):
    """Run a suite, interrupt it in the middle of its test, and return its exit code and output."""
    (folder / "started").unlink(missing_ok=True)
    process = subprocess.Popen(
        command(folder, mode, "--benchmark-max-time=3600"),
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        deadline = time.monotonic() + 60
        while not (folder / "started").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    return process.returncode, out


@pytest.mark.parametrize(
    ("call", "mode"),
    # Without perfcore a coroutine function is not awaited.
    [(call, mode) for call in SLOW for mode in ("off", "on") if (call, mode) != ("coroutine", "off")],
)
def test_interrupt(tmp_path, call, mode):
    folder = tmp_path / "suite"
    source = f"""
import gc, pathlib, signal, sys, time

async def ready():
    pass

def test_endless(benchmark):
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's jobs in the background ignore it
    pathlib.Path("started").touch()
    try:
        {SLOW[call]}
    finally:
        state = [gc.isenabled(), sys.gettrace() is None, benchmark.has_error]
        pathlib.Path("state").write_text(repr(state))
"""
    write_suite(folder, test_it=source)
    code, out = interrupted(folder, mode)
    if "tb_lineno - 1" in out:  # pytest stumbles where 3.11 was interrupted at an instruction that has no line
        code, out = interrupted(folder, mode)
    assert code == pytest.ExitCode.INTERRUPTED, out
    assert "KeyboardInterrupt" in out
    assert (folder / "state").read_text() == "[True, True, False]"
