# SPDX-License-Identifier: MIT
"""Rows about the statistics of a benchmark's samples."""

from __future__ import annotations

import gc
import random
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any

from benchmarks.peers.harness import OURS, Case, Context, row
from benchmarks.peers.spread import TimesLess

STOCK = "pytest-benchmark"
SIZES = {1_000: 70, 100_000: 100, 1_000_000: 100}
SMALL_SETS = 20


def like_rounds(count: int) -> list[float]:
    """Return samples as a benchmark gives them: whole nanoseconds, skewed to the right, many ties."""
    source = random.Random(count)
    return [round(5000 + source.expovariate(1 / 150) + (source.random() < 0.01) * 20000) * 1e-9 for _ in range(count)]


def fill(stats: Any, values: list[float]) -> Any:
    """Give a statistics object its samples, as the rounds of a run would."""
    update = stats.update
    for value in values:
        update(value)
    return stats


def milliseconds(stats: list[Any]) -> float:
    """Time the first ``as_dict`` of each of these objects, all together; return milliseconds for one."""
    gc.collect()
    start = perf_counter()
    for one in stats:
        one.as_dict()
    return (perf_counter() - start) * 1e3 / len(stats)


@row("statistics", unit="ms", peers=(STOCK,))
def statistics_row(context: Context) -> Iterator[Case]:
    """Compute the statistics of the samples of one benchmark: the first Stats.as_dict() after the rounds."""
    from pytest_benchmark.stats import Stats

    from perfcore.pytest_plugin.stats import SampleStats

    def make_ours() -> Any:
        return SampleStats()

    def make_theirs() -> Any:
        return Stats()  # type: ignore[no-untyped-call]

    def case(size: int, objects: int, label: str, targets: dict[str, Any], note: str) -> Case:
        values = like_rounds(size)
        timers: dict[str, Callable[[], float]] = {
            OURS: lambda: milliseconds([fill(make_ours(), values) for _ in range(objects)]),
            STOCK: lambda: milliseconds([fill(make_theirs(), values) for _ in range(objects)]),
        }
        repeats = context.repeats if size < 100_000 else max(3, context.repeats // 3)
        if context.quick and size > 100_000:
            repeats = 3
        return Case(label, context.interleave(timers, repeats), targets, note=note)

    for size, factor in SIZES.items():
        values = like_rounds(size)
        ours, theirs = fill(make_ours(), values).as_dict(), fill(make_theirs(), values).as_dict()
        unequal = [name for name in theirs if ours[name] != theirs[name]]
        if unequal:
            raise RuntimeError(f"different statistics of {size} samples: {', '.join(unequal)}")
        equal = f"all {len(theirs)} fields of the peer equal"
        # A small set takes us microseconds: a score of them in a row, as at the end of a session, or alone after a
        # garbage collection has emptied the caches.
        objects = SMALL_SETS if size <= 1_000 else 1
        note = f"{equal}; {objects} sets in a row" if objects > 1 else equal
        yield case(size, objects, f"{size} samples", {STOCK: TimesLess(factor)}, note)
        if objects > 1:
            yield case(size, 1, f"{size} samples, one set with cold caches", {}, equal)
