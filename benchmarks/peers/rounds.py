# SPDX-License-Identifier: MIT
"""Rows about the wall time of rounds of one iteration."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any

from benchmarks.peers import contenders
from benchmarks.peers.harness import OURS, Case, Context, row
from benchmarks.peers.spread import TimesLess
from benchmarks.peers.truth import empty

NS = 1e-9
STOCK = "pytest-benchmark"
# One iteration per round whatever the function costs, and as many rounds as min_rounds says.
ONE_ITERATION: dict[str, Any] = {"min_time": 0.0, "calibration_precision": 1e-9, "max_time": 0.0}


def wall_of_rounds(make: Callable[..., Any], rounds: int) -> float:
    """Return nanoseconds of wall time per round of ``benchmark(empty)``, set-up of the benchmark included."""
    fixture = make(min_rounds=rounds, **ONE_ITERATION)
    start = perf_counter()
    fixture(empty)
    spent = perf_counter() - start
    return check_rounds(fixture, rounds, spent)


def wall_of_pedantic(make: Callable[..., Any], rounds: int) -> float:
    """Return nanoseconds of wall time per round of ``benchmark.pedantic(empty)``."""
    fixture = make()
    start = perf_counter()
    fixture.pedantic(empty, rounds=rounds, iterations=1)
    spent = perf_counter() - start
    return check_rounds(fixture, rounds, spent)


def check_rounds(fixture: Any, rounds: int, spent: float) -> float:
    """Return nanoseconds per round, having made sure that exactly this work was done."""
    done = len(fixture.stats.stats.data)
    if done != rounds or fixture.stats.iterations != 1:
        raise RuntimeError(f"expected {rounds} rounds of 1 iteration, got {done} of {fixture.stats.iterations}")
    return spent / rounds / NS


@row("round-wall", unit="ns", peers=(STOCK,), target={STOCK: TimesLess(5)})
def round_wall(context: Context) -> Iterator[Case]:
    """Measure the wall time per round of one iteration, over the whole fixture call."""
    rounds = 20_000 if context.quick else 100_000
    makers: dict[str, Callable[[], float]] = {OURS: lambda: wall_of_rounds(contenders.ours_fixture, rounds)}
    if context.has(STOCK):
        makers[STOCK] = lambda: wall_of_rounds(contenders.stock_fixture, rounds)
    yield Case("benchmark(f)", context.interleave(makers), note=f"{rounds} rounds")


@row("pedantic-wall", unit="ns", peers=(STOCK,), target={STOCK: TimesLess(15)})
def pedantic_wall(context: Context) -> Iterator[Case]:
    """Measure the wall time per round of one iteration of benchmark.pedantic."""
    rounds = 20_000 if context.quick else 100_000
    makers: dict[str, Callable[[], float]] = {OURS: lambda: wall_of_pedantic(contenders.ours_fixture, rounds)}
    if context.has(STOCK):
        makers[STOCK] = lambda: wall_of_pedantic(contenders.stock_fixture, rounds)
    yield Case("benchmark.pedantic(f)", context.interleave(makers), note=f"{rounds} rounds")
