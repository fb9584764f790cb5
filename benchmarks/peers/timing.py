# SPDX-License-Identifier: MIT
"""Rows about the cost of a call inside a round of many iterations."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from benchmarks.peers import contenders
from benchmarks.peers.harness import OURS, Case, Context, row
from benchmarks.peers.spread import AtMost, TimesLess
from benchmarks.peers.truth import SUBJECTS, Subject, Truth

NS = 1e-9
# timeit and pyperf choose loops of 0.1 to 0.2 s, where the clock costs nothing per call; this is enough for the same.
PEER_LOOPS = 2000
INNER = 30
# Repeats whose G lies this far over the lower tenth were taken while the processor ran slow; see README, "Quiet repeats".
QUIET = 1.10


def overheads(context: Context, subject: Subject) -> tuple[dict[str, list[float]], str]:
    """Return nanoseconds per call over G by contender, over the quiet repeats, and a note with G itself."""
    truth = Truth(subject)
    rounds: dict[str, tuple[contenders.RoundTimer, int]] = {}
    ours_raw, iterations = contenders.ours_round(subject)
    ours_corrected, _ = contenders.ours_round(subject, correct=True)
    rounds[OURS] = ours_raw, iterations
    rounds["perfcore, corrected"] = ours_corrected, iterations
    if context.has("pytest-benchmark"):
        rounds["pytest-benchmark"] = contenders.stock_round(subject)
    rounds["timeit"] = contenders.timeit_round(subject), PEER_LOOPS
    if context.has("pyperf"):
        rounds["pyperf"] = contenders.pyperf_round(subject), PEER_LOOPS

    repeats = context.repeats * 10
    true: list[float] = []
    figures: dict[str, list[float]] = {name: [] for name in rounds}
    for _ in range(repeats):
        short: list[float] = []
        long: list[float] = []
        inner: dict[str, list[float]] = {name: [] for name in rounds}
        for turn in range(INNER):
            a, b = truth.pair()
            short.append(a)
            long.append(b)
            order = list(rounds) if turn % 2 == 0 else list(reversed(rounds))
            for name in order:
                run, count = rounds[name]
                inner[name].append(run(count) / count)
        true.append(truth.slope(short, long))
        for name, values in inner.items():
            figures[name].append((statistics.median(values) - true[-1]) / NS)

    limit = QUIET * sorted(true)[len(true) // 10]
    quiet = [index for index, value in enumerate(true) if value <= limit]
    kept = {name: [values[index] for index in quiet] for name, values in figures.items()}
    g = statistics.median(true[index] for index in quiet) / NS
    note = f"G {g:.1f} ns, {iterations} iterations a round, {len(quiet)} quiet repeats of {repeats}"
    return kept, note


@row(
    "call-overhead",
    unit="ns",
    peers=("pytest-benchmark", "timeit", "pyperf"),
    target={OURS: AtMost(2), "pytest-benchmark": TimesLess(20), "timeit": TimesLess(1), "pyperf": TimesLess(1)},
)
def call_overhead(context: Context) -> Iterator[Case]:
    """Overhead per call over straight-line bytecode, many iterations per round."""
    for subject in SUBJECTS:
        figures, note = overheads(context, subject)
        corrected = figures.pop("perfcore, corrected")
        yield Case(subject.name, figures, note=note)
        yield Case(f"{subject.name}, corrected", {OURS: corrected}, {OURS: AtMost(2)})
