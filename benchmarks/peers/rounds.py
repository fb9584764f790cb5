# SPDX-License-Identifier: MIT
"""Rows about rounds of one iteration: what a round costs, and how far its sample lies from the truth."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any

from benchmarks.peers import contenders
from benchmarks.peers.harness import OURS, Case, Context, row
from benchmarks.peers.spread import AtMost, TimesLess
from benchmarks.peers.truth import C_WORK, SUBJECTS, WORK, Subject, Truth, empty

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
    """Wall time per round of one iteration, the whole fixture call."""
    rounds = 2_000 if context.quick else 20_000
    makers: dict[str, Callable[[], float]] = {OURS: lambda: wall_of_rounds(contenders.ours_fixture, rounds)}
    if context.has(STOCK):
        makers[STOCK] = lambda: wall_of_rounds(contenders.stock_fixture, rounds)
    yield Case("benchmark(f)", context.interleave(makers), note=f"{rounds} rounds")


@row("pedantic-wall", unit="ns", peers=(STOCK,), target={STOCK: TimesLess(15)})
def pedantic_wall(context: Context) -> Iterator[Case]:
    """Wall time per round of one iteration of benchmark.pedantic."""
    rounds = 2_000 if context.quick else 20_000
    makers: dict[str, Callable[[], float]] = {OURS: lambda: wall_of_pedantic(contenders.ours_fixture, rounds)}
    if context.has(STOCK):
        makers[STOCK] = lambda: wall_of_pedantic(contenders.stock_fixture, rounds)
    yield Case("benchmark.pedantic(f)", context.interleave(makers), note=f"{rounds} rounds")


def biases(context: Context, subject: Subject, rounds: int = 300) -> tuple[dict[str, list[float]], str]:
    """Return by contender how many nanoseconds the median sample of one iteration lies over G, and a note with G."""
    from perfcore._core import Samples
    from perfcore.measure.runner import make_runner

    truth = Truth(subject)
    runners = {
        OURS: make_runner(subject.function, subject.args, dict(subject.kwargs)),
        "corrected": make_runner(subject.function, subject.args, dict(subject.kwargs), correct=True),
    }
    stock = contenders.stock_round(subject)[0] if context.has(STOCK) else None
    true: list[float] = []
    figures: dict[str, list[float]] = {name: [] for name in (*runners, *([STOCK] if stock else []))}
    for repeat in range(context.repeats * 5):
        pairs = [truth.pair() for _ in range(30)]
        true.append(truth.slope([short for short, _ in pairs], [long for _, long in pairs]))
        for name in runners if repeat % 2 == 0 else reversed(runners):
            samples = Samples()
            runners[name].run(samples, rounds, 1)
            figures[name].append((statistics.median(samples) - true[-1]) / NS)
        if stock:
            figures[STOCK].append((statistics.median(stock(1) for _ in range(rounds)) - true[-1]) / NS)
    return figures, f"G {statistics.median(true) / NS:.1f} ns"


@row("sample-bias", unit="ns", peers=(STOCK,), target={OURS: AtMost(20)})
def sample_bias(context: Context) -> Iterator[Case]:
    """Median sample of a round of one iteration, less the true cost of the call (absolute value)."""
    by_name = {subject.name: subject for subject in SUBJECTS}
    for subject in (by_name["len"], C_WORK, by_name["def f(): pass"], WORK):
        figures, note = biases(context, subject)
        absolute = {name: [abs(value) for value in values] for name, values in figures.items()}
        corrected = absolute.pop("corrected")
        yield Case(f"{subject.name}, raw", absolute, note=note)
        yield Case(f"{subject.name}, corrected", {OURS: corrected}, {OURS: AtMost(3)}, note=note)
