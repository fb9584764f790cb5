# SPDX-License-Identifier: MIT
"""Rows about the cost of counting allocations: against no counting, and against tracemalloc."""

from __future__ import annotations

import gc
import json
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from time import thread_time
from types import TracebackType

from benchmarks.peers.harness import OURS, Case, Context, row
from benchmarks.peers.processes import run_python
from benchmarks.peers.spread import AtMost, TimesLess

PEER = "tracemalloc"  # of the standard library, so it is always there


class Tracemalloc:
    """tracemalloc as a context manager."""

    def __enter__(self) -> None:
        tracemalloc.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        tracemalloc.stop()


def containers() -> None:
    """Allocate small lists and objects, and drop them at once."""
    for i in range(100_000):
        _ = [i, None]
        object()


def growing() -> None:
    """Allocate many small objects and drop them together."""
    _ = [object() for _ in range(100_000)]


def documents() -> None:
    """Write and read JSON."""
    json.loads(json.dumps([{str(i): i * 1.5} for i in range(10_000)]))


def large() -> None:
    """Allocate blocks of 100 kB."""
    for _ in range(2000):
        bytearray(100_000)


WORKLOADS: dict[str, tuple[Callable[[], None], float]] = {
    "small containers": (containers, 1.2),
    "a growing list": (growing, 1.2),
    "JSON": (documents, 1.2),
    "blocks of 100 kB": (large, 1.5),
}


def seconds(work: Callable[[], None], tracking: AbstractContextManager[object]) -> float:
    """Return the processor time of the work, in seconds, while something tracks it; what else runs is not in it."""
    gc.collect()
    with tracking:
        start = thread_time()
        work()
        return thread_time() - start


@row("allocation-tracking", unit="x", peers=())
def allocation_tracking(context: Context) -> Iterator[Case]:
    """Measure how much slower code runs while its allocations are counted, and the added time per allocation."""
    from perfcore import track_allocations

    for name, (work, limit) in WORKLOADS.items():
        tracker = track_allocations()
        tracker.run(work)
        allocations = tracker.allocations
        times = context.interleave(
            {
                "bare": lambda work=work: seconds(work, nullcontext()),  # type: ignore[misc]
                OURS: lambda work=work: seconds(work, track_allocations()),  # type: ignore[misc]
                PEER: lambda work=work: seconds(work, Tracemalloc()),  # type: ignore[misc]
            }
        )
        slower = {
            who: [tracked / bare for tracked, bare in zip(times[who], times["bare"], strict=True)]
            for who in (OURS, PEER)
        }
        yield Case(f"{name}, slow-down", slower, {OURS: AtMost(limit)}, note=f"{allocations:,} allocations")
        # Differences of two noisy times: by the least of each.
        added = {who: [(min(times[who]) - min(times["bare"])) * 1e9 / allocations] for who in (OURS, PEER)}
        targets = {PEER: TimesLess(30)} if work is not large else {}
        yield Case(f"{name}, added per allocation", added, targets, unit="ns")


@row("heap-by-type", unit="ms", peers=("pympler",))
def heap_by_type(context: Context) -> Iterator[Case]:
    """Measure the counting and weighing of all objects by type."""
    size = 10_000 if context.quick else 200_000

    def milliseconds(who: str) -> float:
        return float(run_python(["-m", "benchmarks.peers.heap_child", who, str(size)])[1])

    makers = {OURS: lambda: milliseconds("perfcore")}
    if context.has("pympler"):
        makers["pympler"] = lambda: milliseconds("pympler")
    yield Case(f"{size:,} dicts and what they hold", context.interleave(makers, max(3, context.repeats // 3)))
