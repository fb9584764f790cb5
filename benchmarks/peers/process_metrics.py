# SPDX-License-Identifier: MIT
"""Rows about metrics of processes: single readings, trees, the rate and the cost of a sampler, a short spike's peak."""

from __future__ import annotations

import contextlib
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.peers import kernel_floor
from benchmarks.peers.harness import OURS, Case, Context, row
from benchmarks.peers.kernel_floor import FLOOR
from benchmarks.peers.spread import AtMost, TimesLess

PSUTIL = "psutil"
SPIKE = 50 << 20
INTERVAL = 0.001


def microseconds(call: Callable[[], object], count: int) -> float:
    """Return what one call takes, over ``count`` of them."""
    start = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - start) / count * 1e6


def psutil_snapshot(process: Any) -> Callable[[], object]:
    """Return a call that reads what our quick snapshot reads, in psutil's cheapest way."""

    def snapshot() -> object:
        with process.oneshot():
            return (
                process.memory_info(),
                process.cpu_times(),
                process.num_ctx_switches(),
                process.io_counters(),
                process.num_fds(),
                process.num_threads(),
            )

    return snapshot


@row("process-metrics", unit="µs", peers=(PSUTIL,))
def process_metrics(context: Context) -> Iterator[Case]:
    """Measure one reading of this process's memory beside the kernel's part of it, and a whole snapshot."""
    from perfcore._core import Process

    ours = Process()
    count = 500 if context.quick else 5000
    calls: dict[str, dict[str, Callable[[], object]]] = {
        "RSS": {OURS: ours.rss},
        "snapshot: memory, CPU, switches, I/O, fds, threads": {OURS: lambda: ours.read(quick=True)},
    }
    if context.has(PSUTIL):
        import psutil

        process = psutil.Process()
        calls["RSS"][PSUTIL] = process.memory_info
        calls["snapshot: memory, CPU, switches, I/O, fds, threads"][PSUTIL] = psutil_snapshot(process)
    for (name, contenders), factor in zip(calls.items(), (12, 14), strict=True):
        makers = {who: lambda call=call: microseconds(call, count) for who, call in contenders.items()}  # type: ignore[misc]
        if name == "RSS" and kernel_floor.is_known():
            makers[FLOOR] = lambda: kernel_floor.statm_us(count)
        figures = context.interleave(makers)
        note = ""
        if FLOOR in figures and PSUTIL in figures:
            most = statistics.median(figures[PSUTIL]) / statistics.median(figures[FLOOR])
            note = f"nothing that reads statm can be more than {most:.1f} times faster than psutil here"
        yield Case(name, figures, {PSUTIL: TimesLess(factor)} if context.has(PSUTIL) else {}, note=note)


@contextlib.contextmanager
def children(count: int) -> Iterator[list[int]]:
    """Run processes that do nothing, and yield their pids."""
    sleep = "import sys; sys.stdin.read()"
    running = [subprocess.Popen([sys.executable, "-S", "-c", sleep], stdin=subprocess.PIPE) for _ in range(count)]
    try:
        yield [process.pid for process in running]
    finally:
        for process in running:
            process.communicate()


@row("process-tree", unit="µs", peers=(PSUTIL,))
def process_tree(context: Context) -> Iterator[Case]:
    """Measure the summed RSS of a tree: its known members with kept readers; psutil finds them anew each time."""
    from perfcore._core import Process

    for count in (10,) if context.quick else (10, 100):
        with children(count) as pids:
            readers = [Process(pid) for pid in pids]
            makers: dict[str, Callable[[], float]] = {
                OURS: lambda readers=readers: microseconds(lambda: sum(r.rss() or 0 for r in readers), 50)  # type: ignore[misc]
            }
            if context.has(PSUTIL):
                import psutil

                root = psutil.Process()
                known = [psutil.Process(pid) for pid in pids]
                makers[PSUTIL] = lambda root=root: microseconds(  # type: ignore[misc]
                    lambda: sum(child.memory_info().rss for child in root.children(recursive=True)), 3
                )
                makers["psutil, members known"] = lambda known=known: microseconds(  # type: ignore[misc]
                    lambda: sum(child.memory_info().rss for child in known), 10
                )
            targets = {PSUTIL: TimesLess(50)} if context.has(PSUTIL) else {}
            yield Case(f"{count} children", context.interleave(makers), targets)
            for reader in readers:
                reader.close()


def spin(seconds: float) -> None:
    """Keep Python busy."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def our_gap(seconds: float) -> float:
    """Return the mean time between two of our samples beside a busy main thread, in ms."""
    from perfcore import MetricsCollector

    with MetricsCollector(interval=INTERVAL) as collector:
        spin(seconds)
    return collector.info.seconds / collector.info.samples * 1e3


def psutil_gap(seconds: float) -> float:
    """Return the same of a Python thread that asks psutil for the memory alone."""
    import psutil

    process, stop, taken = psutil.Process(), threading.Event(), 0

    def sample() -> None:
        nonlocal taken
        while not stop.wait(INTERVAL):
            process.memory_info()
            taken += 1

    thread = threading.Thread(target=sample)
    thread.start()
    spin(seconds)
    stop.set()
    thread.join()
    return seconds / max(taken, 1) * 1e3


@row("sampler", unit="ms/sample", peers=(PSUTIL,))
def sampler(context: Context) -> Iterator[Case]:
    """Measure the time between samples at 1 ms beside a busy Python thread; and what of a core the sampler takes."""
    seconds = 0.2 if context.quick else 1.0
    makers: dict[str, Callable[[], float]] = {OURS: lambda: our_gap(seconds)}
    if context.has(PSUTIL):
        makers[PSUTIL] = lambda: psutil_gap(seconds)
    repeats = max(2, context.repeats // 3)
    targets = {OURS: AtMost(1 / 0.9)} | ({PSUTIL: TimesLess(8)} if context.has(PSUTIL) else {})
    yield Case("every 1 ms, main thread busy", context.interleave(makers, repeats), targets)
    makers = {OURS: lambda: sampler_cpu(seconds)}
    if kernel_floor.is_known():
        makers[FLOOR] = lambda: kernel_floor.sleeper_percent(seconds)
    note = "the other wakes up as often, and reads statm alone"
    yield Case("CPU at 1 ms", context.interleave(makers, repeats), {OURS: AtMost(2)}, note, "% of a core")


def sampler_cpu(seconds: float) -> float:
    """Return what of a core the process takes while it sleeps and is sampled, in percent."""
    from perfcore import MetricsCollector

    with MetricsCollector(interval=INTERVAL):
        before = time.process_time()
        time.sleep(seconds)
        return (time.process_time() - before) / seconds * 100


@row("spike", unit="% off", target={OURS: AtMost(1)})
def spike(context: Context) -> Iterator[Case]:
    """Measure how far the tracked peak of a 50 MB spike that is given back at once is off."""
    from perfcore import MemoryTracker

    def off() -> float:
        with MemoryTracker() as tracker:
            bytearray(b"x") * SPIKE
        growth = tracker.usage.peak_growth_bytes
        if growth is None:
            raise RuntimeError("the kernel does not let the peak begin again (/proc/self/clear_refs)")
        return abs(growth - SPIKE) / SPIKE * 100

    off()
    yield Case("50 MB", {OURS: [off() for _ in range(context.repeats)]})
