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


def seconds_of_as_dict(stats: Any) -> float:
    """Time the first ``as_dict`` of a statistics object, in milliseconds."""
    gc.collect()
    start = perf_counter()
    stats.as_dict()
    return (perf_counter() - start) * 1e3


@row("statistics", unit="ms", peers=(STOCK,))
def statistics_row(context: Context) -> Iterator[Case]:
    """Compute the statistics of the samples of one benchmark: the first Stats.as_dict() after the rounds."""
    from pytest_benchmark.stats import Stats

    from perfcore.pytest_plugin.stats import SampleStats

    def make_ours() -> Any:
        return SampleStats()

    def make_theirs() -> Any:
        return Stats()  # type: ignore[no-untyped-call]

    for size, factor in SIZES.items():
        values = like_rounds(size)
        ours, theirs = fill(make_ours(), values).as_dict(), fill(make_theirs(), values).as_dict()
        unequal = [name for name in theirs if ours[name] != theirs[name]]
        if unequal:
            raise RuntimeError(f"different statistics of {size} samples: {', '.join(unequal)}")
        makers: dict[str, Callable[[], float]] = {
            OURS: lambda values=values: seconds_of_as_dict(fill(make_ours(), values)),  # type: ignore[misc]
            STOCK: lambda values=values: seconds_of_as_dict(fill(make_theirs(), values)),  # type: ignore[misc]
        }
        repeats = context.repeats if size < 100_000 else max(3, context.repeats // 3)
        if context.quick and size > 100_000:
            repeats = 3
        yield Case(
            f"{size} samples",
            context.interleave(makers, repeats),
            {STOCK: TimesLess(factor)},
            note=f"all {len(theirs)} fields of the peer equal",
        )
