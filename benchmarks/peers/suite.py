# SPDX-License-Identifier: MIT
"""Rows about a whole suite: fifty benchmarks of 200 ns to 5 ms in one pytest process."""

from __future__ import annotations

import itertools
import math
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.peers.harness import OURS, Case, Context, row
from benchmarks.peers.processes import HERE, STOCK_OPTIONS, run_pytest
from benchmarks.peers.spread import TimesLess, median_interval

FILE = HERE / "suite_of_50" / "fifty.py"
STOCK = "pytest-benchmark"
VARIANTS: dict[str, tuple[str, ...]] = {
    "perfcore --perfcore-precision=1%": ("--perfcore-precision=1%",),
    OURS: (),
    STOCK: STOCK_OPTIONS,
}
PRECISE = "perfcore --perfcore-precision=1%"
BATCHES = 10
T_975_9 = 2.262  # Student's 97.5 % quantile with BATCHES - 1 degrees of freedom


def rank_interval(data: Sequence[float]) -> float:
    """Return half the 95 % interval of the median over the median, in percent, as if the rounds were independent."""
    ordered = sorted(data)
    below = median_interval(len(ordered))
    return 50 * (ordered[-1 - below] - ordered[below]) / statistics.median(ordered)


def batch_interval(data: Sequence[float]) -> float:
    """Return the same from the medians of ten consecutive batches, which holds where neighbouring rounds are alike.

    Under twenty rounds there are no batches to speak of, and the answer is `rank_interval`.
    """
    if len(data) < 2 * BATCHES:
        return rank_interval(data)
    edges = [index * len(data) // BATCHES for index in range(BATCHES + 1)]
    medians = [statistics.median(data[a:b]) for a, b in itertools.pairwise(edges)]
    return 100 * T_975_9 * statistics.stdev(medians) / math.sqrt(BATCHES) / statistics.median(data)


def by_name(report: dict[str, Any]) -> dict[str, list[float]]:
    """Return the samples of each benchmark of a results file, in the order they were taken."""
    return {bench["name"]: bench["stats"]["data"] for bench in report["benchmarks"]}


def spread_between_runs(medians: Sequence[float]) -> float:
    """Return the standard deviation of one benchmark's median between runs, in percent of their mean."""
    return 100 * statistics.stdev(medians) / statistics.fmean(medians)


@row("suite-of-50", unit="s", peers=(STOCK,))
def suite_of_50(context: Context) -> Iterator[Case]:
    """Measure the wall time of a pytest process with fifty benchmarks, and what its medians are worth."""
    repeats = 1 if context.quick else max(3, context.repeats // 7)
    variants = {name: options for name, options in VARIANTS.items() if name != STOCK or context.has(STOCK)}
    names: list[str] = []
    intervals: dict[str, dict[str, list[float]]] = {kind: {name: [] for name in variants} for kind in ("rank", "batch")}
    medians: dict[str, dict[str, list[float]]] = {name: {} for name in variants}

    with tempfile.TemporaryDirectory() as folder:

        def run(variant: str) -> float:
            spent, report = run_pytest(FILE, variants[variant], Path(folder) / "results.json")
            data = by_name(report)
            names[:] = names or sorted(data)
            if sorted(data) != names:
                raise RuntimeError(f"{variant} measured other benchmarks than the first variant")
            for name in names:
                intervals["rank"][variant].append(rank_interval(data[name]))
                intervals["batch"][variant].append(batch_interval(data[name]))
                medians[variant].setdefault(name, []).append(statistics.median(data[name]))
            return spent

        walls = context.interleave({name: lambda name=name: run(name) for name in variants}, repeats)  # type: ignore[misc]

    spreads = {
        name: [spread_between_runs(values) for values in of_bench.values()] if repeats > 1 else []
        for name, of_bench in medians.items()
    }
    for variant, label in ((PRECISE, "--perfcore-precision=1%"), (OURS, "default options")):
        pairs = {OURS: variant} | ({STOCK: STOCK} if STOCK in variants else {})
        wanted = variant == PRECISE
        for text, figures, unit, factor in (
            ("wall time", walls, "s", 5.0),
            ("interval of the median, rounds independent", intervals["rank"], "%", 1.0),
            ("interval of the median, by batches", intervals["batch"], "%", 1.0),
            (f"spread of the medians between {repeats} runs", spreads, "%", 1.0),
        ):
            if figures[variant]:
                chosen = {name: figures[source] for name, source in pairs.items()}
                targets = {STOCK: TimesLess(factor)} if wanted else {}
                yield Case(f"{text}, {label}", chosen, targets, unit=unit)
