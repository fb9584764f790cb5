# SPDX-License-Identifier: MIT
"""Rows about calibration: whether one cold first call decides how a fast function is measured."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.peers.harness import OURS, Case, Context, row
from benchmarks.peers.processes import HERE, STOCK_OPTIONS, run_pytest
from benchmarks.peers.spread import AtMost

FILE = HERE / "suite_of_50" / "cold_calls.py"
STOCK = "pytest-benchmark"
FAST = 5e-6
SHORT = ("--benchmark-max-time=0.02", "--benchmark-min-rounds=5")


def stuck_share(options: tuple[str, ...], folder: Path) -> float:
    """Return the percentage of the benchmarks under 5 µs that were measured one call at a time."""
    _, report = run_pytest(FILE, [*SHORT, *options], folder / "results.json")
    fast = [bench["stats"] for bench in report["benchmarks"] if bench["stats"]["median"] < FAST]
    if not fast:
        raise RuntimeError("no benchmark under 5 µs was measured")
    return 100 * len([stats for stats in fast if stats["iterations"] == 1]) / len(fast)


@row("cold-calls", unit="%", peers=(STOCK,), target={OURS: AtMost(0)})
def cold_calls(context: Context) -> Iterator[Case]:
    """Count the share of the benchmarks under 5 µs stuck at one iteration because their first call was cold."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        contenders = {OURS: lambda: stuck_share((), folder)}
        if context.has(STOCK):
            contenders[STOCK] = lambda: stuck_share(STOCK_OPTIONS, folder)
        figures = context.interleave(contenders, max(3, context.repeats // 3))
    yield Case("functions with a slow first call", figures, note="each in a fresh process")
