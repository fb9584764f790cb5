# SPDX-License-Identifier: MIT
"""A small suite beside the plugins of pytest that are named, in this environment; see neighbours.sh.

    python neighbours.py pytest-cov pytest-xdist

The suite runs as it is, and in the ways that each plugin is there for. It must pass each time, benchmarks must be
measured by perfcore or the header must say why they are not, and nothing may warn. Exit code 1 with one line for each
thing that does not hold.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

SUITE = """
import asyncio

import pytest


def work(n=200):
    return sum(i * i for i in range(n))


async def tick():
    await asyncio.sleep(0)
    return 7


def test_function(benchmark):
    assert benchmark(work) == 2646700


def test_builtin(benchmark):
    assert benchmark(len, "abc") == 3


def test_pedantic(benchmark):
    assert benchmark.pedantic(work, args=(10,), rounds=20, iterations=2) == 285


def test_coroutine(benchmark):
    assert benchmark(tick) == 7


@pytest.mark.perfcore(max_growth=0)
def test_limits(benchmark):
    assert benchmark(sorted, [3, 1, 2]) == [1, 2, 3]


def test_memory(memory_tracker):
    with memory_tracker.phase("read"):
        rows = [bytes(1000) for _ in range(1000)]
    assert len(rows) == 1000
    assert memory_tracker.phases["read"].peak_bytes > 0


def test_metrics(metrics_collector):
    assert work() == 2646700


def test_allocations(allocation_tracker, assert_no_leaks):
    assert_no_leaks(work)
    assert work() == 2646700
"""

ASYNC_TEST = """

@pytest.mark.asyncio
async def test_async():
    assert await tick() == 7
"""

BENCHMARKS = {"test_function", "test_builtin", "test_pedantic", "test_coroutine", "test_limits"}
TESTS = SUITE.count("\ndef test_")

# What each neighbour is there for: options, and where perfcore does not measure then, what its header must say and how
# many tests are left.
WAYS: dict[str, list[tuple[list[str], str, int]]] = {
    # It measures by itself, runs benchmarks alone, and takes a coroutine function for any other.
    "pytest-codspeed": [
        (["--codspeed", "--codspeed-mode=walltime", "-k", "not coroutine"], "benchmarks are disabled", 4)
    ],
    "pytest-xdist": [(["-n", "2"], "benchmarks are disabled", TESTS)],
    "pytest-asyncio": [(["-o", "asyncio_mode=auto"], "", TESTS), (["-o", "asyncio_mode=strict"], "", TESTS)],
    "pytest-memray": [(["--memray"], "", TESTS)],
    "pytest-cov": [(["--cov=test_suite", "--cov-branch", "--cov-report=json:coverage.json"], "", TESTS)],
    "pytest-randomly": [(["--randomly-seed=1"], "", TESTS)],
}


def run(folder: Path, options: list[str], reason: str, tests: int) -> list[str]:
    """Run the suite once; return what does not hold."""
    results = folder / "results.json"
    results.unlink(missing_ok=True)
    command = [
        *(sys.executable, "-P", "-m", "pytest", "-p", "no:cacheprovider", "-W", "error", "--benchmark-max-time=0.02"),
        *("--benchmark-json=results.json", *options),
    ]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    wrong = []
    if done.returncode != 0 or f"{tests} passed" not in done.stdout:
        wrong.append(f"exit code {done.returncode}, expected {tests} passed\n{done.stdout}{done.stderr}")
    header = next((line for line in done.stdout.splitlines() if line.startswith("perfcore: ")), "no header of perfcore")
    if reason:
        if not (" off (" in header and reason in header):
            wrong.append(f"the header does not say {reason!r}: {header}")
    elif " on (" not in header:
        wrong.append(f"perfcore is not on: {header}")
    else:
        entries = json.loads(results.read_text())["benchmarks"] if results.exists() else []
        measured = {entry["name"] for entry in entries if "kernel" in entry.get("perfcore", {})}
        if measured != BENCHMARKS:
            wrong.append(f"measured by perfcore: {sorted(measured)}")
    return wrong


def coverage_holds(folder: Path) -> list[str]:
    """Return what of the suite pytest-cov did not see run: nothing but what a benchmark alone calls may be missing."""
    missing = json.loads((folder / "coverage.json").read_text())["files"]["test_suite.py"]["missing_lines"]
    lines = SUITE.splitlines()
    unseen = [lines[number - 1].strip() for number in missing if number <= len(lines)]
    return [f"not covered: {line}" for line in unseen if not line.startswith(("await", "return 7"))]


def main(neighbours: list[str]) -> int:
    """Run all ways of the neighbours; return the exit code."""
    failed = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        asynchronous = "pytest-asyncio" in neighbours
        (folder / "test_suite.py").write_text(SUITE + (ASYNC_TEST if asynchronous else ""))
        # pytest-asyncio warns where this is not said.
        scope = "asyncio_default_fixture_loop_scope = function\n" if asynchronous else ""
        (folder / "pytest.ini").write_text(f"[pytest]\n{scope}")
        for neighbour, ways in {"none": [([], "", TESTS)], **{one: WAYS[one] for one in neighbours}}.items():
            for options, reason, tests in ways:
                wrong = run(folder, options, reason, tests + (asynchronous and tests == TESTS))
                if neighbour == "pytest-cov" and not wrong:
                    wrong += coverage_holds(folder)
                beside = "+".join(one.removeprefix("pytest-") for one in neighbours)
                print(f"{sys.version.split()[0]} beside {beside}: {' '.join(options) or 'as it is'}: ", end="")
                print("ok" if not wrong else "FAILED")
                for line in wrong:
                    failed = 1
                    print(f"  {line}")
    return failed


def versions(neighbours: list[str]) -> str:
    """Return what is installed, by name and version."""
    found = []
    for package in ("pytest", "pytest-benchmark", *neighbours):
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            sys.exit(f"neighbours.py: error: {package} is not installed here; see neighbours.sh")
    return ", ".join(found)


if __name__ == "__main__":
    print(versions(sys.argv[1:]))
    sys.exit(main(sys.argv[1:]))
