# SPDX-License-Identifier: MIT
"""Work whose figures are known, and what perfcore reports of it.

    python -P tests/outside/truths.py

The truth comes from elsewhere: a spin that ends at a reading of CLOCK_MONOTONIC_RAW, the kernel's own accounting of a
child that is waited for, a size that was asked for, a loop twice as long. Prints a Markdown table; the exit code is 1
where a figure lies outside its tolerance. What is exact by construction is tested in tests/unit/test_truths.py; here
are the figures of a real clock and a real kernel, which a busy machine can blur. Takes about twenty seconds.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import perfcore
from perfcore.measure.memory import MemoryTracker
from perfcore.suite.benchmark_suite import BenchmarkSuite
from perfcore.suite.lane import Lane

MIB = 1 << 20


class Row(NamedTuple):
    """A truth, and what was reported of it; both in the unit."""

    what: str
    truth: float
    reported: float
    unit: str
    tolerance: float  # relative

    @property
    def error(self) -> float:
        """How far off it is, as a share of the truth."""
        return self.reported / self.truth - 1


def spin(nanoseconds: int) -> None:
    """Be busy until a clock that is not perfcore's says that the time is over."""
    end = time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW) + nanoseconds
    while time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW) < end:
        pass


def raw_median(work: Callable[[], object], rounds: int) -> float:
    """Return the median seconds of a piece of work by CLOCK_MONOTONIC_RAW, one call a round."""
    found = []
    for _ in range(rounds):
        began = time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)
        work()
        found.append(time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW) - began)
    return statistics.median(found) / 1e9


def times() -> Iterator[Row]:
    """Spins, sleeps, and a loop twice as long."""
    timer = perfcore.Timer(max_time=0.5)
    for nanoseconds in (20_000, 1_000_000):
        found = timer.measure(spin, nanoseconds)
        yield Row(f"spin of {nanoseconds / 1000:g} µs", nanoseconds / 1000, found.median * 1e6, "µs", 0.05)
    for seconds in (0.001, 0.02):
        truth = raw_median(lambda seconds=seconds: time.sleep(seconds), 40)  # type: ignore[misc]
        found = timer.measure(time.sleep, seconds)
        yield Row(f"sleep({seconds:g})", truth * 1e3, found.median * 1e3, "ms", 0.05)

    def loop(count: int) -> None:
        for _ in range(count):
            pass

    compared = perfcore.compare(lambda: loop(20_000), lambda: loop(40_000))
    yield Row("a loop twice as long, compare()", 2.0, compared.ratio, "x", 0.03)


def memory() -> Iterator[Row]:
    """A spike of resident memory, and objects that are allocated."""
    with MemoryTracker() as tracker:
        block = bytearray(b"\1") * (64 * MIB)
        del block
    yield Row("spike of 64 MiB, freed at once", 64, (tracker.usage.peak_growth_bytes or 0) / MIB, "MiB", 0.02)
    keep: list[object] = [None] * 1000
    places = [*range(1000)]
    with perfcore.track_allocations() as idle:
        for index in places:
            keep[index] = None
    with perfcore.track_allocations() as allocations:
        for index in places:
            keep[index] = object()
    made = allocations.allocations - idle.allocations
    yield Row("1000 objects, allocations beyond those of the loop", 1000, made, "", 0.0)
    with perfcore.track_allocations() as allocations:
        text = bytes(10_000_000)
    yield Row("bytes(10 000 000), bytes asked for", len(text) + sys.getsizeof(b""), allocations.bytes, "B", 0.0)


BURN = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass\n"
FILL = "block = bytearray(b'1') * (100 << 20)\nimport time; time.sleep(0.3)\n"


def accounted(command: list[str]) -> tuple[float, float]:
    """Return the processor's seconds and the greatest resident bytes of a child, as the kernel tells its parent."""
    pid = os.posix_spawnp(command[0], command, os.environ)
    _, _, usage = os.wait4(pid, 0)
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def lanes(folder: Path) -> Iterator[Row]:
    """Commands as lanes: what time they take, what processor time, how much memory."""
    commands = {
        "sleeps": ("sleep", "0.25"),
        "burns": (sys.executable, "-S", "-E", "-c", BURN),
        "fills": (sys.executable, "-S", "-E", "-c", FILL),
    }
    suite = BenchmarkSuite({name: Lane(name, words, iterations=3) for name, words in commands.items()}, folder=folder)
    run = suite.run("sleeps")
    truth = raw_median(lambda: accounted(list(commands["sleeps"])), 3)
    yield Row("lane: sleep 0.25", truth * 1e3, statistics.median(run.times) * 1e3, "ms", 0.1)
    for name, key, unit, factor in (("burns", "cpu_s", "ms", 1e3), ("fills", "memory_max_bytes", "MiB", 1 / MIB)):
        told = [one["resources"][key] for one in suite.run(name).iterations]
        kernel = statistics.median(accounted(list(commands[name]))[name == "fills"] for _ in range(3))
        what = "processor time of 0.3 s of work" if name == "burns" else "most resident memory with 100 MiB filled"
        yield Row(f"lane: {what}", kernel * factor, statistics.median(told) * factor, unit, 0.05)


def main() -> int:
    """Run the program and return its exit code."""
    print("| what | truth | reported | off by | tolerance |\n|:--|--:|--:|--:|--:|")
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="perfcore-truths-") as folder:
        for rows in (times(), memory(), lanes(Path(folder))):
            for row in rows:
                off = abs(row.error) > row.tolerance
                wrong += off
                figures = f"{row.truth:.5g} {row.unit} | {row.reported:.5g} {row.unit}"
                print(
                    f"| {row.what} | {figures} | {row.error:+.2%}{' **(outside)**' * off} | {row.tolerance:.0%} |",
                    flush=True,
                )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
