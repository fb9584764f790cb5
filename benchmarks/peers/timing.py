# SPDX-License-Identifier: MIT
"""Rows about the truth of a sample: overhead per call in long rounds, bias in rounds of one call, and as calibrated."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks.peers.harness import OURS, Case, Context, row
from benchmarks.peers.processes import run_python
from benchmarks.peers.spread import AtMost, TimesLess
from benchmarks.peers.timing_child import BIAS_SUBJECTS, CALIBRATED_SUBJECTS, CORRECTED, OVERHEAD_SUBJECTS, STOCK

NS = 1e-9
INSIDE = 12  # repeats inside a process
# A repeat whose G lies this far over the lower tenth was taken while the processor ran slow: README, "Quiet repeats".
QUIET = 1.10
LEAST = 3  # a process with fewer quiet repeats is left out

Gauged = Mapping[str, Any]  # what one process reports of one subject


def processes(context: Context, mode: str) -> list[dict[str, Gauged]]:
    """Run one fresh process per repeat and return their reports."""
    arguments = ["-m", "benchmarks.peers.timing_child", mode, str(INSIDE), *sorted(context.peers)]
    return [json.loads(run_python(arguments)[1]) for _ in range(context.repeats)]


def over_truth(gauged: Sequence[Gauged]) -> tuple[dict[str, list[float]], float, int]:
    """Return nanoseconds over G by contender, one figure for each process kept; the median G; the quiet repeats' count.

    A figure is the median over the quiet repeats of the process, each less the G of that same repeat. Quiet is judged
    by G alone, which no contender touches.
    """
    everywhere = sorted(true for process in gauged for true in process["true"])
    limit = QUIET * everywhere[len(everywhere) // 10]
    figures: dict[str, list[float]] = {name: [] for name in gauged[0]["figures"]}
    kept: list[float] = []
    for process in gauged:
        quiet = [index for index, true in enumerate(process["true"]) if true <= limit]
        if len(quiet) < LEAST:
            continue
        kept += [process["true"][index] for index in quiet]
        for name, values in process["figures"].items():
            figures[name].append(statistics.median((values[index] - process["true"][index]) / NS for index in quiet))
    if not kept:
        raise RuntimeError("no process had a quiet phase: the machine is too busy for nanoseconds")
    return figures, statistics.median(kept) / NS, len(kept)


def iterations(gauged: Sequence[Gauged]) -> str:
    """Return the iterations that calibration chose, from the fewest to the most."""
    chosen = [process["iterations"] for process in gauged]
    return str(chosen[0]) if min(chosen) == max(chosen) else f"{min(chosen)} to {max(chosen)}"


@row(
    "call-overhead",
    unit="ns",
    peers=(STOCK, "timeit", "pyperf"),
    target={OURS: AtMost(2), STOCK: TimesLess(20), "timeit": TimesLess(1), "pyperf": TimesLess(1)},
)
def call_overhead(context: Context) -> Iterator[Case]:
    """Measure the overhead per call over straight-line bytecode, many iterations per round."""
    reports = processes(context, "overhead")
    for subject in OVERHEAD_SUBJECTS:
        gauged = [report[subject.name] for report in reports]
        figures, g, quiet = over_truth(gauged)
        note = f"G {g:.1f} ns, {iterations(gauged)} iterations a round, {quiet} quiet repeats"
        corrected = figures.pop(CORRECTED)
        yield Case(subject.name, figures, note=note)
        yield Case(f"{subject.name}, corrected", {OURS: corrected}, {OURS: AtMost(2)}, note=note)


@row("sample-bias", unit="ns", peers=(STOCK,), target={OURS: AtMost(20)})
def sample_bias(context: Context) -> Iterator[Case]:
    """Measure how far the median sample of one iteration lies from the true cost of the call, in absolute value."""
    reports = processes(context, "bias")
    for subject in BIAS_SUBJECTS:
        figures, g, quiet = over_truth([report[subject.name] for report in reports])
        signed = statistics.median(figures[OURS]), statistics.median(figures[CORRECTED])
        absolute = {name: [abs(value) for value in values] for name, values in figures.items()}
        corrected = absolute.pop(CORRECTED)
        note = f"G {g:.1f} ns, {quiet} quiet repeats, median with its sign "
        yield Case(f"{subject.name}, raw", absolute, note=f"{note}{signed[0]:+.1f}")
        yield Case(f"{subject.name}, corrected", {OURS: corrected}, {OURS: AtMost(3)}, note=f"{note}{signed[1]:+.1f}")


@row("calibrated-bias", unit="%", peers=(STOCK,), target={OURS: AtMost(2)})
def calibrated_bias(context: Context) -> Iterator[Case]:
    """Measure how far the median sample lies from the true cost of the call in rounds as calibration makes them."""
    reports = processes(context, "calibrated")
    for subject in CALIBRATED_SUBJECTS:
        gauged = [report[subject.name] for report in reports]
        figures, g, quiet = over_truth(gauged)
        shares = {name: [100 * value / g for value in values] for name, values in figures.items()}
        note = f"G {g:.0f} ns, {iterations(gauged)} iterations a round, {quiet} quiet repeats"
        note += f", median with its sign {statistics.median(shares[OURS]):+.1f}"
        yield Case(subject.name, {name: [abs(value) for value in values] for name, values in shares.items()}, note=note)
